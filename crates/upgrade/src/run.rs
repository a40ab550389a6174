//! One device going through the upgrade figure, or through a part of it.
//!
//! The rule behind the figure: after activation every failure, end or cancel goes through rolling back and
//! restoring the original before anybody is asked. A question never leaves a device on unconfirmed software or
//! with another version's configuration, so it may stay open for days.

mod beginning;
mod bringing_back;
mod calls;
mod cancelling;
mod ending;
mod event;
mod expected;
mod failing;
mod figure;
mod judging;
mod lasting;
mod preflight;
mod question;
mod settle;
mod software;
mod step;
mod story;
mod tickets;
mod trial;
mod verifying;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::beginning::{Beginning, Choices, Goal, Subject};
pub use self::event::{BackedUp, Effect, Event};
pub use self::expected::Expected;
pub use self::question::{Answer, AnswerKind, Policy, Question};
pub use self::software::Ahead;
pub use self::step::Rejected;
pub use self::story::{Closing, Ending, LeftWith, Outcome, Story};
use crate::configuration::{ConfigurationSet, Kind};
use crate::operation::{Cause, Operation};
use crate::profile::{ConvertedBy, Server};
use crate::reading::{Pulse, Software};
use crate::{RunId, Time};

/// A run, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The device.
    pub device: Subject,
    /// What is wanted.
    pub goal: Goal,
    /// How it is wanted.
    pub choices: Choices,
    /// The name of the profile it began with, which is kept with it.
    pub profile: String,
    /// The file server the device is told.
    pub server: Server,
    /// Random, known to nobody: ticket names are made from it.
    pub secret: String,
    /// When it began.
    pub begun: Time,
    /// What earlier runs of the device know of it; where none does, what it was found like.
    #[serde(default)]
    pub expected: Option<Expected>,
    /// Where it stands.
    pub state: State,
    /// Operations begun so far; part of each one's id.
    pub operations: u32,
    /// Looks and SETs asked for so far; only the answer to the last one counts.
    pub asked: u32,
    /// What the device was like before.
    pub old: Option<Old>,
    /// The configuration of before, as it was sent. It is kept untouched, whatever is made of it.
    pub backup: Option<ConfigurationSet>,
    /// What was found where the backup was to be restored, and is backed up as well; only while the device is brought
    /// back.
    #[serde(default)]
    pub replaced: Option<ConfigurationSet>,
    /// The operation that the device shows if it never began what failed: the restore, or what was to make other software run; only
    /// while the device is brought back.
    #[serde(default)]
    pub untouched: Option<String>,
    /// What the device showed of the configuration of the old software while it ran other software that it took by itself:
    /// nothing of this run has changed that.
    #[serde(default)]
    pub aside: Option<ConfigurationSet>,
    /// The configuration of the software on trial, or rolled back to as wanted, as far as it is kept or nobody's work: what it came
    /// with, what was restored there, what was backed up since. None where nothing else was made to run, or no more of it can be
    /// had.
    #[serde(default)]
    pub on_trial: Option<ConfigurationSet>,
    /// The same of the software that this run loaded, when that was left last, or was loaded: then what it came with. None where
    /// nobody knows what is found there.
    #[serde(default)]
    pub left_there: Option<ConfigurationSet>,
    /// Who converts it, where it must be converted.
    pub conversion: Option<ConvertedBy>,
    /// What was made of it.
    pub converted: Option<ConfigurationSet>,
    /// The version that the device was told to load last, or that was rolled back to: this run wrote to its buffer.
    #[serde(default)]
    pub loaded: Option<String>,
    /// What failed last on the way to the goal.
    pub failure: Option<Failure>,
    /// What kept the device from being brought back, while that is so.
    pub stranded: Option<Failure>,
    /// What the device was seen to run where it was to be rolled back from, and was not.
    #[serde(default)]
    pub seen_away: Option<Cause>,
    /// Whether the device is being brought back to what it was before.
    pub returning: bool,
    /// Since when the device may run other software because of this run, and was not yet brought back.
    pub activated: Option<Time>,
    /// Whether the device takes no new calls because of this run.
    pub calls_closed: bool,
    /// When it last told the device to take no calls: that command may arrive late, and once more.
    #[serde(default)]
    pub told_to_close: Option<Time>,
    /// Until when calls are waited for, at most, although they are being kept out once more.
    #[serde(default)]
    pub drain_until: Option<Time>,
    /// Repeats by itself so far.
    pub repeats: u32,
    /// Repeats because settings moved.
    pub drifts: u32,
    /// Repeats of what brings the device back.
    pub bring_backs: u32,
    /// The device has carried out operations of this run that are not known here: what is stored is a copy of before.
    #[serde(default)]
    pub ahead: Option<Ahead>,
    /// What it ends with once its device is as it was before, where somebody wants it to end short of its goal.
    #[serde(default)]
    pub closing: Option<Closing>,
    /// The device by the last whole look at it.
    pub last: LeftWith,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Looking whether it may begin (row B3). Nothing is written.
    Preflight(Waiting),
    /// An operation at the device.
    Working {
        /// The part of the figure it is.
        step: Step,
        /// The operation.
        operation: Arc<Operation>,
    },
    /// The manager's converter is at work.
    Judging,
    /// Waiting for the time of activation.
    Holding {
        /// That time.
        until: Time,
    },
    /// Waiting for calls to end, and then a last look before activation (rows B6, S16).
    Draining {
        /// When calls are no longer waited for.
        limit: Time,
        /// Calls at the last look.
        calls: Option<u32>,
        /// The looks.
        waiting: Waiting,
    },
    /// The new software must stay healthy for a time before it is confirmed.
    Soaking {
        /// What it is like since the restart.
        pulse: Pulse,
        /// When it has been healthy for long enough.
        until: Time,
        /// The looks.
        waiting: Waiting,
    },
    /// Before a repeat by itself, or, once it is cancelled, until nothing that it sent can arrive any more.
    Pausing {
        /// When it goes on.
        until: Time,
    },
    /// An operator is asked.
    Asking(Question),
    /// Whether the device is as it was before: it was not looked at for long, and the run is to end, or to ask (row H16).
    Verifying(Waiting),
    /// Over.
    Ended(Ending),
}

/// Waiting for a device's answer, or to look again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Since when the device does not answer: the first look that was in vain; none while it does.
    pub silent: Option<Time>,
    /// When it is looked at again; none while an answer is awaited.
    pub next: Option<Time>,
}

/// The parts of the figure that are operations at the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Looking whether it may begin; a part of the figure, though no operation.
    Preflight,
    /// Telling the device its file server.
    ConfiguringServer,
    /// Backing up.
    BackingUp,
    /// Judging whether the configuration must be converted, and converting it at the manager.
    Judging,
    /// Loading the image into the standby buffer.
    Downloading,
    /// Stopping new calls.
    ClosingCalls,
    /// Waiting for calls to end.
    Draining,
    /// Running the new software.
    Activating,
    /// Converting the configuration on the device.
    Converting,
    /// Restoring the configuration.
    Restoring,
    /// Watching the new software's health.
    Soaking,
    /// Confirming the new software.
    Confirming,
    /// Going back to the old software.
    RollingBack,
    /// Bringing the configuration of before back.
    RestoringOriginal,
    /// Letting calls in again.
    OpeningCalls,
    /// Restarting, where that is the goal.
    Resetting,
    /// Stopping what is under way, before an end.
    Stopping,
}

/// What a device was like before a run touched it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Old {
    /// The version that ran.
    pub version: String,
    /// The index of its buffer.
    #[serde(default)]
    pub buffer: Option<u32>,
    /// The configuration format of that version.
    pub format: Option<u32>,
    /// Its configuration, by its own word.
    pub configuration: ConfigurationSet,
    /// What it can do.
    pub capabilities: std::collections::BTreeSet<crate::reading::Capability>,
    /// The version in the other buffer.
    pub standby_version: Option<String>,
    /// The index of that buffer.
    #[serde(default)]
    pub standby_buffer: Option<u32>,
    /// The operation that it showed, whose ever that was.
    #[serde(default)]
    pub operation: Option<String>,
}

impl Old {
    /// The software that ran.
    pub(crate) fn software(&self) -> Software<'_> {
        Software { version: &self.version, buffer: self.buffer }
    }
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The part of the figure.
    pub step: Step,
    /// Why.
    pub cause: Cause,
}

impl Run {
    /// A run at its beginning, to which [`Event::Begin`] is due.
    pub fn new(beginning: Beginning) -> Self {
        let Beginning { id, device, goal, choices, profile, server, secret, begun, expected } = beginning;
        Self {
            id,
            device,
            goal,
            choices,
            profile,
            server,
            secret,
            begun,
            expected,
            state: State::Preflight(Waiting::default()),
            operations: 0,
            asked: 0,
            old: None,
            backup: None,
            replaced: None,
            untouched: None,
            aside: None,
            on_trial: None,
            left_there: None,
            conversion: None,
            converted: None,
            loaded: None,
            failure: None,
            stranded: None,
            seen_away: None,
            returning: false,
            activated: None,
            calls_closed: false,
            told_to_close: None,
            drain_until: None,
            repeats: 0,
            drifts: 0,
            bring_backs: 0,
            ahead: None,
            closing: None,
            last: LeftWith::default(),
        }
    }

    /// The version wanted, where one is.
    pub fn target_version(&self) -> Option<&str> {
        self.target().map(|target| target.version)
    }

    /// The software wanted, where other software than that of before may be.
    pub(crate) fn target(&self) -> Option<Software<'_>> {
        match (&self.goal, &self.old) {
            // It goes where the software of before, of another version, is not.
            (Goal::Upgrade { image }, _) => Some(Software { version: &image.manifest.version, buffer: None }),
            (Goal::RollBack, Some(old)) => {
                let version = old.standby_version.as_deref()?;
                Some(Software { version, buffer: old.standby_buffer })
            }
            _ => None,
        }
    }

    /// Whether the device ran this when it was looked at last; where nothing is wanted, whether that is not known.
    pub(crate) fn ran_last(&self, software: Option<Software<'_>>) -> bool {
        match (self.last.software(), software) {
            (Some(seen), Some(software)) => seen.is(software),
            (seen, software) => seen.is_none() && software.is_none(),
        }
    }

    /// The part of the figure it is in; none once it has ended or while it asks.
    pub const fn current_step(&self) -> Option<Step> {
        Some(match &self.state {
            State::Preflight(_) => Step::Preflight,
            State::Working { step, .. } => *step,
            State::Judging => Step::Judging,
            State::Holding { .. } | State::Draining { .. } => Step::Draining,
            State::Soaking { .. } => Step::Soaking,
            State::Verifying(_) => Step::Stopping,
            State::Pausing { .. } | State::Asking(_) | State::Ended(_) => return None,
        })
    }

    /// Per cent of the operation under way, where there is one.
    pub fn progress(&self) -> Option<u8> {
        match &self.state {
            State::Working { operation, .. } => match operation.state {
                crate::operation::State::Underway { progress, .. } => Some(progress),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the ids of its operations begin with. The secret's digits tell it from the same number in another
    /// manager's store.
    pub fn prefix(&self) -> String {
        let digits: String = self.secret.chars().take(6).collect();
        format!("r{}.{digits}-", self.id)
    }

    /// Whether the answer that is awaited is one to a SET.
    pub fn is_commanding(&self) -> bool {
        match &self.state {
            State::Working { operation, .. } => operation.is_commanding(),
            _ => false,
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Whether somebody wants it to end short of its goal: what is under way is stopped, and what was changed taken back.
    pub const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// The configuration that belongs on the device once the goal is reached.
    pub(crate) fn wanted_configuration(&self) -> Option<&ConfigurationSet> {
        match &self.goal {
            Goal::Restore { set } => Some(set),
            _ => self.converted.as_ref().or(self.backup.as_ref()),
        }
    }

    /// The files of the backup, by kind.
    pub fn backed_up(&self) -> BTreeMap<Kind, crate::StoredFile> {
        self.backup.as_ref().map(|backup| backup.files.clone()).unwrap_or_default()
    }
}
