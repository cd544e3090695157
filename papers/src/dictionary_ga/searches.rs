//! Every search at equal budgets, beside the limit: why which is the default.
//!
//! A budget is counted in moves. One whole evaluation of a GA costs about as much as `pods / 5` moves (measured: 3 at 20
//! pods, 19 at 100, 107 at 500), so a GA gets that many fewer.

use gantry_bounds::placement as bounds;
use gantry_solver::annealing::Annealing;
use gantry_solver::budget::Budget;
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::{GenerateOptions, Instance, generate};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::memetic::Memetic;
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::Problem;
use gantry_solver::problems::placement::{Objective, Placement};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::dictionary_ga::DictionaryGa;

use super::mean;
use crate::baselines::kube;

/// Seeds on which nothing was tuned.
pub const FRESH_SEEDS: std::ops::RangeInclusive<u64> = 101..=103;

/// The sizes, pods and nodes.
pub const SIZES: [(usize, usize); 4] = [(20, 5), (50, 10), (100, 10), (500, 50)];

/// One size of one family.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// Pods.
    pub pods: usize,
    /// Nodes.
    pub nodes: usize,
    /// Whether pools are dedicated, so that the limit is above 0.
    pub pools: bool,
    /// What no assignment can beat: mean over the seeds of the convex bound on σ, in percentage points.
    pub limit: f64,
    /// What each search reached.
    pub entries: Vec<Entry>,
}

/// One search.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name.
    pub search: &'static str,
    /// Mean σ over the seeds with a feasible answer, in percentage points.
    pub sigma: f64,
    /// In how many seeds the answer was infeasible or left pods unplaced.
    pub failures: usize,
}

impl Contest {
    /// The entry of a search.
    #[must_use]
    pub fn entry(&self, search: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.search == search)
    }

    /// Mean σ of a search; not a number for one that did not take part.
    #[must_use]
    pub fn sigma(&self, search: &str) -> f64 {
        self.entry(search).map_or(f64::NAN, |entry| entry.sigma)
    }

    /// By how many per cent a search is above the limit.
    #[must_use]
    pub fn gap(&self, search: &str) -> f64 {
        100.0 * (self.sigma(search) / self.limit - 1.0)
    }
}

/// Runs every search with the same budget, in moves, on [`FRESH_SEEDS`].
///
/// # Errors
/// If an instance cannot be generated, a run cannot start, or the limit is not found.
pub fn contest(pods: usize, nodes: usize, pools: bool, moves: u64) -> anyhow::Result<Contest> {
    let mut limits = Vec::new();
    let mut results: Vec<(&'static str, Vec<Option<f64>>)> = Vec::new();
    for seed in FRESH_SEEDS {
        let instance = generate(pods, nodes, seed, &GenerateOptions { pools, ..GenerateOptions::default() })?;
        limits.push(bounds::sigma(&instance)?);
        for (search, sigma) in enter(&instance, moves, seed)? {
            match results.iter_mut().find(|(known, _)| *known == search) {
                Some((_, sigmas)) => sigmas.push(sigma),
                None => results.push((search, vec![sigma])),
            }
        }
    }
    let entry = |(search, sigmas): (&'static str, Vec<Option<f64>>)| {
        let found: Vec<f64> = sigmas.iter().copied().flatten().collect();
        Entry { search, sigma: mean(&found), failures: sigmas.len() - found.len() }
    };
    let entries = results.into_iter().map(entry).collect();
    Ok(Contest { pods, nodes, pools, limit: mean(&limits), entries })
}

/// σ by search; none if the answer is not feasible.
fn enter(instance: &Instance, moves: u64, seed: u64) -> anyhow::Result<Vec<(&'static str, Option<f64>)>> {
    let problem = instance.placement(Objective::Sigma)?;
    let mut entries = Vec::new();
    for (name, resources) in [("kube cpu+mem", &kube::DEFAULT[..]), ("kube 4 resources", &kube::ALL[..])] {
        let rows = kube::assign(instance, resources);
        let sigma = problem.spread(&problem.build(&problem.seed(&rows)?)).sigma;
        entries.push((name, rows.iter().all(Option::is_some).then_some(sigma)));
    }
    for (name, solver, moves) in &solvers(instance.requests.len(), moves) {
        let found =
            solver.solve(&problem, &[], Budget::evaluations(*moves), &mut Rng::new(seed), &mut Unobserved)?.best;
        entries.push((*name, found.score.is_feasible().then(|| found.score.objectives.as_slice()[0])));
    }
    Ok(entries)
}

/// A search with its name and its evaluations.
type Contender = (&'static str, Box<dyn Solver<Placement>>, u64);

fn solvers(pods: usize, moves: u64) -> [Contender; 6] {
    let individuals = moves * 5 / pods as u64;
    let ga = DictionaryGa { population: 100, generations: u64::MAX, ..DictionaryGa::default() };
    let repairing = DictionaryGa { capacity_repair: true, ..ga };
    // Here every difference counts, so that the searches are compared and not their patience.
    let memetic = Memetic { practical: 0.0, ..Memetic::default() };
    [
        ("greedy", Box::new(Greedy::default()), 0),
        ("DictGa", Box::new(ga), individuals),
        ("DictGa, capacities repaired", Box::new(repairing), individuals),
        ("local search", Box::new(LocalSearch::default()), moves),
        ("annealing", Box::new(Annealing::default()), moves),
        ("Memetic", Box::new(memetic), moves),
    ]
}

/// A search's name and its points.
pub type Curve = (&'static str, Vec<(f64, f64)>);

/// σ of the best so far over the decimal logarithm of the moves spent, by search, for 100 pods on 10 nodes with
/// dedicated pools and the first fresh seed; and the limit.
///
/// # Errors
/// As [`contest`].
pub fn curves(moves: u64) -> anyhow::Result<(Vec<Curve>, f64)> {
    let (pods, seed) = (100, *FRESH_SEEDS.start());
    let instance = generate(pods, 10, seed, &GenerateOptions { pools: true, ..GenerateOptions::default() })?;
    let problem = instance.placement(Objective::Sigma)?;
    let mut curves = Vec::new();
    for (name, solver, budget) in solvers(pods, moves).into_iter().skip(2) {
        let moves_each = moves as f64 / budget as f64;
        let mut points = Vec::new();
        let mut observer = |record: &Generation| {
            if record.best.is_feasible() && record.evaluations > 0 {
                points.push(((record.evaluations as f64 * moves_each).log10(), record.best.objectives.as_slice()[0]));
            }
        };
        solver.solve(&problem, &[], Budget::evaluations(budget), &mut Rng::new(seed), &mut observer)?;
        curves.push((name, points));
    }
    Ok((curves, bounds::sigma(&instance)?))
}
