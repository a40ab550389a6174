//! The turns of the director: worked out, committed, performed, in that order.

use core::time::Duration;

use engine::director::{Effect, Input, Turn, Write};
use upgrade::Time;
use upgrade::run::{Step, Story};

use crate::invariants::one_run_at_a_time;
use crate::manager::{Channel, Committing, Message, Part};
use crate::store::Refused;
use crate::unit::Unit;
use crate::world::{Item, World};

impl World {
    pub(crate) fn run_director(&mut self) {
        let now = Time::from(self.now);
        let Some(manager) = &mut self.manager else { return };
        if manager.committing.is_some() || manager.inbox.is_empty() {
            return;
        }
        let inputs = std::mem::take(&mut manager.inbox);
        let turn = manager.director.turn(&inputs, now);
        if turn.transaction.writes.is_empty() {
            self.checks.cancelled(&inputs, &self.store);
            return self.perform(turn);
        }
        manager.committing = Some(Committing { inputs, turn });
        let life = self.life;
        let takes = self.random.span(1, 30);
        self.put(takes, Item::Message { life, message: Message::Commit });
    }

    pub(crate) fn commit(&mut self) {
        if self.step() {
            return;
        }
        let Some(Committing { inputs, turn }) =
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
                // All but operators' words waits, in its order.
                let life = self.life;
                let Some(manager) = &mut self.manager else { return };
                let is_of_operator = |input: &Input| {
                    matches!(
                        input,
                        Input::Start(_) | Input::Operator { .. } | Input::Cancel(_) | Input::StopOperation(_)
                    )
                };
                // What was due meanwhile proves nothing: each run looks first.
                let is_dropped =
                    |input: &Input| is_of_operator(input) || matches!(input, Input::Clock | Input::Hindered);
                let later = std::mem::take(&mut manager.inbox);
                let kept = inputs.into_iter().chain(later).filter(|input| !is_dropped(input));
                manager.inbox = std::iter::once(Input::Hindered).chain(kept).collect();
                manager.committing = Some(Committing { inputs: Vec::new(), turn: Turn::default() });
                return self.put(Duration::from_secs(1), Item::Message { life, message: Message::Retry });
            }
        }
        for write in &turn.transaction.writes {
            let calm = self.quiet_since.map(|since| self.now - since);
            let now = Time::from(self.now);
            let checked = self.checks.committed(write, &self.units, &self.store, now, calm);
            self.judge(checked);
        }
        self.checks.cancelled(&inputs, &self.store);
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
                    Story::StepBegun { step: Step::Draining, .. } => self.replace_what_is_loaded(place),
                    _ => {}
                }
            }
            Effect::Committed { receipt } => self.message(Channel::Receipts, Message::Receipt(receipt)),
        }
    }
}
