//! A file server with everything around it: devices with TFTP clients, a link that loses packets as its seed says,
//! storage that is slow, full or broken.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tftp::{Chunk, Failure, Limits, Mode, Options, Packet, Receiver, Sender, Timing};
use upgrade::{Content, DeviceId, Digest, Direction, Protocol, RunId, Ticket, TicketName, Time};

use crate::datagram::Datagram;
use crate::file_server::{
    CHUNK_BYTES, FileServer, FromStorage, News, Order, Port, Refusal, Report, Settings, StorageFailure,
    ToStorage, TransferId,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const SERVER: &str = "127.0.0.1";
/// When the world begins: not at zero, as in life.
const BEGINNING: Duration = Duration::from_secs(1_000_000);

/// What may be wrong with storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    Full,
    Broken,
    Silent,
}

pub(super) struct Storage {
    pub(super) health: Health,
    pub(super) delay: Duration,
    pub(super) files: BTreeMap<Digest, Vec<u8>>,
    pub(super) unfinished: BTreeMap<TransferId, Vec<u8>>,
    pub(super) reads: u64,
}

/// A device with one TFTP transfer.
pub(super) struct Device {
    pub(super) end: DeviceEnd,
    pub(super) port: Port,
    pub(super) received: Vec<u8>,
    pub(super) file: Vec<u8>,
    /// It has lost its power: nothing is heard of it and nothing heard by it.
    pub(super) dead: bool,
}

pub(super) enum DeviceEnd {
    Reads(Receiver),
    Writes(Sender),
    /// A file of any name is to be written to it; it goes on at this address.
    Waits(SocketAddr),
}

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) server: FileServer,
    pub(super) storage: Storage,
    pub(super) devices: BTreeMap<SocketAddr, Device>,
    pub(super) reports: Vec<(Duration, Report)>,
    /// Packets that reached nobody's client, as they came: port, peer, bytes.
    pub(super) stray_answers: Vec<(Port, SocketAddr, Vec<u8>)>,
    pub(super) packets_to: BTreeMap<SocketAddr, u64>,
    /// The names of files that were offered to devices that wait.
    pub(super) requests: Vec<String>,
    /// Bytes that went to a device, or came from one, at this moment.
    pub(super) moved: Vec<(Duration, SocketAddr, usize)>,
    /// Percent of the packets, both ways.
    pub(super) loss: u64,
    random: u64,
    under_way: BTreeMap<(Duration, u64), Event>,
    sequence: u64,
}

enum Event {
    ToServer(Port, SocketAddr, Vec<u8>),
    ToDevice(Port, SocketAddr, Vec<u8>),
    FromStorage(FromStorage),
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Stands for SHA-256: it only has to tell these files apart.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    let mut sum = [bytes.len() as u8; 32];
    for (at, byte) in bytes.iter().enumerate() {
        sum[at % 32] = sum[at % 32].rotate_left(1) ^ byte;
    }
    Digest(sum)
}

pub(super) fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    (0..length).map(|_| random(&mut state) as u8).collect()
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A ticket for the device at 127.0.5.1, good for an hour.
pub(super) fn ticket(name: &str, direction: Direction, content: Content, size: u64) -> Ticket {
    Ticket {
        name: TicketName(name.to_owned()),
        run: RunId(7),
        device: DeviceId(9),
        address: IpAddr::from([127, 0, 5, 1]),
        direction,
        protocol: Protocol::Tftp,
        content,
        size,
        expires: Time::from(BEGINNING) + SECOND * 3600,
        password: String::new(),
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: BEGINNING,
            server: FileServer::new(Settings::default()),
            storage: Storage {
                health: Health::Good,
                delay: Duration::from_millis(1),
                files: BTreeMap::new(),
                unfinished: BTreeMap::new(),
                reads: 0,
            },
            devices: BTreeMap::new(),
            reports: Vec::new(),
            stray_answers: Vec::new(),
            packets_to: BTreeMap::new(),
            requests: Vec::new(),
            moved: Vec::new(),
            loss: 0,
            random: 1,
            under_way: BTreeMap::new(),
            sequence: 0,
        }
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self { server: FileServer::new(settings), ..Self::new() }
    }

    pub(super) fn with_loss(percent: u64, seed: u64) -> Self {
        println!("seed {seed}, {percent} % lost");
        Self { loss: percent, random: seed, ..Self::new() }
    }

    pub(super) fn order(&mut self, order: Order) {
        self.server.order(order, self.now);
        self.collect();
    }

    /// Opens a ticket by which 127.0.5.1 reads this file.
    pub(super) fn offer(&mut self, name: &str, file: &[u8]) -> Digest {
        self.offer_to("127.0.5.1:0", name, file)
    }

    /// Opens a ticket by which this peer's address reads this file.
    pub(super) fn offer_to(&mut self, peer: &str, name: &str, file: &[u8]) -> Digest {
        let sha256 = digest(file);
        self.storage.files.insert(sha256, file.to_vec());
        let content = Content::Stored { digest: sha256 };
        let own = ticket(name, Direction::Read, content, file.len() as u64);
        self.order(Order::Open(Ticket { address: address(peer).ip(), ..own }));
        sha256
    }

    /// Opens a ticket by which this file is written to 127.0.5.1.
    pub(super) fn offer_to_push(&mut self, name: &str, file: &[u8]) -> Digest {
        let sha256 = digest(file);
        self.storage.files.insert(sha256, file.to_vec());
        let content = Content::Stored { digest: sha256 };
        let own = ticket(name, Direction::Read, content, file.len() as u64);
        self.order(Order::Open(Ticket { protocol: Protocol::Push, ..own }));
        sha256
    }

    /// The device waits there for a file, and takes it at another address.
    pub(super) fn wait_for_file(&mut self, peer: &str, at: &str) {
        self.begin(peer, DeviceEnd::Waits(address(at)), Vec::new());
    }

    pub(super) fn push(&mut self, name: &str, to: &str) {
        self.order(Order::Push { name: TicketName(name.to_owned()), to: address(to) });
        self.pump();
    }

    /// Opens a ticket by which 127.0.5.1 writes a file.
    pub(super) fn expect(&mut self, name: &str, limit: u64) {
        self.order(Order::Open(ticket(name, Direction::Write, Content::Arriving, limit)));
    }

    pub(super) fn read(&mut self, peer: &str, name: &str, options: &Options) {
        let end = Receiver::request(name, Mode::Octet, options, u64::MAX, &Timing::default(), self.now);
        self.begin(peer, DeviceEnd::Reads(end), Vec::new());
    }

    pub(super) fn write(&mut self, peer: &str, name: &str, file: &[u8], options: &Options) {
        let end = Sender::request(name, Mode::Octet, options, &Timing::default(), self.now);
        self.begin(peer, DeviceEnd::Writes(end), file.to_vec());
    }

    fn begin(&mut self, peer: &str, end: DeviceEnd, file: Vec<u8>) {
        let device = Device { end, port: Port::Requests, received: Vec::new(), file, dead: false };
        self.devices.insert(address(peer), device);
        self.pump();
    }

    /// A single packet of a device without a client of its own.
    pub(super) fn packet(&mut self, port: Port, peer: &str, packet: &[u8]) {
        let datagram = Datagram { peer: address(peer), local: Some(SERVER.parse().unwrap()), bytes: packet };
        self.server.handle(port, &[datagram], self.now);
        self.pump();
    }

    /// Lets everything happen until nothing is awaited, or the time is over.
    pub(super) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.pump();
            let device = |device: &Device| match &device.end {
                _ if device.dead => None,
                DeviceEnd::Reads(receiver) => receiver.next_deadline(),
                DeviceEnd::Writes(sender) => sender.next_deadline(),
                DeviceEnd::Waits(_) => None,
            };
            let deadlines = self.devices.values().filter_map(device).chain(self.server.next_deadline());
            let next = deadlines.chain(self.under_way.keys().next().map(|(at, _)| *at)).min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
            while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let event = entry.remove();
                self.happen(event);
                self.pump();
            }
        }
        self.now = end;
        self.pump();
    }

    pub(super) fn device(&mut self, peer: &str) -> &mut Device {
        self.devices.get_mut(&address(peer)).unwrap()
    }

    /// The news so far of one ticket, without progress.
    pub(super) fn news(&self, ticket: &str) -> Vec<News> {
        let all = self.all_news(ticket).into_iter();
        all.map(|(_, news)| news).filter(|news| !matches!(news, News::Progress { .. })).collect()
    }

    pub(super) fn all_news(&self, ticket: &str) -> Vec<(Duration, News)> {
        let of_ticket = self.reports.iter().filter_map(|(at, report)| match report {
            Report::Ticket { name, run, news } if name.0 == ticket => {
                assert_eq!(*run, RunId(7));
                Some((*at, news.clone()))
            }
            Report::Ticket { .. } | Report::Refused { .. } => None,
        });
        of_ticket.collect()
    }

    pub(super) fn refusals(&self) -> Vec<Refusal> {
        let refused = self.reports.iter().filter_map(|(_, report)| match report {
            Report::Refused { reason, .. } => Some(*reason),
            Report::Ticket { .. } => None,
        });
        refused.collect()
    }

    /// Everything that is stored, except what was offered.
    pub(super) fn uploads(&self, offered: &[Digest]) -> Vec<&Vec<u8>> {
        let offered: BTreeSet<_> = offered.iter().collect();
        self.storage
            .files
            .iter()
            .filter(|(sha256, _)| !offered.contains(sha256))
            .map(|(_, file)| file)
            .collect()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToServer(port, peer, bytes) => {
                self.moved.push((self.now, peer, bytes.len()));
                let datagram = Datagram { peer, local: Some(SERVER.parse().unwrap()), bytes: &bytes };
                self.server.handle(port, &[datagram], self.now);
            }
            Event::ToDevice(port, peer, bytes) => {
                let Some(device) = self.devices.get_mut(&peer).filter(|device| !device.dead) else {
                    self.stray_answers.push((port, peer, bytes));
                    return;
                };
                device.port = port;
                let packet = Packet::decode(&bytes).unwrap();
                match &mut device.end {
                    DeviceEnd::Reads(receiver) => receiver.handle(&packet, self.now),
                    DeviceEnd::Writes(sender) => sender.handle(&packet, self.now),
                    DeviceEnd::Waits(at) => {
                        let (at, Packet::Request(request)) = (*at, packet) else { panic!("{packet:?}") };
                        let (limits, timing) = (Limits::default(), Timing::default());
                        let end = Receiver::answer(&request, u64::MAX, &limits, &timing, self.now);
                        self.requests.push(request.filename.to_owned());
                        let received = Vec::new();
                        let end = DeviceEnd::Reads(end);
                        let taken = Device { end, port, received, file: Vec::new(), dead: false };
                        // A request that comes twice begins nothing: the first answer was lost, or is late.
                        self.devices.entry(at).or_insert(taken);
                    }
                }
            }
            Event::FromStorage(answer) => self.server.storage(answer, self.now),
        }
    }

    /// Sends what there is to send, and does what storage is asked to do.
    pub(super) fn pump(&mut self) {
        let mut buffer = Vec::new();
        while let Some((port, transmit)) = self.server.poll_transmit(self.now, &mut buffer) {
            assert_eq!(transmit.length, buffer.len());
            let begins = matches!(Packet::decode(&buffer), Ok(Packet::Request(_)));
            let local = (!begins).then(|| SERVER.parse().unwrap());
            assert_eq!(transmit.local, local, "from the address that was asked");
            self.moved.push((self.now, transmit.peer, transmit.length));
            for packet in buffer.chunks(transmit.segment_size) {
                *self.packets_to.entry(transmit.peer).or_default() += 1;
                self.carry(Event::ToDevice(port, transmit.peer, packet.to_vec()));
            }
        }
        self.collect();
        self.assert_tidy();
        let mut outgoing = Vec::new();
        for (peer, device) in self.devices.iter_mut().filter(|(_, device)| !device.dead) {
            device.work(self.now);
            let mut poll = |buffer: &mut Vec<u8>| match &mut device.end {
                DeviceEnd::Reads(receiver) => receiver.poll_transmit(self.now, buffer),
                DeviceEnd::Writes(sender) => sender.poll_transmit(self.now, buffer),
                DeviceEnd::Waits(_) => None,
            };
            while let Some(transmit) = poll(&mut buffer) {
                let packets = buffer.chunks(transmit.segment_size);
                outgoing.extend(packets.map(|packet| Event::ToServer(device.port, *peer, packet.to_vec())));
            }
        }
        outgoing.into_iter().for_each(|event| self.carry(event));
    }

    /// Nothing is kept of what is gone.
    fn assert_tidy(&self) {
        let FileServer { sessions, by_peer, unanswered, ftp, deadlines, links, chunks, pace, active, .. } =
            &self.server;
        assert!(unanswered.values().all(|id| sessions.contains_key(id)));
        assert_eq!(by_peer.len(), sessions.len());
        assert!(deadlines.len() <= sessions.len() + ftp.len());
        assert!(chunks.waiting() <= sessions.len());
        assert!(links.next().is_none_or(|turn| turn > self.now) || !pace.is_free(self.now));
        let sending = sessions.values().filter(|session| session.ended_at.is_none()).count();
        assert_eq!(*active, sending + ftp.len());
    }

    fn collect(&mut self) {
        while let Some(report) = self.server.poll_report() {
            self.reports.push((self.now, report));
        }
        while let Some(message) = self.server.poll_storage() {
            if let Some(answer) = self.storage.answer(message) {
                self.schedule(self.storage.delay, Event::FromStorage(answer));
            }
        }
    }

    fn carry(&mut self, event: Event) {
        if random(&mut self.random) % 100 >= self.loss {
            self.schedule(Duration::from_millis(2), event);
        }
    }

    fn schedule(&mut self, delay: Duration, event: Event) {
        self.sequence += 1;
        self.under_way.insert((self.now + delay, self.sequence), event);
    }
}

impl Device {
    pub(super) fn outcome(&self) -> Option<&Result<u64, Failure>> {
        match &self.end {
            DeviceEnd::Reads(receiver) => receiver.outcome(),
            DeviceEnd::Writes(sender) => sender.outcome(),
            DeviceEnd::Waits(_) => None,
        }
    }

    /// Its own storage is always at once.
    fn work(&mut self, now: Duration) {
        match &mut self.end {
            DeviceEnd::Reads(receiver) => {
                while let Some(write) = receiver.poll_write() {
                    self.received.extend_from_slice(&write.bytes);
                    receiver.written(self.received.len() as u64, now);
                    if write.last {
                        receiver.stored(now);
                    }
                }
            }
            DeviceEnd::Writes(sender) => {
                while sender.poll_need().is_some() {
                    sender.supply(Chunk { offset: 0, bytes: self.file.as_slice().into(), last: true }, now);
                }
            }
            DeviceEnd::Waits(_) => {}
        }
    }
}

impl Storage {
    fn answer(&mut self, message: ToStorage) -> Option<FromStorage> {
        if self.health == Health::Silent {
            return None;
        }
        let broken = || StorageFailure::Other("the disk is gone".to_owned());
        match message {
            ToStorage::Need { file, offset, length } => {
                self.reads += 1;
                assert_eq!((offset % CHUNK_BYTES as u64, length), (0, CHUNK_BYTES));
                let Some(bytes) = self.files.get(&file).filter(|_| self.health != Health::Broken) else {
                    return Some(FromStorage::Unreadable { file, offset, cause: broken().to_string() });
                };
                let start = offset as usize;
                let end = (start + length).min(bytes.len());
                let last = end == bytes.len();
                let bytes: Arc<[u8]> = bytes[start..end].into();
                Some(FromStorage::Chunk { file, offset, bytes, last })
            }
            ToStorage::Write { transfer, offset, bytes } => {
                let file = self.unfinished.entry(transfer).or_default();
                assert_eq!(offset, file.len() as u64, "each write begins where the last one ended");
                file.extend(bytes);
                let offset = file.len() as u64;
                Some(match self.health {
                    Health::Good | Health::Silent => FromStorage::Written { transfer, offset },
                    Health::Full => FromStorage::Failed { transfer, cause: StorageFailure::NoRoom },
                    Health::Broken => FromStorage::Failed { transfer, cause: broken() },
                })
            }
            ToStorage::Finish { transfer, size } => {
                if self.health != Health::Good {
                    return Some(FromStorage::Failed { transfer, cause: broken() });
                }
                let file = self.unfinished.remove(&transfer).unwrap_or_default();
                assert_eq!(file.len() as u64, size);
                let sha256 = digest(&file);
                self.files.insert(sha256, file);
                Some(FromStorage::Stored { transfer, size, sha256 })
            }
            ToStorage::Discard { transfer } => {
                self.unfinished.remove(&transfer);
                None
            }
        }
    }
}
