//! How far work has come that only time moves on.

use core::time::Duration;

use super::hardware::Hardware;
use crate::fault::Phase;

/// Work of which only time shows how far it has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    from: u32,
    to: u32,
    began: Duration,
    ends: Duration,
}

impl Span {
    /// From nothing to `to`.
    pub(crate) fn of(to: u32, began: Duration, ends: Duration) -> Self {
        Self { from: 0, to, began, ends }
    }

    /// From one part of the operation done, in hundredths of a percent, to another.
    pub(crate) fn between(from: u32, to: u32, began: Duration, ends: Duration) -> Self {
        Self { from, to, began, ends }
    }

    pub(crate) fn is_over(&self, now: Duration) -> bool {
        now >= self.ends
    }

    /// How much of the operation is done by now, in hundredths of a percent.
    pub(crate) fn reached(&self, now: Duration) -> u32 {
        let total = self.ends.saturating_sub(self.began).as_micros();
        let gone = now.saturating_sub(self.began).as_micros().min(total);
        let part = (u128::from(self.to - self.from) * gone).checked_div(total);
        part.and_then(|part| u32::try_from(part).ok()).map_or(self.to, |part| self.from + part)
    }

    /// When the next progress is to be told, a fault may strike, or all is done.
    pub(crate) fn deadline(&self, hardware: &Hardware, now: Duration) -> Duration {
        let reached = self.reached(now);
        let step = hardware.settings.progress_step_percent.max(1) * 100;
        let phase = Phase::of(hardware.durable.operation.command);
        let stop = phase.and_then(|phase| hardware.next_stop(phase, reached));
        let next = stop.into_iter().chain([(reached / step + 1) * step]).min().unwrap_or(self.to);
        if next >= self.to {
            return self.ends;
        }
        // One microsecond more, so that the rounding of `reached` does not come to just before it.
        let part = self.ends.saturating_sub(self.began) * (next - self.from) / (self.to - self.from).max(1);
        (self.began + part + Duration::from_micros(1)).min(self.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_takes_no_time_is_done_at_once() {
        let span = Span::of(10_000, Duration::ZERO, Duration::ZERO);
        assert!(span.is_over(Duration::ZERO));
        assert_eq!(span.reached(Duration::ZERO), 10_000);
    }

    #[test]
    fn a_span_goes_evenly_from_its_beginning_to_its_end() {
        let span =
            Span { from: 500, to: 1500, began: Duration::from_secs(10), ends: Duration::from_secs(20) };
        assert_eq!(span.reached(Duration::from_secs(5)), 500);
        assert_eq!(span.reached(Duration::from_secs(15)), 1000);
        assert_eq!(span.reached(Duration::from_secs(99)), 1500);
    }
}
