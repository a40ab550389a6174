//! What is told of a run: to operators as it goes, to the network operations centre, and to whoever reads later.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AnswerKind, Failure, Step};
use crate::configuration::ConfigurationSet;
use crate::reading::Software;

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Story {
    /// The run began.
    Begun,
    /// A part of the figure began.
    StepBegun {
        /// The part.
        step: Step,
        /// More for people; may be empty.
        text: String,
    },
    /// The operation under way got on. The latest word counts; it is not kept.
    Progress {
        /// The part of the figure.
        step: Step,
        /// Per cent.
        percent: u8,
    },
    /// A part of the figure is done.
    StepDone {
        /// The part.
        step: Step,
        /// What was found; may be empty.
        text: String,
    },
    /// A part of the figure failed.
    StepFailed(Failure),
    /// It will be repeated by itself.
    Repeating {
        /// Which repeat, from 1.
        repeat: u32,
        /// After so many milliseconds.
        after_ms: u64,
    },
    /// An operator is asked.
    Asked {
        /// What failed.
        failure: Option<Failure>,
        /// What may be answered.
        answers: Vec<AnswerKind>,
    },
    /// The question is answered, or no longer open.
    Answered {
        /// How; none at its time limit or on cancelling.
        answer: Option<AnswerKind>,
    },
    /// An operator wants it to end.
    Cancelled,
    /// The manager was restarted and goes on.
    Resumed,
    /// The run ended.
    Ended(Ending),
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
    /// What the device is left with, by the last look at it.
    pub left_with: LeftWith,
}

/// What a run is to end with, once its device is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// How.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The goal is reached.
    Succeeded,
    /// It was refused before anything was written.
    Refused,
    /// It failed, and the device is as it was before.
    RolledBack,
    /// An operator ended it after a failure; the device is as it was before.
    EndedByOperator,
    /// An operator cancelled it; the device is as it was before.
    Cancelled,
    /// The device could not be reached or brought back, and was given up.
    DeviceLost,
}

/// What a device is left with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftWith {
    /// The version that runs; none where it is not known.
    pub version: Option<String>,
    /// The index of its buffer.
    #[serde(default)]
    pub buffer: Option<u32>,
    /// Whether it only is on trial, and another one runs once that is over.
    #[serde(default)]
    pub on_trial: bool,
    /// The configuration that version uses, by the device's word.
    pub configuration: ConfigurationSet,
    /// The version in the other buffer; none where it is empty or not known.
    #[serde(default)]
    pub other_version: Option<String>,
    /// The configuration that goes with it, by the device's word; none where the device tells of no configuration.
    #[serde(default)]
    pub other: Option<ConfigurationSet>,
}

impl LeftWith {
    /// The software that runs; none where it is not known.
    pub(crate) fn software(&self) -> Option<Software<'_>> {
        self.version.as_deref().map(|version| Software { version, buffer: self.buffer })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Preflight => "preflight",
            Self::ConfiguringServer => "configuring the file server",
            Self::BackingUp => "backing up",
            Self::Judging => "judging the configuration",
            Self::Downloading => "downloading",
            Self::ClosingCalls => "stopping new calls",
            Self::Draining => "waiting to activate",
            Self::Activating => "activating",
            Self::Converting => "converting",
            Self::Restoring => "restoring",
            Self::Soaking => "watching its health",
            Self::Confirming => "confirming",
            Self::RollingBack => "rolling back",
            Self::RestoringOriginal => "verifying the original configuration",
            Self::OpeningCalls => "letting calls in again",
            Self::Resetting => "restarting",
            Self::Stopping => "stopping",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} failed: {}", self.step, self.cause)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::RolledBack => "rolled back",
            Self::EndedByOperator => "ended by operator",
            Self::Cancelled => "cancelled",
            Self::DeviceLost => "device lost",
        })
    }
}

impl fmt::Display for AnswerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Again => "again",
            Self::OtherImage => "other image",
            Self::Edited => "edited",
            Self::End => "end",
        })
    }
}
