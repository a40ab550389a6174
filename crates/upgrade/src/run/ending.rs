//! How a run ends, and what is said of it.

use super::step::{Rejected, Turn};
use super::{Ending, Goal, Outcome, State, Step, Story};
use crate::operation::Task;
use crate::profile::ConvertedBy;
use crate::reading::Reading;

impl Turn<'_> {
    pub(super) fn reason(&self) -> String {
        self.run.failure.as_ref().map_or_else(String::new, ToString::to_string)
    }

    /// The goal is reached. Not every device lets calls in again by itself.
    pub(super) fn succeed(&mut self) -> Result<(), Rejected> {
        self.run.failure = None;
        if self.may_refuse_calls() {
            return self.begin(Step::OpeningCalls, Task::OpenCalls);
        }
        let tried = self.leaves_on_trial().unwrap_or_default();
        self.end(Outcome::Succeeded, self.reached() + &tried)
    }

    /// Nothing is done at a device that runs the wanted version. Whether its settings are those of before, it says itself.
    pub(super) fn was_there_already(&self, version: &str, reading: &Reading) -> String {
        let held = reading.running_configuration();
        let ours = [self.run.wanted_configuration(), self.run.backup.as_ref()];
        let other = self.run.backup.is_some() && !ours.iter().flatten().any(|set| set.same_files(&held));
        let settings = if other { "; its configuration is another one than was backed up" } else { "" };
        format!("the device runs {version} already; nothing was to be done{settings}")
    }

    pub(super) fn give_up(&mut self, reason: String) -> Result<(), Rejected> {
        self.end(Outcome::DeviceLost, reason)
    }

    pub(super) fn end(&mut self, outcome: Outcome, reason: String) -> Result<(), Rejected> {
        let ending = Ending { outcome, reason, left_with: self.run.last.clone() };
        self.tell(Story::Ended(ending.clone()));
        self.run.state = State::Ended(ending);
        Ok(())
    }

    /// What was reached, for people.
    pub(super) fn reached(&self) -> String {
        match self.run.goal {
            Goal::Upgrade { .. } => self.upgraded(),
            Goal::Backup => "the configuration is backed up".into(),
            Goal::Restore { .. } => "the configuration is restored".into(),
            Goal::RollBack => self.runs_the_other(),
            Goal::Reset => "the device has restarted".into(),
        }
    }

    fn runs_the_other(&self) -> String {
        let version = self.run.target_version().unwrap_or_default();
        let held = &self.run.last.configuration.files;
        let todays = self.run.backed_up().iter().all(|(kind, file)| held.get(kind) == Some(file));
        let configuration = match todays {
            true => "its configuration of before",
            false => "the configuration that version had; the one of before is backed up",
        };
        format!("the device runs {version} with {configuration}")
    }

    fn upgraded(&self) -> String {
        let version = self.run.target_version().unwrap_or_default();
        let held = &self.run.last.configuration;
        let other = self.run.wanted_configuration().is_some_and(|wanted| !wanted.same_files(held));
        if other && !held.files.is_empty() {
            return format!("the device runs {version}; its configuration is another one than was restored");
        }
        let configuration = match self.run.conversion {
            None => "its configuration of before",
            Some(ConvertedBy::Device) => "its configuration, converted by the device",
            Some(ConvertedBy::Manager) => "its configuration, converted by the image's converter",
            Some(ConvertedBy::Operator) => "its configuration as edited",
        };
        format!("the device runs {version} with {configuration}")
    }
}
