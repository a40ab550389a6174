//! One TFTP transfer of a device, with the server's address and what may go wrong on its way (RFC 1350).
//!
//! Pure: packets, the time and the content come in; packets and progress go out.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use tftp::{
    Chunk, Direction, ErrorCode, Failure, Limits, Mode, Options, Packet, Receiver, Sender, Timing, Transmit,
};

use crate::device::{Stall, TransferError};

/// A file with more bytes is not taken; devices have smaller buffers.
const SIZE_LIMIT: u64 = 1 << 40;

/// How files are moved.
#[derive(Debug, Clone)]
pub struct TransferSettings {
    /// The block size that TFTP asks for (RFC 2348).
    pub block_size: u16,
    /// The window size that TFTP asks for (RFC 7440); 1 asks for none.
    pub window_size: u16,
    /// Without anything new from the server for so long, a transfer has failed.
    pub give_up: Duration,
    /// How many sockets all TFTP transfers share.
    pub sockets: usize,
}

impl TransferSettings {
    fn timing(&self) -> Timing {
        Timing { give_up: self.give_up, ..Timing::default() }
    }
}

impl Default for TransferSettings {
    fn default() -> Self {
        Self { block_size: 1428, window_size: 16, give_up: Duration::from_secs(30), sockets: 8 }
    }
}

/// What became of a transfer so far.
#[derive(Debug)]
pub enum Progress {
    /// It is waited for at this UDP port.
    Waits(u16),
    /// The next bytes of a file that is loaded.
    Received(Vec<u8>),
    /// How many bytes of a file have been sent so far.
    Sent(u64),
    /// The file is there, whole.
    Finished,
    /// It will not be.
    Failed(TransferError),
}

/// One TFTP transfer of a device.
#[derive(Debug)]
pub struct TftpTransfer {
    server: SocketAddr,
    /// The address that the server chose for this transfer (RFC 1350 section 4).
    peer: Option<SocketAddr>,
    side: Side,
    /// Where it is to stand still.
    stall: Option<Stall>,
    /// It stands still until then; `Some(None)`: for good.
    stalled: Option<Option<Duration>>,
    sent: u64,
    is_reported: bool,
}

#[derive(Debug)]
enum Side {
    /// The server is to write a file of this name to this port, before it is too late for that.
    Waits {
        name: String,
        port: u16,
        until: Duration,
        is_told: bool,
        settings: TransferSettings,
    },
    Receives(Box<Receiver>),
    Sends(Box<Sender>, Arc<[u8]>),
}

impl TftpTransfer {
    /// Asks `server` for the file of this name, or offers it `content` under it. It stands still where `stall` says.
    pub fn begin(
        server: SocketAddr,
        name: &str,
        content: Option<Arc<[u8]>>,
        stall: Option<Stall>,
        settings: &TransferSettings,
        now: Duration,
    ) -> Self {
        let timing = settings.timing();
        let size = content.as_ref().map_or(0, |content| u64::try_from(content.len()).unwrap_or(u64::MAX));
        let options = Options {
            block_size: Some(settings.block_size).filter(|size| *size != 512),
            window_size: Some(settings.window_size).filter(|size| *size > 1),
            transfer_size: Some(size),
            ..Options::default()
        };
        let side = match content {
            None => Side::Receives(Box::new(Receiver::request(
                name,
                Mode::Octet,
                &options,
                SIZE_LIMIT,
                &timing,
                now,
            ))),
            Some(content) => {
                Side::Sends(Box::new(Sender::request(name, Mode::Octet, &options, &timing, now)), content)
            }
        };
        Self::new(server, side, stall)
    }

    /// Waits at this UDP port until `server` writes the file of this name.
    pub fn wait(
        server: SocketAddr,
        name: String,
        port: u16,
        stall: Option<Stall>,
        settings: &TransferSettings,
        now: Duration,
    ) -> Self {
        let until = now + settings.give_up;
        let side = Side::Waits { name, port, until, is_told: false, settings: settings.clone() };
        Self::new(server, side, stall)
    }

    fn new(server: SocketAddr, side: Side, stall: Option<Stall>) -> Self {
        Self { server, peer: None, side, stall, stalled: None, sent: 0, is_reported: false }
    }

    /// What is waited for begins.
    fn take(&mut self, peer: SocketAddr, packet: &Packet<'_>, now: Duration) {
        let Side::Waits { name, settings, .. } = &self.side else { return };
        let Packet::Request(request) = packet else { return };
        if request.direction != Direction::Write || request.filename != name {
            return;
        }
        let TransferSettings { block_size, window_size, .. } = *settings;
        let limits = Limits { block_size, window_size, ..Limits::default() };
        let receiver = Receiver::answer(request, SIZE_LIMIT, &limits, &settings.timing(), now);
        self.side = Side::Receives(Box::new(receiver));
        self.peer = Some(peer);
    }

    /// Takes a packet.
    pub fn handle(&mut self, peer: SocketAddr, packet: &Packet<'_>, now: Duration) {
        if self.stalls(now) {
            return;
        }
        if let Side::Waits { .. } = &self.side {
            return self.take(peer, packet, now);
        }
        self.peer = Some(peer);
        let moved = match &mut self.side {
            Side::Waits { .. } => 0,
            Side::Receives(receiver) => {
                receiver.handle(packet, now);
                receiver.received_bytes()
            }
            Side::Sends(sender, _) => {
                sender.handle(packet, now);
                sender.acknowledged_bytes()
            }
        };
        if let Some(stall) = self.stall.take_if(|stall| moved >= stall.at) {
            self.stalled = Some(stall.time.map(|time| now + time));
        }
    }

    /// Whether it stands still; afterwards it goes on.
    pub fn stalls(&mut self, now: Duration) -> bool {
        if self.stalled.flatten().is_some_and(|until| until <= now) {
            self.stalled = None;
        }
        self.stalled.is_some()
    }

    /// What there is to report, once.
    pub fn progress(&mut self, now: Duration) -> Vec<Progress> {
        let mut progress = Vec::new();
        let outcome = match &mut self.side {
            Side::Waits { port, until, is_told, .. } => {
                if !std::mem::replace(is_told, true) {
                    progress.push(Progress::Waits(*port));
                }
                (now >= *until).then_some(Err(Failure::Silent))
            }
            Side::Receives(receiver) => {
                while let Some(write) = receiver.poll_write() {
                    let end = write.offset + u64::try_from(write.bytes.len()).unwrap_or(u64::MAX);
                    if !self.is_reported && !write.bytes.is_empty() {
                        progress.push(Progress::Received(write.bytes));
                    }
                    receiver.written(end, now);
                    if write.last {
                        receiver.stored(now);
                    }
                }
                receiver.outcome().cloned()
            }
            Side::Sends(sender, content) => {
                while sender.poll_need().is_some() {
                    sender.supply(Chunk { offset: 0, bytes: Arc::clone(content), last: true }, now);
                }
                let sent = sender.acknowledged_bytes();
                if sent > self.sent && !self.is_reported {
                    self.sent = sent;
                    progress.push(Progress::Sent(sent));
                }
                sender.outcome().cloned()
            }
        };
        if let Some(outcome) = outcome
            && !std::mem::replace(&mut self.is_reported, true)
        {
            progress.push(match outcome {
                Ok(_) => Progress::Finished,
                Err(failure) => Progress::Failed(self.error(&failure)),
            });
        }
        progress
    }

    fn error(&self, failure: &Failure) -> TransferError {
        match failure {
            Failure::Peer { code: ErrorCode::FileNotFound, .. } => TransferError::NotFound,
            Failure::Peer { code: ErrorCode::AccessViolation | ErrorCode::NoSuchUser, .. } => {
                TransferError::Refused
            }
            Failure::Peer { code: ErrorCode::DiskFull, .. } => TransferError::DiskFull,
            Failure::Silent if self.peer.is_none() => TransferError::Unreachable,
            _ => TransferError::Broken,
        }
    }

    /// What is to be sent next, to [`Self::peer`].
    pub fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<Transmit> {
        match &mut self.side {
            Side::Waits { .. } => None,
            Side::Receives(receiver) => receiver.poll_transmit(now, buffer),
            Side::Sends(sender, _) => sender.poll_transmit(now, buffer),
        }
    }

    /// When [`Self::poll_transmit`] is due although nothing came.
    pub fn deadline(&self) -> Option<Duration> {
        match (&self.stalled, &self.side) {
            (Some(until), _) => *until,
            (None, Side::Waits { until, .. }) => (!self.is_reported).then_some(*until),
            (None, Side::Receives(receiver)) => receiver.next_deadline(),
            (None, Side::Sends(sender, _)) => sender.next_deadline(),
        }
    }

    /// The device ends it, with a word to the server.
    pub fn cancel(&mut self) {
        self.is_reported = true;
        self.stalled = None;
        let failure = Failure::Cancelled("the device ended the transfer".to_owned());
        match &mut self.side {
            Side::Waits { .. } => {}
            Side::Receives(receiver) => receiver.fail(failure),
            Side::Sends(sender, _) => sender.fail(failure),
        }
    }

    /// Where packets go: to the port that the server chose, and before that to where it was asked.
    pub fn peer(&self) -> SocketAddr {
        self.peer.unwrap_or(self.server)
    }

    /// Whether a packet from there is its own: the server has chosen that port, or may be choosing it.
    pub fn is_with(&self, peer: SocketAddr) -> bool {
        self.peer.map_or(self.server.ip() == peer.ip(), |chosen| chosen == peer)
    }

    /// Whether the server has chosen a port, and this is it.
    pub fn has_chosen(&self, peer: SocketAddr) -> bool {
        self.peer == Some(peer)
    }

    /// Whether it is over for the device, which may ask the same server for another file.
    pub fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// The server it was begun with.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Whether it may be forgotten. One that stands still at its very end has yet to tell that it is over.
    pub fn is_done(&self) -> bool {
        self.stalled.is_none() && self.is_over()
    }

    fn is_over(&self) -> bool {
        match &self.side {
            Side::Waits { .. } => self.is_reported,
            Side::Receives(receiver) => receiver.is_over(),
            Side::Sends(sender, _) => sender.is_over(),
        }
    }
}
