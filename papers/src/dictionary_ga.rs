//! Experiments T003: pods on nodes by the dictionary GA.
//!
//! Promises: fixed seeds, 1 to 10 for what the source reports and 101 to 103, which nothing was tuned on, for the
//! comparison of searches. Must not know: how the report is written to disk.
//!
//! The source's clusters are not published, so no figure of it can be reproduced, only ratios.

mod balance;
mod race;
mod report;
mod searches;
mod weights;

pub use balance::{Balance, balance};
pub use race::{RACES, Race, race};
pub use report::section;
pub use searches::{Contest, Curve, Entry, FRESH_SEEDS, SIZES, contest, curves};
pub use weights::{Pull, pull};

use gantry_solver::instances::{Instance, RESOURCES};

/// The middle value, the upper one of two.
fn median<T: Copy + PartialOrd>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The utilisation of each node in per cent, for one resource; `u32::MAX` is no row.
fn utilisation(instance: &Instance, rows: &[u32], resource: usize) -> Vec<f64> {
    let mut used = vec![0; instance.capacities.len()];
    for (&row, request) in rows.iter().zip(&instance.requests).filter(|(row, _)| **row != u32::MAX) {
        used[row as usize] += request[resource];
    }
    used.iter()
        .zip(&instance.capacities)
        .map(|(&used, capacity)| 100.0 * used as f64 / capacity[resource] as f64)
        .collect()
}

/// The load `L(N_j)` of each node in per cent, eq. (8) with all weights 1.
fn loads(instance: &Instance, rows: &[u32]) -> Vec<f64> {
    let mut loads = vec![0.0; instance.capacities.len()];
    for resource in 0..RESOURCES {
        let shares = utilisation(instance, rows, resource);
        loads.iter_mut().zip(shares).for_each(|(load, share)| *load += share / RESOURCES as f64);
    }
    loads
}
