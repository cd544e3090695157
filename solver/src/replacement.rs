//! Who lives on into the next generation.
//!
//! Promises: with at least one elite the best cost never gets worse. Must not know: how children are made.

/// The indices of the `count` individuals of least cost, best first; the earlier one first among equals.
#[must_use]
pub fn elites(costs: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]));
    order.truncate(count);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_live_on_best_first() {
        assert_eq!(elites(&[3.0, 1.0, 2.0, 1.0, f64::NAN], 3), [1, 3, 2]);
        assert_eq!(elites(&[1.0], 5), [0]);
    }
}
