//! Laws of tasks on servers and of the bee colony, on random instances.
//!
//! Caps that cannot be met, caps that do not exist, tasks that take nothing are part of them.

use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::domain::{Domain, Interval};
use gantry_solver::individual::Individual;
use gantry_solver::instances::energy::EnergyInstance;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::{Genome, Move, Problem, UNASSIGNED};
use gantry_solver::problems::energy_assignment::{EnergyAssignment, EnergyColumns, TimeObjective};
use gantry_solver::problems::placement::Objective;
use gantry_solver::repair;
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::{Objectives, Score};
use gantry_solver::solver::{Evolution, SolveError, Solver};
use gantry_solver::sources::mabc::{Benefit, Mabc, Persistence, Pick, Stability, random_solution};
use proptest::prelude::*;

/// Tasks and servers whose numbers are drawn without mercy.
fn random_assignment(rng: &mut Rng, objective: TimeObjective) -> EnergyAssignment {
    let (tasks, servers) = (1 + rng.below(40) as usize, 1 + rng.below(9) as usize);
    let mut draw = |count: usize, most: f64, zeros: f64| -> Vec<f64> {
        (0..count).map(|_| if rng.chance(zeros) { 0.0 } else { most * rng.unit() }).collect()
    };
    let (energy, time) = (draw(tasks * servers, 100.0, 0.1), draw(tasks * servers, 1e-3, 0.1));
    let mut caps = draw(servers, 200.0 * tasks as f64 / servers as f64, 0.1);
    caps[0] = if caps[0] > 100.0 { f64::INFINITY } else { caps[0] };
    EnergyAssignment::new(&EnergyColumns { energy: &energy, time: &time, caps: &caps }, objective).unwrap()
}

fn instance(seed: u64) -> EnergyAssignment {
    EnergyInstance::generate(30, 5, seed).problem(TimeObjective::ALL[seed as usize % 2]).unwrap()
}

fn small() -> Mabc {
    Mabc {
        slaves: 3,
        sources: 6,
        iterations: 25,
        slave_iterations: 10,
        master_iterations: 2,
        archive: 20,
        ..Mabc::default()
    }
}

fn solve<P: Problem>(mabc: Mabc, problem: &P, seeds: &[Genome], budget: u64) -> Evolution {
    mabc.solve(problem, seeds, Budget::evaluations(budget), &mut Rng::new(5), &mut Unobserved).unwrap()
}

fn any_gene(problem: &EnergyAssignment, item: usize, rng: &mut Rng) -> u32 {
    if rng.chance(0.1) { UNASSIGNED } else { problem.domain(item).draw(rng) }
}

#[test]
fn the_score_after_a_move_is_exactly_the_score_of_the_changed_genome() {
    let mut checked = 0;
    for seed in 0..100 {
        let mut rng = Rng::stream(31, seed);
        let problem = random_assignment(&mut rng, TimeObjective::ALL[seed as usize % 2]);
        let genome: Genome = (0..problem.items()).map(|item| any_gene(&problem, item, &mut rng)).collect();
        let mut state = problem.build(&genome);
        for _ in 0..150 {
            let items = problem.items() as u32;
            let item = rng.below(items) as usize;
            let change = if rng.chance(0.5) {
                Move::Set { item, value: any_gene(&problem, item, &mut rng) }
            } else {
                Move::Swap { first: item, second: rng.below(items) as usize }
            };
            let foretold = problem.delta(&state, change).unwrap();
            problem.apply(&mut state, change);
            assert_eq!(foretold, problem.eval(&state), "seed {seed}, {change:?}");
            assert_eq!(state, problem.build(problem.genome(&state)), "seed {seed}, {change:?}");
            checked += 1;
        }
    }
    assert!(checked >= 10_000, "{checked} moves");
}

#[test]
fn random_solutions_and_repair_stay_in_the_domains() {
    for seed in 0..60 {
        let mut rng = Rng::stream(32, seed);
        let problem = random_assignment(&mut rng, TimeObjective::Sum);
        let genome: Genome = (0..problem.items()).map(|item| any_gene(&problem, item, &mut rng)).collect();
        let mut state = problem.build(&genome);
        let before = problem.eval(&state).violation;
        problem.repair(&mut state, &mut rng);
        assert!(problem.eval(&state).violation <= before, "seed {seed}");
        random_solution(&problem, &mut state, &mut rng);
        assert_eq!(repair::strays(&problem, problem.genome(&state)), 0);
        assert_eq!(state, problem.build(problem.genome(&state)));
    }
}

#[test]
fn random_solutions_keep_caps_that_leave_some_room() {
    for seed in 0..40 {
        let (problem, mut rng) = (instance(seed), Rng::new(seed));
        let mut state = problem.build(&vec![UNASSIGNED; problem.items()]);
        random_solution(&problem, &mut state, &mut rng);
        assert!(problem.eval(&state).is_feasible(), "seed {seed}");
    }
}

/// Legal, scored as it should be, and none dominated.
fn assert_sound<P: Problem>(problem: &P, found: &Evolution) {
    assert!(found.front.contains(&found.best));
    for member in &found.front {
        assert_eq!(repair::strays(problem, &member.genome), 0);
        assert_eq!(member, &Individual::evaluate(problem, member.genome.clone()));
        assert!(!found.front.iter().any(|other| other.score.dominates(&member.score)), "{member:?}");
    }
}

#[test]
fn members_are_legal_and_none_dominates_another_at_any_budget() {
    for seed in 0..20 {
        let problem = random_assignment(&mut Rng::stream(33, seed), TimeObjective::ALL[seed as usize % 2]);
        for budget in [0, 1, 17, 18, 19, 500, u64::MAX] {
            let found = solve(small(), &problem, &[], budget);
            assert_sound(&problem, &found);
            assert!(found.evaluations <= budget && found.front.len() <= 20, "seed {seed}, budget {budget}");
            let reason = if budget == u64::MAX { TerminationReason::Generations } else { TerminationReason::Budget };
            assert_eq!(found.reason, reason, "seed {seed}, budget {budget}");
        }
    }
}

#[test]
fn no_member_is_dominated_by_a_seed_however_small_the_archive() {
    for seed in 1..=12 {
        let problem = instance(seed);
        let seeds: Vec<Genome> =
            solve(small(), &problem, &[], 2_000).front.into_iter().map(|member| member.genome).collect();
        for (archive, budget) in [(1, 0), (2, 300), (3, 3_000)] {
            let found = solve(Mabc { archive, ..small() }, &problem, &seeds, budget);
            assert_sound(&problem, &found);
            for genome in &seeds {
                let score = problem.eval(&problem.build(genome));
                let beaten = found.front.iter().any(|member| score.dominates(&member.score));
                assert!(!beaten, "seed {seed}, archive {archive}, budget {budget}");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let problem = instance(4);
    let run =
        |seed| small().solve(&problem, &[], Budget::evaluations(2_000), &mut Rng::new(seed), &mut Unobserved).unwrap();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).front, run(2).front);
}

#[test]
fn with_one_objective_it_is_a_search_for_the_best() {
    let problem = generate(40, 6, 2, &GenerateOptions::default()).unwrap().placement(Objective::Sigma).unwrap();
    let mut best = Vec::new();
    let mut observer = |record: &Generation| best.push(record.best.objectives.as_slice()[0]);
    let mabc = Mabc { patience: Some(1_000), ..small() };
    let found = mabc.solve(&problem, &[], Budget::evaluations(u64::MAX), &mut Rng::new(1), &mut observer).unwrap();
    assert_eq!((found.front.len(), found.generations), (1, 25));
    assert!(found.best.score.is_feasible());
    assert!(best.is_sorted_by(|a, b| b <= a) && best[best.len() - 1] < 0.5 * best[0], "{best:?}");
    let again = solve(small(), &problem, std::slice::from_ref(&found.best.genome), 50);
    assert!(again.best.score.objectives.as_slice()[0] <= found.best.score.objectives.as_slice()[0]);
}

#[test]
fn an_instance_without_tasks_is_trivial() {
    for servers in [0, 3] {
        let problem = EnergyInstance::generate(0, servers, 1).problem(TimeObjective::Sum).unwrap();
        for budget in [0, u64::MAX] {
            let found = solve(Mabc { patience: Some(1), ..small() }, &problem, &[], budget);
            assert_eq!((found.reason, found.best.genome.len()), (TerminationReason::Trivial, 0));
        }
    }
}

#[test]
fn one_server_takes_everything() {
    let problem = EnergyInstance::generate(5, 1, 1).problem(TimeObjective::Makespan).unwrap();
    for budget in [0, u64::MAX] {
        let found = solve(small(), &problem, &[], budget);
        assert_eq!((found.front.len(), found.best.genome.as_slice()), (1, &[0; 5][..]));
    }
}

#[test]
fn caps_that_cannot_be_met_leave_the_least_violation() {
    let columns = EnergyColumns { energy: &[2.0; 12], time: &[1.0; 12], caps: &[3.0; 3] };
    let problem = EnergyAssignment::new(&columns, TimeObjective::Makespan).unwrap();
    let found = solve(small(), &problem, &[], u64::MAX);
    assert_sound(&problem, &found);
    assert!((found.best.score.violation - 0.5).abs() < 1e-9, "{:?}", found.best);
}

#[test]
fn a_stop_ends_the_search_with_what_was_found() {
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 6
    };
    let problem = instance(1);
    let budget = Budget::evaluations(u64::MAX).stop_when(&stop);
    let mabc = Mabc { iterations: u64::MAX, ..small() };
    let found = mabc.solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
    assert_eq!(found.reason, TerminationReason::Stopped);
    assert!(found.front.len() > 1);
    assert_sound(&problem, &found);
}

#[test]
fn it_ends_when_nothing_is_gained_or_gains_are_not_worth_their_cost() {
    let problem = EnergyInstance::generate(6, 2, 1).problem(TimeObjective::Sum).unwrap();
    let endless = Mabc { iterations: u64::MAX, ..small() };
    let benefit = |cost_per_round, value_per_volume| Some(Benefit { cost_per_round, value_per_volume });
    let reason = |mabc: Mabc| solve(mabc, &problem, &[], 2_000_000).reason;
    assert_eq!(reason(Mabc { patience: Some(4), ..endless }), TerminationReason::Stalled);
    assert_eq!(reason(Mabc { benefit: benefit(1e-9, 1.0), ..endless }), TerminationReason::NotWorthwhile);
    let free = Mabc { benefit: benefit(0.0, 1.0), iterations: 300, ..endless };
    assert_eq!(reason(free), TerminationReason::Generations, "what costs nothing is always worth it");
    let worthless = solve(Mabc { benefit: benefit(1.0, 0.0), ..endless }, &problem, &[], 2_000_000);
    assert_eq!((worthless.reason, worthless.generations), (TerminationReason::NotWorthwhile, 10));
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let benefit = |cost_per_round, value_per_volume| Some(Benefit { cost_per_round, value_per_volume });
    let stable = |rule| Mabc { pick: Pick::Stable(rule), ..small() };
    let faults = [
        ("slaves", Mabc { slaves: 0, ..small() }),
        ("sources", Mabc { sources: 1, ..small() }),
        ("slave_iterations", Mabc { slave_iterations: 0, ..small() }),
        ("archive", Mabc { archive: 0, ..small() }),
        ("change", Mabc { change: f64::NAN, ..small() }),
        ("onlookers", Mabc { onlookers: -1.0, ..small() }),
        ("patience", Mabc { patience: Some(0), ..small() }),
        ("least_gain", Mabc { least_gain: f64::INFINITY, ..small() }),
        ("cost_per_round", Mabc { benefit: benefit(-1.0, 1.0), ..small() }),
        ("value_per_volume", Mabc { benefit: benefit(1.0, f64::NAN), ..small() }),
        ("window", stable(Stability { window: 0, ..Stability::default() })),
        ("falling", stable(Stability { falling: 0.1, ..Stability::default() })),
        ("rising", stable(Stability { rising: f64::NAN, ..Stability::default() })),
        ("least_performance", stable(Stability { least_performance: -1.0, ..Stability::default() })),
    ];
    for (expected, mabc) in faults {
        let error =
            mabc.solve(&instance(1), &[], Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved).unwrap_err();
        assert!(matches!(error, SolveError::Parameter { name, .. } if name == expected), "{expected}: {error}");
    }
}

#[test]
fn a_seed_of_the_wrong_length_is_refused_and_one_with_gaps_is_filled_in() {
    let problem = instance(2);
    let seeds = [vec![0; 3]];
    let error = small().solve(&problem, &seeds, Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved);
    assert_eq!(error, Err(SolveError::SeedLength { expected: 30, found: 3 }));
    let gaps: Genome = (0..30).map(|item| if item % 3 == 0 { 99 } else { item % 5 }).collect();
    let found = solve(small(), &problem, std::slice::from_ref(&gaps), 0);
    assert!((0..30).all(|item| item % 3 == 0 || found.best.genome[item] == gaps[item]));
    assert_sound(&problem, &found);
}

/// Three objectives, levels for values, one of which has no score, and no exchanges.
struct Levels(usize);

impl Problem for Levels {
    type State = Genome;

    fn items(&self) -> usize {
        self.0
    }

    fn domain(&self, _item: usize) -> Domain<'_> {
        Domain::Interval(Interval::new(-1.0, 1.0, 0.25).unwrap())
    }

    fn objectives(&self) -> usize {
        3
    }

    fn build(&self, genome: &[u32]) -> Genome {
        genome.to_vec()
    }

    fn genome<'a>(&self, state: &'a Genome) -> &'a [u32] {
        state
    }

    fn eval(&self, state: &Genome) -> Score {
        let levels = || state.iter().filter(|&&gene| gene != UNASSIGNED).map(|&gene| f64::from(gene) - 4.0);
        let square = |about: f64| levels().map(|level| (level - about) * (level - about)).sum::<f64>();
        Score { violation: 0.0, objectives: Objectives::new(&[square(-1.0), square(2.0), levels().sum()]) }
    }

    fn delta(&self, state: &Genome, change: Move) -> Option<Score> {
        let Move::Set { value, .. } = change else { return None };
        let mut after = state.clone();
        self.apply(&mut after, change);
        (value != 3).then(|| self.eval(&after))
    }

    fn apply(&self, state: &mut Genome, change: Move) {
        if let Move::Set { item, value } = change {
            state[item] = value;
        }
    }

    fn heuristic(&self, _state: &Genome, _item: usize, _value: u32) -> f64 {
        1.0
    }
}

#[test]
fn three_objectives_that_may_be_negative_have_a_front_too() {
    let found = solve(Mabc { patience: Some(50), ..small() }, &Levels(6), &[], u64::MAX);
    assert_sound(&Levels(6), &found);
    assert!(found.front.len() > 10, "{}", found.front.len());
}

fn any_pick() -> impl Strategy<Value = Pick> {
    let stable = (1_u64..5, -0.5..0.0_f64, 0.0..0.5_f64, 0.0..2.0_f64, any::<bool>()).prop_map(
        |(window, falling, rising, least_performance, longest)| {
            let persistence = if longest { Persistence::Longest } else { Persistence::Shortest };
            Pick::Stable(Stability { window, falling, rising, least_performance, persistence })
        },
    );
    prop_oneof![Just(Pick::Knee), stable]
}

prop_compose! {
    fn any_mabc()(
        (slaves, sources, archive) in (1_usize..5, 2_usize..12, 1_usize..12),
        (iterations, slave_iterations, master_iterations) in (0_u64..30, 1_u64..12, 0_u64..4),
        (change, onlookers, patience) in (0.0..=1.0_f64, 0.0..3.0_f64, prop::option::of(1_u64..4)),
        benefit in prop::option::of((0.0..2.0_f64, 0.0..2.0_f64)),
        pick in any_pick(),
        single in any::<bool>(),
    ) -> Mabc {
        let benefit = benefit.map(|(cost_per_round, value_per_volume)| Benefit { cost_per_round, value_per_volume });
        let scalarisation = single.then_some(Scalarisation::Single(0));
        Mabc {
            slaves, sources, iterations, slave_iterations, master_iterations, archive, change, onlookers, patience,
            benefit, pick, scalarisation, least_gain: 0.0,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_sound_parameter_gives_a_sound_front(mabc in any_mabc(), seed in any::<u64>(), budget in 0_u64..3_000) {
        let problem = random_assignment(&mut Rng::new(seed), TimeObjective::ALL[(seed % 2) as usize]);
        let found = solve(mabc, &problem, &[], budget);
        assert_sound(&problem, &found);
        prop_assert!(found.evaluations <= budget && found.front.len() <= mabc.archive);
        prop_assert!(found.generations <= mabc.iterations);
    }

    #[test]
    fn any_numbers_make_a_problem_or_an_error_that_names_one(
        energy in prop::collection::vec(any::<f64>(), 0..7),
        time in prop::collection::vec(any::<f64>(), 0..7),
        caps in prop::collection::vec(any::<f64>(), 0..4),
    ) {
        let columns = EnergyColumns { energy: &energy, time: &time, caps: &caps };
        if let Ok(problem) = EnergyAssignment::new(&columns, TimeObjective::Sum) {
            let score = problem.eval(&problem.build(&vec![0; problem.items()]));
            prop_assert!(score.violation >= 0.0 && score.objectives.as_slice().iter().all(|f| f.is_finite()));
        }
    }

    #[test]
    fn extreme_numbers_keep_sums_exact(
        pairs in prop::collection::vec((0..1_074_u64, 0..1_u64 << 52), 8..=8),
        genome in prop::collection::vec(0_u32..2, 4..=4),
    ) {
        let number = |&(exponent, bits): &(u64, u64)| f64::from_bits(exponent << 52 | bits).min(9e15);
        let numbers: Vec<f64> = pairs.iter().map(number).collect();
        let columns = EnergyColumns { energy: &numbers, time: &numbers, caps: &[1.0, f64::INFINITY] };
        let problem = EnergyAssignment::new(&columns, TimeObjective::Makespan).unwrap();
        let mut state = problem.build(&[0; 4]);
        for (item, &value) in genome.iter().enumerate() {
            let change = Move::Set { item, value };
            let foretold = problem.delta(&state, change).unwrap();
            problem.apply(&mut state, change);
            prop_assert_eq!(foretold, problem.eval(&problem.build(problem.genome(&state))));
        }
    }
}
