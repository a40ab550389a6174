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

    /// One that started before the system's was set forward by so much.
    #[cfg(test)]
    pub(crate) fn behind(by: Duration) -> Self {
        Self { base: system().saturating_sub(by), started: Instant::now() }
    }

    /// What it reads when the system's clock, by which people go, reads `moment`, and never sooner: where the system's is ahead, this
    /// one may go by that after the next start.
    pub fn of_system(&self, moment: Time) -> Time {
        let (system, own) = (system(), self.elapsed());
        if own > system { Time::from(Duration::from(moment) + (own - system)) } else { moment }
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
