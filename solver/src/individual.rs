//! One solution with its score.
//!
//! Promises: the score belongs to the genome. Must not know: which search it came from.

use crate::problem::{Genome, Problem};
use crate::score::Score;

/// A genome and what it is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Individual {
    /// One gene an item.
    pub genome: Genome,
    /// Its score.
    pub score: Score,
}

impl Individual {
    /// Evaluates a genome.
    #[must_use]
    pub fn evaluate<P: Problem>(problem: &P, genome: Genome) -> Self {
        let score = problem.eval(&problem.build(&genome));
        Self { genome, score }
    }

    /// The individual of a state.
    #[must_use]
    pub fn of<P: Problem>(problem: &P, state: &P::State) -> Self {
        Self { genome: problem.genome(state).to_vec(), score: problem.eval(state) }
    }
}
