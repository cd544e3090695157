//! What the sandbox costs: scoring and searching in the component against the same code compiled natively.
//!
//! Targets: `score` at 5,000 rows ≤ 1.6 × native, the search loop ≤ 1.2 × native, at least 15 million moves a second
//! natively and 12 million in the component, a fresh instance after a trap ≤ 0.2 ms.

use std::time::{Duration, Instant};

use anyhow::Result;
use gantry_host::{Component, Engine, Limits, Plugin as Sandboxed, types};
use gantry_plugin::{Plugin, types as native};
use gantry_tests::{
    columns::{Columns, RandomPod},
    report,
};

/// Each figure is the least of this many runs: what disturbs a measurement only ever adds to it. The two sides take turns,
/// so that a machine that slows down slows both.
const BATCHES: usize = 15;
const SEARCHES: usize = 5;
/// Moves of one search: a tenth of a second and more.
const EVALUATIONS: u64 = 2_000_000;

pub(crate) fn measure() -> Result<()> {
    report::headline("The plugin in the sandbox against native", "make bench ONLY=component");
    let engine = Engine::new()?;
    let component = Component::load(&engine, gantry_component::BYTES, None, None)?;
    let limits =
        Limits { deadline: Duration::from_secs(5), plan_deadline: Duration::from_mins(1), ..Limits::default() };
    let sandbox = Sandboxed::new("gantry", &component, "", limits)?;
    score(&sandbox)?;
    search(&sandbox)
}

fn score(sandbox: &Sandboxed) -> Result<()> {
    let mut rows = Vec::new();
    for nodes in [10, 100, 500, 1000, 5000] {
        let columns = Columns::random(nodes, false, nodes as u64);
        let pods: Vec<_> = (0..100).map(|seed| columns.pod(seed)).collect();
        let owned: Vec<_> = pods.iter().map(RandomPod::native).collect();
        let mut plugin = native(&columns);
        sandbox.score(&columns, &pods[0].lent())?;
        let [compiled, boxed] = least(
            BATCHES,
            || owned.iter().for_each(|pod| drop(plugin.score(pod))),
            || pods.iter().for_each(|pod| drop(sandbox.score(&columns, &pod.lent()))),
        )
        .map(|batch| batch / 100);
        rows.push(vec![
            nodes.to_string(),
            report::short(compiled),
            report::short(boxed),
            report::ratio(boxed, compiled),
        ]);
    }
    report::table(&["nodes", "score, native", "score, component", "× native"], &rows);
    Ok(())
}

fn search(sandbox: &Sandboxed) -> Result<()> {
    let mut rows = Vec::new();
    for (pods, nodes) in [(100, 10), (500, 50), (2000, 200)] {
        let columns = Columns::random(nodes, false, nodes as u64 + 1);
        let pods: Vec<_> = (0..pods).map(|seed| columns.pod(seed)).collect();
        let classes: Vec<u32> = pods.iter().map(|pod| pod.class).collect();
        let requests: Vec<f64> = pods.iter().flat_map(|pod| pod.request.clone()).collect();
        let owned = native::Pods {
            classes: classes.clone(),
            requests: requests.clone(),
            estimates: Vec::new(),
            warm_start: Vec::new(),
            priorities: Vec::new(),
            topologies: Vec::new(),
            rules: Vec::new(),
        };
        let lent = types::Pods {
            classes: &classes,
            requests: &requests,
            estimates: &[],
            warm_start: &[],
            priorities: &[],
            topologies: &[],
            rules: &[],
        };
        let mut plugin = native(&columns);
        sandbox.plan(&columns, &lent, types::Budget { evaluations: 1 }, 1)?;
        let mut run = |evaluations| {
            let mut spent = 0;
            let times = least(
                SEARCHES,
                || spent = plugin.plan(&owned, native::Budget { evaluations }, 1).map_or(0, |plan| plan.evaluations),
                || drop(sandbox.plan(&columns, &lent, types::Budget { evaluations }, 1)),
            );
            (spent, times)
        };
        // The start is measured apart and taken off: its evaluations are no moves.
        let ((start, start_times), (spent, times)) = (run(0), run(EVALUATIONS));
        let [compiled, boxed] = [0, 1].map(|side| times[side].saturating_sub(start_times[side]));
        let speed = |time: Duration| format!("{:.1}", (spent - start) as f64 / time.as_secs_f64() / 1e6);
        rows.push(vec![
            format!("{} × {nodes}", pods.len()),
            speed(compiled),
            speed(boxed),
            report::ratio(boxed, compiled),
        ]);
    }
    report::table(&["pods × nodes", "million moves/s, native", "in the component", "time × native"], &rows);
    Ok(())
}

fn native(columns: &Columns) -> Plugin {
    let mut plugin = Plugin::default();
    plugin.push_snapshot(columns.native()).expect("invariant: a random cluster passes the checks");
    plugin
}

/// The least time of each of two that take turns.
fn least(turns: usize, mut one: impl FnMut(), mut other: impl FnMut()) -> [Duration; 2] {
    (0..turns).fold([Duration::MAX; 2], |[least_one, least_other], _| {
        [least_one.min(once(&mut one)), least_other.min(once(&mut other))]
    })
}

fn once(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}
