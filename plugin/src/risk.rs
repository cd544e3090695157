//! Risk: how much hotter than wanted a pod would make each row, by the forecast.
//!
//! The same measure as [`Risk`](gantry_solver::problems::placement::Risk) of a joint plan, for one pod: the mean over
//! resources of the mean over rows of `max(0, h - threshold)²`, where `h` is the 0.9 quantile of the forecast use, in
//! per cent of what the row offers, with what is planned there on top. Rows of which nothing is forecast are at no risk.

use crate::types::Snapshot;

/// Adds `weight` times the change of the risk to the changes of the objective, one a row. `amounts` is what the pod is
/// expected to use; `threshold` the share of a row above which it runs hot.
pub(crate) fn add(changes: &mut [f64], snapshot: &Snapshot, amounts: &[f64], threshold: f64, weight: f64) {
    let resources = snapshot.resources as usize;
    let counts: Vec<usize> = (0..resources).map(|resource| counted(snapshot, resource).count()).collect();
    let live = counts.iter().filter(|&&count| count > 0).count();
    for (resource, &amount) in amounts.iter().enumerate().filter(|(_, amount)| **amount > 0.0) {
        let share = weight / (counts[resource] * live).max(1) as f64;
        for row in counted(snapshot, resource) {
            let cell = row * resources + resource;
            let percent = 100.0 / snapshot.allocatable[cell];
            let excess = |used: f64| (percent * used - 100.0 * threshold).max(0.0).powi(2);
            let used = snapshot.used_p90[cell];
            if used > 0.0 {
                let used = used + snapshot.planned.get(cell).copied().unwrap_or(0.0);
                changes[row] += share * (excess(used + amount) - excess(used));
            }
        }
    }
}

/// The rows where a resource takes part in the objective.
fn counted(snapshot: &Snapshot, resource: usize) -> impl Iterator<Item = usize> {
    let resources = snapshot.resources as usize;
    (0..snapshot.rows as usize).filter(move |row| {
        let cell = row * resources + resource;
        snapshot.weights[cell] > 0.0 && snapshot.allocatable[cell] >= 1.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(used_p90: &[f64]) -> Snapshot {
        let rows = used_p90.len();
        Snapshot {
            generation: 1,
            rows: rows as u32,
            resources: 1,
            allocatable: vec![100.0; rows],
            requested: vec![0.0; rows],
            used_p50: vec![0.0; rows],
            used_p90: used_p90.to_vec(),
            planned: Vec::new(),
            weights: vec![1.0; rows],
            classes: Vec::new(),
        }
    }

    fn changes(used_p90: &[f64], amount: f64) -> Vec<f64> {
        let mut changes = vec![0.0; used_p90.len()];
        add(&mut changes, &snapshot(used_p90), &[amount], 0.8, 2.0);
        changes
    }

    #[test]
    fn a_row_below_the_threshold_is_at_no_risk_and_a_hot_one_the_more_the_hotter() {
        // 2 · ((90 - 80)² - 0) / 4 rows, and 2 · ((105 - 80)² - (95 - 80)²) / 4.
        assert_eq!(changes(&[10.0, 70.0, 80.0, 95.0], 10.0), [0.0, 0.0, 50.0, 200.0]);
    }

    #[test]
    fn what_is_planned_comes_on_top_of_the_forecast() {
        let planned = Snapshot { planned: vec![0.0, 20.0, 20.0], ..snapshot(&[70.0, 70.0, 0.0]) };
        let mut changes = vec![0.0; 3];
        add(&mut changes, &planned, &[10.0], 0.8, 3.0);
        // Row 1: 3 · ((100 - 80)² - (90 - 80)²) / 3 rows; of row 2 nothing is forecast.
        assert_eq!(changes, [0.0, 300.0, 0.0]);
    }

    #[test]
    fn without_a_forecast_or_a_use_there_is_no_risk() {
        assert_eq!(changes(&[0.0, 0.0], 90.0), [0.0, 0.0]);
        assert_eq!(changes(&[99.0, 99.0], 0.0), [0.0, 0.0]);
    }
}
