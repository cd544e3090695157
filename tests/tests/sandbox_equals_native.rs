//! The plugin's own code gives the same bytes natively and as a component in the sandbox.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use gantry_host::{component::Component, engine::Engine, limits::Limits, plugin::Plugin as Sandboxed, types};
use gantry_plugin::{Plugin, types as native};
use gantry_tests::columns::{Columns, RESOURCES, RandomPod};

fn sandboxed(settings: &str) -> Sandboxed {
    let engine = Engine::new().unwrap();
    let component = Component::load(&engine, gantry_component::BYTES, None, None).unwrap();
    let limits = Limits { deadline: std::time::Duration::from_secs(5), ..Limits::default() };
    Sandboxed::new("gantry", &component, settings, limits).unwrap()
}

fn native(settings: &str, columns: &Columns) -> Plugin {
    let mut plugin = Plugin::default();
    plugin.configure(settings).unwrap();
    plugin.push_snapshot(columns.native()).unwrap();
    plugin
}

fn bits(scores: &[f64]) -> Vec<u64> {
    scores.iter().map(|score| score.to_bits()).collect()
}

#[test]
fn verdicts_and_scores_are_equal_bit_for_bit_on_random_clusters() {
    for settings in ["", r#"{"objective":"sigma"}"#, r#"{"preferenceShare":0.3,"hotShare":0.8}"#] {
        let sandbox = sandboxed(settings);
        for (rows, forecast) in [(1, false), (63, true), (64, false), (700, true)] {
            let columns = Columns::random(rows, forecast, rows as u64);
            let mut plugin = native(settings, &columns);
            for seed in 0..20 {
                let pod = columns.pod(seed);
                let verdicts = sandbox.filter(&columns, &pod.lent()).unwrap();
                assert_eq!(verdicts, plugin.filter(&pod.native()).unwrap());
                let scores = sandbox.score(&columns, &pod.lent()).unwrap();
                assert_eq!(bits(&scores), bits(&plugin.score(&pod.native()).unwrap()));
                assert!(verdicts.iter().zip(&scores).all(|(&verdict, &score)| (verdict == 0) == (score > 0.0)));
            }
        }
    }
}

#[test]
fn a_delta_leads_to_the_same_scores_as_the_whole_snapshot() {
    let sandbox = sandboxed("");
    let mut columns = Columns::random(500, true, 7);
    for seed in 0..10 {
        let pod = columns.pod(seed);
        let scores = sandbox.score(&columns, &pod.lent()).unwrap();
        let fresh = native("", &columns).score(&pod.native()).unwrap();
        assert_eq!(bits(&scores), bits(&fresh), "after {seed} deltas");
        columns.change(seed);
    }
}

fn pods(columns: &Columns, count: u64) -> Vec<RandomPod> {
    (0..count).map(|seed| columns.pod(seed)).collect()
}

/// Every search that the settings know.
const SEARCHES: [&str; 10] = [
    "greedy",
    "local-search",
    "annealing",
    "memetic",
    "dictionary-ga",
    "standard-ga",
    "tcga",
    "cmma-ga",
    "bee-colony",
    "quota-ga",
];

#[test]
fn plans_are_equal_bit_for_bit_with_every_search() {
    let columns = Columns::random(30, false, 3);
    let pods = pods(&columns, 60);
    let classes: Vec<u32> = pods.iter().map(|pod| pod.class).collect();
    let requests: Vec<f64> = pods.iter().flat_map(|pod| pod.request.clone()).collect();
    for search in SEARCHES {
        let settings = format!(r#"{{"search":"{search}"}}"#);
        let lent = types::Pods { classes: &classes, requests: &requests, warm_start: &[] };
        let budget = types::Budget { evaluations: 3_000 };
        let plan = sandboxed(&settings).plan(&columns, &lent, budget, 11).unwrap();

        let owned = native::Pods { classes: classes.clone(), requests: requests.clone(), warm_start: Vec::new() };
        let budget = native::Budget { evaluations: 3_000 };
        let expected = native(&settings, &columns).plan(&owned, budget, 11).unwrap();
        assert_eq!((&plan.rows, plan.evaluations), (&expected.rows, expected.evaluations), "{search}");
        assert_eq!(bits(&plan.objective), bits(&expected.objective), "{search}");
        assert!(plan.violation == 0.0 && plan.rows.iter().any(|&row| row >= 0), "{search}: {plan:?}");
        assert_legal(&columns, &pods, &plan.rows, &sandboxed(&settings));
    }
}

/// Every planned row is one that Filter passes, and no row is over-full.
fn assert_legal(columns: &Columns, pods: &[RandomPod], rows: &[i32], sandbox: &Sandboxed) {
    use gantry_host::source::SnapshotSource as _;
    let full = columns.full();
    let mut requested = full.requested.to_vec();
    for (pod, &row) in pods.iter().zip(rows).filter(|(_, row)| **row >= 0) {
        let verdicts = sandbox.filter(columns, &pod.lent()).unwrap();
        assert_eq!(verdicts[row as usize], 0, "a pod is planned where Filter refuses it");
        let cells = row as usize * RESOURCES..(row as usize + 1) * RESOURCES;
        requested[cells].iter_mut().zip(&pod.request).for_each(|(taken, amount)| *taken += amount);
    }
    for (row, (taken, offered)) in requested
        .chunks(RESOURCES)
        .zip(full.allocatable.chunks(RESOURCES))
        .enumerate()
        .filter(|(row, _)| rows.contains(&(*row as i32)))
    {
        assert!(taken.iter().zip(offered).all(|(taken, offered)| taken <= offered), "row {row} is over-full");
    }
}

#[test]
fn a_larger_budget_never_gives_a_worse_plan() {
    let columns = Columns::random(30, false, 5);
    let pods = pods(&columns, 80);
    let owned = native::Pods {
        classes: pods.iter().map(|pod| pod.class).collect(),
        requests: pods.iter().flat_map(|pod| pod.request.clone()).collect(),
        warm_start: Vec::new(),
    };
    let mut plugin = native("", &columns);
    let plans = [0, 1_000, 30_000].map(|evaluations| plugin.plan(&owned, native::Budget { evaluations }, 1).unwrap());
    let unplaced = |plan: &native::Plan| plan.rows.iter().filter(|&&row| row < 0).count();
    for pair in plans.windows(2) {
        assert!(unplaced(&pair[1]) <= unplaced(&pair[0]));
        assert!(unplaced(&pair[1]) < unplaced(&pair[0]) || pair[1].objective[0] <= pair[0].objective[0]);
    }
}

#[test]
fn the_component_imports_nothing_but_the_log() {
    let text = String::from_utf8_lossy(gantry_component::BYTES);
    assert!(text.contains("gantry:scheduling/log@0.1.0"));
    assert!(!text.contains("wasi:"), "the component names WASI");
}
