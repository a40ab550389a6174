//! What the owner of the devices and those who move their files say to each other.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::device::{TransferError, TransferId};

/// Whose transfer, among all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// The place of the device.
    pub(crate) device: usize,
    /// Which of its transfers.
    pub(crate) transfer: TransferId,
}

/// A file to be moved.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) owner: Owner,
    /// The address of the device, from which everything has to come.
    pub(crate) local: IpAddr,
    pub(crate) server: SocketAddr,
    pub(crate) name: String,
    /// The content of a file that is sent; `None`: it is loaded.
    pub(crate) content: Option<Arc<[u8]>>,
}

/// Something about a transfer that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// It stands still for a time, or for good.
    Stall(Option<Duration>),
    /// It ends, with a word to the server or without.
    Cancel {
        /// Without a word.
        silent: bool,
    },
}

/// What became of a transfer so far.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) owner: Owner,
    pub(crate) progress: Progress,
}

/// What became of a transfer so far.
#[derive(Debug)]
pub(crate) enum Progress {
    Received(Vec<u8>),
    Sent(u64),
    Finished,
    Failed(TransferError),
}
