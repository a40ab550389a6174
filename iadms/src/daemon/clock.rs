//! The one clock of the daemon: never back, whatever the system's clock does.

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use upgrade::Time;

/// Starts at the later of the system's time and the last time stored, then follows the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    base: Duration,
    started: Instant,
}

impl Clock {
    /// A clock that goes on after `last`.
    pub fn after(last: Time) -> Self {
        Self { base: system().max(last.into()), started: Instant::now() }
    }

    /// What it reads when the system's clock, by which people go, reads `moment`: as far from now as that is by the system's.
    pub fn of_system(&self, moment: Time) -> Time {
        moved(moment, system(), self.elapsed())
    }

    /// Since 1970-01-01T00:00:00Z, as the protocol cores count it.
    pub fn elapsed(&self) -> Duration {
        self.base + self.started.elapsed()
    }

    /// The same as it is stored; it does not run ahead of [`Clock::elapsed`].
    pub fn now(&self) -> Time {
        Time::from_millis(u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Waits until then; for ever where there is no then.
    pub async fn sleep_until(&self, due: Option<Duration>) {
        match due {
            Some(due) => tokio::time::sleep_until(self.started + due.saturating_sub(self.base)).await,
            None => std::future::pending().await,
        }
    }
}

fn system() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A moment of the one clock by the other one, where both read this now.
fn moved(moment: Time, from: Duration, to: Duration) -> Time {
    let moment = Duration::from(moment);
    Time::from(to.saturating_sub(from.saturating_sub(moment)) + moment.saturating_sub(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_as_far_from_now_by_either_clock() {
        let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3_600));
        for (from, to) in [(day, day), (day, 30 * day), (30 * day, day)] {
            assert_eq!(moved(Time::from(from + hour), from, to), Time::from(to + hour), "to come");
            assert_eq!(moved(Time::from(from - hour), from, to), Time::from(to - hour), "gone by");
        }
        assert_eq!(moved(Time::from_millis(0), 2 * day, day), Time::from_millis(0));
    }
}
