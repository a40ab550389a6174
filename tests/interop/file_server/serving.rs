//! Carries datagrams between the file server and its two sockets, and plays storage in memory.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use engine::FileServer;
use engine::datagram::Datagram;
use engine::file_server::{FromStorage, News, Order, Port, Report, Settings, ToStorage, TransferId};
use sha2::{Digest as _, Sha256};
use tests::loopback;
use tests::process::LIMIT;
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep_until, timeout};
use upgrade::{Content, DeviceId, Digest, Direction, Protocol, RunId, Ticket, TicketName, Time};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(super) struct Serving {
    runtime: Runtime,
    server: FileServer,
    requests: UdpSocket,
    transfers: UdpSocket,
    storage: Storage,
    began: Instant,
}

/// Files that are kept, and files that arrive.
#[derive(Default)]
struct Storage {
    kept: BTreeMap<Digest, Vec<u8>>,
    arriving: BTreeMap<TransferId, Vec<u8>>,
}

impl Serving {
    /// A server on an address of its own.
    pub(super) fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let address = loopback::own_address();
        let socket = || runtime.block_on(UdpSocket::bind((address, 0))).unwrap();
        let (requests, transfers) = (socket(), socket());
        Self {
            server: FileServer::new(Settings::default()),
            requests,
            transfers,
            storage: Storage::default(),
            began: Instant::now(),
            runtime,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.requests.local_addr().unwrap()
    }

    /// Lets a client at 127.0.0.1 read a file once by this name.
    pub(super) fn offer(&mut self, name: &str, file: &[u8]) {
        let digest = self.storage.keep(file.to_vec());
        self.open(CLIENT, Protocol::Tftp, name, Direction::Read, Content::Stored { digest }, file.len());
    }

    /// Writes a file by this name to the server there.
    pub(super) fn push(&mut self, name: &str, file: &[u8], to: SocketAddr) {
        let digest = self.storage.keep(file.to_vec());
        let content = Content::Stored { digest };
        self.open(to.ip(), Protocol::Push, name, Direction::Read, content, file.len());
        self.server.order(Order::Push { name: TicketName(name.to_owned()), to }, self.began.elapsed());
    }

    /// Lets a client at 127.0.0.1 write a file once by this name.
    pub(super) fn expect(&mut self, name: &str, at_most: usize) {
        self.open(CLIENT, Protocol::Tftp, name, Direction::Write, Content::Arriving, at_most);
    }

    fn open(
        &mut self,
        address: IpAddr,
        protocol: Protocol,
        name: &str,
        direction: Direction,
        content: Content,
        size: usize,
    ) {
        let ticket = Ticket {
            name: TicketName(name.to_owned()),
            run: RunId(1),
            device: DeviceId(1),
            address,
            direction,
            protocol,
            content,
            size: size as u64,
            expires: Time::from_millis(3_600_000),
            password: String::new(),
        };
        self.server.order(Order::Open(ticket), self.began.elapsed());
    }

    /// Serves until the file server reports something that is `wanted`.
    pub(super) fn serve_until<T>(&mut self, wanted: impl FnMut(Report) -> Option<T>) -> T {
        let Self { runtime, server, requests, transfers, storage, began } = self;
        let shell = Shell { server, requests, transfers, storage, began: *began };
        runtime.block_on(async { timeout(LIMIT, shell.serve_until(wanted)).await }).expect("such a report")
    }

    /// Serves until the ticket is used up, and returns the file as it is kept; or why that did not come.
    pub(super) fn serve(&mut self, ticket: &str) -> Result<Vec<u8>, Report> {
        let digest = self.serve_until(|report| match report {
            Report::Ticket { news: News::Done { sha256, .. }, ref name, .. } if name.0 == ticket => {
                Some(Ok(sha256))
            }
            Report::Ticket { news: News::Failed { .. }, .. } => Some(Err(report)),
            Report::Refused { ref name, .. } if name.as_deref() == Some(ticket) => Some(Err(report)),
            // A client that was refused something before may still say a last word.
            Report::Ticket { .. } | Report::Refused { .. } => None,
        })?;
        Ok(self.storage.kept[&digest].clone())
    }
}

/// What a daemon does around a file server.
struct Shell<'a> {
    server: &'a mut FileServer,
    requests: &'a UdpSocket,
    transfers: &'a UdpSocket,
    storage: &'a mut Storage,
    began: Instant,
}

impl Shell<'_> {
    async fn serve_until<T>(mut self, mut wanted: impl FnMut(Report) -> Option<T>) -> T {
        let (mut requested, mut transferred) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            self.act().await;
            while let Some(report) = self.server.poll_report() {
                if let Some(found) = wanted(report) {
                    return found;
                }
            }
            let deadline = self.began + self.server.next_deadline().unwrap_or(LIMIT);
            tokio::select! {
                received = self.requests.recv_from(&mut requested) => {
                    let (length, peer) = received.unwrap();
                    self.handle(Port::Requests, peer, &requested[..length]);
                }
                received = self.transfers.recv_from(&mut transferred) => {
                    let (length, peer) = received.unwrap();
                    self.handle(Port::Transfers, peer, &transferred[..length]);
                }
                () = sleep_until(deadline.into()) => {}
            }
        }
    }

    fn handle(&mut self, port: Port, peer: SocketAddr, bytes: &[u8]) {
        self.server.handle(port, &[Datagram { peer, local: None, bytes }], self.began.elapsed());
    }

    /// Does what the server wants done, until it wants nothing.
    async fn act(&mut self) {
        let mut buffer = Vec::new();
        loop {
            let now = self.began.elapsed();
            if let Some((port, transmit)) = self.server.poll_transmit(now, &mut buffer) {
                let socket = match port {
                    Port::Requests => self.requests,
                    Port::Transfers => self.transfers,
                };
                for datagram in buffer[..transmit.length].chunks(transmit.segment_size) {
                    socket.send_to(datagram, transmit.peer).await.unwrap();
                }
            } else if let Some(task) = self.server.poll_storage() {
                if let Some(answer) = self.storage.perform(task) {
                    self.server.storage(answer, now);
                }
            } else {
                return;
            }
        }
    }
}

impl Storage {
    fn keep(&mut self, file: Vec<u8>) -> Digest {
        let digest = Digest(Sha256::digest(&file).into());
        self.kept.insert(digest, file);
        digest
    }

    fn perform(&mut self, task: ToStorage) -> Option<FromStorage> {
        match task {
            ToStorage::Need { file, offset, length } => {
                let kept = &self.kept[&file];
                let begin = usize::try_from(offset).unwrap();
                let end = kept.len().min(begin + length);
                let last = end == kept.len();
                Some(FromStorage::Chunk { file, offset, bytes: kept[begin..end].into(), last })
            }
            ToStorage::Write { transfer, offset, bytes } => {
                let file = self.arriving.entry(transfer).or_default();
                assert_eq!(file.len() as u64, offset, "writes come in order");
                file.extend(bytes);
                Some(FromStorage::Written { transfer, offset: file.len() as u64 })
            }
            ToStorage::Finish { transfer, size } => {
                let file = self.arriving.remove(&transfer).unwrap_or_default();
                assert_eq!(file.len() as u64, size);
                Some(FromStorage::Stored { transfer, size, sha256: self.keep(file) })
            }
            ToStorage::Discard { transfer } => {
                self.arriving.remove(&transfer);
                None
            }
        }
    }
}
