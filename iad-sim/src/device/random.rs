//! Randomness from a seed: SplitMix64, enough for delays and the lengths of calls.

/// A sequence of numbers that its seed determines.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit`, both included.
    pub(crate) fn up_to(&mut self, limit: u64) -> u64 {
        let wide = u128::from(self.next()) * (u128::from(limit) + 1);
        u64::try_from(wide >> 64).unwrap_or(limit)
    }

    /// The next `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count.next_multiple_of(8));
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_the_limit_and_reach_both_ends() {
        let mut random = Random::new(7);
        let mut seen = [false; 4];
        for _ in 0..200 {
            seen[usize::try_from(random.up_to(3)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(random.up_to(0), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(Random::new(1).bytes(13), Random::new(1).bytes(13));
        assert_ne!(Random::new(1).bytes(13), Random::new(2).bytes(13));
        assert_eq!(Random::new(1).bytes(13).len(), 13);
    }
}
