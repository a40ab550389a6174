//! Bringing the device back to what it was before: the old software, then the old configuration (rows H14, H16). It is
//! tried several times before anybody is asked, since a question would find the device on the wrong software.

use super::question::Policy;
use super::step::{Rejected, Turn};
use super::{AnswerKind, Failure, Goal, Step, Story};
use crate::ConfigurationSet;
use crate::operation::{Cause, Operation, Task};

/// How often what brings a device back is repeated by itself before an operator is asked.
const MOST_BRING_BACKS: u32 = 3;

impl Turn<'_> {
    pub(super) fn roll_back(&mut self) -> Result<(), Rejected> {
        let old = self.run.old.clone();
        let (version, buffer, revision) = match (&self.run.goal, old) {
            (Goal::RollBack, Some(old)) if !self.run.returning => {
                (old.standby_version.unwrap_or_default(), old.standby_buffer, self.backed_up_revision())
            }
            (_, Some(old)) => (old.version, old.buffer, self.revision_on_trial()),
            (_, None) => return Err(Rejected),
        };
        self.begin(Step::RollingBack, Task::RollBack { version, buffer, revision })
    }

    /// The device is brought back to what it was before; only then anybody is asked (rows H14, H16).
    pub(super) fn go_back(&mut self) -> Result<(), Rejected> {
        self.run.returning = true;
        let still_there = self.run.ran_last(self.run.target());
        let outdated = |known: &ConfigurationSet| known.is_outdated_by(&self.run.last.configuration);
        match still_there && self.run.on_trial.as_ref().is_some_and(outdated) {
            true => self.spare(),
            false => self.roll_back(),
        }
    }

    /// By what the device shows it is known that it never began a restore which was the goal, or what was to make it run other
    /// software: the SET may have been lost.
    pub(super) fn note_untouched(&mut self, step: Step, operation: &Operation) {
        let first = match step {
            Step::Restoring => matches!(self.run.goal, Goal::Restore { .. }) && !operation.is_repeat(),
            Step::Activating | Step::RollingBack => !self.run.returning,
            _ => false,
        };
        if first {
            let shown = operation.before.as_ref().and_then(|before| before.operation.clone());
            // One that shows none may have forgotten those before.
            self.run.untouched = shown.filter(|id| !id.is_empty());
        }
    }

    pub(super) fn restore_original(&mut self) -> Result<(), Rejected> {
        let Some(set) = self.run.backup.clone() else { return self.settle() };
        let own =
            [self.run.wanted_configuration(), self.run.replaced.as_ref()].into_iter().flatten().cloned();
        let over = Some([set.clone()].into_iter().chain(own).collect());
        let unless = self.run.untouched.clone();
        // From here on what it has may be half of this: it is not as before until that is seen, whatever it runs.
        self.run.activated.get_or_insert(self.now);
        self.begin(Step::RestoringOriginal, Task::Restore { set, over, unless, repeats: false })
    }

    /// Once more at what brings the device back, after a time in which much may have happened.
    pub(super) fn bring_back(&mut self) -> Result<(), Rejected> {
        let failed = self.run.stranded.as_ref().map(|failure| failure.step);
        let only_calls = failed == Some(Step::OpeningCalls) && self.run.activated.is_none();
        match self.run.goal {
            // It is looked at: for long it was not heard.
            _ if only_calls => self.begin(Step::OpeningCalls, Task::OpenCalls),
            Goal::Restore { .. } => self.restore_original(),
            // Nothing was made to run: what runs by now may be somebody's work.
            _ if self.run.activated.is_none() => self.verify(),
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
