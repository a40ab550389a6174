//! Calls in progress. While they are admitted one follows another; once admission is closed they drain.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::random::Random;

/// No device has more calls than this.
const CALLS_LIMIT: u32 = 10_000;

/// Whether new calls are taken (`iadSysCallAdmission`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallAdmission {
    /// They are.
    Open,
    /// They are not; those in progress go on.
    Closed,
}

/// The calls, each by the moment when it ends. Nobody has to wake for them: they are brought up to date when asked for.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    admission: CallAdmission,
    level: usize,
    ends: Vec<Duration>,
    longest: Duration,
}

impl Calls {
    pub(crate) fn new(level: u32, longest: Duration, random: &mut Random, now: Duration) -> Self {
        let mut calls = Self { admission: CallAdmission::Open, level: 0, ends: Vec::new(), longest };
        calls.set_level(level, random, now);
        calls
    }

    pub(crate) fn admission(&self) -> CallAdmission {
        self.admission
    }

    pub(crate) fn in_progress(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn admit(&mut self, admission: CallAdmission, random: &mut Random, now: Duration) {
        self.refresh(random, now);
        self.admission = admission;
        self.refresh(random, now);
    }

    /// How many calls there are from now on.
    pub(crate) fn set_level(&mut self, level: u32, random: &mut Random, now: Duration) {
        self.level = usize::try_from(level.min(CALLS_LIMIT)).unwrap_or_default();
        self.ends.truncate(self.level);
        self.refresh(random, now);
    }

    /// Ends what has ended by now, and takes new calls in their place.
    pub(crate) fn refresh(&mut self, random: &mut Random, now: Duration) {
        self.ends.retain(|end| *end > now);
        while self.admission == CallAdmission::Open && self.ends.len() < self.level {
            let longest = u64::try_from(self.longest.as_millis()).unwrap_or(u64::MAX).max(1);
            self.ends.push(now + Duration::from_millis(1 + random.up_to(longest - 1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_admission_lets_the_calls_drain_and_open_fills_up_again() {
        let (mut random, longest) = (Random::new(3), Duration::from_secs(100));
        let mut calls = Calls::new(20, longest, &mut random, Duration::ZERO);
        calls.refresh(&mut random, Duration::from_secs(1000));
        assert_eq!(calls.in_progress(), 20, "others followed");
        calls.admit(CallAdmission::Closed, &mut random, Duration::from_secs(1000));
        calls.refresh(&mut random, Duration::from_secs(1050));
        assert!((1..20).contains(&calls.in_progress()), "{} of 20 left half way", calls.in_progress());
        calls.refresh(&mut random, Duration::from_secs(1100));
        assert_eq!(calls.in_progress(), 0);
        calls.admit(CallAdmission::Open, &mut random, Duration::from_secs(1100));
        assert_eq!(calls.in_progress(), 20);
    }
}
