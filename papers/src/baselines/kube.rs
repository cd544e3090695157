//! The stock scheduler's scoring, one pod after the other.
//!
//! Promises: pods in their order; each goes to the feasible row with the highest sum of *least allocated* and *balanced
//! allocation*, integer scores as in the scheduler, the first row among equals; nothing is moved later. Must not know:
//! what is minimised. Other default plugins of the scheduler (spreading, image locality) are left out: they know
//! nothing of load.

use gantry_solver::instances::{Amounts, Instance};

/// Cpu and memory: what the scheduler's defaults look at.
pub const DEFAULT: [usize; 2] = [0, 1];

/// All four resources of an [`Instance`], as an administrator may configure.
pub const ALL: [usize; 4] = [0, 1, 2, 3];

/// The row of each pod; none where no row had room left when its turn came.
#[must_use]
pub fn assign(instance: &Instance, resources: &[usize]) -> Vec<Option<u32>> {
    let mut used: Vec<Amounts> = vec![[0; 4]; instance.capacities.len()];
    let place = |(pod, request): (usize, &Amounts)| {
        let row = best_row(instance, pod, request, resources, &used)?;
        used[row as usize] = sum(&used[row as usize], request);
        Some(row)
    };
    instance.requests.iter().enumerate().map(place).collect()
}

fn best_row(instance: &Instance, pod: usize, request: &Amounts, resources: &[usize], used: &[Amounts]) -> Option<u32> {
    let mut best: Option<(i64, u32)> = None;
    for &row in instance.allowed(pod) {
        let (after, capacity) = (sum(&used[row as usize], request), &instance.capacities[row as usize]);
        if after.iter().zip(capacity).any(|(after, capacity)| after > capacity) {
            continue;
        }
        let score = least_allocated(&after, capacity, resources) + balanced(&after, capacity, resources);
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, row));
        }
    }
    best.map(|(_, row)| row)
}

fn sum(used: &Amounts, request: &Amounts) -> Amounts {
    std::array::from_fn(|r| used[r] + request[r])
}

/// `NodeResourcesLeastAllocated`: the mean free share, 0 to 100.
fn least_allocated(used: &Amounts, capacity: &Amounts, resources: &[usize]) -> i64 {
    let free = |&r: &usize| (capacity[r] - used[r]) * 100 / capacity[r];
    resources.iter().map(free).sum::<i64>() / resources.len() as i64
}

/// `NodeResourcesBalancedAllocation`: one less the standard deviation of the used shares, 0 to 100.
fn balanced(used: &Amounts, capacity: &Amounts, resources: &[usize]) -> i64 {
    let shares: Vec<f64> = resources.iter().map(|&r| used[r] as f64 / capacity[r] as f64).collect();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / shares.len() as f64;
    ((1.0 - variance.sqrt()) * 100.0) as i64
}

#[cfg(test)]
mod tests {
    use gantry_solver::instances::{GenerateOptions, generate};

    use super::*;

    #[test]
    fn every_pod_gets_an_allowed_row_with_room_or_none() {
        for seed in 1..=10 {
            let instance = generate(80, 8, seed, &GenerateOptions::default()).unwrap();
            let rows = assign(&instance, &DEFAULT);
            let mut used = vec![[0; 4]; 8];
            for (pod, row) in rows.iter().enumerate().filter_map(|(pod, row)| Some((pod, (*row)?))) {
                assert!(instance.allowed(pod).contains(&row));
                used[row as usize] = sum(&used[row as usize], &instance.requests[pod]);
            }
            let fits = |(used, capacity): (&Amounts, &Amounts)| used.iter().zip(capacity).all(|(u, c)| u <= c);
            assert!(used.iter().zip(&instance.capacities).all(fits), "seed {seed}");
        }
    }

    #[test]
    fn the_emptier_and_the_more_even_row_wins() {
        let capacity = [100, 100, 100, 100];
        assert_eq!(least_allocated(&[50, 30, 99, 99], &capacity, &DEFAULT), 60);
        assert_eq!(balanced(&[50, 30, 99, 99], &capacity, &DEFAULT), 90);
        assert_eq!(balanced(&[50, 50, 50, 50], &capacity, &ALL), 100);
    }
}
