//! The loads of one resource, or their mean, summed over all rows exactly.
//!
//! Promises: sums do not depend on the order or the history of changes, so that a scorer which was kept up to date row by
//! row scores like a fresh one, bit for bit. Must not know: where a load comes from, or where it is kept.

use crate::problems::placement::nodes::reciprocal;

/// Loads are counted in this part of a percentage point: far below what matters, and a whole number of them is exact.
const QUANTUM: f64 = 1.0 / (1_u64 << 32) as f64;

/// A load above 262,144 points (2,621 times the capacity) counts as that: sums of squares over 2^20 rows stay below 2^120.
const LARGEST: f64 = (1_u64 << 18) as f64;

/// A load, in percentage points, as it is counted.
pub(super) fn counted(load: f64) -> f64 {
    (load.min(LARGEST) / QUANTUM).round_ties_even() * QUANTUM
}

/// Sums over the rows that count; what goes in and out has been through [`counted`].
#[derive(Clone, Debug, Default)]
pub(super) struct Loads {
    s1: i128,
    s2: i128,
    pub(super) rows: usize,
}

impl Loads {
    /// Counts a row.
    pub(super) fn insert(&mut self, load: f64) {
        let quanta = quanta(load);
        self.s1 += quanta;
        self.s2 += quanta * quanta;
        self.rows += 1;
    }

    /// Leaves out a row that counts.
    pub(super) fn remove(&mut self, load: f64) {
        let quanta = quanta(load);
        self.s1 -= quanta;
        self.s2 -= quanta * quanta;
        self.rows -= 1;
    }

    /// The variance: the squares are taken around a whole number near the mean, so that nothing cancels.
    pub(super) fn variance(&self) -> f64 {
        let rows = self.rows as i128;
        let centre = if rows == 0 { 0 } else { self.s1 / rows };
        let rest = (self.s1 - rows * centre) as f64;
        let squares = (self.s2 - 2 * centre * self.s1 + rows * centre * centre) as f64;
        let per_row = reciprocal(self.rows);
        ((squares - rest * rest * per_row) * per_row).max(0.0) * (QUANTUM * QUANTUM)
    }

    /// How `scale` times the variance changes when a row's load `x` grows by `amount · unit`.
    pub(super) fn curve(&self, amount: f64, scale: f64) -> Curve {
        let per_row = reciprocal(self.rows);
        Curve {
            slope: scale * amount * 2.0 * per_row,
            mean: self.s1 as f64 * QUANTUM * per_row,
            half: amount * (1.0 - per_row) / 2.0,
        }
    }
}

fn quanta(load: f64) -> i128 {
    i128::from((load / QUANTUM) as i64)
}

/// The change of a variance when one value `x` grows by `d`: `ΔV = 2/n d (x - x̄ + (1 - 1/n) d/2)`, with `d` being some
/// fixed amount times a row's unit.
#[derive(Clone, Copy)]
pub(super) struct Curve {
    slope: f64,
    mean: f64,
    /// `amount (1 - 1/n) / 2`
    half: f64,
}

impl Curve {
    #[inline]
    pub(super) fn changes<const N: usize>(self, load: &[f64; N], unit: &[f64; N]) -> [f64; N] {
        std::array::from_fn(|lane| self.slope * unit[lane] * ((load[lane] - self.mean) + self.half * unit[lane]))
    }
}
