//! What a request costs inside Gantry: from the body's bytes to the answer's, sockets left out.
//!
//! The baseline is an extender that answers at once, behind the same router. Every pod is new and is read from the
//! request, as if the watch had not shown it yet: the dearer of the two ways.
//! Targets: p99 ≤ 1 ms with 500 names, ≤ 3 ms with 5,000.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use axum::{Router, body::Body, http::Request};
use gantry_extender::{
    app::App,
    config::{self, Surroundings},
};
use gantry_tests::report;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::instant;

const PODS: usize = 600;
const FULL: &str = include_str!("../../fixtures/kube-scheduler/filter_full_nodes.json");
const NAMES: &str = include_str!("../../fixtures/kube-scheduler/filter_cached_pod_realistic_deployment_pod.json");
const CONFIG: &str = "{apiVersion: gantry.dev/v1alpha1, kind: GantryConfiguration, cluster: {mode: none}}";

pub(crate) fn measure() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure_all())
}

async fn measure_all() -> Result<()> {
    report::headline("Latency of a request inside Gantry", "make bench ONLY=handler");
    let instant = instant::router();
    let mut rows = Vec::new();
    for nodes in [100, 500, 1000, 5000] {
        let extender = extender_that_knows(nodes).await?;
        let at_once = names(async |path, body| ask(&instant, path, body).await, nodes, "pod").await?;
        let ours = names(async |path, body| ask(&extender, path, body).await, nodes, "pod").await?;
        let Asked { times: [filter_at_once, prioritize_at_once], .. } = at_once;
        let Asked { bytes, times: [filter, prioritize] } = ours;
        rows.push(row("filter, names", nodes, bytes, [filter, filter_at_once]));
        rows.push(row("prioritize, names", nodes, bytes, [prioritize, prioritize_at_once]));
    }
    for nodes in [100, 1000] {
        let (bytes, times) = whole_nodes(&extender_that_knows(nodes).await?, nodes).await?;
        let (_, at_once) = whole_nodes(&instant, nodes).await?;
        rows.push(row("filter, whole nodes", nodes, bytes, [times, at_once]));
    }
    report::table(&["request", "nodes", "body", "p50", "p99", "answers at once, p50", "× answers at once, p50"], &rows);
    Ok(())
}

/// What requests of one kind took.
pub(crate) struct Asked {
    /// The size of a body.
    bytes: usize,
    /// Of Filter and of Prioritize.
    pub(crate) times: [Vec<Duration>; 2],
}

/// `/filter` and `/prioritize` with node names only, each pair for a pod of its own, asked one after the other.
pub(crate) async fn names(
    mut ask: impl AsyncFnMut(&str, Vec<u8>) -> Result<Duration>,
    nodes: usize,
    pods: &str,
) -> Result<Asked> {
    let names: Vec<String> = (0..nodes).map(node_name).collect();
    let mut request: Value = serde_json::from_str(NAMES)?;
    request["NodeNames"] = json!(names);
    let (mut filter, mut prioritize) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for pod in 0..PODS {
        request["Pod"]["metadata"]["uid"] = json!(format!("{pods}-{nodes}-{pod}"));
        let body = serde_json::to_vec(&request)?;
        bytes = body.len();
        filter.push(ask("/filter", body.clone()).await?);
        prioritize.push(ask("/prioritize", body).await?);
    }
    Ok(Asked { bytes, times: [filter, prioritize] })
}

/// `/filter` with whole nodes, of which all but the first request's are known by version: a body's size, and the times.
async fn whole_nodes(extender: &Router, nodes: usize) -> Result<(usize, Vec<Duration>)> {
    let mut request = full_request(nodes)?;
    let (mut times, mut bytes) = (Vec::new(), 0);
    for pod in 0..PODS / 10 {
        request["Pod"]["metadata"]["uid"] = json!(format!("pod-{nodes}-{pod}"));
        let body = serde_json::to_vec(&request)?;
        bytes = body.len();
        times.push(ask(extender, "/filter", body).await?);
    }
    Ok((bytes, times))
}

/// `times` are Gantry's and the baseline's.
fn row(request: &str, nodes: usize, bytes: usize, times: [Vec<Duration>; 2]) -> Vec<String> {
    let [mut ours, mut at_once] = times;
    let [p50, p99] = [0.5, 0.99].map(|share| report::quantile(&mut ours, share));
    let baseline = report::quantile(&mut at_once, 0.5);
    let figures = [report::short(p50), report::short(p99), report::short(baseline), report::ratio(p50, baseline)];
    let mut row = vec![request.to_owned(), nodes.to_string(), format!("{} KiB", bytes / 1024)];
    row.extend(figures);
    row
}

/// An extender that has seen the nodes once.
async fn extender_that_knows(nodes: usize) -> Result<Router> {
    let extender = app()?.extender();
    show_nodes(&extender, nodes).await?;
    Ok(extender)
}

/// A process without a cluster, all defaults.
pub(crate) fn app() -> Result<App> {
    let file = config::parse(CONFIG, Path::new("bench"))?;
    let config = config::check::check(file, Surroundings::default()).map_err(|problems| anyhow!("{problems:?}"))?;
    Ok(App::without_cluster(&config)?)
}

/// Lets an extender see the nodes.
pub(crate) async fn show_nodes(extender: &Router, nodes: usize) -> Result<()> {
    ask(extender, "/filter", serde_json::to_vec(&full_request(nodes)?)?).await.map(drop)
}

fn full_request(nodes: usize) -> Result<Value> {
    let mut request: Value = serde_json::from_str(FULL)?;
    let model = request["Nodes"]["items"][0].clone();
    let node = |row| {
        let mut node = model.clone();
        node["metadata"]["name"] = json!(node_name(row));
        node
    };
    request["Nodes"]["items"] = (0..nodes).map(node).collect();
    Ok(request)
}

fn node_name(row: usize) -> String {
    format!("ip-10-0-{}-{}.eu-west-1.compute.internal", row / 256, row % 256)
}

async fn ask(extender: &Router, path: &str, body: Vec<u8>) -> Result<Duration> {
    let request = Request::post(path).body(Body::from(body))?;
    let start = Instant::now();
    let response = extender.clone().oneshot(request).await.context("the router never fails")?;
    let answer = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
    let time = start.elapsed();
    anyhow::ensure!(!answer.is_empty(), "{path} answered nothing");
    Ok(time)
}
