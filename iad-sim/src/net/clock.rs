//! The clock of one simulator: the time since it started.

use core::time::Duration;

use tokio::time::Instant;

/// Tells the time since a fixed moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that shows zero now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }

    /// Waits until the clock shows this; for ever without one.
    pub(crate) async fn until(self, deadline: Option<Duration>) {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(self.0 + deadline).await,
            None => core::future::pending().await,
        }
    }
}
