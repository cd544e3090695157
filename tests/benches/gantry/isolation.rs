//! What a hostile plugin of one profile costs the pods of another.
//!
//! Every attack is made by 1 and by 16 requests at once, on an extender of its own each time, so that no breaker keeps the
//! attacker away. While its requests are under way, a healthy profile's requests come one after the other, as
//! kube-scheduler sends them. Target: their p50 and p99 at most double.

use std::{
    path::Path,
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use axum::{Router, body::Body, http::Request};
use futures::future::{join_all, poll_immediate};
use gantry_extender::{
    app::App,
    config::{self, Surroundings},
};
use gantry_tests::report;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Healthy requests measured for a figure, and how long at most.
const SAMPLES: usize = 300;
const PATIENCE: Duration = Duration::from_secs(6);
/// Healthy requests before an attack: the first ones find cold instances.
const WARM_UP: usize = 5;
const NODES: usize = 100;
const FULL: &str = include_str!("../../fixtures/kube-scheduler/filter_full_nodes.json");

pub(crate) fn measure() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure_all())
}

async fn measure_all() -> Result<()> {
    report::headline(
        "A healthy profile's requests while another profile's plugin attacks",
        "make bench ONLY=isolation",
    );
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    // What the machine's other load does to two measurements of one thing, and what 16 harmless requests do.
    for attack in ["well_behaved"].into_iter().chain(attacks()) {
        let path = folder.path().join(attack).with_extension("wasm");
        std::fs::write(&path, gantry_guests::bytes(attack))?;
        for parallel in [1, 16] {
            rows.push(row(attack, &path, parallel).await?);
        }
    }
    let columns = ["plugin", "requests at once", "alone: p50", "p99", "under attack: p50", "p99", "× p50", "× p99"];
    report::table(&columns, &rows);
    Ok(())
}

/// The guests that start: the others are refused before anybody asks them.
fn attacks() -> impl Iterator<Item = &'static str> {
    let refused = ["bad_configure", "foreign_import", "trap_in_init", "well_behaved", "wrong_generation"];
    gantry_guests::names().filter(move |name| !refused.contains(name))
}

async fn row(attack: &str, component: &Path, parallel: usize) -> Result<Vec<String>> {
    let (mut alone, mut attacked) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while attacked.len() < SAMPLES && start.elapsed() < PATIENCE {
        let extender = extender(component)?;
        let nodes = full_request("default-scheduler")?;
        for _ in 0..WARM_UP {
            ask(&extender, nodes.clone()).await?;
        }
        let before = alone.len();
        under_attack(&extender, parallel, &mut attacked).await?;
        // As many without: what else the machine does is the same.
        let seen = attacked.len() - before;
        for _ in 0..seen {
            alone.push(ask(&extender, request("default-scheduler", "healthy")?).await?);
        }
    }
    let [p50, p99] = [0.5, 0.99].map(|share| report::quantile(&mut alone, share));
    let [attacked_p50, attacked_p99] = [0.5, 0.99].map(|share| report::quantile(&mut attacked, share));
    let mut row = vec![attack.to_owned(), parallel.to_string()];
    row.extend([p50, p99, attacked_p50, attacked_p99].map(report::short));
    row.extend([report::ratio(attacked_p50, p50), report::ratio(attacked_p99, p99)]);
    Ok(row)
}

/// Healthy requests, one after the other, from the moment the attack begins until all of it is answered.
async fn under_attack(extender: &Router, parallel: usize, times: &mut Vec<Duration>) -> Result<()> {
    let attack = |number| {
        let (extender, body) = (extender.clone(), request("attacked", &format!("attacked-{number}")));
        tokio::spawn(async move { ask(&extender, body?).await })
    };
    let mut attack = pin!(join_all((0..parallel).map(attack)));
    while poll_immediate(attack.as_mut()).await.is_none() {
        times.push(ask(extender, request("default-scheduler", "healthy")?).await?);
    }
    Ok(())
}

/// Two profiles: the built-in plugin's, and the attacker's.
fn extender(attacker: &Path) -> Result<Router> {
    let cache = attacker.with_file_name("cache");
    let attacker = format!("file:{}", attacker.display());
    let document = json!({
        "apiVersion": "gantry.dev/v1alpha1", "kind": "GantryConfiguration",
        "cluster": {"mode": "none"}, "cache": {"dir": cache}, "server": {"deadline": "1s"},
        "profiles": [
            {"schedulerName": "default-scheduler", "plugins": [{"name": "good", "component": "builtin:gantry"}]},
            {"schedulerName": "attacked", "plugins": [{"name": "bad", "component": attacker}]},
        ],
    });
    let file = config::parse(&document.to_string(), Path::new("bench"))?;
    let config = config::check::check(file, Surroundings::default()).map_err(|problems| anyhow!("{problems:?}"))?;
    Ok(App::without_cluster(&config)?.extender())
}

fn full_request(scheduler: &str) -> Result<Vec<u8>> {
    let mut request: Value = serde_json::from_str(FULL)?;
    let model = request["Nodes"]["items"][0].clone();
    let node = |row| {
        let mut node = model.clone();
        node["metadata"]["name"] = json!(format!("node-{row}"));
        node
    };
    request["Nodes"]["items"] = (0..NODES).map(node).collect();
    request["Pod"]["spec"]["schedulerName"] = json!(scheduler);
    Ok(serde_json::to_vec(&request)?)
}

/// Names only: the nodes are known.
fn request(scheduler: &str, pod: &str) -> Result<Vec<u8>> {
    let mut request: Value = serde_json::from_str(FULL)?;
    request["Nodes"] = Value::Null;
    request["NodeNames"] = (0..NODES).map(|row| json!(format!("node-{row}"))).collect();
    request["Pod"]["spec"]["schedulerName"] = json!(scheduler);
    request["Pod"]["metadata"]["uid"] = json!(pod);
    Ok(serde_json::to_vec(&request)?)
}

async fn ask(extender: &Router, body: Vec<u8>) -> Result<Duration> {
    let request = Request::post("/prioritize").body(Body::from(body))?;
    let start = Instant::now();
    let response = extender.clone().oneshot(request).await.context("the router never fails")?;
    let answer = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
    let time = start.elapsed();
    anyhow::ensure!(answer.len() > NODES, "an answer without scores: {}", String::from_utf8_lossy(&answer));
    Ok(time)
}
