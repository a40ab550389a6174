//! Questions to operators, and who may answer instead (rows H8, H16, H20).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::Time;
use crate::configuration::{Kind, StoredFile};
use crate::image::Image;

/// Who decides after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// An operator.
    Ask,
    /// The run repeats by itself, so many times and with a growing delay; then an operator.
    Auto(u32),
    /// Nobody: the run ends.
    Never,
}

/// A question to an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What failed; none where the configuration is to be edited before anything was touched.
    pub failure: Option<Failure>,
    /// What may be answered.
    pub answers: Vec<AnswerKind>,
    /// When it was asked.
    pub asked_at: Time,
    /// When the run ends unless it is answered.
    pub limit: Option<Time>,
    /// Whether the device could not be brought back, so that ending means giving it up.
    pub lost: bool,
}

/// The kinds of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// Once more.
    Again,
    /// Once more with another image.
    OtherImage,
    /// Once more with the configuration as edited by the operator.
    Edited,
    /// No more.
    End,
}

/// An operator's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Once more.
    Again,
    /// Once more with this image.
    OtherImage(Arc<Image>),
    /// Once more with these files, one of each kind that was backed up.
    Edited(std::collections::BTreeMap<Kind, StoredFile>),
    /// No more.
    End,
}

impl Answer {
    /// Its kind.
    pub const fn kind(&self) -> AnswerKind {
        match self {
            Self::Again => AnswerKind::Again,
            Self::OtherImage(_) => AnswerKind::OtherImage,
            Self::Edited(_) => AnswerKind::Edited,
            Self::End => AnswerKind::End,
        }
    }
}
