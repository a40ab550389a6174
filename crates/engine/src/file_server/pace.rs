//! How fast files go over: each of them, and all together. What may not go yet waits, and nothing is dropped.

use core::num::NonZeroU64;
use core::time::Duration;

/// What was not used is made up for, but for no longer than this: what goes over in any second is the rate, and a twentieth more.
const MADE_UP: Duration = Duration::from_millis(50);

/// At once goes what takes this long, so that a thin link is not given a whole window to queue.
const AT_ONCE: Duration = Duration::from_millis(20);

/// A transfer is begun only if each can have so many bytes a second: a device waits a few seconds for a block, and no longer.
const LEAST_SHARE: u64 = 4096;

/// Bytes that a transfer moves in its turn, where they are counted: about what the largest packet has that is not fragmented.
const TURN: usize = 1500;

/// The most that goes over each second, in bytes of TFTP packets and of files by FTP; without a limit where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of all transfers together.
    pub all: Option<NonZeroU64>,
    /// Of each transfer.
    pub each: Option<NonZeroU64>,
}

impl Rates {
    /// The most that goes out at once, over a link of this rate.
    pub(super) fn burst(self, link: Option<NonZeroU64>) -> usize {
        let least = self.all.into_iter().chain(self.each).chain(link).min();
        let burst = least.map(|rate| u128::from(rate.get()) * AT_ONCE.as_millis() / 1000);
        burst.and_then(|burst| usize::try_from(burst).ok()).unwrap_or(usize::MAX)
    }
}

/// How many transfers there can be at once where they have so many bytes a second together.
pub(super) fn most_transfers(rate: Option<NonZeroU64>) -> usize {
    let most = rate.map(|rate| rate.get() / LEAST_SHARE);
    most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).max(1)
}

/// When the next bytes may go: the generic cell rate algorithm (ITU-T I.371 annex A), for packets of any size.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    free_at: Duration,
}

impl Pace {
    pub(super) fn is_free(self, now: Duration) -> bool {
        self.free_at <= now
    }

    /// The moment from which on the next bytes may go, or might have gone.
    pub(super) const fn next(self) -> Duration {
        self.free_at
    }

    /// The moment from which on the next bytes may go, if that is yet to come.
    pub(super) fn free_at(self, now: Duration) -> Option<Duration> {
        (!self.is_free(now)).then_some(self.free_at)
    }

    /// Bytes go.
    pub(super) fn spend(&mut self, bytes: usize, rate: Option<NonZeroU64>, now: Duration) {
        let Some(rate) = rate else { return };
        let takes = bytes as u128 * 1_000_000_000 / u128::from(rate.get());
        let takes = Duration::from_nanos(u64::try_from(takes).unwrap_or(u64::MAX));
        self.free_at = self.free_at.max(now.saturating_sub(MADE_UP)).saturating_add(takes);
    }
}

/// What one transfer may move: no more than its own rate, and in turn with others.
#[derive(Debug, Default)]
pub(super) struct Share {
    pace: Pace,
    /// Bytes that it moved beyond its turn.
    debt: usize,
}

impl Share {
    /// When it may move bytes again, if that is yet to come.
    pub(super) fn free_at(&self, now: Duration) -> Option<Duration> {
        self.pace.free_at(now)
    }

    /// Bytes go, in its turn.
    pub(super) fn take_turn(&mut self, bytes: usize, rate: Option<NonZeroU64>, now: Duration) {
        self.spend(bytes, rate, now);
        self.debt = bytes.saturating_sub(TURN);
    }

    /// Bytes have come.
    pub(super) fn spend(&mut self, bytes: usize, rate: Option<NonZeroU64>, now: Duration) {
        self.pace.spend(bytes, rate, now);
    }

    /// Whether it has to let others go first, who moved less at once.
    pub(super) const fn owes_a_turn(&mut self) -> bool {
        let owes = self.debt > 0;
        self.debt = self.debt.saturating_sub(TURN);
        owes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Bytes that go within each of so many seconds, in packets of this size.
    fn each_second(rate: u64, size: usize, seconds: u32) -> Vec<usize> {
        let (mut pace, mut gone) = (Pace::default(), Vec::new());
        for second in 0..seconds {
            let mut bytes = 0;
            for millisecond in 0..1000 {
                let now = MS * (10_000 + second * 1000 + millisecond);
                while pace.is_free(now) {
                    pace.spend(size, NonZeroU64::new(rate), now);
                    bytes += size;
                }
            }
            gone.push(bytes);
        }
        gone
    }

    #[test]
    fn no_second_has_more_than_a_twentieth_over_the_rate_and_none_much_less() {
        for (rate, size) in [(125_000, 1432), (1_000_000, 512), (12_500_000, 8196)] {
            let gone = each_second(rate, size, 5);
            for bytes in gone {
                let bytes = bytes as u64;
                assert!(bytes <= rate + rate / 20 + size as u64, "{bytes} of {rate}");
                assert!(bytes + size as u64 >= rate, "{bytes} of {rate}");
            }
        }
    }

    #[test]
    fn without_a_rate_everything_goes() {
        let mut pace = Pace::default();
        (0..1000).for_each(|_| pace.spend(65_000, None, MS));
        assert!(pace.is_free(MS));
        assert_eq!((Rates::default().burst(None), most_transfers(None)), (usize::MAX, usize::MAX));
    }

    #[test]
    fn a_thin_link_gets_little_at_once_and_few_transfers() {
        let rates = Rates { all: NonZeroU64::new(125_000), each: NonZeroU64::new(1_000_000) };
        assert_eq!((rates.burst(None), most_transfers(rates.all)), (2500, 30));
        assert_eq!((rates.burst(Some(NonZeroU64::MIN)), most_transfers(Some(NonZeroU64::MIN))), (0, 1));
    }
}
