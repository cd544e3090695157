//! The instance generator's own random draws: `SplitMix64`, seed mixed.
//!
//! Promises: the order and the value of draws never change, because published instances hang on them. Must not know:
//! the solvers' streams, which may change with the generator behind them.

/// A stream of draws. The seed itself is mixed, so that the streams of neighbouring seeds are not shifts of one another.
#[derive(Clone, Debug)]
pub(super) struct Draws(u64);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        let mut draws = Self(seed);
        draws.0 = draws.next() ^ 0xD1B5_4A32_D192_ED03;
        draws
    }

    /// The next 64 bits (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1), with 53 bits.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0..k.
    pub(super) fn below(&mut self, k: u32) -> u32 {
        (self.unit() * f64::from(k)) as u32
    }

    /// An index, drawn by weight.
    pub(super) fn pick(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }
}
