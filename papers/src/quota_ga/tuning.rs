//! T000-1: quotas of pods whose use is known.
//!
//! Promises: seeds 1 to 20, means over all of them. Must not know: how forecasts are made.

use gantry_bounds::quotas::{QuotaLimit, limit};
use gantry_solver::budget::Budget;
use gantry_solver::instances::quotas::QuotaInstance;
use gantry_solver::observer::Generation;
use gantry_solver::problem::{Genome, Problem};
use gantry_solver::problems::quota_tuning::{QuotaObjective, QuotaRange, QuotaTuning};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::quota_ga::QuotaGa;

/// Generations at which the source reports fitness.
pub const MARKS: [usize; 4] = [10, 20, 50, 100];

/// The seeds.
pub const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;

/// Pods of the experiment \[I\], and of a second one that shows what becomes of the search as pods grow in number.
pub const PODS: usize = 8;
/// See [`PODS`].
pub const MANY_PODS: usize = 32;

/// One run, or the means over several.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Mean utilisation of quotas drawn as the initial population is, 0 to 1.
    pub drawn: f64,
    /// Mean utilisation of the best quotas found, 0 to 1.
    pub tuned: f64,
    /// Fitness of the best quotas found.
    pub fitness: f64,
    /// Mean and best fitness of each generation from 0 to 100; a run that ended early stays where it ended.
    pub curve: Vec<(f64, f64)>,
    /// Generations done.
    pub generations: f64,
}

/// What nobody can beat.
#[must_use]
pub fn bound() -> QuotaLimit {
    limit(&QuotaRange::default(), &QuotaObjective::default())
}

/// Tunes the quotas of an instance of some pods with the source's parameters.
///
/// # Errors
/// None that these fixed instances can cause; the solver's own otherwise.
pub fn run(pods: usize, seed: u64) -> anyhow::Result<Run> {
    let problem = QuotaInstance::generate(pods, seed).tuning()?;
    let mut curve = Vec::new();
    let mut observer = |record: &Generation| curve.push((-record.mean, -record.lowest));
    let found =
        QuotaGa::default().solve(&problem, &[], Budget::evaluations(u64::MAX), &mut Rng::new(seed), &mut observer)?;
    let last = *curve.last().unwrap_or(&(0.0, 0.0));
    curve.resize(MARKS[MARKS.len() - 1] + 1, last);
    Ok(Run {
        drawn: drawn(&problem, seed),
        tuned: mean_utilisation(&problem, &found.best.genome),
        fitness: last.1,
        curve,
        generations: found.generations as f64,
    })
}

/// All seeds.
///
/// # Errors
/// As [`run`].
pub fn runs(pods: usize) -> anyhow::Result<Vec<Run>> {
    SEEDS.map(|seed| run(pods, seed)).collect()
}

/// The means over some runs, of which there is at least one.
#[must_use]
pub fn means(runs: &[Run]) -> Run {
    let mean = |value: &dyn Fn(&Run) -> f64| runs.iter().map(value).sum::<f64>() / runs.len() as f64;
    let at = |generation: usize| (mean(&|run| run.curve[generation].0), mean(&|run| run.curve[generation].1));
    Run {
        drawn: mean(&|run| run.drawn),
        tuned: mean(&|run| run.tuned),
        fitness: mean(&|run| run.fitness),
        curve: (0..=MARKS[MARKS.len() - 1]).map(at).collect(),
        generations: mean(&|run| run.generations),
    }
}

/// As many individuals as the initial population has, drawn in the same way from another stream.
fn drawn(problem: &QuotaTuning, seed: u64) -> f64 {
    let mut rng = Rng::stream(seed, 1);
    let count = QuotaGa::default().population;
    let one = |_| {
        let genome: Genome = (0..problem.items()).map(|item| problem.domain(item).draw(&mut rng)).collect();
        mean_utilisation(problem, &genome)
    };
    (0..count).map(one).sum::<f64>() / count as f64
}

/// Eq. (7) with the weights of a half: the mean of cpu and memory utilisation.
fn mean_utilisation(problem: &QuotaTuning, genome: &[u32]) -> f64 {
    let [cpu, memory] = problem.utilisation(genome);
    f64::midpoint(cpu, memory)
}
