//! Calls are kept out before a restart, and let in again on every way out (row B6).

use super::step::{Rejected, Turn};
use super::{Failure, Outcome, Step, Story};
use crate::Time;
use crate::operation::{Cause, Operation, Task};
use crate::profile::Limits;
use crate::reading::Reading;

impl Turn<'_> {
    /// A restart lets calls in again, on most devices.
    pub(super) fn note_calls(&mut self, operation: &Operation, reading: &Reading) {
        let restarted = operation.commanded && self.restarts() && self.late_closing().is_none();
        self.run.calls_closed &= reading.calls_admitted.map_or(!restarted, |admitted| !admitted);
    }

    /// Whether the device takes no calls because of this run, or may do so yet: the command that stopped them may arrive once
    /// more.
    pub(super) fn may_refuse_calls(&self) -> bool {
        self.run.calls_closed || self.late_closing().is_some()
    }

    /// When the last copy of the command that stopped calls will have arrived, unless that is so by now.
    pub(super) fn late_closing(&self) -> Option<Time> {
        let late = Limits::span(self.profile.limits.late_s);
        self.run.told_to_close.map(|told| told + late).filter(|until| self.now < *until)
    }

    /// What follows may lead to a question, which may stay open for days.
    pub(super) fn let_calls_in_and_back_up(&mut self) -> Result<(), Rejected> {
        self.run.drifts = self.run.drifts.max(1);
        self.run.failure = Some(Failure { step: Step::Draining, cause: Cause::RevisionMoved });
        self.begin(Step::OpeningCalls, Task::OpenCalls)
    }

    /// Calls come in again.
    pub(super) fn calls_opened(&mut self, reading: &Reading) -> Result<(), Rejected> {
        let reached = self.is_reached();
        self.run.calls_closed = false;
        if reached && let Some((step, cause)) = self.left_what_was_reached() {
            return self.fail(step, cause);
        }
        let drift = Failure { step: Step::Draining, cause: Cause::RevisionMoved };
        let moved = self.run.failure.as_ref() == Some(&drift) && self.run.drifts > 0;
        if !reached && let Some(cause) = self.left_while_waiting(reading) {
            let failure = Failure { step: Step::Draining, cause };
            match self.is_rolled_back_by_itself(reading) {
                true => {}
                // What moved is not there to be backed up anew.
                false if moved => self.note_failure(failure),
                // Why it is brought back; what failed before is asked about.
                false => self.tell(Story::StepFailed(failure)),
            }
            return self.slid_by_itself(reading);
        }
        if moved && !self.run.is_closing() {
            // The settings moved while calls were kept out: they are backed up anew.
            self.run.failure = None;
            self.run.stranded = None;
            self.run.returning = false;
            return self.back_up();
        }
        if reached { self.succeed() } else { self.settle_after(true) }
    }

    /// Whether the goal is reached, and only calls are still to be let in: then nothing can be cancelled any more.
    pub(super) fn is_reached(&self) -> bool {
        let opening = self.run.current_step() == Some(Step::OpeningCalls);
        opening && self.run.failure.is_none() && !self.run.is_closing()
    }

    /// Calls are still not let in, or nobody knows. To whom that matters: a device is not as before while it refuses them.
    pub(super) fn calls_stay_closed(&mut self, failure: Failure) -> Result<(), Rejected> {
        if self.is_worth_another_try(&failure.cause) {
            self.count_bring_back();
            return self.begin(Step::OpeningCalls, Task::OpenCalls);
        }
        if self.is_reached() {
            if let Some((step, cause)) = self.left_what_was_reached() {
                return self.fail(step, cause);
            }
            // Where it took calls when it was heard last, it was only watched.
            let is_unheard = matches!(failure.cause, Cause::Unreachable(..));
            let but = match (is_unheard, std::mem::take(&mut self.run.calls_closed)) {
                (true, true) => "but was not heard since it took no calls",
                (true, false) => "but was not heard since, and nobody knows whether it takes calls",
                (false, true) => "but takes no calls",
                (false, false) => "but nobody knows whether it takes calls",
            };
            let reason = format!("{}, {but}: {}", self.reached(), failure.cause);
            return self.end(Outcome::Succeeded, reason);
        }
        self.run.returning = true;
        self.strand(failure)
    }
}
