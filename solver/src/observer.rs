//! Watching a search: one call a generation.
//!
//! Promises: an observer sees and cannot steer, so watching never changes a result. Must not know: where the records
//! go.

use crate::score::Score;

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Generation {
    /// 0 is the starting point; the number of the generation or round otherwise.
    pub number: u64,
    /// Evaluations spent so far.
    pub evaluations: u64,
    /// The best solution so far.
    pub best: Score,
    /// Scalarised cost, penalties included, of the best of the current population.
    pub lowest: f64,
    /// The same of its mean.
    pub mean: f64,
    /// The same of its worst.
    pub highest: f64,
}

/// Something that wants to know how a search goes on. Every `FnMut(&Generation)` is one.
pub trait Observer {
    /// Called after each generation.
    fn generation(&mut self, record: &Generation);
}

impl<F: FnMut(&Generation)> Observer for F {
    fn generation(&mut self, record: &Generation) {
        self(record);
    }
}

/// The observer that does not look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn generation(&mut self, _record: &Generation) {}
}
