//! kube-scheduler's own time per pod: without an extender, with one that answers at once, with Gantry, and with pods that
//! Gantry nominates.
//!
//! The step measured (`scheduler_scheduling_algorithm_duration_seconds`) is the serial one: its inverse is the most pods
//! that kube-scheduler can place in a second. Targets: Gantry ≤ 1.15 × the extender that answers at once; nominated pods
//! below the default profile's without an extender, for kube-scheduler tries one node and scores none.
//!
//! The pods wait before kube-scheduler starts, so that what creates them takes none of its time; those that are nominated
//! come while it runs, which is to their disadvantage. API server, etcd and kwok, which have machines of their own on a
//! cluster, let the others go first. Each time is the lesser of two runs' means, in turns.

use std::time::Duration;

use anyhow::Result;
use axum::{Router, body::Bytes, routing::post};
use gantry_tests::{
    ControlPlane, Extender, Scheduler,
    extender::ExtenderSettings,
    metrics,
    placement::Assignment,
    report,
    scheduler::{ExtenderStanza, SchedulerSettings},
    workload::Workload,
};
use serde_json::{json, value::RawValue};
use tokio::net::TcpListener;

const PODS: usize = 500;
const ROUNDS: usize = 2;
const NAMES: [&str; 4] = ["no extender", "answers at once", "Gantry", "no extender, Gantry nominates"];
const LIMIT: Duration = Duration::from_mins(3);

pub(crate) fn measure() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure_all())
}

async fn measure_all() -> Result<()> {
    report::headline("kube-scheduler's scheduling time per pod", "make bench ONLY=scheduling-time");
    let plane = ControlPlane::start().await?;
    plane.step_back()?;
    let instant = serve_instantly().await?;
    let mut rows = Vec::new();
    for nodes in [100, 1000] {
        let workload = Workload::light(PODS, nodes, 1);
        let mut least = [Duration::MAX; NAMES.len()];
        let mut inside = Duration::MAX;
        for _ in 0..ROUNDS {
            let none = run(&plane, &workload, SchedulerSettings::default()).await?;
            let at_once = run(&plane, &workload, with(&instant)).await?;
            let (gantry, own) = with_gantry(&plane, &workload).await?;
            let nominated = nominated(&plane, &workload).await?;
            least = std::array::from_fn(|place| least[place].min([none, at_once, gantry, nominated][place]));
            inside = inside.min(own);
        }
        for (name, time) in NAMES.into_iter().zip(least) {
            let ratios = [least[1], least[0]].map(|baseline| report::ratio(time, baseline));
            let inside = if name == "Gantry" { report::short(inside) } else { String::new() };
            rows.push([&[nodes.to_string(), name.to_owned(), report::short(time)][..], &ratios, &[inside]].concat());
        }
    }
    let columns = ["nodes", "extender", "mean time a pod", "× answers at once", "× no extender", "inside Gantry"];
    report::table(&columns, &rows);
    Ok(())
}

fn with(url: &str) -> SchedulerSettings {
    SchedulerSettings::with_extender(ExtenderStanza::new(url))
}

/// And how much of it Gantry's handlers had a pod for.
async fn with_gantry(plane: &ControlPlane, workload: &Workload) -> Result<(Duration, Duration)> {
    plane.clear().await?;
    let extender = Extender::start(plane, &ExtenderSettings::default()).await?;
    let time = run(plane, workload, with(&extender.url())).await?;
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

/// Places the workload, which waits on an empty cluster, and returns the mean time of a decision.
async fn run(plane: &ControlPlane, workload: &Workload, settings: SchedulerSettings) -> Result<Duration> {
    plane.clear().await?;
    workload.create_nodes(&plane.client()).await?;
    workload.create_pods(&plane.client(), 0..workload.pods()).await?;
    let scheduler = Scheduler::start(plane, &settings).await?;
    time(plane, &scheduler, workload).await
}

async fn time(plane: &ControlPlane, scheduler: &Scheduler, workload: &Workload) -> Result<Duration> {
    Assignment::settled(&plane.client(), workload, LIMIT).await?;
    Ok(scheduler.scheduling_time().await?.mean)
}

/// The part of a request that the baseline looks at.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments<'a> {
    #[serde(borrow)]
    node_names: &'a RawValue,
}

/// The least that an extender can do: every name passes, no scores.
async fn serve_instantly() -> Result<String> {
    async fn filter(body: Bytes) -> String {
        let arguments: Arguments<'_> =
            serde_json::from_slice(&body).expect("invariant: kube-scheduler writes valid JSON");
        format!("{{\"NodeNames\":{}}}", arguments.node_names.get())
    }
    async fn prioritize() -> &'static str {
        "[]"
    }
    let router = Router::new().route("/filter", post(filter)).route("/prioritize", post(prioritize));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}
