//! Whatever columns a problem is put together from: a typed error, or every search ends with a legal assignment.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use gantry_solver::annealing::Annealing;
use gantry_solver::budget::Budget;
use gantry_solver::domain::DomainClass;
use gantry_solver::greedy::Greedy;
use gantry_solver::local_search::LocalSearch;
use gantry_solver::memetic::Memetic;
use gantry_solver::observer::Unobserved;
use gantry_solver::problems::placement::{
    Assignment, Force, Groups, Limit, NodeColumns, Objective, Placement, PlacementError, PodColumns, Rule,
};
use gantry_solver::repair;
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::cmma_ga::CmmaGa;
use gantry_solver::sources::dictionary_ga::{DictionaryGa, Variant};
use gantry_solver::sources::mabc::Mabc;
use gantry_solver::sources::quota_ga::QuotaGa;
use gantry_solver::sources::tcga::Tcga;
use proptest::collection::vec;
use proptest::prelude::*;

/// The largest number that a column may hold.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// Looks at the stop that a search with an endless budget gets.
const LOOKS: u32 = 5;

/// Columns as somebody may fill them.
#[derive(Clone, Debug)]
struct Input {
    resources: usize,
    allocatable: Vec<f64>,
    requested: Vec<f64>,
    weights: Vec<f64>,
    requests: Vec<f64>,
    class_by_pod: Vec<u32>,
    rows_by_class: Vec<Vec<u32>>,
    topology: Vec<u32>,
    rules: Vec<(Vec<u32>, Limit, Force)>,
    objective: Objective,
}

/// Mostly plain numbers; with `wild`, sometimes one that no column may hold.
fn number(wild: u32) -> impl Strategy<Value = f64> {
    let bad = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(2.0 * LARGEST)];
    prop_oneof![
        4 => Just(0.0),
        12 => (1..50_u32).prop_map(f64::from),
        1 => prop_oneof![Just(0.5), Just(1e-300), Just(LARGEST)],
        wild => bad,
    ]
}

fn rule(pods: u32) -> impl Strategy<Value = (Vec<u32>, Limit, Force)> {
    let limit =
        prop_oneof![(0..3_u32).prop_map(Limit::AtMost), (1..3_u32).prop_map(Limit::Skew), Just(Limit::Together)];
    let force = prop_oneof![3 => Just(Force::Hard), 1 => Just(Force::Soft(7.0))];
    (proptest::sample::subsequence((0..pods).collect::<Vec<_>>(), 0..=pods as usize), limit, force)
}

/// Clusters of no, one and a few rows, with empty classes, nothing to place, and rules that contradict each other.
fn input(wild: u32) -> impl Strategy<Value = Input> {
    (1..4_usize, 0..5_usize, 0..7_usize, 1..4_usize).prop_flat_map(move |(resources, rows, pods, classes)| {
        let cells = rows * resources;
        let subset = proptest::sample::subsequence((0..rows as u32).collect::<Vec<_>>(), 0..=rows);
        let numbers = (
            vec(number(wild), cells),
            prop_oneof![Just(Vec::new()), vec(number(wild), cells)],
            vec(number(wild), cells),
            vec(number(wild), pods * resources),
        );
        let sets = (vec(0..classes as u32, pods), vec(subset, classes), vec(0..3_u32, rows));
        let objective = proptest::sample::select(Objective::ALL.to_vec());
        (numbers, sets, vec(rule(pods as u32), 0..4), objective).prop_map(move |(numbers, sets, rules, objective)| {
            let (allocatable, requested, weights, requests) = numbers;
            let (class_by_pod, rows_by_class, topology) = sets;
            Input {
                resources,
                allocatable,
                requested,
                weights,
                requests,
                class_by_pod,
                rows_by_class,
                topology,
                rules,
                objective,
            }
        })
    })
}

impl Input {
    fn problem(&self) -> Result<Placement, PlacementError> {
        let Self { resources, allocatable, requested, weights, requests, class_by_pod, .. } = self;
        let nodes = NodeColumns { resources: *resources, allocatable, requested, weights };
        let rows = self.rows() as u32;
        let class =
            |values: &Vec<u32>| -> Result<_, PlacementError> { Ok(Arc::new(DomainClass::from_values(rows, values)?)) };
        let classes = self.rows_by_class.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        let rules = self.rules.iter();
        let rules =
            rules.map(|(pods, limit, force)| Rule { topology: 0, pods, existing: &[], limit: *limit, force: *force });
        let rules: Vec<Rule<'_>> = rules.collect();
        let groups = Groups { topologies: &[self.topology.as_slice()], rules: &rules };
        Placement::new(&nodes, &PodColumns { requests, class_by_pod }, &classes, self.objective)?.with_groups(&groups)
    }

    fn rows(&self) -> usize {
        self.allocatable.len() / self.resources
    }

    fn columns(&self) -> impl Iterator<Item = &f64> {
        self.allocatable.iter().chain(&self.requested).chain(&self.weights).chain(&self.requests)
    }

    /// No pod outside its class, no row over-full, no hard limit of how many share a topology value exceeded.
    fn assert_legal(&self, assignment: &Assignment) {
        let mut added = vec![0.0; self.allocatable.len()];
        for (pod, row) in placed(assignment) {
            assert!(self.rows_by_class[self.class_by_pod[pod] as usize].contains(&(row as u32)), "pod {pod} on {row}");
            for resource in 0..self.resources {
                added[row * self.resources + resource] += self.requests[pod * self.resources + resource].ceil();
            }
        }
        for (cell, &added) in added.iter().enumerate().filter(|(_, added)| **added > 0.0) {
            let taken = self.requested.get(cell).map_or(0.0, |taken| taken.ceil());
            assert!(taken + added <= self.allocatable[cell].floor(), "cell {cell}: {added} beside {taken}");
        }
        for (pods, limit, force) in &self.rules {
            let (Limit::AtMost(most), Force::Hard) = (limit, force) else { continue };
            let mut counts = BTreeMap::new();
            for (_, row) in placed(assignment).filter(|(pod, _)| pods.contains(&(*pod as u32))) {
                *counts.entry(self.topology[row]).or_insert(0) += 1;
            }
            assert!(counts.values().all(|count| count <= most), "{counts:?} with at most {most}");
        }
    }
}

fn placed(assignment: &Assignment) -> impl Iterator<Item = (usize, usize)> {
    assignment.row_by_pod.iter().enumerate().filter_map(|(pod, row)| Some((pod, (*row)? as usize)))
}

/// The ten that settings can name.
fn solvers() -> Vec<Box<dyn Solver<Placement>>> {
    let ga = DictionaryGa { population: 6, capacity_repair: true, ..DictionaryGa::default() };
    vec![
        Box::new(Greedy::default()),
        Box::new(LocalSearch::default()),
        Box::new(Annealing::default()),
        Box::new(Memetic::default()),
        Box::new(ga),
        Box::new(DictionaryGa { variant: Variant::Standard, capacity_repair: false, ..ga }),
        Box::new(Tcga { population: 6, ..Tcga::default() }),
        Box::new(CmmaGa { capacity_repair: true, ..CmmaGa::default() }),
        Box::new(Mabc { sources: 6, ..Mabc::default() }),
        Box::new(QuotaGa { population: 6, ..QuotaGa::default() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn columns_with_a_bad_number_are_refused_and_no_others_are(input in input(1)) {
        let is_bad = input.columns().any(|number| !(0.0..=LARGEST).contains(number));
        match input.problem() {
            Ok(_) => prop_assert!(!is_bad),
            Err(PlacementError::Number { value, .. }) => prop_assert!(is_bad && !(0.0..=LARGEST).contains(&value)),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_search_ends_with_a_legal_assignment_at_any_budget(input in input(0), seed in any::<u64>()) {
        let problem = input.problem().unwrap();
        for (index, solver) in solvers().into_iter().enumerate() {
            for evaluations in [0, 1, 500, u64::MAX] {
                let looks = Cell::new(0);
                let stop = || {
                    looks.set(looks.get() + 1);
                    looks.get() > LOOKS
                };
                let budget = Budget::evaluations(evaluations).stop_when(&stop);
                let found = solver.solve(&problem, &[], budget, &mut Rng::new(seed), &mut Unobserved);
                let found = found.unwrap_or_else(|error| panic!("solver {index}: {error}"));
                // Judged as it was found: an assignment is repaired.
                prop_assert_eq!(repair::strays(&problem, &found.best.genome), 0);
                let assignment = problem.assignment(&found.best.genome);
                prop_assert_eq!(assignment.score.violation, 0.0);
                prop_assert!(assignment.score.objectives.as_slice()[0].is_finite());
                input.assert_legal(&assignment);
            }
        }
    }
}
