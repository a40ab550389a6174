//! Datagrams as the pure parts see them: bytes, who sent them, and which address of ours they were sent to.

use std::net::{IpAddr, SocketAddr};

/// A datagram that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub peer: SocketAddr,
    /// The address of ours it was sent to, if the system tells: answers come from there.
    pub local: Option<IpAddr>,
    /// Its contents.
    pub bytes: &'a [u8],
}

/// Datagrams to send; their contents stand in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Who gets them.
    pub peer: SocketAddr,
    /// The address of ours they come from; the system chooses where there is none.
    pub local: Option<IpAddr>,
    /// Bytes of each datagram; the last may be shorter. Equal to `length` where there is one.
    pub segment_size: usize,
    /// Bytes in the buffer, all datagrams together.
    pub length: usize,
}
