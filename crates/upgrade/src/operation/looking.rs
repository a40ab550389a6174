//! Looking at the device before a SET: what is seen decides whether one is sent at all.

use core::time::Duration;

use super::commanding::order;
use super::sight::Sight;
use super::step::Surroundings;
use super::{Cause, Effect, Operation, State, Task};
use crate::Time;
use crate::profile::{Command, Limits, Scope};
use crate::reading::{OperationReading, Reading, Role};

/// After an abort, a device is looked at this soon again, or as soon as the profile polls, if that is sooner.
const STOPPING_LOOK: Duration = Duration::from_secs(1);

impl Operation {
    pub(super) fn look_again(mut self) -> (Self, Vec<Effect>) {
        self.state = State::Looking { silent: None, busy: None, next: None, refused: None };
        (self, vec![Effect::Look(Scope::Whole)])
    }

    pub(super) fn look_now(mut self) -> (Self, Vec<Effect>) {
        if let State::Looking { next, .. } = &mut self.state {
            *next = None;
        }
        (self, vec![Effect::Look(Scope::Whole)])
    }

    /// Nothing is called failed while its SET may still be on its way: it might be carried out when nobody expects it
    /// any more. Nor is it called done while something may arrive that undoes it.
    pub(super) fn looked(
        self,
        reading: &Reading,
        around: Surroundings<'_>,
        now: Time,
    ) -> (Self, Vec<Effect>) {
        let State::Looking { busy, refused, .. } = self.state.clone() else { return (self, Vec::new()) };
        // What was refused while something else was under way may be taken after that.
        let may_be_taken = refused.is_none() || self.superseded_by(reading).is_some();
        // Of an operation that it shows the device takes no other copy.
        let shown = reading.operation.as_ref().is_some_and(|shown| shown.id == self.id);
        let is_on_its_way = may_be_taken && !shown && self.latest_copy(around.profile, now).is_some();
        let again = now + Limits::span(around.profile.limits.poll_s);
        let (next, effects) = self.clone().follow(reading, around, now);
        let wait = State::Looking { silent: None, busy, next: Some(again), refused };
        match next.state {
            State::Failed { .. } | State::Underway { .. } if is_on_its_way => self.waiting(wait),
            // The device came there by itself, and would take the command yet: it might lead away again.
            State::Done { .. } if is_on_its_way && !self.task.is_immediate() => self.waiting(wait),
            State::Done { .. } if let Some(until) = self.watched.filter(|until| now < *until) => {
                // Where nothing shows whether it still is as wanted, it is told so once more in the end.
                let shows = self.clone().forget_answer().is_fulfilled(reading);
                let next = if shows { again.min(until) } else { until };
                let state = State::Looking { silent: None, busy: None, next: Some(next), refused: None };
                self.forget_answer().waiting(state)
            }
            _ => (next, effects),
        }
    }

    const fn forget_answer(mut self) -> Self {
        self.answered = false;
        self
    }

    fn follow(mut self, reading: &Reading, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let State::Looking { refused, .. } = self.state.clone() else { return (self, Vec::new()) };
        if let Some(cause) = wrong_software(reading, around) {
            return self.fail(cause);
        }
        match self.sight(reading, around.run) {
            Sight::Ours => {
                self.refresh_deadline(around, now);
                let open = self.open_tickets();
                let reopen = self.resumed && !open.is_empty();
                let (next, mut effects) = self.underway(now).judge(reading, around, now);
                if reopen && matches!(next.state, State::Underway { .. }) {
                    effects.push(Effect::Open(open));
                }
                (next, effects)
            }
            Sight::AlreadyDone if self.may_be_from_before(reading, around.run) => self.look_again(),
            Sight::AlreadyDone => self.done(reading.clone()),
            // The device restarted since the SET and is not as wanted: whether the SET arrived or not, it failed.
            Sight::Ready if self.commanded && self.has_restarted(reading) => {
                self.refresh_deadline(around, now);
                self.underway(now).judge(reading, around, now)
            }
            Sight::Ready if let Some(other) = self.superseded_by(reading) => {
                self.fail(refused.map_or(Cause::Superseded(other), Cause::Refused))
            }
            Sight::Ready if self.moved_away(reading) => self.fail(Cause::RevisionMoved),
            Sight::Ready if self.answered => {
                self.fail(Cause::NotSo("it does not show what it was told".into()))
            }
            Sight::Ready => match refused {
                Some(why) => self.fail(Cause::Refused(why)),
                // The manager was restarted before the device was told.
                None if self.stop.is_some() => self.fail(Cause::Stopped),
                None if self.is_new_mixture(reading) => self.look_again(),
                None => self.open(reading, around, now),
            },
            Sight::Leftover(id) => self.stop_leftover(id, around, now),
            Sight::Busy(id) => self.wait_while_busy(id, around, now),
            Sight::Impossible(_) if self.moved_away(reading) => self.fail(Cause::RevisionMoved),
            Sight::Impossible(cause) => self.fail(cause),
        }
    }

    fn refresh_deadline(&mut self, around: Surroundings<'_>, now: Time) {
        let fresh = now + self.time_limit(around.profile);
        self.deadline = Some(self.deadline.map_or(fresh, |deadline| deadline.max(fresh)));
    }

    pub(super) fn unseen(self, why: &str, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let State::Looking { silent, busy, refused, .. } = self.state.clone() else {
            return (self, Vec::new());
        };
        let since = silent.unwrap_or(now);
        let limits = &around.profile.limits;
        // A device that was told to restart may be silent for as long as that takes.
        let restarting = self.commanded && self.task.restarts();
        // Its tickets are withdrawn: what a silent device is at comes to nothing by itself, and nobody waits for that.
        let reach = match self.task {
            Task::Stop => Duration::ZERO,
            _ => Limits::span(limits.reach_s),
        };
        let limit = if restarting { reach.max(self.time_limit(around.profile)) } else { reach };
        // Nor is it called failed while its SET may still be on its way.
        if now >= since + limit && self.latest_copy(around.profile, now).is_none() {
            let cause = Cause::Unreachable((now - since).as_secs(), why.to_owned());
            return self.fail(cause);
        }
        let next = Some(now + Limits::span(limits.poll_s));
        self.waiting(State::Looking { silent: Some(since), busy, next, refused })
    }

    /// A refusal is explained by what the device is busy with: it says nothing about the time after that.
    fn wait_while_busy(mut self, id: String, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let limits = &around.profile.limits;
        if let (State::Looking { refused: Some(_), .. }, Some(before)) = (&self.state, &mut self.before) {
            // Nothing was begun: that this is what it shows next takes nothing away.
            before.operation = Some(id.clone());
        }
        let since = self.busy_since().unwrap_or(now);
        if now >= since + Limits::span(limits.busy_s) {
            return self.fail(Cause::Busy(id));
        }
        let next = Some(now + Limits::span(limits.poll_s));
        self.waiting(State::Looking { silent: None, busy: Some(since), next, refused: None })
    }

    fn stop_leftover(mut self, id: String, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let since = self.busy_since().unwrap_or(now);
        if now >= since + Limits::span(around.profile.limits.busy_s) {
            return self.fail(Cause::Busy(id));
        }
        match around.profile.writes(Command::Abort, &order(&id, around.server)) {
            Ok(writes) => {
                self.state = State::Stopping { since };
                (self, vec![Effect::Set(Command::Abort, writes)])
            }
            // A device that knows no abort is waited for.
            Err(_) => self.wait_while_busy(id, around, now),
        }
    }

    /// The abort of a leftover was answered, or not: the next look tells what came of it.
    pub(super) fn stopped_leftover(
        self,
        since: Time,
        around: Surroundings<'_>,
        now: Time,
    ) -> (Self, Vec<Effect>) {
        let next = Some(now + Limits::span(around.profile.limits.poll_s).min(STOPPING_LOOK));
        self.waiting(State::Looking { silent: None, busy: Some(since), next, refused: None })
    }

    fn waiting(mut self, state: State) -> (Self, Vec<Effect>) {
        self.state = state;
        (self, Vec::new())
    }

    const fn busy_since(&self) -> Option<Time> {
        match self.state {
            State::Looking { busy, .. } => busy,
            _ => None,
        }
    }

    /// Whether the settings are no longer those that the task was made for.
    fn moved_away(&self, reading: &Reading) -> bool {
        match (&self.task, reading.revision) {
            (Task::Activate { revision, .. } | Task::RollBack { revision, .. }, Some(now)) => {
                *revision != 0 && *revision != now
            }
            (Task::Restore { set, over: Some(over), .. }, _) => {
                let held = reading.running_configuration();
                // Part of the look may have been answered before they moved. What is known to be of now was not.
                let mut same = over.iter().filter(|known| known.same_files(&held)).peekable();
                let torn = same.peek().is_some() && same.all(|known| known.is_outdated_by(&held));
                torn || !set.files.keys().all(|kind| held.is_known(kind, over))
            }
            _ => false,
        }
    }

    /// Whether what is to be restored is seen in force for the first time beside another operation of this run: that may have ended, and
    /// been applied, after the part of the look that shows what is in force was answered.
    fn may_be_from_before(&mut self, reading: &Reading, run: &str) -> bool {
        let Task::Restore { set, .. } = &self.task else { return false };
        let is_other = |shown: &OperationReading| shown.id.starts_with(run) && shown.id != self.id;
        let seen = self.mixture.as_deref().is_some_and(|seen| seen.same_files(set));
        if seen || !reading.operation.as_ref().is_some_and(is_other) {
            return false;
        }
        self.mixture = Some(Box::new(set.clone()));
        true
    }

    /// Whether what is to be restored over is no set that is known as a whole, but a mixture of such, and is seen for the first time.
    fn is_new_mixture(&mut self, reading: &Reading) -> bool {
        let Task::Restore { over: Some(over), .. } = &self.task else { return false };
        let held = reading.running_configuration();
        if over.iter().any(|known| known.same_files(&held)) || self.mixture.as_deref() == Some(&held) {
            return false;
        }
        self.mixture = Some(Box::new(held));
        true
    }

    fn has_restarted(&self, reading: &Reading) -> bool {
        self.before.as_ref().is_some_and(|before| reading.restarted_since(before.pulse))
    }

    /// The operation of somebody else that the device has carried out since the SET. It remembers only the latest: ours
    /// may have been begun before, and would be begun once more.
    fn superseded_by(&self, reading: &Reading) -> Option<String> {
        let at_stake = self.commanded && !self.task.is_immediate();
        let before = self.before.as_ref().filter(|_| at_stake)?.operation.as_ref()?;
        let shown = &reading.operation.as_ref()?.id;
        (shown != before && *shown != self.id).then(|| shown.clone())
    }

    pub(super) fn resume(mut self) -> (Self, Vec<Effect>) {
        self.resumed |= self.commanded;
        // A deadline that passed while the manager was down, or hindered, is no evidence.
        self.deadline = None;
        self.look_again()
    }
}

/// A configuration belongs to one software: the device may have fallen back to the other one since the last step.
pub(super) fn wrong_software(reading: &Reading, around: Surroundings<'_>) -> Option<Cause> {
    let running = reading.running()?;
    let on_trial = around.confirmed && running.role == Some(Role::Trial);
    Cause::of_software(running.software(), around.software?)
        .or_else(|| on_trial.then(|| Cause::on_trial(&running.version)))
}
