//! A solution with its worth and what it takes of the nodes, so that a move costs the same however many pods there are.
//!
//! Promises: what nodes give is counted in whole numbers, so feasibility is exact. Must not know: domains, objectives.

use crate::problem::Genome;

/// What a node has of a resource, in the unit in which quotas are counted: 2^-32 of the capacity is 2e-10 of it, far
/// finer than any quota is set, and sums of thousands of capacities stay exact.
pub(super) const FULL: i64 = 1 << 32;

/// The state of a quota problem.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) genome: Genome,
    /// The sum of the genes' worth.
    pub(super) worth: f64,
    /// What is given away of each node and resource, in units of [`FULL`].
    pub(super) given: Vec<i64>,
    /// The sum of what is given away beyond [`FULL`].
    pub(super) excess: i64,
    pub(super) moves: u32,
}

/// What a change does to a state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) worth: f64,
    pub(super) given: i64,
    /// The place in `given`, if there are nodes.
    pub(super) slot: Option<usize>,
}

impl State {
    /// The state of nobody's quotas, over `slots` pairs of node and resource.
    pub(super) fn empty(slots: usize) -> Self {
        Self { genome: Vec::new(), worth: 0.0, given: vec![0; slots], excess: 0, moves: 0 }
    }

    /// The excess after a change.
    pub(super) fn excess_after(&self, change: &Change) -> i64 {
        let Some(slot) = change.slot else { return self.excess };
        let over = |given: i64| (given - FULL).max(0);
        self.excess - over(self.given[slot]) + over(self.given[slot] + change.given)
    }

    pub(super) fn carry_out(&mut self, change: &Change) {
        self.excess = self.excess_after(change);
        self.worth += change.worth;
        if let Some(slot) = change.slot {
            self.given[slot] += change.given;
        }
    }
}
