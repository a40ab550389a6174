//! What the FTP server asks the task of the file server, which has the tickets.

use std::net::IpAddr;

use engine::file_server::{FtpGrant, FtpOutcome, Refusal, TransferId};
use tokio::sync::oneshot;
use unftp_core::storage::{Error, ErrorKind};
use upgrade::{Direction, RunId};

/// One question or report. Whoever asked and no longer waits for the answer has closed the connection.
pub enum FtpCall {
    /// May this user log in (PASS)?
    Login {
        /// As it was sent.
        user: String,
        /// As it was sent.
        password: String,
        /// Where from, as seen here.
        address: IpAddr,
        /// The run whose device it is.
        reply: oneshot::Sender<Result<RunId, Refusal>>,
    },
    /// How large is this file (SIZE)?
    Size {
        /// Whose device asks.
        run: RunId,
        /// The ticket.
        name: String,
        /// Where from.
        address: IpAddr,
        /// Bytes.
        reply: oneshot::Sender<Result<u64, Refusal>>,
    },
    /// May this file be transferred (RETR, STOR)? Once granted, [`FtpCall::End`] follows.
    Begin(Beginning),
    /// May bytes of its file move, either way? To be asked where the grant says so.
    Ask {
        /// Which transfer.
        transfer: TransferId,
        /// Bytes that could move at once.
        bytes: usize,
        /// How many of them may, once it is its turn; dropped where the transfer has to end.
        reply: oneshot::Sender<usize>,
    },
    /// How far a transfer is, about once a second.
    Progress {
        /// Which.
        transfer: TransferId,
        /// Bytes of the file.
        bytes: u64,
    },
    /// How a transfer ended.
    End {
        /// Which.
        transfer: TransferId,
        /// Bytes and digest of the file, or why not.
        outcome: FtpOutcome,
    },
}

/// Who wants to begin a transfer.
pub struct Beginning {
    /// Whose device asks.
    pub run: RunId,
    /// The ticket.
    pub name: String,
    /// Where from.
    pub address: IpAddr,
    /// Read or write.
    pub direction: Direction,
    /// To be kept while the transfer runs, and fired when it has to end at once. Dropped, it says the same.
    pub stop: oneshot::Sender<()>,
    /// The leave, once there is room for it.
    pub reply: oneshot::Sender<Result<FtpGrant, Refusal>>,
}

/// Why something is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Denied {
    /// The file server says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The file server has ended.
    #[error("the file server has ended")]
    NobodyThere,
}

impl From<Denied> for Error {
    /// The reply that says so: 550 for what never will be served, 4xx for what may be later.
    fn from(denied: Denied) -> Self {
        let kind = match denied {
            Denied::Refused(Refusal::UnknownName) => ErrorKind::PermanentFileNotAvailable,
            Denied::Refused(Refusal::Busy) => ErrorKind::TransientFileNotAvailable,
            Denied::Refused(Refusal::TooLarge) => ErrorKind::ExceededStorageAllocationError,
            Denied::Refused(_) => ErrorKind::PermissionDenied,
            Denied::NobodyThere => ErrorKind::LocalError,
        };
        Self::new(kind, denied)
    }
}
