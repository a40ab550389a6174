//! A look before an end, or before a question, where there was none for long: whether the device is as it was before (row H16).

use super::step::{Rejected, Turn};
use super::{Closing, Failure, Outcome, State, Step, Story, Waiting};
use crate::operation::Task;
use crate::profile::Scope;
use crate::reading::{OperationReading, Reading};

impl Turn<'_> {
    /// No question is open any more, and the run is to end. Since it was asked, perhaps days ago, the device may have taken
    /// other software by itself.
    pub(super) fn close(&mut self, outcome: Outcome, reason: String) -> Result<(), Rejected> {
        self.run.closing = Some(Closing { outcome, reason });
        self.verify()
    }

    /// Looks whether the device is as it was before. Once it is looked for, it is given time.
    pub(super) fn verify(&mut self) -> Result<(), Rejected> {
        self.run.state = State::Verifying(Waiting::default());
        let text = "looking whether the device is as it was before".into();
        self.tell(Story::StepBegun { step: Step::Stopping, text });
        self.look(Scope::Whole);
        Ok(())
    }

    /// Nobody knows whether it is as it was before.
    pub(super) fn unverified(&mut self, failure: Failure) -> Result<(), Rejected> {
        match &self.run.closing {
            Some(Closing { reason, .. }) => {
                let but = "but nobody knows whether the device is as before";
                self.give_up(format!("{reason}, {but}: {}", failure.cause))
            }
            None => {
                self.run.returning = true;
                self.strand(failure)
            }
        }
    }

    /// The device was looked at before the end, or a question.
    pub(super) fn verified(&mut self, reading: &Reading) -> Result<(), Rejected> {
        if let Some(cause) = self.slid(reading) {
            self.note_failure(Failure { step: Step::Stopping, cause });
            return self.go_back();
        }
        if self.is_at_work(reading) {
            // It was not heard when that was to be stopped.
            return self.begin(Step::Stopping, Task::Stop);
        }
        self.tell(Story::StepDone { step: Step::Stopping, text: String::new() });
        self.settle_after(true)
    }

    /// Whether an operation of this run is still under way.
    fn is_at_work(&self, reading: &Reading) -> bool {
        let prefix = self.run.prefix();
        let is_ours = |shown: &OperationReading| !shown.state.is_over() && shown.id.starts_with(&prefix);
        reading.operation.as_ref().is_some_and(is_ours)
    }
}
