//! The genetic algorithm with a validation dictionary, and the standard one.
//!
//! Promises: with the dictionary every individual is legal after initialisation, crossover and mutation, so no
//! evaluation is spent on an illegal one. Must not know: that items are pods and values nodes.
//!
//! Source: a patent application on container placement by a genetic algorithm with a validation dictionary, marks
//! \[P\] printed, \[R\] reconstructed, \[I\] interpreted. Equations (7) to (11) are the problem's
//! ([`placement`](crate::problems::placement)).
//!
//! 1. \[I\] The printed chromosome is a binary pods × nodes matrix; here one gene a pod holds its node, which makes
//!    "each pod on exactly one node" structural. \[I\] The dictionary's (pod, node, Affine | Forbid) entries are compiled
//!    to one domain a pod; a *preferred* Affine entry only makes mutation draw a node more often.
//! 2. \[P\] `M` individuals are drawn: uniformly from the domains; by the standard variant from all nodes.
//! 3. eq. (12): `Fit = max(0, Cmax - cost)`, selection by roulette, `P_k = Fit_k / Σ Fit`. \[I\] `Cmax`, "the largest
//!    estimate", has the two readings of [`Ceiling`].
//! 4. \[I\] Two-point crossover with rate `p_c` (the operator is not named); each gene mutates with `p_m = 1/m`.
//! 5. \[P\] Repair after initialisation, crossover and mutation: a gene outside its domain is drawn anew from it. An
//!    extension repairs capacities too.
//! 6. \[I\] The two best live on; without that the best would be lost. `M`, `p_c`, `p_m` and the number of generations
//!    are not given in the source.
//!
//! The cost is the objective plus `λ` times the violations: overflow of hard limits, and genes outside their domain.

use std::ops::ControlFlow;

use crate::budget::{Budget, Meter, TerminationReason};
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::population::Population;
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, Score};
use crate::selection::Roulette;
use crate::solver::{Evolution, SolveError, Solver, check};
use crate::{crossover, greedy, mutation, repair, replacement};

/// How constraints of the dictionary are met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// The standard genetic algorithm: genes may be anything, each one outside its domain costs the penalty.
    Standard,
    /// Genes outside their domain are repaired.
    #[default]
    Dictionary,
}

/// What `Cmax` of eq. (12) is: the cost at which fitness becomes 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ceiling {
    /// The largest cost of the initial population. Selection loses its bite as costs fall.
    Fixed,
    /// The largest cost of the current generation.
    #[default]
    Generation,
}

/// The algorithm with its parameters. One evaluation of the budget is one whole individual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DictionaryGa {
    /// With the dictionary (default) or without.
    pub variant: Variant,
    /// Individuals `M`, 2 to 10,000. Default 50.
    pub population: usize,
    /// Generations after the initial one. Default 400.
    pub generations: u64,
    /// Chance `p_c` that two parents are crossed, 0 to 1. Default 0.8.
    pub crossover_rate: f64,
    /// Chance `p_m` that a gene mutates, 0 to 1; `None`, the default, is one over the number of items.
    pub mutation_rate: Option<f64>,
    /// How many of the best live on unchanged, less than the population. Default 2.
    pub elites: usize,
    /// Cost `λ` of one gene outside its domain, and of overflow as large as one whole limit; at least 0. Default 10.
    pub penalty: f64,
    /// What `Cmax` is.
    pub ceiling: Ceiling,
    /// Whether hard limits are repaired too ([`Problem::repair`]). Default false, as in the source.
    pub capacity_repair: bool,
    /// How several objectives count; by default the first alone.
    pub scalarisation: Scalarisation,
}

impl Default for DictionaryGa {
    fn default() -> Self {
        Self {
            variant: Variant::Dictionary,
            population: 50,
            generations: 400,
            crossover_rate: 0.8,
            mutation_rate: None,
            elites: 2,
            penalty: 10.0,
            ceiling: Ceiling::Generation,
            capacity_repair: false,
            scalarisation: Scalarisation::default(),
        }
    }
}

impl DictionaryGa {
    fn check(&self) -> Result<(), SolveError> {
        let rate = self.mutation_rate.unwrap_or(0.0);
        let limits = [
            ("population", self.population as f64, "2 to 10000", (2..=10_000).contains(&self.population)),
            ("elites", self.elites as f64, "less than the population", self.elites < self.population),
            ("crossover_rate", self.crossover_rate, "0 to 1", (0.0..=1.0).contains(&self.crossover_rate)),
            ("mutation_rate", rate, "0 to 1", (0.0..=1.0).contains(&rate)),
            ("penalty", self.penalty, "0 to 1e12", (0.0..=1e12).contains(&self.penalty)),
        ];
        match limits.into_iter().find(|(.., sound)| !sound) {
            Some((name, value, allowed, _)) => Err(SolveError::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }
}

impl<P: Problem> Solver<P> for DictionaryGa {
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
    ga: &'a DictionaryGa,
    problem: &'a P,
    meter: Meter<'a>,
    rng: &'a mut Rng,
    state: P::State,
    /// The best legal individual met.
    best: Individual,
    best_cost: Cost,
    population: Population,
    offspring: Population,
    generation: u64,
}

type Ended = ControlFlow<TerminationReason, std::convert::Infallible>;

impl<'a, P: Problem> Run<'a, P> {
    /// A run whose best is the best of the seeds; without seeds it is one individual drawn from the domains, so that
    /// there is an answer at any budget.
    fn new(ga: &'a DictionaryGa, problem: &'a P, seeds: &[Genome], meter: Meter<'a>, rng: &'a mut Rng) -> Self {
        let cost = |individual: &Individual| ga.scalarisation.cost(&individual.score);
        let completed = seeds.iter().map(|seed| greedy::complete(problem, seed, &ga.scalarisation).0);
        let best = completed.min_by_key(cost).unwrap_or_else(|| {
            let genome = (0..problem.items()).map(|item| problem.domain(item).draw(rng)).collect();
            Individual::evaluate(problem, genome)
        });
        let empty = Population::with_capacity(problem.items(), ga.population + 1);
        Self {
            ga,
            problem,
            meter,
            rng,
            state: problem.build(&best.genome),
            best_cost: cost(&best),
            best,
            population: empty.clone(),
            offspring: empty,
            generation: 0,
        }
    }

    fn evolve(&mut self, seeds: &[Genome], observer: &mut dyn Observer) -> Ended {
        if self.problem.items() == 0 {
            return ControlFlow::Break(TerminationReason::Trivial);
        }
        self.initialise(seeds)?;
        self.report(observer);
        let initial_ceiling = self.population.range().2;
        while self.generation < self.ga.generations {
            self.meter.look()?;
            let ceiling = match self.ga.ceiling {
                Ceiling::Fixed => initial_ceiling,
                Ceiling::Generation => self.population.range().2,
            };
            self.breed(ceiling)?;
            std::mem::swap(&mut self.population, &mut self.offspring);
            self.generation += 1;
            self.report(observer);
        }
        ControlFlow::Break(TerminationReason::Generations)
    }

    /// Step 2: the seeds, as far as they fit in; the rest is drawn.
    fn initialise(&mut self, seeds: &[Genome]) -> ControlFlow<TerminationReason> {
        for index in 0..self.ga.population {
            let mut genome = match seeds.get(index) {
                Some(seed) => seed.clone(),
                None => vec![u32::MAX; self.problem.items()],
            };
            self.fill(&mut genome);
            let cost = self.evaluate(&mut genome)?;
            self.population.push(&genome, cost);
        }
        ControlFlow::Continue(())
    }

    /// Draws the genes that no evaluation could read, and with the dictionary those outside their domain too.
    fn fill(&mut self, genome: &mut [u32]) {
        match self.ga.variant {
            Variant::Dictionary => repair::into_domains(self.problem, genome, self.rng),
            Variant::Standard => {
                for (item, gene) in genome.iter_mut().enumerate() {
                    let universe = self.problem.domain(item).universe();
                    if *gene >= universe {
                        *gene = self.rng.below(universe);
                    }
                }
            }
        }
    }

    /// Steps 3 to 6: the next generation, into `offspring`.
    fn breed(&mut self, ceiling: f64) -> ControlFlow<TerminationReason> {
        self.offspring.clear();
        for index in replacement::elites(self.population.costs(), self.ga.elites) {
            self.offspring.push(self.population.genome(index), self.population.costs()[index]);
        }
        let wheel = Roulette::new(self.population.costs().iter().map(|cost| ceiling - cost));
        while self.offspring.len() < self.ga.population {
            let mut first = self.population.genome(wheel.draw(self.rng)).to_vec();
            let mut second = self.population.genome(wheel.draw(self.rng)).to_vec();
            if self.rng.chance(self.ga.crossover_rate) {
                crossover::two_point(&mut first, &mut second, self.rng);
            }
            for mut child in [first, second] {
                if self.offspring.len() < self.ga.population {
                    self.vary(&mut child);
                    let cost = self.evaluate(&mut child)?;
                    self.offspring.push(&child, cost);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Mutation, with repair before and after it.
    fn vary(&mut self, genome: &mut [u32]) {
        let rate = self.ga.mutation_rate.unwrap_or(1.0 / genome.len() as f64);
        match self.ga.variant {
            Variant::Standard => mutation::anywhere(self.problem, genome, rate, self.rng),
            Variant::Dictionary => {
                repair::into_domains(self.problem, genome, self.rng);
                mutation::inside(self.problem, genome, rate, self.rng);
                repair::into_domains(self.problem, genome, self.rng);
            }
        }
    }

    /// The cost of a genome with its penalties, after the repair of hard limits if that is wanted.
    fn evaluate(&mut self, genome: &mut [u32]) -> ControlFlow<TerminationReason, f64> {
        self.meter.spend_dear()?;
        self.problem.rebuild(&mut self.state, genome);
        if self.ga.capacity_repair {
            self.problem.repair(&mut self.state, self.rng);
            genome.copy_from_slice(self.problem.genome(&self.state));
        }
        let score = self.problem.eval(&self.state);
        let strays = repair::strays(self.problem, genome);
        if strays == 0 {
            self.remember(genome, score);
        }
        let value = self.ga.scalarisation.value(&score.objectives);
        ControlFlow::Continue(value + self.ga.penalty * (strays as f64 + score.violation))
    }

    fn remember(&mut self, genome: &[u32], score: Score) {
        let cost = self.ga.scalarisation.cost(&score);
        if cost < self.best_cost {
            self.best_cost = cost;
            self.best.genome.copy_from_slice(genome);
            self.best.score = score;
        }
    }

    fn report(&self, observer: &mut dyn Observer) {
        let (lowest, mean, highest) = self.population.range();
        observer.generation(&Generation {
            number: self.generation,
            evaluations: self.meter.spent(),
            best: self.best.score,
            lowest,
            mean,
            highest,
        });
    }
}
