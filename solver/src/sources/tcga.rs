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
//!    ([`FitnessMap`]); \[I\] that `ulb` multiplies in (6). \[I\] Each is scaled by the objective's mean in generation 0,
//!    so that penalties of broken limits, which the source does not have, weigh as much in all of them.
//! 2. eq. (9) to (11) \[R\]: `sim = 1 - H / l`; \[I\] the `n` that stands beside `l` in (11) has no use. \[P\] Of two
//!    individuals with `sim` above 0.90 the less fit is dropped, and random ones fill up. \[I\] From the fittest down; who
//!    was dropped drops nobody.
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
mod run;
mod similarity;

use std::ops::ControlFlow;

use crate::budget::Budget;
use crate::observer::Observer;
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::solver::{Evolution, SolveError, Solver, check};
use run::Run;

pub use adaptation::{Adaptation, Extent};
pub use fitness::FitnessMap;

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
        check(problem, seeds, self.scalarisation.as_ref())?;
        let mut run = Run::new(self, problem, seeds, budget.meter(), rng);
        let ControlFlow::Break(reason) = run.evolve(observer);
        Ok(run.into_evolution(reason))
    }
}
