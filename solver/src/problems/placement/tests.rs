//! The placement problem against hand-made numbers, and its refusals.

use super::*;
use crate::solver::Solver;

const UNIT: [f64; 4] = [1.0; 4];

/// Two rows, two resources; row 1 holds twice as much, and half of its first resource is taken.
fn two_rows(weights: &[f64]) -> NodeColumns<'_> {
    NodeColumns { resources: 2, allocatable: &[10.0, 100.0, 20.0, 200.0], requested: &[0.0, 0.0, 10.0, 0.0], weights }
}

fn anywhere(rows: u32) -> Vec<Arc<DomainClass>> {
    vec![Arc::new(DomainClass::all(rows))]
}

fn problem(nodes: &NodeColumns<'_>, requests: &[f64], objective: Objective) -> Placement {
    let rows = (nodes.allocatable.len() / nodes.resources) as u32;
    let class_by_pod = vec![0; requests.len() / nodes.resources];
    Placement::new(nodes, &PodColumns { requests, class_by_pod: &class_by_pod }, &anywhere(rows), objective).unwrap()
}

fn value(problem: &Placement, genome: &[u32]) -> f64 {
    problem.eval(&problem.build(genome)).objectives.as_slice()[0]
}

#[test]
fn the_objectives_are_those_of_the_equations() {
    // Pod on row 0: L_1 = (50, 50), L_2 = (20, 0). Rows: L(N_0) = 35, L(N_1) = 25 with the base load.
    let requests = [5.0, 20.0];
    let sigma = problem(&two_rows(&UNIT), &requests, Objective::Sigma);
    assert!((value(&sigma, &[0]) - 5.0).abs() < 1e-12);
    let balanced = problem(&two_rows(&UNIT), &requests, Objective::Balanced);
    assert!((value(&balanced, &[0]) - (f64::midpoint(0.0, 100.0) + 25.0)).abs() < 1e-12);
    let spread = balanced.spread(&balanced.build(&[0]));
    assert!((spread.mean - 30.0).abs() < 1e-12);
    assert!((spread.sigma_by_resource[1] - 10.0).abs() < 1e-12);
}

#[test]
fn the_objective_goes_by_what_is_used_and_capacities_by_what_is_asked_for() {
    // In use: 2 of 10 and 6 of 20. The pod asks for 5 and uses 1: row 0 comes to 30 %, as row 1 is; row 1 to 35 %.
    let nodes = NodeColumns { resources: 1, allocatable: &[10.0, 20.0], requested: &[6.0, 10.0], weights: &[1.0; 2] };
    let loads = Loads { used: &[2.0, 6.0], estimates: &[1.0] };
    let asked = problem(&nodes, &[5.0], Objective::Sigma);
    let used = asked.clone().with_loads(&loads).unwrap();
    assert_eq!(value(&used, &[0]), 0.0);
    assert!((value(&used, &[1]) - 7.5).abs() < 1e-12);
    // 4 are left of row 0, whatever is used there.
    assert_eq!(used.eval(&used.build(&[0])).violation, asked.eval(&asked.build(&[0])).violation);
    assert!(!used.eval(&used.build(&[0])).is_feasible());
    assert_eq!(used.assignment(&[0]).row_by_pod, [Some(1)]);
}

#[test]
fn loads_that_are_what_is_asked_for_change_nothing() {
    let requests = [5.0, 20.0, 3.0, 50.0];
    let asked = problem(&two_rows(&UNIT), &requests, Objective::Balanced);
    let loads = Loads { used: two_rows(&UNIT).requested, estimates: &requests };
    let used = asked.clone().with_loads(&loads).unwrap();
    for genome in [[0, 0], [0, 1], [1, 0], [1, u32::MAX]] {
        assert_eq!(used.eval(&used.build(&genome)), asked.eval(&asked.build(&genome)));
    }
}

#[test]
fn loads_of_another_shape_are_refused() {
    let problem = problem(&two_rows(&UNIT), &[5.0, 20.0], Objective::Sigma);
    for (used, estimates, column) in [(&[1.0][..], &[][..], "used"), (&[], &[1.0, 2.0, 3.0], "estimates")] {
        let refused = problem.clone().with_loads(&Loads { used, estimates });
        assert!(matches!(refused, Err(PlacementError::Length { column: found, .. }) if found == column));
    }
    let refused = problem.with_loads(&Loads { used: &[], estimates: &[f64::NAN, 1.0] });
    assert!(matches!(refused, Err(PlacementError::Number { column: "estimates", .. })));
}

#[test]
fn the_divisor_is_the_number_of_weights_above_zero() {
    // Row 0 weighs only its second resource, three times: L(N_0) = 3 * 20 / 1; L(N_1) = (0.5 * 50 + 0) / 2. The unit of
    // weights is 1.25: 0.5 for the one resource, 2 for the other on average.
    let sigma = problem(&two_rows(&[0.0, 3.0, 0.5, 1.0]), &[5.0, 20.0], Objective::Sigma);
    assert!((value(&sigma, &[0]) - (60.0 - 12.5) / 2.0 / 1.25).abs() < 1e-12);
}

/// Two rows that are alike but for which resource is taken: 60 % of the first on row 0, of the second on row 1; of the
/// other 20 % each.
fn mirrored(weights: &[f64], objective: Objective) -> Placement {
    let (allocatable, requested) = ([100.0; 4], [60.0, 20.0, 20.0, 60.0]);
    let nodes = NodeColumns { resources: 2, allocatable: &allocatable, requested: &requested, weights };
    problem(&nodes, &[10.0, 10.0], objective)
}

#[test]
fn under_every_objective_a_heavier_resource_decides_where_a_pod_goes() {
    for objective in Objective::ALL {
        let goes_to = |one: f64, other: f64| {
            let problem = mirrored(&[one, other, one, other], objective);
            problem.assignment(&[UNASSIGNED]).row_by_pod[0]
        };
        assert_eq!([goes_to(10.0, 1.0), goes_to(1.0, 10.0)], [Some(1), Some(0)], "{objective:?}");
    }
}

#[test]
fn resources_count_by_their_weights_in_the_mean_of_their_variances() {
    // With the pod on row 1 the loads are 60 and 30 of the first, 20 and 70 of the second: variances 225 and 625.
    let weighed = mirrored(&[3.0, 1.0, 3.0, 1.0], Objective::Resources);
    assert!((value(&weighed, &[1]) - (3.0 * 225.0 + 625.0) / 4.0).abs() < 1e-9);
    let spread = weighed.spread(&weighed.build(&[1]));
    assert!((spread.sigma_by_resource[0] - 15.0).abs() < 1e-12 && (spread.sigma_by_resource[1] - 25.0).abs() < 1e-12);
    // Mean loads by weight: (3 * 60 + 20) / 4 and (3 * 30 + 70) / 4.
    assert!((spread.sigma - 5.0).abs() < 1e-12 && (spread.mean - 45.0).abs() < 1e-12);
}

#[test]
fn equal_weights_of_any_size_are_the_same_bit_for_bit() {
    for objective in Objective::ALL {
        for weight in [0.1, 5.0, 1000.0] {
            let (one, other) = (mirrored(&UNIT, objective), mirrored(&[weight; 4], objective));
            for genome in [[0], [1], [UNASSIGNED]] {
                assert_eq!(value(&one, &genome).to_bits(), value(&other, &genome).to_bits(), "{objective:?}, {weight}");
                let spreads = [&one, &other].map(|problem| problem.spread(&problem.build(&genome)));
                assert_eq!(spreads[0], spreads[1]);
            }
        }
    }
}

#[test]
fn weights_have_no_part_in_risk() {
    let risk = Risk { weight: 1.0, forecast: &[90.0, 0.0, 0.0, 85.0], threshold: 80.0 };
    for weights in [&UNIT, &[7.0, 0.5, 7.0, 0.5]] {
        let problem = mirrored(weights, Objective::Balanced).with_terms(&Terms { risk, ..Terms::default() }).unwrap();
        // With the pod on row 0: 100 and 10 % there, 0 and 85 % on the other.
        let risk = problem.measures(&problem.build(&[0])).risk;
        assert!((risk - f64::midpoint(400.0 / 2.0, 25.0 / 2.0)).abs() < 1e-9, "{risk}");
    }
}

#[test]
fn a_pair_with_weight_zero_takes_no_part_in_its_resource() {
    // The first resource is left with row 1 alone, whose variance is 0; the second has loads 20 and 0.
    let balanced = problem(&two_rows(&[0.0, 1.0, 1.0, 1.0]), &[5.0, 20.0], Objective::Balanced);
    assert!((value(&balanced, &[0]) - (100.0 / 2.0 + f64::powi((20.0 - 25.0) / 2.0, 2))).abs() < 1e-12);
}

#[test]
fn a_row_without_weights_takes_pods_and_no_part_in_the_objective() {
    for objective in Objective::ALL {
        let problem = problem(&two_rows(&[1.0, 1.0, 0.0, 0.0]), &[5.0, 20.0, 6.0, 0.0], objective);
        assert!(problem.domain(0).contains(1));
        assert_eq!((value(&problem, &[0, 1]), value(&problem, &[1, 1])), (0.0, 0.0));
        // Row 0 has 10 of the first resource, so one of them has to go to row 1.
        let assignment = problem.assignment(&[UNASSIGNED; 2]);
        assert!(assignment.unplaced.is_empty() && assignment.row_by_pod.contains(&Some(1)), "{assignment:?}");
    }
}

#[test]
fn a_row_that_offers_nothing_takes_no_pods_and_no_part() {
    let nodes = NodeColumns {
        resources: 2,
        allocatable: &[10.0, 100.0, 0.0, 0.5],
        requested: &[0.0, 0.0, 10.0, 0.0],
        weights: &UNIT,
    };
    let problem = problem(&nodes, &[5.0, 20.0, 0.0, 0.0], Objective::Sigma);
    assert!(!problem.domain(0).contains(1) && !problem.domain(1).contains(1));
    assert_eq!(value(&problem, &[0, 0]), 0.0);
}

/// Five rows with room for eleven pods each, and pods that ask for nothing else.
fn pods_that_weigh_nothing(pods: usize) -> Placement {
    let (allocatable, weights) = ([100.0, 11.0].repeat(5), [1.0, 0.0].repeat(5));
    let nodes = NodeColumns { resources: 2, allocatable: &allocatable, requested: &[], weights: &weights };
    problem(&nodes, &[0.0, 1.0].repeat(pods), Objective::Balanced)
}

fn most_on_a_row(rows: &[Option<u32>]) -> usize {
    let on = |row: u32| rows.iter().filter(|&&other| other == Some(row)).count();
    (0..5).map(on).max().unwrap_or(0)
}

#[test]
fn pods_that_weigh_nothing_are_spread_by_what_else_they_ask_for() {
    let plain = pods_that_weigh_nothing(20);
    let pods: Vec<u32> = (0..20).collect();
    let rule = Rule { topology: 0, pods: &pods, existing: &[], limit: Limit::AtMost(9), force: Force::Hard };
    let bound = plain.clone().with_groups(&Groups { topologies: &[&[0, 1, 2, 3, 4]], rules: &[rule] }).unwrap();
    for problem in [plain, bound] {
        let rows = problem.assignment(&[UNASSIGNED; 20]).row_by_pod;
        assert_eq!(most_on_a_row(&rows), 4, "{rows:?}");
    }
}

#[test]
fn no_search_piles_up_pods_that_weigh_nothing() {
    let problem = pods_that_weigh_nothing(20);
    let piled: Vec<u32> = (0..20).map(|item| u32::from(item > 9)).collect();
    assert_eq!(most_on_a_row(&problem.assignment(&piled).row_by_pod), 4);
    for seed in 0..5 {
        let (budget, mut observer) = (crate::budget::Budget::evaluations(20_000), crate::observer::Unobserved);
        let memetic = crate::memetic::Memetic::default();
        let found = memetic.solve(&problem, &[], budget, &mut Rng::new(seed), &mut observer).unwrap();
        let rows = problem.assignment(&found.best.genome).row_by_pod;
        assert_eq!(most_on_a_row(&rows), 4, "{rows:?}");
    }
}

#[test]
fn pods_that_weigh_nothing_stay_where_they_are_as_well_off() {
    let problem = pods_that_weigh_nothing(7);
    let even = [4, 4, 3, 2, 1, 0, 3];
    assert_eq!(problem.assignment(&even).row_by_pod, even.map(Some));
}

#[test]
fn overflow_is_relative_to_capacity_and_base_load_is_no_violation() {
    let nodes = NodeColumns { resources: 1, allocatable: &[10.0, 5.0], requested: &[0.0, 8.0], weights: &[1.0; 2] };
    let problem = problem(&nodes, &[4.0, 9.0], Objective::Sigma);
    let violation = |genome: &[u32]| problem.eval(&problem.build(genome)).violation;
    assert!((violation(&[0, 0]) - 0.3).abs() < 1e-12);
    assert!((violation(&[1, 0]) - 0.5).abs() < 1e-12, "row 1 is over-full by its base load, only the pod counts");
    assert_eq!(violation(&[UNASSIGNED, 0]), 0.0);
}

#[test]
fn a_pod_that_asks_for_nothing_fits_on_a_full_row() {
    let nodes = NodeColumns { resources: 1, allocatable: &[5.0], requested: &[8.0], weights: &[1.0] };
    let problem = problem(&nodes, &[0.0, 1.0], Objective::Sigma);
    assert_eq!((problem.items(), problem.unplaceable()), (1, &[1][..]));
}

#[test]
fn pods_that_fit_nowhere_are_taken_out_and_reported() {
    let classes = [Arc::new(DomainClass::all(2)), Arc::new(DomainClass::from_values(2, &[]).unwrap())];
    let requests = [1.0, 1.0, 1.0, 1.0, 30.0, 1.0];
    let pods = PodColumns { requests: &requests, class_by_pod: &[0, 1, 0] };
    let problem = Placement::new(&two_rows(&UNIT), &pods, &classes, Objective::Balanced).unwrap();
    assert_eq!(problem.unplaceable(), [1, 2]);
    let assignment = problem.assignment(&[1]);
    assert_eq!(assignment.row_by_pod, [Some(1), None, None]);
    assert_eq!(assignment.unplaced, [1, 2]);
}

#[test]
fn an_assignment_keeps_the_earlier_pods_and_moves_the_others_where_there_is_room() {
    let nodes = NodeColumns { resources: 1, allocatable: &[10.0, 5.0], requested: &[], weights: &[1.0; 2] };
    let problem = problem(&nodes, &[6.0, 5.0, 4.0, 3.0], Objective::Sigma);
    let assignment = problem.assignment(&[0, 0, 0, 99]);
    // Releasing pod 2 leaves 11 of 10, so pod 1 goes too; both find room in their turn, the last pod does not.
    assert_eq!(assignment.row_by_pod, [Some(0), Some(1), Some(0), None]);
    assert_eq!((assignment.unplaced, assignment.score.violation), (vec![3], 0.0));
}

#[test]
fn a_seed_forgets_rows_that_do_not_exist() {
    let problem = problem(&two_rows(&UNIT), &[1.0, 1.0, 1.0, 1.0], Objective::Sigma);
    assert_eq!(problem.seed(&[Some(1), Some(7)]).unwrap(), [1, UNASSIGNED]);
    assert!(matches!(problem.seed(&[None]), Err(PlacementError::Length { column: "seed", .. })));
}

#[test]
fn faulty_columns_are_refused_by_name_and_place() {
    let fault = |allocatable: &[f64], weights: &[f64], requests: &[f64]| {
        let nodes = NodeColumns { resources: 1, allocatable, requested: &[], weights };
        let pods = PodColumns { requests, class_by_pod: &[0] };
        Placement::new(&nodes, &pods, &anywhere(2), Objective::Sigma).unwrap_err()
    };
    let two = [1.0, 1.0];
    let number = |column, index, value| PlacementError::Number { column, index, value };
    assert_eq!(fault(&[1.0, -1.0], &two, &[1.0]), number("allocatable", 1, -1.0));
    assert_eq!(fault(&two, &[1.0, f64::INFINITY], &[1.0]), number("weights", 1, f64::INFINITY));
    assert!(matches!(fault(&two, &[f64::NAN, 1.0], &[1.0]), PlacementError::Number { column: "weights", .. }));
    assert_eq!(fault(&two, &two, &[1e30]), number("requests", 0, 1e30));
    assert_eq!(fault(&two, &[1.0], &[1.0]), PlacementError::Length { column: "weights", expected: 2, found: 1 });
    assert_eq!(fault(&two, &two, &[]), PlacementError::Length { column: "requests", expected: 1, found: 0 });
    assert_eq!(fault(&[1.0], &[1.0], &[1.0]), PlacementError::ClassRows { expected: 1, found: 2 });
}

#[test]
fn no_resource_an_unknown_class_and_an_uncountable_sum_are_refused() {
    let none = NodeColumns { resources: 0, allocatable: &[], requested: &[], weights: &[] };
    let pods = PodColumns { requests: &[], class_by_pod: &[] };
    let error = |nodes, pods| Placement::new(nodes, pods, &anywhere(1), Objective::Sigma).unwrap_err();
    assert_eq!(error(&none, &pods), PlacementError::NoResources);
    let one = NodeColumns { resources: 1, allocatable: &[1.0], requested: &[], weights: &[1.0] };
    let stray = PodColumns { requests: &[1.0], class_by_pod: &[3] };
    assert!(matches!(error(&one, &stray), PlacementError::Domain(_)));
    let huge = vec![2_f64.powi(53); 1_024];
    let many = PodColumns { requests: &huge, class_by_pod: &vec![0; 1_024] };
    assert_eq!(error(&one, &many), PlacementError::Sum { resource: 0 });
}

#[test]
fn capacity_repair_empties_over_full_rows_where_there_is_room() {
    let nodes = NodeColumns { resources: 1, allocatable: &[10.0; 3], requested: &[], weights: &[1.0; 3] };
    let problem = problem(&nodes, &[5.0; 6], Objective::Sigma);
    let mut state = problem.build(&[0; 6]);
    problem.repair(&mut state, &mut Rng::new(1));
    assert_eq!(problem.eval(&state).violation, 0.0);
}

#[test]
fn an_emptier_row_is_more_attractive() {
    let problem = problem(&two_rows(&UNIT), &[2.0, 2.0], Objective::Sigma);
    let state = problem.build(&[UNASSIGNED]);
    assert!(problem.heuristic(&state, 0, 0) > problem.heuristic(&state, 0, 1));
}

#[test]
fn a_cluster_without_rows_leaves_every_pod_unplaced() {
    let nodes = NodeColumns { resources: 2, allocatable: &[], requested: &[], weights: &[] };
    let problem = problem(&nodes, &[1.0, 1.0], Objective::Balanced);
    assert_eq!((problem.items(), problem.unplaceable()), (0, &[0][..]));
    let found = crate::greedy::Greedy::default()
        .solve(&problem, &[], crate::budget::Budget::evaluations(0), &mut Rng::new(1), &mut crate::observer::Unobserved)
        .unwrap();
    assert_eq!(found.best.score.objectives.as_slice(), [0.0]);
}

#[test]
fn a_promising_delta_is_the_delta_and_none_only_where_limits_break_further() {
    let nodes = NodeColumns { resources: 3, allocatable: &[10.0; 9], requested: &[1.0; 9], weights: &[1.0; 9] };
    let rng = &mut Rng::new(1);
    let requests: Vec<f64> = (0..24).map(|_| f64::from(rng.below(5))).collect();
    let problem = problem(&nodes, &requests, Objective::Balanced);
    let items = problem.items() as u32;
    let mut refused = 0;
    let mut state = problem.build(&[UNASSIGNED].repeat(items as usize));
    for _ in 0..2_000 {
        let (item, second) = (rng.below(items) as usize, rng.below(items) as usize);
        let set = Move::Set { item, value: rng.below(3) };
        let change = if rng.chance(0.5) { set } else { Move::Swap { first: item, second } };
        let delta = problem.delta(&state, change).unwrap();
        if let Some(promising) = problem.promising_delta(&state, change) {
            assert_eq!(promising, delta);
        } else {
            assert!(delta.violation > problem.eval(&state).violation);
            refused += 1;
        }
        problem.apply(&mut state, change);
    }
    assert!((100..1_900).contains(&refused), "{refused}");
}
