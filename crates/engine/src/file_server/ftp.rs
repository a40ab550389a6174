//! FTP at the same tickets (RFC 959). The shell's FTP server asks here who may do what, reads and writes by the same
//! storage messages under the transfer's number, and tells the outcome.
//!
//! The user is the number of the ticket's run; the password is the ticket's own.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use upgrade::{Content, Digest, Direction, Protocol, RunId, Ticket, TicketName};

use super::FileServer;
use super::links::LinkId;
use super::message::{Cause, News, ToStorage, TransferId};
use super::outbox::Owner;
use super::pace::Share;
use super::refusal::Refusal;

/// Leave for one transfer by FTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpGrant {
    /// Its number in messages to and from storage.
    pub transfer: TransferId,
    /// What is read, or that something arrives.
    pub content: Content,
    /// Bytes: the size of what is read, the most that may be written.
    pub size: u64,
    /// Whether [`FileServer::ftp_ask`] is to be asked before bytes move: something limits how fast that is.
    pub is_paced: bool,
}

/// A transfer by FTP.
#[derive(Debug)]
pub(super) struct FtpTransfer {
    name: TicketName,
    link: LinkId,
    share: Share,
    /// Bytes for which leave was asked; 0 while none is.
    asked: usize,
    /// It waits for its turn.
    waits: bool,
    /// When its own rate lets it have one, while it waits for that.
    due: Option<Duration>,
}

/// Leave for fewer bytes than this would be asked for more often than it is worth.
const LEAST_LEAVE: usize = 1460;

/// How a transfer by FTP ended: bytes and digest of the file (of the stored one where it was read, from
/// `Stored` where it was written), or why not.
pub type FtpOutcome = Result<(u64, Digest), Cause>;

impl FileServer {
    /// Whether somebody may log in: there has to be an open ticket of this run (the user), with this password, for
    /// this address.
    ///
    /// # Errors
    /// [`Refusal::WrongPassword`] whichever of them is wrong.
    pub fn ftp_login(
        &mut self,
        user: &str,
        password: &str,
        address: IpAddr,
        now: Duration,
    ) -> Result<RunId, Refusal> {
        let opens = |ticket: &Ticket| {
            ticket.protocol == Protocol::Ftp
                && !ticket.password.is_empty()
                && is_same_secret(&ticket.password, password)
                && ticket.address.to_canonical() == address.to_canonical()
                && Duration::from(ticket.expires) > now
        };
        let run = user.parse().map(RunId).ok();
        let known = run.filter(|run| self.tickets.of_run(*run).any(|open| opens(&open.ticket)));
        known.ok_or_else(|| self.ftp_refused(address, None, Refusal::WrongPassword))
    }

    /// The size of a file that a run's device may read (SIZE).
    ///
    /// # Errors
    /// [`Refusal`] as for [`FileServer::ftp_begin`].
    pub fn ftp_size(&self, run: RunId, name: &str, address: IpAddr, now: Duration) -> Result<u64, Refusal> {
        let open = self.tickets.admit(name, address, Direction::Read, Protocol::Ftp, now)?;
        if open.ticket.run == run { Ok(open.ticket.size) } else { Err(Refusal::UnknownName) }
    }

    /// Whether [`FileServer::ftp_begin`] can be called: there is room for one more transfer, or none is needed, since one is replaced
    /// or refused. Who has to wait may begin once [`FileServer::ftp_may_begin`] says so and this is asked again.
    pub fn ftp_has_room(&self, name: &str, address: IpAddr, direction: Direction, now: Duration) -> bool {
        let admitted = self.tickets.admit(name, address, direction, Protocol::Ftp, now);
        let needs_room = admitted.is_ok_and(|open| open.transfer.is_none());
        !needs_room || (self.has_room() && self.links.has_room(self.links.of(address)))
    }

    /// Whether a transfer or a ticket has ended since this was asked last.
    pub const fn ftp_may_begin(&mut self) -> bool {
        std::mem::replace(&mut self.ftp_may_begin, false)
    }

    /// Begins a transfer of a run's device (RETR, STOR), for which there is room. It ends by [`FileServer::ftp_end`].
    ///
    /// A second one on the same ticket replaces the first: unlike by TFTP the connection says that the first is
    /// dead, or the device has abandoned it.
    ///
    /// # Errors
    /// [`Refusal`] where no ticket of the run has this name, or it is for another device, direction or protocol.
    pub fn ftp_begin(
        &mut self,
        run: RunId,
        name: &str,
        address: IpAddr,
        direction: Direction,
        now: Duration,
    ) -> Result<FtpGrant, Refusal> {
        let admitted = self.tickets.admit(name, address, direction, Protocol::Ftp, now);
        let admitted = admitted.and_then(|open| {
            let is_of_run = open.ticket.run == run;
            if is_of_run { Ok((open.ticket.clone(), open.transfer)) } else { Err(Refusal::UnknownName) }
        });
        let (Ticket { name, content, size, .. }, running) =
            admitted.map_err(|refusal| self.ftp_refused(address, Some(name), refusal))?;
        if let Some(dead) = running {
            self.outbox.stop(dead);
            self.ftp_end(dead, Err(Cause::Replaced));
        }
        let transfer = self.next_transfer();
        self.tickets.set_transfer(&name, Some(transfer));
        let announced = (direction == Direction::Read).then_some(size);
        self.outbox.report(Owner { name: name.clone(), run }, News::Begun { size: announced });
        let link = self.links.of(address);
        self.active += 1;
        self.links.begun(link);
        let rates = self.settings.rates;
        let is_paced = rates.all.or(rates.each).or(self.links.rate(link)).is_some();
        self.ftp.insert(
            transfer,
            FtpTransfer { name, link, share: Share::default(), asked: 0, waits: false, due: None },
        );
        Ok(FtpGrant { transfer, content, size, is_paced })
    }

    /// A transfer wants to move bytes of its file, either way, and waits for leave. It is given by
    /// [`FileServer::poll_ftp_leave`], once.
    pub fn ftp_ask(&mut self, transfer: TransferId, bytes: usize, now: Duration) {
        if let Some(asking) = self.ftp.get_mut(&transfer) {
            asking.asked = bytes;
        }
        self.wake(now);
        self.ftp_enqueue(transfer);
    }

    /// Leave that is given: which transfer, and how many of the bytes that it asked for. To be called after
    /// [`FileServer::poll_transmit`], which gives everybody his turn.
    pub fn poll_ftp_leave(&mut self) -> Option<(TransferId, usize)> {
        self.outbox.next_leave()
    }

    pub(super) fn ftp_enqueue(&mut self, id: TransferId) {
        if let Some(asking) = self.ftp.get_mut(&id)
            && asking.asked > 0
            && !std::mem::replace(&mut asking.waits, true)
        {
            self.links.push(asking.link, id);
        }
    }

    /// It is the turn of a transfer by FTP.
    pub(super) fn ftp_turn(&mut self, id: TransferId, now: Duration) {
        let Some(asking) = self.ftp.get_mut(&id) else { return };
        asking.waits = false;
        asking.due = asking.share.free_at(now);
        if let Some(due) = asking.due {
            self.deadlines.insert((due, id));
            return;
        }
        if asking.share.owes_a_turn() {
            return self.ftp_enqueue(id);
        }
        let rates = self.settings.rates;
        let most = rates.burst(self.links.rate(asking.link)).max(LEAST_LEAVE);
        let leave = std::mem::take(&mut asking.asked).min(most);
        asking.share.take_turn(leave, rates.each, now);
        self.pace.spend(leave, rates.all, now);
        self.links.spend(asking.link, leave, now);
        self.outbox.leave(id, leave);
    }

    /// Tells how far a transfer by FTP is. The shell does so about once a second.
    pub fn ftp_progress(&mut self, transfer: TransferId, bytes: u64) {
        if let Some(owner) = self.ftp_owner(transfer) {
            self.outbox.progress(transfer, owner, bytes);
        }
    }

    /// Tells how a transfer by FTP ended. One that was stopped before has ended already, and this is ignored.
    pub fn ftp_end(&mut self, transfer: TransferId, outcome: FtpOutcome) {
        let owner = self.ftp_owner(transfer);
        self.ftp_forget(transfer);
        let Some(owner) = owner else { return };
        let news = match outcome {
            Ok((size, sha256)) => {
                self.tickets.use_up(&owner.name);
                News::Done { size, sha256 }
            }
            Err(cause) => {
                self.tickets.set_transfer(&owner.name, None);
                self.outbox.ask_storage(ToStorage::Discard { transfer });
                News::Failed { cause }
            }
        };
        self.outbox.end(transfer, owner, news);
    }

    /// A transfer that the FTP server has to end at once: its ticket ended.
    pub fn poll_ftp_stop(&mut self) -> Option<TransferId> {
        self.outbox.next_stopped()
    }

    /// Whether it was known.
    pub(super) fn ftp_forget(&mut self, transfer: TransferId) -> bool {
        let known = self.ftp.remove(&transfer);
        let Some(FtpTransfer { link, due, .. }) = known else { return false };
        due.map(|due| self.deadlines.remove(&(due, transfer)));
        self.ended(link);
        true
    }

    /// Reports a refusal; the port it came from is not known here.
    fn ftp_refused(&mut self, address: IpAddr, name: Option<&str>, refusal: Refusal) -> Refusal {
        self.outbox.refused(SocketAddr::new(address, 0), name, refusal);
        refusal
    }

    fn ftp_owner(&self, transfer: TransferId) -> Option<Owner> {
        let open = self.tickets.get(&self.ftp.get(&transfer)?.name)?;
        Some(Owner { name: open.ticket.name.clone(), run: open.ticket.run })
    }
}

/// Compares in a time that does not tell how much of it is right.
fn is_same_secret(ours: &str, theirs: &str) -> bool {
    let differences = ours.bytes().zip(theirs.bytes()).fold(0, |sum, (one, other)| sum | (one ^ other));
    ours.len() == theirs.len() && differences == 0
}
