//! Changing single genes at random.
//!
//! Promises: [`inside`] keeps every gene in its domain; [`anywhere`] does not care. Must not know: what a gene means.

use crate::problem::Problem;
use crate::rng::Rng;

/// Gives each gene, with probability `rate`, a new value of its domain; preferred values come up more often.
pub fn inside<P: Problem>(problem: &P, genome: &mut [u32], rate: f64, rng: &mut Rng) {
    for (item, gene) in genome.iter_mut().enumerate() {
        if rng.chance(rate) {
            *gene = problem.domain(item).draw_preferred(rng);
        }
    }
}

/// Gives each gene, with probability `rate`, any value of its universe.
pub fn anywhere<P: Problem>(problem: &P, genome: &mut [u32], rate: f64, rng: &mut Rng) {
    for (item, gene) in genome.iter_mut().enumerate() {
        if rng.chance(rate) {
            *gene = rng.below(problem.domain(item).universe());
        }
    }
}
