//! Bringing genomes back into their domains.
//!
//! Promises: afterwards every gene is in its domain; genes that were are untouched. Must not know: hard limits, which
//! are the problem's own business ([`Problem::repair`]).

use crate::problem::Problem;
use crate::rng::Rng;

/// Moves every gene that is outside its domain to a value drawn uniformly from it.
///
/// It *moves*: the source's worked example sets the allowed place and leaves the forbidden one set too, which puts one
/// pod on two nodes; with one gene an item that cannot happen.
pub fn into_domains<P: Problem>(problem: &P, genome: &mut [u32], rng: &mut Rng) {
    for (item, gene) in genome.iter_mut().enumerate() {
        let domain = problem.domain(item);
        if !domain.contains(*gene) {
            *gene = domain.draw(rng);
        }
    }
}

/// How many genes are outside their domains.
#[must_use]
pub fn strays<P: Problem>(problem: &P, genome: &[u32]) -> usize {
    genome.iter().enumerate().filter(|&(item, &gene)| !problem.domain(item).contains(gene)).count()
}
