//! An operator cancels: before the first activation what is under way is aborted, after it the device is brought back
//! to what it was before; then the run ends.

use super::step::{Rejected, Turn};
use super::{Closing, Effect, Goal, Outcome, State, Step, Story};
use crate::operation::{Cause, Operation, Task};

impl Turn<'_> {
    pub(super) fn cancel(&mut self, state: &State) -> Result<(), Rejected> {
        // Once more it gives up a device that could not be brought back since.
        let again = self.run.is_closing() && !matches!(state, State::Asking(_));
        if again || self.is_reached() {
            return Err(Rejected);
        }
        let reason = "cancelled by an operator".into();
        self.run.closing = Some(Closing { outcome: Outcome::Cancelled, reason });
        self.tell(Story::Cancelled);
        match state {
            State::Asking(question) => {
                self.tell(Story::Answered { answer: None });
                if question.lost {
                    let reason = "cancelled by an operator while the device could not be brought back";
                    return self.give_up(reason.into());
                }
                self.verify()
            }
            State::Working { step, operation } => self.cancel_operation(*step, operation),
            State::Soaking { .. } => self.go_back(),
            // It waits for the next attempt to bring the device back, which nobody has given up.
            State::Pausing { .. } if self.run.returning => self.bring_back(),
            // The device may have taken by itself what was loaded.
            State::Holding { .. } | State::Draining { .. } => self.begin(Step::Stopping, Task::Stop),
            State::Preflight(_) | State::Judging | State::Pausing { .. } if self.is_to_be_looked_at() => {
                self.verify()
            }
            State::Preflight(_) | State::Judging | State::Pausing { .. } => self.settle(),
            // Once it was looked at, the run ends.
            State::Verifying(_) => Ok(()),
            State::Ended(_) => Err(Rejected),
        }
    }

    /// Whether it may run other software than before by now, so that it is looked at before the run ends. For one that is
    /// not heard, and had nothing loaded, nobody waits.
    fn is_to_be_looked_at(&self) -> bool {
        let failed = self.run.failure.as_ref().map(|failure| &failure.cause);
        let is_heard = !matches!(failed, Some(Cause::Unreachable(..)));
        self.run.loaded.is_some() || (is_heard && self.run.old.is_some() && self.answers_for_software())
    }

    pub(super) fn cancel_operation(&mut self, step: Step, operation: &Operation) -> Result<(), Rejected> {
        // What is being undone is undone first.
        if self.run.returning || matches!(step, Step::OpeningCalls | Step::Stopping) {
            return Ok(());
        }
        // A SET on its way might arrive after a look that finds nothing to undo: it is waited for. A restart
        // that was commanded cannot be undone.
        if operation.is_commanding() || (step == Step::Resetting && operation.commanded) {
            return Ok(());
        }
        self.withdraw(operation);
        if matches!(step, Step::Activating | Step::RollingBack) && !operation.commanded {
            self.run.activated = None;
        }
        let restores = step == Step::Restoring && operation.may_have_written();
        self.note_untouched(step, operation);
        let changed = self.run.activated.is_some() || restores;
        if let Some(until) = operation.may_arrive_until(self.profile, self.now) {
            // Ended now, the run might have the device do afterwards what nobody wants any more.
            self.run.returning = changed;
            self.run.state = State::Pausing { until };
            return Ok(());
        }
        if changed { self.take_back(step) } else { self.begin(Step::Stopping, Task::Stop) }
    }

    /// Nothing is to be moved for it any more.
    pub(super) fn withdraw(&mut self, operation: &Operation) {
        // Before its first SET is prepared, nobody knows its tickets.
        if operation.before.is_some() {
            self.effects.push(Effect::Withdraw(operation.open_tickets()));
        }
    }

    /// What may have changed the device is undone.
    pub(super) fn take_back(&mut self, step: Step) -> Result<(), Rejected> {
        match (step, &self.run.goal) {
            (Step::Restoring, Goal::Restore { .. }) => {
                self.run.returning = true;
                self.restore_original()
            }
            _ if self.run.activated.is_some() => self.go_back(),
            _ => self.settle(),
        }
    }
}
