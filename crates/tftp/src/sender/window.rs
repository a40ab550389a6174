//! The blocks in flight (RFC 7440; a window of one is RFC 1350), counted from 1 without end: only on the wire
//! does the number begin anew after 65,535.

use core::time::Duration;
use std::collections::VecDeque;

use crate::packet::wire_number;

/// What an ACK means for the sender.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Late, repeated or foreign: nothing is sent because of it.
    Nothing,
    /// Blocks have arrived, and sending goes on behind them.
    Progress {
        /// How long the last of them took, where it was sent only once.
        round_trip: Option<Duration>,
    },
    /// The first block in flight got lost: the window is sent again.
    Gap,
}

/// Where the sender stands. Everything up to `acknowledged` has arrived, up to `next` will not be sent again
/// unless it gets lost.
#[derive(Debug)]
pub(super) struct Window {
    size: u64,
    acknowledged: u64,
    next: u64,
    /// One entry for each block after `acknowledged` that was ever sent.
    in_flight: VecDeque<Flight>,
    /// How many more ACKs of `acknowledged` are owed to sending its block more than once. They tell nothing: were
    /// each taken for a gap, one doubled window would double all that follow.
    echoes: u32,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    times: u32,
    sent_at: Duration,
}

impl Window {
    pub(super) fn new(size: u16) -> Self {
        Self { size: size.max(1).into(), acknowledged: 0, next: 1, in_flight: VecDeque::new(), echoes: 0 }
    }

    /// Takes the number of an ACK. `too_soon`: an ACK that comes sooner after the window than this cannot be an
    /// answer to it.
    pub(super) fn acknowledge(&mut self, number: u16, now: Duration, too_soon: Duration) -> Answer {
        let ahead = usize::from(number.wrapping_sub(wire_number(self.acknowledged)));
        if ahead == 0 {
            return self.repeated(now, too_soon);
        }
        // An ACK of the past is nearly 65,536 ahead, and the window is far smaller.
        let Some(last) = self.in_flight.get(ahead - 1).copied() else { return Answer::Nothing };
        self.in_flight.drain(..ahead);
        self.acknowledged += ahead as u64;
        self.next = self.acknowledged + 1;
        self.echoes = last.times.saturating_sub(1);
        let round_trip = (last.times == 1).then(|| now.saturating_sub(last.sent_at));
        Answer::Progress { round_trip }
    }

    /// In a window of one an ACK that comes again is only that. In a larger one it is how a receiver says that
    /// the first block of the window is missing (RFC 7440 section 4), unless it can be explained otherwise.
    fn repeated(&mut self, now: Duration, too_soon: Duration) -> Answer {
        let Some(first) = self.in_flight.front().copied() else { return Answer::Nothing };
        if self.size == 1 || now.saturating_sub(first.sent_at) < too_soon {
            return Answer::Nothing;
        }
        if self.echoes > 0 {
            self.echoes -= 1;
            return Answer::Nothing;
        }
        self.rewind();
        Answer::Gap
    }

    /// Everything in flight has to be sent again.
    pub(super) fn rewind(&mut self) {
        self.next = self.acknowledged + 1;
    }

    /// The next block has gone out.
    pub(super) fn record_sent(&mut self, now: Duration) {
        let index = usize::try_from(self.next - self.acknowledged - 1).unwrap_or(usize::MAX);
        match self.in_flight.get_mut(index) {
            Some(flight) => *flight = Flight { times: flight.times.saturating_add(1), sent_at: now },
            None => self.in_flight.push_back(Flight { times: 1, sent_at: now }),
        }
        self.next += 1;
    }

    pub(super) fn has_room(&self) -> bool {
        self.next <= self.acknowledged + self.size
    }

    /// Whether nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// The last block that was ever sent.
    pub(super) fn sent(&self) -> u64 {
        self.acknowledged + self.in_flight.len() as u64
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn clear(&mut self) {
        self.in_flight = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sent(size: u16, blocks: usize) -> Window {
        let mut window = Window::new(size);
        (0..blocks).for_each(|_| window.record_sent(MS));
        window
    }

    #[test]
    fn in_a_window_of_one_a_repeated_ack_sends_nothing() {
        let mut window = sent(1, 1);
        assert_eq!(window.acknowledge(1, MS * 3, MS), Answer::Progress { round_trip: Some(MS * 2) });
        window.record_sent(MS * 3);
        assert_eq!(window.acknowledge(1, MS * 900, MS), Answer::Nothing);
        assert!(!window.has_room());
    }

    #[test]
    fn an_ack_within_the_window_sends_on_behind_the_gap() {
        let mut window = sent(4, 4);
        assert!(!window.has_room());
        assert_eq!(window.acknowledge(2, MS * 2, MS), Answer::Progress { round_trip: Some(MS) });
        assert_eq!((window.next(), window.sent()), (3, 4));
        assert_eq!(window.acknowledge(1, MS * 2, MS), Answer::Nothing, "late");
        assert_eq!(window.acknowledge(5, MS * 2, MS), Answer::Nothing, "not sent yet");
    }

    #[test]
    fn a_gap_at_the_first_block_is_believed_unless_the_ack_comes_too_soon() {
        let mut window = sent(4, 4);
        assert_eq!(window.acknowledge(0, MS * 2, MS * 5), Answer::Nothing);
        assert_eq!(window.acknowledge(0, MS * 9, MS * 5), Answer::Gap);
        assert_eq!(window.next(), 1);
    }

    #[test]
    fn a_window_sent_twice_is_acknowledged_twice_and_doubles_nothing() {
        let mut window = sent(2, 2);
        window.rewind();
        window.record_sent(MS * 100);
        window.record_sent(MS * 100);
        assert_eq!(window.acknowledge(2, MS * 101, MS), Answer::Progress { round_trip: None });
        window.record_sent(MS * 101);
        window.record_sent(MS * 101);
        assert_eq!(window.acknowledge(2, MS * 200, MS), Answer::Nothing, "the echo of the second sending");
        assert_eq!(window.acknowledge(2, MS * 201, MS), Answer::Gap);
    }

    #[test]
    fn numbers_begin_anew_after_65_535() {
        let mut window = Window::new(3);
        for round in 0..50_000u64 {
            (0..3).for_each(|_| window.record_sent(MS));
            let answer = window.acknowledge(wire_number((round + 1) * 3), MS * 2, MS);
            assert_eq!(answer, Answer::Progress { round_trip: Some(MS) });
        }
        assert_eq!(window.acknowledged(), 150_000);
    }
}
