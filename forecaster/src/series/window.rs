//! Windows: what a model sees and the truth that follows.
//!
//! Promises: no window crosses a gap. Must not know: models.

use crate::HORIZONS;

/// How many steps a model sees.
pub const LAGS: usize = 10;

/// Every position at which [`LAGS`] known cells end and [`HORIZONS`] known cells begin, in ascending order.
pub fn windows(cells: &[f32]) -> impl Iterator<Item = usize> + '_ {
    let mut known = 0;
    cells.iter().enumerate().filter_map(move |(k, value)| {
        known = if value.is_nan() { 0 } else { known + 1 };
        (known >= LAGS + HORIZONS).then(|| k + 1 - HORIZONS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_are_exactly_the_positions_without_a_gap(gaps in prop::collection::vec(prop::bool::weighted(0.05), 0..200)) {
            let cells: Vec<f32> = gaps.iter().map(|gap| if *gap { f32::NAN } else { 1.0 }).collect();
            let found: Vec<usize> = windows(&cells).collect();
            let expected: Vec<usize> = (LAGS..(cells.len() + 1).saturating_sub(HORIZONS))
                .filter(|&k| cells[k - LAGS..k + HORIZONS].iter().all(|value| !value.is_nan()))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
