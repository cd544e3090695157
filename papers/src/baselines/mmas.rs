//! The max-min ant system, without local search.
//!
//! Source: Stützle, Hoos 2000, doi:10.1016/S0167-739X(00)00043-1.
//!
//! Promises: ants walk by the same rule and attraction as those of CMMA-GA, on the same kind of trails. Must not know:
//! the problem. One evaluation of the budget is one ant.
//!
//! Ants remember nothing. The best of an iteration deposits, and every few iterations the best of all too: of five
//! schedules tried none was best at both smaller sizes of T001-1, and this one was second at both. The better-known one,
//! where the best of all deposits in the other's place, was fifth and third. Pheromone starts at `τ_max`.

use std::ops::ControlFlow;

use gantry_solver::budget::{Budget, Meter, TerminationReason};
use gantry_solver::individual::Individual;
use gantry_solver::observer::{Generation, Observer};
use gantry_solver::problem::{Genome, Problem, UNASSIGNED};
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::Cost;
use gantry_solver::solver::{Evolution, SolveError, Solver};
use gantry_solver::sources::cmma_ga::fitness::{Fitness, FitnessScale};
use gantry_solver::sources::cmma_ga::trails::Trails;
use gantry_solver::sources::cmma_ga::walk::Walker;

/// The ant system with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mmas {
    /// Random vectors before the first iteration; the best of them sets `τ_max`.
    pub initial: usize,
    /// Ants of an iteration.
    pub ants: usize,
    /// Exponent `α` of pheromone.
    pub alpha: u32,
    /// Exponent `β` of attraction.
    pub beta: u32,
    /// `ρ`, above 0 to 1.
    pub evaporation: f64,
    /// The chance that a converged colony walks the best path.
    pub best_path_chance: f64,
    /// Iterations from one deposit of the best of all to the next.
    pub best_interval: u64,
    /// What fitness is.
    pub fitness: Fitness,
}

impl Default for Mmas {
    fn default() -> Self {
        Self {
            initial: 100,
            ants: 30,
            alpha: 1,
            beta: 2,
            evaporation: 0.05,
            best_path_chance: 0.05,
            best_interval: 5,
            fitness: Fitness::Negated,
        }
    }
}

impl<P: Problem> Solver<P> for Mmas {
    /// Runs until the budget ends; seeds are not looked at.
    fn solve(
        &self,
        problem: &P,
        _seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        let mut colony = Colony::new(self, problem, budget.meter(), rng);
        let ControlFlow::Break(reason) = colony.run(observer);
        Ok(Evolution::of_one(colony.best, reason, colony.iteration, colony.meter.spent()))
    }
}

struct Colony<'a, P: Problem> {
    mmas: &'a Mmas,
    problem: &'a P,
    meter: Meter<'a>,
    rng: &'a mut Rng,
    walker: Walker,
    blank: P::State,
    best: Individual,
    iteration: u64,
}

fn cost(individual: &Individual) -> Cost {
    Scalarisation::default().cost(&individual.score)
}

impl<'a, P: Problem> Colony<'a, P> {
    fn new(mmas: &'a Mmas, problem: &'a P, meter: Meter<'a>, rng: &'a mut Rng) -> Self {
        let (walker, blank) = (Walker::new(mmas.alpha, mmas.beta), problem.build(&vec![UNASSIGNED; problem.items()]));
        let best = draw(problem, rng);
        Self { mmas, problem, meter, rng, walker, blank, best, iteration: 0 }
    }

    fn run(&mut self, observer: &mut dyn Observer) -> ControlFlow<TerminationReason, std::convert::Infallible> {
        if self.problem.items() == 0 {
            return ControlFlow::Break(TerminationReason::Trivial);
        }
        let mut first = Vec::with_capacity(self.mmas.initial);
        for _ in 0..self.mmas.initial {
            self.meter.spend()?;
            let drawn = draw(self.problem, self.rng);
            first.push(cost(&drawn));
            self.remember(&drawn);
        }
        let scale = FitnessScale::new(self.mmas.fitness, first.iter().copied());
        let mut trails = Trails::new(self.problem, scale.fitness(&cost(&self.best)) / self.mmas.evaporation);
        self.report(&first, observer);
        loop {
            let ants = self.walk(&trails)?;
            self.iteration += 1;
            self.update(&mut trails, &scale, &ants);
            self.report(&ants.iter().map(cost).collect::<Vec<_>>(), observer);
        }
    }

    fn walk(&mut self, trails: &Trails) -> ControlFlow<TerminationReason, Vec<Individual>> {
        let mut ants = Vec::with_capacity(self.mmas.ants);
        for _ in 0..self.mmas.ants {
            self.meter.spend()?;
            let mut state = self.blank.clone();
            self.walker.walk(self.problem, trails, &mut state, self.rng);
            let ant = Individual::evaluate(self.problem, self.problem.genome(&state).to_vec());
            self.remember(&ant);
            ants.push(ant);
        }
        ControlFlow::Continue(ants)
    }

    fn update(&self, trails: &mut Trails, scale: &FitnessScale, ants: &[Individual]) {
        trails.evaporate(self.mmas.evaporation);
        let of_iteration = ants.iter().min_by_key(|ant| cost(ant));
        let of_all = self.iteration.is_multiple_of(self.mmas.best_interval).then_some(&self.best);
        for depositor in of_iteration.into_iter().chain(of_all) {
            trails.deposit(self.problem, &depositor.genome, scale.fitness(&cost(depositor)));
        }
        let most = scale.fitness(&cost(&self.best)) / self.mmas.evaporation;
        let (least, most) = trails.limits(most, self.mmas.best_path_chance);
        trails.clamp(least, most);
    }

    fn remember(&mut self, met: &Individual) {
        if cost(met) < cost(&self.best) {
            self.best.clone_from(met);
        }
    }

    fn report(&self, costs: &[Cost], observer: &mut dyn Observer) {
        let values = || costs.iter().map(|cost| cost.value);
        observer.generation(&Generation {
            number: self.iteration,
            evaluations: self.meter.spent(),
            best: self.best.score,
            lowest: values().fold(f64::INFINITY, f64::min),
            mean: values().sum::<f64>() / costs.len() as f64,
            highest: values().fold(f64::NEG_INFINITY, f64::max),
        });
    }
}

fn draw<P: Problem>(problem: &P, rng: &mut Rng) -> Individual {
    let genome = (0..problem.items()).map(|item| problem.domain(item).draw(rng)).collect();
    Individual::evaluate(problem, genome)
}
