//! Why a request is refused, and the TFTP error that says so (RFC 1350 appendix, RFC 2347).

use tftp::ErrorCode;

/// Why a request, or a packet out of place, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// No ticket has this name: it never had, is used up, is withdrawn or has expired.
    #[error("there is no such file")]
    UnknownName,
    /// The ticket is for the address of another device.
    #[error("the file is for another device")]
    OtherDevice,
    /// The ticket is for reading and the device writes, or the other way round.
    #[error("the file is for the other direction")]
    OtherDirection,
    /// The ticket is for another protocol.
    #[error("the file is for another protocol")]
    OtherProtocol,
    /// User or password are wrong (FTP).
    #[error("user or password are wrong")]
    WrongPassword,
    /// The device is transferring this file, and it moves.
    #[error("the file is being transferred")]
    Busy,
    /// The device announces more than the ticket allows.
    #[error("the file is larger than allowed")]
    TooLarge,
    /// Not a TFTP packet, or a mode or a packet that is not served.
    #[error("illegal operation")]
    IllegalOperation,
    /// A packet from a port that carries no transfer.
    #[error("no transfer with this port")]
    UnknownTransfer,
    /// Options that cannot be read.
    #[error("the options cannot be read")]
    BadOptions,
}

impl Refusal {
    /// The TFTP error for it.
    pub fn error_code(self) -> ErrorCode {
        match self {
            Self::UnknownName => ErrorCode::FileNotFound,
            Self::OtherDevice | Self::OtherDirection | Self::OtherProtocol | Self::WrongPassword => {
                ErrorCode::AccessViolation
            }
            Self::Busy => ErrorCode::NotDefined,
            Self::TooLarge => ErrorCode::DiskFull,
            Self::IllegalOperation => ErrorCode::IllegalOperation,
            Self::UnknownTransfer => ErrorCode::UnknownTransferId,
            Self::BadOptions => ErrorCode::OptionRefused,
        }
    }
}
