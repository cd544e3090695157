//! The genetic algorithm that tunes quotas: crossover of whole pods, small changes of one pod.
//!
//! Promises: every individual is legal, feasible ones come first, and a problem whose genes are no quotas is searched in
//! the same way. Must not know: that a group of genes is a pod, or what a forecast is.
//!
//! Source: a patent application on quotas by a forecast and a genetic algorithm, marks \[P\] printed, \[R\] reconstructed,
//! \[I\] interpreted. Equations (6) to (10) are the problem's ([`quota_tuning`](crate::problems::quota_tuning)).
//!
//! 1. \[P\] 50 individuals; \[I\] drawn uniformly from the domains.
//! 2. \[P\] Roulette on the fitness; \[I\] on `F - min F` of the generation, that is `max cost - cost`.
//! 3. \[P\] With `p_c = 0.81` two parents "exchange the quota or number parts"; \[I\] one point between two pods, the tails
//!    change sides, the genes of a pod stay together.
//! 4. \[P\] With `p_m = 0.23` an individual mutates; \[I\] "small" changes: the quotas of one pod, drawn uniformly, are each
//!    multiplied by `exp(N(0, 0.08))`. \[I\] Where the genes are choices, those of the group are drawn anew.
//! 5. \[I\] The best one lives on; without that it would be lost.
//! 6. \[P\] At most 100 generations, and an end once the best changes by less than 1e-4 for 20 of them.
//!
//! Hard limits, of which the source has none \[I\]: they are repaired first ([`Problem::repair`]); what stays infeasible
//! costs its violation on top of the worst feasible individual (Deb 2000, doi:10.1016/S0045-7825(99)00389-8).

mod nudge;

use std::ops::ControlFlow;

use crate::budget::{Budget, Meter, TerminationReason};
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::problem::{Genome, Problem, UNASSIGNED};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::Cost;
use crate::selection::Roulette;
use crate::solver::{Evolution, SolveError, Solver, check};
use crate::{crossover, greedy, repair, replacement};

/// The algorithm with its parameters. One evaluation of the budget is one whole individual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaGa {
    /// Individuals, 2 to 10,000. Default 50 \[P\].
    pub population: usize,
    /// Most generations after the initial one. Default 100 \[P\].
    pub generations: u64,
    /// Chance `p_c` that two parents are crossed, 0 to 1. Default 0.81 \[P\].
    pub crossover_rate: f64,
    /// Chance `p_m` that an individual mutates, 0 to 1. Default 0.23 \[P\].
    pub mutation_rate: f64,
    /// Standard deviation of the logarithm of a mutated quota, 0 to 1. Default 0.08 \[I\].
    pub mutation_width: f64,
    /// How many genes in a row belong together (a pod's), at least 1; the last group may be shorter. Default 2: cpu and
    /// memory.
    pub genes_per_group: usize,
    /// How many of the best live on unchanged, less than the population. Default 1 \[I\].
    pub elites: usize,
    /// The search ends after this many generations without a gain, at least 1. Default 20 \[P\].
    pub patience: u64,
    /// What counts as a gain, at least 0. Default 1e-4 \[P\].
    pub least_gain: f64,
    /// Whether hard limits are repaired ([`Problem::repair`]). Default true.
    pub capacity_repair: bool,
    /// How several objectives count; by default the first alone.
    pub scalarisation: Scalarisation,
}

impl Default for QuotaGa {
    fn default() -> Self {
        Self {
            population: 50,
            generations: 100,
            crossover_rate: 0.81,
            mutation_rate: 0.23,
            mutation_width: 0.08,
            genes_per_group: 2,
            elites: 1,
            patience: 20,
            least_gain: 1e-4,
            capacity_repair: true,
            scalarisation: Scalarisation::default(),
        }
    }
}

impl QuotaGa {
    fn check(&self) -> Result<(), SolveError> {
        let limits = [
            ("population", self.population as f64, "2 to 10000", (2..=10_000).contains(&self.population)),
            ("crossover_rate", self.crossover_rate, "0 to 1", (0.0..=1.0).contains(&self.crossover_rate)),
            ("mutation_rate", self.mutation_rate, "0 to 1", (0.0..=1.0).contains(&self.mutation_rate)),
            ("mutation_width", self.mutation_width, "0 to 1", (0.0..=1.0).contains(&self.mutation_width)),
            ("genes_per_group", self.genes_per_group as f64, "at least 1", self.genes_per_group >= 1),
            ("elites", self.elites as f64, "less than the population", self.elites < self.population),
            ("patience", self.patience as f64, "at least 1", self.patience >= 1),
            ("least_gain", self.least_gain, "0 to 1e12", (0.0..=1e12).contains(&self.least_gain)),
        ];
        match limits.into_iter().find(|(.., sound)| !sound) {
            Some((name, value, allowed, _)) => Err(SolveError::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }
}

impl<P: Problem> Solver<P> for QuotaGa {
    fn solve(
        &self,
        problem: &P,
        seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        self.check()?;
        check(problem, seeds, Some(&self.scalarisation))?;
        let mut run = Run::new(self, problem, seeds, budget.meter(), rng);
        let ControlFlow::Break(reason) = run.evolve(seeds, observer);
        Ok(Evolution::of_one(run.best, reason, run.generation, run.meter.spent()))
    }
}

/// A run under way.
struct Run<'a, P: Problem> {
    ga: &'a QuotaGa,
    problem: &'a P,
    meter: Meter<'a>,
    rng: &'a mut Rng,
    state: P::State,
    best: Individual,
    /// The cost of the best when it last gained something, and generations since.
    anchor: Cost,
    idle: u64,
    population: Vec<Individual>,
    generation: u64,
}

type Ended = ControlFlow<TerminationReason, std::convert::Infallible>;

impl<'a, P: Problem> Run<'a, P> {
    /// A run whose best is the best of the seeds; without seeds it is one individual drawn from the domains, so that
    /// there is an answer at any budget.
    fn new(ga: &'a QuotaGa, problem: &'a P, seeds: &[Genome], meter: Meter<'a>, rng: &'a mut Rng) -> Self {
        let cost = |individual: &Individual| ga.scalarisation.cost(&individual.score);
        let completed = seeds.iter().map(|seed| greedy::complete(problem, seed, &ga.scalarisation).0);
        let best = completed.min_by_key(cost).unwrap_or_else(|| {
            let genome = (0..problem.items()).map(|item| problem.domain(item).draw(rng)).collect();
            Individual::evaluate(problem, genome)
        });
        let (state, anchor) = (problem.build(&best.genome), cost(&best));
        Self { ga, problem, meter, rng, state, best, anchor, idle: 0, population: Vec::new(), generation: 0 }
    }

    fn evolve(&mut self, seeds: &[Genome], observer: &mut dyn Observer) -> Ended {
        if self.problem.items() == 0 {
            return ControlFlow::Break(TerminationReason::Trivial);
        }
        self.initialise(seeds)?;
        self.report(observer);
        while self.generation < self.ga.generations {
            self.meter.look()?;
            self.population = self.breed()?;
            self.generation += 1;
            self.report(observer);
            self.count_idle()?;
        }
        ControlFlow::Break(TerminationReason::Generations)
    }

    /// Step 1: the seeds, as far as they fit in; the rest is drawn.
    fn initialise(&mut self, seeds: &[Genome]) -> ControlFlow<TerminationReason> {
        for index in 0..self.ga.population {
            let mut genome = seeds.get(index).cloned().unwrap_or_else(|| vec![UNASSIGNED; self.problem.items()]);
            repair::into_domains(self.problem, &mut genome, self.rng);
            let individual = self.evaluate(&genome)?;
            self.population.push(individual);
        }
        self.anchor = self.cost(&self.best);
        ControlFlow::Continue(())
    }

    /// Steps 2 to 5: the next generation.
    fn breed(&mut self) -> ControlFlow<TerminationReason, Vec<Individual>> {
        let costs = self.costs();
        let elites = replacement::elites(&costs, self.ga.elites);
        let mut offspring: Vec<Individual> = elites.into_iter().map(|index| self.population[index].clone()).collect();
        let worst = costs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let wheel = Roulette::new(costs.iter().map(|cost| worst - cost));
        while offspring.len() < self.ga.population {
            let mut first = self.population[wheel.draw(self.rng)].genome.clone();
            let mut second = self.population[wheel.draw(self.rng)].genome.clone();
            if self.rng.chance(self.ga.crossover_rate) {
                crossover::one_point(&mut first, &mut second, self.ga.genes_per_group, self.rng);
            }
            for mut child in [first, second] {
                if offspring.len() < self.ga.population {
                    self.mutate(&mut child);
                    offspring.push(self.evaluate(&child)?);
                }
            }
        }
        ControlFlow::Continue(offspring)
    }

    /// Step 4.
    fn mutate(&mut self, genome: &mut [u32]) {
        if !self.rng.chance(self.ga.mutation_rate) {
            return;
        }
        let width = self.ga.genes_per_group;
        let first = self.rng.below(genome.len().div_ceil(width) as u32) as usize * width;
        for (item, gene) in genome.iter_mut().enumerate().skip(first).take(width) {
            *gene = nudge::nudge(&self.problem.domain(item), *gene, self.ga.mutation_width, self.rng);
        }
    }

    /// An individual, after the repair of hard limits if that is wanted.
    fn evaluate(&mut self, genome: &[u32]) -> ControlFlow<TerminationReason, Individual> {
        self.meter.spend_dear()?;
        self.problem.rebuild(&mut self.state, genome);
        if self.ga.capacity_repair {
            self.problem.repair(&mut self.state, self.rng);
            if self.problem.genome(&self.state) != genome {
                // Afresh, because what changed the state has left its rounding in it.
                let repaired = self.problem.genome(&self.state).to_vec();
                self.problem.rebuild(&mut self.state, &repaired);
            }
        }
        let individual = Individual::of(self.problem, &self.state);
        if self.cost(&individual) < self.cost(&self.best) {
            self.best = individual.clone();
        }
        ControlFlow::Continue(individual)
    }

    fn cost(&self, individual: &Individual) -> Cost {
        self.ga.scalarisation.cost(&individual.score)
    }

    /// One number an individual: its value if it is feasible, otherwise the worst feasible value plus the violation.
    fn costs(&self) -> Vec<f64> {
        let costs: Vec<Cost> = self.population.iter().map(|individual| self.cost(individual)).collect();
        let feasible = costs.iter().filter(|cost| cost.violation == 0.0);
        let worst = feasible.map(|cost| cost.value).reduce(f64::max).unwrap_or(0.0);
        costs.iter().map(|cost| if cost.violation == 0.0 { cost.value } else { worst + cost.violation }).collect()
    }

    /// Step 6.
    fn count_idle(&mut self) -> ControlFlow<TerminationReason> {
        let cost = self.cost(&self.best);
        self.idle += 1;
        if cost.improves_on(&self.anchor, self.ga.least_gain) {
            (self.anchor, self.idle) = (cost, 0);
        }
        if self.idle < self.ga.patience {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(TerminationReason::Stalled)
    }

    fn report(&self, observer: &mut dyn Observer) {
        let costs = self.costs();
        observer.generation(&Generation {
            number: self.generation,
            evaluations: self.meter.spent(),
            best: self.best.score,
            lowest: costs.iter().copied().fold(f64::INFINITY, f64::min),
            mean: costs.iter().sum::<f64>() / costs.len() as f64,
            highest: costs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        });
    }
}
