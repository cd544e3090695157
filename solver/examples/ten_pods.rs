//! Ten pods on four nodes: greedy, local search, dictionary GA side by side.
//!
//! `cargo run -p gantry-solver --example ten_pods`
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use gantry_solver::budget::Budget;
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::Problem;
use gantry_solver::problems::placement::{Objective, Placement};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::dictionary_ga::DictionaryGa;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instance = generate(10, 4, 1, &GenerateOptions::default())?;
    let problem = instance.placement(Objective::Balanced)?;
    let solvers: [(&str, &dyn Solver<Placement>); 3] = [
        ("greedy", &Greedy::default()),
        ("local search", &LocalSearch::default()),
        ("dictionary GA", &DictionaryGa { capacity_repair: true, ..DictionaryGa::default() }),
    ];
    for (name, solver) in solvers {
        let budget = Budget::evaluations(20_000);
        let found = solver.solve(&problem, &[], budget, &mut Rng::new(42), &mut Unobserved)?;
        let assignment = problem.assignment(&found.best.genome);
        let spread = problem.spread(&problem.build(&found.best.genome));
        let rows: Vec<String> =
            assignment.row_by_pod.iter().map(|row| row.map_or("-".into(), |row| row.to_string())).collect();
        println!(
            "{name:14} rows {}   sigma {:5.2}   mean {:5.2}   {} evaluations, {:?}",
            rows.join(" "),
            spread.sigma,
            spread.mean,
            found.evaluations,
            found.reason
        );
    }
    Ok(())
}
