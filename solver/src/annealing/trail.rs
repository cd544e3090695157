//! The best solution of a walk, kept without copying it whenever it changes.
//!
//! Promises: its genome is the best one met, at the cost of one note a move and of a copy only once the walk is as many
//! moves away from it as there are items. Must not know: why a move was taken.

use crate::problem::{Genome, Move};
use crate::score::{Cost, Score};

/// The best solution so far, and the way back to it.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    pub(super) cost: Cost,
    pub(super) score: Score,
    genome: Genome,
    /// What undoes the moves since the best, last move last.
    back: Vec<Move>,
    /// Whether the best is at the end of `back` and not in `genome`.
    open: bool,
}

impl Trail {
    pub(super) fn new(genome: &[u32], cost: Cost, score: Score) -> Self {
        Self { cost, score, genome: genome.to_vec(), back: Vec::new(), open: false }
    }

    /// Says that a move is about to change `genome`.
    #[inline]
    pub(super) fn leave(&mut self, genome: &[u32], change: Move) {
        if !self.open {
            return;
        }
        if self.back.len() >= genome.len() {
            self.close(genome);
            return;
        }
        self.back.push(match change {
            Move::Set { item, .. } => Move::Set { item, value: genome[item] },
            swap @ Move::Swap { .. } => swap,
        });
    }

    /// Says that the walk stands at a new best.
    #[inline]
    pub(super) fn arrive(&mut self, cost: Cost, score: Score) {
        (self.cost, self.score) = (cost, score);
        self.back.clear();
        self.open = true;
    }

    /// Goes back to the best from `genome`, where the walk stands.
    fn close(&mut self, genome: &[u32]) {
        self.genome.copy_from_slice(genome);
        for change in self.back.drain(..).rev() {
            match change {
                Move::Set { item, value } => self.genome[item] = value,
                Move::Swap { first, second } => self.genome.swap(first, second),
            }
        }
        self.open = false;
    }

    /// The best genome; `genome` is where the walk stands.
    pub(super) fn best(&mut self, genome: &[u32]) -> &[u32] {
        if self.open {
            self.close(genome);
        }
        &self.genome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::score::Objectives;

    #[test]
    fn the_best_is_found_again_however_far_the_walk_went() {
        let (rng, items) = (&mut Rng::new(3), 12);
        let score = Score { violation: 0.0, objectives: Objectives::single(0.0) };
        let mut genome: Genome = vec![0; items as usize];
        let mut trail = Trail::new(&genome, Cost::WORST, score);
        let mut best = genome.clone();
        for _ in 0..5_000 {
            let (item, second) = (rng.below(items) as usize, rng.below(items) as usize);
            let set = Move::Set { item, value: rng.below(9) };
            let change = if rng.chance(0.5) { set } else { Move::Swap { first: item, second } };
            trail.leave(&genome, change);
            match change {
                Move::Set { item, value } => genome[item] = value,
                Move::Swap { first, second } => genome.swap(first, second),
            }
            if rng.chance(0.1) {
                trail.arrive(Cost::WORST, score);
                best.clone_from(&genome);
            }
            if rng.chance(0.05) {
                assert_eq!(trail.best(&genome), best);
            }
        }
    }
}
