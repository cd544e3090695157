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
//! cluster, let the others go first. Each time is the least of three runs' means, in turns.

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

const PODS: usize = 500;
const ROUNDS: usize = 3;
const NAMES: [&str; 5] =
    ["no extender", "answers at once", "Gantry, pod by pod", "Gantry, follow", "no extender, Gantry nominates"];
/// The argument that asks for one number of nodes in place of both.
pub(crate) const NODES: &str = "nodes=";
const LIMIT: Duration = Duration::from_mins(3);

pub(crate) fn measure() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure_all())
}

async fn measure_all() -> Result<()> {
    report::headline("kube-scheduler's scheduling time per pod", "make bench ONLY=scheduling-time");
    let plane = ControlPlane::start().await?;
    plane.step_back()?;
    let instant = instant::serve().await?;
    let mut rows = Vec::new();
    for nodes in sizes()? {
        let workload = Workload::light(PODS, nodes, 1);
        let mut least = [Duration::MAX; NAMES.len()];
        let mut inside = [Duration::MAX; NAMES.len()];
        for _ in 0..ROUNDS {
            let none = run(&plane, &workload, SchedulerSettings::default()).await?;
            let at_once = run(&plane, &workload, with(&instant)).await?;
            let (one_by_one, own) = with_gantry(&plane, &workload, Value::Null).await?;
            let (followed, own_of_plan) = with_gantry(&plane, &workload, json!({"mode": "follow"})).await?;
            let nominated = nominated(&plane, &workload).await?;
            let times = [none, at_once, one_by_one, followed, nominated];
            least = std::array::from_fn(|place| least[place].min(times[place]));
            inside[2] = inside[2].min(own);
            inside[3] = inside[3].min(own_of_plan);
        }
        for ((name, time), own) in NAMES.into_iter().zip(least).zip(inside) {
            let ratios = [least[1], least[0]].map(|baseline| report::ratio(time, baseline));
            let own = if own == Duration::MAX { String::new() } else { report::short(own) };
            rows.push([&[nodes.to_string(), name.to_owned(), report::short(time)][..], &ratios, &[own]].concat());
        }
    }
    let columns = ["nodes", "extender", "mean time a pod", "× answers at once", "× no extender", "inside Gantry"];
    report::table(&columns, &rows);
    Ok(())
}

/// 100 and 1000 nodes, or what `nodes=` says.
fn sizes() -> Result<Vec<usize>> {
    let asked = std::env::args().find_map(|argument| Some(argument.strip_prefix(NODES)?.to_owned()));
    let Some(nodes) = asked else { return Ok(vec![100, 1000]) };
    Ok(vec![nodes.parse().with_context(|| format!("{NODES}{nodes} is no number of nodes"))?])
}

fn with(url: &str) -> SchedulerSettings {
    SchedulerSettings { percentage_of_nodes_to_score: 0, ..SchedulerSettings::with_extender(ExtenderStanza::new(url)) }
}

/// And how much of it Gantry's handlers had a pod for. With a plan kube-scheduler starts once all pods are in it.
async fn with_gantry(plane: &ControlPlane, workload: &Workload, plan: Value) -> Result<(Duration, Duration)> {
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
    Ok((time, Duration::from_secs_f64(inside / PODS as f64)))
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
