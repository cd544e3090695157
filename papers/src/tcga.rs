//! Experiments T002: time and cost of tasks.
//!
//! Promises: the instances are those of seeds 1 to 10, the searches' streams have the instance's seed; nothing is
//! chosen by its result. Must not know: how figures are shown, which is the section's business.

mod section;

use gantry_bounds::tasks::{CostFront, least_time, rounded};
use gantry_solver::archive::{Archive, hypervolume};
use gantry_solver::budget::Budget;
use gantry_solver::individual::Individual;
use gantry_solver::instances::tasks::tasks;
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::{Genome, Problem};
use gantry_solver::problems::task_schedule::{COST, Completion, State, TIME, TaskSchedule};
use gantry_solver::rng::Rng;
use gantry_solver::score::{Objectives, Score};
use gantry_solver::solver::{Evolution, SolveError, Solver};
use gantry_solver::sources::tcga::Tcga;

use crate::baselines::canonical_ga::{CanonicalGa, Course};
use crate::baselines::saiga;

pub use section::section;

/// The seeds of all experiments.
pub const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;

/// How many points of the front the hybrid starts from.
const STARTS: usize = 100;

/// The problem of a seed: 1,000 subtasks on 10 machines.
///
/// # Errors
/// Never for these sizes.
pub fn instance(seed: u64) -> anyhow::Result<TaskSchedule> {
    Ok(tasks(1_000, 10, seed).problem(Completion::Joint)?)
}

/// What the source leaves open about the algorithms that it compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Roulette on raw fitness for all, no elite for the canonical algorithm, whose result is the fittest of its last
    /// generation.
    Raw,
    /// The same, but everybody's result is the fittest ever met.
    RawBestMet,
    /// One elite for the others, and a roulette on what a fitness has above 0.999 of the generation's least, for all.
    Sharp,
}

impl Setting {
    /// All settings.
    pub const ALL: [Self; 3] = [Self::Raw, Self::RawBestMet, Self::Sharp];

    const fn offset(self) -> f64 {
        if matches!(self, Self::Sharp) { 0.999 } else { 0.0 }
    }

    const fn elites(self) -> usize {
        matches!(self, Self::Sharp) as usize
    }

    fn result(self, course: &Course) -> &Individual {
        if self == Self::Raw { &course.last } else { &course.best }
    }
}

/// What an algorithm reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reached {
    /// Time and cost for each seed.
    pub by_seed: Vec<[f64; 2]>,
    /// Time and cost of the fittest of each generation, means over the seeds.
    pub curve: Vec<[f64; 2]>,
}

impl Reached {
    /// The mean of an objective over the seeds.
    #[must_use]
    pub fn mean(&self, objective: usize) -> f64 {
        self.by_seed.iter().map(|reached| reached[objective]).sum::<f64>() / self.by_seed.len() as f64
    }

    /// By which part this has less of an objective than another, in the mean; negative if it has more.
    #[must_use]
    pub fn gain(&self, other: &Self, objective: usize) -> f64 {
        1.0 - self.mean(objective) / other.mean(objective)
    }

    /// For how many seeds this has less of an objective than another.
    #[must_use]
    pub fn wins(&self, other: &Self, objective: usize) -> usize {
        self.by_seed.iter().zip(&other.by_seed).filter(|(ours, theirs)| ours[objective] < theirs[objective]).count()
    }

    fn add(&mut self, score: &Score, curve: &[Score]) {
        let parts = SEEDS.count() as f64;
        self.by_seed.push(pair(&score.objectives));
        self.curve.resize(curve.len(), [0.0; 2]);
        for (sum, score) in self.curve.iter_mut().zip(curve) {
            let [time, cost] = pair(&score.objectives);
            *sum = [sum[TIME] + time / parts, sum[COST] + cost / parts];
        }
    }
}

fn pair(objectives: &Objectives) -> [f64; 2] {
    [objectives.as_slice()[TIME], objectives.as_slice()[COST]]
}

/// T002-1 in one setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The setting.
    pub setting: Setting,
    /// The source's algorithm: the headline of its front.
    pub tcga: Reached,
    /// The canonical algorithm with the source's fitness of time, eq. (6).
    pub ga: Reached,
    /// The canonical algorithm with the mean of both of the source's fitnesses.
    pub ga_both: Reached,
    /// The self-adaptive one.
    pub saiga: Reached,
}

/// T002-1: what each reaches after 100 generations of 30.
///
/// # Errors
/// Never for these parameters.
pub fn compare(setting: Setting) -> anyhow::Result<Comparison> {
    let none = Reached::default;
    let mut all = Comparison { setting, tcga: none(), ga: none(), ga_both: none(), saiga: none() };
    for seed in SEEDS {
        let problem = instance(seed)?;
        let unit = random_mean(&problem, seed);
        let mut curve = Vec::new();
        let mut observer = |record: &Generation| curve.push(record.best);
        let found = Tcga { offset: setting.offset(), ..Tcga::default() }.solve(
            &problem,
            &[],
            Budget::evaluations(u64::MAX),
            &mut Rng::new(seed),
            &mut observer,
        )?;
        all.tcga.add(&found.best.score, &curve);
        let ga = CanonicalGa { offset: setting.offset(), elites: setting.elites(), ..CanonicalGa::default() };
        let saiga = CanonicalGa { offset: setting.offset(), ..saiga::saiga() };
        let time = |state: &State| fit_time(&problem, state) * unit[TIME];
        let both = |state: &State| 0.5 * (time(state) + unit[COST] / objective(&problem, state, COST));
        let add = |to: &mut Reached, ga: &CanonicalGa, fitness: &dyn Fn(&State) -> f64| {
            let course = ga.run(&problem, fitness, &mut Rng::new(seed));
            to.add(&setting.result(&course).score, &course.scores);
        };
        add(&mut all.ga, &ga, &time);
        add(&mut all.ga_both, &ga, &both);
        add(&mut all.saiga, &saiga, &saiga::fitness(&problem, unit[TIME]));
    }
    Ok(all)
}

fn objective(problem: &TaskSchedule, state: &State, objective: usize) -> f64 {
    problem.eval(state).objectives.as_slice()[objective]
}

/// Eq. (6): `ulb / CompleteTime`.
fn fit_time(problem: &TaskSchedule, state: &State) -> f64 {
    problem.utilisation(state) / objective(problem, state, TIME)
}

/// Mean time and cost of 100 random schedules: the unit of each, so that both weigh the same in a sum.
fn random_mean(problem: &TaskSchedule, seed: u64) -> [f64; 2] {
    let mut rng = Rng::stream(seed, 1);
    let mut mean = [0.0; 2];
    for _ in 0..100 {
        let genome: Genome = (0..problem.items()).map(|item| problem.domain(item).draw(&mut rng)).collect();
        let score = problem.eval(&problem.build(&genome));
        mean.iter_mut().zip(pair(&score.objectives)).for_each(|(mean, value)| *mean += value / 100.0);
    }
    mean
}

/// What nobody beats: means over the seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// `T*`.
    pub time: f64,
    /// Least cost of what is done within the given time.
    pub cost_within: f64,
    /// Time and cost of the longest-processing-time rule: no limit, but what is reached without any search.
    pub lpt: [f64; 2],
}

/// The limits, that of cost for one time a seed.
///
/// # Errors
/// Never for times that a schedule has.
pub fn limits(reached: &Reached) -> anyhow::Result<Limits> {
    let mut mean = Limits { time: 0.0, cost_within: 0.0, lpt: [0.0; 2] };
    let part = 1.0 / SEEDS.count() as f64;
    for (seed, reached) in SEEDS.zip(&reached.by_seed) {
        let problem = instance(seed)?;
        let lpt = pair(&Individual::evaluate(&problem, rounded(&problem, 0.0)).score.objectives);
        mean.time += part * least_time(&problem);
        let cost = CostFront::of(&problem).cost_within(reached[TIME] * (1.0 + 1e-12));
        mean.cost_within += part * cost.ok_or_else(|| anyhow::anyhow!("a schedule is done before the limit"))?;
        mean.lpt.iter_mut().zip(lpt).for_each(|(mean, value)| *mean += part * value);
    }
    Ok(mean)
}

/// T002-2 for one seed: sets of schedules beside the front of split tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Fronts {
    /// The seed.
    pub seed: u64,
    /// The limit.
    pub limit: CostFront,
    /// The least time of the hybrid over `T*`.
    pub time_ratio: f64,
    /// The same of the local search with a million moves, which starts from the longest-processing-time schedule too.
    pub local_ratio: f64,
    /// The algorithm alone.
    pub alone: Share,
    /// The algorithm from the longest-processing-time schedule.
    pub with_lpt: Share,
    /// The constructed starts alone, no search.
    pub starts: Share,
    /// The hybrid: the algorithm from all starts.
    pub hybrid: Share,
}

/// A set of schedules.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Their times and costs.
    pub points: Vec<[f64; 2]>,
    /// The area that they dominate over that of the limit, 0 to 1.
    pub hypervolume: f64,
}

/// T002-2: the reference point of the areas is 1.1 times the worst time and cost of the limit's front.
///
/// # Errors
/// Never for these parameters.
pub fn fronts(seed: u64) -> anyhow::Result<Fronts> {
    let problem = instance(seed)?;
    let limit = CostFront::of(&problem);
    let starts: Vec<Genome> = std::iter::once(0.0).chain(times(&limit)).map(|time| rounded(&problem, time)).collect();
    let share = |members: &[Individual]| share(&limit, members);
    let mut archive = Archive::new(starts.len());
    for start in &starts {
        archive.insert(Individual::evaluate(&problem, start.clone()));
    }
    let hybrid = search(&problem, &starts, seed)?;
    let least = hybrid.front.iter().map(|member| pair(&member.score.objectives)[TIME]).fold(f64::INFINITY, f64::min);
    Ok(Fronts {
        seed,
        time_ratio: least / least_time(&problem),
        local_ratio: climb(&problem, seed)? / least_time(&problem),
        alone: share(&search(&problem, &[], seed)?.front),
        with_lpt: share(&search(&problem, &starts[..1], seed)?.front),
        starts: share(archive.members()),
        hybrid: share(&hybrid.front),
        limit,
    })
}

fn search(problem: &TaskSchedule, starts: &[Genome], seed: u64) -> Result<Evolution, SolveError> {
    let tcga = Tcga { archive: 4 * STARTS, ..Tcga::default() };
    tcga.solve(problem, starts, Budget::evaluations(u64::MAX), &mut Rng::new(seed), &mut Unobserved)
}

/// The time that a local search by time alone reaches.
fn climb(problem: &TaskSchedule, seed: u64) -> Result<f64, SolveError> {
    let search = LocalSearch::default();
    let found = search.solve(problem, &[], Budget::evaluations(1_000_000), &mut Rng::new(seed), &mut Unobserved)?;
    Ok(pair(&found.best.score.objectives)[TIME])
}

fn share(limit: &CostFront, members: &[Individual]) -> Share {
    let (first, last) = (limit.corners()[0], limit.corners()[limit.corners().len() - 1]);
    let reference = [1.1 * last[TIME], 1.1 * first[COST]];
    let scores: Vec<Objectives> = members.iter().map(|member| member.score.objectives).collect();
    let points = scores.iter().map(pair).collect();
    Share { points, hypervolume: hypervolume(&scores, reference) / limit.hypervolume(reference) }
}

/// Times spread evenly along the front's line, measured in parts of its extent: a staircase of those points covers
/// about as much in its steep part as in its flat one.
fn times(limit: &CostFront) -> Vec<f64> {
    let corners = limit.corners();
    let (first, last) = (corners[0], corners[corners.len() - 1]);
    let stretch = |line: &[[f64; 2]]| {
        let part = |k: usize| (line[1][k] - line[0][k]) / (last[k] - first[k]);
        part(TIME).hypot(part(COST))
    };
    let total: f64 = corners.windows(2).map(stretch).sum();
    let mut times = Vec::with_capacity(STARTS);
    let mut passed = 0.0;
    for line in corners.windows(2) {
        let length = stretch(line);
        while (times.len() as f64) < (passed + length) / total * (STARTS - 1) as f64 {
            let along = (times.len() as f64 * total / (STARTS - 1) as f64 - passed) / length;
            times.push(line[0][TIME] + along * (line[1][TIME] - line[0][TIME]));
        }
        passed += length;
    }
    times.push(last[TIME]);
    times
}
