//! Push (row S18): the server writes a file to a device that serves it by TFTP, once the device says that it waits for it.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use tftp::{Mode, Options, Packet, Sender};
use upgrade::{Content, Direction, Protocol, Ticket, TicketName};

use super::message::{News, TransferId};
use super::outbox::Owner;
use super::session::{End, Session};
use super::tickets::Open;
use super::waiting::Asked;
use super::{FileServer, Port};

impl FileServer {
    /// Begins to write, or lets it wait for its turn.
    pub(super) fn push(&mut self, name: &TicketName, to: SocketAddr, in_turn: bool, now: Duration) {
        let host = to.ip().to_canonical();
        let Some(Open { ticket, transfer: None }) = self.tickets.get(name) else { return };
        let Ticket { run, address, direction, protocol, ref content, size, .. } = *ticket;
        let Content::Stored { digest } = *content else { return };
        if (protocol, direction, address.to_canonical()) != (Protocol::Push, Direction::Read, host) {
            return;
        }
        // An answer may come from any port: behind one address there is one at a time, until it is answered. It is ordered again.
        let is_taken = |id: &TransferId| self.sessions.get(id).is_some_and(|other| other.outcome().is_none());
        if [self.unanswered.get(&host), self.by_peer.get(&to)].into_iter().flatten().any(is_taken) {
            return;
        }
        let link = self.links.of(to.ip());
        if !in_turn && !self.is_in_turn(link) {
            self.waiting.ask(name.clone(), link, Asked::Push { name: name.clone(), to }, now);
            self.may_begin = true;
            return;
        }
        if let Some(ended) = self.by_peer.get(&to).copied() {
            self.replace(ended);
        }
        let limits = &self.settings.limits;
        let most = limits.window_bytes / u32::from(limits.block_size).max(1);
        let options = Options {
            block_size: Some(limits.block_size),
            window_size: Some(limits.window_size.min(u16::try_from(most).unwrap_or(u16::MAX)).max(1)),
            transfer_size: Some(size),
            ..Options::default()
        };
        let mut sender = Sender::request(&name.0, Mode::Octet, &options, &self.settings.timing, now);
        sender.limit_burst(self.settings.rates.burst(self.links.rate(link)));
        let owner = Owner { name: name.clone(), run };
        let end = End::Sends { sender, file: digest };
        let id = self.started(Session::new(owner, to, None, Port::Transfers, link, end, now), now);
        self.unanswered.insert(host, id);
    }

    /// The transfer that the device agrees to with this packet: from where to where that goes, it goes on (RFC 1350 section 4). It
    /// refuses from where it was asked, or is taken to be silent: anybody could send an error in its name, from any port.
    pub(super) fn answered(
        &mut self,
        peer: SocketAddr,
        local: Option<IpAddr>,
        packet: &Packet<'_>,
    ) -> Option<TransferId> {
        let agrees =
            matches!(packet, Packet::OptionAcknowledgement(_) | Packet::Acknowledgement { block: 0 });
        let host = peer.ip().to_canonical();
        let id = *self.unanswered.get(&host).filter(|_| agrees)?;
        if self.by_peer.get(&peer).is_some_and(|other| *other != id) {
            return None;
        }
        self.unanswered.remove(&host);
        let session = self.sessions.get_mut(&id)?;
        self.by_peer.remove(&session.peer);
        self.by_peer.insert(peer, id);
        (session.peer, session.local) = (peer, local);
        if session.outcome().is_none() {
            let size = self.tickets.get(&session.owner.name).map(|open| open.ticket.size);
            self.outbox.report(session.owner.clone(), News::Begun { size });
        }
        Some(id)
    }
}
