//! Which block has to come next, and when an ACK is due (RFC 7440 section 4; a window of one is RFC 1350).

use crate::packet::wire_number;

/// What a block that came in is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The next one: its contents are taken.
    Next { acknowledge: bool },
    /// One that came before. The ACK of it may have been lost.
    Known { acknowledge: bool },
    /// One of this window, but those before it are missing.
    Ahead { acknowledge: bool },
    /// Neither: it is ignored.
    Foreign,
}

/// Where the receiver stands; blocks are counted from 1 without end.
#[derive(Debug)]
pub(super) struct Sequence {
    window_size: u64,
    /// The last block that arrived in order.
    received: u64,
    /// The last block an ACK went out for.
    acknowledged: u64,
    /// The block before the sender's window, as far as is known here.
    base: u64,
    /// The last block that came too early since the gap was reported.
    ahead: Option<u64>,
}

impl Sequence {
    pub(super) fn new(window_size: u16) -> Self {
        Self { window_size: window_size.max(1).into(), received: 0, acknowledged: 0, base: 0, ahead: None }
    }

    /// Takes the number of a block that came in.
    pub(super) fn arrive(&mut self, number: u16) -> Arrival {
        let distance = u64::from(number.wrapping_sub(wire_number(self.received)));
        if distance == 1 {
            self.received += 1;
            self.ahead = None;
            return Arrival::Next { acknowledge: self.received >= self.base + self.window_size };
        }
        if (2..=self.window_size).contains(&distance) {
            return self.ahead(self.received + distance);
        }
        // Numbers from before are counted backwards. There was no block 0 to begin with.
        let back = (65_536 - distance) % 65_536;
        if back >= self.received || back > self.window_size {
            return Arrival::Foreign;
        }
        self.known(self.received - back)
    }

    /// One gap is reported once; again only when the sender has begun anew and the block is still missing.
    fn ahead(&mut self, block: u64) -> Arrival {
        let began_anew = self.ahead.is_none_or(|last| block <= last);
        self.ahead = Some(block);
        Arrival::Ahead { acknowledge: began_anew }
    }

    /// The sender went back: its window begins at or before this block, and ends that much earlier.
    fn known(&mut self, block: u64) -> Arrival {
        self.base = self.base.min(block - 1);
        Arrival::Known { acknowledge: block == self.received && self.acknowledged == self.received }
    }

    /// The number an ACK has to carry, and whether it is the first for that block.
    pub(super) fn acknowledge(&mut self) -> (u16, bool) {
        let is_new = self.acknowledged < self.received;
        self.acknowledged = self.received;
        self.base = self.received;
        (wire_number(self.received), is_new)
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn is_last_received(&self, number: u16) -> bool {
        number == wire_number(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ack_for_each_window() {
        let mut sequence = Sequence::new(3);
        assert_eq!(sequence.arrive(1), Arrival::Next { acknowledge: false });
        assert_eq!(sequence.arrive(2), Arrival::Next { acknowledge: false });
        assert_eq!(sequence.arrive(3), Arrival::Next { acknowledge: true });
        assert_eq!(sequence.acknowledge(), (3, true));
        assert_eq!(sequence.arrive(3), Arrival::Known { acknowledge: true });
        assert_eq!(sequence.acknowledge(), (3, false));
    }

    #[test]
    fn a_gap_is_reported_at_once_and_once_for_each_time_the_window_is_sent() {
        let mut sequence = Sequence::new(4);
        assert_eq!(sequence.arrive(2), Arrival::Ahead { acknowledge: true }, "at the first block too");
        assert_eq!(sequence.arrive(3), Arrival::Ahead { acknowledge: false });
        assert_eq!(sequence.arrive(4), Arrival::Ahead { acknowledge: false });
        assert_eq!(sequence.arrive(2), Arrival::Ahead { acknowledge: true }, "lost again");
        assert_eq!(sequence.arrive(1), Arrival::Next { acknowledge: false });
        assert_eq!(sequence.arrive(3), Arrival::Ahead { acknowledge: true });
    }

    #[test]
    fn a_sender_that_went_back_is_acknowledged_where_its_window_ends() {
        let mut sequence = Sequence::new(4);
        sequence.arrive(1);
        sequence.arrive(2);
        sequence.acknowledge();
        // That ACK got lost, and the sender begins with block 1 again: its window ends with 4. Block 2, whose
        // repetition would be acknowledged, got lost this time.
        assert_eq!(sequence.arrive(1), Arrival::Known { acknowledge: false });
        assert_eq!(sequence.arrive(3), Arrival::Next { acknowledge: false });
        assert_eq!(sequence.arrive(4), Arrival::Next { acknowledge: true });
    }

    #[test]
    fn blocks_from_elsewhere_are_foreign() {
        let mut sequence = Sequence::new(1);
        for number in [0, 2, 3, 40_000, 65_535] {
            assert_eq!(sequence.arrive(number), Arrival::Foreign, "{number}");
        }
        assert_eq!(sequence.arrive(1), Arrival::Next { acknowledge: true });
    }
}
