//! The TFTP core, with nothing around it but a socket, against foreign servers and clients.

mod client;
mod drive;
mod server;

/// Bytes that repeat only after millions, so that no block can be mistaken for another one.
fn contents(size: usize) -> Vec<u8> {
    (0..size as u64).map(|place| (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Sizes around the edges of blocks and windows.
const SIZES: [usize; 8] = [0, 1, 511, 512, 513, 8 * 1428, 100_000, 1 << 20];

/// Just more blocks of 512 bytes than block numbers.
const MORE_THAN_BLOCK_NUMBERS: usize = 65_536 * 512 + 100;
