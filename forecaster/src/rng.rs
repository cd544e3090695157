//! Seeded random numbers for weights and the order of batches.
//!
//! Promises: the same seed gives the same numbers on every machine. Must not know: the system's randomness.

use rand_core::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A stream of xoshiro256++ (Blackman, Vigna 2021, doi:10.1145/3460772).
#[derive(Clone, Debug)]
pub(crate) struct Rng(Xoshiro256PlusPlus);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in 0..k, with a bias below k / 2^64, which batches do not notice; k must not be 0.
    fn below(&mut self, k: usize) -> usize {
        ((u128::from(self.0.next_u64()) * k as u128) >> 64) as usize
    }

    /// Uniform in [−1, 1), with 24 bits.
    pub(crate) fn symmetric(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }

    /// A random order (Fisher, Yates; Durstenfeld 1964, doi:10.1145/364520.364540) of the first `count` elements; the
    /// others follow in no particular one.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T], count: usize) {
        let len = items.len();
        (0..count.min(len)).for_each(|k| items.swap(k, k + self.below(len - k)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_that_the_seed_determines() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..100).collect();
            Rng::new(seed).shuffle(&mut items, 100);
            items
        };
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn numbers_fill_the_symmetric_interval_evenly() {
        let mut rng = Rng::new(5);
        let drawn: Vec<f32> = (0..10_000).map(|_| rng.symmetric()).collect();
        assert!(drawn.iter().all(|x| (-1.0..1.0).contains(x)));
        assert!((drawn.iter().sum::<f32>() / 10_000.0).abs() < 0.02);
    }
}
