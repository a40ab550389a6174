//! The director: all runs. It proposes what follows from a batch of messages; the daemon commits that, then it is
//! applied, then performed. After a crash, what was committed but not known performed begins with a look.
//!
//! Pure.

mod inputs;
mod message;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::inputs::Inputs;
pub use self::message::{Convert, Effect, Input, Told, Transaction, Turn, Write};
use self::turn::Working;
use crate::access::Access;
use upgrade::{DeviceId, Profile, Run, RunId, TicketName, Time};

/// A run and what goes with it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The run; shared with what is stored of it.
    pub run: Arc<Run>,
    /// The number of its last commit; the next one is for this number plus one.
    pub seq: u64,
    /// The number of the last story told of it.
    pub told: u64,
    /// The profile it began with.
    pub profile: Arc<Profile>,
    /// How its device is spoken to.
    pub access: Access,
    /// Tickets that the file server has not confirmed yet.
    pub(crate) opening: BTreeSet<TicketName>,
}

impl Entry {
    /// A run as it was stored.
    pub fn stored(
        run: impl Into<Arc<Run>>,
        seq: u64,
        told: u64,
        profile: Arc<Profile>,
        access: Access,
    ) -> Self {
        let run = run.into();
        Self { run, seq, told, profile, access, opening: BTreeSet::new() }
    }
}

/// All runs that are not over.
#[derive(Debug, Default)]
pub struct Director {
    runs: BTreeMap<RunId, Entry>,
    by_device: BTreeMap<DeviceId, RunId>,
    deadlines: BTreeSet<(Time, RunId)>,
}

impl Director {
    /// A director without runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// What follows from these messages. Nothing changes before [`Director::apply`].
    pub fn turn(&self, batch: &[Input], now: Time) -> Turn {
        let mut working = Working::new(self, now);
        for input in batch {
            working.take(input);
        }
        working.finish()
    }

    /// Takes what a turn proposed, once it is committed.
    pub fn apply(&mut self, turn: &Turn) {
        for (id, entry) in &turn.entries {
            if let Some(before) = self.runs.remove(id)
                && let Some(due) = before.run.next_deadline(&before.profile)
            {
                self.deadlines.remove(&(due, *id));
            }
            let device = entry.run.device.id;
            if entry.run.is_over() {
                if self.run_of(device) == Some(*id) {
                    self.by_device.remove(&device);
                }
                continue;
            }
            if let Some(due) = entry.run.next_deadline(&entry.profile) {
                self.deadlines.insert((due, *id));
            }
            self.by_device.insert(device, *id);
            self.runs.insert(*id, entry.clone());
        }
    }

    /// When [`Input::Clock`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// A run that is not over, and what goes with it.
    pub fn entry(&self, id: RunId) -> Option<&Entry> {
        self.runs.get(&id)
    }

    /// A run that is not over.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id).map(|entry| entry.run.as_ref())
    }

    /// The run of a device, where one is not over.
    pub fn run_of(&self, device: DeviceId) -> Option<RunId> {
        self.by_device.get(&device).copied()
    }

    /// All runs that are not over.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().map(|entry| entry.run.as_ref())
    }

    pub(crate) fn due(&self, now: Time) -> impl Iterator<Item = RunId> {
        self.deadlines.iter().take_while(move |(due, _)| *due <= now).map(|(_, id)| *id)
    }

    pub(crate) fn ids(&self) -> Vec<RunId> {
        self.runs.keys().copied().collect()
    }
}
