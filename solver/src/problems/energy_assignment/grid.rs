//! Numbers whose sums are exact.
//!
//! Promises: sums and differences of rounded numbers, as long as they are sums of tasks, have no rounding error. Must
//! not know: what is summed.

/// Multiples of a power of two, fewer than 2^53 of which make up the largest sum: floating point adds those exactly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    step: f64,
    /// No sum is above this.
    total: f64,
}

impl Grid {
    /// The grid of a table with `columns` numbers a row, for sums of one number a row.
    pub(super) fn of(table: &[f64], columns: usize) -> Self {
        let largest = |row: &[f64]| row.iter().copied().fold(0.0, f64::max);
        let total: f64 = table.chunks(columns.max(1)).map(largest).sum();
        // The next power of two above the total, in units of its 52nd bit; as bits, because that is exact everywhere.
        let exponent = ((total.to_bits() >> 52) + 1).saturating_sub(52).max(1);
        Self { step: f64::from_bits(exponent << 52), total }
    }

    /// The nearest multiple.
    pub(super) fn round(self, number: f64) -> f64 {
        (number / self.step).round() * self.step
    }

    /// A limit for sums of `terms` rounded numbers: each of them may have been rounded up by half a step.
    pub(super) fn limit(self, number: f64, terms: usize) -> f64 {
        self.round(number.min(self.total)) + terms.div_ceil(2) as f64 * self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_rounded_numbers_are_exact_in_any_order() {
        let table: Vec<f64> = (1..=400).map(|k| (f64::from(k) * 0.1).sqrt()).collect();
        let grid = Grid::of(&table, 4);
        let rounded: Vec<f64> = table.iter().map(|&number| grid.round(number)).collect();
        let one_a_row = || rounded.chunks(4).map(|row| row[3]);
        let forth: f64 = one_a_row().sum();
        let back: f64 = one_a_row().rev().sum();
        assert_eq!(forth, back);
        assert_eq!(one_a_row().fold(forth, |sum, number| sum - number), 0.0);
        assert!(table.iter().zip(&rounded).all(|(number, rounded)| (number - rounded).abs() < 1e-12));
    }

    #[test]
    fn a_limit_that_decimals_meet_is_met() {
        let grid = Grid::of(&[0.1, 0.2], 1);
        assert!(grid.round(0.1) + grid.round(0.2) <= grid.limit(0.3, 2));
        assert!(grid.round(0.1) + grid.round(0.2) > grid.limit(0.299_999_999, 2));
        assert!(grid.limit(f64::INFINITY, 2) >= 0.3, "what has no limit never reaches it");
    }

    #[test]
    fn a_table_of_zeros_has_a_grid_too() {
        for table in [&[0.0, 0.0][..], &[]] {
            assert_eq!(Grid::of(table, 2).round(0.0), 0.0);
        }
    }
}
