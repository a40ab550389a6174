//! What follows from a change of a transfer: its needs go to storage, its end to the director, and the moment it
//! has to be looked at again is kept.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use tftp::{Chunk, Failure, Receiver};
use upgrade::Digest;

use super::FileServer;
use super::chunks::{self, Found};
use super::links::LinkId;
use super::message::{CHUNK_BYTES, Cause, News, ToStorage, TransferId};
use super::outbox::Owner;
use super::session::End;
use super::tickets::Open;

impl FileServer {
    /// Lets everything happen whose time has come.
    pub(super) fn wake(&mut self, now: Duration) {
        while let Some(open) = self.tickets.expire(now) {
            self.end_ticket(open, Cause::Expired, now);
        }
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.pop_first();
            if let Some(session) = self.sessions.get_mut(&id) {
                session.deadline = None;
            }
            self.enqueue(id);
        }
    }

    /// A transfer has changed: it may have something to send, to ask or to tell.
    pub(super) fn touch(&mut self, id: TransferId, now: Duration) {
        self.enqueue(id);
        self.settle(id, now);
    }

    /// Ends a transfer from this side; the device is told.
    pub(super) fn fail(&mut self, id: TransferId, failure: Failure, now: Duration) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.fail(failure);
            self.touch(id, now);
        }
    }

    /// A ticket has ended, and with it the transfer that runs on it.
    pub(super) fn end_ticket(&mut self, open: Open, cause: Cause, now: Duration) {
        let Open { ticket, transfer } = open;
        self.waiting.forget(&ticket.name);
        // Who waits with it is refused, and need not wait any longer.
        self.ftp_may_begin = true;
        let owner = Owner { name: ticket.name, run: ticket.run };
        match transfer {
            Some(id) if self.ftp_forget(id) => {
                self.outbox.stop(id);
                self.outbox.ask_storage(ToStorage::Discard { transfer: id });
                self.outbox.end(id, owner, News::Failed { cause });
            }
            Some(id) => {
                let words = cause.to_string();
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.cause = Some(cause);
                }
                self.fail(id, Failure::Cancelled(words), now);
            }
            None if cause == Cause::Expired => self.outbox.report(owner, News::Failed { cause }),
            // The director withdrew what nobody used: it knows.
            None => {}
        }
    }

    /// Makes room for a new beginning. The dead transfer says nothing to the device, which might take it for an
    /// end of the new one.
    pub(super) fn replace(&mut self, id: TransferId) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        session.cause = Some(Cause::Replaced);
        session.fail(Failure::Cancelled(String::new()));
        self.forget(id, session.peer, session.deadline);
        if session.ended_at.is_none()
            && let Some(news) = session.conclusion()
        {
            self.ended(session.link);
            self.conclude(id, session.owner, news, matches!(session.end, End::Receives { .. }));
        }
    }

    pub(super) fn with_receiver(
        &mut self,
        id: TransferId,
        now: Duration,
        change: impl FnOnce(&mut Receiver, &mut Option<Digest>),
    ) {
        if let Some(session) = self.sessions.get_mut(&id)
            && let End::Receives { receiver, stored } = &mut session.end
        {
            change(receiver, stored);
            self.touch(id, now);
        }
    }

    pub(super) fn chunk_arrived(
        &mut self,
        file: Digest,
        offset: u64,
        bytes: &Arc<[u8]>,
        last: bool,
        now: Duration,
    ) {
        // A piece that is cut short without ending the file would be asked for again and again.
        if bytes.len() < CHUNK_BYTES && !last {
            for id in self.chunks.unreadable((file, offset)) {
                self.fail(id, Failure::Storage("it read too little".to_owned()), now);
            }
            return;
        }
        for id in self.chunks.arrived((file, offset), bytes, last) {
            if let Some(session) = self.sessions.get_mut(&id)
                && let End::Sends { sender, .. } = &mut session.end
            {
                sender.supply(Chunk { offset, bytes: Arc::clone(bytes), last }, now);
                self.touch(id, now);
            }
        }
    }

    /// Takes what a transfer wants from the world and passes it on.
    pub(super) fn settle(&mut self, id: TransferId, now: Duration) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match &mut session.end {
            End::Sends { sender, file } => {
                while let Some(need) = sender.poll_need() {
                    let place = chunks::place(*file, need.offset);
                    match self.chunks.find(place, id, now) {
                        Found::AtHand(bytes, last) => {
                            sender.supply(Chunk { offset: place.1, bytes, last }, now);
                        }
                        Found::ToRead => {
                            let need = ToStorage::Need { file: *file, offset: place.1, length: CHUNK_BYTES };
                            self.outbox.ask_storage(need);
                        }
                        Found::OnItsWay => {}
                    }
                }
            }
            End::Receives { receiver, .. } => {
                while let Some(write) = receiver.poll_write() {
                    let size = write.offset + write.bytes.len() as u64;
                    if !write.bytes.is_empty() {
                        let tftp::Write { offset, bytes, .. } = write;
                        self.outbox.ask_storage(ToStorage::Write { transfer: id, offset, bytes });
                    }
                    if write.last {
                        self.outbox.ask_storage(ToStorage::Finish { transfer: id, size });
                    }
                }
            }
        }
        if let Some(bytes) = session.progress(now).filter(|_| session.outcome().is_none()) {
            self.outbox.progress(id, session.owner.clone(), bytes);
        }
        if session.ended_at.is_none()
            && let Some(news) = session.conclusion()
        {
            session.ended_at = Some(now);
            let (owner, receives) = (session.owner.clone(), matches!(session.end, End::Receives { .. }));
            let link = session.link;
            self.ended(link);
            self.conclude(id, owner, news, receives);
        }
        self.keep_or_forget(id, now);
    }

    /// There is room for another transfer.
    pub(super) fn ended(&mut self, link: LinkId) {
        self.active -= 1;
        self.links.ended(link);
        (self.may_begin, self.ftp_may_begin) = (true, true);
    }

    /// Tells of the end of a transfer. Its ticket is used up, or free again.
    fn conclude(&mut self, id: TransferId, owner: Owner, news: News, receives: bool) {
        if let News::Done { .. } = news {
            self.tickets.use_up(&owner.name);
        } else {
            if receives {
                self.outbox.ask_storage(ToStorage::Discard { transfer: id });
            }
            self.chunks.ended(id);
            if self.tickets.get(&owner.name).is_some_and(|open| open.transfer == Some(id)) {
                self.tickets.set_transfer(&owner.name, None);
            }
        }
        self.outbox.end(id, owner, news);
    }

    fn keep_or_forget(&mut self, id: TransferId, now: Duration) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.is_over(now) {
            let (peer, deadline) = (session.peer, session.deadline);
            self.sessions.remove(&id);
            self.forget(id, peer, deadline);
            return;
        }
        // Nearly each packet moves the moment on: it is registered anew once the registered one has come, unless it is sooner.
        let Some(deadline) = session.next_deadline(now) else { return };
        if session.deadline.is_none_or(|registered| deadline < registered) {
            let before = session.deadline.replace(deadline);
            before.map(|before| self.deadlines.remove(&(before, id)));
            self.deadlines.insert((deadline, id));
        }
    }

    fn forget(&mut self, id: TransferId, peer: SocketAddr, deadline: Option<Duration>) {
        self.by_peer.remove(&peer);
        let host = peer.ip().to_canonical();
        if self.unanswered.get(&host) == Some(&id) {
            self.unanswered.remove(&host);
        }
        deadline.map(|deadline| self.deadlines.remove(&(deadline, id)));
    }

    fn enqueue(&mut self, id: TransferId) {
        match self.sessions.get_mut(&id) {
            Some(session) if !session.queued => {
                session.queued = true;
                self.links.push(session.link, id);
            }
            Some(_) => {}
            None => self.ftp_enqueue(id),
        }
    }
}
