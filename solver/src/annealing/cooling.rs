//! How the temperature falls, and what rises it lets pass.
//!
//! Promises: the same numbers on every machine, because nothing but sums, products and square roots is computed (an
//! `exp` or `ln` of one machine differs from that of another in the last bit). Must not know: moves.

/// How often the temperature changes in a run, as a power of two: the factor of a step is found by that many roots.
const STEPS_LOG2: u32 = 10;

/// No number of [`exponential`] is larger, so a rise beyond it needs no draw.
pub(super) const LARGEST: f64 = 46.0;

/// A geometric fall from hot to cold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cooling {
    hot: f64,
    factor: f64,
    moves: u64,
}

impl Cooling {
    /// A run of so many moves. Temperatures are at least 0; `cold` may be anything up to `hot`.
    pub(crate) fn new(hot: f64, cold: f64, moves: u64) -> Self {
        let ratio = if hot > 0.0 { (cold / hot).min(1.0) } else { 0.0 };
        Self { hot, factor: (0..STEPS_LOG2).fold(ratio, |root, _| root.sqrt()), moves }
    }

    /// The steps of the run: temperature and number of moves.
    pub(super) fn steps(&self) -> impl Iterator<Item = (f64, u64)> + use<> {
        let Self { hot, factor, moves } = *self;
        let steps = 1 << STEPS_LOG2;
        let end = move |step: u64| (u128::from(moves) * u128::from(step) / u128::from(steps)) as u64;
        let mut temperature = hot;
        (0..steps).map(move |step| {
            let now = temperature;
            temperature *= factor;
            (now, end(step + 1) - end(step))
        })
    }
}

/// A number drawn from the exponential distribution of mean 1, to within 1 %, from 64 random bits.
///
/// `-ln(u)` for a uniform `u`: the leading zeros are the whole part of `-log2(u)`, and a parabola is close enough to the
/// logarithm of the rest.
#[inline]
pub(super) fn exponential(bits: u64) -> f64 {
    /// Makes the parabola meet `log2(1 + x)` in the mean.
    const BEND: f64 = 0.344;
    let zeros = bits.leading_zeros();
    let x = (bits.wrapping_shl(zeros).wrapping_shl(1) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64);
    let log2 = x + BEND * x * (1.0 - x);
    (f64::from(zeros) + 1.0 - log2) * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_run_has_exactly_its_moves_and_goes_from_hot_to_cold() {
        for moves in [0, 1, 1_000, 123_457] {
            let steps: Vec<(f64, u64)> = Cooling::new(8.0, 0.5, moves).steps().collect();
            assert_eq!(steps.iter().map(|(_, moves)| moves).sum::<u64>(), moves);
            assert!(steps.is_sorted_by(|a, b| a.0 > b.0));
            assert!((steps[0].0, (steps[1_023].0 - 0.5).abs() < 0.01) == (8.0, true));
        }
    }

    #[test]
    fn no_heat_stays_no_heat() {
        assert!(Cooling::new(0.0, 1.0, 10).steps().all(|(temperature, _)| temperature == 0.0));
    }

    #[test]
    fn rises_are_drawn_as_the_logarithm_would() {
        let rng = &mut Rng::new(1);
        let mut sum = 0.0;
        for _ in 0..100_000 {
            let bits = rng.bits();
            let exact = -((bits as f64 + 1.0) / 2_f64.powi(64)).ln();
            assert!((exponential(bits) - exact).abs() < 0.01, "{bits}");
            sum += exponential(bits) / 100_000.0;
        }
        assert!((sum - 1.0).abs() < 0.01);
        assert!(exponential(0) < LARGEST && exponential(u64::MAX) >= 0.0);
    }
}
