//! The genetic algorithm with two fitnesses, time and cost.
//!
//! Promises: nothing that is met is lost: what no other solution dominates is in the front, the best by the headline is
//! the best of the run. Must not know: that items are tasks and values machines.
//!
//! Source: a patent application on cloud task scheduling by a genetic algorithm with two fitnesses (TCGA), marks \[P\]
//! printed, \[R\] reconstructed, \[I\] interpreted. Equations (1) to (5) and (7) are the problem's
//! ([`task_schedule`](crate::problems::task_schedule)).
//!
//! 1. eq. (6), (8) \[R\]: one fitness an objective, `fit_T = ulb / CompleteTime` and `fit_C = 1 / CompleteCost`
//!    ([`FitnessMap`]). \[I\] Each is scaled by the objective's mean in generation 0, so that penalties of broken
//!    limits, which the source does not have, weigh as much in all of them.
//! 2. eq. (9) to (11) \[R\]: `sim = 1 - H / l`. \[P\] Of two individuals with `sim` above 0.90 the less fit is dropped,
//!    and random ones fill up. \[I\] From the fittest down; who was dropped drops nobody.
//! 3. eq. (12) \[P\]: parallel selection, as Schaffer's (1985) vector-evaluated one. For each fitness by itself the
//!    population is sorted; the top 0.5 % leave the ranking, the next 10 % are copied, parents are drawn by roulette.
//!    \[I\] The odd first rule is rounded down, so it does nothing below 200 individuals; who leaves is in the front.
//! 4. eq. (13), (14) \[I\]: adaptive rates ([`Adaptation`]). The fitness in them is `f = Σ_k (fit_k / mean fit_k) / K`, for
//!    crossover that of the better parent, for mutation that of the parent whose place the child takes.
//! 5. \[P\] If `ω = (fit_max - fit_min) / fit_avg` is below `θ`, evolution is accelerated. \[I\] `k1` and `k3` are doubled
//!    for this generation.
//! 6. \[I\] Two-point crossover (the source lists several) on random pairs of parents. \[P\] Mutation of "one or a few
//!    loci", \[I\] 1 to 5.
//! 7. \[P\] 30 individuals, 100 generations. \[I\] The result is the set of non-dominated solutions; the headline is the
//!    least mean of the objectives, each over its mean in generation 0.
//!
//! With one objective it is a genetic algorithm with one selection.

mod adaptation;
mod fitness;
mod similarity;

use std::ops::ControlFlow;

use crate::archive::Archive;
use crate::budget::{Budget, Meter, TerminationReason};
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, MAX_OBJECTIVES};
use crate::selection::Roulette;
use crate::solver::{Evolution, SolveError, Solver, check};
use crate::{crossover, greedy, repair};
use fitness::{Fitness, Merit, Scale};

pub use adaptation::{Adaptation, Extent};
pub use fitness::FitnessMap;

/// How much steeper accelerated evolution makes the slopes \[I\].
const ACCELERATION: f64 = 2.0;

/// The algorithm with its parameters. One evaluation of the budget is one whole individual; seeds are not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tcga {
    /// Individuals `S`, 2 to 1,000. Default 30 \[P\].
    pub population: usize,
    /// Generations after the initial one. Default 100 \[P\].
    pub generations: u64,
    /// `k1` and `k2` of eq. (13). Default 5 and 0.80 \[P\].
    pub crossover: Adaptation,
    /// `k3` and `k4` of eq. (14), for an individual to mutate. Default 5 and 0.08 \[P\].
    pub mutation: Adaptation,
    /// The most loci that a mutation changes, at least 1. Default 5 \[I\].
    pub loci: u32,
    /// `θ`, at least 0: a generation whose fitnesses are closer than this is accelerated. Default 0.01 \[P\].
    pub theta: f64,
    /// Similarity above which one of two is dropped, 0 to 1. Default 0.9 \[P\]; 1 drops nobody.
    pub similarity: f64,
    /// Part of the population that leaves the ranking of each fitness at the top, 0 to 1. Default 0.005 \[P\].
    pub set_aside: f64,
    /// Part of the population that is copied by each fitness, 0 to 1. Default 0.1 \[P\].
    pub elites: f64,
    /// Part of the generation's least fitness that is taken off before the roulette, 0 to 1. Default 0, eq. (12) as it
    /// is printed; near 1 selection is much sharper.
    pub offset: f64,
    /// How objectives become fitnesses.
    pub fitness: FitnessMap,
    /// `λ`: what breaking a limit by one unit costs, in means of an objective; 0 to 1e12. Default 10.
    pub penalty: f64,
    /// The most solutions that the front has, 1 to 10,000. Default 100. Of more than that the most crowded are cut, the
    /// headline possibly among them.
    pub archive: usize,
    /// What the headline minimises; `None`, the default, is the source's mean of scaled objectives.
    pub scalarisation: Option<Scalarisation>,
}

impl Default for Tcga {
    fn default() -> Self {
        Self {
            population: 30,
            generations: 100,
            crossover: Adaptation { slope: 5.0, ceiling: 0.8 },
            mutation: Adaptation { slope: 5.0, ceiling: 0.08 },
            loci: 5,
            theta: 0.01,
            similarity: 0.9,
            set_aside: 0.005,
            elites: 0.1,
            offset: 0.0,
            fitness: FitnessMap::Reciprocal,
            penalty: 10.0,
            archive: 100,
            scalarisation: None,
        }
    }
}

impl Tcga {
    fn check(&self) -> Result<(), SolveError> {
        const PART: &str = "0 to 1";
        const AMOUNT: &str = "0 to 1e12";
        let count = |name, value: usize, most: usize, allowed, least| {
            (name, value as f64, allowed, (least..=most).contains(&value))
        };
        let real = |name, value: f64, most: f64, allowed| (name, value, allowed, (0.0..=most).contains(&value));
        let limits = [
            count("population", self.population, 1_000, "2 to 1000", 2),
            count("archive", self.archive, 10_000, "1 to 10000", 1),
            ("loci", f64::from(self.loci), "at least 1", self.loci >= 1),
            real("crossover.slope", self.crossover.slope, 1e12, AMOUNT),
            real("crossover.ceiling", self.crossover.ceiling, 1.0, PART),
            real("mutation.slope", self.mutation.slope, 1e12, AMOUNT),
            real("mutation.ceiling", self.mutation.ceiling, 1.0, PART),
            real("theta", self.theta, 1e12, AMOUNT),
            real("similarity", self.similarity, 1.0, PART),
            real("set_aside", self.set_aside, 1.0, PART),
            real("elites", self.elites, 1.0, PART),
            real("offset", self.offset, 1.0, PART),
            real("penalty", self.penalty, 1e12, AMOUNT),
        ];
        match limits.into_iter().find(|(.., sound)| !sound) {
            Some((name, value, allowed, _)) => Err(SolveError::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }

    /// How many of the population each fitness sets aside and copies. All copies together leave room for no child at
    /// worst.
    fn quotas(&self, objectives: usize) -> (usize, usize) {
        let size = self.population as f64;
        let copied = (self.elites * size).round() as usize;
        ((self.set_aside * size) as usize, copied.min(self.population / objectives))
    }
}

impl<P: Problem> Solver<P> for Tcga {
    fn solve(
        &self,
        problem: &P,
        seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        self.check()?;
        check(problem, seeds)?;
        let mut run = Run::new(self, problem, seeds, budget.meter(), rng);
        let ControlFlow::Break(reason) = run.evolve(observer);
        Ok(Evolution {
            best: run.best,
            front: run.archive.into_members(),
            reason,
            generations: run.generation,
            evaluations: run.meter.spent(),
        })
    }
}

/// An individual with what the problem favours in it.
#[derive(Clone, Debug)]
struct Member {
    individual: Individual,
    merit: Merit,
}

/// A run under way.
struct Run<'a, P: Problem> {
    ga: &'a Tcga,
    problem: &'a P,
    meter: Meter<'a>,
    rng: &'a mut Rng,
    state: P::State,
    tolerances: Vec<u32>,
    population: Vec<Member>,
    scale: Scale,
    /// What the headline minimises.
    by: Scalarisation,
    best: Individual,
    best_cost: Cost,
    archive: Archive,
    generation: u64,
}

type Ended = ControlFlow<TerminationReason, std::convert::Infallible>;

impl<'a, P: Problem> Run<'a, P> {
    /// A run that knows the seeds, completed; without seeds it knows one individual drawn from the domains, so that
    /// there is an answer at any budget.
    fn new(ga: &'a Tcga, problem: &'a P, seeds: &[Genome], meter: Meter<'a>, rng: &'a mut Rng) -> Self {
        let by = ga.scalarisation.unwrap_or_default();
        let mut starts: Vec<Genome> = seeds.iter().map(|seed| greedy::complete(problem, seed, &by).0.genome).collect();
        if starts.is_empty() {
            starts.push(random_genome(problem, rng));
        }
        let mut state = problem.build(&starts[0]);
        let population: Vec<Member> = starts.into_iter().map(|start| evaluate(problem, &mut state, start)).collect();
        let mut run = Self {
            ga,
            problem,
            meter,
            rng,
            state,
            tolerances: similarity::tolerances(problem),
            scale: Scale::of(&[]),
            by,
            best: population[0].individual.clone(),
            best_cost: Cost::WORST,
            archive: Archive::new(ga.archive),
            population,
            generation: 0,
        };
        run.settle();
        run
    }

    /// Takes the measure of generation 0, or as much of it as there is, and remembers what it holds.
    fn settle(&mut self) {
        self.scale = Scale::of(&self.merits());
        let headline = Scalarisation::Weighted(self.scale.weights(self.problem.objectives()));
        self.by = self.ga.scalarisation.unwrap_or(headline);
        self.best_cost = Cost::WORST;
        for index in 0..self.population.len() {
            self.remember(index);
        }
    }

    fn remember(&mut self, index: usize) {
        let individual = &self.population[index].individual;
        let cost = self.by.cost(&individual.score);
        if cost < self.best_cost {
            self.best_cost = cost;
            self.best = individual.clone();
        }
        self.archive.insert(individual.clone());
    }

    fn evolve(&mut self, observer: &mut dyn Observer) -> Ended {
        if self.problem.items() == 0 {
            return ControlFlow::Break(TerminationReason::Trivial);
        }
        let filled = self.fill_up();
        self.settle();
        filled?;
        // Seeds beyond the size of the population are in the front and have no part in the first generation.
        self.population.truncate(self.ga.population);
        self.report(observer);
        while self.generation < self.ga.generations {
            self.meter.look()?;
            self.drop_similar();
            self.fill_up()?;
            self.breed()?;
            self.generation += 1;
            self.report(observer);
        }
        ControlFlow::Break(TerminationReason::Generations)
    }

    /// Adds a child to the population and to what is remembered.
    fn admit(&mut self, genome: Genome) -> ControlFlow<TerminationReason> {
        self.meter.spend_dear()?;
        let member = evaluate(self.problem, &mut self.state, genome);
        self.population.push(member);
        self.remember(self.population.len() - 1);
        ControlFlow::Continue(())
    }

    /// Step 2: random individuals up to the size of the population.
    fn fill_up(&mut self) -> ControlFlow<TerminationReason> {
        while self.population.len() < self.ga.population {
            let genome = random_genome(self.problem, self.rng);
            self.admit(genome)?;
        }
        ControlFlow::Continue(())
    }

    fn merits(&self) -> Vec<Merit> {
        self.population.iter().map(|member| member.merit).collect()
    }

    fn fitness(&self) -> Fitness {
        Fitness::of(&self.merits(), self.problem.objectives(), self.ga.fitness, &self.scale, self.ga.penalty)
    }

    /// Step 2: keeps, from the fittest down, those that are not too similar to one that is kept.
    fn drop_similar(&mut self) {
        let order = descending(&self.fitness().joint);
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        let genome = |index: usize| &self.population[index].individual.genome[..];
        for index in order {
            let alike = |&other: &usize| {
                similarity::similarity(genome(index), genome(other), &self.tolerances) > self.ga.similarity
            };
            if !kept.iter().any(alike) {
                kept.push(index);
            }
        }
        kept.sort_unstable();
        self.population = kept.iter().map(|&index| self.population[index].clone()).collect();
    }

    /// Steps 3 to 6: the next generation.
    fn breed(&mut self) -> ControlFlow<TerminationReason> {
        let fitness = self.fitness();
        let (copied, parents) = self.select(&fitness);
        let factor = if fitness.extent.omega() < self.ga.theta { ACCELERATION } else { 1.0 };
        let (crossing, mutating) = (self.ga.crossover.steeper(factor), self.ga.mutation.steeper(factor));
        let copies: Vec<Member> = copied.iter().map(|&index| self.population[index].clone()).collect();
        let old = std::mem::replace(&mut self.population, copies);
        for pair in parents.chunks(2) {
            // An odd one out is its own partner.
            let pair = [pair[0], pair[pair.len() - 1]];
            let mut children = pair.map(|parent| old[parent].individual.genome.clone());
            let better = fitness.joint[pair[0]].max(fitness.joint[pair[1]]);
            if self.rng.chance(crossing.rate(better, &fitness.extent)) {
                let [first, second] = &mut children;
                crossover::two_point(first, second, self.rng);
            }
            for (mut child, parent) in children.into_iter().zip(pair) {
                if self.population.len() < self.ga.population {
                    self.mutate(&mut child, mutating.rate(fitness.joint[parent], &fitness.extent));
                    self.admit(child)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Step 3: who is copied, and at least as many parents as the population has places, in random order.
    fn select(&mut self, fitness: &Fitness) -> (Vec<usize>, Vec<usize>) {
        let objectives = fitness.by_objective.len();
        let (aside, elites) = self.ga.quotas(objectives);
        let (mut copied, mut parents) = (Vec::new(), Vec::new());
        for fitness in &fitness.by_objective {
            let order = descending(fitness);
            copied.extend(order.iter().skip(aside).take(elites));
            let floor = self.ga.offset * Extent::of(fitness).least;
            let mut shares: Vec<f64> = fitness.iter().map(|fitness| fitness - floor).collect();
            order.iter().take(aside).for_each(|&index| shares[index] = 0.0);
            let wheel = Roulette::new(shares.into_iter());
            parents.extend((0..self.ga.population.div_ceil(objectives)).map(|_| wheel.draw(self.rng)));
        }
        for last in (1..parents.len()).rev() {
            parents.swap(last, self.rng.below(last as u32 + 1) as usize);
        }
        (copied, parents)
    }

    /// Step 6: new values for 1 to `loci` genes.
    fn mutate(&mut self, genome: &mut [u32], rate: f64) {
        if self.rng.chance(rate) {
            for _ in 0..=self.rng.below(self.ga.loci) {
                let item = self.rng.below(genome.len() as u32) as usize;
                genome[item] = self.problem.domain(item).draw_preferred(self.rng);
            }
        }
    }

    fn report(&self, observer: &mut dyn Observer) {
        let value = |member: &Member| {
            let cost = self.by.cost(&member.individual.score);
            cost.value + self.ga.penalty * cost.violation
        };
        let values: Vec<f64> = self.population.iter().map(value).collect();
        let Extent { least, mean, largest } = Extent::of(&values);
        observer.generation(&Generation {
            number: self.generation,
            evaluations: self.meter.spent(),
            best: self.best.score,
            lowest: least,
            mean,
            highest: largest,
        });
    }
}

fn random_genome<P: Problem>(problem: &P, rng: &mut Rng) -> Genome {
    let mut genome = vec![u32::MAX; problem.items()];
    repair::into_domains(problem, &mut genome, rng);
    genome
}

fn evaluate<P: Problem>(problem: &P, state: &mut P::State, genome: Genome) -> Member {
    problem.rebuild(state, &genome);
    let score = problem.eval(state);
    let mut favour = [1.0; MAX_OBJECTIVES];
    for (k, favour) in favour.iter_mut().enumerate().take(problem.objectives()) {
        *favour = problem.favour(state, k);
    }
    Member { individual: Individual { genome, score }, merit: Merit { score, favour } }
}

/// The indices by falling fitness, the earlier one first among equals.
fn descending(fitness: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..fitness.len()).collect();
    order.sort_by(|&a, &b| fitness[b].total_cmp(&fitness[a]));
    order
}
