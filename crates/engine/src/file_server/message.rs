//! What the file server is told and tells: orders from the director, reports to it, and storage both ways.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use upgrade::{Digest, RunId, Ticket, TicketName};

use super::refusal::Refusal;

/// Bytes of a stored file that are read at once, and shared by all transfers that are there.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// One transfer by either protocol. A ticket that is used again after a transfer broke has another one, so that
/// what both wrote is never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub u64);

impl fmt::Display for TransferId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What the director orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Let the device use this ticket. [`News::Ready`] answers it; the same ticket again is answered again.
    Open(Ticket),
    /// The ticket ends, and a transfer that runs on it.
    Withdraw(TicketName),
    /// Write the file of this ticket to its device, which waits for that (row S18). A transfer that runs on the ticket goes on, and
    /// without an open ticket by [`upgrade::Protocol::Push`] for this address nothing happens.
    Push {
        /// The ticket.
        name: TicketName,
        /// Where the device takes the write request (RFC 1350).
        to: SocketAddr,
    },
}

/// What the director is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// News of one ticket.
    Ticket {
        /// Its name.
        name: TicketName,
        /// The run it was opened for.
        run: RunId,
        /// What happened.
        news: News,
    },
    /// Somebody was refused. Nothing has changed by it.
    Refused {
        /// Who asked; port 0 by FTP, where it is not known.
        peer: SocketAddr,
        /// For what, if it could be read: printable, cut to 64 characters.
        name: Option<String>,
        /// Why.
        reason: Refusal,
    },
}

/// News of one ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The device may use it from now on.
    Ready,
    /// The device has asked for it.
    Begun {
        /// Bytes the device says it is going to write, or that it will read; it may be wrong.
        size: Option<u64>,
    },
    /// Bytes that arrived so far; at most once a second, and the last one before [`News::Done`] may be missing.
    Progress {
        /// Bytes of the file.
        bytes: u64,
    },
    /// The whole file has arrived where it belongs, and the ticket is used up. Never lost, never doubled.
    Done {
        /// Bytes of the file.
        size: u64,
        /// Its digest, as storage has it.
        sha256: Digest,
    },
    /// The transfer has ended without the file. Never lost. Unless it is [`Cause::Expired`] or
    /// [`Cause::Withdrawn`] the ticket stays good: devices ask again by themselves when a link was lost.
    Failed {
        /// Why.
        cause: Cause,
    },
}

/// Why a transfer ended without the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The device ended it.
    #[error("the device ended the transfer: {0}")]
    Device(String),
    /// The device stopped answering.
    #[error("the device fell silent")]
    Silent,
    /// The whole file was sent, but that its end arrived was never acknowledged: the device may have it.
    #[error("the device never acknowledged the end of the file")]
    Unconfirmed,
    /// Storage could not read or keep the file.
    #[error("storage failed: {0}")]
    Storage(String),
    /// There is no room for the file.
    #[error("no room to store the file")]
    NoRoom,
    /// The device wrote more than the ticket allows.
    #[error("the file is larger than the {limit} bytes allowed")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The device broke the protocol.
    #[error("the device broke the protocol: {0}")]
    Protocol(String),
    /// The device began the same transfer anew, or another one from the same port.
    #[error("the device began anew")]
    Replaced,
    /// The ticket's time was over.
    #[error("the ticket expired")]
    Expired,
    /// The director withdrew the ticket.
    #[error("the ticket was withdrawn")]
    Withdrawn,
}

impl From<&tftp::Failure> for Cause {
    fn from(failure: &tftp::Failure) -> Self {
        match failure {
            tftp::Failure::Peer { code, message } => Self::Device(format!("{code}: {message}")),
            tftp::Failure::Silent => Self::Silent,
            tftp::Failure::Unconfirmed => Self::Unconfirmed,
            tftp::Failure::StorageSilent => Self::Storage("no answer".to_owned()),
            tftp::Failure::Storage(cause) => Self::Storage(cause.clone()),
            tftp::Failure::DiskFull => Self::NoRoom,
            tftp::Failure::TooLarge { limit } => Self::TooLarge { limit: *limit },
            tftp::Failure::OptionRefused | tftp::Failure::OversizedBlock | tftp::Failure::Cancelled(_) => {
                Self::Protocol(failure.to_string())
            }
        }
    }
}

/// What storage is asked to do, in this order for each transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToStorage {
    /// Read a piece of a stored file: exactly these bytes unless the file ends before. It is asked once however
    /// many transfers need it, and answered by [`FromStorage::Chunk`] or [`FromStorage::Unreadable`].
    Need {
        /// The file.
        file: Digest,
        /// The first byte, a multiple of [`CHUNK_BYTES`].
        offset: u64,
        /// Bytes to read.
        length: usize,
    },
    /// Write to the transfer's new file, beside everything that is stored. The first write opens it.
    Write {
        /// The transfer.
        transfer: TransferId,
        /// Where in the file; each write begins where the last one ended.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Everything is written (nothing, for an empty file): keep the file under its digest, safely on the disk.
    Finish {
        /// The transfer.
        transfer: TransferId,
        /// Bytes of the file.
        size: u64,
    },
    /// The transfer broke: remove its unfinished file, if there is one.
    Discard {
        /// The transfer.
        transfer: TransferId,
    },
}

/// What storage answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromStorage {
    /// A piece of a stored file.
    Chunk {
        /// The file.
        file: Digest,
        /// The first byte, as it was asked for.
        offset: u64,
        /// The bytes.
        bytes: Arc<[u8]>,
        /// Whether the file ends with them.
        last: bool,
    },
    /// A piece of a stored file cannot be read.
    Unreadable {
        /// The file.
        file: Digest,
        /// The first byte, as it was asked for.
        offset: u64,
        /// Why.
        cause: String,
    },
    /// Bytes of a transfer have been written.
    Written {
        /// The transfer.
        transfer: TransferId,
        /// Every byte before this one.
        offset: u64,
    },
    /// The file of a transfer is kept. Only now does the device get its last acknowledgement.
    Stored {
        /// The transfer.
        transfer: TransferId,
        /// Bytes of the file.
        size: u64,
        /// Its digest.
        sha256: Digest,
    },
    /// The file of a transfer cannot be kept.
    Failed {
        /// The transfer.
        transfer: TransferId,
        /// Why.
        cause: StorageFailure,
    },
}

/// Why storage cannot keep a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageFailure {
    /// No room.
    #[error("no room")]
    NoRoom,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}
