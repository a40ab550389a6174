//! The one SET of an operation: its tickets first, then everything at once, and what its answer means.

use super::step::Surroundings;
use super::{Before, Cause, Effect, Operation, State, Task, Transfer};
use crate::Time;
use crate::profile::{Limits, Order, OrderFile, Scope, Server};
use crate::reading::Reading;

/// How often a SET is sent that never arrived, before the device counts as one that heeds none.
const MOST_SENDS: u32 = 5;

impl Operation {
    pub(super) fn open(
        mut self,
        reading: &Reading,
        around: Surroundings<'_>,
        now: Time,
    ) -> (Self, Vec<Effect>) {
        if self.sent >= MOST_SENDS {
            return self.fail(Cause::Unheeded(MOST_SENDS));
        }
        let shown = reading.operation.as_ref().map(|shown| shown.id.clone());
        self.before = Some(Before { pulse: reading.pulse(), revision: reading.revision, operation: shown });
        let names = self.open_tickets();
        if names.is_empty() {
            return self.command(around, now);
        }
        self.state = State::Opening { until: now + Limits::span(around.profile.limits.evidence_s) };
        (self, vec![Effect::Open(names)])
    }

    pub(super) fn command(mut self, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        let command = self.task.command();
        let mut order = order(&self.id, around.server);
        order.files = self.transfers.iter().map(OrderFile::of).collect();
        match &self.task {
            Task::Activate { version, trial_s, revision, .. } => {
                order.version = version;
                order.trial_s = *trial_s;
                order.revision = *revision;
            }
            Task::Download { image } => order.version = &image.manifest.version,
            Task::RollBack { version, revision, .. } => {
                order.version = version;
                order.revision = *revision;
            }
            Task::Confirm { version } => order.version = version,
            // What was there at the look is what is written over.
            Task::Restore { .. } => {
                order.revision = self.before.as_ref().and_then(|before| before.revision).unwrap_or(0);
            }
            _ => {}
        }
        match around.profile.writes(command, &order) {
            Ok(writes) => {
                self.state = State::Commanding;
                self.commanded = true;
                self.heard = false;
                self.sent += 1;
                self.sent_at = Some(now);
                self.deadline = Some(now + self.time_limit(around.profile));
                (self, vec![Effect::Set(command, writes)])
            }
            Err(why) => self.fail(Cause::Impossible(why.to_string())),
        }
    }

    pub(super) fn accepted(mut self, around: Surroundings<'_>, now: Time) -> (Self, Vec<Effect>) {
        if self.task.is_immediate() {
            self.answered = true;
            return self.look_again();
        }
        if self.heard {
            // What was told before the answer to the SET came was perhaps all that the device had to tell.
            return self.underway(now).ask(Scope::Whole);
        }
        self.underway(now).poll_later(around, now)
    }

    pub(super) fn refused(mut self, why: &str) -> (Self, Vec<Effect>) {
        self.state = State::Looking { silent: None, busy: None, next: None, refused: Some(why.to_owned()) };
        (self, vec![Effect::Look(Scope::Whole)])
    }
}

pub(super) fn order<'a>(operation: &'a str, server: &'a Server) -> Order<'a> {
    Order { operation, server, files: Vec::new(), revision: 0, version: "", trial_s: 0 }
}

impl OrderFile {
    fn of(transfer: &Transfer) -> Self {
        Self {
            name: transfer.name.clone(),
            kind: transfer.kind.clone(),
            size: transfer.file.map(|file| file.size),
            digest: transfer.file.map(|file| file.digest),
        }
    }
}
