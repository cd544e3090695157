//! The best service composition: exact by dynamic programming, or a limit.
//!
//! Promises: no composition has more quality than [`Limit::quality`], up to rounding (all terms lie on a grid, so even
//! that is exact for chains); where [`Limit::is_reached`] says so, [`Limit::composition`] has it. Must not know: any
//! search.
//!
//! Services each of which has one caller at most form chains and trees. There a service and its replica are a stage and
//! a state, and going from the last service to the first gives the best in `O(Σ n_a n_b)` over the edges (Viterbi 1967,
//! doi:10.1109/TIT.1967.1054010). A general graph is cut to a tree of the widest edges; each edge that is left out
//! counts, for either end, half of the most that it can be worth with this replica:
//! `w(i, j) <= (max_l w(i, l) + max_l w(l, j)) / 2`. Bounds are left out too. Both make the limit larger, never smaller.

use gantry_solver::problem::{Genome, Problem};
use gantry_solver::problems::qos_composition::{Edge, QosComposition};

/// A limit on quality.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// No composition has more.
    pub quality: f64,
    /// The best composition of what the limit was computed for; a good start otherwise.
    pub composition: Genome,
    /// Whether that composition has this quality and keeps all bounds, which makes it the best.
    pub is_reached: bool,
}

/// The most quality that a composition can have.
#[must_use]
pub fn limit(problem: &QosComposition) -> Limit {
    let (tree, other): (Vec<&Edge>, Vec<&Edge>) = split(problem);
    let mut worth: Vec<Vec<f64>> = (0..problem.items()).map(|service| problem.quality(service).to_vec()).collect();
    for edge in other {
        share(edge, &mut worth);
    }
    // The most that the services behind an edge add, for every replica of its caller, goes to that replica.
    let mut best_by_caller: Vec<Vec<usize>> = vec![Vec::new(); problem.items()];
    for service in (0..problem.items()).rev() {
        if let Some(edge) = tree.iter().find(|edge| edge.to == service) {
            let best: Vec<(usize, f64)> =
                (0..worth[edge.from].len()).map(|caller| best_called(edge, caller, &worth[service])).collect();
            worth[edge.from].iter_mut().zip(&best).for_each(|(worth, (_, most))| *worth += most);
            best_by_caller[service] = best.into_iter().map(|(replica, _)| replica).collect();
        }
    }
    read_off(problem, &tree, &worth, &best_by_caller)
}

/// Forwards: services without caller take their best replica, the others the best for the one of their caller.
fn read_off(problem: &QosComposition, tree: &[&Edge], worth: &[Vec<f64>], best_by_caller: &[Vec<usize>]) -> Limit {
    let (mut quality, mut composition) = (0.0, Vec::with_capacity(problem.items()));
    for service in 0..problem.items() {
        let replica = if let Some(edge) = tree.iter().find(|edge| edge.to == service) {
            best_by_caller[service][composition[edge.from] as usize]
        } else {
            let (replica, most) = largest(worth[service].iter().copied());
            quality += most;
            replica
        };
        composition.push(replica as u32);
    }
    let score = problem.eval(&problem.build(&composition));
    let is_reached = score.is_feasible() && problem.total_quality(&composition) >= quality;
    Limit { quality, composition, is_reached }
}

/// The edges from each service's context to it, the first of several, and all others.
fn split(problem: &QosComposition) -> (Vec<&Edge>, Vec<&Edge>) {
    let mut is_called = vec![false; problem.items()];
    problem.edges().iter().partition(|edge| {
        let first = problem.context(edge.to) == Some(edge.from) && !is_called[edge.to];
        is_called[edge.to] |= first;
        first
    })
}

/// Gives both ends of an edge half of the most that it can be worth to them.
fn share(edge: &Edge, worth: &mut [Vec<f64>]) {
    let width = worth[edge.to].len();
    for (worth, ways) in worth[edge.from].iter_mut().zip(edge.quality.chunks_exact(width)) {
        *worth += 0.5 * largest(ways.iter().copied()).1;
    }
    for (called, worth) in worth[edge.to].iter_mut().enumerate() {
        *worth += 0.5 * largest(edge.quality.iter().skip(called).step_by(width).copied()).1;
    }
}

/// The best replica of the called service for one of the caller, and what it adds.
fn best_called(edge: &Edge, caller: usize, worth: &[f64]) -> (usize, f64) {
    let ways = &edge.quality[caller * worth.len()..][..worth.len()];
    largest(ways.iter().zip(worth).map(|(way, worth)| way + worth))
}

/// The first of the largest numbers; there is at least one, and they are at least 0.
fn largest(numbers: impl Iterator<Item = f64>) -> (usize, f64) {
    numbers.enumerate().fold((0, f64::NEG_INFINITY), |most, next| if next.1 > most.1 { next } else { most })
}

#[cfg(test)]
mod tests {
    use gantry_solver::instances::qos::{Services, generate};
    use gantry_solver::problems::qos_composition::attributes::Attribute;
    use gantry_solver::rng::Rng;

    use super::*;

    /// Tries everything; the most quality within the bounds, if anything is.
    fn try_all(problem: &QosComposition) -> Option<f64> {
        let mut genome = vec![0; problem.items()];
        let mut most: Option<f64> = None;
        loop {
            let score = problem.eval(&problem.build(&genome));
            if score.is_feasible() {
                let quality = -score.objectives.as_slice()[0];
                most = Some(most.map_or(quality, |most| most.max(quality)));
            }
            let Some(item) = (0..genome.len()).find(|&item| genome[item] + 1 < problem.domain(item).len()) else {
                return most;
            };
            genome[item] += 1;
            genome[..item].fill(0);
        }
    }

    /// Up to six services with up to four replicas.
    fn tiny(seed: u64) -> (Services, Rng) {
        let mut rng = Rng::stream(31, seed);
        let (services, replicas) = (1 + rng.below(6) as usize, 1 + rng.below(4) as usize);
        (generate(services, replicas, seed), rng)
    }

    #[test]
    fn the_limit_of_a_chain_is_what_trying_all_finds() {
        for seed in 0..60 {
            let problem = tiny(seed).0.chain(&[]).unwrap();
            let limit = limit(&problem);
            assert_eq!(Some(limit.quality), try_all(&problem), "seed {seed}");
            assert_eq!(problem.total_quality(&limit.composition), limit.quality, "seed {seed}");
            assert!(limit.is_reached);
        }
    }

    #[test]
    fn the_limit_of_a_tree_is_what_trying_all_finds() {
        for seed in 0..60 {
            let (services, mut rng) = tiny(seed);
            let pairs: Vec<_> = (1..services.replicas.len()).map(|to| (rng.below(to as u32) as usize, to)).collect();
            let problem = services.graph(&pairs, &[]).unwrap();
            assert_eq!(
                (Some(limit(&problem).quality), limit(&problem).is_reached),
                (try_all(&problem), true),
                "{seed}"
            );
        }
    }

    /// Up to six services, most pairs with an edge, and every term drawn on its own.
    fn tangled(rng: &mut Rng) -> QosComposition {
        let counts: Vec<usize> = (0..2 + rng.below(5)).map(|_| 1 + rng.below(4) as usize).collect();
        let draw = |rng: &mut Rng, count: usize| (0..count).map(|_| rng.unit()).collect::<Vec<f64>>();
        let quality: Vec<Vec<f64>> = counts.iter().map(|&count| draw(rng, count)).collect();
        let pairs = (0..counts.len()).flat_map(|to| (0..to).map(move |from| (from, to)));
        let pairs: Vec<_> = pairs.filter(|_| rng.chance(0.6)).collect();
        let edge = |&(from, to): &(usize, usize)| Edge { from, to, quality: draw(rng, counts[from] * counts[to]) };
        let edges: Vec<Edge> = pairs.iter().map(edge).collect();
        QosComposition::new(&quality, &edges, &[]).unwrap()
    }

    #[test]
    fn nothing_in_a_graph_is_above_its_limit_and_a_limit_that_is_reached_is_the_best() {
        let (mut reached, mut gaps) = (0, 0.0);
        for seed in 0..100 {
            let problem = tangled(&mut Rng::stream(32, seed));
            let (limit, best) = (limit(&problem), try_all(&problem).unwrap());
            assert!(best <= limit.quality, "seed {seed}: {best} above {limit:?}");
            assert!(!limit.is_reached || best == limit.quality, "seed {seed}: {best} is not {limit:?}");
            reached += u32::from(limit.is_reached);
            gaps += (limit.quality - best) / best / 100.0;
        }
        assert!((10..90).contains(&reached), "{reached} of 100 reached");
        assert!((0.001..0.1).contains(&gaps), "a limit, not the best: mean gap {gaps}");
    }

    #[test]
    fn bounds_only_lower_what_can_be_had() {
        let mut infeasible = 0;
        for seed in 0..60 {
            let services = tiny(seed).0;
            let price: f64 = services.replicas.iter().map(|replicas| replicas[0].price).sum();
            let bound = Attribute::Price.bound(&services.replicas, 0.7 * price);
            let problem = services.chain(&[bound]).unwrap();
            let limit = limit(&problem);
            match try_all(&problem) {
                Some(best) if limit.is_reached => assert_eq!(best, limit.quality, "seed {seed}"),
                Some(best) => assert!(best <= limit.quality, "seed {seed}"),
                None => {
                    infeasible += 1;
                    assert!(!limit.is_reached, "seed {seed}");
                }
            }
        }
        assert!(infeasible < 50, "{infeasible} of 60 tell nothing");
    }

    #[test]
    fn without_services_there_is_no_quality() {
        let limit = limit(&QosComposition::new(&[], &[], &[]).unwrap());
        assert_eq!((limit.quality, limit.composition.len()), (0.0, 0));
    }
}
