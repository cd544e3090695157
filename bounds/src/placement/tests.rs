//! The bound against trying everything.

use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::problem::Problem;
use gantry_solver::problems::placement::Objective;

use super::*;

/// The least value of all feasible assignments.
fn least(instance: &Instance, objective: Objective) -> f64 {
    let problem = instance.placement(objective).unwrap();
    assert_eq!(problem.items(), instance.requests.len());
    let mut genome: Vec<u32> = (0..problem.items()).map(|item| problem.domain(item).value(0)).collect();
    let mut index = vec![0; genome.len()];
    let mut least = f64::INFINITY;
    loop {
        let score = problem.eval(&problem.build(&genome));
        if score.is_feasible() {
            least = least.min(score.objectives.as_slice()[0]);
        }
        let Some(next) = (0..genome.len()).find(|&item| index[item] + 1 < problem.domain(item).len()) else {
            return least;
        };
        index[..next].fill(0);
        index[next] += 1;
        (0..=next).for_each(|item| genome[item] = problem.domain(item).value(index[item]));
    }
}

/// Pods of one request on nodes of one capacity, each pod with its own rows.
fn uniform(nodes: usize, allowed: &[&[u32]]) -> Instance {
    let mut instance = generate(allowed.len(), nodes, 1, &GenerateOptions { fill: 0.1, ..Default::default() }).unwrap();
    instance.capacities = vec![[100; RESOURCES]; nodes];
    instance.requests = vec![[10; RESOURCES]; allowed.len()];
    instance.class_by_pod = (0..allowed.len() as u32).collect();
    instance.allowed_by_class = allowed.iter().map(|rows| rows.to_vec()).collect();
    instance
}

#[test]
fn no_assignment_of_tiny_instances_is_below_the_bound() {
    let mut positive = 0;
    for seed in 1..=20 {
        for pools in [false, true] {
            let instance = generate(7, 3, seed, &GenerateOptions { pools, aff: 0.5, ..Default::default() }).unwrap();
            let (sigma, balanced) = (sigma(&instance).unwrap(), balanced(&instance).unwrap());
            let (s, b) = (least(&instance, Objective::Sigma), least(&instance, Objective::Balanced));
            assert!(sigma <= s + 1e-4, "seed {seed}: {sigma} > {s}");
            assert!(balanced <= b + 1e-4, "seed {seed}: {balanced} > {b}");
            positive += u32::from(sigma > 0.5 * s) + u32::from(balanced > 0.5 * b);
        }
    }
    assert!(positive >= 20, "the bound says something, here {positive} times of 80");
}

#[test]
fn the_bound_is_the_optimum_where_no_pod_wants_to_be_divided() {
    // Two pods on each of three nodes are even; two that must share a node and one free one are not.
    for (nodes, allowed) in [
        (3, vec![&[0_u32, 1, 2][..]; 6]),
        (2, vec![&[0][..], &[0], &[0], &[1]]),
        (3, vec![&[0][..], &[0], &[1], &[1], &[2]]),
    ] {
        let instance = uniform(nodes, &allowed);
        let (sigma, balanced) = (sigma(&instance).unwrap(), balanced(&instance).unwrap());
        assert!((sigma - least(&instance, Objective::Sigma)).abs() < 1e-3, "{sigma}");
        assert!((balanced - least(&instance, Objective::Balanced)).abs() < 1e-3, "{balanced}");
    }
}

#[test]
fn a_known_instance_has_its_known_bound() {
    let pools = GenerateOptions { pools: true, ..Default::default() };
    let bound = sigma(&generate(50, 10, 1, &pools).unwrap()).unwrap();
    assert!((bound - 15.9507).abs() < 1e-4, "{bound}");
}

#[test]
fn where_divided_pods_can_balance_the_bound_is_nothing() {
    let bound = sigma(&generate(100, 10, 1, &GenerateOptions::default()).unwrap()).unwrap();
    assert!(bound < 1e-3, "{bound}");
}

#[test]
fn no_assignment_of_tiny_instances_is_below_the_bound_of_whole_pods() {
    let (mut stronger, mut exact) = (0, 0);
    for seed in 1..=20 {
        let instance = generate(7, 3, seed, &GenerateOptions { pools: true, aff: 0.5, ..Default::default() }).unwrap();
        let least = least(&instance, Objective::Sigma);
        let bounds: Vec<f64> = [1, 3, 9, 200].map(|most| sigma_of_whole_pods(&instance, most).unwrap()).to_vec();
        assert_eq!(bounds[0], sigma(&instance).unwrap(), "seed {seed}");
        assert!(bounds.is_sorted() && bounds[3] <= least + 1e-4, "seed {seed}: {bounds:?} > {least}");
        stronger += u32::from(bounds[3] > bounds[0] + 1e-3);
        exact += u32::from(bounds[3] > least - 1e-3);
    }
    assert!(stronger >= 5 && exact >= 5, "{stronger} of 20 stronger, {exact} exact");
}

#[test]
fn the_bound_of_whole_pods_proves_an_optimum_where_the_convex_one_is_far_below_it() {
    let pools = GenerateOptions { pools: true, ..Default::default() };
    let instance = generate(50, 10, 109, &pools).unwrap();
    let (divided, whole) = (sigma(&instance).unwrap(), sigma_of_whole_pods(&instance, 201).unwrap());
    assert!((divided - 1.6046).abs() < 1e-4 && (whole - 4.0640).abs() < 1e-4, "{divided}, {whole}");
}

#[test]
fn an_instance_without_room_has_no_bound() {
    let mut instance = uniform(2, &[&[0, 1][..]; 4]);
    instance.requests = vec![[70; RESOURCES]; 4];
    assert_eq!(sigma(&instance), Err(BoundError::Infeasible));
    assert_eq!(sigma_of_whole_pods(&instance, 9), Err(BoundError::Infeasible));
}
