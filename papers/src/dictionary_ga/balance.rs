//! T003-2 and T003-3: how even the load is, after pod-by-pod scheduling and after the dictionary GA.

use gantry_solver::budget::Budget;
use gantry_solver::instances::{GenerateOptions, Instance, generate};
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::{Genome, Problem};
use gantry_solver::problems::placement::{Objective, Spread};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::dictionary_ga::DictionaryGa;

use crate::baselines::kube;

/// One instance, two assignments.
#[derive(Clone, Debug, PartialEq)]
pub struct Balance {
    /// The seed.
    pub seed: u64,
    /// The instance.
    pub instance: Instance,
    /// Rows by pod: the stock scheduler's, the dictionary GA's.
    pub rows: [Genome; 2],
    /// How even they are, in percentage points.
    pub spreads: [Spread; 2],
    /// Whether every pod has a row and no limit is broken.
    pub complete: [bool; 2],
}

impl Balance {
    /// By how much the scheduler's σ is larger.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.spreads[0].sigma / self.spreads[1].sigma
    }

    /// Whether the GA evens out a resource better.
    #[must_use]
    pub fn evens_out(&self, resource: usize) -> bool {
        self.spreads[1].sigma_by_resource[resource] < self.spreads[0].sigma_by_resource[resource]
    }
}

/// 100 pods on 10 nodes, seeds 1 to 3; the GA with 100 individuals and capacity repair, σ of eq. (11).
///
/// # Errors
/// If an instance cannot be generated or a run cannot start.
pub fn balance() -> anyhow::Result<Vec<Balance>> {
    (1..=3).map(of_seed).collect()
}

fn of_seed(seed: u64) -> anyhow::Result<Balance> {
    let instance = generate(100, 10, seed, &GenerateOptions::default())?;
    let problem = instance.placement(Objective::Sigma)?;
    let stock = kube::assign(&instance, &kube::DEFAULT);
    let ga = DictionaryGa { population: 100, capacity_repair: true, ..DictionaryGa::default() };
    let found = ga.solve(&problem, &[], Budget::evaluations(u64::MAX), &mut Rng::new(seed), &mut Unobserved)?.best;
    let complete = [stock.iter().all(Option::is_some), found.score.is_feasible()];
    let rows = [problem.seed(&stock)?, found.genome];
    let spreads = [0, 1].map(|k| problem.spread(&problem.build(&rows[k])));
    Ok(Balance { seed, instance, rows, spreads, complete })
}
