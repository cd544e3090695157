//! kube-scheduler's own time per pod: without an extender, with one that answers at once, with Gantry pod by pod and by
//! plan (as shipped), and with pods that Gantry nominates. Targets: Gantry ≤ 1.15 × the extender that answers at once;
//! nominated pods below the default profile's without an extender, for kube-scheduler tries one node and scores none.
//!
//! What a small machine's own speed does from minute to minute is more than what is measured. So one kube-scheduler has
//! all extenders at once, each for the pods that ask for a resource of its own, and pods of one extender alternate with
//! those of another, a few at a time ([`interleaved`]). From one decision to the next counts, all of it: the inverse is
//! the most pods that kube-scheduler can place in a second. A turn's ratio is of all pods of an extender to their
//! neighbours; the figure is the median over the turns. What Gantry does beside its requests (watching, planning) is everybody's load.
//!
//! Nominations need a kube-scheduler to themselves: there the serial step is measured as kube-scheduler does it
//! (`scheduler_scheduling_algorithm_duration_seconds`), in turns with one that has no extender, and the ratio is each turn's.
//!
//! The pods wait before kube-scheduler starts, so that what creates them takes none of its time, and are planned by then
//! where there is a plan; those that are nominated come while it runs, which is to their disadvantage. Nodes are sampled
//! as kube-scheduler does by default, for all alike. API server, etcd and kwok, which have machines of their own on a
//! cluster, let the others go first.

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gantry_tests::{
    ControlPlane, Extender, Scheduler,
    extender::ExtenderSettings,
    interleaved::{self, Run},
    metrics,
    placement::Assignment,
    poll::until,
    report,
    scheduler::{ExtenderStanza, SchedulerSettings},
    workload::{Mark, Marks, Workload},
};
use serde_json::{Value, json};

use crate::instant::{self, Arrivals};

/// So many that the first run and the last one are observed.
const PODS: usize = (10 * MARKS.marks.len() + 1) * MARKS.run;
/// The more of them wait for one node, the longer kube-scheduler takes for each: it counts the others there first.
const NOMINATED: usize = 1500;
const TURNS: usize = 5;
/// Pods that no profile of Gantry is for.
const UNPLANNED: &str = "beside";
const AT_ONCE: Mark = Mark { resource: "extender/at-once", scheduler: UNPLANNED };
const SCORED: Mark = Mark { resource: "extender/a-score-a-node", scheduler: UNPLANNED };
const GANTRY: Mark = Mark { resource: "extender/gantry", scheduler: "default-scheduler" };
/// Runs so long that the first pod of one, which finds an extender that had nothing to do, is one of many.
const MARKS: Marks = Marks { marks: &[AT_ONCE, GANTRY, AT_ONCE, SCORED], run: 60 };
/// The arguments that ask for one number of nodes in place of both, and for another number of turns.
const NODES: &str = "nodes=";
const TURNS_ARGUMENT: &str = "turns=";
const LIMIT: Duration = Duration::from_mins(3);

/// Whether a word of the command line is for this part.
pub(crate) fn is_argument(word: &str) -> bool {
    [NODES, TURNS_ARGUMENT].iter().any(|name| word.starts_with(name))
}

pub(crate) fn measure() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure_all())
}

async fn measure_all() -> Result<()> {
    report::headline("kube-scheduler's scheduling time per pod", "make bench ONLY=scheduling-time");
    let plane = ControlPlane::start().await?;
    plane.step_back()?;
    let bench = Bench { plane, baseline: instant::serve().await? };
    let mut turns = Vec::new();
    for nodes in argument(NODES)?.map_or_else(|| vec![100, 1000], |nodes| vec![nodes]) {
        for _ in 0..argument(TURNS_ARGUMENT)?.unwrap_or(TURNS) {
            turns.push(bench.turn(nodes).await?);
        }
    }
    let rows: Vec<Vec<String>> = turns.chunk_by(|a, b| a.nodes == b.nodes).flat_map(rows).collect();
    report::table(&["nodes", "extender", "a pod", "× answers at once", "inside Gantry"], &rows);
    let rows: Vec<Vec<String>> = turns.chunk_by(|a, b| a.nodes == b.nodes).map(nominations).collect();
    report::table(&["nodes", "no extender, a pod", "the same, Gantry nominates", "× no extender"], &rows);
    Ok(())
}

/// Each configuration once.
struct Turn {
    nodes: usize,
    pod_by_pod: Alternated,
    follow: Alternated,
    alone: Duration,
    nominated: Duration,
}

/// What came of pods of all marks, and how long Gantry's handlers had each of theirs.
struct Alternated {
    runs: Vec<Run>,
    inside: Duration,
}

fn rows(turns: &[Turn]) -> Vec<Vec<String>> {
    let of = |choose: fn(&Turn) -> &Alternated, name: &str, mark: Mark| {
        let all: Vec<&Alternated> = turns.iter().map(choose).collect();
        row(turns[0].nodes, name, mark, &all)
    };
    vec![
        of(|turn| &turn.pod_by_pod, "answers at once", AT_ONCE),
        of(|turn| &turn.pod_by_pod, "answers at once, a score a node", SCORED),
        of(|turn| &turn.pod_by_pod, "Gantry, pod by pod", GANTRY),
        of(|turn| &turn.follow, "Gantry, `follow`", GANTRY),
    ]
}

fn row(nodes: usize, name: &str, mark: Mark, all: &[&Alternated]) -> Vec<String> {
    let runs = || all.iter().flat_map(|alternated| &alternated.runs);
    let time = |run: &Run| if mark == AT_ONCE { Some(run.baseline) } else { (run.mark == mark).then_some(run.time) };
    let times: Vec<Duration> = runs().filter_map(time).collect();
    let mean = times.iter().sum::<Duration>() / times.len().max(1) as u32;
    let ratios = all.iter().filter_map(|alternated| interleaved::ratio(&alternated.runs, mark)).collect();
    let mut inside: Vec<Duration> = all.iter().map(|alternated| alternated.inside).collect();
    let inside = if mark == GANTRY { report::short(report::quantile(&mut inside, 0.5)) } else { String::new() };
    vec![nodes.to_string(), name.to_owned(), report::short(mean), median(ratios), inside]
}

/// The median, and the lowest and the highest; nothing of nothing.
fn median(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (ratios.first(), ratios.last()) else { return String::new() };
    format!("{:.2} ({low:.2} to {high:.2})", ratios[ratios.len() / 2])
}

fn nominations(turns: &[Turn]) -> Vec<String> {
    let middle = |choose: fn(&Turn) -> Duration| {
        let mut times: Vec<Duration> = turns.iter().map(choose).collect();
        report::short(report::quantile(&mut times, 0.5))
    };
    let ratios = turns.iter().map(|turn| turn.nominated.as_secs_f64() / turn.alone.as_secs_f64()).collect();
    vec![turns[0].nodes.to_string(), middle(|turn| turn.alone), middle(|turn| turn.nominated), median(ratios)]
}

/// The number that follows `name` on the command line.
fn argument(name: &str) -> Result<Option<usize>> {
    let asked = std::env::args().find_map(|argument| Some(argument.strip_prefix(name)?.to_owned()));
    let number = |text: String| -> Result<usize> {
        let number: NonZeroUsize = text.parse().with_context(|| format!("{name}{text}: want a number from 1 on"))?;
        Ok(number.get())
    };
    asked.map(number).transpose()
}

struct Bench {
    plane: ControlPlane,
    baseline: (String, Arrivals),
}

impl Bench {
    async fn turn(&self, nodes: usize) -> Result<Turn> {
        let (alternated, workload) = (Workload::light(PODS, nodes, 1), Workload::light(NOMINATED, nodes, 1));
        Ok(Turn {
            nodes,
            pod_by_pod: self.alternated(&alternated, Value::Null).await?,
            follow: self.alternated(&alternated, json!({"mode": "follow"})).await?,
            alone: self.alone(&workload).await?,
            nominated: self.nominated(&workload).await?,
        })
    }

    /// Pods of all marks. With a plan kube-scheduler starts once all of Gantry's are in it.
    async fn alternated(&self, workload: &Workload, plan: Value) -> Result<Alternated> {
        let workload = workload.clone().marked(MARKS);
        let of_gantry = (0..PODS).filter(|index| MARKS.of(*index) == GANTRY).count();
        let is_planned = !plan.is_null();
        self.plane.clear().await?;
        let gantry = Extender::start(&self.plane, &ExtenderSettings { plan, ..ExtenderSettings::default() }).await?;
        self.queue(&workload).await?;
        if is_planned {
            gantry.wait_for_plan(of_gantry).await?;
        }
        let (url, arrivals) = &self.baseline;
        arrivals.take();
        let extenders = [(url.clone(), AT_ONCE), (format!("{url}/scored"), SCORED), (gantry.url(), GANTRY)];
        let _scheduler = Scheduler::start(&self.plane, &settings(extenders)).await?;
        Assignment::settled(&self.plane.client(), &workload, LIMIT).await?;
        let inside = metrics::sum_of(&gantry.metrics().await?, "gantry_extender_request_duration_seconds_sum", &[]);
        let inside = Duration::from_secs_f64(inside / of_gantry as f64);
        Ok(Alternated { runs: interleaved::runs(MARKS, &arrivals.take())?, inside })
    }

    /// The stock profile.
    async fn alone(&self, workload: &Workload) -> Result<Duration> {
        self.plane.clear().await?;
        self.queue(workload).await?;
        let scheduler = Scheduler::start(&self.plane, &SchedulerSettings::default()).await?;
        self.time(&scheduler, workload).await
    }

    /// Pods that wait behind a gate, are planned together and released with a nomination each.
    async fn nominated(&self, workload: &Workload) -> Result<Duration> {
        self.plane.clear().await?;
        let plan = json!({"nominate": true});
        let extender = Extender::start(&self.plane, &ExtenderSettings { plan, ..ExtenderSettings::default() }).await?;
        workload.create_nodes(&self.plane.client()).await?;
        let scheduler = Scheduler::start(&self.plane, &SchedulerSettings::default()).await?;
        let workload = workload.clone().gated();
        workload.create_pods(&self.plane.client(), 0..workload.pods()).await?;
        let time = self.time(&scheduler, &workload).await?;
        // Gantry looks where its pods went now and then.
        until("kube-scheduler to have kept to nine of ten nominations", Duration::from_secs(10), || async {
            let kept = extender.nominations("kept").await?;
            Ok((kept > 0.9 * NOMINATED as f64).then_some(()))
        })
        .await?;
        Ok(time)
    }

    /// Nodes, and pods that wait there.
    async fn queue(&self, workload: &Workload) -> Result<()> {
        workload.create_nodes(&self.plane.client()).await?;
        workload.create_pods(&self.plane.client(), 0..workload.pods()).await
    }

    async fn time(&self, scheduler: &Scheduler, workload: &Workload) -> Result<Duration> {
        Assignment::settled(&self.plane.client(), workload, LIMIT).await?;
        Ok(scheduler.scheduling_time().await?.mean)
    }
}

/// Each extender as shipped, but for pods of its mark alone.
fn settings(extenders: [(String, Mark); 3]) -> SchedulerSettings {
    let stanza =
        |(url, mark): (String, Mark)| ExtenderStanza { only_for: Some(mark.resource), ..ExtenderStanza::new(url) };
    SchedulerSettings {
        scheduler_names: [GANTRY, AT_ONCE].map(|mark| mark.scheduler.to_owned()).to_vec(),
        extenders: extenders.map(stanza).to_vec(),
        ..SchedulerSettings::default()
    }
}
