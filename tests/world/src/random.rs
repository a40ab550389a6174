//! The one source of chance: SplitMix64 (Steele, Lea and Flood, 2014), the same numbers from the same seed for ever.

use core::time::Duration;

/// Numbers that look random and are not.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below `bound`; 0 if that is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.number() % bound }
    }

    /// One from `first` to `last`, both among them.
    pub const fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True so many times of a thousand.
    pub const fn permille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// A span from `first` to `last` milliseconds, in microseconds.
    pub const fn span(&mut self, first: u64, last: u64) -> Duration {
        Duration::from_micros(self.between(first * 1000, last * 1000))
    }

    /// A span up to this one, in microseconds.
    pub fn upto(&mut self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros.saturating_add(1).max(1)))
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let place = self.below(u64::try_from(all.len()).unwrap_or(0));
        all.get(usize::try_from(place).unwrap_or(0))
    }
}
