//! The operation: what a manager asked of the device, and what became of it (group `iadOperation` of the IAD-MIB).

use serde::{Deserialize, Serialize};

use super::configuration::ConfigurationKind;
use super::digest::Digest;

/// What is asked of the device (`iadOpCommand`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Nothing yet.
    None,
    /// Send the running configuration to the server.
    Backup,
    /// Load an image into the standby buffer.
    Download,
    /// Switch to the standby buffer without a restart.
    Activate,
    /// Restart, into other software if a version is given.
    Reset,
    /// Go back to the other buffer.
    Rollback,
    /// Convert the configuration of the other buffer and send it to the server.
    Convert,
    /// Load configuration files and apply them.
    Restore,
    /// End the trial of the running software, for good.
    Confirm,
    /// Empty the standby buffer.
    Erase,
    /// Stop the operation under way.
    Abort,
}

impl Command {
    /// All commands, in the order of their numbers from 0.
    pub const ALL: [Self; 11] = [
        Self::None,
        Self::Backup,
        Self::Download,
        Self::Activate,
        Self::Reset,
        Self::Rollback,
        Self::Convert,
        Self::Restore,
        Self::Confirm,
        Self::Erase,
        Self::Abort,
    ];

    /// The number in the MIB.
    pub fn number(self) -> i32 {
        number_in(&Self::ALL, self)
    }

    /// The command of this number in the MIB.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// Where the operation stands (`iadOpState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// There is none.
    Idle,
    /// For its delay to pass.
    Waiting,
    /// Under way.
    Running,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Stopped by command.
    Aborted,
}

impl OperationState {
    /// The number in the MIB.
    pub fn number(self) -> i32 {
        1 + number_in(
            &[Self::Idle, Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Aborted],
            self,
        )
    }
}

/// Why an operation failed (`iadOpError`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // each is described in the MIB, under the same name
pub enum ErrorCode {
    None,
    ServerUnreachable,
    FileNotFound,
    AccessRefused,
    TransferBroken,
    SizeMismatch,
    DigestMismatch,
    WrongHardware,
    NoSpace,
    FlashError,
    NoImage,
    RevisionMoved,
    ConversionFailed,
    ApplyFailed,
    FormatUnsupported,
    Unsupported,
    Interrupted,
    Aborted,
    BootFailed,
    FellBack,
    DiskFullAtServer,
}

impl ErrorCode {
    /// The number in the MIB.
    pub fn number(self) -> i32 {
        let all = [
            Self::None,
            Self::ServerUnreachable,
            Self::FileNotFound,
            Self::AccessRefused,
            Self::TransferBroken,
            Self::SizeMismatch,
            Self::DigestMismatch,
            Self::WrongHardware,
            Self::NoSpace,
            Self::FlashError,
            Self::NoImage,
            Self::RevisionMoved,
            Self::ConversionFailed,
            Self::ApplyFailed,
            Self::FormatUnsupported,
            Self::Unsupported,
            Self::Interrupted,
            Self::Aborted,
            Self::BootFailed,
            Self::FellBack,
            Self::DiskFullAtServer,
        ];
        number_in(&all, self)
    }
}

/// How the device waits before it begins (`iadOpDelayPolicy`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DelayPolicy {
    /// Not at all.
    #[default]
    None,
    /// The delay given.
    Fixed,
    /// Uniformly between nothing and the delay given.
    Random,
    /// Until the slot of the device comes.
    Slot,
}

impl DelayPolicy {
    const ALL: [Self; 4] = [Self::None, Self::Fixed, Self::Random, Self::Slot];

    /// The number in the MIB.
    pub fn number(self) -> i32 {
        1 + number_in(&Self::ALL, self)
    }

    /// The policy of this number in the MIB.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
    }
}

/// What an operation is given to work with. The lists are parallel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Parameters {
    /// The names of the files at the server.
    pub file_names: Vec<String>,
    /// The kind of each file.
    pub kinds: Vec<ConfigurationKind>,
    /// The size of each file in bytes; empty: not checked.
    pub sizes: Vec<u64>,
    /// The digest of each file; empty: not checked.
    pub digests: Vec<Digest>,
    /// The revision of the running configuration that is presumed; 0: not checked.
    pub revision: u32,
    /// The version meant.
    pub version: String,
    /// How long new software may run unconfirmed, in seconds; 0: for ever.
    pub trial_time_s: u32,
    /// The delay of policies fixed and random, in seconds.
    pub delay_s: u32,
    /// How the device waits.
    pub delay_policy: DelayPolicy,
    /// Among how many devices the slots are divided.
    pub slot_devices: u32,
    /// The time of all slots together, in seconds.
    pub slot_time_s: u32,
}

/// The operation that was last asked, and what became of it. Survives a loss of power.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The id that the manager gave it.
    pub id: String,
    /// What was asked.
    pub command: Command,
    /// With what.
    pub parameters: Parameters,
    /// Where it stands.
    pub state: OperationState,
    /// How much is done, in percent.
    pub progress: u32,
    /// Why it failed.
    pub error: ErrorCode,
    /// The same in words.
    pub text: String,
    /// Parameters were set since the operation began: they belong to the next one.
    pub drafting: bool,
    /// The buffer that a restart, begun by this operation, leads to.
    pub restarting_into: Option<usize>,
    /// It ended while nobody could be told.
    pub unannounced: bool,
}

impl Record {
    /// No operation yet.
    pub fn idle() -> Self {
        Self {
            id: String::new(),
            command: Command::None,
            parameters: Parameters::default(),
            state: OperationState::Idle,
            progress: 0,
            error: ErrorCode::None,
            text: String::new(),
            drafting: false,
            restarting_into: None,
            unannounced: false,
        }
    }

    /// Whether it has not ended yet.
    pub fn is_busy(&self) -> bool {
        matches!(self.state, OperationState::Waiting | OperationState::Running)
    }

    /// Ends it without success.
    pub(crate) fn fail(&mut self, error: ErrorCode, text: impl Into<String>) {
        self.state =
            if error == ErrorCode::Aborted { OperationState::Aborted } else { OperationState::Failed };
        // Software that falls back was an operation done before.
        self.progress = self.progress.min(99);
        self.error = error;
        self.text = text.into();
        self.restarting_into = None;
    }

    /// Ends it with success.
    pub(crate) fn succeed(&mut self, text: impl Into<String>) {
        self.state = OperationState::Done;
        self.progress = 100;
        self.error = ErrorCode::None;
        self.text = text.into();
        self.restarting_into = None;
    }
}

fn number_in<T: PartialEq>(all: &[T], one: T) -> i32 {
    all.iter().position(|other| *other == one).and_then(|position| i32::try_from(position).ok()).unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_mib() {
        assert_eq!(Command::Backup.number(), 1);
        assert_eq!(Command::Abort.number(), 10);
        assert_eq!(Command::from_number(4), Some(Command::Reset));
        assert_eq!(Command::from_number(11), None);
        assert_eq!(Command::from_number(-1), None);
        assert_eq!(OperationState::Idle.number(), 1);
        assert_eq!(OperationState::Aborted.number(), 6);
        assert_eq!(ErrorCode::Interrupted.number(), 16);
        assert_eq!(ErrorCode::DiskFullAtServer.number(), 20);
        assert_eq!(DelayPolicy::from_number(4), Some(DelayPolicy::Slot));
        assert_eq!(DelayPolicy::from_number(0), None);
        assert_eq!(DelayPolicy::from_number(i32::MIN), None);
    }
}
