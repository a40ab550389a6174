//! The TFTP transfers of all devices over a few sockets. Each socket has a task, which knows a transfer by the device's
//! address and the server's.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use datagram::{Batch, BindError, Socket, SocketOptions};
use tftp::{Chunk, ErrorCode, Failure, Mode, Options, Packet, Receiver, Sender, Timing};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::settings::{SimulatorSettings, TransferSettings};
use super::transfers::{Job, Owner, Progress, Report};
use crate::device::{Stall, TransferError};

/// A file with more bytes is not taken; devices have smaller buffers.
const SIZE_LIMIT: u64 = 1 << 40;

/// The sockets that all transfers share.
#[derive(Debug)]
pub(crate) struct TftpPool {
    sockets: Vec<mpsc::UnboundedSender<Order>>,
}

#[derive(Debug)]
enum Order {
    Begin(Job),
    /// It ends, with a word to the server or without.
    Cancel {
        owner: Owner,
        silent: bool,
    },
}

impl TftpPool {
    /// Opens the sockets. Their tasks end with the pool.
    pub(crate) fn open(
        settings: &SimulatorSettings,
        clock: Clock,
        reports: &mpsc::Sender<Report>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, BindError> {
        let options = SocketOptions { freebind: settings.bind.is_ipv6(), ..SocketOptions::default() };
        let mut sockets = Vec::new();
        for _ in 0..settings.transfer.sockets.max(1) {
            let socket = Socket::bind(settings.any_address(0), &options)?;
            let (orders, inbox) = mpsc::unbounded_channel();
            let transfer = settings.transfer.clone();
            let carrier =
                Carrier { socket, clock, settings: transfer, reports: reports.clone(), sessions: Vec::new() };
            tasks.spawn(carrier.run(inbox));
            sockets.push(orders);
        }
        Ok(Self { sockets })
    }

    /// Begins a transfer.
    pub(crate) fn begin(&self, job: Job) {
        self.tell(job.owner, Order::Begin(job));
    }

    /// Ends a transfer, with a word to the server or without.
    pub(crate) fn cancel(&self, owner: Owner, silent: bool) {
        self.tell(owner, Order::Cancel { owner, silent });
    }

    /// Each transfer of a device has another socket than the one before: a server may still wait for something from there.
    fn tell(&self, owner: Owner, order: Order) {
        let count = u64::try_from(self.sockets.len().max(1)).unwrap_or(1);
        let place = u64::try_from(owner.device).unwrap_or_default().wrapping_add(owner.transfer.0) % count;
        if let Some(socket) = usize::try_from(place).ok().and_then(|place| self.sockets.get(place)) {
            let _ = socket.send(order);
        }
    }
}

/// One socket with its transfers.
struct Carrier {
    socket: Socket,
    clock: Clock,
    settings: TransferSettings,
    reports: mpsc::Sender<Report>,
    sessions: Vec<Session>,
}

/// One transfer.
struct Session {
    owner: Owner,
    local: IpAddr,
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

enum Side {
    Receives(Box<Receiver>),
    Sends(Box<Sender>, Arc<[u8]>),
}

impl Carrier {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Order>) {
        let mut batch = Batch::new();
        let mut buffer = Vec::new();
        loop {
            let deadline = self.sessions.iter().filter_map(Session::deadline).min();
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                received = self.socket.receive(&mut batch) => match received {
                    Ok(()) => self.take(&batch, &mut buffer).await,
                    Err(error) => {
                        tracing::error!(%error, "a TFTP socket is lost");
                        return;
                    }
                },
                () = self.clock.until(deadline) => {}
            }
            if self.pump(&mut buffer).await.is_err() {
                return;
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::Begin(job) => {
                let begun = Session::begin(job, &self.settings, now);
                // A server with one port for all transfers could not be told apart from it: who asks for the next file has
                // done with the last one.
                self.sessions.retain(|session| {
                    !session.is_reported || (session.local, session.server) != (begun.local, begun.server)
                });
                self.sessions.push(begun);
            }
            Order::Cancel { owner, silent: true } => {
                self.sessions.retain(|session| session.owner != owner);
            }
            Order::Cancel { owner, silent: false } => {
                let session = self.sessions.iter_mut().find(|session| session.owner == owner);
                if let Some(session) = session {
                    session.is_reported = true;
                    session.stalled = None;
                    session.fail(Failure::Cancelled("the device ended the transfer".to_owned()));
                }
            }
        }
    }

    async fn take(&mut self, batch: &Batch, buffer: &mut Vec<u8>) {
        let now = self.clock.now();
        for datagram in batch.iter() {
            let (Some(local), Ok(packet)) = (datagram.local, Packet::decode(datagram.bytes)) else {
                continue;
            };
            let is_known = |session: &Session| session.local == local && session.peer == Some(datagram.peer);
            let answers = |session: &Session| {
                session.local == local && session.peer.is_none() && session.server.ip() == datagram.peer.ip()
            };
            let place =
                self.sessions.iter().position(is_known).or_else(|| self.sessions.iter().position(answers));
            let known = place.and_then(|place| self.sessions.get_mut(place));
            match known {
                Some(session) => session.handle(datagram.peer, &packet, now),
                None if matches!(packet, Packet::Error { .. }) => {}
                None => {
                    buffer.clear();
                    Packet::Error { code: ErrorCode::UnknownTransferId, message: b"no such transfer here" }
                        .encode(buffer);
                    let answer = datagram::Transmit {
                        peer: datagram.peer,
                        local: Some(local),
                        bytes: buffer,
                        segment_size: None,
                    };
                    let _ = self.socket.try_send(&answer);
                }
            }
        }
    }

    /// Reports and sends what there is, and forgets what is over. An error: nobody takes reports any more.
    async fn pump(&mut self, buffer: &mut Vec<u8>) -> Result<(), mpsc::error::SendError<Report>> {
        let now = self.clock.now();
        for session in &mut self.sessions {
            if session.stalls(now) {
                continue;
            }
            loop {
                // Only asking what to send shows that the time is up, and only then is there something to report.
                let transmit = session.poll_transmit(now, buffer);
                for progress in session.progress(now) {
                    self.reports.send(Report { owner: session.owner, progress }).await?;
                }
                let Some(transmit) = transmit.or_else(|| session.poll_transmit(now, buffer)) else { break };
                let datagrams = datagram::Transmit {
                    peer: session.peer.unwrap_or(session.server),
                    local: Some(session.local),
                    bytes: buffer.get(..transmit.length).unwrap_or_default(),
                    segment_size: Some(transmit.segment_size).filter(|size| *size < transmit.length),
                };
                if let Err(error) = self.socket.send(&datagrams).await {
                    tracing::debug!(%error, server = %session.server, "cannot send to the server");
                }
            }
        }
        // One that stands still at its very end has yet to tell that it is over.
        self.sessions.retain(|session| session.stalled.is_some() || !session.is_over());
        Ok(())
    }
}

impl Session {
    fn begin(job: Job, settings: &TransferSettings, now: Duration) -> Self {
        let timing = Timing { give_up: settings.give_up, ..Timing::default() };
        let size = job.content.as_ref().map_or(0, |content| u64::try_from(content.len()).unwrap_or(u64::MAX));
        let options = Options {
            block_size: Some(settings.block_size).filter(|size| *size != 512),
            window_size: Some(settings.window_size).filter(|size| *size > 1),
            transfer_size: Some(size),
            ..Options::default()
        };
        let side = match job.content {
            None => Side::Receives(Box::new(Receiver::request(
                &job.name,
                Mode::Octet,
                &options,
                SIZE_LIMIT,
                &timing,
                now,
            ))),
            Some(content) => Side::Sends(
                Box::new(Sender::request(&job.name, Mode::Octet, &options, &timing, now)),
                content,
            ),
        };
        Self {
            owner: job.owner,
            local: job.local,
            server: job.server,
            peer: None,
            side,
            stall: job.stall,
            stalled: None,
            sent: 0,
            is_reported: false,
        }
    }

    fn handle(&mut self, peer: SocketAddr, packet: &Packet<'_>, now: Duration) {
        if self.stalls(now) {
            return;
        }
        self.peer = Some(peer);
        let moved = match &mut self.side {
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
    fn stalls(&mut self, now: Duration) -> bool {
        if self.stalled.flatten().is_some_and(|until| until <= now) {
            self.stalled = None;
        }
        self.stalled.is_some()
    }

    /// What there is to report, once.
    fn progress(&mut self, now: Duration) -> Vec<Progress> {
        let mut progress = Vec::new();
        let outcome = match &mut self.side {
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

    fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<tftp::Transmit> {
        match &mut self.side {
            Side::Receives(receiver) => receiver.poll_transmit(now, buffer),
            Side::Sends(sender, _) => sender.poll_transmit(now, buffer),
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match (&self.stalled, &self.side) {
            (Some(until), _) => *until,
            (None, Side::Receives(receiver)) => receiver.next_deadline(),
            (None, Side::Sends(sender, _)) => sender.next_deadline(),
        }
    }

    fn fail(&mut self, failure: Failure) {
        match &mut self.side {
            Side::Receives(receiver) => receiver.fail(failure),
            Side::Sends(sender, _) => sender.fail(failure),
        }
    }

    fn is_over(&self) -> bool {
        match &self.side {
            Side::Receives(receiver) => receiver.is_over(),
            Side::Sends(sender, _) => sender.is_over(),
        }
    }
}
