//! What must hold after each event, whatever the story; and what stories assert.

use std::collections::BTreeMap;

use upgrade::run::{AnswerKind, Ending, Outcome, Question, State};
use upgrade::{Kind, Run, StoredFile};

use super::{Request, World};

impl World {
    /// What must hold always.
    pub(super) fn check(&self) {
        let stored = serde_json::to_string(&self.run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&stored).unwrap(), self.run);
        match &self.run.state {
            State::Asking(question) => self.check_question(question),
            State::Ended(ending) => self.check_end(ending),
            state => {
                let awaited = self.pending.iter().any(|pending| {
                    pending.asked == self.run.asked || matches!(pending.request, Request::TicketsReady)
                });
                let converting = matches!(state, State::Judging) && self.converting.is_some();
                let waits = self.run.next_deadline(&self.profile).is_some() || awaited || converting;
                assert!(waits, "it waits for nothing: {}", self.told());
            }
        }
    }

    /// No question leaves a device on unconfirmed software or with another version's configuration.
    fn check_question(&self, question: &Question) {
        assert!(!question.answers.is_empty());
        if !question.lost {
            self.check_as_before();
        }
        assert!(self.tickets.is_empty(), "tickets stay open: {}", self.told());
    }

    fn check_as_before(&self) {
        if !self.before_counts {
            return;
        }
        let running = &self.device.running().version;
        assert_eq!((running, self.device.trial), (&self.before.0, None), "{}", self.told());
        assert_eq!(self.device.running().files, self.before.1, "{}", self.told());
        assert!(self.device.admitted, "it takes no calls: {}", self.told());
    }

    fn check_end(&self, ending: &Ending) {
        assert!(self.tickets.is_empty(), "tickets stay open: {}", self.told());
        assert!(!ending.reason.trim().is_empty() && !ending.reason.ends_with(' '), "{ending:?}");
        match ending.outcome {
            Outcome::RolledBack | Outcome::EndedByOperator | Outcome::Cancelled => self.check_as_before(),
            Outcome::Succeeded => {
                let said =
                    ["takes no calls", "took no calls"].iter().any(|said| ending.reason.contains(said));
                assert!(self.device.admitted || said, "it takes no calls: {}", self.told());
            }
            Outcome::Refused => assert!(self.sets.is_empty()),
            Outcome::DeviceLost => {}
        }
    }

    /// That the new version runs, confirmed, with this configuration.
    pub(crate) fn assert_upgraded(&self, files: &BTreeMap<Kind, StoredFile>) {
        assert_eq!(self.outcome(), Outcome::Succeeded, "{}", self.told());
        assert_eq!(self.device.running().version, "2.0");
        assert_eq!(self.device.trial, None, "unconfirmed");
        assert_eq!(&self.device.running().files, files);
    }

    /// That it asks, with the device as before.
    pub(crate) fn assert_asks(&self, answers: &[AnswerKind], why: &str) {
        let question = self.question();
        assert_eq!(question.answers, answers, "{}", self.told());
        let failure = question.failure.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(failure.contains(why), "{failure:?} says nothing of {why:?}");
        assert!(!question.lost);
    }
}
