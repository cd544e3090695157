//! T003-1: generations until the target, without and with the dictionary.

use gantry_solver::budget::Budget;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::observer::Generation;
use gantry_solver::problems::placement::{Objective, Placement};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::dictionary_ga::{DictionaryGa, Variant};

use super::median;

/// The sizes, pods and nodes.
pub const RACES: [(usize, usize); 3] = [(40, 8), (50, 10), (100, 10)];

/// The generations of each run.
const GENERATIONS: usize = 400;

/// What ten seeds say.
#[derive(Clone, Debug, PartialEq)]
pub struct Race {
    /// Pods.
    pub pods: usize,
    /// Nodes.
    pub nodes: usize,
    /// Median generations of the standard algorithm to 1.05 of its own final cost.
    pub standard: usize,
    /// Median generations of the dictionary algorithm to the same target; one more than there are if it does not come.
    pub dictionary: usize,
    /// In how many of ten seeds the dictionary was faster.
    pub faster: usize,
    /// Median final costs: standard, dictionary.
    pub finals: [f64; 2],
    /// Cost of the best of each generation, median over the seeds: standard, dictionary.
    pub curves: [Vec<f64>; 2],
}

/// Runs seeds 1 to 10 with the source's settings as far as it gives any.
///
/// # Errors
/// If an instance cannot be generated or a run cannot start.
pub fn race(pods: usize, nodes: usize) -> anyhow::Result<Race> {
    let options = GenerateOptions { fill: 0.25, taint: 0.3, tol: 0.3, aff: 0.25, pools: false };
    let mut runs = Vec::new();
    for seed in 1..=10 {
        let problem = generate(pods, nodes, seed, &options)?.placement(Objective::Sigma)?;
        runs.push([curve(Variant::Standard, &problem, seed)?, curve(Variant::Dictionary, &problem, seed)?]);
    }
    let last = |curve: &[f64]| curve[GENERATIONS];
    let arrivals: Vec<[usize; 2]> = runs
        .iter()
        .map(|run| {
            let target = 1.05 * last(&run[0]);
            [0, 1].map(|k| run[k].iter().position(|&cost| cost <= target).unwrap_or(GENERATIONS + 1))
        })
        .collect();
    let middle = |k: usize| median(arrivals.iter().map(|arrival| arrival[k])).unwrap_or(0);
    let at = |k: usize, generation: usize| median(runs.iter().map(|run| run[k][generation])).unwrap_or(f64::NAN);
    Ok(Race {
        pods,
        nodes,
        standard: middle(0),
        dictionary: middle(1),
        faster: arrivals.iter().filter(|[standard, dictionary]| dictionary < standard).count(),
        finals: [at(0, GENERATIONS), at(1, GENERATIONS)],
        curves: [0, 1].map(|k| (0..=GENERATIONS).map(|generation| at(k, generation)).collect()),
    })
}

/// The cost of the best of each generation, penalties included.
fn curve(variant: Variant, problem: &Placement, seed: u64) -> anyhow::Result<Vec<f64>> {
    let ga = DictionaryGa { variant, generations: GENERATIONS as u64, ..DictionaryGa::default() };
    let mut curve = Vec::new();
    let mut observer = |record: &Generation| curve.push(record.lowest);
    ga.solve(problem, &[], Budget::evaluations(u64::MAX), &mut Rng::new(seed), &mut observer)?;
    Ok(curve)
}
