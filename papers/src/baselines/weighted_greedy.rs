//! Greedy for several objectives: a construction for each of many weights.
//!
//! Promises: no chance, order by regret; hard limits are kept where that order allows. Must not know: the problem.

use gantry_solver::individual::Individual;
use gantry_solver::problem::{Genome, Move, Problem, UNASSIGNED};
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::{Cost, Objectives};

/// One solution for each of `weights` weights of two objectives, spread evenly over [0, 1], at least two; objectives
/// count in the given units.
pub fn weighted_greedy<P: Problem>(problem: &P, weights: usize, units: [f64; 2]) -> Vec<Individual> {
    let last = weights.max(2) - 1;
    let by = |k: usize| {
        let weight = k as f64 / last as f64;
        Scalarisation::Weighted(Objectives::new(&[weight / units[0], (1.0 - weight) / units[1]]))
    };
    (0..=last).map(|k| construct(problem, &by(k))).collect()
}

/// Places the item next that loses most if it does not get its best value: the cost of its second best value less that
/// of its best. An item that only one value suits loses everything.
fn construct<P: Problem>(problem: &P, by: &Scalarisation) -> Individual {
    let nothing: Genome = vec![UNASSIGNED; problem.items()];
    let mut state = problem.build(&nothing);
    let mut open: Vec<usize> = (0..problem.items()).collect();
    let mut choices: Vec<Choice> = open.iter().map(|&item| Choice::of(problem, &state, item, by)).collect();
    while let Some(place) = (0..open.len()).max_by(|&a, &b| choices[open[a]].urgency(&choices[open[b]])) {
        let item = open.swap_remove(place);
        let value = choices[item].value;
        problem.apply(&mut state, Move::Set { item, value });
        // Only items that count on the value that has just been taken may have to look again.
        for &other in &open {
            if choices[other].counts_on(value) {
                choices[other] = Choice::of(problem, &state, other, by);
            }
        }
    }
    Individual::of(problem, &state)
}

/// An item's two best values.
#[derive(Clone, Copy)]
struct Choice {
    value: u32,
    second: u32,
    /// What the second costs more: in violation, then in value.
    regret: Cost,
}

impl Choice {
    fn of<P: Problem>(problem: &P, state: &P::State, item: usize, by: &Scalarisation) -> Self {
        let domain = problem.domain(item);
        let (mut best, mut second) = ((Cost::WORST, domain.value(0)), (Cost::WORST, UNASSIGNED));
        for value in (0..domain.len()).map(|index| domain.value(index)) {
            let Some(score) = problem.delta(state, Move::Set { item, value }) else { continue };
            let cost = by.cost(&score);
            if cost < best.0 {
                (best, second) = ((cost, value), best);
            } else if cost < second.0 {
                second = (cost, value);
            }
        }
        let regret = Cost { violation: second.0.violation - best.0.violation, value: second.0.value - best.0.value };
        Self { value: best.1, second: second.1, regret }
    }

    fn urgency(&self, other: &Self) -> std::cmp::Ordering {
        self.regret.cmp(&other.regret)
    }

    const fn counts_on(&self, value: u32) -> bool {
        self.value == value || self.second == value
    }
}

#[cfg(test)]
mod tests {
    use gantry_solver::problems::energy_assignment::{EnergyAssignment, EnergyColumns, TimeObjective};

    use super::*;

    #[test]
    fn who_loses_most_chooses_first() {
        // Both tasks like the first server, which has room for one; the second task would lose more elsewhere.
        let columns = EnergyColumns { energy: &[1.0, 2.0, 1.0, 9.0], time: &[0.0; 4], caps: &[1.0, 20.0] };
        let problem = EnergyAssignment::new(&columns, TimeObjective::Sum).unwrap();
        let found = weighted_greedy(&problem, 2, [1.0, 1.0]);
        assert_eq!(found[1].genome, [1, 0]);
        assert!(found.iter().all(|individual| individual.score.is_feasible()));
    }
}
