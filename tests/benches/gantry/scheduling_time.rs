//! kube-scheduler's own time per pod: without an extender, with one that answers at once, with Gantry pod by pod and by
//! plan (as shipped), and with pods that Gantry nominates.
//!
//! The step measured (`scheduler_scheduling_algorithm_duration_seconds`) is the serial one: its inverse is the most pods
//! that kube-scheduler can place in a second. Targets: Gantry ≤ 1.15 × the extender that answers at once; nominated pods
//! below the default profile's without an extender, for kube-scheduler tries one node and scores none.
//!
//! The pods wait before kube-scheduler starts, so that what creates them takes none of its time, and are planned by then
//! where there is a plan; those that are nominated come while it runs, which is to their disadvantage. Nodes are sampled
//! as kube-scheduler does by default, for all alike. API server, etcd and kwok, which have machines of their own on a
//! cluster, let the others go first. What a small machine's own speed does from minute to minute is more than what is
//! measured: so all take turns, ratios are between neighbours of one turn, and each figure is the median over the turns.

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gantry_tests::{
    ControlPlane, Extender, Scheduler,
    extender::ExtenderSettings,
    metrics,
    placement::Assignment,
    report,
    scheduler::{ExtenderStanza, SchedulerSettings},
    workload::Workload,
};
use serde_json::{Value, json};

use crate::instant;

const PODS: usize = 1500;
const TURNS: usize = 5;
const NAMES: [&str; 6] = [
    "no extender",
    "answers at once",
    "answers at once, a score a node",
    "Gantry, pod by pod",
    "Gantry, follow",
    "no extender, Gantry nominates",
];
/// Where in the names the two baselines of the ratios are.
const BASELINES: [usize; 2] = [1, 0];
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
    let instant = instant::serve().await?;
    let mut rows = Vec::new();
    for nodes in argument(NODES)?.map_or_else(|| vec![100, 1000], |nodes| vec![nodes]) {
        let mut turns = Vec::new();
        for _ in 0..argument(TURNS_ARGUMENT)?.unwrap_or(TURNS) {
            turns.push(turn(&plane, &instant, nodes).await?);
        }
        rows.extend((0..NAMES.len()).map(|place| row(nodes, place, &turns)));
    }
    let columns = ["nodes", "extender", "mean time a pod", "× answers at once", "× no extender", "inside Gantry"];
    report::table(&columns, &rows);
    Ok(())
}

/// What one configuration came to: kube-scheduler's mean time a pod, and how much of it Gantry's handlers had the pod for.
#[derive(Clone, Copy)]
struct Mean {
    time: Duration,
    inside: Option<Duration>,
}

impl From<Duration> for Mean {
    fn from(time: Duration) -> Self {
        Self { time, inside: None }
    }
}

/// Each configuration once, in the order of the names.
async fn turn(plane: &ControlPlane, instant: &str, nodes: usize) -> Result<[Mean; NAMES.len()]> {
    let workload = Workload::light(PODS, nodes, 1);
    Ok([
        run(plane, &workload, SchedulerSettings::default()).await?.into(),
        run(plane, &workload, with(instant)).await?.into(),
        run(plane, &workload, with(&format!("{instant}/scored"))).await?.into(),
        with_gantry(plane, &workload, Value::Null).await?,
        with_gantry(plane, &workload, json!({"mode": "follow"})).await?,
        nominated(plane, &workload).await?.into(),
    ])
}

fn row(nodes: usize, place: usize, turns: &[[Mean; NAMES.len()]]) -> Vec<String> {
    let mut times: Vec<Duration> = turns.iter().map(|turn| turn[place].time).collect();
    let mut row = vec![nodes.to_string(), NAMES[place].to_owned(), report::short(report::quantile(&mut times, 0.5))];
    for baseline in BASELINES {
        let ratio = |turn: &[Mean; NAMES.len()]| turn[place].time.as_secs_f64() / turn[baseline].time.as_secs_f64();
        let mut ratios: Vec<f64> = turns.iter().map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let (low, high) = (ratios[0], ratios[ratios.len() - 1]);
        row.push(format!("{:.2} ({low:.2} to {high:.2})", ratios[ratios.len() / 2]));
    }
    let mut inside: Vec<Duration> = turns.iter().filter_map(|turn| turn[place].inside).collect();
    row.push(if inside.is_empty() { String::new() } else { report::short(report::quantile(&mut inside, 0.5)) });
    row
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

fn with(url: &str) -> SchedulerSettings {
    SchedulerSettings { percentage_of_nodes_to_score: 0, ..SchedulerSettings::with_extender(ExtenderStanza::new(url)) }
}

/// And how much of it Gantry's handlers had a pod for. With a plan kube-scheduler starts once all pods are in it.
async fn with_gantry(plane: &ControlPlane, workload: &Workload, plan: Value) -> Result<Mean> {
    let is_planned = !plan.is_null();
    plane.clear().await?;
    let extender = Extender::start(plane, &ExtenderSettings { plan, ..ExtenderSettings::default() }).await?;
    queue(plane, workload).await?;
    if is_planned {
        extender.wait_for_plan(PODS).await?;
    }
    let scheduler = Scheduler::start(plane, &with(&extender.url())).await?;
    let time = time(plane, &scheduler, workload).await?;
    let inside = metrics::sum_of(&extender.metrics().await?, "gantry_extender_request_duration_seconds_sum", &[]);
    Ok(Mean { time, inside: Some(Duration::from_secs_f64(inside / PODS as f64)) })
}

/// Pods that wait behind a gate, are planned together and released with a nomination each.
async fn nominated(plane: &ControlPlane, workload: &Workload) -> Result<Duration> {
    plane.clear().await?;
    let plan = json!({"nominate": true});
    let extender = Extender::start(plane, &ExtenderSettings { plan, ..ExtenderSettings::default() }).await?;
    workload.create_nodes(&plane.client()).await?;
    let scheduler = Scheduler::start(plane, &SchedulerSettings::default()).await?;
    let workload = workload.clone().gated();
    workload.create_pods(&plane.client(), 0..workload.pods()).await?;
    let time = time(plane, &scheduler, &workload).await?;
    let kept = extender.nominations("kept").await?;
    anyhow::ensure!(kept > 0.9 * PODS as f64, "kube-scheduler kept to {kept} of {PODS} nominations");
    Ok(time)
}

/// Nodes, and pods that wait there.
async fn queue(plane: &ControlPlane, workload: &Workload) -> Result<()> {
    workload.create_nodes(&plane.client()).await?;
    workload.create_pods(&plane.client(), 0..workload.pods()).await
}

/// Places the workload, which waits on an empty cluster, and returns the mean time of a decision.
async fn run(plane: &ControlPlane, workload: &Workload, settings: SchedulerSettings) -> Result<Duration> {
    plane.clear().await?;
    queue(plane, workload).await?;
    let scheduler = Scheduler::start(plane, &settings).await?;
    time(plane, &scheduler, workload).await
}

async fn time(plane: &ControlPlane, scheduler: &Scheduler, workload: &Workload) -> Result<Duration> {
    Assignment::settled(&plane.client(), workload, LIMIT).await?;
    Ok(scheduler.scheduling_time().await?.mean)
}
