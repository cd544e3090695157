//! CMMA-GA: ants with bounded pheromone that breed, walk and learn.
//!
//! Promises: every vector an ant holds has all its genes in their domains; an ant's vector never gets worse but where
//! learning overwrites the poorest; memory for pheromone is linear in the sum of the domains' lengths where items have
//! no context. Must not know: that items are services and values replicas.
//!
//! Source: a patent application on service composition by a collaborative max-min ant and genetic algorithm, marks
//! \[P\] printed, \[R\] reconstructed, \[I\] interpreted. It gives no numbers but those marked \[P\].
//!
//! 1. \[P\] `N` random vectors; the best `M` become ants. Each iteration then has four steps.
//! 2. Genetic: rounds in which every ant mates. \[P\] Mates and mutated values by roulette, two-point crossover.
//!    \[I\] The child takes its parent's place if it is better.
//! 3. Walk: every ant builds a vector by pheromone `τ` and attraction `η` ([`walk`]), eq. (2), and wipes some pheromone
//!    off behind it, eq. (3). \[I\] The vector replaces the ant's if it is better.
//! 4. Collaborative learning: the table `L` of the `g` best and the table `R` of the `g` poorest. \[I\] (the figure is
//!    lost) each of `L` takes over pieces of all other ants' vectors as far as they make it better, and what comes of
//!    it replaces one of `R`.
//! 5. Global update, eq. (4) to (6) ([`trails`]). \[I\] Only `L` deposits, the mean of its fitness; every few iterations
//!    the best vector of all deposits its own.
//!
//! A chain of items has `τ[k][prev][v]`, the way from the value of the item before to that of this one
//! ([`Problem::context`]); other items have `τ[i][v]`. \[I\] Above 2 million trails, items of one class share
//! them. \[P\] The tabu table holds the services that an ant has been to;
//! here it walks through the items in a fixed order, so it needs none.
//!
//! Broken hard limits come first wherever vectors are compared, and fitness sees them too ([`fitness`]).

pub mod fitness;
mod genetic;
mod learning;
pub mod trails;
pub mod walk;

use std::ops::ControlFlow;

use crate::budget::{Budget, Meter, TerminationReason};
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::problem::{Genome, Problem, UNASSIGNED};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, Score};
use crate::solver::{Evolution, SolveError, Solver, check};
use crate::{greedy, repair};
use fitness::{Fitness, FitnessScale};
use trails::Trails;
use walk::Walker;

/// The algorithm with its parameters. One evaluation of the budget is one whole vector. Without a number in the source
/// every default is \[I\].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CmmaGa {
    /// Random vectors `N` to start from, at least `ants`, up to 100,000. Default 100.
    pub initial: usize,
    /// Ants `M`, 1 to 10,000. Default 30.
    pub ants: usize,
    /// Iterations after the start. Default 100.
    pub iterations: u64,
    /// Genetic rounds of an iteration, 0 to 1,000. Default 5.
    pub genetic_rounds: u32,
    /// Chance `p_c` that an ant and its mate are crossed, 0 to 1. Default 0.8.
    pub crossover_rate: f64,
    /// Chance `p_v` that a gene mutates, 0 to 1; `None`, the default, is one over the number of items.
    pub mutation_rate: Option<f64>,
    /// Walks of every ant in an iteration, 0 to 1,000; at least 1 if an iteration would do nothing else. Default 1.
    pub walks: u32,
    /// Exponent `α` of pheromone in eq. (2), 0 to 16. Default 1. Whole, because powers with other exponents differ
    /// between machines.
    pub alpha: u32,
    /// Exponent `β` of attraction in eq. (2), 0 to 16. Default 2.
    pub beta: u32,
    /// `ρ` of eq. (4) and (5): what part of all pheromone evaporates in an iteration; above 0 to 1. Default 0.1.
    pub evaporation: f64,
    /// `φ` of eq. (3): what part of the difference to `τ_0` an ant wipes off behind it, 0 to 1. Default 0.05.
    pub local_evaporation: f64,
    /// `g`: the length of the tables `L` and `R`, at most half the ants; 0 is no learning, and only the best vector
    /// deposits. Default 3.
    pub table: usize,
    /// Chance that learning changes one further gene against early sameness, 0 to 1. Default 0.3.
    pub extra_gene_rate: f64,
    /// `q`: what part of the first vectors leaves pheromone at the start, 0 to 1. The source's text has 3 %, its symbol
    /// 5 %. Default 0.05.
    pub top_share: f64,
    /// `k_g` of eq. (1): how much pheromone those leave, 0 to 1,000. Default 0.1.
    pub top_bonus: f64,
    /// `p_b` of eq. (6): the chance that a converged colony walks the best path, above 0 and below 1. Default 0.05.
    pub best_path_chance: f64,
    /// Iterations from one deposit of the best vector of all to the next, at least 1. Default 5.
    pub best_interval: u64,
    /// What fitness `f` is.
    pub fitness: Fitness,
    /// Whether hard limits are repaired ([`Problem::repair`]) before a vector is evaluated, an extension. Default false.
    pub capacity_repair: bool,
    /// How several objectives count; by default the first alone.
    pub scalarisation: Scalarisation,
}

impl Default for CmmaGa {
    fn default() -> Self {
        Self {
            initial: 100,
            ants: 30,
            iterations: 100,
            genetic_rounds: 5,
            crossover_rate: 0.8,
            mutation_rate: None,
            walks: 1,
            alpha: 1,
            beta: 2,
            evaporation: 0.1,
            local_evaporation: 0.05,
            table: 3,
            extra_gene_rate: 0.3,
            top_share: 0.05,
            top_bonus: 0.1,
            best_path_chance: 0.05,
            best_interval: 5,
            fitness: Fitness::Gain,
            capacity_repair: false,
            scalarisation: Scalarisation::default(),
        }
    }
}

impl CmmaGa {
    /// Whether an iteration evaluates anything, without which no budget would end a run.
    const fn spends(&self) -> bool {
        self.walks > 0 || self.genetic_rounds > 0 || self.table > 0
    }

    fn check(&self) -> Result<(), SolveError> {
        let unit = |rate: f64| (0.0..=1.0).contains(&rate);
        let mutation = self.mutation_rate.unwrap_or(0.0);
        let (initial, table) = (self.initial as f64, self.table as f64);
        let limits = [
            ("initial", initial, "ants to 100000", (self.ants..=100_000).contains(&self.initial)),
            ("ants", self.ants as f64, "1 to 10000", (1..=10_000).contains(&self.ants)),
            ("genetic_rounds", self.genetic_rounds.into(), "0 to 1000", self.genetic_rounds <= 1_000),
            ("crossover_rate", self.crossover_rate, "0 to 1", unit(self.crossover_rate)),
            ("mutation_rate", mutation, "0 to 1", unit(mutation)),
            ("walks", self.walks.into(), "0 to 1000", self.walks <= 1_000),
            ("walks", self.walks.into(), "at least 1 without rounds and table", self.spends()),
            ("alpha", self.alpha.into(), "0 to 16", self.alpha <= 16),
            ("beta", self.beta.into(), "0 to 16", self.beta <= 16),
            ("evaporation", self.evaporation, "1e-6 to 1", (1e-6..=1.0).contains(&self.evaporation)),
            ("local_evaporation", self.local_evaporation, "0 to 1", unit(self.local_evaporation)),
            ("table", table, "at most half the ants", self.table <= self.ants / 2),
            ("extra_gene_rate", self.extra_gene_rate, "0 to 1", unit(self.extra_gene_rate)),
            ("top_share", self.top_share, "0 to 1", unit(self.top_share)),
            ("top_bonus", self.top_bonus, "0 to 1000", (0.0..=1e3).contains(&self.top_bonus)),
            (
                "best_path_chance",
                self.best_path_chance,
                "1e-6 to 0.999",
                (1e-6..=0.999).contains(&self.best_path_chance),
            ),
            ("best_interval", self.best_interval as f64, "at least 1", self.best_interval >= 1),
        ];
        match limits.into_iter().find(|(.., sound)| !sound) {
            Some((name, value, allowed, _)) => Err(SolveError::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }
}

impl<P: Problem> Solver<P> for CmmaGa {
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
        Ok(Evolution::of_one(run.best, reason, run.iteration, run.meter.spent()))
    }
}

/// A vector and what it costs.
#[derive(Clone, Debug)]
struct Ant {
    genome: Genome,
    cost: Cost,
}

/// A run under way.
struct Run<'a, P: Problem> {
    ga: &'a CmmaGa,
    problem: &'a P,
    meter: Meter<'a>,
    rng: &'a mut Rng,
    state: P::State,
    /// Where nothing is chosen yet: what mutated values are attractive by, and where walks begin.
    blank: P::State,
    /// The best vector met.
    best: Individual,
    best_cost: Cost,
    ants: Vec<Ant>,
    scale: FitnessScale,
    walker: Walker,
    iteration: u64,
}

type Ended = ControlFlow<TerminationReason, std::convert::Infallible>;

impl<'a, P: Problem> Run<'a, P> {
    /// A run whose best is the best of the seeds; without seeds it is one vector drawn from the domains, so that there
    /// is an answer at any budget.
    fn new(ga: &'a CmmaGa, problem: &'a P, seeds: &[Genome], meter: Meter<'a>, rng: &'a mut Rng) -> Self {
        let cost = |individual: &Individual| ga.scalarisation.cost(&individual.score);
        let completed = seeds.iter().map(|seed| greedy::complete(problem, seed, &ga.scalarisation).0);
        let best = completed.min_by_key(cost).unwrap_or_else(|| {
            let genome = (0..problem.items()).map(|item| problem.domain(item).draw(rng)).collect();
            Individual::evaluate(problem, genome)
        });
        let blank = problem.build(&vec![UNASSIGNED; problem.items()]);
        Self {
            ga,
            problem,
            meter,
            rng,
            state: blank.clone(),
            blank,
            best_cost: cost(&best),
            best,
            ants: Vec::with_capacity(ga.initial),
            scale: FitnessScale::default(),
            walker: Walker::new(ga.alpha, ga.beta),
            iteration: 0,
        }
    }

    fn evolve(&mut self, seeds: &[Genome], observer: &mut dyn Observer) -> Ended {
        if self.problem.items() == 0 {
            return ControlFlow::Break(TerminationReason::Trivial);
        }
        self.initialise(seeds)?;
        let mut trails = self.first_trails();
        self.ants.truncate(self.ga.ants);
        self.report(observer);
        while self.iteration < self.ga.iterations {
            self.meter.look()?;
            for _ in 0..self.ga.genetic_rounds {
                self.breed()?;
            }
            let least = self.limits(&trails).0;
            for _ in 0..self.ga.walks {
                self.walk(&mut trails, least)?;
            }
            self.learn()?;
            self.iteration += 1;
            self.update(&mut trails);
            self.report(observer);
        }
        ControlFlow::Break(TerminationReason::Generations)
    }

    /// Step 1: the seeds, as far as they fit in; the rest is drawn. Sorts the vectors, the best first.
    fn initialise(&mut self, seeds: &[Genome]) -> ControlFlow<TerminationReason> {
        for index in 0..self.ga.initial {
            let mut genome = seeds.get(index).cloned().unwrap_or_else(|| vec![UNASSIGNED; self.problem.items()]);
            repair::into_domains(self.problem, &mut genome, self.rng);
            let ant = self.evaluate(genome)?;
            self.ants.push(ant);
        }
        self.ants.sort_by_key(|ant| ant.cost);
        self.scale = FitnessScale::new(self.ga.fitness, self.ants.iter().map(|ant| ant.cost));
        ControlFlow::Continue(())
    }

    /// Eq. (1) \[P\]: `τ_max` everywhere, and more where the best of the first vectors go; \[I\] each of them leaves the
    /// bonus on its own ways.
    fn first_trails(&self) -> Trails {
        let mut trails = Trails::new(self.problem, self.scale.fitness(&self.best_cost) / self.ga.evaporation);
        let top = (self.ga.top_share * self.ants.len() as f64).ceil() as usize;
        for ant in &self.ants[..top] {
            trails.deposit(self.problem, &ant.genome, self.ga.top_bonus * self.scale.fitness(&ant.cost));
        }
        trails
    }

    /// Step 3.
    fn walk(&mut self, trails: &mut Trails, least: f64) -> ControlFlow<TerminationReason> {
        for index in 0..self.ants.len() {
            self.state.clone_from(&self.blank);
            self.walker.walk(self.problem, trails, &mut self.state, self.rng);
            self.walker.wipe(trails, self.ga.local_evaporation, least);
            let genome = self.problem.genome(&self.state).to_vec();
            let ant = self.evaluate(genome)?;
            self.improve(index, ant);
        }
        ControlFlow::Continue(())
    }

    /// Step 5.
    fn update(&self, trails: &mut Trails) {
        let (least, most) = self.limits(trails);
        trails.evaporate(self.ga.evaporation);
        let mut good: Vec<&Ant> = self.ants.iter().collect();
        good.sort_by_key(|ant| ant.cost);
        for ant in &good[..self.ga.table] {
            trails.deposit(self.problem, &ant.genome, self.scale.fitness(&ant.cost) / self.ga.table as f64);
        }
        if self.iteration.is_multiple_of(self.ga.best_interval) {
            trails.deposit(self.problem, &self.best.genome, self.scale.fitness(&self.best_cost));
        }
        trails.clamp(least, most);
    }

    /// Eq. (5) and (6).
    fn limits(&self, trails: &Trails) -> (f64, f64) {
        trails.limits(self.scale.fitness(&self.best_cost) / self.ga.evaporation, self.ga.best_path_chance)
    }

    fn improve(&mut self, index: usize, ant: Ant) {
        if ant.cost < self.ants[index].cost {
            self.ants[index] = ant;
        }
    }

    /// A vector with its cost, after the repair of hard limits if that is wanted.
    fn evaluate(&mut self, mut genome: Genome) -> ControlFlow<TerminationReason, Ant> {
        self.meter.spend_dear()?;
        self.problem.rebuild(&mut self.state, &genome);
        if self.ga.capacity_repair {
            self.problem.repair(&mut self.state, self.rng);
            genome.copy_from_slice(self.problem.genome(&self.state));
        }
        let score = self.problem.eval(&self.state);
        let cost = self.ga.scalarisation.cost(&score);
        if cost < self.best_cost {
            self.remember(&genome, score, cost);
        }
        ControlFlow::Continue(Ant { genome, cost })
    }

    fn remember(&mut self, genome: &[u32], score: Score, cost: Cost) {
        self.best_cost = cost;
        self.best.genome.copy_from_slice(genome);
        self.best.score = score;
    }

    fn report(&self, observer: &mut dyn Observer) {
        let values = || self.ants.iter().map(|ant| ant.cost.value);
        observer.generation(&Generation {
            number: self.iteration,
            evaluations: self.meter.spent(),
            best: self.best.score,
            lowest: values().fold(f64::INFINITY, f64::min),
            mean: values().sum::<f64>() / self.ants.len() as f64,
            highest: values().fold(f64::NEG_INFINITY, f64::max),
        });
    }
}
