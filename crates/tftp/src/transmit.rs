//! What goes out in one call: one packet, or several of equal size for a segmented send.

/// Most packets in one transmit: what kernels take in one segmented send.
pub const MAX_BURST_SEGMENTS: usize = 64;
/// Most bytes in one transmit of several packets: together they have to fit one UDP payload.
pub const MAX_BURST_BYTES: usize = 65_000;

/// Packets that stand in the caller's buffer and have to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Bytes in the buffer, all packets together.
    pub length: usize,
    /// Bytes of each packet; the last may be shorter. Equal to `length` where there is one packet.
    pub segment_size: usize,
}

impl Transmit {
    /// One packet that is the whole buffer.
    pub(crate) fn single(buffer: &[u8]) -> Self {
        Self { length: buffer.len(), segment_size: buffer.len() }
    }
}
