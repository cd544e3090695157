//! Experiments T001: service composition by ants and a genetic algorithm.
//!
//! Promises: all methods get the same evaluations, the same instances and the same seeds, and are measured against the
//! optimum that dynamic programming finds, or for general graphs against a limit. Must not know: how a method works.

mod draw;
mod text;

use gantry_bounds::qos;
use gantry_solver::budget::Budget;
use gantry_solver::instances::qos::generate;
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::{Generation, Observer, Unobserved};
use gantry_solver::problems::qos_composition::QosComposition;
use gantry_solver::problems::qos_composition::attributes::Attribute;
use gantry_solver::rng::Rng;
use gantry_solver::score::Score;
use gantry_solver::solver::Solver;
use gantry_solver::sources::cmma_ga::CmmaGa;
use gantry_solver::sources::cmma_ga::fitness::Fitness;

use crate::baselines::ga_phase::ga_phase;
use crate::baselines::mmas::Mmas;
use draw::Draw;
pub use text::section;

/// Evaluations of every run: what CMMA-GA needs for its default of 100 iterations.
pub const EVALUATIONS: u64 = 26_800;

/// Instances and runs have these seeds.
pub const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// What is composed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// T001-1: this many services in a chain, with this many replicas each.
    Chain(usize, usize),
    /// T001-2: 30 services with 40 replicas each; every service calls the 1st, 3rd and 7th after it, and the price of
    /// the whole may be nine tenths of the mean at most.
    Graph,
}

impl Task {
    /// The chains, the smallest first.
    pub const CHAINS: [Self; 3] = [Self::Chain(10, 20), Self::Chain(30, 40), Self::Chain(100, 50)];

    /// The instance of a seed.
    ///
    /// # Errors
    /// If the problem refuses the instance, which no size here makes it do.
    pub fn problem(self, seed: u64) -> anyhow::Result<QosComposition> {
        match self {
            Self::Chain(services, replicas) => Ok(generate(services, replicas, seed).chain(&[])?),
            Self::Graph => {
                let services = generate(30, 40, seed);
                let prices = services.replicas.iter().flatten().map(|replica| replica.price);
                let bound = Attribute::Price.bound(&services.replicas, 0.9 * prices.sum::<f64>() / 40.0);
                let pairs: Vec<_> =
                    [1, 3, 7].iter().flat_map(|step| (*step..30).map(move |to| (to - step, to))).collect();
                Ok(services.graph(&pairs, &[bound])?)
            }
        }
    }
}

/// Who composes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Draws compositions uniformly and keeps the best.
    Random,
    /// The genetic rounds of CMMA-GA alone.
    Genetic,
    /// The max-min ant system.
    MaxMin,
    /// CMMA-GA, all parameters at their defaults.
    CmmaGa,
    /// CMMA-GA without genetic rounds.
    WithoutGenetic,
    /// CMMA-GA without walks, so without pheromone.
    WithoutWalks,
    /// CMMA-GA without learning: the best of all deposits in every iteration.
    WithoutLearning,
    /// Greedy and then local search. Its evaluations are moves, each about `m` times cheaper than a composition.
    LocalSearch,
}

impl Method {
    /// All that T001-1 compares, the simplest first.
    pub const COMPARED: [Self; 4] = [Self::Random, Self::Genetic, Self::MaxMin, Self::CmmaGa];

    /// What is left of CMMA-GA without one of its steps, and local search.
    pub const FURTHER: [Self; 4] = [Self::WithoutGenetic, Self::WithoutWalks, Self::WithoutLearning, Self::LocalSearch];
}

/// One run: how much quality was missing, as a part of the limit; infinite without a composition that keeps the bounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// After how many evaluations how much was missing, at the start and after each iteration.
    pub points: Vec<(u64, f64)>,
    /// The gap after exactly a tenth of the evaluations.
    pub early: f64,
    /// The gap at the end.
    pub last: f64,
}

/// Mean gaps to the limit, as parts of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaps {
    /// After a tenth of the evaluations.
    pub early: f64,
    /// At the end.
    pub last: f64,
}

/// One run of a method.
///
/// # Errors
/// If the problem or the solver refuses its parameters, which none here makes them do.
pub fn run(method: Method, task: Task, seed: u64) -> anyhow::Result<Curve> {
    let problem = task.problem(seed)?;
    let full = CmmaGa { iterations: u64::MAX, fitness: Fitness::Negated, ..CmmaGa::default() };
    let solver: &dyn Solver<QosComposition> = match method {
        Method::Random => &Draw,
        Method::Genetic => &ga_phase(full),
        Method::MaxMin => &Mmas::default(),
        Method::CmmaGa => &full,
        Method::WithoutGenetic => &CmmaGa { genetic_rounds: 0, ..full },
        Method::WithoutWalks => &CmmaGa { walks: 0, ..full },
        Method::WithoutLearning => &CmmaGa { table: 0, best_interval: 1, ..full },
        Method::LocalSearch => &LocalSearch::default(),
    };
    measure(solver, &problem, seed)
}

/// Runs a solver twice from the same seed, a tenth of the way and the whole: iterations need not end at a tenth.
fn measure(solver: &dyn Solver<QosComposition>, problem: &QosComposition, seed: u64) -> anyhow::Result<Curve> {
    let limit = qos::limit(problem).quality;
    let gap = |score: &Score| {
        if score.is_feasible() { (limit + score.objectives.as_slice()[0]) / limit } else { f64::INFINITY }
    };
    let mut points = Vec::new();
    let solve = |evaluations, observer: &mut dyn Observer| {
        solver.solve(problem, &[], Budget::evaluations(evaluations), &mut Rng::new(seed), observer)
    };
    let early = solve(EVALUATIONS / 10, &mut Unobserved)?;
    let last = solve(EVALUATIONS, &mut |record: &Generation| points.push((record.evaluations, gap(&record.best))))?;
    Ok(Curve { points, early: gap(&early.best.score), last: gap(&last.best.score) })
}

/// The runs of a method, one a seed.
///
/// # Errors
/// As [`run`].
pub fn runs(method: Method, task: Task) -> anyhow::Result<Vec<Curve>> {
    SEEDS.iter().map(|&seed| run(method, task, seed)).collect()
}

/// The mean gaps of some runs.
#[must_use]
pub fn gaps(runs: &[Curve]) -> Gaps {
    let mean = |gap: fn(&Curve) -> f64| runs.iter().map(gap).sum::<f64>() / runs.len() as f64;
    Gaps { early: mean(|run| run.early), last: mean(|run| run.last) }
}
