//! T003-4: a strong node with a low weight draws load to itself.

use std::sync::Arc;

use gantry_solver::budget::Budget;
use gantry_solver::domain::DomainClass;
use gantry_solver::instances::{Amounts, GenerateOptions, Instance, RESOURCES, generate};
use gantry_solver::observer::Unobserved;
use gantry_solver::problems::placement::{NodeColumns, Objective, Placement, PodColumns};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::dictionary_ga::DictionaryGa;

use super::utilisation;
use crate::baselines::kube;

/// Utilisations of three nodes in per cent, the first one strong.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    /// 0 cpu, 1 memory, 2 disk, 3 network.
    pub resource: usize,
    /// By the stock scheduler.
    pub stock: Vec<f64>,
    /// By the dictionary GA with weights (0.5, 1, 1) on that resource alone. At the optimum they are as 2 : 1 : 1.
    pub ours: Vec<f64>,
}

/// Three nodes, the first with three times as much of one resource; 40 pods that may run anywhere; cpu, then disk.
///
/// # Errors
/// If the instance cannot be generated or a run cannot start.
pub fn pull() -> anyhow::Result<Vec<Pull>> {
    [0, 2].into_iter().map(of_resource).collect()
}

fn of_resource(resource: usize) -> anyhow::Result<Pull> {
    let instance = one_strong_node(resource)?;
    let mut weights = [0.0; 3 * RESOURCES];
    (weights[resource], weights[RESOURCES + resource], weights[2 * RESOURCES + resource]) = (0.5, 1.0, 1.0);
    let allocatable = instance.capacity_columns();
    let nodes = NodeColumns { resources: RESOURCES, allocatable: &allocatable, requested: &[], weights: &weights };
    let pods = PodColumns { requests: &instance.request_columns(), class_by_pod: &instance.class_by_pod };
    let problem = Placement::new(&nodes, &pods, &[Arc::new(DomainClass::all(3))], Objective::Sigma)?;
    let budget = Budget::evaluations(u64::MAX);
    let found = DictionaryGa::default().solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved)?;
    let stock = problem.seed(&kube::assign(&instance, &kube::DEFAULT))?;
    Ok(Pull {
        resource,
        stock: utilisation(&instance, &stock, resource),
        ours: utilisation(&instance, &found.best.genome, resource),
    })
}

/// Each node holds four fifths of all requests, the first one three times that of one resource.
fn one_strong_node(resource: usize) -> anyhow::Result<Instance> {
    let mut instance = generate(40, 3, 5, &GenerateOptions { fill: 0.4, aff: 0.0, ..GenerateOptions::default() })?;
    let add = |sum: Amounts, amounts: &Amounts| -> Amounts { std::array::from_fn(|r| sum[r] + amounts[r]) };
    instance.capacities = vec![instance.requests.iter().fold([0; RESOURCES], add).map(|total| total * 4 / 5); 3];
    instance.capacities[0][resource] *= 3;
    instance.class_by_pod = vec![0; 40];
    instance.allowed_by_class = vec![vec![0, 1, 2]];
    Ok(instance)
}
