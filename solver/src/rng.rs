//! Seeded streams of random numbers: the only source of randomness.
//!
//! Promises: the same seed gives the same numbers on every machine, 64-bit or 32-bit, because everything is integer
//! arithmetic and one exact division by a power of two. Must not know: a clock, or the operating system's randomness.

use rand_core::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// An odd constant close to 2^64 over the golden ratio: neighbouring stream numbers become distant seeds.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream: xoshiro256++ (Blackman, Vigna 2021, doi:10.1145/3460772), seeded through `SplitMix64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// The stream of a seed. Every seed is allowed, 0 too.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// One of many streams of the same seed, independent of each other and of [`Rng::new`].
    #[must_use]
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut root = Self::new(seed);
        Self::new(root.bits() ^ stream.wrapping_mul(GOLDEN))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..k` without bias (Lemire 2019, doi:10.1145/3230636); 0 if `k` is 0.
    pub fn below(&mut self, k: u32) -> u32 {
        loop {
            let product = (self.bits() >> 32) * u64::from(k);
            let low = product as u32;
            // The division is needed only for the few draws that may fall in the biased part.
            if low >= k || low >= k.wrapping_neg() % k.max(1) {
                return (product >> 32) as u32;
            }
        }
    }

    /// Uniform in [0, 1), with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_numbers() {
        let mut rng = Rng::new(7);
        let drawn: Vec<u32> = (0..6).map(|_| rng.below(1_000)).collect();
        // Golden values: a change here changes every plan ever recorded.
        assert_eq!(drawn, GOLDEN_DRAWS);
        assert_eq!(rng.unit().to_bits(), GOLDEN_UNIT);
    }

    const GOLDEN_DRAWS: [u32; 6] = [55, 172, 717, 427, 963, 465];
    const GOLDEN_UNIT: u64 = 4_604_695_594_993_992_660;

    #[test]
    fn streams_of_one_seed_differ() {
        let heads: std::collections::BTreeSet<u64> = (0..1_000).map(|k| Rng::stream(1, k).bits()).collect();
        assert_eq!(heads.len(), 1_000);
        assert!(!heads.contains(&Rng::new(1).bits()));
    }

    #[test]
    fn every_value_below_k_is_drawn_about_equally_often() {
        let mut rng = Rng::new(3);
        let mut counts = [0_u32; 7];
        (0..70_000).for_each(|_| counts[rng.below(7) as usize] += 1);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn nothing_lies_below_zero_or_one_but_zero() {
        let mut rng = Rng::new(4);
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    }
}
