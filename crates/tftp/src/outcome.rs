//! How a transfer ends.

use crate::packet::{DATA_HEADER, ErrorCode, Packet};

/// Longest message of a peer that is kept, in bytes.
const MAX_MESSAGE: usize = 200;

/// What became of a transfer: the bytes of the file, or why not.
pub type Outcome = Result<u64, Failure>;

/// Why a transfer failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The other side ended it with an ERROR packet.
    #[error("the peer ended the transfer with {code}: {message}")]
    Peer {
        /// Its code.
        code: ErrorCode,
        /// Its words, without control characters.
        message: String,
    },
    /// Nothing that moved the transfer on came for [`crate::Timing::give_up`].
    #[error("the peer fell silent")]
    Silent,
    /// The whole file was sent; that the last block arrived was never acknowledged.
    #[error("the last block was never acknowledged")]
    Unconfirmed,
    /// Storage had no answer for [`crate::Timing::give_up`].
    #[error("storage did not answer")]
    StorageSilent,
    /// Storage could not read or keep the file.
    #[error("storage failed: {0}")]
    Storage(String),
    /// There is no room for the file.
    #[error("no room for the file")]
    DiskFull,
    /// The file is larger than what was allowed.
    #[error("the file is larger than the {limit} bytes allowed")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The server agreed to options nobody asked for (RFC 2347).
    #[error("the server agreed to options that were not asked for")]
    OptionRefused,
    /// A DATA packet larger than the block size.
    #[error("the peer sent a block larger than agreed")]
    OversizedBlock,
    /// The owner ended it.
    #[error("cancelled: {0}")]
    Cancelled(String),
}

impl Failure {
    /// The ERROR the peer is told, if it is told anything: a peer that is silent is not.
    pub(crate) fn farewell(&self) -> Option<(ErrorCode, &str)> {
        match self {
            Self::Peer { .. } | Self::Silent | Self::Unconfirmed => None,
            Self::StorageSilent => Some((ErrorCode::NotDefined, "storage did not answer")),
            Self::Storage(cause) => Some((ErrorCode::NotDefined, cause)),
            Self::DiskFull => Some((ErrorCode::DiskFull, "no room for the file")),
            Self::TooLarge { .. } => Some((ErrorCode::DiskFull, "the file is larger than allowed")),
            Self::OptionRefused => Some((ErrorCode::OptionRefused, "options that were not asked for")),
            Self::OversizedBlock => Some((ErrorCode::IllegalOperation, "a block larger than agreed")),
            Self::Cancelled(cause) => Some((ErrorCode::NotDefined, cause)),
        }
    }

    pub(crate) fn from_peer(code: ErrorCode, message: &[u8]) -> Self {
        Self::Peer { code, message: readable(message) }
    }
}

/// The words of a peer without control characters, and no more of them than fit a log line.
fn readable(message: &[u8]) -> String {
    let kept = message.get(..MAX_MESSAGE).unwrap_or(message);
    String::from_utf8_lossy(kept).chars().filter(|letter| !letter.is_control()).collect()
}

/// An ERROR packet that has to go out.
pub(crate) fn error_packet(code: ErrorCode, message: &str) -> Vec<u8> {
    let mut packet = Vec::with_capacity(DATA_HEADER + message.len() + 1);
    Packet::Error { code, message: message.as_bytes() }.encode(&mut packet);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_peer_are_cut_and_cleaned() {
        let long = [b"disk\x1b[2J full\r\n".as_slice(), &[b'x'; 5000]].concat();
        let Failure::Peer { message, .. } = Failure::from_peer(ErrorCode::DiskFull, &long) else { panic!() };
        assert!(message.starts_with("disk[2J full"));
        assert!(message.len() <= MAX_MESSAGE);
        assert!(!message.chars().any(char::is_control));
    }
}
