//! What is told of runs, in sentences: for those who watch, who read later, and the network operations centre.

use core::time::Duration;

use upgrade::ConfigurationSet;
use upgrade::run::{AnswerKind, Ending, Goal, LeftWith, Outcome, Run, State, Story};

use super::output;
use crate::store::UnreadableRun;

/// What happened, in a sentence without the run's and the device's names.
pub fn story(story: &Story) -> String {
    match story {
        Story::Begun => "the run began".into(),
        Story::StepBegun { step, text } => with_more(&step.to_string(), text),
        Story::Progress { step, percent } => format!("{step}: {percent} %"),
        Story::StepDone { step, text } => with_more(&format!("{step}: done"), text),
        Story::StepFailed(failure) => failure.to_string(),
        Story::Repeating { repeat, after_ms } => {
            format!(
                "it is tried again by itself in {} (repeat {repeat})",
                output::span(Duration::from_millis(*after_ms))
            )
        }
        Story::Asked { failure, answers } => {
            let why = failure.as_ref().map_or_else(
                || "the configuration has to be edited before the upgrade".to_owned(),
                ToString::to_string,
            );
            format!("an operator is asked: {why}; answers: {}", answer_words(answers))
        }
        Story::Answered { answer: Some(answer) } => {
            format!("the question was answered: {}", answer_word(*answer))
        }
        Story::Answered { answer: None } => "the question is no longer open".into(),
        Story::Cancelled => "an operator cancelled the run".into(),
        Story::Resumed => "the manager was restarted and goes on where the run stood".into(),
        Story::Ended(ending) => ended(ending),
    }
}

/// How a run ended, why, and what its device runs.
pub fn ended(ending: &Ending) -> String {
    let reason = with_more(&ending.outcome.to_string(), &ending.reason);
    match (ending.outcome, &ending.left_with.version) {
        // The reason of a success says what runs.
        (Outcome::Succeeded, _) => reason,
        (Outcome::DeviceLost, Some(version)) => {
            format!("{reason}; at the last look the device ran {version}")
        }
        (_, Some(version)) => format!("{reason}; the device runs {version}"),
        (_, None) => format!("{reason}; it is not known what the device runs"),
    }
}

/// What a device is left with, by version and digests.
pub fn left_with(ending: &Ending) -> String {
    let LeftWith { version, configuration, .. } = &ending.left_with;
    let runs = match ending.outcome {
        Outcome::DeviceLost => "at the last look the device ran",
        _ => "the device runs",
    };
    match version {
        Some(version) if configuration.files.is_empty() => format!("{runs} {version}"),
        Some(version) => format!("{runs} {version} with its configuration {}", kinds(configuration)),
        None => "it is not known what the device runs".into(),
    }
}

/// What is wanted of a run.
pub fn goal(goal: &Goal) -> String {
    match goal {
        Goal::Upgrade { image } => format!("upgrade to {} (image {})", image.manifest.version, image.name),
        Goal::Backup => "backup".into(),
        Goal::Restore { set } => format!("restore {}", kinds(set)),
        Goal::RollBack => "roll back".into(),
        Goal::Reset => "reset".into(),
    }
}

/// Where a run stands, in few words.
pub fn standing(run: &Run) -> String {
    match &run.state {
        State::Ended(ending) => ending.outcome.to_string(),
        State::Asking(question) => format!("asking: {}", answer_words(&question.answers)),
        State::Holding { until } => format!("waiting until {}", output::date_time(*until)),
        State::Pausing { until } => format!("trying again at {}", output::time_of_day(*until)),
        State::Draining { calls: Some(calls), .. } => format!("waiting for {calls} calls to end"),
        _ => match (run.current_step(), run.progress()) {
            (Some(step), Some(percent)) => format!("{step}: {percent} %"),
            (Some(step), None) => step.to_string(),
            (None, _) => "under way".into(),
        },
    }
}

/// Where a run stands that cannot be read.
pub const fn unreadable(run: &UnreadableRun) -> &'static str {
    if run.over { "over; cannot be read" } else { "cannot be read; set aside" }
}

/// Why a run ended so, or is where it is.
pub fn reason(run: &Run) -> String {
    match &run.state {
        State::Ended(ending) => ending.reason.clone(),
        _ => run.stranded.as_ref().or(run.failure.as_ref()).map(ToString::to_string).unwrap_or_default(),
    }
}

/// How a run ended; none while it has not.
pub const fn outcome(run: &Run) -> Option<Outcome> {
    match &run.state {
        State::Ended(ending) => Some(ending.outcome),
        _ => None,
    }
}

/// The word that `iadms run answer` takes.
pub const fn answer_word(answer: AnswerKind) -> &'static str {
    match answer {
        AnswerKind::Again => "again",
        AnswerKind::OtherImage => "image",
        AnswerKind::Edited => "edited",
        AnswerKind::End => "end",
    }
}

/// The commands that give each of the answers, one a line.
pub fn answer_commands(run: upgrade::RunId, answers: &[AnswerKind]) -> Vec<String> {
    let command = |answer: &AnswerKind| match answer {
        AnswerKind::Again => format!("iadms run answer {run} again"),
        AnswerKind::OtherImage => format!("iadms run answer {run} image NAME"),
        AnswerKind::Edited => {
            format!("iadms run answer {run} edited DIR   (first: iadms run export {run} DIR, then edit)")
        }
        AnswerKind::End => format!("iadms run answer {run} end"),
    };
    answers.iter().map(command).collect()
}

/// The kinds of a configuration and the beginnings of their digests.
pub fn kinds(set: &ConfigurationSet) -> String {
    let kind =
        |(kind, file): (&upgrade::Kind, &upgrade::StoredFile)| format!("{kind} {}", file.digest.short());
    set.files.iter().map(kind).collect::<Vec<_>>().join(", ")
}

fn answer_words(answers: &[AnswerKind]) -> String {
    answers.iter().copied().map(answer_word).collect::<Vec<_>>().join(", ")
}

fn with_more(text: &str, more: &str) -> String {
    if more.is_empty() { text.to_owned() } else { format!("{text}: {more}") }
}

#[cfg(test)]
mod tests {
    use upgrade::operation::Cause;
    use upgrade::run::{Failure, Step};

    use super::*;

    #[test]
    fn a_person_at_night_reads_what_happened_and_what_can_be_answered() {
        let failure = Failure { step: Step::Downloading, cause: Cause::Stalled(300) };
        let asked =
            Story::Asked { failure: Some(failure), answers: vec![AnswerKind::Again, AnswerKind::End] };
        assert_eq!(
            super::story(&asked),
            "an operator is asked: downloading failed: no progress for 300 s; answers: again, end"
        );
        let left_with = LeftWith { version: Some("1.0".into()), ..LeftWith::default() };
        let ending = Ending { outcome: Outcome::RolledBack, reason: "activating failed".into(), left_with };
        assert_eq!(
            super::story(&Story::Ended(ending)),
            "rolled back: activating failed; the device runs 1.0"
        );
        assert_eq!(answer_commands(upgrade::RunId(7), &[AnswerKind::End]), ["iadms run answer 7 end"]);
    }
}
