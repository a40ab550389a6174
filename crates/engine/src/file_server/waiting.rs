//! Requests that wait for their turn: as many transfers run as there may be, in all and over each link. Nobody is refused for that; a
//! device that waits asks again after a while, and keeps its place.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use upgrade::TicketName;

use super::links::LinkId;

/// A device that has not asked again for so long has given up.
const GIVEN_UP: Duration = Duration::from_secs(20);

/// What waits.
#[derive(Debug)]
pub(super) enum Asked {
    /// A request, as it came.
    Request { peer: SocketAddr, local: Option<IpAddr>, datagram: Vec<u8> },
    /// A file that is to be written to a device, which waits for that.
    Push { name: TicketName, to: SocketAddr },
}

/// At most one for each ticket.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Those behind each link in the order in which they came, with the number of each among all.
    rows: BTreeMap<LinkId, VecDeque<(u64, TicketName)>>,
    asked: BTreeMap<TicketName, (Duration, LinkId, Asked)>,
    came: u64,
}

impl Waiting {
    /// Somebody behind this link waits, at the end of the row or where he waits already.
    pub(super) fn ask(&mut self, name: TicketName, link: LinkId, asked: Asked, now: Duration) {
        if self.asked.insert(name.clone(), (now, link, asked)).is_none() {
            self.came += 1;
            self.rows.entry(link).or_default().push_back((self.came, name));
        }
    }

    /// Nobody waits for this any more.
    pub(super) fn forget(&mut self, name: &TicketName) {
        if let Some((_, link, _)) = self.asked.remove(name)
            && let Some(row) = self.rows.get_mut(&link)
        {
            row.retain(|(_, waiting)| waiting != name);
        }
    }

    /// Whose turn it is: the first one behind a link that has room.
    pub(super) fn next(&mut self, has_room: impl Fn(LinkId) -> bool, now: Duration) -> Option<Asked> {
        loop {
            let link = self.first(&has_room)?;
            let (_, name) = self.rows.get_mut(&link)?.pop_front()?;
            let asked = self.asked.remove(&name).filter(|(at, ..)| now < at.saturating_add(GIVEN_UP));
            if let Some((.., asked)) = asked {
                return Some(asked);
            }
        }
    }

    /// Whether somebody waits behind a link that has room.
    pub(super) fn is_anyone_next(&self, has_room: impl Fn(LinkId) -> bool) -> bool {
        self.first(&has_room).is_some()
    }

    fn first(&self, has_room: &impl Fn(LinkId) -> bool) -> Option<LinkId> {
        let fronts = self.rows.iter().filter_map(|(link, row)| Some((row.front()?.0, *link)));
        fronts.filter(|(_, link)| has_room(*link)).min().map(|(_, link)| link)
    }

    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }
}
