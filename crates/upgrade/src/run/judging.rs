//! Whether the configuration must be converted, and by whom (rows H21 to H23).

use std::collections::BTreeMap;

use super::step::{Rejected, Turn};
use super::{AnswerKind, Effect, Goal, Question, State, Step, Story};
use crate::operation::Cause;
use crate::profile::ConvertedBy;
use crate::reading::Capability;
use crate::{ConfigurationSet, Kind, StoredFile};

impl Turn<'_> {
    /// The configuration format that the goal's software reads.
    pub(super) fn wanted_format(&self) -> Option<u32> {
        match &self.run.goal {
            Goal::Upgrade { image } => {
                image.manifest.format.or_else(|| self.profile.format_of(&image.manifest.version))
            }
            _ => None,
        }
    }

    /// Who may convert, most wanted first; empty where the formats are equal or not known.
    pub(super) fn converters(&self) -> Vec<ConvertedBy> {
        let Goal::Upgrade { image } = &self.run.goal else { return Vec::new() };
        let from = self.run.old.as_ref().and_then(|old| old.format);
        match (from, self.wanted_format()) {
            (Some(from), Some(to)) if from != to => {}
            _ => return Vec::new(),
        }
        let can = |by: &&ConvertedBy| match by {
            ConvertedBy::Device => self.can(Capability::Convert),
            ConvertedBy::Manager => image.manifest.converter.is_some(),
            ConvertedBy::Operator => true,
        };
        self.profile.conversion.iter().filter(can).copied().collect()
    }

    /// Whether the formats are known to differ.
    pub(super) fn must_convert(&self) -> bool {
        let from = self.run.old.as_ref().and_then(|old| old.format);
        matches!((from, self.wanted_format()), (Some(from), Some(to)) if from != to)
    }

    pub(super) fn judge(&mut self) -> Result<(), Rejected> {
        if self.run.converted.is_some() {
            return self.download();
        }
        if self.run.conversion == Some(ConvertedBy::Operator) {
            // What was edited was for the settings of before.
            return self.ask_edit();
        }
        if !self.must_convert() {
            self.run.conversion = None;
            return self.download();
        }
        let Goal::Upgrade { image } = self.run.goal.clone() else { return Err(Rejected) };
        self.run.conversion = self.converters().first().copied();
        let formats = (self.run.old.as_ref().and_then(|old| old.format), self.wanted_format());
        let text = format!(
            "format {} must become format {}",
            formats.0.unwrap_or_default(),
            formats.1.unwrap_or_default()
        );
        self.tell(Story::StepBegun { step: Step::Judging, text });
        match (self.run.conversion, image.manifest.converter.clone(), self.run.backup.clone()) {
            (Some(ConvertedBy::Device), _, _) => self.download(),
            (Some(ConvertedBy::Manager), Some(converter), Some(set)) => {
                let format = formats.1.unwrap_or_default();
                self.run.state = State::Judging;
                self.effects.push(Effect::Convert { converter, set, format });
                Ok(())
            }
            (Some(ConvertedBy::Operator), _, _) => self.ask_edit(),
            _ => self.fail(Step::Judging, Cause::Impossible("nobody can convert the configuration".into())),
        }
    }

    pub(super) fn converted(
        &mut self,
        result: &Result<BTreeMap<Kind, StoredFile>, String>,
    ) -> Result<(), Rejected> {
        match result {
            Ok(files) if files.keys().ne(self.run.backed_up().keys()) => {
                self.fail(Step::Judging, Cause::Converter("it did not convert each file".into()))
            }
            Ok(files) => {
                let format = self.wanted_format();
                self.run.converted = Some(ConfigurationSet { format, revision: None, files: files.clone() });
                self.tell(Story::StepDone { step: Step::Judging, text: "converted at the manager".into() });
                self.download()
            }
            Err(why) => self.fail(Step::Judging, Cause::Converter(why.clone())),
        }
    }

    fn ask_edit(&mut self) -> Result<(), Rejected> {
        if self.may_refuse_calls() {
            return self.let_calls_in_and_back_up();
        }
        let answers = vec![AnswerKind::Edited, AnswerKind::OtherImage, AnswerKind::End];
        let limit = self.question_limit();
        let question = Question { failure: None, answers, asked_at: self.now, limit, lost: false };
        self.ask(question)
    }
}
