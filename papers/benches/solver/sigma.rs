//! σ against time, for every search.
//!
//! Every run starts from nothing and is stopped by the clock; a solution that breaks limits counts as what could be
//! followed of it. Figures are means over the seeds. The stock scheduler's scoring takes the time it takes.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;
use gantry_bounds::placement::{sigma as least_sigma, sigma_of_whole_pods};
use gantry_papers::baselines::kube;
use gantry_papers::searches::{self, Reached, Search};
use gantry_solver::instances::Instance;
use gantry_solver::problems::placement::{Objective, Placement};

use crate::report::{self, Headline, short, significant};
use crate::scope::{Scope, Size};

const HEADLINE: Headline = Headline {
    what: "σ against time",
    part: "sigma",
    baseline: "the constrained-first greedy and the stock scheduler's scoring (kube), in the same run",
    limit: "the convex bound; up to 100 pods also the same with whole pods, as far as 1,001 convex programmes tell; tuned \
            on seeds 1 to 3",
};

/// How long the searches may take.
const TIMES: [Duration; 3] = [Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(1)];

const COLUMNS: [&str; 8] = [
    "search",
    "σ after 0.01 s",
    "0.1 s",
    "1 s",
    "× greedy",
    "over the limit (by seed: mean, worst)",
    "over that of whole pods",
    "unplaced",
];

/// Up to so many pods the limit of whole pods is looked for, in so many convex programmes: some seconds an instance.
const WHOLE_PODS: usize = 100;
const PROGRAMMES: usize = 1_001;

/// Below this a limit is rounding, and a share of it says nothing.
const LEAST_LIMIT: f64 = 1e-3;

/// A run that takes longer than it was given by more than this factor is shown with its time.
const LATE: f64 = 1.5;

pub(crate) fn measure(scope: &Scope) -> Result<()> {
    report::headline(&HEADLINE);
    for &size in &scope.sizes {
        for pools in [false, true] {
            measure_family(size, pools, scope)?;
        }
    }
    Ok(())
}

fn measure_family(size: Size, pools: bool, scope: &Scope) -> Result<()> {
    let seeds = &scope.seeds;
    let instances = seeds.iter().map(|&seed| size.instance(seed, pools)).collect::<Result<Vec<_>, _>>()?;
    let problems = instances.iter().map(|instance| instance.placement(Objective::Sigma));
    let problems = problems.collect::<Result<Vec<_>, _>>()?;
    let limits = instances.iter().map(least_sigma).collect::<Result<Vec<_>, _>>()?;
    let whole = |instance| sigma_of_whole_pods(instance, PROGRAMMES);
    // Where divided pods balance, branching gains nothing.
    let whole = if pools && size.pods <= WHOLE_PODS {
        instances.iter().map(whole).collect::<Result<Vec<_>, _>>()?
    } else {
        Vec::new()
    };
    let limits = Limits { divided: limits, whole };
    let family = if pools { ", dedicated pools" } else { "" };
    report::section(&format!("{size}{family}, seeds {seeds:?}, {limits}"));
    // The first is the baseline.
    let wanted = searches::all()
        .into_iter()
        .enumerate()
        .filter(|(place, search)| *place == 0 || scope.wants_search(search.name));
    let courses = wanted.map(|(_, search)| Course::measure(&search, &problems, seeds)).collect::<Result<Vec<_>>>()?;
    let kube = Course::kube(&instances, &problems);
    let rows: Vec<_> = std::iter::once(&kube).chain(&courses).map(|course| course.row(&courses[0], &limits)).collect();
    report::table(&COLUMNS, &rows);
    Ok(())
}

/// What nobody can beat, by seed.
struct Limits {
    divided: Vec<f64>,
    /// Empty if it was not looked for.
    whole: Vec<f64>,
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |limits: &[f64]| limits.iter().copied().map(significant).collect::<Vec<_>>().join(", ");
        write!(f, "limits {}", shown(&self.divided))?;
        if self.whole.is_empty() { Ok(()) } else { write!(f, "; of whole pods {}", shown(&self.whole)) }
    }
}

/// What one search reached: for each time, each seed.
struct Course {
    name: &'static str,
    by_time: Vec<Vec<Reached>>,
}

impl Course {
    fn measure(search: &Search, problems: &[Placement], seeds: &[u64]) -> Result<Self> {
        let within =
            |time| problems.iter().zip(seeds).map(|(problem, &seed)| search.run(problem, time, seed)).collect();
        let by_time = TIMES.into_iter().map(within).collect::<Result<_, _>>()?;
        Ok(Self { name: search.name, by_time })
    }

    /// The stock scheduler's scoring on cpu and memory, pod by pod.
    fn kube(instances: &[Instance], problems: &[Placement]) -> Self {
        let assign = |(instance, problem)| {
            let start = Instant::now();
            let rows = kube::assign(instance, &kube::DEFAULT);
            Reached::of(problem, &rows, 0, start.elapsed())
        };
        let reached: Vec<_> = instances.iter().zip(problems).map(assign).collect();
        Self { name: "kube", by_time: vec![reached; TIMES.len()] }
    }

    fn row(&self, baseline: &Self, limits: &Limits) -> Vec<String> {
        let mut row = vec![self.name.to_owned()];
        row.extend(self.by_time.iter().zip(TIMES).map(|(reached, time)| cell(reached, time)));
        row.push(format!("{:.2}", self.last() / baseline.last()));
        row.push(self.over(&limits.divided));
        row.push(self.over(&limits.whole));
        row.push(self.by_time.last().map_or(0, |last| last.iter().map(|r| r.unplaced).sum()).to_string());
        row
    }

    /// By how much σ is over the limit after the longest time: the means over the seeds compared; where no limit is 0 also
    /// the mean of each seed's own share, and the worst of these.
    fn over(&self, limits: &[f64]) -> String {
        let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
        let of_means = format!("{:+.2} %", percent_over(self.last(), mean(limits)));
        if limits.iter().all(|&limit| limit < LEAST_LIMIT) {
            return "–".to_owned();
        } else if limits.iter().any(|&limit| limit < LEAST_LIMIT) {
            return of_means;
        }
        let shares = self.by_time.last().into_iter().flatten().zip(limits);
        let shares: Vec<f64> = shares.map(|(reached, limit)| percent_over(reached.sigma, *limit)).collect();
        let worst = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{of_means} ({:+.2} %, {worst:+.2} %)", mean(&shares))
    }

    /// Mean σ after the longest time.
    fn last(&self) -> f64 {
        self.by_time.last().map_or(f64::NAN, |last| mean(last))
    }
}

fn percent_over(sigma: f64, limit: f64) -> f64 {
    100.0 * (sigma / limit - 1.0)
}

fn mean(reached: &[Reached]) -> f64 {
    reached.iter().map(|reached| reached.sigma).sum::<f64>() / reached.len() as f64
}

/// Mean σ, with the longest time taken if that was more than allowed.
fn cell(reached: &[Reached], time: Duration) -> String {
    let took = reached.iter().map(|reached| reached.took).max().unwrap_or_default();
    let late = if took > time.mul_f64(LATE) { format!(" (in {})", short(took)) } else { String::new() };
    significant(mean(reached)) + &late
}
