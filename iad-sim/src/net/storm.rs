//! A storm of notifications, as after a power cut in a whole region: devices report one after the other, at a steady rate.

use core::time::Duration;

/// A storm that is going on.
#[derive(Debug)]
pub(crate) struct Storm {
    begun: Duration,
    /// Notifications per second.
    rate: u32,
    /// How many in all.
    count: u64,
    sent: u64,
}

impl Storm {
    /// So many notifications, so many of them per second.
    pub(crate) const fn new(rate: u32, count: u64, now: Duration) -> Self {
        Self { begun: now, rate, count, sent: 0 }
    }

    /// The number of the next notification, from 0, if it is due by now.
    pub(crate) fn next(&mut self, now: Duration) -> Option<u64> {
        let due = u128::from(self.rate) * now.saturating_sub(self.begun).as_nanos() / 1_000_000_000;
        (self.sent < self.count && u128::from(self.sent) < due).then(|| {
            self.sent += 1;
            self.sent - 1
        })
    }

    /// When the next one is due; none once all are sent.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let nanoseconds = u128::from(self.sent + 1) * 1_000_000_000;
        let after = nanoseconds.div_ceil(u128::from(self.rate.max(1)));
        let after = Duration::from_nanos(u64::try_from(after).unwrap_or(u64::MAX));
        (self.sent < self.count).then(|| self.begun.saturating_add(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_due_as_the_rate_says_and_no_more_than_there_are() {
        let begun = Duration::from_secs(7);
        let mut storm = Storm::new(1000, 25, begun);
        let mut due = |after| {
            let now = begun + Duration::from_millis(after);
            core::iter::from_fn(|| storm.next(now)).count()
        };
        assert_eq!([0, 10, 10, 20, 1000].map(&mut due), [0, 10, 0, 10, 5]);
        assert_eq!(storm.deadline(), None);
    }

    #[test]
    fn the_next_is_due_when_its_deadline_says() {
        let mut storm = Storm::new(7, 100, Duration::ZERO);
        for number in 0..100 {
            let at = storm.deadline().unwrap();
            assert_eq!(storm.next(at - Duration::from_nanos(1)), None);
            assert_eq!(storm.next(at), Some(number));
        }
    }
}
