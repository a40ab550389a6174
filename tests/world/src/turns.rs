//! The turns of the director: worked out, committed, performed, in that order.

use core::time::Duration;

use engine::director::{Effect, Inputs, Turn, Write};
use upgrade::Time;
use upgrade::run::{Step, Story};

use crate::invariants::{
    an_answer_is_to_the_question_that_is_open, nothing_is_too_late_that_has_come, one_run_at_a_time,
    settings_that_moved_are_backed_up_anew,
};
use crate::manager::{Channel, Committing, Message, Part};
use crate::store::Refused;
use crate::unit::Unit;
use crate::world::{Item, World};

impl World {
    pub(crate) fn run_director(&mut self) {
        while let Some(manager) = &mut self.manager
            && manager.committing.is_none()
            && manager.given_back.is_none()
        {
            let mut inputs = manager.inbox.take();
            inputs.judge_time(manager.director.next_deadline(), Time::from(self.now));
            if inputs.is_empty() {
                return self.director_due();
            }
            let late = manager.inbox.what_came_in_time();
            self.judge(nothing_is_too_late_that_has_come(inputs.as_slice(), late));
            self.turn(inputs);
        }
    }

    /// What could not be stored is tried again, before anything that came since.
    pub(crate) fn retry(&mut self) {
        if let Some(inputs) = self.manager.as_mut().and_then(|manager| manager.given_back.take()) {
            self.turn(inputs);
            self.run_director();
        }
    }

    fn turn(&mut self, inputs: Inputs) {
        let now = Time::from(self.now);
        let Some(manager) = &mut self.manager else { return };
        let turn = manager.director.turn(inputs.as_slice(), now);
        let answered = an_answer_is_to_the_question_that_is_open(inputs.as_slice(), &turn, &self.store);
        self.judge(answered);
        let repeats = self.profile.limits.drift_repeats;
        self.judge(settings_that_moved_are_backed_up_anew(&turn, &self.store, repeats));
        let Some(manager) = &mut self.manager else { return };
        if turn.transaction.writes.is_empty() {
            self.checks.cancelled(inputs.as_slice(), &self.store);
            return self.perform(turn);
        }
        manager.committing = Some(Committing { inputs, turn });
        let life = self.life;
        let takes = self.random.span(1, if self.busy { 3_000 } else { 30 });
        self.put(takes, Item::Message { life, message: Message::Commit });
    }

    pub(crate) fn commit(&mut self) {
        if self.step() {
            return;
        }
        let Some(Committing { mut inputs, turn }) =
            self.manager.as_mut().and_then(|manager| manager.committing.take())
        else {
            return;
        };
        match self.store.commit(&turn.transaction.writes) {
            Ok(()) => {}
            Err(Refused::Conflict(run)) => {
                return self.judge(one_run_at_a_time(run));
            }
            Err(Refused::Full) => {
                self.checks.hindered();
                inputs.hinder();
                let life = self.life;
                let Some(manager) = &mut self.manager else { return };
                // Who says something meanwhile is refused.
                manager.inbox.words.clear();
                manager.given_back = Some(inputs);
                return self.put(Duration::from_secs(1), Item::Message { life, message: Message::Retry });
            }
        }
        for write in &turn.transaction.writes {
            let calm = self.quiet_since.map(|since| self.now - since);
            let now = Time::from(self.now);
            let checked = self.checks.committed(write, &self.units, &self.store, now, calm);
            self.judge(checked);
        }
        self.checks.cancelled(inputs.as_slice(), &self.store);
        self.checks.said(inputs.as_slice(), &turn, &self.store);
        if self.step() {
            return;
        }
        self.perform(turn);
        self.run_director();
    }

    /// Performs what is committed, one effect after the other.
    fn perform(&mut self, turn: Turn) {
        let Some(manager) = &mut self.manager else { return };
        manager.director.apply(&turn);
        for learnt in turn.transaction.writes.iter().flat_map(Write::learnt) {
            self.message(Channel::Index, Message::Learnt(learnt));
        }
        for effect in turn.effects {
            if self.step() {
                return;
            }
            self.effect(effect);
        }
        self.director_due();
    }

    fn director_due(&mut self) {
        let deadline = self.manager.as_ref().and_then(|manager| manager.director.next_deadline());
        self.due(Part::Director, deadline.map(Duration::from));
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Ask(ask) => self.message(Channel::Asks, Message::Ask(ask)),
            Effect::File(order) => self.message(Channel::Orders, Message::Order(order)),
            Effect::Convert(job) => {
                let (life, takes) = (self.life, self.random.span(10, 900));
                self.put(takes, Item::Converted { life, convert: Box::new(job) });
            }
            Effect::Tell(told) => {
                self.note(|| format!("run {} of {}: {:?}", told.run, told.device, told.story));
                let is_its = |unit: &Unit| unit.plan.settings.unique_id == told.device;
                let Some(place) = self.units.iter().position(is_its) else { return };
                match told.story {
                    Story::Asked { .. } | Story::Ended(_) => {
                        self.put(Duration::from_millis(100), Item::Operator(place));
                    }
                    Story::StepDone { step: Step::BackingUp, .. } => self.backed_up(place),
                    Story::Repeating { after_ms, .. } if after_ms > 0 => self.pauses(place),
                    Story::StepBegun { step: Step::RollingBack, .. } => self.goes_back(place),
                    Story::StepBegun { step: Step::Activating, .. } => self.make_it_run(place),
                    Story::StepBegun { step: Step::Draining, .. } => self.replace_what_is_loaded(place),
                    _ => {}
                }
            }
            Effect::Committed { receipt } => self.message(Channel::Receipts, Message::Receipt(receipt)),
        }
    }
}
