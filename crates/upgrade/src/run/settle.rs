//! What follows once the device is as it was before: a repeat, a question, or the end.

use core::time::Duration;

use super::question::{Answer, Policy};
use super::step::{Rejected, Turn};
use super::{AnswerKind, Ending, Goal, Outcome, Question, State, Step, Story};
use crate::operation::{Cause, Task};
use crate::profile::{ConvertedBy, Limits};
use crate::{ConfigurationSet, Time};

impl Turn<'_> {
    /// The device is as it was before, or was not touched. Calls come first: nobody is asked while the device
    /// refuses them.
    pub(super) fn settle(&mut self) -> Result<(), Rejected> {
        if self.run.calls_closed {
            return self.begin(Step::OpeningCalls, Task::OpenCalls);
        }
        self.run.returning = false;
        self.run.activated = None;
        if self.run.cancelled {
            return self.end(Outcome::Cancelled, "cancelled by an operator".into());
        }
        let reason = self.reason();
        match self.run.choices.policy {
            Policy::Auto(times) if self.run.repeats < times => self.pause(),
            Policy::Auto(_) | Policy::Ask => {
                let lost = self.is_unreachable();
                let question = self.question(lost, &self.answers());
                self.ask(question)
            }
            Policy::Never if self.is_unreachable() => self.give_up(reason),
            Policy::Never => self.end(Outcome::RolledBack, reason),
        }
    }

    /// The device could not be brought back.
    pub(super) fn ask_lost(&mut self) -> Result<(), Rejected> {
        match self.run.choices.policy {
            Policy::Auto(times) if self.run.repeats < times && !self.run.cancelled => self.pause(),
            Policy::Never => {
                let reason = self.reason();
                self.give_up(reason)
            }
            _ => {
                let question = self.question(true, &[AnswerKind::Again, AnswerKind::End]);
                self.ask(question)
            }
        }
    }

    fn answers(&self) -> Vec<AnswerKind> {
        let touched = !matches!(
            self.run.failure.as_ref().map(|failure| failure.step),
            Some(Step::ConfiguringServer | Step::BackingUp)
        );
        let mut answers = vec![AnswerKind::Again];
        if touched && matches!(self.run.goal, Goal::Upgrade { .. }) {
            answers.extend([AnswerKind::OtherImage, AnswerKind::Edited]);
        }
        answers.push(AnswerKind::End);
        answers
    }

    fn question(&self, lost: bool, answers: &[AnswerKind]) -> Question {
        Question {
            failure: self.run.failure.clone(),
            answers: answers.to_vec(),
            asked_at: self.now,
            limit: self.question_limit(),
            lost,
        }
    }

    pub(super) fn question_limit(&self) -> Option<Time> {
        self.run.choices.question_limit_ms.map(|limit| self.now + Duration::from_millis(limit))
    }

    pub(super) fn ask(&mut self, question: Question) -> Result<(), Rejected> {
        // Who never asks ends.
        if self.run.choices.policy == Policy::Never {
            let reason = "the configuration must be edited by an operator, and the policy is never to ask";
            return self.end(Outcome::RolledBack, reason.into());
        }
        self.tell(Story::Asked { failure: question.failure.clone(), answers: question.answers.clone() });
        self.run.state = State::Asking(question);
        Ok(())
    }

    pub(super) fn answered(&mut self, question: &Question, answer: &Answer) -> Result<(), Rejected> {
        if !question.answers.contains(&answer.kind()) {
            return Err(Rejected);
        }
        match answer {
            Answer::Again => {}
            Answer::OtherImage(image) => {
                self.run.goal = Goal::Upgrade { image: (**image).clone() };
                self.run.conversion = None;
                self.run.converted = None;
            }
            Answer::Edited(files) => {
                let of_backup = self.run.backed_up();
                if files.keys().ne(of_backup.keys()) {
                    return Err(Rejected);
                }
                let format = self.wanted_format();
                self.run.conversion = Some(ConvertedBy::Operator);
                self.run.converted = Some(ConfigurationSet { format, revision: None, files: files.clone() });
            }
            Answer::End => {}
        }
        self.tell(Story::Answered { answer: Some(answer.kind()) });
        match (answer, &question.failure) {
            (Answer::End, _) if question.lost => self.give_up("given up by an operator".into()),
            (Answer::End, _) => {
                let reason = self.reason();
                self.end(Outcome::EndedByOperator, reason)
            }
            // Nothing failed: the configuration is ready now.
            (Answer::Edited(_), None) => self.download(),
            _ => self.repeat_with(answer),
        }
    }

    /// The time of the question is over.
    pub(super) fn unanswered(&mut self, question: &Question) -> Result<(), Rejected> {
        self.tell(Story::Answered { answer: None });
        let reason = format!("nobody answered in time; {}", self.reason());
        if question.lost { self.give_up(reason) } else { self.end(Outcome::RolledBack, reason) }
    }

    fn pause(&mut self) -> Result<(), Rejected> {
        let limits = &self.profile.limits;
        let doubled = Limits::span(limits.backoff_s).saturating_mul(1 << self.run.repeats.min(16));
        let span = doubled.min(Limits::span(limits.backoff_cap_s));
        self.run.repeats += 1;
        let after_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.tell(Story::Repeating { repeat: self.run.repeats, after_ms });
        self.run.state = State::Pausing { until: self.now + span };
        Ok(())
    }

    pub(super) fn repeat(&mut self) -> Result<(), Rejected> {
        self.repeat_with(&Answer::Again)
    }

    /// Once more. What was done already is found done by looking at it.
    fn repeat_with(&mut self, answer: &Answer) -> Result<(), Rejected> {
        let failed = self.run.failure.as_ref().map(|failure| failure.step);
        if self.run.returning {
            return self.bring_back();
        }
        let restore_failed = matches!(failed, Some(Step::Converting | Step::Restoring | Step::Soaking));
        if restore_failed && !matches!(answer, Answer::Edited(_)) {
            // Back to conversion, not to the plain restore (row H23).
            self.run.converted = None;
        }
        self.preflight()
    }

    /// Once more at what brings the device back.
    fn bring_back(&mut self) -> Result<(), Rejected> {
        match self.run.goal {
            Goal::Restore { .. } => self.restore_original(),
            _ => self.roll_back(),
        }
    }

    fn is_unreachable(&self) -> bool {
        let failure = self.run.failure.as_ref();
        failure.is_some_and(|failure| matches!(failure.cause, Cause::Unreachable(..)))
    }

    fn reason(&self) -> String {
        self.run.failure.as_ref().map_or_else(String::new, ToString::to_string)
    }

    pub(super) fn succeed(&mut self, reason: String) -> Result<(), Rejected> {
        self.run.failure = None;
        if self.run.calls_closed {
            // A restart has opened them; a hot activation never closed them.
            self.run.calls_closed = false;
        }
        self.end(Outcome::Succeeded, reason)
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
}
