//! What the manager keeps: runs, their logs, backups and files. A commit is there whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::director::{Told, Write};
use snmp::usm::EngineId;
use upgrade::run::{BackedUp, Event, Expected};
use upgrade::{ConfigurationSet, DeviceId, Digest, Run, RunId, Time};

/// What survives the manager.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) runs: BTreeMap<RunId, StoredRun>,
    pub(crate) backups: Vec<Backup>,
    pub(crate) unique_ids: BTreeMap<DeviceId, String>,
    /// The engine that has proven to speak for each.
    pub(crate) engines: BTreeMap<DeviceId, EngineId>,
    /// Files by digest: images and what devices sent.
    pub(crate) files: BTreeMap<Digest, Arc<[u8]>>,
    /// Nothing more can be written.
    pub(crate) full: bool,
}

/// A run as it was committed last.
#[derive(Debug)]
pub(crate) struct StoredRun {
    pub(crate) run: Arc<Run>,
    pub(crate) seq: u64,
    pub(crate) told: u64,
    pub(crate) events: Vec<(Time, Event)>,
    pub(crate) stories: Vec<Told>,
}

/// A backup that is in the list of backups.
#[derive(Debug)]
pub(crate) struct Backup {
    pub(crate) device: DeviceId,
    pub(crate) set: ConfigurationSet,
}

/// Why a commit was refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The disk is full.
    Full,
    /// Somebody else wrote the run, or another run of the device is open: a fault of the manager.
    Conflict(RunId),
}

impl Store {
    /// Writes all of it or nothing, as the manager's store does.
    pub(crate) fn commit(&mut self, writes: &[Write]) -> Result<(), Refused> {
        if self.full {
            return Err(Refused::Full);
        }
        let mut begun: BTreeSet<DeviceId> = BTreeSet::new();
        for write in writes {
            let (id, device) = (write.run.id, write.run.device.id);
            let in_order = match self.runs.get(&id) {
                None => write.seq == 1 && self.open_run_of(device).is_none() && begun.insert(device),
                Some(stored) => stored.seq + 1 == write.seq && !stored.run.is_over(),
            };
            if !in_order {
                return Err(Refused::Conflict(id));
            }
        }
        for write in writes {
            self.write(write);
        }
        Ok(())
    }

    fn write(&mut self, write: &Write) {
        let stored = self.runs.entry(write.run.id).or_insert_with(|| StoredRun {
            run: Arc::clone(&write.run),
            seq: 0,
            told: 0,
            events: Vec::new(),
            stories: Vec::new(),
        });
        stored.run = Arc::clone(&write.run);
        stored.seq = write.seq;
        stored.events.extend(write.events.iter().cloned());
        stored.told = write.stories.last().map_or(stored.told, |story| story.n);
        stored.stories.extend(write.stories.iter().cloned());
        let device = write.run.device.id;
        let backup = |backup: &BackedUp| Backup { device, set: backup.set.clone() };
        self.backups.extend(write.backups.iter().map(backup));
        if let Some(unique_id) = &write.unique_id {
            self.unique_ids.insert(device, unique_id.clone());
        }
        if let Some(engine) = write.engine {
            self.engines.retain(|_, others| *others != engine);
            self.engines.insert(device, engine);
        }
    }

    /// The number for the next new run.
    pub(crate) fn next_run(&self) -> u64 {
        self.runs.keys().next_back().map_or(1, |last| last.0 + 1)
    }

    /// The runs that are not over.
    pub(crate) fn open_runs(&self) -> impl Iterator<Item = &StoredRun> {
        self.runs.values().filter(|stored| !stored.run.is_over())
    }

    /// The run of a device that is not over.
    pub(crate) fn open_run_of(&self, device: DeviceId) -> Option<&StoredRun> {
        self.open_runs().find(|stored| stored.run.device.id == device)
    }

    /// What the runs of a device know of it.
    pub(crate) fn expected(&self, device: DeviceId) -> Option<Expected> {
        self.runs.values().rfind(|stored| stored.run.device.id == device)?.run.leaves()
    }

    /// Whether a file with this digest was sent by this device and is kept as a backup of it.
    pub(crate) fn has_backup(&self, device: DeviceId, digest: Digest) -> bool {
        let holds = |set: &ConfigurationSet| set.files.values().any(|file| file.digest == digest);
        self.files.contains_key(&digest)
            && self.backups.iter().any(|backup| backup.device == device && holds(&backup.set))
    }
}
