//! Step 4: the best learn from all others, and the poorest from the best.
//!
//! Promises: the best of the ants are never overwritten; genes stay in their domains. Must not know: pheromone.

use std::ops::ControlFlow;

use super::{Ant, Run};
use crate::budget::TerminationReason;
use crate::problem::Problem;

/// \[I\] The longest piece that is taken over, as a part of all genes: one in four.
const PIECE: usize = 4;

impl<P: Problem> Run<'_, P> {
    /// The tables `L` and `R`; what comes of each of `L` replaces one of `R`, the poorest first.
    pub(super) fn learn(&mut self) -> ControlFlow<TerminationReason> {
        let mut order: Vec<usize> = (0..self.ants.len()).collect();
        order.sort_by_key(|&index| self.ants[index].cost);
        for rank in 0..self.ga.table {
            let (good, poor) = (order[rank], order[order.len() - 1 - rank]);
            self.ants[poor] = self.taught(good)?;
        }
        ControlFlow::Continue(())
    }

    /// A copy of an ant that has tried a piece of every other ant and kept what made it better.
    fn taught(&mut self, exemplar: usize) -> ControlFlow<TerminationReason, Ant> {
        let mut learned = self.ants[exemplar].clone();
        for other in (0..self.ants.len()).filter(|&other| other != exemplar) {
            let mut genome = learned.genome.clone();
            self.take_piece(&mut genome, other);
            if self.rng.chance(self.ga.extra_gene_rate) {
                let item = self.rng.below(genome.len() as u32) as usize;
                genome[item] = self.problem.domain(item).draw(self.rng);
            }
            let tried = self.evaluate(genome)?;
            if tried.cost < learned.cost {
                learned = tried;
            }
        }
        ControlFlow::Continue(learned)
    }

    /// Copies a random piece of another ant's vector.
    fn take_piece(&mut self, genome: &mut [u32], other: usize) {
        let items = genome.len();
        let length = 1 + self.rng.below((items / PIECE).max(1) as u32) as usize;
        let start = self.rng.below((items - length + 1) as u32) as usize;
        genome[start..start + length].copy_from_slice(&self.ants[other].genome[start..start + length]);
    }
}
