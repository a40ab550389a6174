//! The waits of a run between operations: for calls to end, for health to last, for a device to answer.

use core::time::Duration;

use super::step::{Rejected, Turn};
use super::{Goal, State, Step, Story, Waiting};
use crate::Time;
use crate::operation::{Cause, Task};
use crate::profile::{Command, Limits, Scope};
use crate::reading::{Capability, Pulse, Reading};

impl Turn<'_> {
    pub(super) fn reach(&self) -> Duration {
        Limits::span(self.profile.limits.reach_s)
    }

    /// Looks again after the poll interval.
    pub(super) fn wait(&mut self, silent: Option<Time>) {
        let due = Some(self.now + Limits::span(self.profile.limits.poll_s));
        self.set_waiting(Waiting { silent, next: due });
    }

    /// A wait for a device that is not heard: looked for until the profile's limit.
    pub(super) fn unheard(&mut self, step: Step, waiting: Waiting, why: &str) -> Result<(), Rejected> {
        let since = waiting.silent.unwrap_or(self.now);
        let silent = self.now - since;
        if silent >= self.reach() {
            return self.fail(step, Cause::Unreachable(silent.as_secs(), why.to_owned()));
        }
        self.wait(Some(since));
        Ok(())
    }

    /// Looks now.
    pub(super) fn look_now(&mut self, silent: Option<Time>) {
        self.set_waiting(Waiting { silent, next: None });
        self.look(Scope::Whole);
    }

    const fn set_waiting(&mut self, as_of_now: Waiting) {
        if let State::Preflight(waiting)
        | State::Verifying(waiting)
        | State::Draining { waiting, .. }
        | State::Soaking { waiting, .. } = &mut self.run.state
        {
            *waiting = as_of_now;
        }
    }

    pub(super) fn look_when_due(&mut self, waiting: Waiting) -> Result<(), Rejected> {
        if waiting.next.is_none_or(|due| self.now < due) {
            return Err(Rejected);
        }
        self.look_now(waiting.silent);
        Ok(())
    }

    /// The image is loaded: activation may wait for its time.
    pub(super) fn hold(&mut self) -> Result<(), Rejected> {
        match self.run.choices.activate_at.filter(|at| *at > self.now) {
            Some(until) => {
                self.run.state = State::Holding { until };
                Ok(())
            }
            None => self.close_calls(),
        }
    }

    /// New calls are stopped where a restart would cut them off (row B6).
    pub(super) fn close_calls(&mut self) -> Result<(), Rejected> {
        if self.restarts() && self.profile.command(Command::CloseCalls).is_some() {
            self.run.calls_closed = true;
            return self.begin(Step::ClosingCalls, Task::CloseCalls);
        }
        self.drain()
    }

    pub(super) fn drain(&mut self) -> Result<(), Rejected> {
        let patience =
            if self.restarts() { Limits::span(self.profile.limits.drain_s) } else { Duration::ZERO };
        let since = self.run.drain_until.take();
        let limit = since.unwrap_or(self.now + patience);
        let waiting = Waiting::default();
        self.run.state = State::Draining { limit, calls: None, waiting };
        self.tell(Story::StepBegun { step: Step::Draining, text: String::new() });
        match since {
            // It was looked at right before.
            Some(_) => self.wait(None),
            None => self.look(Scope::Whole),
        }
        Ok(())
    }

    pub(super) fn drained(
        &mut self,
        limit: Time,
        waiting: Waiting,
        reading: &Reading,
    ) -> Result<(), Rejected> {
        let is_open = self.run.calls_closed && reading.calls_admitted == Some(true);
        if is_open && self.restarts() && self.now < limit {
            // It has restarted, or others let calls in: those that come now would be cut off. That prolongs no wait.
            self.run.drain_until = Some(limit);
            return self.close_calls();
        }
        let calls = reading.calls.filter(|calls| *calls > 0 && self.restarts());
        if calls.is_some() && self.now < limit {
            self.run.state = State::Draining { limit, calls, waiting };
            self.wait(None);
            return Ok(());
        }
        match self.left_while_waiting(reading) {
            Some(_) if self.is_rolled_back_by_itself(reading) => {
                let text = "the device has gone there by itself".into();
                self.tell(Story::StepDone { step: Step::Draining, text });
                return self.slid_by_itself(reading);
            }
            Some(cause) => return self.fail(Step::Draining, cause),
            None => {}
        }
        if let Some(cause) = self.is_tried_by_others(reading) {
            return self.fail(Step::Draining, cause);
        }
        let held = reading.running_configuration();
        if self.run.backup.as_ref().is_some_and(|backup| backup.is_outdated_by(&held)) {
            return self.drift(Step::Draining);
        }
        let text = calls.map(|calls| format!("{calls} calls are cut off at the limit")).unwrap_or_default();
        self.tell(Story::StepDone { step: Step::Draining, text });
        match self.run.goal {
            Goal::Upgrade { .. } => self.activate(),
            Goal::RollBack => {
                self.run.activated = Some(self.now);
                self.roll_back()
            }
            Goal::Reset => self.begin(Step::Resetting, Task::Reset),
            Goal::Backup | Goal::Restore { .. } => Err(Rejected),
        }
    }

    /// The new software is watched before it is confirmed (row B4).
    pub(super) fn soak(&mut self, reading: &Reading) -> Result<(), Rejected> {
        self.note_on_trial(reading);
        let until = self.now + Limits::span(self.profile.limits.soak_s);
        let waiting = Waiting::default();
        self.run.state = State::Soaking { pulse: reading.pulse(), until, waiting };
        self.tell(Story::StepBegun { step: Step::Soaking, text: String::new() });
        self.look(Scope::Whole);
        Ok(())
    }

    pub(super) fn soaked(&mut self, pulse: Pulse, until: Time, reading: &Reading) -> Result<(), Rejected> {
        let running = reading.running().map(|buffer| buffer.version.clone()).unwrap_or_default();
        let wanted = self.run.target_version().unwrap_or_default().to_owned();
        if running != wanted {
            return self.fail(Step::Soaking, Cause::WrongVersion { running, wanted });
        }
        if let Some(cause) = self.is_not_the_image(reading.running()) {
            return self.fail(Step::Soaking, cause);
        }
        if reading.restarted_since(pulse) {
            return self.fail(Step::Soaking, Cause::Restarted);
        }
        if reading.healthy == Some(false) {
            return self.fail(Step::Soaking, Cause::Unhealthy);
        }
        if self.now < until {
            self.wait(None);
            if let State::Soaking { waiting, .. } = &mut self.run.state {
                waiting.next = waiting.next.map(|due| due.min(until));
            }
            return Ok(());
        }
        self.tell(Story::StepDone { step: Step::Soaking, text: String::new() });
        self.begin(Step::Confirming, Task::Confirm { version: wanted })
    }

    /// Whether reaching the goal takes a restart of the whole device (rows H11, H12).
    pub(super) fn restarts(&self) -> bool {
        let needed = |old: &super::Old| old.capabilities.contains(&Capability::NeedsReset);
        matches!(self.run.goal, Goal::Reset) || self.run.old.as_ref().is_some_and(needed)
    }
}
