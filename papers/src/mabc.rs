//! Experiments T004: energy and time by a bee colony.
//!
//! Promises: all methods of one row have the same instance, the same reference point and, where they search, the same
//! evaluations. Must not know: how the report is written.
//!
//! The source reports no figures, so none can be reproduced. What can be asked is how far the fronts are from what
//! nobody can pass: the hypervolume of each front over that of the region which linear programmes leave
//! ([`gantry_bounds::energy`]), below the worst of 2,000 random solutions.

use anyhow::Context as _;
use gantry_bounds::energy::{OuterBound, outer_bound};
use gantry_solver::archive::hypervolume;
use gantry_solver::budget::Budget;
use gantry_solver::individual::Individual;
use gantry_solver::instances::energy::EnergyInstance;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::Genome;
use gantry_solver::problems::energy_assignment::{EnergyAssignment, TimeObjective};
use gantry_solver::rng::Rng;
use gantry_solver::score::Objectives;
use gantry_solver::solver::{Evolution, Solver as _};
use gantry_solver::sources::mabc::{Benefit, Hive, Mabc, Pick, Slave, Stability};

use crate::baselines::random_search::{random_search, worst_of_random};
use crate::baselines::weighted_greedy::weighted_greedy;

mod section;

pub use section::section;

/// Evaluations of every search.
pub const EVALUATIONS: u64 = 13_700;

/// Weights of the outer bound and of the greedy that seeds the colony.
pub const WEIGHTS: usize = 41;

/// Members that a front may have.
pub const ARCHIVE: usize = 100;

/// The seeds of the instances, and of the searches on them.
pub const SEEDS: [u64; 3] = [1, 2, 3];

const RANDOM_SOLUTIONS: u64 = 2_000;

/// An instance with its limit.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The seed of the instance and of all searches on it.
    pub seed: u64,
    /// The instance.
    pub problem: EnergyAssignment,
    /// The worst energy and time of random solutions.
    pub reference: [f64; 2],
    /// What no assignment can leave.
    pub bound: OuterBound,
}

/// The methods that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Independent random solutions.
    Random,
    /// The greedy with 5 weights.
    Greedy5,
    /// The greedy with 41 weights.
    Greedy41,
    /// One colony from random sources.
    Colony,
    /// The same with ten times the evaluations.
    LongColony,
    /// One colony with the solutions of the 41 weights among its first sources.
    SeededColony,
    /// Four slaves and their master from random sources, all together with the same evaluations.
    MasterSlave,
    /// The same with the solutions of the 41 weights among the first sources.
    SeededMasterSlave,
    /// Master and slaves from random sources on a core each, in the time that one colony takes; see
    /// [`Trial::on_cores`].
    FourCores,
    /// The same with a master that gathers and deals, and does not search itself.
    FourCoresNoLead,
}

impl Method {
    /// All, in the order of the report.
    pub const ALL: [Self; 10] = [
        Self::Random,
        Self::Greedy5,
        Self::Greedy41,
        Self::Colony,
        Self::LongColony,
        Self::MasterSlave,
        Self::FourCores,
        Self::FourCoresNoLead,
        Self::SeededColony,
        Self::SeededMasterSlave,
    ];

    /// What the report calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random, same evaluations",
            Self::Greedy5 => "greedy, 5 weights",
            Self::Greedy41 => "greedy, 41 weights",
            Self::Colony => "one colony, random start",
            Self::LongColony => "one colony, random start, 10 times the evaluations",
            Self::SeededColony => "one colony, seeded by greedy",
            Self::MasterSlave => "4 slaves and master, random start",
            Self::SeededMasterSlave => "4 slaves and master, seeded by greedy",
            Self::FourCores => "4 slaves and master on 4 cores, random start, same time",
            Self::FourCoresNoLead => "4 slaves on 4 cores, master only gathers, random start, same time",
        }
    }
}

/// One colony of 40 sources.
#[must_use]
pub fn single() -> Mabc {
    Mabc { slaves: 1, sources: 40, master_iterations: 0, iterations: u64::MAX, archive: ARCHIVE, ..Mabc::default() }
}

/// The same sources shared out to four slaves, and a master.
#[must_use]
pub fn master_slave() -> Mabc {
    Mabc { slaves: 4, sources: 10, iterations: u64::MAX, archive: ARCHIVE, ..Mabc::default() }
}

impl Trial {
    /// The instance of this size and seed, with its limit.
    ///
    /// # Errors
    /// If the limit cannot be computed.
    pub fn new(tasks: usize, servers: usize, seed: u64) -> anyhow::Result<Self> {
        let problem = EnergyInstance::generate(tasks, servers, seed).problem(TimeObjective::Sum)?;
        let worst = worst_of_random(&problem, RANDOM_SOLUTIONS, &mut Rng::stream(seed, 1));
        let reference = [worst[0], worst[1]];
        let bound = outer_bound(&problem, WEIGHTS).with_context(|| format!("{tasks}x{servers}, seed {seed}"))?;
        Ok(Self { seed, problem, reference, bound })
    }

    /// The front that a method finds.
    ///
    /// # Errors
    /// If a search refuses its parameters.
    pub fn front(&self, method: Method) -> anyhow::Result<Vec<Individual>> {
        match method {
            Method::Random => Ok(random_search(&self.problem, EVALUATIONS, ARCHIVE, &mut self.rng())),
            Method::Greedy5 => Ok(self.greedy(5)),
            Method::Greedy41 => Ok(self.greedy(WEIGHTS)),
            Method::Colony => Ok(self.search(single(), &[], EVALUATIONS)?.front),
            Method::LongColony => Ok(self.search(single(), &[], 10 * EVALUATIONS)?.front),
            Method::SeededColony => Ok(self.search(single(), &self.seeds(), EVALUATIONS)?.front),
            Method::MasterSlave => Ok(self.search(master_slave(), &[], EVALUATIONS)?.front),
            Method::SeededMasterSlave => Ok(self.search(master_slave(), &self.seeds(), EVALUATIONS)?.front),
            Method::FourCores => Ok(self.on_cores(master_slave())?.front),
            Method::FourCoresNoLead => Ok(self.on_cores(Mabc { master_iterations: 0, ..master_slave() })?.front),
        }
    }

    /// The hypervolume of a front's feasible members over that of the limit, 0 to 1.
    #[must_use]
    pub fn share(&self, front: &[Individual]) -> f64 {
        let feasible = front.iter().filter(|member| member.score.is_feasible());
        let points: Vec<Objectives> = feasible.map(|member| member.score.objectives).collect();
        hypervolume(&points, self.reference) / self.bound.hypervolume(self.reference)
    }

    /// The share that a search has reached after so many evaluations, round by round.
    ///
    /// # Errors
    /// If the search refuses its parameters.
    pub fn curve(&self, mabc: Mabc, seeds: &[Genome]) -> anyhow::Result<Vec<(u64, f64)>> {
        let budget = Budget::evaluations(EVALUATIONS);
        let mut hive = Hive::new(mabc, &self.problem, seeds, budget, &mut self.rng())?;
        let mut curve = vec![(hive.evaluations(), self.share(hive.archive().members()))];
        while let Some(share) = hive.next_round() {
            hive.slaves().iter_mut().for_each(|slave| slave.run(Budget::evaluations(share)));
            hive.gather();
            curve.push((hive.evaluations(), self.share(hive.archive().members())));
        }
        Ok(curve)
    }

    /// Master and slaves with a core for each slave, in the time of [`EVALUATIONS`] one after the other: of a round count
    /// the evaluations of the slave that has most, and the master's.
    ///
    /// # Errors
    /// If the search refuses its parameters.
    pub fn on_cores(&self, mabc: Mabc) -> anyhow::Result<Evolution> {
        let budget = Budget::evaluations(u64::MAX);
        let mut hive = Hive::new(mabc, &self.problem, &[], budget, &mut self.rng())?;
        let mut time = hive.evaluations();
        while let Some(share) = hive.next_round().filter(|_| time < EVALUATIONS) {
            hive.slaves().iter_mut().for_each(|slave| slave.run(Budget::evaluations(share)));
            let spent: Vec<u64> = hive.slaves().iter().map(Slave::spent).collect();
            let before = hive.evaluations() + spent.iter().sum::<u64>();
            hive.gather();
            time += spent.iter().max().unwrap_or(&0) + hive.evaluations() - before;
        }
        Ok(hive.finish())
    }

    /// The solutions of the greedy's 41 weights.
    #[must_use]
    pub fn seeds(&self) -> Vec<Genome> {
        self.greedy(WEIGHTS).into_iter().map(|individual| individual.genome).collect()
    }

    fn greedy(&self, weights: usize) -> Vec<Individual> {
        weighted_greedy(&self.problem, weights, self.reference)
    }

    /// A search from these seeds.
    ///
    /// # Errors
    /// If it refuses its parameters.
    pub fn search(&self, mabc: Mabc, seeds: &[Genome], evaluations: u64) -> anyhow::Result<Evolution> {
        let budget = Budget::evaluations(evaluations);
        Ok(mabc.solve(&self.problem, seeds, budget, &mut self.rng(), &mut Unobserved)?)
    }

    fn rng(&self) -> Rng {
        Rng::stream(self.seed, 2)
    }
}

/// The shares of all methods on all seeds of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Tasks and servers.
    pub size: (usize, usize),
    /// By method, in the order of [`Method::ALL`]; by seed, in the order of [`SEEDS`].
    pub shares: Vec<[f64; SEEDS.len()]>,
}

impl Comparison {
    /// T004-1: every method on every seed.
    ///
    /// # Errors
    /// If a limit or a search fails.
    pub fn run(trials: &[Trial; SEEDS.len()], size: (usize, usize)) -> anyhow::Result<Self> {
        let shares = |method: Method| -> anyhow::Result<[f64; SEEDS.len()]> {
            let mut shares = [0.0; SEEDS.len()];
            for (share, trial) in shares.iter_mut().zip(trials) {
                *share = trial.share(&trial.front(method)?);
            }
            Ok(shares)
        };
        Ok(Self { size, shares: Method::ALL.into_iter().map(shares).collect::<anyhow::Result<_>>()? })
    }

    /// The mean share of a method over the seeds.
    #[must_use]
    pub fn mean(&self, method: Method) -> f64 {
        let place = Method::ALL.iter().position(|&other| other == method).unwrap_or(0);
        self.shares[place].iter().sum::<f64>() / SEEDS.len() as f64
    }
}

/// A rule that ends a search or picks its headline, and what it led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// The rule in words.
    pub rule: &'static str,
    /// How the search ended.
    pub found: Evolution,
    /// The share of its front.
    pub share: f64,
}

/// T004-2: the ways to end, on searches by master and slaves with 20 times the evaluations.
///
/// # Errors
/// If a search refuses its parameters.
pub fn endings(trial: &Trial) -> anyhow::Result<Vec<Ending>> {
    let all = master_slave();
    // A gain of hypervolume over the reference's time is energy saved at that time.
    let benefit = |part: f64| {
        Some(Benefit { cost_per_round: part * trial.reference[0], value_per_volume: 1.0 / trial.reference[1] })
    };
    let stable = Pick::Stable(Stability { falling: -0.05, rising: 0.05, ..Stability::default() });
    let rules = [
        ("the evaluations are used up", all),
        ("100 iterations", Mabc { iterations: 100, ..all }),
        ("3 rounds without a gain of 0.5 %", Mabc { patience: Some(3), least_gain: 0.005, ..all }),
        ("a round costs 0.05 % of the reference energy", Mabc { benefit: benefit(0.0005), ..all }),
        ("a round costs 0.5 % of the reference energy", Mabc { benefit: benefit(0.005), ..all }),
        ("the evaluations are used up; headline by retention and trend", Mabc { pick: stable, ..all }),
    ];
    let ending = |(rule, mabc): (&'static str, Mabc)| {
        let found = trial.search(mabc, &[], 20 * EVALUATIONS)?;
        Ok(Ending { rule, share: trial.share(&found.front), found })
    };
    rules.into_iter().map(ending).collect()
}

/// The trials of all seeds of one size.
///
/// # Errors
/// If a limit cannot be computed.
pub fn trials(tasks: usize, servers: usize) -> anyhow::Result<[Trial; SEEDS.len()]> {
    let [first, second, third] = SEEDS;
    let trial = |seed| Trial::new(tasks, servers, seed);
    Ok([trial(first)?, trial(second)?, trial(third)?])
}
