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

use anyhow::{Result, bail};
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
const CALLS: usize = 600;
/// Requests of one profile before the next profile's turn.
const TURN: usize = 10;
const BUILTIN: &str = "builtin:gantry";
/// Counts of answers in whose place a neutral one was given.
const NEUTRAL: &str = "outcome=\"neutral\"";
/// The seconds that plugins had for scores, all together.
const OWN: [&str; 2] = ["gantry_plugin_call_duration_seconds_sum", "extension_point=\"score\""];

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

/// A profile that is asked for scores, and what came of it.
struct Asked {
    what: &'static str,
    server: Server,
    client: Client,
    times: Vec<Duration>,
}

impl Asked {
    /// What its plugins had of the time until now, as the extender itself counts.
    async fn own(&self) -> Result<Duration> {
        Ok(Duration::from_secs_f64(self.server.value_of(OWN).await?))
    }
}

/// The profiles take turns, so that a machine which slows down slows each. What a request costs without any plugin is what
/// one with a single plugin leaves beside that plugin's own time: an answer of the same kind and size. A profile that no
/// plugin scores for would be no baseline, since its answer names all nodes, where one of scores names ten.
async fn two_plugins(folder: &Path) -> Result<()> {
    report::section("Two plugins in a profile, 1,000 nodes, /prioritize");
    let guest = component(folder, "well_behaved")?;
    let (one, other) = (plugin("gantry", BUILTIN), plugin("guest", &guest));
    let profiles = [
        ("the built-in plugin", json!([one])),
        ("a guest", json!([other])),
        ("both (target: plugins ≤ 1.2 × the sum of their own)", json!([one, other])),
    ];
    let serve = |(number, (what, plugins)): (usize, &(&'static str, Value))| {
        // Each watches the file that it was started with.
        let own = folder.join(number.to_string());
        std::fs::create_dir(&own)?;
        let server = Server::start(&own, &config(folder, plugins, &json!({})))?;
        let client = Client::new(server.extender, 1000)?;
        anyhow::Ok(Asked { what, server, client, times: Vec::new() })
    };
    let mut asked = profiles.iter().enumerate().map(serve).collect::<Result<Vec<_>>>()?;
    let mut before = Vec::new();
    for profile in &asked {
        profile.client.one_by_one(TURN).await?;
        before.push(profile.own().await?);
    }
    for _ in 0..CALLS / TURN {
        for profile in &mut asked {
            profile.times.extend(profile.client.one_by_one(TURN).await?);
        }
    }
    let mut rows = Vec::new();
    let mut measured = Vec::new();
    for (profile, before) in asked.iter().zip(before) {
        let count = profile.times.len() as u32;
        let whole = profile.times.iter().sum::<Duration>() / count;
        let own = profile.own().await?.saturating_sub(before) / count;
        let beside = whole.saturating_sub(own);
        rows.push(vec![profile.what.to_owned(), report::short(whole), report::short(own), report::short(beside)]);
        measured.push((whole, own, beside));
    }
    report::table(&["plugins", "request, mean", "the plugins' own", "beside them"], &rows);
    let [one, other, both] = measured[..] else { bail!("three profiles are measured") };
    let sum = one.1 + other.1;
    let cost = both.0.saturating_sub((one.2 + other.2) / 2);
    let heads = ["own times of both, alone", "what both cost together, beside a request's own", "×"];
    report::table(&heads, &[vec![report::short(sum), report::short(cost), report::ratio(cost, sum)]]);
    Ok(())
}
