//! Step 2: every ant mates.
//!
//! Promises: an ant's vector is replaced by a better one or not at all. Must not know: pheromone.

use std::ops::ControlFlow;

use super::Run;
use super::trails::{choice, choices};
use super::walk::draw_by_weight;
use crate::budget::TerminationReason;
use crate::crossover;
use crate::problem::Problem;
use crate::selection::Roulette;

impl<P: Problem> Run<'_, P> {
    /// One round: \[P\] a mate by roulette on fitness, two-point crossover, mutation; \[I\] one child, which takes its
    /// parent's place if it is better.
    pub(super) fn breed(&mut self) -> ControlFlow<TerminationReason> {
        let wheel = Roulette::new(self.ants.iter().map(|ant| self.scale.fitness(&ant.cost)));
        for index in 0..self.ants.len() {
            let mut child = self.ants[index].genome.clone();
            if self.rng.chance(self.ga.crossover_rate) {
                let mut mate = self.ants[wheel.draw(self.rng)].genome.clone();
                crossover::two_point(&mut child, &mut mate, self.rng);
            }
            self.mutate(&mut child);
            let ant = self.evaluate(child)?;
            self.improve(index, ant);
        }
        ControlFlow::Continue(())
    }

    /// \[P\] A new value comes by roulette; \[I\] on its attraction where nothing else is chosen, which for services is
    /// `v_k`. As on a walk, a real number is one of a few levels.
    fn mutate(&mut self, genome: &mut [u32]) {
        let rate = self.ga.mutation_rate.unwrap_or(1.0 / genome.len() as f64);
        let mut cumulative = Vec::new();
        for (item, gene) in genome.iter_mut().enumerate() {
            if self.rng.chance(rate) {
                let domain = self.problem.domain(item);
                let attraction = |index| self.problem.heuristic(&self.blank, item, choice(&domain, index));
                let index = draw_by_weight((0..choices(&domain)).map(attraction), &mut cumulative, self.rng);
                *gene = choice(&domain, index as u32);
            }
        }
    }
}
