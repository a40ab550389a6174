//! Whether a message is of now: the time windows of RFC 3414 section 3.2 (7).

use std::time::Duration;

use super::EngineTime;
use super::engine::LATCHED;

/// So far a message's time may be from that of the engine, in seconds.
const WINDOW: u32 = 150;

/// What is known here of another engine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    boots: u32,
    /// The latest time it was heard to tell.
    latest: u32,
    /// When that was, by the clock here.
    heard: Duration,
}

/// A message is not of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Untimely {
    /// Its engine has started since; or its engine forgot how often it has started, and counts anew.
    #[error("its engine had started {told} times when it was written, and {known} times before that")]
    BootsWentBack {
        /// What it says.
        told: u32,
        /// What is known.
        known: u32,
    },
    /// It is older than the time window, or for the engine that keeps the time: newer.
    #[error("it is of second {told}, and now is second {now}")]
    OutsideWindow {
        /// What it says.
        told: u32,
        /// What is known.
        now: u32,
    },
    /// The engine has reached its last start and needs new keys (RFC 3414 section 2.2.2).
    #[error("its engine has counted its starts to the end, and needs new keys")]
    Latched,
    /// A message to the engine of another life of it.
    #[error("it is for start {told} of the engine, which is at start {own}")]
    OtherBoots {
        /// What it says.
        told: u32,
        /// What is so.
        own: u32,
    },
}

impl Clock {
    /// A clock that was just heard. Only what was authenticated tells the time.
    pub fn heard(told: EngineTime, now: Duration) -> Clock {
        Clock { boots: told.boots, latest: told.time, heard: now }
    }

    /// What it shows by now.
    pub fn reading(&self, now: Duration) -> EngineTime {
        EngineTime::after(
            self.boots,
            Duration::from_secs(u64::from(self.latest)) + now.saturating_sub(self.heard),
        )
    }

    /// Judges the time in an authentic message of that engine, and learns from it (RFC 3414 section 3.2 (7) (b)).
    ///
    /// # Errors
    /// The message is old, or the engine's count of starts went back.
    pub fn judge(&mut self, told: EngineTime, now: Duration) -> Result<(), Untimely> {
        if told.boots >= LATCHED || self.boots >= LATCHED {
            return Err(Untimely::Latched);
        }
        if (told.boots, told.time) > (self.boots, self.latest) {
            *self = Clock::heard(told, now);
            return Ok(());
        }
        if told.boots < self.boots {
            return Err(Untimely::BootsWentBack { told: told.boots, known: self.boots });
        }
        let shown = self.reading(now);
        if shown.boots > told.boots || told.time.saturating_add(WINDOW) < shown.time {
            return Err(Untimely::OutsideWindow { told: told.time, now: shown.time });
        }
        Ok(())
    }
}

/// Judges the time in a message to the engine that keeps it (RFC 3414 section 3.2 (7) (a)).
///
/// # Errors
/// The message is not of this life of the engine, or too far from now.
pub(crate) fn judge_own(own: EngineTime, told: EngineTime) -> Result<(), Untimely> {
    if own.boots >= LATCHED {
        return Err(Untimely::Latched);
    }
    if told.boots != own.boots {
        return Err(Untimely::OtherBoots { told: told.boots, own: own.boots });
    }
    if told.time.abs_diff(own.time) > WINDOW {
        return Err(Untimely::OutsideWindow { told: told.time, now: own.time });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(boots: u32, time: u32) -> EngineTime {
        EngineTime { boots, time }
    }

    #[test]
    fn a_clock_goes_on_between_what_is_heard_of_it() {
        let clock = Clock::heard(at(3, 100), 1000 * SECOND);
        assert_eq!(clock.reading(1007 * SECOND), at(3, 107));
        assert_eq!(clock.reading(999 * SECOND), at(3, 100));
    }

    #[test]
    fn messages_of_the_last_150_seconds_are_of_now() {
        let mut clock = Clock::heard(at(3, 1000), Duration::ZERO);
        assert_eq!(clock.judge(at(3, 1000), 150 * SECOND), Ok(()));
        assert_eq!(
            clock.judge(at(3, 1000), 151 * SECOND),
            Err(Untimely::OutsideWindow { told: 1000, now: 1151 })
        );
        // Its clock is faster than ours: what is newer is believed, and is the measure from then on.
        assert_eq!(clock.judge(at(3, 2000), 151 * SECOND), Ok(()));
        assert_eq!(
            clock.judge(at(3, 1849), 151 * SECOND),
            Err(Untimely::OutsideWindow { told: 1849, now: 2000 })
        );
        assert_eq!(clock.judge(at(3, 1850), 151 * SECOND), Ok(()));
    }

    #[test]
    fn a_start_is_believed_once_and_a_count_that_went_back_is_told() {
        let mut clock = Clock::heard(at(3, 1000), Duration::ZERO);
        assert_eq!(clock.judge(at(4, 0), SECOND), Ok(()));
        assert_eq!(clock.judge(at(3, 1001), SECOND), Err(Untimely::BootsWentBack { told: 3, known: 4 }));
        assert_eq!(clock.reading(2 * SECOND), at(4, 1));
    }

    #[test]
    fn an_engine_at_its_last_start_is_not_heard_any_more() {
        let mut clock = Clock::heard(at(3, 0), Duration::ZERO);
        assert_eq!(clock.judge(at(LATCHED, 7), SECOND), Err(Untimely::Latched));
        assert_eq!(judge_own(at(LATCHED, 7), at(LATCHED, 7)), Err(Untimely::Latched));
    }

    #[test]
    fn the_engine_that_keeps_the_time_takes_150_seconds_both_ways() {
        assert_eq!(judge_own(at(2, 500), at(2, 350)), Ok(()));
        assert_eq!(judge_own(at(2, 500), at(2, 650)), Ok(()));
        assert_eq!(judge_own(at(2, 500), at(2, 651)), Err(Untimely::OutsideWindow { told: 651, now: 500 }));
        assert_eq!(judge_own(at(2, 500), at(2, 349)), Err(Untimely::OutsideWindow { told: 349, now: 500 }));
        assert_eq!(judge_own(at(2, 500), at(1, 500)), Err(Untimely::OtherBoots { told: 1, own: 2 }));
    }

    #[test]
    fn seconds_that_run_over_count_as_a_start() {
        let all = Duration::from_secs(1 << 31);
        assert_eq!(EngineTime::after(7, all - SECOND), at(7, LATCHED));
        assert_eq!(EngineTime::after(7, all), at(8, 0));
        assert_eq!(EngineTime::after(LATCHED, all), at(LATCHED, 0));
    }
}
