//! What a hostile plugin of one profile costs the pods of another.
//!
//! Every attack is made by 1 and by 16 pods at once, on an extender of its own each time, so that no breaker keeps the
//! attacker away. While their requests are under way, a healthy profile's come one after the other. Of each pod Filter is
//! asked and then Score, as kube-scheduler does. Target: the healthy ones' p50 and p99 at most double.

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
const VERBS: [&str; 2] = ["/filter", "/prioritize"];
/// Rounds of healthy requests before an attack, as many at once as will be: the first ones find cold instances, and no
/// threads.
const WARM_UP: usize = 5;
const NODES: usize = 100;
const FULL: &str = include_str!("../../fixtures/kube-scheduler/filter_full_nodes.json");

/// How long answers took, by verb.
type Times = [Vec<Duration>; VERBS.len()];

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
            rows.extend(rows_of(attack, &path, parallel).await?);
        }
    }
    let columns =
        ["plugin", "pods at once", "healthy", "alone: p50", "p99", "under attack: p50", "p99", "× p50", "× p99"];
    report::table(&columns, &rows);
    Ok(())
}

/// The guests that start and do harm: some are refused before anybody asks them, some do it in plans alone or not at all.
fn attacks() -> impl Iterator<Item = &'static str> {
    let refused = ["aliased_strings", "bad_configure", "foreign_import", "trap_in_init"];
    let harmless = ["every_verdict", "loop_in_plan", "score_only", "trap_in_plan", "well_behaved", "wrong_generation"];
    gantry_guests::names().filter(move |name| !refused.contains(name) && !harmless.contains(name))
}

/// A row for each verb of the healthy profile's.
async fn rows_of(attack: &str, component: &Path, parallel: usize) -> Result<Vec<Vec<String>>> {
    let (mut alone, mut attacked) = (Times::default(), Times::default());
    let start = Instant::now();
    while attacked[0].len() < SAMPLES && start.elapsed() < PATIENCE {
        let extender = extender(component)?;
        let nodes = full_request("default-scheduler")?;
        for _ in 0..WARM_UP {
            let at_once = (0..=parallel).map(|_| ask(&extender, "/prioritize", nodes.clone()));
            join_all(at_once).await.into_iter().collect::<Result<Vec<_>>>()?;
        }
        let before = alone[0].len();
        under_attack(&extender, parallel, &mut attacked).await?;
        // As many without: what else the machine does is the same.
        let seen = attacked[0].len() - before;
        for _ in 0..seen {
            ask_both(&extender, "default-scheduler", "healthy", &mut alone).await?;
        }
    }
    let times = alone.into_iter().zip(attacked);
    let row = |(verb, (mut alone, mut attacked)): (&&str, (Vec<Duration>, Vec<Duration>))| {
        let [p50, p99] = [0.5, 0.99].map(|share| report::quantile(&mut alone, share));
        let [attacked_p50, attacked_p99] = [0.5, 0.99].map(|share| report::quantile(&mut attacked, share));
        let mut row = vec![attack.to_owned(), parallel.to_string(), (*verb).to_owned()];
        row.extend([p50, p99, attacked_p50, attacked_p99].map(report::short));
        row.extend([report::ratio(attacked_p50, p50), report::ratio(attacked_p99, p99)]);
        row
    };
    Ok(VERBS.iter().zip(times).map(row).collect())
}

/// Healthy requests, one after the other, from the moment the attack begins until all of it is answered.
async fn under_attack(extender: &Router, parallel: usize, times: &mut Times) -> Result<()> {
    let attack = |number| {
        let extender = extender.clone();
        tokio::spawn(async move {
            ask_both(&extender, "attacked", &format!("attacked-{number}"), &mut Times::default()).await
        })
    };
    let mut attack = pin!(join_all((0..parallel).map(attack)));
    while poll_immediate(attack.as_mut()).await.is_none() {
        ask_both(extender, "default-scheduler", "healthy", times).await?;
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

/// What kube-scheduler asks of a pod; notes how long each answer took.
async fn ask_both(extender: &Router, scheduler: &str, pod: &str, times: &mut Times) -> Result<()> {
    for (verb, times) in VERBS.iter().zip(times) {
        times.push(ask(extender, verb, request(scheduler, pod)?).await?);
    }
    Ok(())
}

async fn ask(extender: &Router, verb: &str, body: Vec<u8>) -> Result<Duration> {
    let request = Request::post(verb).body(Body::from(body))?;
    let start = Instant::now();
    let response = extender.clone().oneshot(request).await.context("the router never fails")?;
    let answer = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
    let time = start.elapsed();
    anyhow::ensure!(answer.len() > NODES, "an answer without nodes: {}", String::from_utf8_lossy(&answer));
    Ok(time)
}
