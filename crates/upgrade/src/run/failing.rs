//! What follows a part of the figure that failed.

use super::step::{Rejected, Turn};
use super::{Failure, Goal, Policy, State, Step, Story};
use crate::operation::{Cause, Operation, Task};
use crate::profile::ConvertedBy;

impl Turn<'_> {
    /// A part of the figure failed as an operation.
    pub(super) fn failed(&mut self, step: Step, operation: &Operation, cause: Cause) -> Result<(), Rejected> {
        // Its transfers broke because the manager was restarted or hindered: that is no failure of the device.
        let broken_by_us = operation.resumed && !operation.transfers.is_empty();
        let other = operation.stop.is_some()
            || matches!(cause, Cause::Stopped | Cause::RevisionMoved | Cause::WrongVersion { .. });
        let returning = self.run.returning;
        if broken_by_us && !other && (returning || !self.run.is_closing()) {
            return self.begin(step, again(operation, &self.run));
        }
        self.keep_what_came(step, operation);
        if step == Step::RollingBack && returning && operation.commanded {
            // It was told to leave what it still runs.
            self.run.seen_away =
                Some(cause.clone()).filter(|cause| matches!(cause, Cause::WrongVersion { .. }));
        }
        let in_vain = !operation.commanded || cause == Cause::RevisionMoved;
        if matches!(step, Step::Activating | Step::RollingBack) && in_vain && !returning {
            // Nothing else was ever made to run.
            self.run.activated = None;
        }
        self.note_untouched(step, operation);
        let restores = step == Step::Restoring && matches!(self.run.goal, Goal::Restore { .. });
        if restores && !operation.may_have_written() && cause != Cause::RevisionMoved {
            self.note_failure(Failure { step, cause });
            return self.settle();
        }
        if restores && operation.is_repeat() && cause == Cause::RevisionMoved {
            // Part of it may be what was restored: that is not the configuration of before.
            self.note_failure(Failure { step, cause });
            self.run.returning = true;
            return self.restore_original();
        }
        let unheard = matches!(cause, Cause::Unreachable(..));
        if step == Step::RollingBack && !operation.commanded && !returning && unheard {
            // It may be where it is to be rolled back to already.
            self.note_failure(Failure { step, cause });
            return self.settle();
        }
        let goes_on = match cause {
            Cause::TimeLimit(_) | Cause::Stalled(_) => true,
            // What a device is at after a restart has begun since. Others are looked at, or brought back.
            Cause::Restarted => !self.answers_for_software(),
            Cause::WrongVersion { .. } => !self.is_to_be_brought_back(),
            _ => false,
        };
        let first = !returning && self.run.on_trial.is_none();
        if step == Step::BackingUp && operation.commanded && goes_on && !self.run.is_closing() && first {
            // The device may be at it still, and would take no other operation.
            self.note_failure(Failure { step, cause });
            return self.begin(Step::Stopping, Task::Stop);
        }
        // Settings that moved are no reason to begin anew what an operator has stopped.
        let stopped = operation.stop.is_some() && cause == Cause::RevisionMoved && first;
        self.fail(step, if stopped { Cause::Stopped } else { cause })
    }

    /// A part of the figure failed.
    pub(super) fn fail(&mut self, step: Step, cause: Cause) -> Result<(), Rejected> {
        let failure = Failure { step, cause: cause.clone() };
        self.tell(Story::StepFailed(failure.clone()));
        match step {
            Step::OpeningCalls => return self.calls_stay_closed(failure),
            Step::Stopping if matches!(self.run.state, State::Verifying(_)) => {
                return self.unverified(failure);
            }
            // It may run by itself what was loaded, or what it is to be rolled back to.
            Step::Stopping if matches!(cause, Cause::Unreachable(..)) && self.may_have_slid() => {
                return self.verify();
            }
            Step::Stopping => {
                if let Some(closing) = &mut self.run.closing {
                    closing.reason += &format!("; {cause}");
                }
                return self.settle();
            }
            _ if self.run.returning => return self.not_brought_back(failure),
            Step::BackingUp | Step::Activating | Step::RollingBack | Step::Restoring
                if cause == Cause::RevisionMoved && !self.run.is_closing() && self.run.on_trial.is_none() =>
            {
                return self.drift(step);
            }
            _ => {}
        }
        self.run.failure = Some(failure);
        match step {
            // What is found on trial is not restored over, and stays where it is.
            Step::BackingUp if self.run.on_trial.is_some() => {
                self.run.on_trial = None;
                self.go_back()
            }
            // By itself it has taken what was loaded: the old software is what its settings are for.
            Step::Preflight | Step::ConfiguringServer | Step::BackingUp
                if self.is_to_be_brought_back() && self.has_left(step, &cause) =>
            {
                self.go_back()
            }
            // Not each failure comes with a whole look, and a restart may have led to other software.
            Step::ConfiguringServer | Step::BackingUp | Step::ClosingCalls
                if (cause == Cause::Restarted && self.answers_for_software())
                    || (self.run.loaded.is_some() && !matches!(cause, Cause::Unreachable(..))) =>
            {
                self.verify()
            }
            Step::Preflight
            | Step::ConfiguringServer
            | Step::BackingUp
            | Step::Judging
            | Step::ClosingCalls => self.settle(),
            Step::Converting | Step::Restoring if self.may_repeat_on_trial(&cause) => {
                self.run.repeats += 1;
                self.tell(Story::Repeating { repeat: self.run.repeats, after_ms: 0 });
                self.run.converted = None;
                self.convert_or_restore()
            }
            Step::Downloading
            | Step::Draining
            | Step::Activating
            | Step::Converting
            | Step::Soaking
            | Step::Confirming
            | Step::Resetting => self.go_back(),
            Step::Restoring => match self.run.goal {
                Goal::Restore { .. } => {
                    self.run.returning = true;
                    self.restore_original()
                }
                _ => self.go_back(),
            },
            Step::RollingBack => self.go_back(),
            Step::RestoringOriginal | Step::OpeningCalls | Step::Stopping => Err(Rejected),
        }
    }

    /// Whether a restore is repeated on the new software, by itself: the policy says so, the device is still on
    /// trial, and what failed was the restore and not the device. What the manager or an operator converted is
    /// converted anew, which begins before the download (row H23).
    fn may_repeat_on_trial(&self, cause: &Cause) -> bool {
        let Policy::Auto(times) = self.run.choices.policy else { return false };
        let trial = core::time::Duration::from_secs(u64::from(self.profile.limits.trial_s));
        let in_time = self.run.activated.is_some_and(|at| trial.is_zero() || self.now < at + trial);
        let still_there = !matches!(
            cause,
            Cause::NotSo(_)
                | Cause::RevisionMoved
                | Cause::Restarted
                | Cause::Unreachable(..)
                | Cause::Unheeded(_)
                | Cause::WrongVersion { .. }
                | Cause::Stopped
        );
        let simple = matches!(self.run.conversion, None | Some(ConvertedBy::Device));
        let upgrade = matches!(self.run.goal, Goal::Upgrade { .. });
        upgrade && in_time && still_there && simple && !self.run.is_closing() && self.run.repeats < times
    }

    pub(super) fn note_failure(&mut self, failure: Failure) {
        self.tell(Story::StepFailed(failure.clone()));
        self.run.failure = Some(failure);
    }
}

/// The task of an operation that is done over.
fn again(operation: &Operation, run: &super::Run) -> Task {
    match &operation.task {
        Task::Backup { kinds, .. } => {
            let have = run.backup.clone().filter(|_| !run.returning && run.on_trial.is_none());
            Task::Backup { kinds: kinds.clone(), have }
        }
        // A part of it may have been applied. What else is found there was changed since.
        Task::Restore { set, over: Some(over), unless, .. } if operation.may_have_written() => {
            let over = over.iter().chain([set]).cloned().collect();
            Task::Restore { set: set.clone(), over: Some(over), unless: unless.clone(), repeats: true }
        }
        other => other.clone(),
    }
}
