//! File tickets: what a device may read from or write to the file server, once.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{DeviceId, Digest, RunId, Time};

/// Leave to transfer one file, once: the only thing a file server of ours knows by name.
///
/// It is bound to one device address, one direction, one size, one protocol and a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The file name the device is told. It cannot be guessed.
    pub name: TicketName,
    /// The run it was opened for; with that run it ends.
    pub run: RunId,
    /// The device it was opened for.
    pub device: DeviceId,
    /// The address the device's requests come from, as seen from here (behind a translation, the translated one).
    pub address: IpAddr,
    /// Read (by the device, from us) or write.
    pub direction: Direction,
    /// The protocol it is good for.
    pub protocol: Protocol,
    /// What is read, or what the written bytes become.
    pub content: Content,
    /// Bytes: the exact size where the device reads, the most that is taken where it writes.
    pub size: u64,
    /// When it ends, used or not.
    pub expires: Time,
    /// The password that goes with it by FTP, where the user is the ticket's run; empty by TFTP.
    pub password: String,
}

/// The name of a ticket: up to 32 letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketName(pub String);

impl fmt::Display for TicketName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Which way the bytes go, as the device sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The device reads (RRQ, RETR).
    Read,
    /// The device writes (WRQ, STOR).
    Write,
}

/// The file transfer protocol a device uses with the file server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// RFC 1350.
    Tftp,
    /// RFC 959.
    Ftp,
    /// RFC 1350, and images are written to the device by the manager, once the device says that it waits for them (row S18).
    Push,
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tftp => "tftp",
            Self::Ftp => "ftp",
            Self::Push => "push",
        })
    }
}

/// What is behind a ticket in the manager's storage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A stored file, known by its digest: a file of an image or of a configuration.
    Stored {
        /// The SHA-256 of the whole file.
        digest: Digest,
    },
    /// A file that comes into being by this transfer. Storage keeps it under its digest and tells that.
    Arriving,
}
