//! Limits of quota tuning: the best utilisation and fitness, in closed form.
//!
//! Promises: no quotas in the range have a larger fitness, with limits of nodes or without (they only take choices
//! away); the limit is reached, up to the grid, where nodes set none. Must not know: any search.

use gantry_solver::problems::quota_tuning::{Amounts, QuotaObjective, QuotaRange, RESOURCES};

/// The best that quotas in a range can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaLimit {
    /// The utilisation `u*` of each resource at the optimum, the same for every pod.
    pub utilisation: Amounts,
    /// `F* = Σ_r (w_r u*_r - γ/2 r(u*_r))`, with `α = β = 1/2` and `u* = 1 - √(γ r_0)` that is `u* - γ r_0 / (1 - u*)`.
    pub fitness: f64,
}

/// The limit for a range and weights; it does not depend on the pods, because a quota counts in units of the use.
///
/// The worth of a gene is concave below the cut of the response, `u = 1 - r_0`, and rising beyond it. So it is largest
/// at its peak or at an end of the range.
#[must_use]
pub fn limit(range: &QuotaRange, objective: &QuotaObjective) -> QuotaLimit {
    let (least, most) = (1.0 / range.high, 1.0 / range.low);
    let mut limit = QuotaLimit { utilisation: [0.0; RESOURCES], fitness: 0.0 };
    for (resource, utilisation) in limit.utilisation.iter_mut().enumerate() {
        let worth = |u: f64| objective.worth(resource, u);
        let peak = objective.peak(resource).clamp(least, most);
        let best = [least, peak, most].into_iter().max_by(|&a, &b| worth(a).total_cmp(&worth(b)));
        *utilisation = best.unwrap_or(peak);
        limit.fitness += worth(*utilisation);
    }
    limit
}

#[cfg(test)]
mod tests {
    use gantry_solver::problem::{Move, Problem, UNASSIGNED};
    use gantry_solver::problems::quota_tuning::{NodeLimits, QuotaTuning};
    use gantry_solver::rng::Rng;

    use super::*;

    fn fitness(problem: &QuotaTuning, genome: &[u32]) -> f64 {
        -problem.eval(&problem.build(genome)).objectives.as_slice()[0]
    }

    #[test]
    fn the_defaults_give_nine_tenths_and_four_fifths() {
        let limit = limit(&QuotaRange::default(), &QuotaObjective::default());
        assert!(limit.utilisation.iter().all(|u| (u - 0.9).abs() < 1e-12), "{limit:?}");
        assert!((limit.fitness - 0.8).abs() < 1e-12, "{limit:?}");
    }

    /// Every level of a fine grid, resource by resource, for weights that put the best at the peak and at either end.
    #[test]
    fn scanning_a_fine_grid_finds_the_limit_and_nothing_beyond() {
        let mut rng = Rng::new(1);
        let mut at_ends = 0;
        for _ in 0..200 {
            let objective = QuotaObjective {
                alpha: rng.unit(),
                beta: rng.unit(),
                gamma: 3.0 * rng.unit() * rng.unit(),
                rest: rng.unit() * rng.unit(),
            };
            let range = QuotaRange { low: 1.0 + 0.2 * rng.unit(), high: 1.3 + 3.0 * rng.unit(), levels: 20_000 };
            let limit = limit(&range, &objective);
            at_ends += u32::from(limit.utilisation.iter().any(|&u| u == 1.0 / range.low || u == 1.0 / range.high));
            let problem = QuotaTuning::new(&[[1.0, 1.0]], range, objective).unwrap();
            let state = problem.build(&[UNASSIGNED; 2]);
            let worth = |item: usize, value: u32| {
                -problem.delta(&state, Move::Set { item, value }).unwrap().objectives.as_slice()[0]
            };
            let best = [0, 1].map(|item| {
                let levels = 0..problem.domain(item).len();
                levels.max_by(|&a, &b| worth(item, a).total_cmp(&worth(item, b))).unwrap()
            });
            let scanned = fitness(&problem, &best);
            assert!(scanned <= limit.fitness + 1e-12 && scanned > limit.fitness - 1e-3, "{scanned} {limit:?}");
        }
        assert!((20..180).contains(&at_ends), "both cases were met: {at_ends} of 200 at an end");
    }

    /// Two pods on a coarse grid, all 20^4 solutions; with a node that is too small for the best one.
    #[test]
    fn trying_everything_on_a_tiny_instance_stays_below_the_limit() {
        let range = QuotaRange { levels: 19, ..QuotaRange::default() };
        let objective = QuotaObjective::default();
        let limit = limit(&range, &objective).fitness;
        let free = QuotaTuning::new(&[[1.0, 0.5], [0.3, 2.0]], range, objective).unwrap();
        let nodes = NodeLimits { capacities: &[[1.4, 9.0]], node_by_pod: &[0, 0] };
        let bound = free.clone().with_nodes(&nodes).unwrap();
        let (mut best_free, mut best_bound) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for number in 0..20_u32.pow(4) {
            let genome = [number % 20, number / 20 % 20, number / 400 % 20, number / 8_000];
            best_free = best_free.max(fitness(&free, &genome));
            if bound.eval(&bound.build(&genome)).is_feasible() {
                best_bound = best_bound.max(fitness(&bound, &genome));
            }
        }
        assert!(best_bound < best_free && best_free <= limit, "{best_bound} {best_free} {limit}");
        assert!(best_free > 0.98 * limit, "the grid is coarse, the limit is near: {best_free}");
    }
}
