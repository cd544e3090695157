//! What the extender holds in memory on a large cluster: 5,000 nodes and 20,000 pods, as an API server would show them.
//!
//! The real binary, with a stand-in for the API server that makes up nodes and pods of ordinary size and changes each of
//! them once. Target: at most 250 MB resident, after the lists, after the changes, and after plans and scores.

mod api_server;

use std::time::Duration;

use anyhow::Result;
use gantry_tests::{
    Extender,
    extender::{ExtenderSettings, OWN_POD},
    poll::until,
    process::Memory,
    report,
};
use serde_json::json;

use api_server::{ApiServer, node_name, waiting_pod};

const NODES: usize = 5_000;
const PODS: usize = 20_000;
/// Those of the pods that have no node.
const WAITING: usize = 1_000;
/// Pods that are filtered and scored.
const ASKED: usize = 200;
/// Bytes resident.
const LIMIT: u64 = 250_000_000;

pub(crate) fn measure() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure_all())
}

async fn measure_all() -> Result<()> {
    report::headline("Memory of the extender", "make bench ONLY=memory");
    let folder = tempfile::tempdir()?;
    let server = ApiServer::start(NODES, PODS, WAITING, folder.path()).await?;
    let settings = ExtenderSettings { plan: json!({"mode": "guide"}), ..ExtenderSettings::default() };
    let extender = Extender::start_at(&server.kubeconfig, folder.path(), &settings, OWN_POD).await?;
    let mut rows = vec![row("the first lists", extender.memory()?)];
    until("every change to be sent", Duration::from_mins(2), || async {
        Ok((server.changes_sent() == NODES + PODS).then_some(()))
    })
    .await?;
    rows.push(row("every node and pod changed once", extender.memory()?));
    extender.wait_for_plan(WAITING).await?;
    rows.push(row("a plan of the waiting pods", extender.memory()?));
    ask(&extender).await?;
    rows.push(row("filter and scores of 200 pods", extender.memory()?));
    report::section(&format!("{NODES} nodes, {PODS} pods of which {WAITING} wait; limit {} MB", LIMIT / 1_000_000));
    report::table(&["after", "resident", "peak so far", "peak / limit"], &rows);
    Ok(())
}

/// As kube-scheduler asks: one pod after the other, all nodes.
async fn ask(extender: &Extender) -> Result<()> {
    let names: Vec<String> = (0..NODES).map(node_name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for index in 0..ASKED {
        let pod = serde_json::from_value(waiting_pod(index))?;
        for verb in ["filter", "prioritize"] {
            extender.ask(verb, &pod, &names).await?;
        }
    }
    anyhow::ensure!(extender.fallbacks().await? == 0.0, "{}", extender.log_end(20));
    Ok(())
}

fn row(after: &str, memory: Memory) -> Vec<String> {
    let megabytes = |bytes: u64| format!("{:.0} MB", bytes as f64 / 1e6);
    let share = format!("{:.2}", memory.peak as f64 / LIMIT as f64);
    vec![after.to_owned(), megabytes(memory.resident), megabytes(memory.peak), share]
}
