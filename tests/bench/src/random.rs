//! Random numbers that are the same for each seed (SplitMix64): contents of files, and which datagrams are lost.

/// A source of numbers.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Whether something happens that happens so often of a thousand times.
    pub(crate) const fn permille(&mut self, often: u64) -> bool {
        often > 0 && self.next() % 1000 < often
    }

    /// A file of so many bytes: no two places have the same, so that a block in the wrong place shows.
    pub(crate) fn file(&mut self, bytes: usize) -> Vec<u8> {
        let mut file: Vec<u8> = (0..bytes.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        file.truncate(bytes);
        file
    }
}
