//! The TFTP transfers of all devices over a few sockets. Each socket has a task, which knows a transfer by the device's
//! address and the server's.

use std::net::IpAddr;

use datagram::{Batch, BindError, Socket, SocketOptions};
use tftp::{ErrorCode, Packet};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::settings::SimulatorSettings;
use super::transfers::{Job, Owner, Report};
use crate::transfer::{TftpTransfer, TransferSettings};

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

/// One transfer of a device.
struct Session {
    owner: Owner,
    local: IpAddr,
    transfer: TftpTransfer,
}

impl Carrier {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Order>) {
        let mut batch = Batch::new();
        let mut buffer = Vec::new();
        loop {
            let deadline = self.sessions.iter().filter_map(|session| session.transfer.deadline()).min();
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
                let Job { owner, local, server, name, content, waits, stall } = job;
                let transfer = if waits {
                    TftpTransfer::wait(server, name, self.socket.address().port(), stall, &self.settings, now)
                } else {
                    TftpTransfer::begin(server, &name, content, stall, &self.settings, now)
                };
                // A server with one port for all transfers could not be told apart from it: who asks for the next file has
                // done with the last one.
                self.sessions.retain(|session| {
                    !session.transfer.is_reported()
                        || (session.local, session.transfer.server()) != (local, server)
                });
                self.sessions.push(Session { owner, local, transfer });
            }
            Order::Cancel { owner, silent: true } => {
                self.sessions.retain(|session| session.owner != owner);
            }
            Order::Cancel { owner, silent: false } => {
                if let Some(session) = self.sessions.iter_mut().find(|session| session.owner == owner) {
                    session.transfer.cancel();
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
            let is_known =
                |session: &Session| session.local == local && session.transfer.has_chosen(datagram.peer);
            let answers =
                |session: &Session| session.local == local && session.transfer.is_with(datagram.peer);
            let place =
                self.sessions.iter().position(is_known).or_else(|| self.sessions.iter().position(answers));
            let known = place.and_then(|place| self.sessions.get_mut(place));
            match known {
                Some(session) => session.transfer.handle(datagram.peer, &packet, now),
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
            let Session { owner, local, transfer } = session;
            if transfer.stalls(now) {
                continue;
            }
            loop {
                // Only asking what to send shows that the time is up, and only then is there something to report.
                let transmit = transfer.poll_transmit(now, buffer);
                for progress in transfer.progress(now) {
                    self.reports.send(Report { owner: *owner, progress }).await?;
                }
                let Some(transmit) = transmit.or_else(|| transfer.poll_transmit(now, buffer)) else { break };
                let datagrams = datagram::Transmit {
                    peer: transfer.peer(),
                    local: Some(*local),
                    bytes: buffer.get(..transmit.length).unwrap_or_default(),
                    segment_size: Some(transmit.segment_size).filter(|size| *size < transmit.length),
                };
                if let Err(error) = self.socket.send(&datagrams).await {
                    tracing::debug!(%error, server = %transfer.server(), "cannot send to the server");
                }
            }
        }
        self.sessions.retain(|session| !session.transfer.is_done());
        Ok(())
    }
}
