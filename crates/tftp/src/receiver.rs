//! The side that receives a file: a client that reads (RRQ) or a server that answers a write (WRQ).
//!
//! The last ACK is withheld until storage says that it has the whole file, so that nobody is told of a success
//! that a full disk undoes; ACKs before are withheld while storage is too far behind.

mod sequence;

use core::time::Duration;

use self::sequence::{Arrival, Sequence};
use crate::netascii;
use crate::opening::Opening;
use crate::options::{Limits, Options, Parameters};
use crate::outcome::{Failure, Outcome, error_packet};
use crate::packet::{Direction, Mode, Packet, Request};
use crate::timing::{Retransmission, Timing};
use crate::transmit::Transmit;

/// Bytes that are collected before they are handed to storage.
const WRITE_BYTES: usize = 64 * 1024;
/// Bytes storage may be behind before ACKs are withheld.
const BEHIND_BYTES: u64 = 256 * 1024;
/// A receiver waits longer than a sender does, so that not both send again at once.
const PATIENCE: u32 = 2;

/// Receives one file from one peer.
#[derive(Debug)]
pub struct Receiver {
    stage: Stage,
    mode: Mode,
    parameters: Parameters,
    opening: Opening,
    sequence: Sequence,
    decoder: netascii::Decoder,
    /// Bytes of the file that storage has not been handed.
    collected: Vec<u8>,
    /// Bytes of the file so far.
    received: u64,
    /// Bytes of the file that storage has.
    written: u64,
    size_limit: u64,
    announced_size: Option<u64>,
    acknowledgement_due: bool,
    /// When the last ACK went out, while that was only once.
    acknowledged_once_at: Option<Duration>,
    clock: Retransmission,
    farewell: Option<Vec<u8>>,
    packets_sent: u64,
}

#[derive(Debug)]
enum Stage {
    /// Client: RRQ is out; an OACK or DATA 1 is awaited.
    Requesting { asked: Options },
    /// Server: OACK is out; DATA 1 is awaited.
    Offering,
    /// Blocks come in, ACKs go out.
    Receiving,
    /// The last block is in; storage has to say that it has the whole file.
    Storing { last_handed: bool },
    /// It has ended. Repetitions of the last block are answered for a while: their sender missed the last ACK.
    Over { outcome: Outcome, answers_until: Duration },
}

/// Bytes of the file in their order, for storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where in the file they begin.
    pub offset: u64,
    /// The bytes; none in the last write of a file whose end was not known before.
    pub bytes: Vec<u8>,
    /// Whether the file ends with them: storage then answers by [`Receiver::stored`].
    pub last: bool,
}

impl Receiver {
    /// A client that reads a file of at most `size_limit` bytes: asks the server by RRQ.
    ///
    /// Options out of range are brought into it; where `transfer_size` is set the server is asked for the size,
    /// in octet mode. The peer's address for everything after the request is the one its first answer comes from.
    pub fn request(
        filename: &str,
        mode: Mode,
        options: &Options,
        size_limit: u64,
        timing: &Timing,
        now: Duration,
    ) -> Self {
        let mut asked = options.in_range();
        asked.transfer_size = asked.transfer_size.filter(|_| mode == Mode::Octet).map(|_| 0);
        let opening = Opening::request(Direction::Read, filename, mode, &asked);
        let parameters = Options::default().parameters();
        Self::new(Stage::Requesting { asked }, opening, mode, parameters, size_limit, timing, now)
    }

    /// A server that answers a write request for a file of at most `size_limit` bytes.
    ///
    /// A client that announces more in octet mode is refused at once; the others when they send it.
    pub fn answer(
        request: &Request<'_>,
        size_limit: u64,
        limits: &Limits,
        timing: &Timing,
        now: Duration,
    ) -> Self {
        let asked = request.options.requested();
        let announced = asked.transfer_size.filter(|_| request.mode == Mode::Octet);
        let agreed = asked.within(limits, announced);
        let stage = if agreed.is_empty() { Stage::Receiving } else { Stage::Offering };
        let opening = Opening::option_acknowledgement(&agreed);
        let mut receiver =
            Self::new(stage, opening, request.mode, agreed.parameters(), size_limit, timing, now);
        receiver.announced_size = announced;
        receiver.acknowledgement_due = agreed.is_empty();
        if announced.is_some_and(|size| size > size_limit) {
            receiver.fail(Failure::TooLarge { limit: size_limit });
        }
        receiver
    }

    fn new(
        stage: Stage,
        opening: Opening,
        mode: Mode,
        parameters: Parameters,
        size_limit: u64,
        timing: &Timing,
        now: Duration,
    ) -> Self {
        let mut clock = Retransmission::new(*timing, now);
        clock.agree(parameters.timeout_s);
        Self {
            stage,
            mode,
            parameters,
            opening,
            sequence: Sequence::new(parameters.window_size),
            decoder: netascii::Decoder::default(),
            collected: Vec::new(),
            received: 0,
            written: 0,
            size_limit,
            announced_size: None,
            acknowledgement_due: false,
            acknowledged_once_at: None,
            clock,
            farewell: None,
            packets_sent: 0,
        }
    }

    /// Takes a packet of the peer. Packets that have no place here are ignored: they may be late or forged.
    pub fn handle(&mut self, packet: &Packet<'_>, now: Duration) {
        match (&self.stage, packet) {
            (Stage::Over { outcome, answers_until }, Packet::Data { block, .. }) => {
                let answers = outcome.is_ok() && now < *answers_until;
                self.acknowledgement_due |= answers && self.sequence.is_last_received(*block);
            }
            (Stage::Over { .. }, _) => {}
            (_, Packet::Error { code, message }) => self.fail(Failure::from_peer(*code, message)),
            (Stage::Requesting { asked }, Packet::OptionAcknowledgement(list)) => match list.agreed(asked) {
                Ok(agreed) => self.begin(&agreed, now),
                Err(_) => self.fail(Failure::OptionRefused),
            },
            // A server that knows no options sends the first block at once, and none is in force.
            (Stage::Requesting { .. } | Stage::Offering, Packet::Data { block, bytes }) => {
                if (1..=self.parameters.window_size).contains(block) {
                    self.begin_with_data(now);
                    self.data(*block, bytes, now);
                }
            }
            (Stage::Offering, Packet::Request(_)) => self.opening.due = true,
            (Stage::Receiving, Packet::Data { block, bytes }) => self.data(*block, bytes, now),
            // The ACK 0 was lost.
            (Stage::Receiving, Packet::Request(_) | Packet::OptionAcknowledgement(_)) => {
                self.acknowledgement_due |= self.sequence.received() == 0;
            }
            (Stage::Requesting { .. }, Packet::Request(_))
            | (Stage::Offering, Packet::OptionAcknowledgement(_))
            | (
                Stage::Storing { .. },
                Packet::Data { .. } | Packet::Request(_) | Packet::OptionAcknowledgement(_),
            )
            | (_, Packet::Acknowledgement { .. }) => {}
        }
    }

    /// What storage has to write next: in order, without holes, the last one marked.
    pub fn poll_write(&mut self) -> Option<Write> {
        let last = match &mut self.stage {
            Stage::Storing { last_handed } => !std::mem::replace(last_handed, true),
            Stage::Requesting { .. } | Stage::Offering | Stage::Receiving | Stage::Over { .. } => false,
        };
        if !last && self.collected.len() < WRITE_BYTES {
            return None;
        }
        let bytes = std::mem::take(&mut self.collected);
        Some(Write { offset: self.received - bytes.len() as u64, bytes, last })
    }

    /// Storage has every byte before `offset`.
    pub fn written(&mut self, offset: u64, now: Duration) {
        let was_behind = self.is_storage_behind();
        self.written = self.written.max(offset.min(self.received));
        if was_behind && !self.is_storage_behind() && matches!(self.stage, Stage::Receiving) {
            self.clock.progress(now, None);
            self.acknowledgement_due = true;
        }
    }

    /// Storage has the whole file: the last ACK goes out.
    pub fn stored(&mut self, now: Duration) {
        if matches!(self.stage, Stage::Storing { .. }) {
            self.acknowledgement_due = true;
            self.end(Ok(self.received), now.saturating_add(self.clock.dally()));
        }
    }

    /// Ends the transfer: storage failed, or the owner wants it to end. The peer is told by an ERROR.
    pub fn fail(&mut self, failure: Failure) {
        if !matches!(self.stage, Stage::Over { .. }) {
            self.farewell = failure.farewell().map(|(code, words)| error_packet(code, words));
            self.acknowledgement_due = false;
            self.end(Err(failure), Duration::ZERO);
        }
    }

    /// Puts what has to go out now into `buffer`, which is cleared first. To be called until there is nothing.
    pub fn poll_transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> Option<Transmit> {
        buffer.clear();
        self.elapse(now);
        if let Some(error) = self.farewell.take() {
            buffer.extend_from_slice(&error);
        } else if self.opening.transmit(now, buffer) {
            self.clock.arm(now, 1);
        } else if self.acknowledgement_due && !self.withholds_acknowledgement() {
            self.acknowledge(now, buffer);
        } else {
            return None;
        }
        self.packets_sent += 1;
        Some(Transmit::single(buffer))
    }

    /// When [`Receiver::poll_transmit`] has to be called next if nothing happens before; none once it is over.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.stage {
            Stage::Over { answers_until, .. } => Some(answers_until).filter(|until| !until.is_zero()),
            Stage::Requesting { .. } | Stage::Offering | Stage::Receiving | Stage::Storing { .. } => {
                Some(self.clock.next_deadline())
            }
        }
    }

    /// What became of it, once it has ended: the bytes of the file.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Over { outcome, .. } => Some(outcome),
            Stage::Requesting { .. } | Stage::Offering | Stage::Receiving | Stage::Storing { .. } => None,
        }
    }

    /// Whether there is nothing left to do: it has ended, its last packet has gone out, and the time in which
    /// the peer may miss the last ACK has passed.
    pub fn is_over(&self) -> bool {
        match self.stage {
            Stage::Over { answers_until, .. } => {
                self.farewell.is_none() && !self.acknowledgement_due && answers_until.is_zero()
            }
            Stage::Requesting { .. } | Stage::Offering | Stage::Receiving | Stage::Storing { .. } => false,
        }
    }

    /// Bytes of the file that have arrived.
    pub fn received_bytes(&self) -> u64 {
        self.received
    }

    /// The size the other side announced (`tsize`), if it did. It may be wrong: nothing goes by it.
    pub fn announced_size(&self) -> Option<u64> {
        self.announced_size
    }

    /// Packets sent so far, repetitions included.
    pub fn packets_sent(&self) -> u64 {
        self.packets_sent
    }

    /// The OACK came: what was agreed is in force, and ACK 0 says so.
    fn begin(&mut self, agreed: &Options, now: Duration) {
        let round_trip = self.opening.sent_once_at.map(|sent_at| now.saturating_sub(sent_at));
        self.parameters = agreed.parameters();
        self.announced_size = agreed.transfer_size;
        self.sequence = Sequence::new(self.parameters.window_size);
        self.clock.agree(self.parameters.timeout_s);
        self.clock.progress(now, round_trip);
        self.clock.disarm();
        self.opening = Opening::default();
        self.acknowledgement_due = true;
        self.stage = Stage::Receiving;
        if agreed.transfer_size.is_some_and(|size| size > self.size_limit) {
            self.fail(Failure::TooLarge { limit: self.size_limit });
        }
    }

    /// Blocks come in: whatever was agreed so far is in force.
    fn begin_with_data(&mut self, now: Duration) {
        let round_trip = self.opening.sent_once_at.map(|sent_at| now.saturating_sub(sent_at));
        self.clock.progress(now, round_trip);
        self.opening = Opening::default();
        self.stage = Stage::Receiving;
    }

    fn data(&mut self, block: u16, bytes: &[u8], now: Duration) {
        let block_size = usize::from(self.parameters.block_size);
        if bytes.len() > block_size {
            return self.fail(Failure::OversizedBlock);
        }
        match self.sequence.arrive(block) {
            Arrival::Next { acknowledge } => {
                let round_trip = self.acknowledged_once_at.take().map(|sent_at| now.saturating_sub(sent_at));
                self.clock.progress(now, round_trip);
                self.clock.arm(now, PATIENCE);
                self.collect(bytes, bytes.len() < block_size);
                self.acknowledgement_due |= acknowledge && matches!(self.stage, Stage::Receiving);
            }
            Arrival::Known { acknowledge } | Arrival::Ahead { acknowledge } => {
                self.acknowledgement_due |= acknowledge;
            }
            Arrival::Foreign => {}
        }
    }

    /// Keeps the contents of the next block for storage.
    fn collect(&mut self, bytes: &[u8], last: bool) {
        let before = self.collected.len();
        match self.mode {
            Mode::Octet => self.collected.extend_from_slice(bytes),
            Mode::Netascii => {
                self.decoder.decode(bytes, &mut self.collected);
                if last {
                    self.decoder.finish(&mut self.collected);
                }
            }
        }
        self.received += (self.collected.len() - before) as u64;
        if self.received > self.size_limit {
            self.fail(Failure::TooLarge { limit: self.size_limit });
        } else if last {
            self.acknowledgement_due = false;
            self.clock.disarm();
            self.stage = Stage::Storing { last_handed: false };
        }
    }

    fn acknowledge(&mut self, now: Duration, buffer: &mut Vec<u8>) {
        self.acknowledgement_due = false;
        let (block, is_new) = self.sequence.acknowledge();
        Packet::Acknowledgement { block }.encode(buffer);
        if matches!(self.stage, Stage::Receiving) {
            self.acknowledged_once_at = is_new.then_some(now);
            self.clock.arm(now, PATIENCE);
        }
    }

    fn elapse(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Over { answers_until, .. } => {
                if *answers_until <= now {
                    *answers_until = Duration::ZERO;
                }
            }
            Stage::Storing { .. } => {
                if self.clock.is_hopeless(now) {
                    self.fail(Failure::StorageSilent);
                }
            }
            Stage::Requesting { .. } | Stage::Offering | Stage::Receiving => {
                if self.clock.is_hopeless(now) {
                    let waits_for_storage = self.is_storage_behind();
                    self.fail(if waits_for_storage { Failure::StorageSilent } else { Failure::Silent });
                } else if self.clock.has_expired(now) {
                    match self.stage {
                        Stage::Receiving => self.acknowledgement_due = true,
                        _ => self.opening.due = true,
                    }
                }
            }
        }
    }

    fn is_storage_behind(&self) -> bool {
        self.received - self.written > BEHIND_BYTES
    }

    fn withholds_acknowledgement(&self) -> bool {
        matches!(self.stage, Stage::Receiving) && self.is_storage_behind()
    }

    fn end(&mut self, outcome: Outcome, answers_until: Duration) {
        self.stage = Stage::Over { outcome, answers_until };
        self.collected = Vec::new();
        self.clock.disarm();
        self.opening = Opening::default();
    }
}
