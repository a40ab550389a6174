//! A TFTP server with a shelf in memory, which remembers from where it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tftp::{Chunk, Direction, ErrorCode, Limits, Packet, Receiver, Sender, Timing};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Shelf;

/// A server that runs until it is dropped.
pub(crate) struct TftpServer {
    pub(crate) address: SocketAddr,
    pub(crate) shelf: Shelf,
    _task: JoinSet<()>,
}

enum Session {
    Gives(Box<Sender>, Arc<[u8]>),
    Takes(Box<Receiver>, String, Vec<u8>),
}

impl TftpServer {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(crate) async fn start_at(address: &str) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let (address, shelf) = (socket.local_addr().unwrap(), Shelf::default());
        let mut task = JoinSet::new();
        task.spawn(serve(socket, shelf.clone()));
        Self { address, shelf, _task: task }
    }
}

async fn serve(socket: UdpSocket, shelf: Shelf) {
    let started = Instant::now();
    let mut sessions: BTreeMap<SocketAddr, Session> = BTreeMap::new();
    let (mut received, mut buffer) = (vec![0; 65_536], Vec::new());
    loop {
        let deadline = sessions.values().filter_map(Session::deadline).min();
        let wait = deadline.map_or(started + crate::PATIENCE * 100, |deadline| started + deadline);
        tokio::select! {
            datagram = socket.recv_from(&mut received) => {
                // An answer to nobody: the device at the other end has lost power.
                let Ok((length, peer)) = datagram else { continue };
                let Ok(packet) = Packet::decode(&received[..length]) else { continue };
                if let Packet::Request(request) = &packet {
                    shelf.saw(peer.ip());
                    if request.direction == Direction::Read && shelf.get(request.filename).is_none() {
                        buffer.clear();
                        Packet::Error { code: ErrorCode::FileNotFound, message: b"no such file" }.encode(&mut buffer);
                        let _ = socket.send_to(&buffer, peer).await;
                        continue;
                    }
                    sessions.insert(peer, Session::answer(request, &shelf, started.elapsed()));
                }
                if let Some(session) = sessions.get_mut(&peer) {
                    session.handle(&packet, started.elapsed());
                }
            }
            () = tokio::time::sleep_until(wait) => {}
        }
        for (peer, session) in &mut sessions {
            session.serve(&shelf, started.elapsed());
            while let Some(transmit) = session.poll_transmit(started.elapsed(), &mut buffer) {
                for packet in buffer[..transmit.length].chunks(transmit.segment_size) {
                    let _ = socket.send_to(packet, peer).await;
                }
                session.serve(&shelf, started.elapsed());
            }
        }
        sessions.retain(|_, session| !session.is_over());
    }
}

impl Session {
    fn answer(request: &tftp::Request<'_>, shelf: &Shelf, now: std::time::Duration) -> Self {
        let (limits, timing) = (Limits::default(), Timing::default());
        let name = request.filename.to_string();
        if request.direction == Direction::Write {
            return Self::Takes(
                Box::new(Receiver::answer(request, 1 << 30, &limits, &timing, now)),
                name,
                Vec::new(),
            );
        }
        let file = shelf.get(&name);
        let size = file.as_ref().map(|file| u64::try_from(file.len()).unwrap());
        let sender = Sender::answer(request, size, &limits, &timing, now);
        Self::Gives(Box::new(sender), file.unwrap_or_default().into())
    }

    fn handle(&mut self, packet: &Packet<'_>, now: std::time::Duration) {
        match self {
            Self::Gives(sender, _) => sender.handle(packet, now),
            Self::Takes(receiver, ..) => receiver.handle(packet, now),
        }
    }

    fn serve(&mut self, shelf: &Shelf, now: std::time::Duration) {
        match self {
            Self::Gives(sender, content) => {
                while sender.poll_need().is_some() {
                    sender.supply(Chunk { offset: 0, bytes: Arc::clone(content), last: true }, now);
                }
            }
            Self::Takes(receiver, name, content) => {
                while let Some(write) = receiver.poll_write() {
                    content.extend_from_slice(&write.bytes);
                    receiver.written(u64::try_from(content.len()).unwrap(), now);
                    if write.last {
                        shelf.put(name, std::mem::take(content));
                        receiver.stored(now);
                    }
                }
            }
        }
    }

    fn poll_transmit(&mut self, now: std::time::Duration, buffer: &mut Vec<u8>) -> Option<tftp::Transmit> {
        match self {
            Self::Gives(sender, _) => sender.poll_transmit(now, buffer),
            Self::Takes(receiver, ..) => receiver.poll_transmit(now, buffer),
        }
    }

    fn deadline(&self) -> Option<std::time::Duration> {
        match self {
            Self::Gives(sender, _) => sender.next_deadline(),
            Self::Takes(receiver, ..) => receiver.next_deadline(),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Gives(sender, _) => sender.is_over(),
            Self::Takes(receiver, ..) => receiver.is_over(),
        }
    }
}
