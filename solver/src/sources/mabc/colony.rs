//! A colony: food sources, employed bees, onlookers, filter and scout.
//!
//! Promises: a source is only ever replaced by one that dominates it, or dropped for being the worst; every source is
//! legal and its score its own. Must not know: other colonies.

use std::ops::ControlFlow;

use super::Mabc;
use super::filter::{Source, filter};
use super::forage::{complete, random_solution};
use super::yardstick::Yardstick;
use crate::archive::Archive;
use crate::budget::{Meter, TerminationReason};
use crate::individual::Individual;
use crate::problem::{Move, Problem, UNASSIGNED};
use crate::rng::Rng;
use crate::score::Score;
use crate::selection::Roulette;

/// Random moves tried until one breaks no hard limit further. \[I\]
const ATTEMPTS: u32 = 8;

/// Food sources and who searches them.
pub(super) struct Colony<'a, P: Problem> {
    problem: &'a P,
    mabc: Mabc,
    pub(super) yardstick: Yardstick,
    pub(super) rng: Rng,
    pub(super) sources: Vec<Source>,
    /// `SN`.
    pub(super) capacity: usize,
    /// The solution that is looked at.
    state: P::State,
}

impl<'a, P: Problem> Colony<'a, P> {
    /// A colony without sources.
    pub(super) fn new(mabc: Mabc, problem: &'a P, capacity: usize, rng: Rng) -> Self {
        let state = problem.build(&vec![UNASSIGNED; problem.items()]);
        let yardstick = Yardstick::of(&[], mabc.scalarisation);
        Self { problem, mabc, yardstick, rng, sources: Vec::new(), capacity, state }
    }

    /// Draws sources until there are `SN`.
    pub(super) fn settle(&mut self, meter: &mut Meter<'_>) -> ControlFlow<TerminationReason> {
        while self.sources.len() < self.capacity {
            meter.spend_dear()?;
            let drawn = self.random();
            self.sources.push(Source::fresh(drawn));
        }
        ControlFlow::Continue(())
    }

    /// A random solution.
    pub(super) fn random(&mut self) -> Individual {
        random_solution(self.problem, &mut self.state, &mut self.rng);
        Individual::of(self.problem, &self.state)
    }

    /// A seed, with what it lacks drawn at random.
    pub(super) fn completed(&mut self, seed: &[u32]) -> Individual {
        complete(self.problem, &mut self.state, seed, &mut self.rng);
        Individual::of(self.problem, &self.state)
    }

    /// One iteration; what is of rank 1 then is offered to an archive, even if the iteration could not be finished.
    pub(super) fn iterate(&mut self, meter: &mut Meter<'_>, offers: &mut Archive) -> ControlFlow<TerminationReason> {
        let searched = self.search(meter);
        let ranks = filter(&mut self.sources, self.capacity);
        for (source, _) in self.sources.iter().zip(&ranks).filter(|(_, rank)| **rank == 0) {
            offers.insert(source.individual.clone());
        }
        searched?;
        self.scout(&ranks, meter)
    }

    fn search(&mut self, meter: &mut Meter<'_>) -> ControlFlow<TerminationReason> {
        for index in 0..self.sources.len() {
            meter.spend_dear()?;
            self.employ(index);
        }
        let wheel = self.wheel();
        let onlookers = (self.sources.len() as f64 * self.mabc.onlookers).round() as usize;
        for _ in 0..onlookers {
            meter.spend_dear()?;
            let index = wheel.draw(&mut self.rng);
            self.look_on(index);
        }
        ControlFlow::Continue(())
    }

    /// The employed bee of a source.
    fn employ(&mut self, index: usize) {
        let found = self.neighbour(index);
        let source = &mut self.sources[index];
        source.trials += 1;
        match found {
            Some(score) if score.dominates(source.score()) => self.sources[index] = self.found(),
            Some(score) if !source.score().dominates(&score) => {
                let found = self.found();
                self.sources.push(found);
            }
            _ => {}
        }
    }

    /// An onlooker of a source.
    fn look_on(&mut self, index: usize) {
        let found = self.neighbour(index);
        if found.is_some_and(|score| score.dominates(self.sources[index].score())) {
            self.sources[index] = self.found();
        }
    }

    /// Infeasible sources draw onlookers only if all are. \[I\]
    fn wheel(&self) -> Roulette {
        let any_feasible = self.sources.iter().any(|source| source.score().is_feasible());
        Roulette::new(self.sources.iter().map(|source| {
            let counts = source.score().is_feasible() || !any_feasible;
            if counts { self.yardstick.fitness(&source.score().objectives) } else { 0.0 }
        }))
    }

    /// Goes to a neighbour of a source: its score, or nothing if every move would break a hard limit.
    fn neighbour(&mut self, index: usize) -> Option<Score> {
        let Individual { genome, score } = &self.sources[index].individual;
        self.problem.rebuild(&mut self.state, genome);
        let moves = ((self.mabc.change * genome.len() as f64).round() as usize).max(1);
        let mut found = *score;
        let mut moved = false;
        for _ in 0..moves {
            if let Some(score) = self.wander(found.violation) {
                (found, moved) = (score, true);
            }
        }
        moved.then_some(found)
    }

    /// Moves a random item to another value, if hard limits are not broken further.
    fn wander(&mut self, violation: f64) -> Option<Score> {
        for _ in 0..ATTEMPTS {
            let item = self.rng.below(self.problem.items() as u32) as usize;
            let domain = self.problem.domain(item);
            let others = domain.len() - 1;
            if others == 0 {
                continue;
            }
            let drawn = domain.value(self.rng.below(others));
            // Drawn from all but the last, which stands in for the value that the item has already.
            let value = if drawn == self.problem.genome(&self.state)[item] { domain.value(others) } else { drawn };
            let change = Move::Set { item, value };
            match self.problem.delta(&self.state, change) {
                Some(score) if score.violation <= violation => {
                    self.problem.apply(&mut self.state, change);
                    return Some(score);
                }
                _ => {}
            }
        }
        None
    }

    /// The solution that was gone to, evaluated afresh.
    fn found(&mut self) -> Source {
        let genome = self.problem.genome(&self.state).to_vec();
        self.problem.rebuild(&mut self.state, &genome);
        let score = self.problem.eval(&self.state);
        Source::fresh(Individual { genome, score })
    }

    /// Gives up the dominated source that was searched in vain most often.
    fn scout(&mut self, ranks: &[usize], meter: &mut Meter<'_>) -> ControlFlow<TerminationReason> {
        let dominated = (0..ranks.len()).filter(|&index| ranks[index] > 0);
        // The first among equals.
        let Some(index) = dominated.rev().max_by_key(|&index| self.sources[index].trials) else {
            return ControlFlow::Continue(());
        };
        meter.spend_dear()?;
        let drawn = self.random();
        self.sources[index] = Source::fresh(drawn);
        ControlFlow::Continue(())
    }
}
