//! Laws of problems and operators, on random clusters.
//!
//! With and without terms and rules between pods.

use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::{Move, Problem, UNASSIGNED};
use gantry_solver::problems::placement::{Objective, Placement};
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::sources::dictionary_ga::{DictionaryGa, Variant};
use gantry_solver::{budget::Budget, greedy::Greedy, local_search::LocalSearch, mutation, repair, solver::Solver};

use crate::clusters::{self, any_genome, any_move};

/// To 1e-9 of the value, or 1e-12 where it is next to nothing: differences of squared loads end there.
fn assert_close(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3), "{what}: {a} != {b}");
}

#[test]
fn the_score_after_a_move_is_the_score_of_the_changed_genome() {
    let mut checked = 0;
    for seed in 0..300 {
        let mut rng = Rng::stream(11, seed);
        let problem = clusters::any(&mut rng, seed);
        if problem.items() == 0 {
            continue;
        }
        let genome = any_genome(&problem, &mut rng);
        let mut state = problem.build(&genome);
        for _ in 0..120 {
            let change = any_move(&problem, &mut rng);
            let foretold = problem.delta(&state, change).unwrap();
            problem.apply(&mut state, change);
            let incremental = problem.eval(&state);
            let full = problem.eval(&problem.build(problem.genome(&state)));
            for (other, what) in [(&incremental, "state"), (&full, "full evaluation")] {
                assert_close(foretold.violation, other.violation, what);
                assert_eq!(foretold.is_feasible(), other.is_feasible(), "{what}");
                assert_close(foretold.objectives.as_slice()[0], other.objectives.as_slice()[0], what);
            }
            checked += 1;
        }
    }
    assert!(checked >= 30_000, "{checked} moves");
}

#[test]
fn a_million_moves_leave_no_more_than_rounding_behind() {
    for seed in [0, 3, 6] {
        let mut rng = Rng::stream(16, seed);
        let problem = clusters::any(&mut rng, seed);
        let mut state = problem.build(&any_genome(&problem, &mut rng));
        for _ in 0..1_100_000 {
            problem.apply(&mut state, any_move(&problem, &mut rng));
        }
        let (kept, full) = (problem.eval(&state), problem.eval(&problem.build(problem.genome(&state))));
        assert_close(kept.violation, full.violation, "violation");
        assert_close(kept.objectives.as_slice()[0], full.objectives.as_slice()[0], "objective");
        assert_eq!(problem.measures(&state).surplus, problem.measures(&problem.build(problem.genome(&state))).surplus);
    }
}

#[test]
fn a_promising_delta_is_the_delta_and_missing_only_where_limits_break_further() {
    for seed in 0..100 {
        let mut rng = Rng::stream(15, seed);
        let problem = clusters::any(&mut rng, seed);
        if problem.items() == 0 {
            continue;
        }
        let feasible = problem.seed(&problem.assignment(&any_genome(&problem, &mut rng)).row_by_pod).unwrap();
        for genome in [any_genome(&problem, &mut rng), feasible] {
            let mut state = problem.build(&genome);
            for _ in 0..60 {
                let change = any_move(&problem, &mut rng);
                let delta = problem.delta(&state, change).unwrap();
                match problem.promising_delta(&state, change) {
                    Some(promising) => assert_eq!(promising, delta),
                    None => assert!(delta.violation > problem.eval(&state).violation),
                }
                if delta.is_feasible() || rng.chance(0.2) {
                    problem.apply(&mut state, change);
                }
            }
        }
    }
}

#[test]
fn a_cost_is_the_deltas_and_missing_only_where_the_value_is_above_the_most() {
    let by = Scalarisation::default();
    let mut refused = 0;
    for seed in 0..100 {
        let mut rng = Rng::stream(16, seed);
        let problem = clusters::any(&mut rng, seed);
        if problem.items() == 0 {
            continue;
        }
        let mut state = problem.build(&any_genome(&problem, &mut rng));
        for _ in 0..60 {
            let change = any_move(&problem, &mut rng);
            let (most, delta) =
                (by.cost(&problem.eval(&state)).value, by.cost(&problem.delta(&state, change).unwrap()));
            assert_eq!(problem.delta_cost(&state, change, &by, f64::INFINITY), Some(delta));
            match problem.delta_cost(&state, change, &by, most) {
                Some(cost) => assert_eq!(cost, delta),
                None => assert!(delta.value > most),
            }
            refused += u32::from(problem.delta_cost(&state, change, &by, most).is_none());
            problem.apply(&mut state, change);
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn the_best_value_is_the_one_that_trying_all_would_find() {
    let by = Scalarisation::default();
    for seed in 0..300 {
        let mut rng = Rng::stream(14, seed);
        let problem = clusters::any(&mut rng, seed);
        let mut genome = any_genome(&problem, &mut rng);
        for item in 0..problem.items() {
            genome[item] = UNASSIGNED;
            let state = problem.build(&genome);
            let cost = |value| by.cost(&problem.delta(&state, Move::Set { item, value }).unwrap());
            let all = problem.domain(item);
            let least = (0..all.len()).map(|index| cost(all.value(index))).min().unwrap();
            let found = cost(problem.best_value(&state, item, &by).unwrap().value);
            assert_close(found.violation, least.violation, "violation");
            assert_close(found.value, least.value, "value");
        }
    }
}

#[test]
fn a_move_changes_the_genome_as_it_says() {
    let problem = clusters::plain(&mut Rng::new(2), Objective::Sigma);
    let mut state = problem.build(&vec![UNASSIGNED; problem.items()]);
    problem.apply(&mut state, Move::Set { item: 0, value: 1 });
    problem.apply(&mut state, Move::Swap { first: 0, second: 1 });
    assert_eq!(problem.genome(&state)[..2], [UNASSIGNED, 1]);
}

#[test]
fn mutation_and_repair_stay_in_the_domains() {
    for seed in 0..50 {
        let mut rng = Rng::stream(12, seed);
        let problem = clusters::any(&mut rng, seed);
        let mut genome = any_genome(&problem, &mut rng);
        let legal: Vec<bool> = (0..genome.len()).map(|item| problem.domain(item).contains(genome[item])).collect();
        let before = genome.clone();
        repair::into_domains(&problem, &mut genome, &mut rng);
        assert_eq!(repair::strays(&problem, &genome), 0);
        assert!((0..genome.len()).all(|item| !legal[item] || genome[item] == before[item]), "legal genes stay");
        mutation::inside(&problem, &mut genome, 0.5, &mut rng);
        assert_eq!(repair::strays(&problem, &genome), 0);
        let mut state = problem.build(&genome);
        problem.repair(&mut state, &mut rng);
        assert_eq!(repair::strays(&problem, problem.genome(&state)), 0);
    }
}

#[test]
fn capacity_repair_never_adds_to_the_violation() {
    for seed in 0..50 {
        let instance = generate(40, 6, seed, &GenerateOptions { fill: 0.7, ..GenerateOptions::default() }).unwrap();
        let problem = instance.placement(Objective::Sigma).unwrap();
        let mut rng = Rng::new(seed);
        let genome: Vec<u32> = (0..problem.items()).map(|item| problem.domain(item).draw(&mut rng)).collect();
        let mut state = problem.build(&genome);
        let before = problem.eval(&state).violation;
        problem.repair(&mut state, &mut rng);
        assert!(problem.eval(&state).violation <= before, "seed {seed}");
    }
}

#[test]
fn every_result_is_legal_and_its_score_is_its_own() {
    for seed in 0..30 {
        let mut rng = Rng::stream(13, seed);
        let problem = clusters::any(&mut rng, seed);
        let ga = DictionaryGa { population: 10, generations: 10, capacity_repair: true, ..DictionaryGa::default() };
        let standard = DictionaryGa { variant: Variant::Standard, capacity_repair: false, ..ga };
        let solvers: [&dyn Solver<Placement>; 4] = [&Greedy::default(), &LocalSearch::default(), &ga, &standard];
        for solver in solvers {
            let found = solver.solve(&problem, &[], Budget::evaluations(3_000), &mut rng, &mut Unobserved).unwrap();
            assert_eq!(repair::strays(&problem, &found.best.genome), 0);
            let score = problem.eval(&problem.build(&found.best.genome));
            assert_close(score.violation, found.best.score.violation, "violation");
            assert_close(score.objectives.as_slice()[0], found.best.score.objectives.as_slice()[0], "objective");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let problem = generate(60, 8, 1, &GenerateOptions::default()).unwrap().placement(Objective::Balanced).unwrap();
    let ga = DictionaryGa { generations: 30, ..DictionaryGa::default() };
    let solvers: [&dyn Solver<Placement>; 2] = [&LocalSearch::default(), &ga];
    for solver in solvers {
        let run = |seed| {
            solver.solve(&problem, &[], Budget::evaluations(2_000), &mut Rng::new(seed), &mut Unobserved).unwrap()
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5).best.genome, run(6).best.genome);
    }
}
