//! What many worlds came to, together.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fmt;

use crate::world::Verdict;

/// What many worlds came to.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many there were.
    pub worlds: u64,
    /// How many things happened in them.
    pub events: u64,
    /// How much time passed in them.
    pub passed: Duration,
    runs: u64,
    kills: u64,
    outcomes: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, verdict: &Verdict) {
        self.worlds += 1;
        self.events += verdict.events;
        self.passed += verdict.passed;
        self.runs += verdict.runs;
        self.kills += u64::from(verdict.kills);
        for (outcome, runs) in &verdict.outcomes {
            *self.outcomes.entry(outcome.clone()).or_default() += runs;
        }
    }

    /// Adds what somebody else has counted.
    pub fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.events += other.events;
        self.passed += other.passed;
        self.runs += other.runs;
        self.kills += other.kills;
        for (outcome, runs) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += runs;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worlds, events, runs, kills, .. } = self;
        write!(formatter, "{worlds} worlds, {events} events, {runs} runs, {kills} kills of the manager")?;
        self.outcomes.iter().try_for_each(|(outcome, runs)| write!(formatter, ", {runs} {outcome}"))
    }
}
