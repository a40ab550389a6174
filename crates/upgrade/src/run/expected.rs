//! What one run of a device leaves to the next: with which software, and what was in its other buffer. It may leave that by
//! itself while no run looks.

use serde::{Deserialize, Serialize};

use super::{Ending, Goal, Outcome, Run, State};
use crate::ConfigurationSet;
use crate::reading::{Buffer, Reading, Software};

/// What earlier runs of a device know of it: it may have left its software by itself since, while nobody looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The version that it was left with.
    pub version: String,
    /// The index of its buffer.
    #[serde(default)]
    pub buffer: Option<u32>,
    /// The version that its other buffer held then; none where nobody knows.
    #[serde(default)]
    pub other_version: Option<String>,
    /// The configuration that went with it, by the device's word; none where the device was not seen then, or does not tell.
    pub other: Option<ConfigurationSet>,
    /// Whether some of that is in no backup, and may be somebody's work: it could not be backed up when that software was left.
    #[serde(default)]
    pub unkept: bool,
    /// Whether the last run restored that, while the device ran what is its other software here: it is of today, and nothing is
    /// later.
    #[serde(default)]
    pub restored: bool,
}

impl Expected {
    /// A device of which no run knows anything yet is to be left with what it runs.
    pub(crate) fn of(reading: &Reading) -> Option<Self> {
        let Buffer { version, index, .. } = reading.running()?;
        let other_version = reading.standby().map(|standby| standby.version.clone());
        Some(Self {
            version: version.clone(),
            buffer: Some(*index),
            other_version,
            other: reading.told_aside(),
            // Whatever it is, it was there before the first run.
            unkept: false,
            restored: false,
        })
    }

    /// The software that it was left with.
    pub(crate) fn software(&self) -> Software<'_> {
        Software { version: &self.version, buffer: self.buffer }
    }
}

impl Run {
    /// What the next run of the device is to know. A run that has changed no software passes on the version that it was told,
    /// and so does one that does not know what became of the device. One that was refused has learnt none.
    pub fn leaves(&self) -> Option<Expected> {
        let State::Ended(Ending { outcome, left_with, .. }) = &self.state else {
            return self.expected.clone();
        };
        let is_about_software = matches!(self.goal, Goal::Upgrade { .. } | Goal::RollBack);
        let has_changed = match outcome {
            Outcome::Succeeded => is_about_software,
            // What others only try it is not left with.
            Outcome::RolledBack | Outcome::EndedByOperator | Outcome::Cancelled if left_with.on_trial => {
                false
            }
            // Where it was to be rolled back to nothing was written yet: all is as it was.
            Outcome::RolledBack | Outcome::EndedByOperator | Outcome::Cancelled => match self.goal {
                Goal::RollBack => self.loaded.is_some() && self.left_there.is_some(),
                _ => self.loaded.is_some(),
            },
            Outcome::Refused | Outcome::DeviceLost => false,
        };
        let seen = left_with.software();
        let told = self.expected.as_ref();
        let left = seen.filter(|_| has_changed).or(told.map(Expected::software))?;
        let is_seen = seen.is_some_and(|seen| seen.is(left));
        let Software { version, buffer } = left;
        let unknown = Expected {
            version: version.to_owned(),
            buffer,
            other_version: None,
            other: None,
            unkept: false,
            restored: false,
        };
        let expected = match told {
            // Today's settings are those that were restored, whatever it was left with.
            Some(_) if self.has_restored() && !is_seen => match outcome {
                Outcome::Succeeded => Expected {
                    other_version: left_with.version.clone(),
                    unkept: !self.is_kept(&left_with.configuration),
                    other: Some(left_with.configuration.clone()),
                    restored: true,
                    ..unknown
                },
                _ => unknown,
            },
            // This run wrote there, and nobody knows what came of it: what is found there and was not seen by it is in no backup.
            Some(_) if *outcome == Outcome::DeviceLost && self.loaded.is_some() => {
                let seen = self.on_trial.as_ref().or(self.left_there.as_ref());
                Expected { other: Some(seen.cloned().unwrap_or_default()), ..unknown }
            }
            // The other software was tried, and somebody may have changed its settings then: these are no later than what was gone
            // back to.
            Some(told) if !has_changed && self.loaded.is_some() && is_seen => Expected {
                unkept: told.unkept || left_with.other.as_ref().is_some_and(|found| !self.is_kept(found)),
                other: left_with.other.clone().or_else(|| told.other.clone()),
                ..told.clone()
            },
            // What others changed there since has been kept by nobody.
            Some(told) if !has_changed => told.clone(),
            _ if is_seen => Expected {
                other_version: left_with.other_version.clone(),
                unkept: left_with.other.as_ref().is_some_and(|found| !self.is_kept(found)),
                other: left_with.other.clone(),
                ..unknown
            },
            _ => unknown,
        };
        (!expected.version.is_empty()).then_some(expected)
    }

    /// Whether a copy was taken of each file that is found in the other buffer, or it is nobody's work.
    pub(super) fn is_kept(&self, found: &ConfigurationSet) -> bool {
        let told = self.expected.as_ref().filter(|expected| !expected.unkept);
        let sets = [
            told.and_then(|expected| expected.other.as_ref()),
            self.left_there.as_ref(),
            self.on_trial.as_ref(),
            self.wanted_configuration(),
            self.backup.as_ref(),
        ];
        let is_known = |(kind, file)| sets.into_iter().flatten().any(|set| set.files.get(kind) == Some(file));
        found.files.iter().all(is_known)
    }

    /// Whether a restore, which was the goal, may have come to something.
    const fn has_restored(&self) -> bool {
        let ended = matches!(
            &self.state,
            State::Ended(Ending { outcome: Outcome::Succeeded | Outcome::DeviceLost, .. })
        );
        ended && matches!(self.goal, Goal::Restore { .. })
    }
}
