//! What is found on software that was made to run: on trial, or rolled back to. It is backed up before it is written over, and
//! before that software is left.

use super::step::{Rejected, Turn};
use super::{BackedUp, Effect, Failure, Goal, Step};
use crate::ConfigurationSet;
use crate::operation::{Cause, Operation, Task};
use crate::reading::Reading;

impl Turn<'_> {
    /// The revision up to which the configuration of the software on trial is kept; 0: none that matters is known.
    pub(super) fn revision_on_trial(&self) -> u32 {
        self.run.on_trial.as_ref().and_then(|known| known.revision).unwrap_or(0)
    }

    /// What the software on trial came with, or was given, is nobody's work.
    pub(super) fn note_on_trial(&mut self, reading: &Reading) {
        if matches!(self.run.goal, Goal::Upgrade { .. }) {
            self.run.on_trial = Some(reading.running_configuration());
        }
    }

    /// Other software runs, because that is wanted. What is found there and nobody knows is backed up before anything is restored
    /// over it: an image may have been found loaded, and what is rolled back to ran before.
    pub(super) fn came_up(&mut self, reading: &Reading) -> Result<(), Rejected> {
        let found = reading.running_configuration();
        let left = self.run.left_there.take();
        let is_kept = [left.as_ref(), self.run.wanted_configuration(), self.run.backup.as_ref()]
            .into_iter()
            .flatten()
            .any(|known| known.same_files(&found));
        let is_nothing = found.files.is_empty() && reading.tells_configuration();
        if is_nothing || is_kept {
            self.run.on_trial = Some(found);
            return self.convert_or_restore();
        }
        self.run.on_trial = Some(ConfigurationSet::default());
        self.spare()
    }

    /// What a person changed on trial, and came whole, is not lost with the backup that failed.
    pub(super) fn keep_what_came(&mut self, step: Step, operation: &Operation) {
        let files = operation.written();
        let is_whole = !files.is_empty() && files.len() == operation.transfers.len();
        if step != Step::BackingUp || self.run.on_trial.is_none() || !is_whole {
            return;
        }
        let last = &self.run.last;
        let holds =
            |set: &ConfigurationSet| files.iter().all(|(kind, file)| set.files.get(kind) == Some(file));
        let runs_there = self.run.ran_last(self.run.target());
        if runs_there && (last.configuration.files.is_empty() || holds(&last.configuration)) {
            let known = last.configuration.clone();
            return self.keep(ConfigurationSet { files, ..known });
        }
        // It has left that software: since then, or before it began; or it was elsewhere in between.
        let of_target = last.other_version.as_deref() == self.run.target_version();
        match last.other.clone().filter(holds) {
            Some(aside) if of_target => self.keep(ConfigurationSet { files, ..aside }),
            Some(aside) => {
                let set = ConfigurationSet { files, ..aside };
                self.effects.push(Effect::Keep(BackedUp { version: last.other_version.clone(), set }));
            }
            // It runs what it did before, or others have it run something.
            None if holds(&last.configuration) => {
                if !self.run.is_kept(&last.configuration) {
                    let set = ConfigurationSet { files, ..last.configuration.clone() };
                    self.effects.push(Effect::Keep(BackedUp { version: last.version.clone(), set }));
                }
            }
            None => {
                let set = ConfigurationSet { files, ..ConfigurationSet::default() };
                self.effects.push(Effect::Keep(BackedUp { version: None, set }));
            }
        }
    }

    /// Something else is found than this run left there: where the original belongs it is what is left of this run, or a
    /// person's work while the device was out of reach; on trial, a person's work while it was watched. It is backed up
    /// before it is written over, or left.
    pub(super) fn spare(&mut self) -> Result<(), Rejected> {
        let kinds = self.run.backed_up().into_keys().collect();
        self.begin(Step::BackingUp, Task::Backup { kinds, have: None })
    }

    pub(super) fn keep_found(&mut self, operation: &Operation, reading: &Reading) -> Result<(), Rejected> {
        let held = reading.running_configuration();
        let set =
            ConfigurationSet { format: held.format, revision: held.revision, files: operation.written() };
        self.keep(set.clone());
        if self.run.on_trial.is_some() {
            self.run.on_trial = Some(set);
            return match (self.run.returning, self.run.is_closing()) {
                (true, _) => self.roll_back(),
                (false, true) => self.go_back(),
                // It ended before the device was told: the operator was told that it is stopped.
                (false, false) if operation.stop.is_some() => {
                    self.note_failure(Failure { step: Step::BackingUp, cause: Cause::Stopped });
                    self.go_back()
                }
                (false, false) => self.convert_or_restore(),
            };
        }
        self.run.replaced = Some(set);
        self.restore_original()
    }

    /// The settings on trial moved, or could not be backed up. The device is not left on software that failed for that.
    pub(super) fn not_kept_on_trial(&mut self, failure: &Failure) -> Result<(), Rejected> {
        if failure.cause == Cause::RevisionMoved && self.is_worth_another_try(&failure.cause) {
            self.count_bring_back();
            return self.spare();
        }
        self.run.on_trial = None;
        self.run.bring_backs = 0;
        self.roll_back()
    }
}
