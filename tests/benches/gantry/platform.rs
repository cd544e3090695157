//! What the plugin platform costs: a change of the configuration under load, a start, a restart after a trap, and a
//! second plugin.
//!
//! The extender is the real binary, over loopback, without a cluster. Targets: no failed request during reloads at 1,000
//! requests a second and p99 below twice the steady one; ready ≤ 50 ms after a start with compiled plugins in the cache; a
//! call that traps ≤ 0.2 ms, the fresh instance included; two plugins ≤ 1.2 × the sum of their own times.

pub(crate) mod client;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use client::{Client, Server};
use gantry_host::{Component, Engine, Limits, Plugin};
use gantry_tests::{columns::Columns, report};
use serde_json::{Value, json};

/// Requests a second, and the connections that share them.
const RATE: usize = 1000;
const CONNECTIONS: usize = 8;
const STEADY: Duration = Duration::from_secs(5);
const RELOADS: usize = 5;
const STARTS: usize = 10;
const CALLS: usize = 300;
const BUILTIN: &str = "builtin:gantry";
/// Counts of answers in whose place a neutral one was given.
const NEUTRAL: &str = "outcome=\"neutral\"";

pub(crate) fn measure() -> Result<()> {
    report::headline("The plugin platform", "make bench ONLY=platform");
    let folder = tempfile::tempdir()?;
    start(folder.path())?;
    trap()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        reload(folder.path()).await?;
        two_plugins(folder.path()).await
    })
}

fn component(folder: &Path, guest: &str) -> Result<String> {
    let path = folder.join(guest).with_extension("wasm");
    std::fs::write(&path, gantry_guests::bytes(guest))?;
    Ok(format!("file:{}", path.display()))
}

fn config(folder: &Path, plugins: &Value, weights: &Value) -> Value {
    json!({
        "apiVersion": "gantry.dev/v1alpha1", "kind": "GantryConfiguration",
        "server": {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0"},
        "cluster": {"mode": "none"}, "cache": {"dir": folder.join("cache")},
        "profiles": [{"schedulerName": "default-scheduler", "plugins": plugins, "weights": weights}],
    })
}

fn plugin(name: &str, component: &str) -> Value {
    json!({"name": name, "component": component})
}

fn start(folder: &Path) -> Result<()> {
    report::section("From the start of the process to the first 200 of /readyz");
    let guest = component(folder, "well_behaved")?;
    let config = config(folder, &json!([plugin("gantry", BUILTIN), plugin("guest", &guest)]), &json!({}));
    let mut times = Vec::new();
    for _ in 0..=STARTS {
        times.push(Server::start(folder, &config)?.ready_after());
    }
    let first = times.remove(0);
    let warm = report::quantile(&mut times, 0.5);
    let row = |what: &str, time| vec![what.to_owned(), report::short(time), report::ratio(time, first)];
    let rows = [row("two plugins, compiled", first), row("two plugins, from the cache (target ≤ 50 ms)", warm)];
    report::table(&["start", "ready after", "× compiled"], &rows);
    Ok(())
}

fn trap() -> Result<()> {
    report::section("A call that traps, with the fresh instance for the next one");
    let engine = Engine::new()?;
    let columns = Columns::random(100, false, 1);
    let pod = columns.pod(1);
    let (mut rows, mut baseline) = (Vec::new(), None);
    for guest in ["well_behaved", "trap"] {
        let component = Component::load(&engine, gantry_guests::bytes(guest), None, None)?;
        let plugin = Plugin::new(guest, &component, "", Limits::default())?;
        let call = |_| {
            // The snapshot is pushed by another call, which does not trap.
            drop(plugin.filter(&columns, &pod.lent()));
            let start = Instant::now();
            drop(plugin.score(&columns, &pod.lent()));
            start.elapsed()
        };
        let mut times: Vec<_> = (0..CALLS).map(call).collect();
        let [p50, p99] = [0.5, 0.99].map(|share| report::quantile(&mut times, share));
        let harmless = *baseline.get_or_insert(p50);
        rows.push(vec![guest.to_owned(), report::short(p50), report::short(p99), report::ratio(p50, harmless)]);
    }
    report::table(&["plugin", "call, p50 (target ≤ 0.2 ms)", "p99", "× p50 of one that does not trap"], &rows);
    Ok(())
}

async fn reload(folder: &Path) -> Result<()> {
    report::section(&format!("Reloads under {RATE} requests a second"));
    let guest = component(folder, "well_behaved")?;
    let plugins = |round: usize| match round % 2 {
        0 => json!([plugin("gantry", BUILTIN)]),
        _ => json!([plugin("gantry", BUILTIN), plugin("guest", &guest)]),
    };
    let server = Server::start(folder, &config(folder, &plugins(0), &json!({})))?;
    let client = Client::new(server.extender, 100)?;
    client.load(RATE, CONNECTIONS, Duration::from_secs(1)).await?;
    let warm = server.sum_of(NEUTRAL).await?;
    let mut steady = client.load(RATE, CONNECTIONS, STEADY).await?;
    let before = server.sum_of(NEUTRAL).await?;
    let change = async {
        for round in 1..=RELOADS {
            // Other weights: instances that hold columns are made anew.
            server.rewrite(&config(folder, &plugins(round), &json!({"cpu": 1 + round})))?;
            server.wait_for("gantry_config_reloads_total{outcome=\"applied\"}", round as f64).await?;
        }
        anyhow::Ok(Instant::now())
    };
    let begin = Instant::now();
    let (load, applied) = tokio::join!(client.load(RATE, CONNECTIONS, RELOADS as u32 * Duration::from_secs(2)), change);
    let (mut during, applied) = (load?, applied? - begin);
    let after = server.sum_of(NEUTRAL).await?;
    let mut rows = Vec::new();
    let p99 = report::quantile(&mut steady, 0.99);
    for (what, times, neutral) in [
        ("steady", &mut steady, before - warm),
        ("during reloads (target: p99 < 2 × steady)", &mut during, after - before),
    ] {
        let [mid, high] = [0.5, 0.99].map(|share| report::quantile(times, share));
        let (count, neutral) = (times.len().to_string(), neutral.to_string());
        rows.push(vec![
            what.to_owned(),
            count,
            neutral,
            report::short(mid),
            report::short(high),
            report::ratio(high, p99),
        ]);
    }
    report::table(&["", "requests", "neutral (target 0)", "p50", "p99", "× p99"], &rows);
    report::section(&format!("({RELOADS} reloads were applied within {})", report::short(applied)));
    Ok(())
}

async fn two_plugins(folder: &Path) -> Result<()> {
    report::section("Two plugins in a profile, 1,000 nodes, /prioritize");
    let guest = component(folder, "well_behaved")?;
    let (one, other) = (plugin("gantry", BUILTIN), plugin("guest", &guest));
    let mut idle = one.clone();
    idle["extensionPoints"] = json!(["filter"]);
    let mut times = Vec::new();
    for plugins in [json!([idle]), json!([one]), json!([other]), json!([one, other])] {
        let server = Server::start(folder, &config(folder, &plugins, &json!({})))?;
        let client = Client::new(server.extender, 1000)?;
        let mut calls = client.one_by_one(CALLS).await?;
        times.push(report::quantile(&mut calls, 0.5));
    }
    let own = |time: Duration| time.saturating_sub(times[0]);
    let sum = own(times[1]) + own(times[2]);
    let rows = [
        ("nobody scores", times[0], Duration::ZERO),
        ("the built-in plugin", times[1], own(times[1])),
        ("a guest", times[2], own(times[2])),
        ("both (target ≤ 1.2 × the sum)", times[3], own(times[3])),
    ];
    let row = |(what, whole, own): (&str, _, _)| vec![what.to_owned(), report::short(whole), report::short(own)];
    report::table(&["plugins", "request, p50", "beyond the request's own"], &rows.map(row));
    report::table(
        &["sum of both alone", "together", "×"],
        &[vec![report::short(sum), report::short(own(times[3])), report::ratio(own(times[3]), sum)]],
    );
    Ok(())
}
