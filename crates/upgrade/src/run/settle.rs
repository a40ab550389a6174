//! What follows once the device is as it was before: a repeat, a question, or the end.

use core::time::Duration;
use std::sync::Arc;

use super::question::{Answer, Policy};
use super::step::{Rejected, Turn};
use super::{AnswerKind, Closing, Goal, Old, Outcome, Question, State, Step, Story};
use crate::operation::{Cause, Task};
use crate::profile::{ConvertedBy, Limits};
use crate::{ConfigurationSet, Time};

impl Turn<'_> {
    /// The device is as it was before, or was not touched. Calls come first: nobody is asked while the device
    /// refuses them.
    pub(super) fn settle(&mut self) -> Result<(), Rejected> {
        let heard = self.run.returning;
        self.settle_after(heard)
    }

    /// `heard` is whether the device answered since the failure.
    pub(super) fn settle_after(&mut self, heard: bool) -> Result<(), Rejected> {
        self.forget_attempt();
        if self.may_refuse_calls() {
            return self.begin(Step::OpeningCalls, Task::OpenCalls);
        }
        let left = self.leaves_as_it_is();
        if let Some(Closing { outcome, reason }) = self.run.closing.clone() {
            return self.end(outcome, reason + &left);
        }
        let reason = self.reason();
        match self.run.choices.policy {
            Policy::Auto(times) if self.run.repeats < times => self.pause(),
            Policy::Auto(_) | Policy::Ask => {
                let lost = self.is_unreachable(heard);
                let question = self.question(lost, &self.answers());
                self.ask(question)
            }
            Policy::Never if self.is_unreachable(heard) => self.give_up(reason),
            Policy::Never => self.end(Outcome::RolledBack, reason + &left),
        }
    }

    /// What is known of the way there and back is of no more use.
    pub(super) fn forget_attempt(&mut self) {
        self.run.returning = false;
        self.run.stranded = None;
        self.run.seen_away = None;
        self.run.activated = None;
        self.run.drain_until = None;
        self.run.replaced = None;
        self.run.untouched = None;
        self.run.aside = None;
        self.run.on_trial = None;
        self.run.bring_backs = 0;
    }

    /// What others had the device run when it was heard last stays, and people are told.
    fn leaves_as_it_is(&self) -> String {
        if let Some(tried) = self.leaves_on_trial() {
            return tried;
        }
        let old = self.run.old.as_ref().map(Old::software);
        match self.run.last.software().zip(old).and_then(|(last, old)| Cause::of_software(last, old)) {
            Some(Cause::WrongVersion { running, .. }) => {
                format!("; the device runs {running} by now, which this run leaves as it is")
            }
            _ => String::new(),
        }
    }

    /// What others only try stays on trial, and people are told.
    pub(super) fn leaves_on_trial(&self) -> Option<String> {
        let version = self.run.last.version.as_ref().filter(|_| self.run.last.on_trial)?;
        Some(format!("; the device runs {version} on trial, which this run leaves to whoever tries it"))
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

    pub(super) fn question(&self, lost: bool, answers: &[AnswerKind]) -> Question {
        Question {
            failure: self.run.stranded.as_ref().or(self.run.failure.as_ref()).cloned(),
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
            Answer::Again | Answer::End => {}
            Answer::OtherImage(image) => {
                // A part of what was converted for the first image may be left there, and is nobody's work.
                let left = self.run.last.other.as_ref().filter(|found| self.run.is_kept(found));
                self.run.left_there = left.or(self.run.left_there.as_ref()).cloned();
                self.run.goal = Goal::Upgrade { image: Arc::clone(image) };
                let edited = self.run.conversion == Some(ConvertedBy::Operator);
                let format = self.wanted_format();
                if !edited || self.run.converted.as_ref().is_none_or(|set| set.format != format) {
                    self.run.conversion = None;
                    self.run.converted = None;
                }
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
        }
        self.tell(Story::Answered { answer: Some(answer.kind()) });
        match (answer, &question.failure) {
            (Answer::End, _) if question.lost => self.give_up("given up by an operator".into()),
            (Answer::End, failure) => {
                let reason = failure.as_ref().map(ToString::to_string);
                let reason = reason.unwrap_or_else(|| "ended by an operator".into());
                self.close(Outcome::EndedByOperator, reason)
            }
            _ => self.repeat_with(answer),
        }
    }

    /// The time of the question is over.
    pub(super) fn unanswered(&mut self, question: &Question) -> Result<(), Rejected> {
        self.tell(Story::Answered { answer: None });
        let failure = question.failure.as_ref().map(|failure| format!("; {failure}")).unwrap_or_default();
        let reason = format!("nobody answered in time{failure}");
        if question.lost { self.give_up(reason) } else { self.close(Outcome::RolledBack, reason) }
    }

    pub(super) fn pause(&mut self) -> Result<(), Rejected> {
        let limits = &self.profile.limits;
        let doubled = Limits::span(limits.backoff_s).saturating_mul(1 << self.run.repeats.min(16));
        let span = doubled.min(Limits::span(limits.backoff_cap_s));
        self.run.repeats += 1;
        let after_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.tell(Story::Repeating { repeat: self.run.repeats, after_ms });
        self.run.state = State::Pausing { until: self.now + span };
        Ok(())
    }

    /// The pause is over.
    pub(super) fn repeat(&mut self) -> Result<(), Rejected> {
        if self.run.is_closing() && !self.run.returning {
            return self.begin(Step::Stopping, Task::Stop);
        }
        self.repeat_with(&Answer::Again)
    }

    /// Once more. What was done already is found done by looking at it.
    fn repeat_with(&mut self, answer: &Answer) -> Result<(), Rejected> {
        let failed = self.run.failure.as_ref().map(|failure| failure.step);
        if self.run.returning {
            self.run.bring_backs = 0;
            return self.bring_back();
        }
        let restore_failed = matches!(failed, Some(Step::Converting | Step::Restoring | Step::Soaking));
        let edited =
            matches!(answer, Answer::Edited(_)) || self.run.conversion == Some(ConvertedBy::Operator);
        if restore_failed && !edited {
            // Back to conversion, not to the plain restore (row H23). What an operator edited stays what it is.
            self.run.converted = None;
        }
        self.preflight()
    }

    /// Whether the device was not heard at last. After a failure from the download on it was: it was brought back.
    fn is_unreachable(&self, heard: bool) -> bool {
        let failure = self.run.failure.as_ref();
        failure.is_some_and(|failure| {
            let silent = matches!(failure.cause, Cause::Unreachable(..));
            let untouched = match failure.step {
                Step::Preflight | Step::ConfiguringServer | Step::BackingUp | Step::ClosingCalls => true,
                Step::Restoring => matches!(self.run.goal, Goal::Restore { .. }),
                Step::RollingBack => matches!(self.run.goal, Goal::RollBack),
                _ => false,
            };
            silent && untouched && !heard
        })
    }
}
