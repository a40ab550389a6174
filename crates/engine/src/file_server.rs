//! The file server: tickets that the director opens, TFTP transfers that devices make with them, and the storage
//! behind. FTP meets the same tickets, storage messages and reports.
//!
//! Pure: datagrams, orders, storage's answers and the time come in; datagrams, reports and requests to storage go
//! out. After each input the shell calls [`FileServer::poll_transmit`], [`FileServer::poll_report`] and
//! [`FileServer::poll_storage`] until they have nothing, and again at [`FileServer::next_deadline`].
//!
//! A ticket is good for one device address, one direction, one protocol and one size, until it expires, and for one
//! whole transfer. A transfer that breaks frees its ticket: a device that lost its link asks again by itself, and
//! is served while the ticket lasts. One transfer runs on a ticket at a time. A second request for it is
//! - a repetition, where it comes from the same port and nothing has moved, or something moved just now;
//! - refused, where it comes from another port while the transfer moves;
//! - a new beginning otherwise: the device restarted, and the dead transfer makes room.
//!
//! By push (row S18) the server itself begins, as a client of the device, on the director's order.
//!
//! Where [`Settings`] limit how fast files go over, or how many at once, transfers wait: those that run take turns by the bytes that
//! they sent, and those that are to begin stand in a row. By FTP a transfer asks for leave before it moves bytes.

mod chunks;
mod ftp;
mod links;
mod message;
mod outbox;
mod pace;
mod push;
mod refusal;
mod session;
mod settle;
#[cfg(test)]
mod tests;
mod tickets;
mod waiting;

pub use ftp::{FtpGrant, FtpOutcome};
pub use links::Link;
pub use message::{
    CHUNK_BYTES, Cause, FromStorage, News, Order, Report, StorageFailure, ToStorage, TransferId,
};
pub use pace::Rates;
pub use refusal::Refusal;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use tftp::{DecodeError, Failure, Limits, Packet, Receiver, Request, Sender, Timing};
use upgrade::{Content, Direction, Protocol, Ticket};

use self::chunks::Chunks;
use self::ftp::FtpTransfer;
use self::links::{LinkId, Links};
use self::outbox::{Outbox, Owner, Reply};
use self::pace::{Pace, most_transfers};
use self::session::{End, Session};
use self::tickets::{Open, Tickets};
use self::waiting::{Asked, Waiting};
use crate::datagram::{Datagram, Transmit};

/// Which of the server's two sockets a datagram came to or leaves from. RFC 1350 section 4 wants a port of its own
/// for each transfer; one for all of them serves as well, since transfers are told apart by the peer. Where a
/// firewall lets only the well-known port through, the shell gives one socket for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// The well-known port: requests come here.
    Requests,
    /// The port of all transfers.
    Transfers,
}

/// What a file server goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The most it agrees to when a client asks for options.
    pub limits: Limits,
    /// When it sends again and when it gives up.
    pub timing: Timing,
    /// How fast files go over.
    pub rates: Rates,
    /// Links over which they go slower.
    pub links: Vec<Link>,
    /// How many transfers there are at once, at most. Fewer where the rate of all is too low for so many.
    pub most_transfers: usize,
}

impl Default for Settings {
    /// Blocks that fit an Ethernet packet with tunnels on its way, and the default timing. What is sent again is sent after the
    /// round-trip time that was measured, whatever time a device proposes (RFC 2349): that is seconds, and a lossy link has many.
    fn default() -> Self {
        Self {
            limits: Limits { block_size: 1428, timeout: false, ..Limits::default() },
            timing: Timing::default(),
            rates: Rates::default(),
            links: Vec::new(),
            most_transfers: 16_384,
        }
    }
}

/// All tickets, and all transfers.
#[derive(Debug)]
pub struct FileServer {
    settings: Settings,
    tickets: Tickets,
    sessions: BTreeMap<TransferId, Session>,
    by_peer: BTreeMap<SocketAddr, TransferId>,
    /// Files that are written to devices, and that these have not answered yet.
    unanswered: BTreeMap<IpAddr, TransferId>,
    ftp: BTreeMap<TransferId, FtpTransfer>,
    /// Transfers that may have something to send, in turn.
    links: Links,
    deadlines: BTreeSet<(Duration, TransferId)>,
    /// Of all transfers together.
    pace: Pace,
    /// Transfers that have not ended.
    active: usize,
    /// One that waits may have room now.
    may_begin: bool,
    ftp_may_begin: bool,
    waiting: Waiting,
    chunks: Chunks,
    outbox: Outbox,
    last_transfer: u64,
}

impl FileServer {
    /// A server without tickets: it refuses everything.
    pub fn new(settings: Settings) -> Self {
        Self {
            links: Links::new(&settings.links),
            settings,
            tickets: Tickets::default(),
            sessions: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            ftp: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            pace: Pace::default(),
            active: 0,
            may_begin: false,
            ftp_may_begin: false,
            waiting: Waiting::default(),
            chunks: Chunks::default(),
            outbox: Outbox::default(),
            last_transfer: 0,
        }
    }

    /// Takes an order of the director.
    pub fn order(&mut self, order: Order, now: Duration) {
        match order {
            Order::Open(ticket) => self.open(ticket, now),
            Order::Withdraw(name) => {
                if let Some(open) = self.tickets.remove(&name) {
                    self.end_ticket(open, Cause::Withdrawn, now);
                }
            }
            Order::Push { name, to } => self.push(&name, to, false, now),
        }
    }

    /// Takes datagrams that came to one of the sockets.
    pub fn handle(&mut self, port: Port, datagrams: &[Datagram<'_>], now: Duration) {
        self.wake(now);
        for datagram in datagrams {
            match Packet::decode(datagram.bytes) {
                Ok(Packet::Request(request)) => self.request(datagram, &request, false, now),
                Ok(packet) => self.packet(port, datagram, &packet, now),
                Err(error) => self.undecodable(port, datagram, error),
            }
        }
    }

    /// Takes an answer of storage.
    pub fn storage(&mut self, answer: FromStorage, now: Duration) {
        match answer {
            FromStorage::Chunk { file, offset, bytes, last } => {
                self.chunk_arrived(file, offset, &bytes, last, now);
            }
            FromStorage::Unreadable { file, offset, cause } => {
                for id in self.chunks.unreadable((file, offset)) {
                    self.fail(id, Failure::Storage(cause.clone()), now);
                }
            }
            FromStorage::Written { transfer, offset } => {
                self.with_receiver(transfer, now, |receiver, _| receiver.written(offset, now));
            }
            FromStorage::Stored { transfer, size, sha256 } => {
                self.with_receiver(transfer, now, |receiver, stored| {
                    if receiver.received_bytes() == size {
                        *stored = Some(sha256);
                        receiver.stored(now);
                    } else {
                        receiver.fail(Failure::Storage(format!("it kept {size} bytes")));
                    }
                });
            }
            FromStorage::Failed { transfer, cause } => {
                let failure = match cause {
                    StorageFailure::NoRoom => Failure::DiskFull,
                    StorageFailure::Other(cause) => Failure::Storage(cause),
                };
                self.fail(transfer, failure, now);
            }
        }
    }

    /// Puts what has to go out next into `buffer`, which is cleared first, and tells from which socket. Transfers
    /// take turns.
    pub fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<(Port, Transmit)> {
        self.wake(now);
        self.begin_waiting(now);
        buffer.clear();
        if let Some(Reply { port, peer, local, refusal }) = self.outbox.next_reply() {
            let message = refusal.to_string();
            Packet::Error { code: refusal.error_code(), message: message.as_bytes() }.encode(buffer);
            let length = buffer.len();
            return Some((port, Transmit { peer, local, segment_size: length, length }));
        }
        let rates = self.settings.rates;
        while self.pace.is_free(now)
            && let Some(id) = self.links.pop(now)
        {
            let Some(session) = self.sessions.get_mut(&id) else {
                self.ftp_turn(id, now);
                continue;
            };
            let Session { port, peer, local, link, .. } = *session;
            if (rates.all.is_some() || self.links.rate(link).is_some()) && session.share.owes_a_turn() {
                self.links.push(link, id);
                continue;
            }
            session.queued = false;
            let sent = session.transmit(rates.each, now, buffer);
            if let Some(sent) = &sent {
                self.pace.spend(sent.length, rates.all, now);
                self.links.spend(link, sent.length, now);
                session.queued = true;
                self.links.push(link, id);
            }
            self.settle(id, now);
            if let Some(tftp::Transmit { length, segment_size }) = sent {
                return Some((port, Transmit { peer, local, segment_size, length }));
            }
        }
        None
    }

    /// What the director has to be told next.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.outbox.next_report()
    }

    /// What storage has to do next.
    pub fn poll_storage(&mut self) -> Option<ToStorage> {
        self.outbox.next_storage()
    }

    /// When [`FileServer::poll_transmit`] has to be called next if nothing comes in before.
    pub fn next_deadline(&self) -> Option<Duration> {
        let session = self.deadlines.first().map(|(deadline, _)| *deadline);
        let paced = self.links.next().map(|turn| turn.max(self.pace.next()));
        session.into_iter().chain(self.tickets.next_expiry()).chain(paced).min()
    }

    /// Transfers that run, or have ended so recently that they may be asked to repeat themselves.
    pub fn transfers(&self) -> usize {
        self.sessions.len() + self.ftp.len()
    }

    /// Requests that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Tickets that are open.
    pub fn tickets(&self) -> usize {
        self.tickets.len()
    }

    /// Refusals that were not reported because too many waited.
    pub fn refusals_uncounted(&self) -> u64 {
        self.outbox.refusals_uncounted()
    }

    fn open(&mut self, ticket: Ticket, now: Duration) {
        let owner = Owner { name: ticket.name.clone(), run: ticket.run };
        if let Some(replaced) = self.tickets.open(ticket) {
            self.end_ticket(replaced, Cause::Withdrawn, now);
        }
        self.outbox.report(owner, News::Ready);
    }

    /// Somebody asks for a file, or his turn has come.
    fn request(&mut self, datagram: &Datagram<'_>, request: &Request<'_>, in_turn: bool, now: Duration) {
        if let Err(refusal) = self.begin(datagram, request, in_turn, now) {
            let Datagram { peer, local, .. } = *datagram;
            self.outbox.refuse(Some(request.filename), Reply { port: Port::Transfers, peer, local, refusal });
        }
    }

    /// Lets those begin who wait, as far as there is room.
    fn begin_waiting(&mut self, now: Duration) {
        while std::mem::take(&mut self.may_begin)
            && self.has_room()
            && let Some(asked) = self.waiting.next(|link| self.links.has_room(link), now)
        {
            self.may_begin = true;
            match asked {
                Asked::Request { peer, local, datagram } => {
                    // It could be read when it came.
                    if let Ok(Packet::Request(request)) = Packet::decode(&datagram) {
                        self.request(&Datagram { peer, local, bytes: &datagram }, &request, true, now);
                    }
                }
                Asked::Push { name, to } => self.push(&name, to, true, now),
            }
        }
    }

    fn has_room(&self) -> bool {
        self.active < self.settings.most_transfers.min(most_transfers(self.settings.rates.all))
    }

    /// Whether a device behind this link may begin at once: nobody waits who could begin before it.
    fn is_in_turn(&self, link: LinkId) -> bool {
        let has_room = |link| self.links.has_room(link);
        self.has_room() && has_room(link) && !self.waiting.is_anyone_next(has_room)
    }

    /// Begins a transfer, lets it wait, or knows the request for a repetition of the one that began it. `in_turn`: it has waited.
    fn begin(
        &mut self,
        datagram: &Datagram<'_>,
        request: &Request<'_>,
        in_turn: bool,
        now: Duration,
    ) -> Result<(), Refusal> {
        let Datagram { peer, local, .. } = *datagram;
        if !request.options.is_whole() {
            return Err(Refusal::BadOptions);
        }
        let direction = match request.direction {
            tftp::Direction::Read => Direction::Read,
            tftp::Direction::Write => Direction::Write,
        };
        if self.by_peer.get(&peer).and_then(|id| self.sessions.get(id)).is_some_and(|session| {
            matches!(session.outcome(), Some(Ok(_))) && request.filename.ends_with(&session.owner.name.0)
        }) {
            // The request of the transfer that has just ended well, late: an error would spoil it for the device.
            return Ok(());
        }
        let open = self.tickets.admit(request.filename, peer.ip(), direction, Protocol::Tftp, now)?;
        let Open { ticket: Ticket { name, run, size, content, .. }, transfer } = open;
        let (name, run, size, content, running) = (name.clone(), *run, *size, content.clone(), *transfer);
        if let Some(id) = running.filter(|id| self.by_peer.get(&peer) == Some(id))
            && let Some(session) = self.sessions.get_mut(&id).filter(|session| session.takes_repetition(now))
        {
            session.handle(&Packet::Request(*request), now);
            self.touch(id, now);
            return Ok(());
        }
        if running.and_then(|id| self.sessions.get(&id)).is_some_and(|session| session.is_alive(now)) {
            return Err(Refusal::Busy);
        }
        let link = self.links.of(peer.ip());
        if running.is_none() && !in_turn && !self.is_in_turn(link) {
            let asked = Asked::Request { peer, local, datagram: datagram.bytes.to_vec() };
            self.waiting.ask(name, link, asked, now);
            self.may_begin = true;
            return Ok(());
        }
        let Settings { limits, timing, rates, .. } = &self.settings;
        let end = match content {
            Content::Stored { digest } if direction == Direction::Read => {
                let mut sender = Sender::answer(request, Some(size), limits, timing, now);
                sender.limit_burst(rates.burst(self.links.rate(link)));
                End::Sends { sender, file: digest }
            }
            Content::Arriving if direction == Direction::Write => {
                let receiver = Receiver::answer(request, size, limits, timing, now);
                if receiver.outcome().is_some() {
                    return Err(Refusal::TooLarge);
                }
                End::Receives { receiver, stored: None }
            }
            // A ticket that contradicts itself serves nobody.
            Content::Stored { .. } | Content::Arriving => return Err(Refusal::OtherDirection),
        };
        for dead in [running, self.by_peer.get(&peer).copied()].into_iter().flatten() {
            self.replace(dead);
        }
        let announced = match &end {
            End::Sends { .. } => Some(size),
            End::Receives { receiver, .. } => receiver.announced_size(),
        };
        let owner = Owner { name, run };
        self.outbox.report(owner.clone(), News::Begun { size: announced });
        self.started(Session::new(owner, peer, local, Port::Transfers, link, end, now), now);
        Ok(())
    }

    /// A transfer has room, and begins.
    fn started(&mut self, session: Session, now: Duration) -> TransferId {
        let id = self.next_transfer();
        self.tickets.set_transfer(&session.owner.name, Some(id));
        self.by_peer.insert(session.peer, id);
        self.active += 1;
        self.links.begun(session.link);
        self.sessions.insert(id, session);
        self.touch(id, now);
        id
    }

    fn packet(&mut self, port: Port, datagram: &Datagram<'_>, packet: &Packet<'_>, now: Duration) {
        let Datagram { peer, local, .. } = *datagram;
        match self.answered(peer, local, packet).or_else(|| self.by_peer.get(&peer).copied()) {
            Some(id) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.handle(packet, now);
                    if let Packet::Data { .. } = packet {
                        // What a device sends is slowed by answering it later.
                        session.share.spend(datagram.bytes.len(), self.settings.rates.each, now);
                        self.pace.spend(datagram.bytes.len(), self.settings.rates.all, now);
                        self.links.spend(session.link, datagram.bytes.len(), now);
                    }
                }
                self.touch(id, now);
            }
            // An error is never answered, or two servers could go on for ever.
            None if matches!(packet, Packet::Error { .. }) => {}
            None => self.outbox.refuse(None, Reply { port, peer, local, refusal: Refusal::UnknownTransfer }),
        }
    }

    fn undecodable(&mut self, port: Port, datagram: &Datagram<'_>, error: DecodeError) {
        const ERROR: &[u8] = &[0, 5];
        let Datagram { peer, local, bytes } = *datagram;
        if bytes.len() < 2 || bytes.starts_with(ERROR) {
            return;
        }
        let refusal = match error {
            DecodeError::BadFilename => Refusal::UnknownName,
            DecodeError::CutShort | DecodeError::UnknownOperation(_) | DecodeError::UnknownMode => {
                Refusal::IllegalOperation
            }
        };
        self.outbox.refuse(None, Reply { port, peer, local, refusal });
    }

    fn next_transfer(&mut self) -> TransferId {
        self.last_transfer += 1;
        TransferId(self.last_transfer)
    }
}
