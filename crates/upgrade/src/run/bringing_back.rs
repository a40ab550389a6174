//! Bringing the device back to what it was before: the old software, then the old configuration (rows H14, H16). It is
//! tried several times before anybody is asked, since a question would find the device on the wrong software.

use super::question::Policy;
use super::step::{Rejected, Turn};
use super::{AnswerKind, Effect, Failure, Goal, Step, Story};
use crate::ConfigurationSet;
use crate::operation::{Cause, Operation, Task};
use crate::reading::Reading;

/// How often what brings a device back is repeated by itself before an operator is asked.
const MOST_BRING_BACKS: u32 = 3;

impl Turn<'_> {
    pub(super) fn roll_back(&mut self) -> Result<(), Rejected> {
        let old = self.run.old.clone();
        let (version, revision) = match (&self.run.goal, old) {
            (Goal::RollBack, Some(old)) if !self.run.returning => {
                (old.standby_version.unwrap_or_default(), self.backed_up_revision())
            }
            (_, Some(old)) => (old.version, self.revision_on_trial()),
            (_, None) => return Err(Rejected),
        };
        self.begin(Step::RollingBack, Task::RollBack { version, revision })
    }

    /// The device is brought back to what it was before; only then anybody is asked (rows H14, H16).
    pub(super) fn go_back(&mut self) -> Result<(), Rejected> {
        self.run.returning = true;
        let still_there = self.run.last.version.as_deref() == self.run.target_version();
        let outdated = |known: &ConfigurationSet| known.is_outdated_by(&self.run.last.configuration);
        match still_there && self.run.on_trial.as_ref().is_some_and(outdated) {
            true => self.spare(),
            false => self.roll_back(),
        }
    }

    /// The revision up to which the configuration of the software on trial is kept; 0: none that matters is known.
    fn revision_on_trial(&self) -> u32 {
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
        let is_nobodys = left.as_ref().is_some_and(|left| left.files.is_empty()) || found.files.is_empty();
        let is_kept = [left.as_ref(), self.run.wanted_configuration(), self.run.backup.as_ref()]
            .into_iter()
            .flatten()
            .any(|known| known.same_files(&found));
        if is_nobodys || is_kept {
            self.run.on_trial = Some(found);
            return self.convert_or_restore();
        }
        self.run.on_trial = Some(ConfigurationSet::default());
        self.spare()
    }

    /// What a person changed on trial, and came whole, is not lost with the backup that failed.
    pub(super) fn keep_what_came(&mut self, step: Step, operation: &Operation) {
        if step == Step::BackingUp && self.run.on_trial.is_some() {
            let files = operation.written();
            if !files.is_empty() && files.len() == operation.transfers.len() {
                let ConfigurationSet { format, revision, .. } = self.run.last.configuration;
                self.effects.push(Effect::Keep(ConfigurationSet { format, revision, files }));
            }
        }
    }

    /// By what the device shows it is known that it never began a restore which was the goal: its SET may have been lost.
    pub(super) fn note_untouched(&mut self, step: Step, operation: &Operation) {
        if step == Step::Restoring && matches!(self.run.goal, Goal::Restore { .. }) && !operation.is_repeat()
        {
            self.run.untouched = operation.before.as_ref().and_then(|before| before.operation.clone());
        }
    }

    pub(super) fn restore_original(&mut self) -> Result<(), Rejected> {
        let Some(set) = self.run.backup.clone() else { return self.settle() };
        let own =
            [self.run.wanted_configuration(), self.run.replaced.as_ref()].into_iter().flatten().cloned();
        let over = Some([set.clone()].into_iter().chain(own).collect());
        let unless = self.run.untouched.clone();
        self.begin(Step::RestoringOriginal, Task::Restore { set, over, unless, repeats: false })
    }

    /// Something else is found than this run left there: where the original belongs it is what is left of this run, or a
    /// person's work while the device was out of reach; on trial, a person's work while it was watched. It is backed up
    /// before it is written over, or left.
    fn spare(&mut self) -> Result<(), Rejected> {
        let kinds = self.run.backed_up().into_keys().collect();
        self.begin(Step::BackingUp, Task::Backup { kinds, have: None })
    }

    pub(super) fn keep_found(&mut self, operation: &Operation, reading: &Reading) -> Result<(), Rejected> {
        let held = reading.running_configuration();
        let set =
            ConfigurationSet { format: held.format, revision: held.revision, files: operation.written() };
        self.effects.push(Effect::Keep(set.clone()));
        if self.run.on_trial.is_some() {
            self.run.on_trial = Some(set);
            return match (self.run.returning, self.run.is_closing()) {
                (true, _) => self.roll_back(),
                (false, true) => self.go_back(),
                (false, false) => self.convert_or_restore(),
            };
        }
        self.run.replaced = Some(set);
        self.restore_original()
    }

    /// Once more at what brings the device back.
    pub(super) fn bring_back(&mut self) -> Result<(), Rejected> {
        let failed = self.run.stranded.as_ref().map(|failure| failure.step);
        let only_calls = failed == Some(Step::OpeningCalls) && self.run.activated.is_none();
        match self.run.goal {
            // It is looked at: for long it was not heard.
            _ if only_calls => self.begin(Step::OpeningCalls, Task::OpenCalls),
            Goal::Restore { .. } => self.restore_original(),
            _ => self.roll_back(),
        }
    }

    /// What brings the device back failed. It is tried again by itself, under any policy: a question would find the device
    /// on the wrong software. What only time or an operator can change is asked about.
    pub(super) fn not_brought_back(&mut self, failure: Failure) -> Result<(), Rejected> {
        let moved = failure.cause == Cause::RevisionMoved;
        if self.run.on_trial.is_some() && (moved || failure.step == Step::BackingUp) {
            return self.not_kept_on_trial(&failure);
        }
        let other_found = failure.step == Step::RestoringOriginal && failure.cause == Cause::RevisionMoved;
        if other_found && self.run.replaced.is_none() {
            return self.spare();
        }
        if !self.is_worth_another_try(&failure.cause) {
            return self.strand(failure);
        }
        self.count_bring_back();
        if other_found { self.spare() } else { self.bring_back() }
    }

    /// The settings on trial moved, or could not be backed up. The device is not left on software that failed for that.
    fn not_kept_on_trial(&mut self, failure: &Failure) -> Result<(), Rejected> {
        if failure.cause == Cause::RevisionMoved && self.is_worth_another_try(&failure.cause) {
            self.count_bring_back();
            return self.spare();
        }
        self.run.on_trial = None;
        self.run.bring_backs = 0;
        self.roll_back()
    }

    pub(super) fn is_worth_another_try(&self, cause: &Cause) -> bool {
        let hopeless = matches!(
            cause,
            Cause::Unreachable(..) | Cause::Unheeded(_) | Cause::Impossible(_) | Cause::Stopped
        );
        !hopeless && self.run.bring_backs < MOST_BRING_BACKS
    }

    pub(super) fn count_bring_back(&mut self) {
        self.run.bring_backs += 1;
        self.tell(Story::Repeating { repeat: self.run.bring_backs, after_ms: 0 });
    }

    /// The device could not be brought back. What it is to be brought back from is still what failed.
    pub(super) fn strand(&mut self, failure: Failure) -> Result<(), Rejected> {
        let reason = failure.to_string();
        self.run.stranded = Some(failure);
        match self.run.choices.policy {
            Policy::Auto(times) if self.run.repeats < times && !self.run.is_closing() => self.pause(),
            Policy::Never => self.give_up(reason),
            _ => {
                let question = self.question(true, &[AnswerKind::Again, AnswerKind::End]);
                self.ask(question)
            }
        }
    }
}
