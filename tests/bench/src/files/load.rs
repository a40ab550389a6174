//! Many clients of a TFTP server at once, on one socket: each has an address of its own within 127.0.0.0/8. They verify
//! each byte they read, and lose datagrams both ways where they are told to.

use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use datagram::{Batch, Socket, SocketOptions};
use tftp::{Chunk, Mode, Options, Outcome, Packet, Receiver, Sender, Timing, Transmit};

use crate::moved::Moved;
use crate::random::Random;

/// The first client's address.
const FIRST: u32 = 0x7f5a_0001;

/// The kernel keeps all that comes for a thousand clients; each of them alone would have a buffer of its own.
const RECEIVE_BUFFER: usize = 512 << 20;

/// Datagrams sent before what has come is looked at.
const MOST_AT_ONCE: usize = 64;

/// What the clients do.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) clients: u32,
    /// They write the file; otherwise they read it.
    pub(crate) writes: bool,
    pub(crate) file: Arc<[u8]>,
    pub(crate) options: Options,
    /// Datagrams lost each way, of a thousand.
    pub(crate) lost: u64,
    pub(crate) seed: u64,
    /// No transfer is waited for longer.
    pub(crate) limit: Duration,
}

/// The address of a client.
pub(crate) const fn address(client: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST + client)
}

struct Client {
    end: End,
    /// Where its packets go: the well-known port first, then where the first answer came from.
    server: SocketAddr,
    answered: bool,
    queued: bool,
    scheduled: Option<Duration>,
    wrong: bool,
    over: bool,
}

enum End {
    Reads(Receiver),
    Writes(Sender),
}

/// Lets all clients begin at once, and returns when the last has ended.
///
/// `names` tells the name by which each client asks.
pub(crate) async fn run(load: &Load, server: SocketAddr, names: impl Fn(u32) -> String) -> io::Result<Moved> {
    let options = SocketOptions { receive_buffer: RECEIVE_BUFFER, ..SocketOptions::default() };
    let socket = Socket::bind((Ipv4Addr::UNSPECIFIED, 0).into(), &options).map_err(io::Error::other)?;
    let started = Instant::now();
    let mut crowd = Crowd::new(load, server, names);
    let mut batch = Batch::new();
    let mut buffer = Vec::new();
    while crowd.left > 0 && started.elapsed() < load.limit {
        let mut sent = 0;
        while sent < MOST_AT_ONCE
            && let Some((client, transmit)) = crowd.poll_transmit(started.elapsed(), &mut buffer)
        {
            sent += 1;
            crowd.send(&socket, client, transmit, &buffer).await;
        }
        socket.try_receive(&mut batch)?;
        if batch.is_empty() && sent < MOST_AT_ONCE {
            let wait = crowd.next_deadline().map(|due| due.saturating_sub(started.elapsed()));
            let wait = wait.unwrap_or(load.limit).min(load.limit);
            if let Ok(received) = tokio::time::timeout(wait, socket.receive(&mut batch)).await {
                received?;
            }
        }
        let now = started.elapsed();
        batch.iter().for_each(|datagram| crowd.handle(datagram.peer, datagram.local, datagram.bytes, now));
        batch.clear();
    }
    let mut moved = crowd.finish();
    moved.took = started.elapsed();
    moved.dropped = socket.dropped().unwrap_or_default();
    Ok(moved)
}

struct Crowd<'a> {
    load: &'a Load,
    clients: Vec<Client>,
    left: u32,
    row: VecDeque<usize>,
    /// When a client may have to be looked at; its own deadline may be later by now.
    deadlines: BinaryHeap<Reverse<(Duration, usize)>>,
    random: Random,
    moved: Moved,
}

impl<'a> Crowd<'a> {
    fn new(load: &'a Load, server: SocketAddr, names: impl Fn(u32) -> String) -> Self {
        let timing = Timing::default();
        let client = |number| {
            let name = names(number);
            let size = load.file.len() as u64;
            let end = if load.writes {
                let options = Options { transfer_size: Some(size), ..load.options };
                End::Writes(Sender::request(&name, Mode::Octet, &options, &timing, Duration::ZERO))
            } else {
                End::Reads(Receiver::request(
                    &name,
                    Mode::Octet,
                    &load.options,
                    size,
                    &timing,
                    Duration::ZERO,
                ))
            };
            Client { end, server, answered: false, queued: true, scheduled: None, wrong: false, over: false }
        };
        Self {
            load,
            clients: (0..load.clients).map(client).collect(),
            left: load.clients,
            row: (0..load.clients as usize).collect(),
            deadlines: BinaryHeap::new(),
            random: Random::new(load.seed),
            moved: Moved::default(),
        }
    }

    fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<(usize, Transmit)> {
        while let Some(&Reverse((due, number))) = self.deadlines.peek()
            && due <= now
        {
            self.deadlines.pop();
            if let Some(client) = self.clients.get_mut(number) {
                client.scheduled = None;
            }
            self.enqueue(number);
        }
        while let Some(number) = self.row.pop_front() {
            let Some(client) = self.clients.get_mut(number) else { continue };
            client.queued = false;
            let sent = match &mut client.end {
                End::Reads(receiver) => receiver.poll_transmit(now, buffer),
                End::Writes(sender) => sender.poll_transmit(now, buffer),
            };
            if sent.is_some() {
                client.queued = true;
                self.row.push_back(number);
            }
            self.settle(number, now);
            if let Some(sent) = sent {
                return Some((number, sent));
            }
        }
        None
    }

    async fn send(&mut self, socket: &Socket, number: usize, transmit: Transmit, buffer: &[u8]) {
        let Some(client) = self.clients.get(number) else { return };
        let local = Some(IpAddr::V4(address(u32::try_from(number).unwrap_or(u32::MAX))));
        let whole = buffer.get(..transmit.length).unwrap_or(buffer);
        let peer = client.server;
        if self.load.lost == 0 {
            let segment_size = (transmit.segment_size < transmit.length).then_some(transmit.segment_size);
            // What cannot be sent is lost, and sent again.
            let _ = socket.send(&datagram::Transmit { peer, local, bytes: whole, segment_size }).await;
            return;
        }
        for bytes in whole.chunks(transmit.segment_size.max(1)) {
            if !self.random.permille(self.load.lost) {
                let _ = socket.send(&datagram::Transmit { peer, local, bytes, segment_size: None }).await;
            }
        }
    }

    fn handle(&mut self, peer: SocketAddr, local: Option<IpAddr>, bytes: &[u8], now: Duration) {
        let Some(IpAddr::V4(local)) = local else { return };
        let number = usize::try_from(local.to_bits().wrapping_sub(FIRST)).unwrap_or(usize::MAX);
        let Some(client) = self.clients.get_mut(number) else { return };
        if self.random.permille(self.load.lost) {
            return;
        }
        if !client.answered {
            client.answered = true;
            client.server = peer;
        }
        // RFC 1350 section 4: another port is another transfer.
        let Ok(packet) = Packet::decode(bytes) else { return };
        if client.server != peer {
            return;
        }
        match &mut client.end {
            End::Reads(receiver) => receiver.handle(&packet, now),
            End::Writes(sender) => sender.handle(&packet, now),
        }
        self.settle(number, now);
        self.enqueue(number);
    }

    /// What a client wants to be stored or read is compared, or given.
    fn settle(&mut self, number: usize, now: Duration) {
        let file = &self.load.file;
        let Some(client) = self.clients.get_mut(number) else { return };
        match &mut client.end {
            End::Reads(receiver) => {
                while let Some(write) = receiver.poll_write() {
                    let from = usize::try_from(write.offset).unwrap_or(usize::MAX);
                    let until = from.saturating_add(write.bytes.len());
                    client.wrong |= file.get(from..until) != Some(&write.bytes[..]);
                    if write.last {
                        client.wrong |= until != file.len();
                        receiver.stored(now);
                    } else {
                        receiver.written(until as u64, now);
                    }
                }
            }
            End::Writes(sender) => {
                while sender.poll_need().is_some() {
                    sender.supply(Chunk { offset: 0, bytes: Arc::clone(file), last: true }, now);
                }
            }
        }
        let outcome = match &client.end {
            End::Reads(receiver) => receiver.outcome(),
            End::Writes(sender) => sender.outcome(),
        };
        let deadline = match &client.end {
            End::Reads(receiver) => receiver.next_deadline(),
            End::Writes(sender) => sender.next_deadline(),
        };
        if let Some(outcome) = outcome.filter(|_| !client.over) {
            client.over = true;
            self.left -= 1;
            self.moved.count(ended(outcome, client.wrong, file.len() as u64));
        }
        if let Some(deadline) = deadline
            && client.scheduled.is_none_or(|scheduled| deadline < scheduled)
        {
            client.scheduled = Some(deadline);
            self.deadlines.push(Reverse((deadline, number)));
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.peek().map(|Reverse((due, _))| *due)
    }

    fn enqueue(&mut self, number: usize) {
        if let Some(client) = self.clients.get_mut(number)
            && !client.queued
        {
            client.queued = true;
            self.row.push_back(number);
        }
    }

    fn finish(mut self) -> Moved {
        for _ in 0..self.left {
            self.moved.count(Err("it took too long".to_owned()));
        }
        self.moved
    }
}

/// What is counted of a transfer that ended.
fn ended(outcome: &Outcome, wrong: bool, bytes: u64) -> Result<u64, String> {
    match outcome {
        Ok(_) if wrong => Err("the bytes are other ones".to_owned()),
        Ok(size) if *size != bytes => Err(format!("{size} bytes went over, not {bytes}")),
        Ok(_) => Ok(bytes),
        Err(failure) => Err(failure.to_string()),
    }
}
