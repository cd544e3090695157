//! Every search on every problem: legal, reproducible, within its budget, and no move that makes no sense.

use gantry_solver::annealing::Annealing;
use gantry_solver::budget::Budget;
use gantry_solver::domain::Domain;
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::{GenerateOptions, energy::EnergyInstance, generate, qos, quotas::QuotaInstance, tasks};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::memetic::Memetic;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::{Choice, Genome, Move, Problem};
use gantry_solver::problems::energy_assignment::TimeObjective;
use gantry_solver::problems::placement::Objective;
use gantry_solver::problems::task_schedule::Completion;
use gantry_solver::repair;
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::Score;
use gantry_solver::solver::{Evolution, Solver};
use gantry_solver::sources::cmma_ga::CmmaGa;
use gantry_solver::sources::dictionary_ga::{DictionaryGa, Variant};
use gantry_solver::sources::mabc::Mabc;
use gantry_solver::sources::quota_ga::QuotaGa;
use gantry_solver::sources::tcga::Tcga;

const BUDGET: u64 = 3_000;

/// A problem that insists on not being asked about exchanges where it has none.
struct Strict<P>(P);

impl<P: Problem> Strict<P> {
    fn allow(&self, change: Move) {
        assert!(self.0.exchanges() || !matches!(change, Move::Swap { .. }), "{change:?} is an evaluation for nothing");
    }
}

impl<P: Problem> Problem for Strict<P> {
    type State = P::State;

    fn items(&self) -> usize {
        self.0.items()
    }

    fn domain(&self, item: usize) -> Domain<'_> {
        self.0.domain(item)
    }

    fn objectives(&self) -> usize {
        self.0.objectives()
    }

    fn context(&self, item: usize) -> Option<usize> {
        self.0.context(item)
    }

    fn build(&self, genome: &[u32]) -> P::State {
        self.0.build(genome)
    }

    fn genome<'a>(&self, state: &'a P::State) -> &'a [u32] {
        self.0.genome(state)
    }

    fn eval(&self, state: &P::State) -> Score {
        self.0.eval(state)
    }

    fn exchanges(&self) -> bool {
        self.0.exchanges()
    }

    fn delta(&self, state: &P::State, change: Move) -> Option<Score> {
        self.allow(change);
        self.0.delta(state, change)
    }

    fn promising_delta(&self, state: &P::State, change: Move) -> Option<Score> {
        self.allow(change);
        self.0.promising_delta(state, change)
    }

    fn apply(&self, state: &mut P::State, change: Move) {
        self.0.apply(state, change);
    }

    fn heuristic(&self, state: &P::State, item: usize, value: u32) -> f64 {
        self.0.heuristic(state, item, value)
    }

    fn size(&self, item: usize) -> f64 {
        self.0.size(item)
    }

    fn best_value(&self, state: &P::State, item: usize, by: &Scalarisation) -> Option<Choice> {
        self.0.best_value(state, item, by)
    }

    fn repair(&self, state: &mut P::State, rng: &mut Rng) {
        self.0.repair(state, rng);
    }
}

fn searches<P: Problem>() -> Vec<(&'static str, Box<dyn Solver<P>>)> {
    let ga = DictionaryGa { population: 12, ..DictionaryGa::default() };
    vec![
        ("greedy", Box::new(Greedy::default())),
        ("local search", Box::new(LocalSearch::default())),
        ("annealing", Box::new(Annealing::default())),
        ("memetic", Box::new(Memetic { practical: 0.0, ..Memetic::default() })),
        ("dictionary GA", Box::new(DictionaryGa { capacity_repair: true, ..ga })),
        ("standard GA", Box::new(DictionaryGa { variant: Variant::Standard, ..ga })),
        ("TCGA", Box::new(Tcga::default())),
        ("CMMA-GA", Box::new(CmmaGa::default())),
        ("bees", Box::new(Mabc { sources: 12, ..Mabc::default() })),
        ("quota GA", Box::new(QuotaGa::default())),
    ]
}

fn run<P: Problem>(search: &dyn Solver<P>, problem: &P, seeds: &[Genome], seed: u64) -> Evolution {
    let budget = Budget::evaluations(BUDGET);
    search.solve(problem, seeds, budget, &mut Rng::new(seed), &mut Unobserved).unwrap()
}

fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(1.0)
}

fn keeps_its_promises<P: Problem>(what: &str, problem: P) {
    let problem = Strict(problem);
    let earlier: Genome = (0..problem.items()).map(|item| problem.domain(item).value(0)).collect();
    for seeds in [vec![], vec![earlier]] {
        let start = run(&Greedy::default(), &problem, &seeds, 1).evaluations;
        for (name, search) in searches() {
            let found = run(&*search, &problem, &seeds, 1);
            assert_eq!(found, run(&*search, &problem, &seeds, 1), "{name}, {what}: the same seed");
            assert!(found.evaluations <= BUDGET.max(start), "{name}, {what}: {} evaluations", found.evaluations);
            for member in found.front.iter().chain([&found.best]) {
                assert_eq!(repair::strays(&problem, &member.genome), 0, "{name}, {what}");
                let score = problem.eval(&problem.build(&member.genome));
                let pairs = score.objectives.as_slice().iter().zip(member.score.objectives.as_slice());
                assert!(pairs.into_iter().all(|(one, other)| is_close(*one, *other)), "{name}, {what}");
                assert!(is_close(score.violation, member.score.violation), "{name}, {what}");
            }
        }
    }
}

#[test]
fn placements() {
    let instance = generate(60, 8, 3, &GenerateOptions::default()).unwrap();
    keeps_its_promises("placement", instance.placement(Objective::Balanced).unwrap());
}

#[test]
fn task_schedules() {
    for completion in [Completion::Joint, Completion::Literal] {
        keeps_its_promises("tasks", tasks::tasks(60, 6, 3).problem(completion).unwrap());
    }
}

#[test]
fn compositions() {
    let services = qos::generate(20, 12, 3);
    keeps_its_promises("chain", services.chain(&[]).unwrap());
    keeps_its_promises("graph", services.graph(&[(0, 5), (0, 7), (5, 19), (7, 19)], &[]).unwrap());
}

#[test]
fn energy_assignments() {
    for objective in [TimeObjective::Sum, TimeObjective::Makespan] {
        keeps_its_promises("energy", EnergyInstance::generate(40, 6, 3).problem(objective).unwrap());
    }
}

#[test]
fn quotas() {
    keeps_its_promises("quotas", QuotaInstance::generate(12, 3).tuning().unwrap());
}
