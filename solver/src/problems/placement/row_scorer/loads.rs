//! The loads of one resource, or their mean, over all rows, with exact sums.
//!
//! Promises: sums do not depend on the order or the history of changes, so that a scorer which was kept up to date row by
//! row scores like a fresh one, bit for bit. Must not know: where a load comes from.

use crate::problems::placement::nodes::reciprocal;

/// Loads are counted in this part of a percentage point: far below what matters, and a whole number of them is exact.
const QUANTUM: f64 = 1.0 / (1_u64 << 32) as f64;

/// A load above 262,144 points (2,621 times the capacity) counts as that: sums of squares over 2^20 rows stay below 2^120.
const LARGEST: f64 = (1_u64 << 18) as f64;

/// One load a row, those of rows that do not count being 0.
#[derive(Clone, Debug)]
pub(super) struct Loads {
    load: Vec<f64>,
    quanta: Vec<i64>,
    s1: i128,
    s2: i128,
    pub(super) counted: usize,
}

impl Loads {
    pub(super) fn new(rows: usize) -> Self {
        Self { load: vec![0.0; rows], quanta: vec![0; rows], s1: 0, s2: 0, counted: 0 }
    }

    /// The loads, one a row, in percentage points.
    pub(super) fn by_row(&self) -> &[f64] {
        &self.load
    }

    /// Counts a row that does not count yet.
    pub(super) fn insert(&mut self, row: usize, load: f64) {
        let quanta = (load.min(LARGEST) / QUANTUM).round_ties_even() as i64;
        (self.load[row], self.quanta[row]) = (quanta as f64 * QUANTUM, quanta);
        self.s1 += i128::from(quanta);
        self.s2 += i128::from(quanta) * i128::from(quanta);
        self.counted += 1;
    }

    /// Leaves out a row that counts.
    pub(super) fn remove(&mut self, row: usize) {
        let quanta = std::mem::take(&mut self.quanta[row]);
        self.load[row] = 0.0;
        self.s1 -= i128::from(quanta);
        self.s2 -= i128::from(quanta) * i128::from(quanta);
        self.counted -= 1;
    }

    /// The variance: the squares are taken around a whole number near the mean, so that nothing cancels.
    pub(super) fn variance(&self) -> f64 {
        let rows = self.counted as i128;
        let centre = if rows == 0 { 0 } else { self.s1 / rows };
        let rest = (self.s1 - rows * centre) as f64;
        let squares = (self.s2 - 2 * centre * self.s1 + rows * centre * centre) as f64;
        let per_row = reciprocal(self.counted);
        ((squares - rest * rest * per_row) * per_row).max(0.0) * (QUANTUM * QUANTUM)
    }

    /// How `scale` times the variance changes when a row's load grows.
    pub(super) fn curve(&self, scale: f64) -> Curve {
        let per_row = reciprocal(self.counted);
        Curve {
            slope: scale * 2.0 * per_row,
            mean: self.s1 as f64 * QUANTUM * per_row,
            quadratic: scale * per_row * (1.0 - per_row),
        }
    }
}

/// The change of a variance when one value `x` grows by `d`: `ΔV = d (2/n (x - x̄) + d (1/n - 1/n²))`.
#[derive(Clone, Copy)]
pub(super) struct Curve {
    slope: f64,
    mean: f64,
    quadratic: f64,
}

impl Curve {
    #[inline]
    pub(super) fn change(self, x: f64, d: f64) -> f64 {
        d * (self.slope * (x - self.mean) + self.quadratic * d)
    }
}
