//! When to send again and when to give up: the round-trip time is measured and smoothed as in RFC 6298, ambiguous
//! measurements are left out (Karn), and each repetition doubles the wait.

use core::time::Duration;

/// How long to wait for the other side. Every span is bounded, so that a transfer always ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Before something is sent again while no round trip has been measured. The `timeout` option shortens it.
    pub first: Duration,
    /// The shortest time before something is sent again.
    pub floor: Duration,
    /// The longest time before something is sent again.
    pub cap: Duration,
    /// Without anything new from the peer for so long, the transfer has failed.
    pub give_up: Duration,
    /// How long a receiver that has everything answers a sender that missed the last ACK.
    pub dally: Duration,
}

impl Default for Timing {
    /// For links from a few microseconds to a few seconds: at most about 14 repetitions before giving up.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            floor: Duration::from_millis(50),
            cap: Duration::from_secs(4),
            give_up: Duration::from_secs(30),
            dally: Duration::from_secs(10),
        }
    }
}

/// How often something is sent again, at the least, before an agreed wait leads to giving up.
const REPETITIONS: u32 = 3;

/// The clockwork of one transfer.
#[derive(Debug)]
pub(crate) struct Retransmission {
    timing: Timing,
    /// What both sides have agreed to wait (RFC 2349): then nothing is measured, and nothing doubled.
    agreed: Option<Duration>,
    estimate: Option<Estimate>,
    doublings: u32,
    due: Option<Duration>,
    progress_at: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Estimate {
    smoothed: Duration,
    variation: Duration,
    shortest: Duration,
}

impl Retransmission {
    pub(crate) fn new(timing: Timing, now: Duration) -> Self {
        Self { timing, agreed: None, estimate: None, doublings: 0, due: None, progress_at: now }
    }

    /// The `timeout` option that was agreed: so long everything is waited for before it is sent again (RFC 2349).
    pub(crate) fn agree(&mut self, timeout_s: Option<u8>) {
        self.agreed = timeout_s.map(|seconds| Duration::from_secs(seconds.into()));
        if let Some(agreed) = self.agreed {
            self.timing.give_up = self.timing.give_up.max(agreed * REPETITIONS);
            // Whoever missed the last ACK sends again only then.
            self.timing.dally = self.timing.dally.max(agreed * 2);
        }
    }

    /// Starts the wait for an answer to what has just been sent; `patience` multiplies it.
    pub(crate) fn arm(&mut self, now: Duration, patience: u32) {
        let measured = self.wait().saturating_mul(patience).min(self.timing.cap);
        self.due = Some(now.saturating_add(self.agreed.unwrap_or(measured)));
    }

    /// Nothing is awaited, or what is due will be sent at once.
    pub(crate) fn disarm(&mut self) {
        self.due = None;
    }

    /// Whether the answer did not come in time. If so, the next wait is twice as long.
    pub(crate) fn has_expired(&mut self, now: Duration) -> bool {
        let expired = self.due.is_some_and(|due| due <= now);
        if expired {
            self.due = None;
            self.doublings = self.doublings.saturating_add(1);
        }
        expired
    }

    /// Something new came. `round_trip` is how long it took, where it answers something sent only once: without
    /// that the longer wait stays, since the answer may belong to either sending.
    pub(crate) fn progress(&mut self, now: Duration, round_trip: Option<Duration>) {
        self.progress_at = now;
        if let Some(sample) = round_trip {
            self.doublings = 0;
            self.estimate = Some(Estimate::with(self.estimate, sample));
        }
    }

    /// Whether nothing new came for too long.
    pub(crate) fn is_hopeless(&self, now: Duration) -> bool {
        now >= self.gives_up_at()
    }

    /// The next moment at which something has to be done.
    pub(crate) fn next_deadline(&self) -> Duration {
        self.due.map_or(self.gives_up_at(), |due| due.min(self.gives_up_at()))
    }

    /// The shortest round trip seen; the floor as long as none was.
    pub(crate) fn shortest_round_trip(&self) -> Duration {
        self.estimate.map_or(self.timing.floor, |estimate| estimate.shortest)
    }

    pub(crate) fn dally(&self) -> Duration {
        self.timing.dally
    }

    fn gives_up_at(&self) -> Duration {
        self.progress_at.saturating_add(self.timing.give_up)
    }

    fn wait(&self) -> Duration {
        let Timing { first, floor, cap, .. } = self.timing;
        let measured = self.estimate.map(|estimate| estimate.smoothed + estimate.variation * 4);
        let factor = 1u32.checked_shl(self.doublings).unwrap_or(u32::MAX);
        measured.unwrap_or(first).max(floor).saturating_mul(factor).min(cap)
    }
}

impl Estimate {
    /// RFC 6298 section 2, with α = 1/8 and β = 1/4.
    fn with(earlier: Option<Self>, sample: Duration) -> Self {
        match earlier {
            None => Self { smoothed: sample, variation: sample / 2, shortest: sample },
            Some(Self { smoothed, variation, shortest }) => Self {
                variation: (variation * 3 + smoothed.abs_diff(sample)) / 4,
                smoothed: (smoothed * 7 + sample) / 8,
                shortest: shortest.min(sample),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn wait(clock: &mut Retransmission, now: Duration) -> Duration {
        clock.arm(now, 1);
        clock.due.unwrap() - now
    }

    #[test]
    fn the_wait_follows_the_measured_round_trip() {
        let mut clock = Retransmission::new(Timing::default(), Duration::ZERO);
        assert_eq!(wait(&mut clock, MS), MS * 1000, "nothing measured yet");
        clock.progress(MS, Some(MS * 200));
        assert_eq!(wait(&mut clock, MS), MS * 600, "R + 4 × R/2");
        (0..100).for_each(|_| clock.progress(MS, Some(MS * 200)));
        assert!(wait(&mut clock, MS) < MS * 210, "a steady link needs little margin");
        (0..100).for_each(|_| clock.progress(MS, Some(MS / 10)));
        assert_eq!(wait(&mut clock, MS), MS * 50, "the floor");
    }

    #[test]
    fn each_repetition_doubles_the_wait_up_to_the_cap_until_a_clean_measurement() {
        let mut clock = Retransmission::new(Timing::default(), Duration::ZERO);
        clock.progress(MS, Some(MS * 100));
        let mut waits = Vec::new();
        for _ in 0..6 {
            clock.arm(MS, 1);
            waits.push(clock.due.unwrap() - MS);
            assert!(clock.has_expired(MS * 100_000));
            assert!(!clock.has_expired(MS * 100_000), "it expires once");
        }
        assert_eq!(waits, [300, 600, 1200, 2400, 4000, 4000].map(|millis| MS * millis));
        clock.progress(MS, None);
        assert_eq!(wait(&mut clock, MS), MS * 4000, "an ambiguous answer keeps the longer wait");
        clock.progress(MS, Some(MS * 100));
        assert!(wait(&mut clock, MS) < MS * 300);
    }

    #[test]
    fn an_agreed_timeout_is_kept_to() {
        let mut clock = Retransmission::new(Timing::default(), MS);
        clock.agree(Some(2));
        clock.progress(MS, Some(MS));
        for _ in 0..3 {
            assert_eq!(wait(&mut clock, MS), MS * 2000, "neither measured nor doubled");
            assert!(clock.has_expired(MS * 100_000));
        }
        clock.agree(Some(255));
        assert_eq!(wait(&mut clock, MS), MS * 255_000);
        assert!(!clock.is_hopeless(MS * 600_000), "it is repeated before it is given up");
        assert!(clock.is_hopeless(MS * 766_000));
    }

    #[test]
    fn silence_ends_it_whatever_the_repetitions() {
        let mut clock = Retransmission::new(Timing::default(), MS);
        assert_eq!(clock.next_deadline(), MS + Duration::from_secs(30));
        assert!(!clock.is_hopeless(MS * 30_000));
        assert!(clock.is_hopeless(MS * 30_001));
        clock.doublings = 200;
        assert_eq!(wait(&mut clock, MS), Duration::from_secs(4), "no overflow");
    }
}
