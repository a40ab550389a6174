//! The files that are transferred.

/// Bytes that repeat only after millions, so that no block can be mistaken for another one.
pub(crate) fn contents(size: usize) -> Vec<u8> {
    (0..size as u64).map(|place| (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Sizes around the edges of blocks and windows.
pub(crate) const SIZES: [usize; 8] = [0, 1, 511, 512, 513, 8 * 1428, 100_000, 1 << 20];

/// More than 32 MiB: just more blocks of 512 bytes than there are block numbers.
pub(crate) const MORE_THAN_BLOCK_NUMBERS: usize = 65_536 * 512 + 100;
