//! Rules between pods, against a count that knows nothing but their definition.

use gantry_solver::budget::Budget;
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::{Problem, UNASSIGNED};
use gantry_solver::problems::placement::{Force, Groups, Limit, Objective, Placement, Rule};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::dictionary_ga::DictionaryGa;

use crate::clusters::{OwnedGroups, any_genome, any_move, plain_with_live_rows};

/// A cluster with rules, and what they are.
fn bound(seed: u64, stream: u64) -> (Placement, OwnedGroups, Vec<bool>, Rng) {
    let mut rng = Rng::stream(stream, seed);
    let (problem, live) = plain_with_live_rows(&mut rng, Objective::Balanced);
    let groups = OwnedGroups::draw(&mut rng, &problem);
    (groups.bind(problem), groups, live, rng)
}

fn row_by_pod(problem: &Placement, genome: &[u32]) -> Vec<Option<u32>> {
    let mut rows = vec![None; problem.pods()];
    for (item, &gene) in genome.iter().enumerate() {
        rows[problem.pod(item) as usize] = Some(gene).filter(|&gene| gene != UNASSIGNED);
    }
    rows
}

#[test]
fn surplus_and_penalty_are_those_of_the_definition_after_any_moves() {
    let mut broken = 0;
    for seed in 0..200 {
        let (problem, groups, live, mut rng) = bound(seed, 21);
        if problem.items() == 0 {
            continue;
        }
        let mut state = problem.build(&any_genome(&problem, &mut rng));
        for _ in 0..100 {
            let change = any_move(&problem, &mut rng);
            problem.apply(&mut state, change);
            let measures = problem.measures(&state);
            let (surplus, penalty) = groups.surplus(&row_by_pod(&problem, problem.genome(&state)), &live);
            assert_eq!(measures.surplus, surplus, "seed {seed}");
            assert!((measures.penalty - penalty).abs() < 1e-9, "seed {seed}");
            assert_eq!(measures, problem.measures(&state.clone()));
            broken += u32::from(surplus > 0);
        }
    }
    assert!((2_000..18_000).contains(&broken), "{broken} states break a rule");
}

#[test]
fn every_assignment_keeps_every_hard_rule_and_capacity() {
    let (mut placed, mut unplaced) = (0, 0);
    for seed in 0..300 {
        let (problem, groups, live, mut rng) = bound(seed, 22);
        let assignment = problem.assignment(&any_genome(&problem, &mut rng));
        assert_eq!(assignment.score.violation, 0.0, "seed {seed}");
        assert_eq!(groups.surplus(&assignment.row_by_pod, &live).0, 0, "seed {seed}");
        placed += assignment.row_by_pod.iter().flatten().count();
        unplaced += assignment.unplaced.len();
    }
    assert!(placed > unplaced, "{placed} placed, {unplaced} not");
}

#[test]
fn repair_never_adds_to_the_violation() {
    for seed in 0..200 {
        let (problem, _, _, mut rng) = bound(seed, 23);
        let legal: Vec<u32> = (0..problem.items()).map(|item| problem.domain(item).draw(&mut rng)).collect();
        let mut state = problem.build(&legal);
        let violation = problem.eval(&state).violation;
        problem.repair(&mut state, &mut rng);
        assert!(problem.eval(&state).violation <= violation * (1.0 + 1e-9), "seed {seed}");
    }
}

/// A cluster with room: even groups of twelve must not share a node, odd ones must spread over the three zones.
fn replicas(seed: u64, force: Force) -> Placement {
    let instance = generate(120, 24, seed, &GenerateOptions { fill: 0.4, ..GenerateOptions::default() }).unwrap();
    let nodes: Vec<u32> = (0..24).collect();
    let zones: Vec<u32> = instance.zone_by_node.iter().map(|&zone| u32::from(zone)).collect();
    let free = |pod: &u32| instance.allowed(*pod as usize).len() >= 16;
    let groups: Vec<Vec<u32>> = (0..10).map(|group| (12 * group..12 * (group + 1)).filter(free).collect()).collect();
    let limits = [(0, Limit::AtMost(1)), (1, Limit::Skew(1))].into_iter().cycle();
    let rule = |(pods, (topology, limit))| Rule { topology, pods, existing: &[], limit, force };
    let rules: Vec<Rule<'_>> = groups.iter().map(Vec::as_slice).zip(limits).map(rule).collect();
    let groups = Groups { topologies: &[&nodes, &zones], rules: &rules };
    instance.placement(Objective::Balanced).unwrap().with_groups(&groups).unwrap()
}

#[test]
fn repair_ends_all_surplus_where_there_is_room() {
    for seed in 0..20 {
        let (problem, mut rng) = (replicas(seed, Force::Hard), Rng::new(seed));
        let legal: Vec<u32> = (0..problem.items()).map(|item| problem.domain(item).draw(&mut rng)).collect();
        let mut state = problem.build(&legal);
        assert!(problem.measures(&state).surplus > 10, "seed {seed}");
        problem.repair(&mut state, &mut rng);
        assert_eq!(problem.eval(&state).violation, 0.0, "seed {seed}");
    }
}

#[test]
fn searches_keep_rules_and_place_every_pod() {
    for seed in 0..5 {
        let problem = replicas(seed, Force::Hard);
        let ga = DictionaryGa { generations: 20, capacity_repair: true, ..DictionaryGa::default() };
        let solvers: [&dyn Solver<Placement>; 3] = [&Greedy::default(), &LocalSearch::default(), &ga];
        for solver in solvers {
            let budget = Budget::evaluations(20_000);
            let found = solver.solve(&problem, &[], budget, &mut Rng::new(seed), &mut Unobserved).unwrap();
            assert_eq!(found.best.score.violation, 0.0, "seed {seed}");
            assert!(problem.assignment(&found.best.genome).unplaced.is_empty(), "seed {seed}");
        }
    }
}

#[test]
fn a_heavy_soft_rule_is_kept_and_a_light_one_gives_way() {
    let solve = |weight: f64| {
        let problem = replicas(1, Force::Soft(weight));
        let budget = Budget::evaluations(200_000);
        let found = LocalSearch::default().solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
        problem.measures(&problem.build(&found.best.genome)).penalty / weight
    };
    assert_eq!(solve(1_000.0), 0.0);
    assert!(solve(1e-9) >= 1.0);
}
