//! The codes of ERROR packets (RFC 1350 appendix, RFC 2347).

use std::fmt;

/// Why a transfer was refused or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// 0: the message says it, if anything does.
    NotDefined,
    /// 1: there is no such file.
    FileNotFound,
    /// 2: the file is not for this client.
    AccessViolation,
    /// 3: no room for the file.
    DiskFull,
    /// 4: a packet that has no place in this transfer.
    IllegalOperation,
    /// 5: a packet from a port that carries no transfer.
    UnknownTransferId,
    /// 6: the file would be overwritten.
    FileAlreadyExists,
    /// 7: mail to nobody.
    NoSuchUser,
    /// 8: options that were not agreed (RFC 2347).
    OptionRefused,
    /// A code from 9 on, which no RFC assigns.
    Other(u16),
}

impl From<u16> for ErrorCode {
    fn from(code: u16) -> Self {
        match code {
            0 => Self::NotDefined,
            1 => Self::FileNotFound,
            2 => Self::AccessViolation,
            3 => Self::DiskFull,
            4 => Self::IllegalOperation,
            5 => Self::UnknownTransferId,
            6 => Self::FileAlreadyExists,
            7 => Self::NoSuchUser,
            8 => Self::OptionRefused,
            other => Self::Other(other),
        }
    }
}

impl From<ErrorCode> for u16 {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::NotDefined => 0,
            ErrorCode::FileNotFound => 1,
            ErrorCode::AccessViolation => 2,
            ErrorCode::DiskFull => 3,
            ErrorCode::IllegalOperation => 4,
            ErrorCode::UnknownTransferId => 5,
            ErrorCode::FileAlreadyExists => 6,
            ErrorCode::NoSuchUser => 7,
            ErrorCode::OptionRefused => 8,
            ErrorCode::Other(other) => other,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::NotDefined => "not defined",
            Self::FileNotFound => "file not found",
            Self::AccessViolation => "access violation",
            Self::DiskFull => "disk full",
            Self::IllegalOperation => "illegal TFTP operation",
            Self::UnknownTransferId => "unknown transfer id",
            Self::FileAlreadyExists => "file already exists",
            Self::NoSuchUser => "no such user",
            Self::OptionRefused => "option refused",
            Self::Other(_) => "unassigned",
        };
        write!(formatter, "error {} ({words})", u16::from(*self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_both_ways() {
        for number in 0..=u16::MAX {
            assert_eq!(u16::from(ErrorCode::from(number)), number);
        }
    }
}
