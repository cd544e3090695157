//! Gantry's side of a comparison with other solvers: instances out, figures in.
//!
//! - `placement searches` lists the searches by name;
//! - `placement write PODS NODES SEED [pools]` writes an instance as JSON;
//! - `placement limit FILE` writes the convex bound of σ;
//! - `placement solve FILE SEARCH SECONDS SEED` searches for so long and writes what was reached as JSON.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use gantry_papers::{instance_file, searches};
use gantry_solver::instances::{GenerateOptions, Instance, generate};
use gantry_solver::problems::placement::Objective;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["searches"] => searches::all().iter().for_each(|search| println!("{}", search.name)),
        ["write", pods, nodes, seed] => write(pods, nodes, seed, false)?,
        ["write", pods, nodes, seed, "pools"] => write(pods, nodes, seed, true)?,
        ["limit", file] => limit(file)?,
        ["solve", file, search, seconds, seed] => solve(file, search, seconds, seed)?,
        _ => bail!("searches | write PODS NODES SEED [pools] | limit FILE | solve FILE SEARCH SECONDS SEED"),
    }
    Ok(())
}

fn write(pods: &str, nodes: &str, seed: &str, pools: bool) -> Result<()> {
    let options = GenerateOptions { pools, ..GenerateOptions::default() };
    let instance = generate(pods.parse()?, nodes.parse()?, seed.parse()?, &options)?;
    println!("{}", instance_file::write(&instance));
    Ok(())
}

fn read(file: &str) -> Result<Instance> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    Ok(instance_file::read(&text)?)
}

fn limit(file: &str) -> Result<()> {
    println!("{}", gantry_bounds::placement::sigma(&read(file)?)?);
    Ok(())
}

fn solve(file: &str, search: &str, seconds: &str, seed: &str) -> Result<()> {
    let problem = read(file)?.placement(Objective::Sigma)?;
    let search = searches::named(search).with_context(|| format!("there is no search {search}"))?;
    let reached = search.run(&problem, Duration::from_secs_f64(seconds.parse()?), seed.parse()?)?;
    let answer = serde_json::json!({
        "sigma": reached.sigma,
        "unplaced": reached.unplaced,
        "seconds": reached.took.as_secs_f64(),
        "evaluations": reached.evaluations,
    });
    println!("{answer}");
    Ok(())
}
