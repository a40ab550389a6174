//! TFTP packets, and what a whole transfer makes of any.

use core::time::Duration;
use std::sync::Arc;

use tftp::{Chunk, Direction, Limits, Packet, Receiver, Sender, Timing};

/// Bytes of the file that is read, and of the largest that is written.
const SIZE: usize = 70_000;

/// A transfer that is let go on for so long has had each of its limits.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// What can be read can be written, and is the same then.
pub(crate) fn packet(bytes: &[u8]) {
    let Ok(packet) = Packet::decode(bytes) else { return };
    let mut written = Vec::new();
    packet.encode(&mut written);
    let again = Packet::decode(&written);
    assert!(again.is_ok(), "{bytes:02x?} became {written:02x?}: {again:?}");
}

/// The first packet is a request; each that follows comes some milliseconds later. A packet is a length and so many bytes.
pub(crate) fn session(bytes: &[u8]) {
    let mut packets = Packets(bytes);
    let Some(Ok(Packet::Request(request))) = packets.next().map(|(_, packet)| Packet::decode(packet)) else {
        return;
    };
    let (limits, timing) = (Limits::default(), Timing::default());
    let mut end = match request.direction {
        Direction::Read => {
            End::Sends(Sender::answer(&request, Some(SIZE as u64), &limits, &timing, Duration::ZERO))
        }
        Direction::Write => {
            End::Receives(Receiver::answer(&request, SIZE as u64, &limits, &timing, Duration::ZERO))
        }
    };
    let mut now = Duration::ZERO;
    end.settle(now);
    for (after, packet) in packets {
        now += after;
        if let Ok(packet) = Packet::decode(packet) {
            end.handle(&packet, now);
        }
        end.settle(now);
    }
    // Nobody answers any more: it comes to an end.
    let mut rounds = 0;
    while let Some(deadline) = end.next_deadline().filter(|_| !end.is_over()) {
        now = now.max(deadline);
        end.settle(now);
        rounds += 1;
        assert!(rounds < 10_000 && now < LONG, "it goes on for ever");
    }
    assert!(end.is_over());
}

struct Packets<'a>(&'a [u8]);

impl<'a> Iterator for Packets<'a> {
    type Item = (Duration, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[after, high, low], rest) = self.0.split_first_chunk()?;
        let (packet, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        self.0 = rest;
        Some((Duration::from_millis(after.into()), packet))
    }
}

enum End {
    Sends(Sender),
    Receives(Receiver),
}

impl End {
    fn handle(&mut self, packet: &Packet<'_>, now: Duration) {
        match self {
            Self::Sends(sender) => sender.handle(packet, now),
            Self::Receives(receiver) => receiver.handle(packet, now),
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        match self {
            Self::Sends(sender) => sender.next_deadline(),
            Self::Receives(receiver) => receiver.next_deadline(),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Sends(sender) => sender.is_over(),
            Self::Receives(receiver) => receiver.is_over(),
        }
    }

    /// Stores and reads at once, and sends what is to be sent now.
    fn settle(&mut self, now: Duration) {
        let mut buffer = Vec::new();
        // More than one window at a time is a flood.
        for _ in 0..1000 {
            match self {
                Self::Sends(sender) => {
                    while let Some(need) = sender.poll_need() {
                        let begin = usize::try_from(need.offset).unwrap_or(SIZE).min(SIZE);
                        let end = (begin + need.length.max(1)).min(SIZE);
                        let bytes: Arc<[u8]> = vec![b'\r'; end - begin].into();
                        sender.supply(Chunk { offset: need.offset, bytes, last: end == SIZE }, now);
                    }
                    if sender.poll_transmit(now, &mut buffer).is_none() {
                        return;
                    }
                }
                Self::Receives(receiver) => {
                    while let Some(write) = receiver.poll_write() {
                        receiver.written(write.offset + write.bytes.len() as u64, now);
                        if write.last {
                            receiver.stored(now);
                        }
                    }
                    if receiver.poll_transmit(now, &mut buffer).is_none() {
                        return;
                    }
                }
            }
        }
        assert!(self.is_over(), "it sends without end");
    }
}
