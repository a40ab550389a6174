//! The tickets that are open, and who may use them.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use upgrade::{Direction, Protocol, RunId, Ticket, TicketName, Time};

use super::message::TransferId;
use super::refusal::Refusal;

/// Longest name that is looked up, in bytes.
const MAX_NAME: usize = 64;

/// The open tickets. One that is used up, withdrawn or expired is not here any more.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    open: BTreeMap<TicketName, Open>,
    /// Used up, and not yet expired: an order to open one again was on its way, and is late.
    used: BTreeSet<TicketName>,
    expiries: BTreeSet<(Time, TicketName)>,
}

/// An open ticket.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) ticket: Ticket,
    /// The transfer that runs on it: at most one.
    pub(super) transfer: Option<TransferId>,
}

impl Tickets {
    /// Opens a ticket. One of that name which differs is replaced and returned, but where only the time differs: then
    /// it lasts for that time, and a transfer that runs on it goes on.
    pub(super) fn open(&mut self, ticket: Ticket) -> Option<Open> {
        if self.used.contains(&ticket.name) {
            return None;
        }
        if let Some(open) = self.open.get_mut(&ticket.name)
            && open.ticket == (Ticket { expires: open.ticket.expires, ..ticket.clone() })
        {
            self.expiries.remove(&(open.ticket.expires, ticket.name.clone()));
            self.expiries.insert((ticket.expires, ticket.name));
            open.ticket.expires = ticket.expires;
            return None;
        }
        let replaced = self.remove(&ticket.name);
        self.expiries.insert((ticket.expires, ticket.name.clone()));
        self.open.insert(ticket.name.clone(), Open { ticket, transfer: None });
        replaced
    }

    /// Ends a ticket for good: it is used up.
    pub(super) fn use_up(&mut self, name: &TicketName) {
        if self.open.remove(name).is_some() {
            self.used.insert(name.clone());
        }
    }

    /// Ends a ticket that is withdrawn.
    pub(super) fn remove(&mut self, name: &TicketName) -> Option<Open> {
        let open = self.open.remove(name)?;
        self.expiries.remove(&(open.ticket.expires, name.clone()));
        Some(open)
    }

    /// Ends one ticket whose time is over.
    pub(super) fn expire(&mut self, now: Duration) -> Option<Open> {
        loop {
            let (expires, name) = self.expiries.first().cloned()?;
            if Duration::from(expires) > now {
                return None;
            }
            if !self.used.remove(&name) {
                return self.remove(&name);
            }
            self.expiries.remove(&(expires, name));
        }
    }

    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.expiries.first().map(|(expires, _)| Duration::from(*expires))
    }

    /// The ticket of this name, if this device may use it so.
    pub(super) fn admit(
        &self,
        name: &str,
        address: IpAddr,
        direction: Direction,
        protocol: Protocol,
        now: Duration,
    ) -> Result<&Open, Refusal> {
        let open = self.find(name).filter(|open| Duration::from(open.ticket.expires) > now);
        let open = open.ok_or(Refusal::UnknownName)?;
        let ticket = &open.ticket;
        if ticket.address.to_canonical() != address.to_canonical() {
            Err(Refusal::OtherDevice)
        } else if ticket.protocol != protocol {
            Err(Refusal::OtherProtocol)
        } else if ticket.direction != direction {
            Err(Refusal::OtherDirection)
        } else {
            Ok(open)
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The tickets of one run.
    pub(super) fn of_run(&self, run: RunId) -> impl Iterator<Item = &Open> {
        self.open.values().filter(move |open| open.ticket.run == run)
    }

    pub(super) fn get(&self, name: &TicketName) -> Option<&Open> {
        self.open.get(name)
    }

    /// A transfer begins on a ticket, or (none) has ended without the file.
    pub(super) fn set_transfer(&mut self, name: &TicketName, transfer: Option<TransferId>) {
        if let Some(open) = self.open.get_mut(name) {
            open.transfer = transfer;
        }
    }

    /// A ticket by the name in a request. Some devices put a slash before it.
    fn find(&self, name: &str) -> Option<&Open> {
        let name = name.trim_start_matches('/');
        if name.len() > MAX_NAME { None } else { self.open.get(&TicketName(name.to_owned())) }
    }
}
