//! A genetic algorithm with replacement of parents: CMMA-GA's rounds alone.
//!
//! Promises: the same operators with the same rates, no pheromone and no learning, so that a difference is due to what
//! was left out. Must not know: the problem.

use gantry_solver::sources::cmma_ga::CmmaGa;

/// The genetic rounds of `full`, without walks and without learning, until the budget ends.
#[must_use]
pub fn ga_phase(full: CmmaGa) -> CmmaGa {
    CmmaGa { walks: 0, table: 0, genetic_rounds: 1, iterations: u64::MAX, ..full }
}
