//! The figure: which part follows which.

use std::collections::BTreeSet;

use super::step::{Rejected, Turn};
use super::{BackedUp, Effect, Failure, Goal, Step, Story};
use crate::operation::{Cause, Operation, Task};
use crate::profile::ConvertedBy;
use crate::reading::{Capability, Reading};
use crate::{ConfigurationSet, Kind};

impl Turn<'_> {
    /// A part of the figure is done.
    pub(super) fn done(
        &mut self,
        step: Step,
        operation: &Operation,
        reading: &Reading,
    ) -> Result<(), Rejected> {
        let untouched = step == Step::RollingBack && self.is_back_untouched(reading);
        let text = if untouched { "with the settings it had all along".into() } else { found(operation) };
        self.tell(Story::StepDone { step, text });
        if step == Step::BackingUp && (self.run.returning || self.run.on_trial.is_some()) {
            return self.keep_found(operation, reading);
        }
        if step == Step::BackingUp {
            self.keep_backup(operation, reading);
            if self.run.backup.is_none() {
                return self.fail(step, Cause::NotSo("no file came".into()));
            }
        }
        if step == Step::Downloading && operation.commanded {
            self.run.left_there =
                Some(reading.other_configuration()).filter(|_| reading.tells_configuration());
        }
        if step == Step::RollingBack && self.run.on_trial.is_some() {
            // What was not looked at yet is not known.
            self.run.left_there = self.run.on_trial.take().filter(|known| !known.files.is_empty());
            self.run.bring_backs = 0;
        }
        if matches!(step, Step::Activating | Step::RollingBack | Step::Resetting) {
            self.note_calls(operation, reading);
        }
        if step == Step::Stopping
            && let Some(cause) = self.slid(reading)
        {
            self.note_failure(Failure { step, cause });
            return self.go_back();
        }
        let wrong = self.is_not_the_image(reading.running()).filter(|_| step == Step::Activating);
        // It ended before the device was told: the operator was told that it is stopped.
        let stopped = (operation.stop.is_some() && self.may_be_stopped(step)).then_some(Cause::Stopped);
        let forward = matches!(step, Step::Activating | Step::RollingBack) && !self.run.returning;
        if forward && self.left_later_settings(reading) {
            // Others made it run, or it came there by itself: the command would have been refused. What it left is later than
            // the backup, and is what it goes back to.
            self.run.activated = None;
            self.note_aside(reading);
            let cause = wrong.or(stopped).unwrap_or(Cause::RevisionMoved);
            self.note_failure(Failure { step, cause });
            return self.go_back();
        }
        if let Some(cause) = wrong.or(stopped) {
            return self.fail(step, cause);
        }
        // It may have come up with its other software, which nobody asked for.
        if step == Step::Resetting
            && let Some(cause) = self.left_the_old_software(reading)
        {
            return self.fail(step, cause);
        }
        if self.run.is_closing() && !self.run.returning && step != Step::OpeningCalls {
            return self.take_back(step);
        }
        match (step, self.run.goal.clone()) {
            (Step::ConfiguringServer, _) => self.back_up(),

            (Step::BackingUp, Goal::Upgrade { .. }) => self.judge(),
            (Step::BackingUp, Goal::Backup) => self.succeed(),
            (Step::BackingUp, Goal::Restore { set }) => {
                let over = self.run.backup.clone().map(|backup| vec![backup]);
                self.begin(Step::Restoring, Task::restore(set, over))
            }
            (Step::BackingUp, Goal::RollBack) => self.close_calls(),

            (Step::Downloading, _) => self.hold(),
            (Step::ClosingCalls, _) => self.drain(),
            (Step::Activating, _) => self.came_up(reading),
            (Step::Converting, _) => self.converted_by_device(operation),
            (Step::Restoring, Goal::Upgrade { .. }) => self.soak(reading),
            (Step::Restoring | Step::Confirming | Step::Resetting, _) => self.succeed(),

            // Where nothing was ever made to run, nothing was changed either: today's settings stay.
            (Step::RollingBack, _) if self.run.activated.is_none() && !operation.commanded => self.settle(),
            (Step::RollingBack, _) if untouched => self.settle(),
            (Step::RollingBack, _) if self.run.returning => self.restore_original(),
            (Step::RollingBack, _) => self.rolled_back(reading),
            (Step::RestoringOriginal | Step::Stopping, _) => self.settle(),
            (Step::OpeningCalls, _) => self.calls_opened(reading),

            (Step::BackingUp, Goal::Reset)
            | (Step::Preflight | Step::Judging | Step::Draining | Step::Soaking, _) => Err(Rejected),
        }
    }

    /// Whether what follows a part that is done waits for an operator who had it stopped. What is confirmed is so for good, and a
    /// device that has restarted is not restarted less.
    fn may_be_stopped(&self, step: Step) -> bool {
        let forward = !self.run.returning && !self.run.is_closing();
        let is_final =
            matches!(step, Step::Confirming | Step::Resetting | Step::OpeningCalls | Step::Stopping);
        forward && !is_final
    }

    /// The first part after preflight.
    pub(super) fn set_out(&mut self) -> Result<(), Rejected> {
        if matches!(self.run.goal, Goal::Reset) {
            return self.close_calls();
        }
        let address = self.run.server.address.to_string();
        let port = self.run.server.port;
        self.begin(Step::ConfiguringServer, Task::ConfigureServer { address, port })
    }

    pub(super) fn back_up(&mut self) -> Result<(), Rejected> {
        let kinds = self.kinds();
        self.begin(Step::BackingUp, Task::Backup { kinds, have: self.run.backup.clone() })
    }

    fn kinds(&self) -> Vec<Kind> {
        let mut chosen: BTreeSet<&Kind> = self.run.choices.kinds.iter().collect();
        if let (false, Goal::Restore { set }) = (chosen.is_empty(), &self.run.goal) {
            // What is written over is backed up first.
            chosen.extend(set.files.keys());
        }
        let mut kinds = self.profile.all_kinds();
        kinds.retain(|kind| chosen.is_empty() || chosen.contains(kind));
        kinds
    }

    fn keep_backup(&mut self, operation: &Operation, reading: &Reading) {
        let held = reading.running_configuration();
        let files = operation.written();
        if files.len() < operation.transfers.len() || files.is_empty() {
            // It was found that the earlier backup is still true.
            if let Some(backup) = &mut self.run.backup {
                backup.revision = held.revision;
            }
            return;
        }
        let set = ConfigurationSet { format: held.format, revision: held.revision, files };
        // Some devices write their secrets anew each time; that nothing was changed is told by the revision, too.
        let same = |before: &ConfigurationSet| {
            // Where digests are told, they alone count.
            let unmoved = set.revision.is_some() && before.revision == set.revision && held.files.is_empty();
            before.same_files(&set) || (unmoved && before.format == set.format)
        };
        if !self.run.backup.as_ref().is_some_and(same) {
            // What was made of the earlier one is not made of this one.
            self.run.converted = None;
        }
        self.keep(set.clone());
        self.run.backup = Some(set);
    }

    /// What was backed up from the software of which that was to be done is kept.
    pub(super) fn keep(&mut self, set: ConfigurationSet) {
        let software = self.software_for(Step::BackingUp);
        let version = software.map(|software| software.version.to_owned());
        self.effects.push(Effect::Keep(BackedUp { version, set }));
    }

    /// The settings changed since the backup: it is taken anew, a bounded number of times (row S16).
    pub(super) fn drift(&mut self, step: Step) -> Result<(), Rejected> {
        self.run.drifts += 1;
        self.run.activated = None;
        self.run.untouched = None;
        if step == Step::Draining {
            self.tell(Story::StepFailed(Failure { step, cause: Cause::RevisionMoved }));
        }
        if self.run.drifts > self.profile.limits.drift_repeats {
            self.run.drifts = 0;
            self.run.failure = Some(Failure { step, cause: Cause::RevisionMoved });
            return self.settle();
        }
        if self.run.calls_closed {
            return self.let_calls_in_and_back_up();
        }
        self.back_up()
    }

    pub(super) fn download(&mut self) -> Result<(), Rejected> {
        let Goal::Upgrade { image } = self.run.goal.clone() else { return Err(Rejected) };
        self.run.loaded = Some(image.manifest.version.clone());
        self.begin(Step::Downloading, Task::Download { image })
    }

    pub(super) fn activate(&mut self) -> Result<(), Rejected> {
        let Goal::Upgrade { image } = &self.run.goal else { return Err(Rejected) };
        let (version, digest) = (image.manifest.version.clone(), Some(image.digest));
        let revision = self.backed_up_revision();
        let trial_s = self.profile.limits.trial_s;
        let restart = self.restarts();
        self.run.activated = Some(self.now);
        self.begin(Step::Activating, Task::Activate { version, digest, trial_s, revision, restart })
    }

    /// The configuration revision that was backed up; 0 where the device tells none.
    pub(super) fn backed_up_revision(&self) -> u32 {
        self.run.backup.as_ref().and_then(|backup| backup.revision).unwrap_or(0)
    }

    pub(super) fn convert_or_restore(&mut self) -> Result<(), Rejected> {
        if self.run.conversion == Some(ConvertedBy::Device) && self.run.converted.is_none() {
            let kinds = self.run.backed_up().into_keys().collect();
            return self.begin(Step::Converting, Task::Convert { kinds });
        }
        match self.run.wanted_configuration().cloned() {
            Some(set) => {
                let over = self.run.on_trial.clone().map(|known| vec![known, set.clone()]);
                self.begin(Step::Restoring, Task::restore(set, over))
            }
            None => Err(Rejected),
        }
    }

    fn converted_by_device(&mut self, operation: &Operation) -> Result<(), Rejected> {
        let files = operation.written();
        self.run.converted = Some(ConfigurationSet { format: self.wanted_format(), revision: None, files });
        self.convert_or_restore()
    }

    /// The other software runs, because that was the goal: it gets today's configuration if it can read it.
    fn rolled_back(&mut self, reading: &Reading) -> Result<(), Rejected> {
        let version = reading.running().map(|buffer| buffer.version.clone()).unwrap_or_default();
        self.run.loaded = Some(version.clone());
        let reads =
            reading.running().and_then(|buffer| buffer.format).or_else(|| self.profile.format_of(&version));
        let fits = self.run.backup.as_ref().is_some_and(|set| reads.is_some() && set.format == reads);
        if fits && !self.has_later_settings_there() { self.came_up(reading) } else { self.succeed() }
    }

    pub(super) fn can(&self, capability: Capability) -> bool {
        self.run.old.as_ref().is_some_and(|old| old.capabilities.contains(&capability))
    }
}

fn found(operation: &Operation) -> String {
    if operation.commanded { String::new() } else { "found done".into() }
}
