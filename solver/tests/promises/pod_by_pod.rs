//! The yardstick: one pod at a time, by requested cpu and memory only.
//!
//! Least-allocated plus balanced-allocation scoring, integer scores, first best node wins: what a stock scheduler does
//! by default, without its other plugins.

use gantry_solver::instances::{Amounts, Instance};

/// Places the pods in their order; `None` if one finds no room.
pub(crate) fn place(instance: &Instance, resources: &[usize]) -> Option<Vec<u32>> {
    let mut used: Vec<Amounts> = vec![[0; 4]; instance.capacities.len()];
    let mut rows = Vec::with_capacity(instance.requests.len());
    for (pod, request) in instance.requests.iter().enumerate() {
        let after = |row: u32| -> Amounts { std::array::from_fn(|r| used[row as usize][r] + request[r]) };
        let capacity = |row: u32| &instance.capacities[row as usize];
        let fits = |row: &&u32| after(**row).iter().zip(capacity(**row)).all(|(used, capacity)| used <= capacity);
        let mut best: Option<(i64, u32)> = None;
        for &row in instance.allowed(pod).iter().filter(fits) {
            let score = score(&after(row), capacity(row), resources);
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, row));
            }
        }
        let (_, row) = best?;
        used[row as usize] = after(row);
        rows.push(row);
    }
    Some(rows)
}

fn score(used: &Amounts, capacity: &Amounts, resources: &[usize]) -> i64 {
    let count = resources.len() as i64;
    let free: i64 = resources.iter().map(|&r| (capacity[r] - used[r]) * 100 / capacity[r]).sum::<i64>() / count;
    let share: Vec<f64> = resources.iter().map(|&r| used[r] as f64 / capacity[r] as f64).collect();
    let mean = share.iter().sum::<f64>() / share.len() as f64;
    let deviation = (share.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / share.len() as f64).sqrt();
    free + ((1.0 - deviation) * 100.0) as i64
}
