//! Requests that wait for their turn: as many transfers run as there may be. Nobody is refused for that; a device that waits asks again
//! after a while, and keeps its place.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use upgrade::TicketName;

/// A device that has not asked again for so long has given up.
const GIVEN_UP: Duration = Duration::from_secs(20);

/// A request, as it came.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) peer: SocketAddr,
    pub(super) local: Option<IpAddr>,
    pub(super) datagram: Vec<u8>,
}

/// At most one for each ticket.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    row: VecDeque<TicketName>,
    asked: BTreeMap<TicketName, (Duration, Asked)>,
}

impl Waiting {
    /// Somebody waits, at the end of the row or where he waits already.
    pub(super) fn ask(&mut self, name: TicketName, asked: Asked, now: Duration) {
        if self.asked.insert(name.clone(), (now, asked)).is_none() {
            self.row.push_back(name);
        }
    }

    /// Nobody waits for this any more.
    pub(super) fn forget(&mut self, name: &TicketName) {
        if self.asked.remove(name).is_some() {
            self.row.retain(|waiting| waiting != name);
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self, now: Duration) -> Option<Asked> {
        while let Some(name) = self.row.pop_front() {
            let asked = self.asked.remove(&name).filter(|(at, _)| now < at.saturating_add(GIVEN_UP));
            if let Some((_, asked)) = asked {
                return Some(asked);
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.row.len()
    }
}
