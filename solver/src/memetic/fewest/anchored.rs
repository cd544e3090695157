//! The problem the other way round: least changes, with the cost as a limit.
//!
//! Promises: the value is the number of items that are not where they were; the violation is the problem's, and what
//! the problem's value lies above a limit, so it is 0 only if both are kept; domains are the problem's. Must not know:
//! which search is run on it.

use crate::domain::Domain;
use crate::problem::{Move, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Objectives, Score};

/// The problem.
pub(super) struct Anchored<'a, P: Problem> {
    pub(super) problem: &'a P,
    pub(super) by: Scalarisation,
    /// One gene an item; one outside the item's domain is no home, and nothing is away from it.
    pub(super) home: &'a [u32],
    /// What the value may be at most.
    pub(super) limit: f64,
    /// What a unit above the limit adds to the violation, above 0.
    pub(super) excess_unit: f64,
}

/// A state of the problem, and how many items are away.
#[derive(Clone)]
pub(super) struct State<S> {
    inner: S,
    away: usize,
}

impl<P: Problem> Anchored<'_, P> {
    /// 1 if the item is away with this gene, else 0.
    #[inline]
    fn is_away(&self, item: usize, gene: u32) -> usize {
        usize::from(gene != self.home[item] && self.problem.domain(item).contains(self.home[item]))
    }

    /// How many items of a genome are away.
    pub(super) fn away(&self, genome: &[u32]) -> usize {
        genome.iter().enumerate().map(|(item, &gene)| self.is_away(item, gene)).sum()
    }

    #[inline]
    fn away_after(&self, state: &State<P::State>, change: Move) -> usize {
        let genome = self.problem.genome(&state.inner);
        let after = |item: usize, gene: u32| self.is_away(item, gene) + state.away - self.is_away(item, genome[item]);
        match change {
            Move::Set { item, value } => after(item, value),
            Move::Swap { first, second } => after(first, genome[second]) + after(second, genome[first]) - state.away,
        }
    }

    #[inline]
    fn turned(&self, score: &Score, away: usize) -> Score {
        let excess = (self.by.value(&score.objectives) - self.limit).max(0.0);
        Score { violation: score.violation + excess * self.excess_unit, objectives: Objectives::single(away as f64) }
    }
}

impl<P: Problem> Problem for Anchored<'_, P> {
    type State = State<P::State>;

    fn items(&self) -> usize {
        self.problem.items()
    }

    #[inline]
    fn domain(&self, item: usize) -> Domain<'_> {
        self.problem.domain(item)
    }

    fn objectives(&self) -> usize {
        1
    }

    fn context(&self, item: usize) -> Option<usize> {
        self.problem.context(item)
    }

    fn build(&self, genome: &[u32]) -> Self::State {
        State { inner: self.problem.build(genome), away: self.away(genome) }
    }

    fn rebuild(&self, state: &mut Self::State, genome: &[u32]) {
        self.problem.rebuild(&mut state.inner, genome);
        state.away = self.away(genome);
    }

    #[inline]
    fn genome<'a>(&self, state: &'a Self::State) -> &'a [u32] {
        self.problem.genome(&state.inner)
    }

    fn eval(&self, state: &Self::State) -> Score {
        self.turned(&self.problem.eval(&state.inner), state.away)
    }

    #[inline]
    fn exchanges(&self) -> bool {
        self.problem.exchanges()
    }

    #[inline]
    fn delta(&self, state: &Self::State, change: Move) -> Option<Score> {
        let score = self.problem.delta(&state.inner, change)?;
        Some(self.turned(&score, self.away_after(state, change)))
    }

    #[inline]
    fn promising_delta(&self, state: &Self::State, change: Move) -> Option<Score> {
        let score = self.problem.promising_delta(&state.inner, change)?;
        Some(self.turned(&score, self.away_after(state, change)))
    }

    fn apply(&self, state: &mut Self::State, change: Move) {
        state.away = self.away_after(state, change);
        self.problem.apply(&mut state.inner, change);
    }

    fn heuristic(&self, state: &Self::State, item: usize, value: u32) -> f64 {
        self.problem.heuristic(&state.inner, item, value)
    }

    fn size(&self, item: usize) -> f64 {
        self.problem.size(item)
    }

    fn repair(&self, state: &mut Self::State, rng: &mut Rng) {
        self.problem.repair(&mut state.inner, rng);
        state.away = self.away(self.problem.genome(&state.inner));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::DomainClass;
    use crate::problem::UNASSIGNED;
    use crate::problems::placement::{NodeColumns, Objective, Placement, PodColumns};

    #[test]
    fn a_move_changes_what_it_changes_in_the_genome() {
        let nodes = NodeColumns { resources: 1, allocatable: &[9.0; 4], requested: &[], weights: &[1.0; 4] };
        let pods = PodColumns { requests: &[1.0, 2.0, 3.0, 4.0, 5.0], class_by_pod: &[0, 0, 1, 1, 0] };
        let classes =
            [Arc::new(DomainClass::all(4)), Arc::new(DomainClass::from_values(4, &[0, 2]).expect("values below 4"))];
        let problem = Placement::new(&nodes, &pods, &classes, Objective::Sigma).expect("sound columns");
        let (by, home) = (Scalarisation::default(), [1, 3, 0, 1, UNASSIGNED]);
        let anchored = Anchored { problem: &problem, by, home: &home, limit: 20.0, excess_unit: 0.5 };
        assert_eq!(anchored.away(&[1, 2, 0, 0, 3]), 1, "nothing is away from an impossible home or none");
        let (rng, mut kept) = (&mut Rng::new(1), 0);
        let mut state = anchored.build(&[0, 1, 2, 0, 3]);
        for _ in 0..2_000 {
            let (item, second) = (rng.below(5) as usize, rng.below(5) as usize);
            let set = Move::Set { item, value: rng.below(4) };
            let change = if rng.chance(0.5) { set } else { Move::Swap { first: item, second } };
            let foretold = anchored.delta(&state, change).expect("a placement knows every move");
            anchored.apply(&mut state, change);
            let (genome, inner) = (anchored.genome(&state), problem.eval(&problem.build(anchored.genome(&state))));
            let excess = 0.5 * (by.value(&inner.objectives) - 20.0).max(0.0);
            assert!((foretold.violation - inner.violation - excess).abs() < 1e-9);
            assert_eq!(foretold.objectives.as_slice(), [anchored.away(genome) as f64]);
            kept += u32::from(foretold.is_feasible());
        }
        assert!((20..1_980).contains(&kept), "{kept}");
    }
}
