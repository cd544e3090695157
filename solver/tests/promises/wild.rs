//! Whatever numbers a problem is put together from: a typed error, or scores that are numbers.

use std::sync::Arc;

use gantry_solver::budget::Budget;
use gantry_solver::domain::DomainClass;
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::Problem;
use gantry_solver::problems::placement::{
    Loads, Moves, NodeColumns, Objective, Placement, PlacementError, PodColumns, Risk, RowScorer, Terms,
};
use gantry_solver::problems::qos_composition::{Bound, Edge, QosComposition};
use gantry_solver::problems::quota_tuning::{NodeLimits, QuotaObjective, QuotaRange, QuotaTuning};
use gantry_solver::problems::task_schedule::{Completion, MachineColumns, TaskSchedule};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use proptest::collection::vec;
use proptest::prelude::*;

const LARGEST: f64 = 9_007_199_254_740_992.0;

/// Mostly what a column may hold, its ends included, and now and then what none may.
fn number() -> impl Strategy<Value = f64> {
    let odd = prop_oneof![Just(0.0), Just(-0.0), Just(1e-300), Just(f64::MIN_POSITIVE), Just(0.5), Just(LARGEST)];
    let bad = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(1e300), Just(-f64::MAX)];
    prop_oneof![30 => (1..50_u32).prop_map(f64::from), 4 => odd, 1 => bad]
}

/// A length that fits, most of the time.
fn length(right: usize) -> impl Strategy<Value = usize> {
    prop_oneof![20 => Just(right), 1 => 0..right + 2]
}

fn numbers(right: usize) -> impl Strategy<Value = Vec<f64>> {
    length(right).prop_flat_map(|length| vec(number(), length))
}

fn is_sound(columns: &[&[f64]]) -> bool {
    columns.iter().copied().flatten().all(|number| (0.0..=LARGEST).contains(number))
}

/// Searches a little; scores must be numbers.
fn try_out<P: Problem>(problem: &P) {
    if (0..problem.items()).any(|item| problem.domain(item).is_empty()) {
        return;
    }
    let (budget, rng) = (Budget::evaluations(200), &mut Rng::new(1));
    let found = LocalSearch::default().solve(problem, &[], budget, rng, &mut Unobserved).unwrap();
    assert!(!found.best.score.violation.is_nan(), "{:?}", found.best.score);
    assert!(found.best.score.objectives.as_slice().iter().all(|f| !f.is_nan()), "{:?}", found.best.score);
}

fn placement(columns: &[Vec<f64>; 4], rows: usize) -> Result<Placement, PlacementError> {
    let [allocatable, requested, weights, requests] = columns;
    let nodes = NodeColumns { resources: 2, allocatable, requested, weights };
    let class_by_pod = vec![0; requests.len() / 2];
    let pods = PodColumns { requests, class_by_pod: &class_by_pod };
    Placement::new(&nodes, &pods, &[Arc::new(DomainClass::all(rows as u32))], Objective::Balanced)
}

fn sane(count: usize) -> impl Strategy<Value = Vec<f64>> {
    vec((1..50_u32).prop_map(f64::from), count)
}

/// A cluster of three rows and up to five pods that is as it should be.
fn cluster() -> impl Strategy<Value = ([Vec<f64>; 4], usize)> {
    (0..5_usize).prop_flat_map(|pods| {
        (sane(6), sane(6), sane(6), sane(2 * pods)).prop_map(move |(a, b, c, d)| ([a, b, c, d], pods))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn task_schedules_of_any_numbers(
        lengths in vec(prop_oneof![9 => 1..5_000_u64, 1 => any::<u64>(), 1 => Just(0)], 0..6),
        mips in numbers(3), transfer in numbers(3), cost in numbers(3), transfer_cost in numbers(3), literal: bool,
    ) {
        let machines = MachineColumns { mips: &mips, transfer: &transfer, cost: &cost, transfer_cost: &transfer_cost };
        let completion = if literal { Completion::Literal } else { Completion::Joint };
        if let Ok(problem) = TaskSchedule::new(&lengths, &machines, completion) {
            prop_assert!(is_sound(&[&mips, &transfer, &cost, &transfer_cost]) && !lengths.contains(&0));
            try_out(&problem);
        }
    }

    #[test]
    fn compositions_of_any_numbers(
        quality in vec(numbers(3), 0..4), from in 0..4_usize, to in 0..4_usize, ways in numbers(9),
        amounts in vec(numbers(3), 0..4), limit in number(),
    ) {
        let edges = [Edge { from, to, quality: ways.clone() }];
        let bounds = [Bound { amounts: amounts.clone(), limit }];
        for (edges, bounds) in [(&edges[..], &bounds[..]), (&[], &bounds), (&edges, &[]), (&[], &[])] {
            if let Ok(problem) = QosComposition::new(&quality, edges, bounds) {
                prop_assert!(quality.iter().all(|numbers| is_sound(&[numbers])));
                prop_assert!(edges.is_empty() || (from < to && is_sound(&[&ways])));
                prop_assert!(bounds.is_empty() || is_sound(&[&[limit]]));
                try_out(&problem);
            }
        }
    }

    #[test]
    fn quotas_of_any_numbers(
        used in vec([number(), number()], 0..5), range in (number(), number(), any::<u32>()),
        objective in [number(), number(), number(), number()],
        capacities in vec([number(), number()], 0..3), node_by_pod in vec(0..3_u32, 0..5),
    ) {
        let range = QuotaRange { low: range.0, high: range.1, levels: range.2 };
        let [alpha, beta, gamma, rest] = objective;
        for range in [range, QuotaRange::default()] {
            for objective in [QuotaObjective { alpha, beta, gamma, rest }, QuotaObjective::default()] {
                let Ok(problem) = QuotaTuning::new(&used, range, objective) else { continue };
                prop_assert!(used.as_flattened().iter().all(|&used| used > 0.0 && used.is_finite()));
                try_out(&problem);
                let nodes = NodeLimits { capacities: &capacities, node_by_pod: &node_by_pod };
                if let Ok(problem) = problem.with_nodes(&nodes) {
                    try_out(&problem);
                }
            }
        }
    }

    #[test]
    fn loads_of_any_numbers(
        (cluster, used, estimates) in cluster().prop_flat_map(|cluster| {
            let pods = cluster.1;
            (Just(cluster), prop_oneof![Just(vec![]).boxed(), numbers(6).boxed()], numbers(2 * pods))
        }),
    ) {
        let problem = placement(&cluster.0, 3).unwrap();
        if let Ok(problem) = problem.with_loads(&Loads { used: &used, estimates: &estimates }) {
            prop_assert!(is_sound(&[&used, &estimates]));
            try_out(&problem);
        }
    }

    #[test]
    fn terms_of_any_numbers(
        (cluster, rows) in cluster().prop_flat_map(|cluster| {
            let pods = cluster.1;
            (Just(cluster), length(pods).prop_flat_map(|pods| vec(prop::option::of(0..9_u32), pods)))
        }),
        mean_load in number(), moves in number(), risk in number(), forecast in numbers(6), threshold in number(),
    ) {
        let problem = placement(&cluster.0, 3).unwrap();
        let moves = Moves { weight: moves, row_by_pod: &rows };
        let risk = Risk { weight: risk, forecast: &forecast, threshold };
        if let Ok(problem) = problem.with_terms(&Terms { mean_load, moves, risk }) {
            prop_assert!(is_sound(&[&[mean_load, moves.weight, risk.weight, threshold], &forecast]));
            try_out(&problem);
        }
    }

    #[test]
    fn row_scorers_of_any_numbers(
        columns in [numbers(6), numbers(6), numbers(6)], request in numbers(2), row in 0..4_usize, places in length(3),
    ) {
        let [allocatable, requested, weights] = &columns;
        let nodes = NodeColumns { resources: 2, allocatable, requested, weights };
        let Ok(mut scorer) = RowScorer::new(Objective::Balanced, &nodes) else { return Ok(()) };
        prop_assert!(is_sound(&[allocatable, requested, weights]));
        prop_assert!(!scorer.objective().is_nan());
        let mut changes = vec![0.0; places];
        if scorer.changes(&request, &mut changes).is_ok() {
            prop_assert!(is_sound(&[&request]) && places == scorer.rows());
            prop_assert!(changes.iter().all(|change| !change.is_nan()), "{:?}", changes);
        }
        let added = scorer.add(row, &request).is_ok();
        prop_assert!(!added || (row < scorer.rows() && is_sound(&[&request])));
        prop_assert!(!scorer.objective().is_nan());
    }
}
