//! What the owner of the devices and those who move their files say to each other.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::device::{Stall, TransferId};
use crate::transfer::Progress;

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
    /// It is waited for until the server writes it.
    pub(crate) waits: bool,
    /// Where it stands still.
    pub(crate) stall: Option<Stall>,
}

/// What became of a transfer so far.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) owner: Owner,
    pub(crate) progress: Progress,
}
