//! Files that move by FTP: the connection is played, tickets and storage are the file server's own.

use std::sync::Arc;

use engine::file_server::{Cause, FromStorage, FtpGrant, Refusal, ToStorage};
use iad_sim::device::{Server, ServerProtocol, TransferError, TransferEvent, TransferId};
use upgrade::{Content, Direction};

use crate::invariants::nobody_gets_in_by_another_password;
use crate::unit::address;
use crate::world::{Item, World};

/// Bytes that move at once.
const PIECE: usize = 16 * 1024;

/// How far a connection is.
#[derive(Debug)]
pub(crate) enum FtpStep {
    /// The device connects and logs in.
    Opens { server: Server, name: String, content: Option<Arc<[u8]>> },
    /// The next piece moves.
    Moves { grant: FtpGrant, content: Arc<[u8]>, from: usize, writes: bool },
}

impl World {
    /// The device turns to its FTP server, where that is what it moves files by.
    pub(crate) fn open_ftp(
        &mut self,
        place: usize,
        transfer: TransferId,
        server: &Server,
        name: String,
        content: Option<Arc<[u8]>>,
    ) {
        if server.protocol == ServerProtocol::Ftp {
            let step = FtpStep::Opens { server: server.clone(), name, content };
            let takes = self.random.span(10, 300);
            self.put(takes, Item::Ftp { life: self.life, place, transfer, step });
        }
    }

    pub(crate) fn ftp(&mut self, life: u32, place: usize, transfer: TransferId, step: FtpStep) {
        let now = self.now;
        let Some(unit) = self.units.get(place) else { return };
        let wanted = unit.transfers.contains_key(&transfer);
        let reachable = unit.is_reachable(now) && self.manager.is_some() && life == self.life;
        if !wanted || !reachable {
            if let (FtpStep::Moves { grant, .. }, Some(manager), true) =
                (&step, &mut self.manager, life == self.life)
            {
                manager
                    .files
                    .ftp_end(grant.transfer, Err(Cause::Device("its control connection is gone".into())));
                self.pump_files();
            }
            if wanted {
                self.fail_ftp(place, transfer, &step);
            }
            return;
        }
        match step {
            FtpStep::Opens { server, name, content } => {
                self.begin_ftp(place, transfer, &server, &name, content);
            }
            FtpStep::Moves { grant, content, from, writes } => {
                self.move_piece(place, transfer, grant, content, from, writes);
            }
        }
    }

    fn fail_ftp(&mut self, place: usize, transfer: TransferId, step: &FtpStep) {
        let error = match step {
            FtpStep::Opens { .. } => TransferError::Unreachable,
            FtpStep::Moves { .. } => TransferError::Broken,
        };
        self.tell_transfer(place, transfer, TransferEvent::Failed(error));
        self.settle(place);
    }

    fn begin_ftp(
        &mut self,
        place: usize,
        transfer: TransferId,
        server: &Server,
        name: &str,
        content: Option<Arc<[u8]>>,
    ) {
        let now = self.now;
        let writes = content.is_some();
        let direction = if writes { Direction::Write } else { Direction::Read };
        if self.units.get(place).is_some_and(|unit| unit.overheard) {
            self.guess_password(place, server);
        }
        let Some(manager) = &mut self.manager else { return };
        let granted = manager
            .files
            .ftp_login(&server.user, &server.password, address(place), now)
            .and_then(|run| manager.files.ftp_begin(run, name, address(place), direction, now));
        self.pump_files();
        let grant = match granted {
            Ok(grant) => grant,
            Err(refusal) => {
                let error = match refusal {
                    Refusal::UnknownName => TransferError::NotFound,
                    _ => TransferError::Refused,
                };
                self.tell_transfer(place, transfer, TransferEvent::Failed(error));
                return self.settle(place);
            }
        };
        let content = match (&grant.content, content) {
            (_, Some(content)) => content,
            (Content::Stored { digest }, None) => self.store.files.get(digest).cloned().unwrap_or_default(),
            (Content::Arriving, None) => Arc::default(),
        };
        self.next_piece(place, transfer, FtpStep::Moves { grant, content, from: 0, writes });
    }

    /// Somebody behind the same translated address knows the user, and not the password.
    fn guess_password(&mut self, place: usize, server: &Server) {
        let now = self.now;
        let Some(manager) = &mut self.manager else { return };
        let guessed = format!("{}0", server.password);
        let admitted = manager.files.ftp_login(&server.user, &guessed, address(place), now);
        self.judge(nobody_gets_in_by_another_password(&admitted));
    }

    fn next_piece(&mut self, place: usize, transfer: TransferId, step: FtpStep) {
        let takes = self.random.span(5, 200);
        self.put(takes, Item::Ftp { life: self.life, place, transfer, step });
    }

    fn move_piece(
        &mut self,
        place: usize,
        transfer: TransferId,
        grant: FtpGrant,
        content: Arc<[u8]>,
        from: usize,
        writes: bool,
    ) {
        if self.checks.ftp_stopped.remove(&grant.transfer) {
            self.tell_transfer(place, transfer, TransferEvent::Failed(TransferError::Broken));
            return self.settle(place);
        }
        let to = (from + PIECE).min(content.len());
        let piece = content.get(from..to).unwrap_or_default();
        if piece.is_empty() {
            return self.end_ftp(place, transfer, &grant, &content, writes);
        }
        let moved = u64::try_from(to).unwrap_or(u64::MAX);
        if writes {
            let offset = u64::try_from(from).unwrap_or(u64::MAX);
            let write = ToStorage::Write { transfer: grant.transfer, offset, bytes: piece.to_vec() };
            let Some(manager) = &mut self.manager else { return };
            if let Some(FromStorage::Failed { .. }) = manager.store(write, &mut self.store) {
                return self.no_room(place, transfer, &grant);
            }
            manager.files.ftp_progress(grant.transfer, moved);
            self.tell_transfer(place, transfer, TransferEvent::Sent(moved));
        } else {
            let piece = piece.to_vec();
            self.tell_transfer(place, transfer, TransferEvent::Received(&piece));
            if let Some(manager) = &mut self.manager {
                manager.files.ftp_progress(grant.transfer, moved);
            }
        }
        self.pump_files();
        self.settle(place);
        self.next_piece(place, transfer, FtpStep::Moves { grant, content, from: to, writes });
    }

    fn no_room(&mut self, place: usize, transfer: TransferId, grant: &FtpGrant) {
        if let Some(manager) = &mut self.manager {
            manager.files.ftp_end(grant.transfer, Err(Cause::NoRoom));
        }
        self.pump_files();
        self.tell_transfer(place, transfer, TransferEvent::Failed(TransferError::DiskFull));
        self.settle(place);
    }

    fn end_ftp(
        &mut self,
        place: usize,
        transfer: TransferId,
        grant: &FtpGrant,
        content: &[u8],
        writes: bool,
    ) {
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let Some(manager) = &mut self.manager else { return };
        let done = if writes {
            match manager.store(ToStorage::Finish { transfer: grant.transfer, size }, &mut self.store) {
                Some(FromStorage::Stored { size, sha256, .. }) => Ok((size, sha256)),
                _ => return self.no_room(place, transfer, grant),
            }
        } else {
            Ok((size, crate::images::digest_of(content)))
        };
        manager.files.ftp_end(grant.transfer, done);
        self.pump_files();
        // The last reply may be late, or lost with its connection.
        let lost = self.random.permille(20) && !self.is_quiet();
        let told = if lost { TransferEvent::Failed(TransferError::Broken) } else { TransferEvent::Finished };
        self.tell_transfer(place, transfer, told);
        self.settle(place);
    }
}
