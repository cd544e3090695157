//! Solutions drawn at random that keep hard limits where they can.
//!
//! Promises: every gene is in its domain; genes that were are untouched. Must not know: what a limit is about.

use crate::problem::{Move, Problem, UNASSIGNED};
use crate::repair;
use crate::rng::Rng;

/// A random solution: items in random order, each with the first value, from a random start in its domain, that breaks
/// no hard limit further, else with the one that breaks them least. The state is left with it.
pub fn random_solution<P: Problem>(problem: &P, state: &mut P::State, rng: &mut Rng) {
    complete(problem, state, &vec![UNASSIGNED; problem.items()], rng);
}

/// The same for the items whose gene is [`UNASSIGNED`] or outside its domain.
pub(super) fn complete<P: Problem>(problem: &P, state: &mut P::State, partial: &[u32], rng: &mut Rng) {
    let legal = |(item, &gene): (usize, &u32)| if problem.domain(item).contains(gene) { gene } else { UNASSIGNED };
    let mut genome: Vec<u32> = partial.iter().enumerate().map(legal).collect();
    problem.rebuild(state, &genome);
    let mut open: Vec<usize> = (0..genome.len()).filter(|&item| genome[item] == UNASSIGNED).collect();
    shuffle(&mut open, rng);
    for item in open {
        if let Some(value) = first_that_fits(problem, state, item, rng) {
            problem.apply(state, Move::Set { item, value });
        }
    }
    genome.copy_from_slice(problem.genome(state));
    // Values that the problem has no score for, one item alone, are drawn without looking.
    repair::into_domains(problem, &mut genome, rng);
    problem.rebuild(state, &genome);
}

fn first_that_fits<P: Problem>(problem: &P, state: &P::State, item: usize, rng: &mut Rng) -> Option<u32> {
    let domain = problem.domain(item);
    let before = problem.eval(state).violation;
    let start = rng.below(domain.len());
    let mut least: Option<(f64, u32)> = None;
    for index in (start..domain.len()).chain(0..start) {
        let value = domain.value(index);
        let Some(score) = problem.delta(state, Move::Set { item, value }) else { continue };
        if score.violation <= before {
            return Some(value);
        }
        if least.is_none_or(|(violation, _)| score.violation < violation) {
            least = Some((score.violation, value));
        }
    }
    least.map(|(_, value)| value)
}

/// Fisher-Yates: every order is equally likely.
fn shuffle(order: &mut [usize], rng: &mut Rng) {
    for last in (1..order.len()).rev() {
        order.swap(last, rng.below(last as u32 + 1) as usize);
    }
}
