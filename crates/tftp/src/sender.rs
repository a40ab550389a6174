//! The side that sends a file: a client that writes (WRQ) or a server that answers a read (RRQ).
//!
//! Only a time-out or a gap in a window sends a block again, never an ACK that came twice (RFC 1350 left the
//! sorcerer's apprentice open, RFC 1123 section 4.2.3.1 closed it).

mod source;
mod window;

pub use source::{Chunk, Need};

use core::time::Duration;

use self::source::Source;
use self::window::{Answer, Window};
use crate::opening::Opening;
use crate::options::{Limits, Options, Parameters};
use crate::outcome::{Failure, Outcome, error_packet};
use crate::packet::{DATA_HEADER, Direction, Mode, Packet, Request, encode_data_header, wire_number};
use crate::timing::{Retransmission, Timing};
use crate::transmit::{MAX_BURST_BYTES, MAX_BURST_SEGMENTS, Transmit};

/// Sends one file to one peer.
#[derive(Debug)]
pub struct Sender {
    stage: Stage,
    parameters: Parameters,
    opening: Opening,
    source: Source,
    window: Window,
    clock: Retransmission,
    /// The ERROR that still has to go out.
    farewell: Option<Vec<u8>>,
    packets_sent: u64,
    /// Bytes sent at once, at most.
    burst: usize,
}

#[derive(Debug)]
enum Stage {
    /// Client: WRQ is out; ACK 0 or an OACK is awaited.
    Requesting { asked: Options },
    /// Server: OACK is out; ACK 0 is awaited.
    Offering,
    /// Blocks go out, ACKs come in.
    Sending,
    /// It has ended.
    Over(Outcome),
}

impl Sender {
    /// A client that writes a file: asks the server by WRQ.
    ///
    /// Options out of range are brought into it; `transfer_size` should be the file's size in octet mode, and
    /// is left out in netascii, where the encoded size is not known. The peer's address for everything after
    /// the request is the one its first answer comes from.
    pub fn request(filename: &str, mode: Mode, options: &Options, timing: &Timing, now: Duration) -> Self {
        let mut asked = options.in_range();
        if mode == Mode::Netascii {
            asked.transfer_size = None;
        }
        let opening = Opening::request(Direction::Write, filename, mode, &asked);
        Self::new(Stage::Requesting { asked }, opening, mode, Options::default().parameters(), timing, now)
    }

    /// A server that answers a read request.
    ///
    /// `size` is the file's size in bytes, told to a client that asks (`tsize`) in octet mode. It is only told:
    /// the file ends where its last [`Chunk`] does.
    pub fn answer(
        request: &Request<'_>,
        size: Option<u64>,
        limits: &Limits,
        timing: &Timing,
        now: Duration,
    ) -> Self {
        let told_size = size.filter(|_| request.mode == Mode::Octet);
        let agreed = request.options.requested().within(limits, told_size);
        let stage = if agreed.is_empty() { Stage::Sending } else { Stage::Offering };
        let opening = Opening::option_acknowledgement(&agreed);
        Self::new(stage, opening, request.mode, agreed.parameters(), timing, now)
    }

    fn new(
        stage: Stage,
        opening: Opening,
        mode: Mode,
        parameters: Parameters,
        timing: &Timing,
        now: Duration,
    ) -> Self {
        let mut clock = Retransmission::new(*timing, now);
        clock.agree(parameters.timeout_s);
        Self {
            stage,
            parameters,
            opening,
            source: Source::new(mode),
            window: Window::new(parameters.window_size),
            clock,
            farewell: None,
            packets_sent: 0,
            burst: MAX_BURST_BYTES,
        }
    }

    /// From now on no more than so many bytes are sent at once, but one packet always.
    pub fn limit_burst(&mut self, bytes: usize) {
        self.burst = bytes.min(MAX_BURST_BYTES);
    }

    /// Takes a packet of the peer. Packets that have no place here are ignored: they may be late or forged.
    pub fn handle(&mut self, packet: &Packet<'_>, now: Duration) {
        match (&self.stage, packet) {
            (Stage::Over(_), _) => {}
            (_, Packet::Error { code, message }) => self.fail(Failure::from_peer(*code, message)),
            (Stage::Requesting { asked }, Packet::OptionAcknowledgement(list)) => match list.agreed(asked) {
                Ok(agreed) => self.begin(agreed.parameters(), now),
                Err(_) => self.fail(Failure::OptionRefused),
            },
            // A server that knows no options answers with ACK 0, and none is in force.
            (Stage::Requesting { .. } | Stage::Offering, Packet::Acknowledgement { block: 0 }) => {
                self.begin(self.parameters, now);
            }
            // The OACK was lost.
            (Stage::Offering, Packet::Request(_)) => self.opening.due = true,
            (Stage::Sending, Packet::Acknowledgement { block }) => self.acknowledge(*block, now),
            (Stage::Requesting { .. }, Packet::Acknowledgement { .. } | Packet::Request(_))
            | (Stage::Offering, Packet::Acknowledgement { .. } | Packet::OptionAcknowledgement(_))
            | (Stage::Sending, Packet::Request(_) | Packet::OptionAcknowledgement(_))
            | (_, Packet::Data { .. }) => {}
        }
    }

    /// What storage has to read next, told once. It is answered by [`Sender::supply`] or [`Sender::fail`].
    pub fn poll_need(&mut self) -> Option<Need> {
        match self.stage {
            Stage::Over(_) => None,
            Stage::Requesting { .. } | Stage::Offering | Stage::Sending => {
                let two_windows = u64::from(self.parameters.window_size) * 2;
                self.source.need(self.offset_of(self.window.acknowledged() + 1 + two_windows))
            }
        }
    }

    /// Takes bytes of the file. Those that hold nothing of what is needed next are ignored.
    pub fn supply(&mut self, chunk: Chunk, now: Duration) {
        if self.source.supply(chunk) && self.window.is_empty() {
            // The peer was kept waiting by us: its silence counts from here.
            self.clock.progress(now, None);
        }
    }

    /// Ends the transfer: storage failed, or the owner wants it to end. The peer is told by an ERROR.
    pub fn fail(&mut self, failure: Failure) {
        if !matches!(self.stage, Stage::Over(_)) {
            self.farewell = failure.farewell().map(|(code, words)| error_packet(code, words));
            self.end(Err(failure));
        }
    }

    /// Puts what has to go out now into `buffer`, which is cleared first. To be called until there is nothing.
    pub fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<Transmit> {
        buffer.clear();
        self.elapse(now);
        match self.stage {
            Stage::Requesting { .. } | Stage::Offering => {
                if !self.opening.transmit(now, buffer) {
                    return None;
                }
                self.clock.arm(now, 1);
                self.packets_sent += 1;
                Some(Transmit::single(buffer))
            }
            Stage::Sending => self.burst(now, buffer),
            Stage::Over(_) => {
                buffer.extend_from_slice(&self.farewell.take()?);
                self.packets_sent += 1;
                Some(Transmit::single(buffer))
            }
        }
    }

    /// When [`Sender::poll_transmit`] has to be called next if nothing happens before; none once it is over.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.stage {
            Stage::Over(_) => None,
            Stage::Requesting { .. } | Stage::Offering | Stage::Sending => Some(self.clock.next_deadline()),
        }
    }

    /// What became of it, once it has ended: the bytes of the file as storage has them.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Over(outcome) => Some(outcome),
            Stage::Requesting { .. } | Stage::Offering | Stage::Sending => None,
        }
    }

    /// Whether there is nothing left to do: it has ended and its last packet has gone out.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_)) && self.farewell.is_none()
    }

    /// Bytes the peer acknowledged so far, as they stand in the blocks.
    pub fn acknowledged_bytes(&self) -> u64 {
        self.offset_of(self.window.acknowledged() + 1).min(self.source.end())
    }

    /// Packets sent so far, repetitions included.
    pub fn packets_sent(&self) -> u64 {
        self.packets_sent
    }

    /// The first ACK or OACK came: what was agreed is in force from here.
    fn begin(&mut self, parameters: Parameters, now: Duration) {
        let round_trip = self.opening.sent_once_at.map(|sent_at| now.saturating_sub(sent_at));
        self.parameters = parameters;
        self.window = Window::new(parameters.window_size);
        self.clock.agree(parameters.timeout_s);
        self.clock.progress(now, round_trip);
        self.clock.disarm();
        self.opening = Opening::default();
        self.stage = Stage::Sending;
    }

    fn acknowledge(&mut self, block: u16, now: Duration) {
        match self.window.acknowledge(block, now, self.clock.shortest_round_trip() / 2) {
            Answer::Nothing => {}
            Answer::Gap => self.clock.disarm(),
            Answer::Progress { round_trip } => {
                self.clock.progress(now, round_trip);
                self.clock.disarm();
                let next = self.offset_of(self.window.acknowledged() + 1);
                self.source.release(next);
                if self.is_past_the_end(next) {
                    self.end(Ok(self.source.file_size()));
                }
            }
        }
    }

    fn elapse(&mut self, now: Duration) {
        if matches!(self.stage, Stage::Over(_)) {
            return;
        }
        if self.clock.is_hopeless(now) {
            let failure = if self.is_past_the_end(self.offset_of(self.window.sent() + 1)) {
                Failure::Unconfirmed
            } else if matches!(self.stage, Stage::Sending) && self.window.is_empty() {
                Failure::StorageSilent
            } else {
                Failure::Silent
            };
            self.fail(failure);
        } else if self.clock.has_expired(now) {
            match self.stage {
                Stage::Requesting { .. } | Stage::Offering => self.opening.due = true,
                Stage::Sending => self.window.rewind(),
                Stage::Over(_) => {}
            }
        }
    }

    /// As much of the window as fits one transmit.
    fn burst(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let block_size = usize::from(self.parameters.block_size);
        let segment_size = DATA_HEADER + block_size;
        let most = (self.burst / segment_size).clamp(1, MAX_BURST_SEGMENTS);
        let mut blocks = 0;
        while blocks < most && self.window.has_room() {
            let offset = self.offset_of(self.window.next());
            if self.is_past_the_end(offset) || !self.source.has(offset, block_size) {
                break;
            }
            encode_data_header(wire_number(self.window.next()), buffer);
            self.source.copy(offset, block_size, buffer);
            self.window.record_sent(now);
            blocks += 1;
        }
        if blocks == 0 {
            return None;
        }
        self.clock.arm(now, 1);
        self.packets_sent += blocks as u64;
        Some(Transmit { length: buffer.len(), segment_size: segment_size.min(buffer.len()) })
    }

    /// Where a block's contents begin in the encoded file. Blocks count from 1.
    fn offset_of(&self, block: u64) -> u64 {
        block.saturating_sub(1).saturating_mul(u64::from(self.parameters.block_size))
    }

    /// Whether a block that would begin here comes after the last one. The last is shorter than the others: it
    /// begins at or before the end of the file, even if nothing is left for it.
    fn is_past_the_end(&self, offset: u64) -> bool {
        self.source.is_complete() && offset > self.source.end()
    }

    fn end(&mut self, outcome: Outcome) {
        self.stage = Stage::Over(outcome);
        self.source.clear();
        self.window.clear();
        self.clock.disarm();
        self.opening = Opening::default();
    }
}
