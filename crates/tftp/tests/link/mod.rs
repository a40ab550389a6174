//! Two sides of one transfer, joined by a link in virtual time that loses, doubles and delays packets as its
//! seed says.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use tftp::{Chunk, Direction, Failure, Limits, Mode, Options, Packet, Receiver, Sender, Timing, Transmit};

/// What befalls packets on their way, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    /// Packets that are held up, by up to `delay` more.
    pub(crate) reordering: u64,
    pub(crate) delay: Duration,
}

/// A small generator of random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// One end of a transfer, whichever way the file goes.
pub(crate) enum End {
    Sends(Sender),
    Receives(Receiver),
}

impl End {
    pub(crate) fn handle(&mut self, packet: &Packet<'_>, now: Duration) {
        match self {
            Self::Sends(sender) => sender.handle(packet, now),
            Self::Receives(receiver) => receiver.handle(packet, now),
        }
    }

    pub(crate) fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<Transmit> {
        match self {
            Self::Sends(sender) => sender.poll_transmit(now, buffer),
            Self::Receives(receiver) => receiver.poll_transmit(now, buffer),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        match self {
            Self::Sends(sender) => sender.next_deadline(),
            Self::Receives(receiver) => receiver.next_deadline(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Sends(sender) => sender.is_over(),
            Self::Receives(receiver) => receiver.is_over(),
        }
    }

    pub(crate) fn outcome(&self) -> Option<&Result<u64, Failure>> {
        match self {
            Self::Sends(sender) => sender.outcome(),
            Self::Receives(receiver) => receiver.outcome(),
        }
    }

    pub(crate) fn packets_sent(&self) -> u64 {
        match self {
            Self::Sends(sender) => sender.packets_sent(),
            Self::Receives(receiver) => receiver.packets_sent(),
        }
    }
}

/// Long enough for any weather: these tests look at what is carried, not at giving up.
const HOUR: Duration = Duration::from_secs(3600);

/// How the two sides talk.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) direction: Direction,
    pub(crate) mode: Mode,
    pub(crate) options: Options,
    pub(crate) limits: Limits,
    pub(crate) timing: Timing,
    pub(crate) weather: Weather,
    pub(crate) chunk_bytes: usize,
    /// How long storage takes for anything.
    pub(crate) storage_delay: Duration,
}

impl Setting {
    pub(crate) fn new(direction: Direction, options: Options) -> Self {
        Self {
            direction,
            mode: Mode::Octet,
            options,
            limits: Limits::default(),
            timing: Timing { give_up: HOUR, dally: HOUR, ..Timing::default() },
            weather: Weather { delay: Duration::from_millis(1), ..Weather::default() },
            chunk_bytes: 5000,
            storage_delay: Duration::ZERO,
        }
    }
}

/// The whole world of one transfer. The server comes into being when the request reaches it.
pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) client: End,
    pub(crate) server: Option<End>,
    pub(crate) file: Vec<u8>,
    pub(crate) stored: Vec<u8>,
    pub(crate) packets: BTreeMap<&'static str, u64>,
    setting: Setting,
    random: Random,
    /// What is under way, in the order of arrival; the second number keeps what comes at once in order.
    under_way: BTreeMap<(Duration, u64), Event>,
    sequence: u64,
}

enum Event {
    ToClient(Vec<u8>),
    ToServer(Vec<u8>),
    Supply(Chunk),
    Written(u64),
    Stored,
}

impl World {
    pub(crate) fn new(setting: Setting, file: Vec<u8>, seed: u64) -> Self {
        let Setting { direction, mode, options, timing, .. } = &setting;
        let client = match direction {
            Direction::Read => {
                let receiver = Receiver::request("f", *mode, options, u64::MAX, timing, Duration::ZERO);
                End::Receives(receiver)
            }
            Direction::Write => End::Sends(Sender::request("f", *mode, options, timing, Duration::ZERO)),
        };
        Self {
            now: Duration::ZERO,
            client,
            server: None,
            file,
            stored: Vec::new(),
            packets: BTreeMap::new(),
            setting,
            random: Random(seed),
            under_way: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Lets it all happen until both sides are over.
    pub(crate) fn run(&mut self) {
        for _ in 0..20_000_000u64 {
            self.pump();
            let both_over = self.client.is_over() && self.server.as_ref().is_none_or(End::is_over);
            if both_over {
                return;
            }
            let deadlines = [self.client.next_deadline(), self.server.as_ref().and_then(End::next_deadline)];
            let next_event = self.under_way.keys().next().map(|(at, _)| *at);
            let next = deadlines.into_iter().flatten().chain(next_event).min();
            self.now = self.now.max(next.expect("something is awaited"));
            while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let event = entry.remove();
                self.happen(event);
                self.pump();
            }
        }
        panic!("the transfer does not end");
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::ToClient(bytes) => self.client.handle(&Packet::decode(&bytes).unwrap(), now),
            Event::ToServer(bytes) => {
                let packet = Packet::decode(&bytes).unwrap();
                match (&mut self.server, packet) {
                    (Some(server), packet) => server.handle(&packet, now),
                    (None, Packet::Request(request)) => {
                        let Setting { limits, timing, .. } = &self.setting;
                        let size = Some(self.file.len() as u64);
                        self.server = Some(match request.direction {
                            Direction::Read => {
                                End::Sends(Sender::answer(&request, size, limits, timing, now))
                            }
                            Direction::Write => {
                                End::Receives(Receiver::answer(&request, u64::MAX, limits, timing, now))
                            }
                        });
                    }
                    (None, _) => panic!("only a request opens a transfer"),
                }
            }
            Event::Supply(chunk) => self.sender().supply(chunk, now),
            Event::Written(offset) => self.receiver().written(offset, now),
            Event::Stored => self.receiver().stored(now),
        }
    }

    /// Sends what both sides have to send, and does what they ask of storage.
    fn pump(&mut self) {
        let mut buffer = Vec::new();
        while let Some(transmit) = self.client.poll_transmit(self.now, &mut buffer) {
            self.carry(&buffer, transmit, Event::ToServer);
        }
        if let Some(mut server) = self.server.take() {
            while let Some(transmit) = server.poll_transmit(self.now, &mut buffer) {
                self.carry(&buffer, transmit, Event::ToClient);
            }
            self.server = Some(server);
        }
        self.ask_storage();
    }

    fn ask_storage(&mut self) {
        let at = self.now + self.setting.storage_delay;
        if self.has_sender()
            && let Some(need) = self.sender().poll_need()
        {
            let start = need.offset as usize;
            let end = (start + self.setting.chunk_bytes).min(self.file.len());
            let bytes: Arc<[u8]> = self.file[start..end].into();
            let chunk = Chunk { offset: need.offset, bytes, last: end == self.file.len() };
            self.schedule(at, Event::Supply(chunk));
        }
        while self.has_receiver()
            && let Some(write) = self.receiver().poll_write()
        {
            assert_eq!(write.offset, self.stored.len() as u64, "in order, without holes");
            self.stored.extend_from_slice(&write.bytes);
            self.schedule(at, Event::Written(self.stored.len() as u64));
            if write.last {
                self.schedule(at, Event::Stored);
            }
        }
    }

    fn carry(&mut self, buffer: &[u8], transmit: Transmit, wrap: fn(Vec<u8>) -> Event) {
        assert_eq!(transmit.length, buffer.len());
        assert!(transmit.length.div_ceil(transmit.segment_size) <= tftp::MAX_BURST_SEGMENTS);
        for packet in buffer.chunks(transmit.segment_size) {
            let kind = match Packet::decode(packet).expect("what is sent decodes") {
                Packet::Request(_) => "request",
                Packet::Data { .. } => "data",
                Packet::Acknowledgement { .. } => "ack",
                Packet::OptionAcknowledgement(_) => "oack",
                Packet::Error { .. } => "error",
            };
            *self.packets.entry(kind).or_default() += 1;
            let weather = self.setting.weather;
            let copies = 1 + u64::from(self.random.below(100) < weather.duplication);
            for _ in 0..copies {
                if self.random.below(100) < weather.loss {
                    continue;
                }
                let mut at = self.now + weather.delay;
                if self.random.below(100) < weather.reordering {
                    at += Duration::from_micros(self.random.below(weather.delay.as_micros() as u64 * 2));
                }
                self.schedule(at, wrap(packet.to_vec()));
            }
        }
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        self.sequence += 1;
        self.under_way.insert((at, self.sequence), event);
    }

    fn has_sender(&self) -> bool {
        matches!(self.client, End::Sends(_)) || matches!(self.server, Some(End::Sends(_)))
    }

    fn has_receiver(&self) -> bool {
        matches!(self.client, End::Receives(_)) || matches!(self.server, Some(End::Receives(_)))
    }

    pub(crate) fn sender(&mut self) -> &mut Sender {
        match (&mut self.client, &mut self.server) {
            (End::Sends(sender), _) | (_, Some(End::Sends(sender))) => sender,
            _ => panic!("nobody sends yet"),
        }
    }

    pub(crate) fn receiver(&mut self) -> &mut Receiver {
        match (&mut self.client, &mut self.server) {
            (End::Receives(receiver), _) | (_, Some(End::Receives(receiver))) => receiver,
            _ => panic!("nobody receives yet"),
        }
    }
}
