//! Numbers whose sums are exact.
//!
//! Promises: rounded numbers add up, in any order and with any cancellation, without a further error, as long as no
//! partial sum exceeds 2^12 times the largest sum. Must not know: what is added.

/// Multiples of a power of two, 2^-40 of the largest sum. That is far finer than any quality is known, coarse enough
/// that machines whose logarithms differ in the last bit agree nearly always, and leaves 12 of 52 bits to sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    step: f64,
}

impl Grid {
    /// The grid for sums of up to `most`, finite and at least 0.
    pub(super) fn new(most: f64) -> Self {
        const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;
        // `most` is below 2^(exponent + 1); the subtraction stops where the step would no longer be a normal number.
        let exponent = most.to_bits() >> FRACTION;
        Self { step: f64::from_bits(exponent.saturating_sub(39).max(1) << FRACTION) }
    }

    pub(super) fn round(self, numbers: &[f64]) -> Box<[f64]> {
        numbers.iter().map(|number| (number / self.step).round() * self.step).collect()
    }

    /// The most that rounding adds to a sum of `count` numbers.
    pub(super) fn slack(self, count: usize) -> f64 {
        0.5 * count as f64 * self.step
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_exact_in_any_order(numbers in prop::collection::vec(0.0..1e9_f64, 1..200), scale in -200..200_i32) {
            let numbers: Vec<f64> = numbers.iter().map(|number| number * 10.0_f64.powi(scale)).collect();
            let most: f64 = numbers.iter().sum();
            let rounded = Grid::new(most).round(&numbers);
            let forwards: f64 = rounded.iter().sum();
            let backwards: f64 = rounded.iter().rev().sum();
            prop_assert_eq!(forwards, backwards);
            prop_assert_eq!(forwards - backwards + rounded[0], rounded[0]);
            prop_assert!((forwards - most).abs() <= 1e-9 * most);
        }
    }

    #[test]
    fn nothing_at_all_stays_nothing() {
        assert_eq!(Grid::new(0.0).round(&[0.0]), [0.0].into());
    }
}
