//! What the device wants done in the world, and what the world tells it of its transfers.

use core::time::Duration;

use super::digest::Digest;
use super::durable::Server;
use super::operation::{Command, ErrorCode};

/// What the device wants done. What is durable has to be stored before an effect is performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Load a file from the server.
    Fetch(Fetch),
    /// Send a file to the server.
    Upload(Upload),
    /// End a transfer: with a word to the server, or without one as when power is lost.
    Cancel {
        /// Which one.
        transfer: TransferId,
        /// Without a word.
        silent: bool,
    },
    /// Send a notification.
    Notify(Notification),
    /// The image that was loaded is good: keep its content under this digest. To be performed before storing.
    KeepImage(Digest),
}

/// A transfer of one device, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferId(pub u64);

/// A file to be loaded; by [`ServerProtocol::Push`](super::ServerProtocol::Push) to be waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Under which the world reports.
    pub transfer: TransferId,
    /// From where.
    pub server: Server,
    /// The name at the server.
    pub name: String,
    /// What the file is.
    pub purpose: Purpose,
    /// Where the transfer stands still.
    pub stall: Option<Stall>,
}

/// A transfer stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Once so many bytes have been moved.
    pub at: u64,
    /// For so long; without it, for good.
    pub time: Option<Duration>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A part of an image, with the place of the file in it from 0.
    Image(usize),
    /// Configuration.
    Configuration,
}

/// A file to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Under which the world reports.
    pub transfer: TransferId,
    /// To where.
    pub server: Server,
    /// The name at the server.
    pub name: String,
    /// What is sent.
    pub content: Vec<u8>,
    /// Where the transfer stands still.
    pub stall: Option<Stall>,
}

/// What the world tells of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferEvent<'a> {
    /// The file is waited for at this UDP port.
    Waits(u16),
    /// The next bytes of a file that is loaded.
    Received(&'a [u8]),
    /// How many bytes of a file have been sent so far.
    Sent(u64),
    /// The file is there, whole.
    Finished,
    /// It will not be.
    Failed(TransferError),
}

/// Why a transfer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferError {
    /// No answer from the server.
    Unreachable,
    /// The server has no such file.
    NotFound,
    /// The server refuses.
    Refused,
    /// It began and did not end.
    Broken,
    /// The server has no room.
    DiskFull,
    /// The device does not speak this protocol.
    Unsupported,
}

impl From<TransferError> for ErrorCode {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Unreachable => Self::ServerUnreachable,
            TransferError::NotFound => Self::FileNotFound,
            TransferError::Refused => Self::AccessRefused,
            TransferError::Broken => Self::TransferBroken,
            TransferError::DiskFull => Self::DiskFullAtServer,
            TransferError::Unsupported => Self::Unsupported,
        }
    }
}

/// A notification, with what each of the IAD-MIB carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Which one.
    pub kind: NotificationKind,
    /// `iadSysUniqueId`.
    pub unique_id: String,
    /// `iadOpId`.
    pub operation: String,
    /// `iadOpCommand`.
    pub command: Command,
    /// `iadOpProgress`.
    pub progress: u32,
    /// `iadOpError`.
    pub error: ErrorCode,
}

/// The notifications of the IAD-MIB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationKind {
    /// `iadOperationBegun`
    Begun,
    /// `iadOperationProgress`
    Progress,
    /// `iadOperationDone`
    Done,
    /// `iadOperationFailed`
    Failed,
    /// `iadRestarted`
    Restarted,
}

impl NotificationKind {
    /// The last number of its object identifier.
    pub fn number(self) -> u32 {
        match self {
            Self::Begun => 1,
            Self::Progress => 2,
            Self::Done => 3,
            Self::Failed => 4,
            Self::Restarted => 5,
        }
    }
}
