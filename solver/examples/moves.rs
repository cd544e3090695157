//! Counts the moves that a local search tries in a second.
//!
//! `cargo run -p gantry-solver --example moves`, on generated clusters, with and without terms and rules.
//!
//! Promises: the same moves at every call; the best of a few runs counts, since a shared machine only ever slows down.
//! Must not know: what the moves are worth.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::time::Instant;

use gantry_solver::budget::Budget;
use gantry_solver::instances::{GenerateOptions, Instance, generate};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::Unobserved;
use gantry_solver::problems::placement::{
    Force, Groups, Limit, Moves, Objective, Placement, PlacementError, Risk, Rule, Terms,
};
use gantry_solver::rng::Rng;
use gantry_solver::solver::{SolveError, Solver};

const MOVES: u64 = 4_000_000;
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    for (pods, nodes) in [(100, 10), (500, 50), (2_000, 200)] {
        let instance = generate(pods, nodes, 1, &GenerateOptions::default())?;
        for objective in Objective::ALL {
            show(&instance, objective.name(), &instance.placement(objective)?)?;
        }
        let balanced = || instance.placement(Objective::Balanced);
        show(&instance, "balanced + terms", &with_terms(&instance, balanced()?)?)?;
        show(&instance, "balanced + rules", &with_rules(&instance, balanced()?)?)?;
    }
    Ok(())
}

fn show(instance: &Instance, name: &str, problem: &Placement) -> Result<(), SolveError> {
    let mut fastest = f64::INFINITY;
    for _ in 0..RUNS {
        fastest = fastest.min(seconds_per_move(problem)?);
    }
    let (pods, nodes) = (instance.requests.len(), instance.capacities.len());
    println!("{pods:5} pods {nodes:4} nodes {name:16} {:5.1} M moves/s", 1e-6 / fastest);
    Ok(())
}

/// The greedy start is left out: it is timed by itself first.
fn seconds_per_move(problem: &Placement) -> Result<f64, SolveError> {
    let solve = |moves| {
        let start = Instant::now();
        let budget = Budget::evaluations(moves);
        let found = LocalSearch::default().solve(problem, &[], budget, &mut Rng::new(1), &mut Unobserved)?;
        Ok((found.evaluations, start.elapsed().as_secs_f64()))
    };
    let (start, all) = (solve(0)?, solve(MOVES)?);
    Ok((all.1 - start.1) / (all.0 - start.0) as f64)
}

fn with_terms(instance: &Instance, problem: Placement) -> Result<Placement, PlacementError> {
    let row_by_pod: Vec<Option<u32>> = instance.hidden.iter().copied().map(Some).collect();
    let forecast: Vec<f64> = instance.capacity_columns().iter().map(|capacity| capacity * 0.4).collect();
    let moves = Moves { weight: 1.0, row_by_pod: &row_by_pod };
    problem.with_terms(&Terms {
        mean_load: 0.01,
        moves,
        risk: Risk { weight: 1.0, forecast: &forecast, threshold: 80.0 },
    })
}

/// Every ten pods are a group: at most two on a node, and spread over the zones.
fn with_rules(instance: &Instance, problem: Placement) -> Result<Placement, PlacementError> {
    let nodes: Vec<u32> = (0..problem.rows() as u32).collect();
    let zones: Vec<u32> = instance.zone_by_node.iter().map(|&zone| u32::from(zone)).collect();
    let pods: Vec<u32> = (0..problem.pods() as u32).collect();
    let rule = |topology, pods, limit| Rule { topology, pods, existing: &[], limit, force: Force::Hard };
    let rules: Vec<Rule<'_>> =
        pods.chunks(10).flat_map(|pods| [rule(0, pods, Limit::AtMost(2)), rule(1, pods, Limit::Skew(3))]).collect();
    problem.with_groups(&Groups { topologies: &[&nodes, &zones], rules: &rules })
}
