//! Laws of service composition, and of the ants on every kind of problem.

use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::domain::{Domain, DomainClass, Interval};
use gantry_solver::instances::{GenerateOptions, generate, qos};
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::{Move, Problem, UNASSIGNED};
use gantry_solver::problems::placement::Objective;
use gantry_solver::problems::qos_composition::{Bound, Edge, QosComposition};
use gantry_solver::repair::strays;
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::{Cost, Objectives, Score};
use gantry_solver::solver::{Evolution, SolveError, Solver};
use gantry_solver::sources::cmma_ga::CmmaGa;
use gantry_solver::sources::cmma_ga::fitness::Fitness;
use proptest::prelude::*;

/// Few ants for few iterations.
const SHORT: fn() -> CmmaGa = || CmmaGa { initial: 12, ants: 6, iterations: 4, ..CmmaGa::default() };

/// Services with terms, edges and bounds drawn without mercy.
fn random_composition(rng: &mut Rng) -> QosComposition {
    let counts: Vec<usize> = (0..=rng.below(12)).map(|_| 1 + rng.below(9) as usize).collect();
    let draw = |rng: &mut Rng, count: usize, scale: f64| -> Vec<f64> {
        (0..count).map(|_| if rng.chance(0.1) { 0.0 } else { scale * rng.unit() }).collect()
    };
    let scale = [1e-6, 1.0, 1e9][rng.below(3) as usize];
    let columns = |rng: &mut Rng, scale| counts.iter().map(|&count| draw(rng, count, scale)).collect::<Vec<_>>();
    let quality = columns(rng, scale);
    let pairs = (0..counts.len()).flat_map(|to| (0..to).map(move |from| (from, to)));
    let pairs: Vec<_> = pairs.filter(|_| rng.chance(0.4)).collect();
    let edge = |&(from, to): &(usize, usize)| Edge { from, to, quality: draw(rng, counts[from] * counts[to], scale) };
    let edges: Vec<Edge> = pairs.iter().map(edge).collect();
    let mut bound = |tightness: f64| Bound { amounts: columns(rng, 7.0), limit: tightness * counts.len() as f64 };
    let bounds = [bound(1.0), bound(3.5)];
    QosComposition::new(&quality, &edges, &bounds).unwrap()
}

fn any_gene(problem: &QosComposition, item: usize, rng: &mut Rng) -> u32 {
    if rng.chance(0.1) { UNASSIGNED } else { problem.domain(item).draw(rng) }
}

fn cost(found: &Evolution) -> Cost {
    Scalarisation::default().cost(&found.best.score)
}

fn solve<P: Problem>(ga: &CmmaGa, problem: &P, budget: u64, seed: u64) -> Evolution {
    ga.solve(problem, &[], Budget::evaluations(budget), &mut Rng::new(seed), &mut Unobserved).unwrap()
}

/// Terms lie on a grid, so even the last bit agrees.
#[test]
fn the_score_after_a_move_is_exactly_that_of_the_changed_composition() {
    for seed in 0..100 {
        let mut rng = Rng::stream(41, seed);
        let problem = random_composition(&mut rng);
        let genome: Vec<u32> = (0..problem.items()).map(|item| any_gene(&problem, item, &mut rng)).collect();
        let mut state = problem.build(&genome);
        for _ in 0..120 {
            let item = rng.below(problem.items() as u32) as usize;
            let change = Move::Set { item, value: any_gene(&problem, item, &mut rng) };
            let foretold = problem.delta(&state, change).unwrap();
            problem.apply(&mut state, change);
            assert_eq!(foretold, problem.eval(&state), "seed {seed}");
            assert_eq!(foretold, problem.eval(&problem.build(problem.genome(&state))), "seed {seed}");
        }
    }
}

#[test]
fn the_best_replica_costs_no_more_than_any_other_and_all_attract() {
    for seed in 0..50 {
        let mut rng = Rng::stream(42, seed);
        let problem = random_composition(&mut rng);
        let mut genome: Vec<u32> = (0..problem.items()).map(|item| any_gene(&problem, item, &mut rng)).collect();
        let item = rng.below(problem.items() as u32) as usize;
        genome[item] = UNASSIGNED;
        let (state, by) = (problem.build(&genome), Scalarisation::default());
        let cost = |value| by.cost(&problem.delta(&state, Move::Set { item, value }).unwrap());
        let best = problem.best_value(&state, item, &by).unwrap().value;
        for value in 0..problem.domain(item).len() {
            assert!(cost(best) <= cost(value) && problem.heuristic(&state, item, value) > 0.0);
        }
    }
}

#[test]
fn repair_stays_in_the_domains_and_never_adds_to_the_violation() {
    for seed in 0..50 {
        let mut rng = Rng::stream(43, seed);
        let problem = random_composition(&mut rng);
        let genome: Vec<u32> = (0..problem.items()).map(|item| problem.domain(item).draw(&mut rng)).collect();
        let mut state = problem.build(&genome);
        let before = problem.eval(&state).violation;
        problem.repair(&mut state, &mut rng);
        assert!(problem.eval(&state).violation <= before);
        assert_eq!(strays(&problem, problem.genome(&state)), 0);
    }
}

/// Grid levels to bring close to a target; each item's context is the next one, and the last one's the first: a circle.
struct Levels {
    intervals: Vec<Interval>,
    target: f64,
    circle: bool,
}

impl Levels {
    fn new(items: usize, levels: u32, target: f64) -> Self {
        let interval = Interval::new(0.0, f64::from(levels) - 1.0, 1.0).unwrap();
        Self { intervals: vec![interval; items], target, circle: false }
    }
}

impl Problem for Levels {
    type State = Vec<u32>;

    fn items(&self) -> usize {
        self.intervals.len()
    }

    fn domain(&self, item: usize) -> Domain<'_> {
        Domain::Interval(self.intervals[item])
    }

    fn objectives(&self) -> usize {
        1
    }

    fn context(&self, item: usize) -> Option<usize> {
        self.circle.then_some((item + 1) % self.items())
    }

    fn build(&self, genome: &[u32]) -> Vec<u32> {
        genome.to_vec()
    }

    fn genome<'a>(&self, state: &'a Vec<u32>) -> &'a [u32] {
        state
    }

    fn eval(&self, state: &Vec<u32>) -> Score {
        let distance = |&gene: &u32| (f64::from(gene) - self.target).abs();
        Score { violation: 0.0, objectives: Objectives::single(state.iter().map(distance).sum()) }
    }

    fn delta(&self, state: &Vec<u32>, change: Move) -> Option<Score> {
        let mut changed = state.clone();
        self.apply(&mut changed, change);
        Some(self.eval(&changed))
    }

    fn apply(&self, state: &mut Vec<u32>, change: Move) {
        match change {
            Move::Set { item, value } => state[item] = value,
            Move::Swap { first, second } => state.swap(first, second),
        }
    }

    fn heuristic(&self, _state: &Vec<u32>, _item: usize, _value: u32) -> f64 {
        1.0
    }
}

#[test]
fn fine_grids_are_walked_on_64_levels_and_circles_of_contexts_are_cut() {
    for circle in [false, true] {
        let problem = Levels { circle, ..Levels::new(5, 1_000_000, 420_000.0) };
        // Walks alone, so what is better than the first vectors lies on their levels.
        let walking = CmmaGa { genetic_rounds: 0, table: 0, best_interval: 1, ..CmmaGa::default() };
        let first = solve(&CmmaGa { iterations: 0, ..walking }, &problem, u64::MAX, 1);
        let found = solve(&walking, &problem, u64::MAX, 1);
        assert!(cost(&found) < cost(&first), "circle {circle}: {found:?} after {first:?}");
        let is_level =
            |gene: &u32| (0..64).any(|level| (f64::from(level) * 999_999.0 / 63.0).round() == f64::from(*gene));
        assert!(found.best.genome.iter().all(is_level), "{:?}", found.best.genome);
    }
}

#[test]
fn ants_place_pods_in_their_domains_and_within_capacity() {
    for seed in 1..=5 {
        let instance = generate(60, 8, seed, &GenerateOptions { fill: 0.6, ..GenerateOptions::default() }).unwrap();
        let problem = instance.placement(Objective::Sigma).unwrap();
        let ga = CmmaGa { iterations: 20, capacity_repair: true, ..CmmaGa::default() };
        let found = solve(&ga, &problem, u64::MAX, seed);
        assert!(found.best.score.is_feasible() && instance.is_feasible(&found.best.genome), "seed {seed}");
        let start = solve(&CmmaGa { iterations: 0, ..ga }, &problem, u64::MAX, seed);
        assert!(cost(&found).value < 0.7 * cost(&start).value, "seed {seed}: {:?} to {:?}", cost(&start), cost(&found));
        // Without repair the search itself has to come by room.
        let unaided = solve(&CmmaGa { capacity_repair: false, ..ga }, &problem, u64::MAX, seed);
        let drawn =
            solve(&CmmaGa { initial: 30, iterations: 0, capacity_repair: false, ..ga }, &problem, u64::MAX, seed);
        assert_eq!(strays(&problem, &unaided.best.genome), 0);
        assert!(cost(&unaided) < cost(&drawn), "seed {seed}");
    }
}

#[test]
fn ants_find_the_best_composition_of_a_small_graph_and_keep_its_bounds() {
    let mut bounded = 0;
    for seed in 0..30 {
        let mut rng = Rng::stream(44, seed);
        let problem = random_composition(&mut rng);
        let space: u64 = (0..problem.items()).map(|item| u64::from(problem.domain(item).len())).product();
        if space > 2_000 {
            continue;
        }
        let mut genome = vec![0; problem.items()];
        let mut least = Cost::WORST;
        for mut index in 0..space {
            for (item, gene) in genome.iter_mut().enumerate() {
                let values = u64::from(problem.domain(item).len());
                (*gene, index) = ((index % values) as u32, index / values);
            }
            least = least.min(Scalarisation::default().cost(&problem.eval(&problem.build(&genome))));
        }
        let found = solve(&CmmaGa { capacity_repair: true, ..CmmaGa::default() }, &problem, u64::MAX, seed);
        assert_eq!(cost(&found), least, "seed {seed}");
        bounded += u32::from(least.violation == 0.0);
    }
    assert!(bounded >= 5, "only {bounded} instances could be met");
}

#[test]
fn an_iteration_costs_what_its_steps_say() {
    let problem = qos::generate(10, 20, 1).chain(&[]).unwrap();
    let mut records = Vec::new();
    let mut observer = |record: &Generation| records.push(*record);
    let budget = Budget::evaluations(u64::MAX);
    let found = CmmaGa::default().solve(&problem, &[], budget, &mut Rng::new(1), &mut observer).unwrap();
    // 100 at the start; then five rounds of 30, 30 walks, and three exemplars that meet 29 others.
    assert_eq!((found.evaluations, found.generations), (100 + 100 * (5 * 30 + 30 + 3 * 29), 100));
    assert!(records.iter().enumerate().all(|(index, record)| record.evaluations == 100 + 267 * index as u64));
    assert!(records.is_sorted_by(|a, b| b.lowest <= a.lowest));
    assert_eq!(records.last().unwrap().best, found.best.score);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let problem = qos::generate(20, 10, 1).chain(&[]).unwrap();
    for fitness in [Fitness::Gain, Fitness::Negated] {
        let run = |seed| solve(&CmmaGa { fitness, ..SHORT() }, &problem, u64::MAX, seed);
        assert_eq!(run(5), run(5));
        assert_ne!(run(5).best.genome, run(6).best.genome);
    }
}

#[test]
fn ants_are_never_worse_than_their_seed_at_any_budget() {
    for seed in 1..=10 {
        let problem = random_composition(&mut Rng::stream(45, seed));
        let start = solve(&CmmaGa::default(), &problem, u64::MAX, seed);
        for budget in [0, 3, 500] {
            let seeds = [vec![UNASSIGNED; problem.items()], start.best.genome.clone()];
            let budget = Budget::evaluations(budget);
            let found = SHORT().solve(&problem, &seeds, budget, &mut Rng::new(seed), &mut Unobserved).unwrap();
            assert!(cost(&found) <= cost(&start), "seed {seed}, {budget:?}");
        }
    }
}

#[test]
fn nothing_to_decide_is_trivial_and_one_value_is_the_answer() {
    let none = QosComposition::new(&[], &[], &[]).unwrap();
    let single = QosComposition::chain(&[vec![0.5], vec![0.25]], vec![vec![1.0]], &[]).unwrap();
    for budget in [0, u64::MAX] {
        let found = solve(&SHORT(), &none, budget, 1);
        assert_eq!((found.reason, found.best.genome.len()), (TerminationReason::Trivial, 0));
        let found = solve(&SHORT(), &single, budget, 1);
        assert_eq!((found.best.genome.as_slice(), cost(&found).value), (&[0, 0][..], -1.75));
    }
    assert_eq!(solve(&SHORT(), &Levels::new(3, 1, 5.0), 1_000, 1).best.genome, [0; 3]);
}

#[test]
fn a_stop_from_outside_is_obeyed() {
    let problem = qos::generate(20, 10, 1).chain(&[]).unwrap();
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 3
    };
    let ga = CmmaGa { iterations: u64::MAX, ..CmmaGa::default() };
    let budget = Budget::evaluations(u64::MAX).stop_when(&stop);
    let found = ga.solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
    assert_eq!(found.reason, TerminationReason::Stopped);
    assert!(found.evaluations < 1_000);
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let sound = CmmaGa::default();
    let faults = [
        ("initial", CmmaGa { initial: 29, ..sound }),
        ("ants", CmmaGa { ants: 0, table: 0, ..sound }),
        ("genetic_rounds", CmmaGa { genetic_rounds: 1_001, ..sound }),
        ("crossover_rate", CmmaGa { crossover_rate: -0.1, ..sound }),
        ("mutation_rate", CmmaGa { mutation_rate: Some(f64::NAN), ..sound }),
        ("walks", CmmaGa { walks: 1_001, ..sound }),
        ("walks", CmmaGa { walks: 0, genetic_rounds: 0, table: 0, ..sound }),
        ("alpha", CmmaGa { alpha: 17, ..sound }),
        ("beta", CmmaGa { beta: 17, ..sound }),
        ("evaporation", CmmaGa { evaporation: 0.0, ..sound }),
        ("local_evaporation", CmmaGa { local_evaporation: f64::NAN, ..sound }),
        ("table", CmmaGa { table: 16, ..sound }),
        ("extra_gene_rate", CmmaGa { extra_gene_rate: 2.0, ..sound }),
        ("top_share", CmmaGa { top_share: f64::INFINITY, ..sound }),
        ("top_bonus", CmmaGa { top_bonus: -1.0, ..sound }),
        ("best_path_chance", CmmaGa { best_path_chance: 1.0, ..sound }),
        ("best_interval", CmmaGa { best_interval: 0, ..sound }),
    ];
    let problem = qos::generate(3, 3, 1).chain(&[]).unwrap();
    for (expected, ga) in faults {
        let error = ga.solve(&problem, &[], Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved).unwrap_err();
        assert!(matches!(error, SolveError::Parameter { name, .. } if name == expected), "{expected}: {error}");
    }
}

/// One item whose values cost whatever they are told to, numbers or not.
struct Odd {
    domain: DomainClass,
    cost_by_value: Vec<(f64, f64)>,
    attraction: f64,
}

impl Problem for Odd {
    type State = Vec<u32>;

    fn items(&self) -> usize {
        1
    }

    fn domain(&self, _item: usize) -> Domain<'_> {
        Domain::Choices(&self.domain)
    }

    fn objectives(&self) -> usize {
        1
    }

    fn build(&self, genome: &[u32]) -> Vec<u32> {
        genome.to_vec()
    }

    fn genome<'a>(&self, state: &'a Vec<u32>) -> &'a [u32] {
        state
    }

    fn eval(&self, state: &Vec<u32>) -> Score {
        let (violation, value) = self.cost_by_value.get(state[0] as usize).copied().unwrap_or_default();
        Score { violation, objectives: Objectives::single(value) }
    }

    fn delta(&self, _state: &Vec<u32>, change: Move) -> Option<Score> {
        let Move::Set { value, .. } = change else { return None };
        Some(self.eval(&vec![value]))
    }

    fn apply(&self, state: &mut Vec<u32>, change: Move) {
        if let Move::Set { value, .. } = change {
            state[0] = value;
        }
    }

    fn heuristic(&self, _state: &Vec<u32>, _item: usize, _value: u32) -> f64 {
        self.attraction
    }
}

fn any_number() -> impl Strategy<Value = f64> {
    let odd = prop::sample::select(vec![0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300, 1e300, 1e-310]);
    prop_oneof![-5.0..5.0_f64, odd]
}

proptest! {
    #[test]
    fn numbers_that_are_none_make_no_panic_and_the_best_is_found(
        costs in prop::collection::vec((prop_oneof![Just(0.0), 0.0..2.0_f64], any_number()), 1..6),
        attraction in any_number(), negated: bool, seed: u64,
    ) {
        let domain = DomainClass::all(costs.len() as u32);
        let fitness = if negated { Fitness::Negated } else { Fitness::Gain };
        let problem = Odd { domain, cost_by_value: costs.clone(), attraction };
        let found = solve(&CmmaGa { fitness, ..CmmaGa::default() }, &problem, 5_000, seed);
        let least = costs.iter().map(|&(violation, value)| Cost { violation, value }).min().unwrap();
        prop_assert!(cost(&found) == least);
    }

    #[test]
    fn any_sound_parameters_give_a_legal_result_with_its_own_score(
        (extra, ants, iterations, genetic_rounds, walks) in (0..9_usize, 1..9_usize, 0..4_u64, 0..3_u32, 0..3_u32),
        (alpha, beta, evaporation, local_evaporation) in (0..17_u32, 0..17_u32, 1e-6..=1.0_f64, 0.0..=1.0_f64),
        (table, best_path_chance, top_share, top_bonus) in (0..4_usize, 1e-6..0.999_f64, 0.0..=1.0_f64, 0.0..1e3_f64),
        (capacity_repair, seed) in (any::<bool>(), any::<u64>()),
    ) {
        let ga = CmmaGa {
            initial: ants + extra, ants, iterations, genetic_rounds, walks: walks.max(1 - genetic_rounds.min(1)), alpha, beta, evaporation, local_evaporation,
            table: table.min(ants / 2), best_path_chance, top_share, top_bonus, capacity_repair, ..CmmaGa::default()
        };
        let problem = random_composition(&mut Rng::stream(46, seed));
        let found = solve(&ga, &problem, u64::MAX, seed);
        prop_assert_eq!(strays(&problem, &found.best.genome), 0);
        prop_assert_eq!(problem.eval(&problem.build(&found.best.genome)), found.best.score);
        prop_assert_eq!((found.generations, found.reason), (iterations, TerminationReason::Generations));
    }
}
