//! The plugin's own code gives the same bytes natively and as a component in the sandbox.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use gantry_host::{component::Component, engine::Engine, limits::Limits, plugin::Plugin as Sandboxed, types};
use gantry_plugin::{Plugin, types as native};
use gantry_tests::SEARCHES;
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

/// Whether a score says the same as the verdict: rows that only run hot (4) are below all that pass, above all others.
fn fits(verdict: u8, score: f64) -> bool {
    match verdict {
        0 => score >= 1.0,
        4 => score > 0.0 && score < 1.0,
        _ => score == 0.0,
    }
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
                assert!(verdicts.iter().zip(&scores).all(|(&verdict, &score)| fits(verdict, score)), "{scores:?}");
            }
        }
    }
}

#[test]
fn a_pod_that_asks_for_nothing_with_a_weight_prefers_no_row_in_the_sandbox_either() {
    for (settings, prefers) in [("", false), (r#"{"preferenceShare":0.3}"#, true)] {
        let sandbox = sandboxed(settings);
        for (rows, forecast) in [(63, true), (200, false)] {
            let columns = Columns::random(rows, forecast, rows as u64);
            // The last two of the resources have no weight; class 0 alone has preferences.
            let pod = RandomPod { class: 0, request: vec![0.0, 0.0, 0.0, 0.0, 700.0, 1.0], planned_row: -1 };
            let scores = sandbox.score(&columns, &pod.lent()).unwrap();
            assert_eq!(bits(&scores), bits(&native(settings, &columns).score(&pod.native()).unwrap()));
            assert_eq!(scores.iter().any(|&score| score > 0.0), prefers);
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

fn owned(pods: &[RandomPod]) -> native::Pods {
    native::Pods {
        classes: pods.iter().map(|pod| pod.class).collect(),
        requests: pods.iter().flat_map(|pod| pod.request.clone()).collect(),
        estimates: Vec::new(),
        warm_start: Vec::new(),
        priorities: Vec::new(),
        topologies: Vec::new(),
        rules: Vec::new(),
    }
}

fn lent<'a>(classes: &'a [u32], requests: &'a [f64]) -> types::Pods<'a> {
    types::Pods { classes, requests, estimates: &[], warm_start: &[], priorities: &[], topologies: &[], rules: &[] }
}

#[test]
fn scores_given_a_plan_are_equal_bit_for_bit_and_leave_no_trace() {
    let sandbox = sandboxed(r#"{"riskWeight":1.0}"#);
    let mut columns = Columns::random(200, true, 13);
    let mut pods = pods(&columns, 40);
    for (number, pod) in pods.iter_mut().enumerate() {
        columns.plan(pod, number * 4 % 200);
        let mut plugin = native(r#"{"riskWeight":1.0}"#, &columns);
        let scores = sandbox.score(&columns, &pod.lent()).unwrap();
        assert_eq!(bits(&scores), bits(&plugin.score(&pod.native()).unwrap()));
        assert_eq!(bits(&scores), bits(&plugin.score(&pod.native()).unwrap()), "the first answer left a trace");
        assert_eq!(sandbox.filter(&columns, &pod.lent()).unwrap(), plugin.filter(&pod.native()).unwrap());
    }
}

#[test]
fn a_planned_pod_scores_rows_as_if_it_were_planned_nowhere_itself() {
    let mut columns = Columns::random(100, false, 17);
    let (mut pod, mut other) = (columns.pod(1), columns.pod(2));
    columns.plan(&mut other, 7);
    let before = native("", &columns).score(&pod.native()).unwrap();
    let row = before.iter().position(|&score| score > 0.0).unwrap();
    columns.plan(&mut pod, row);
    let after = native("", &columns).score(&pod.native()).unwrap();
    assert_eq!(bits(&before), bits(&after));
    pod.planned_row = -1;
    assert_ne!(bits(&before), bits(&native("", &columns).score(&pod.native()).unwrap()));
}

#[test]
fn a_row_that_is_full_by_plan_scores_nothing_but_for_the_pod_that_it_is_reserved_for() {
    let mut columns = Columns::random(50, false, 19);
    let outsider = columns.pod(1);
    let verdicts = native("", &columns).filter(&outsider.native()).unwrap();
    let row = verdicts.iter().position(|&verdict| verdict == 0).unwrap();
    let mut filler = RandomPod { request: vec![1e9; RESOURCES], ..outsider.clone() };
    columns.plan(&mut filler, row);
    let mut plugin = native("", &columns);
    assert_eq!(plugin.filter(&outsider.native()).unwrap(), verdicts, "what is planned is no matter of Filter");
    assert_eq!(plugin.score(&outsider.native()).unwrap()[row], 0.0);
    let reserved = RandomPod { planned_row: row as i32, ..outsider };
    assert!(plugin.score(&reserved.native()).unwrap()[row] > 0.0);
}

#[test]
fn plans_with_priorities_and_rules_are_equal_bit_for_bit_and_keep_them() {
    let columns = Columns::random(30, false, 3);
    let pods = pods(&columns, 60);
    let (classes, requests) = (owned(&pods).classes, owned(&pods).requests);
    let priorities: Vec<i32> = (0..60).map(|pod| pod % 3).collect();
    let hosts: Vec<u32> = (0..30).collect();
    let zones: Vec<u32> = (0..30).map(|row| row % 3).collect();
    let (first, second): (Vec<u32>, Vec<u32>) = ((0..20).collect(), (20..40).collect());
    let rules = [
        types::GroupRule {
            topology: 0,
            pods: &first,
            existing: &[(4, 1)],
            limit: types::Limit::AtMost(1),
            force: types::Force::Hard,
        },
        types::GroupRule {
            topology: 1,
            pods: &second,
            existing: &[],
            limit: types::Limit::Skew(1),
            force: types::Force::Hard,
        },
    ];
    let lent = types::Pods {
        priorities: &priorities,
        topologies: &[&hosts, &zones],
        rules: &rules,
        ..lent(&classes, &requests)
    };
    let plan = sandboxed("").plan(&columns, &lent, types::Budget { evaluations: 3_000 }, 5).unwrap();
    let rule = |topology, pods: &[u32], existing, limit| native::GroupRule {
        topology,
        pods: pods.to_vec(),
        existing,
        limit,
        force: native::Force::Hard,
    };
    let rules =
        vec![rule(0, &first, vec![(4, 1)], native::Limit::AtMost(1)), rule(1, &second, vec![], native::Limit::Skew(1))];
    let owned = native::Pods { priorities, topologies: vec![hosts, zones], rules, ..owned(&pods) };
    let expected = native("", &columns).plan(&owned, native::Budget { evaluations: 3_000 }, 5).unwrap();
    assert_eq!(plan.rows, expected.rows);
    assert_eq!(bits(&plan.objective), bits(&expected.objective));
    let mut shared = plan.rows[..20].to_vec();
    shared.retain(|&row| row >= 0);
    assert!(!shared.contains(&4) && shared.len() > 10, "{shared:?}");
    shared.sort_unstable();
    assert!(shared.windows(2).all(|pair| pair[0] != pair[1]), "{shared:?}");
    let in_zone = |zone: i32| plan.rows[20..40].iter().filter(|&&row| row >= 0 && row % 3 == zone).count();
    let counts = [in_zone(0), in_zone(1), in_zone(2)];
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
}

#[test]
fn plans_by_estimates_are_equal_bit_for_bit_and_fill_no_row_further_than_requests_let_them() {
    let columns = Columns::random(30, true, 21);
    let pods = pods(&columns, 60);
    let (classes, requests) = (owned(&pods).classes, owned(&pods).requests);
    let estimates: Vec<f64> =
        requests.iter().enumerate().map(|(cell, asked)| (asked * (cell % 3) as f64).ceil()).collect();
    // Filter goes by the estimate where a row runs hot; here it is asked about capacity alone.
    let settings = r#"{"hotShare":10.0}"#;
    let sandbox = sandboxed(settings);
    let asked = sandbox.plan(&columns, &lent(&classes, &requests), types::Budget { evaluations: 5_000 }, 9).unwrap();
    let lent = types::Pods { estimates: &estimates, ..lent(&classes, &requests) };
    let plan = sandbox.plan(&columns, &lent, types::Budget { evaluations: 5_000 }, 9).unwrap();
    let owned = native::Pods { estimates: estimates.clone(), ..owned(&pods) };
    let expected = native(settings, &columns).plan(&owned, native::Budget { evaluations: 5_000 }, 9).unwrap();
    assert_eq!((&plan.rows, bits(&plan.objective)), (&expected.rows, bits(&expected.objective)));
    assert_ne!(plan.rows, asked.rows);
    assert_legal(&columns, &pods, &plan.rows, &sandbox);
}

#[test]
fn plans_by_forecast_are_equal_bit_for_bit() {
    let (columns, count) = (Columns::random(20, true, 27), 120);
    let pods = pods(&columns, count);
    let (classes, requests) = (owned(&pods).classes, owned(&pods).requests);
    // The second leaves so little until rows run hot that some pods find none which stays cool.
    for settings in ["", r#"{"hotShare":0.4}"#] {
        let budget = types::Budget { evaluations: 5_000 };
        let plan = sandboxed(settings).plan(&columns, &lent(&classes, &requests), budget, 9).unwrap();
        let budget = native::Budget { evaluations: 5_000 };
        let expected = native(settings, &columns).plan(&owned(&pods), budget, 9).unwrap();
        assert_eq!((&plan.rows, bits(&plan.objective)), (&expected.rows, bits(&expected.objective)), "{settings}");
        assert_eq!(plan.violation, 0.0);
    }
}

#[test]
fn faulty_estimates_are_refused() {
    let columns = Columns::random(5, true, 3);
    let pods = pods(&columns, 2);
    let mut plugin = native("", &columns);
    let mut plan = |estimates| {
        let pods = native::Pods { estimates, ..owned(&pods) };
        plugin.plan(&pods, native::Budget { evaluations: 0 }, 1).map(drop)
    };
    assert_eq!(plan(vec![1.0; 2 * RESOURCES]), Ok(()));
    assert_eq!(plan(vec![1.0; 3]), Err(native::Error::BadShape));
    assert_eq!(plan(vec![-1.0; 2 * RESOURCES]), Err(native::Error::BadNumber));
}

#[test]
fn faulty_rules_and_priorities_are_refused() {
    let columns = Columns::random(5, false, 3);
    let pods = pods(&columns, 2);
    let rule = |topology, limit, force| native::GroupRule { topology, pods: vec![0], existing: vec![], limit, force };
    let sound = || rule(0, native::Limit::AtMost(1), native::Force::Hard);
    let with = |rules| native::Pods { topologies: vec![vec![0; 5]], rules, ..owned(&pods) };
    let mut plugin = native("", &columns);
    let mut plan = |pods: native::Pods| plugin.plan(&pods, native::Budget { evaluations: 0 }, 1).map(drop);
    assert_eq!(plan(with(vec![sound()])), Ok(()));
    let bad = Err(native::Error::BadShape);
    assert_eq!(plan(with(vec![rule(1, native::Limit::AtMost(1), native::Force::Hard)])), bad);
    assert_eq!(plan(with(vec![rule(0, native::Limit::Skew(0), native::Force::Hard)])), bad);
    assert_eq!(plan(native::Pods { topologies: vec![vec![0; 4]], ..with(vec![sound()]) }), bad);
    assert_eq!(plan(native::Pods { priorities: vec![1], ..owned(&pods) }), bad);
    let costly = rule(0, native::Limit::Together, native::Force::Soft(f64::NAN));
    assert_eq!(plan(with(vec![costly])), Err(native::Error::BadNumber));
}

#[test]
fn plans_are_equal_bit_for_bit_with_every_search() {
    let columns = Columns::random(30, false, 3);
    let pods = pods(&columns, 60);
    let classes: Vec<u32> = pods.iter().map(|pod| pod.class).collect();
    let requests: Vec<f64> = pods.iter().flat_map(|pod| pod.request.clone()).collect();
    for search in SEARCHES {
        let settings = format!(r#"{{"search":"{search}"}}"#);
        let lent = lent(&classes, &requests);
        let budget = types::Budget { evaluations: 3_000 };
        let plan = sandboxed(&settings).plan(&columns, &lent, budget, 11).unwrap();

        let owned = owned(&pods);
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
    let owned = owned(&pods);
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

/// An instance has 64 MiB and 10 s: neither is passed, whatever the settings allow.
#[test]
fn every_search_keeps_within_its_instance_at_the_smallest_and_the_largest_population() {
    let component = Component::load(&Engine::new().unwrap(), gantry_component::BYTES, None, None).unwrap();
    for (rows, count, populations) in [(10, 20, &[4, 10_000][..]), (1_000, 5_000, &[10_000])] {
        let columns = Columns::random(rows, false, 23);
        let native::Pods { classes, requests, .. } = owned(&pods(&columns, count));
        for search in SEARCHES {
            for population in populations {
                let settings = format!(r#"{{"search":"{search}","population":{population}}}"#);
                let sandbox = Sandboxed::new("gantry", &component, &settings, Limits::default()).unwrap();
                let budget = types::Budget { evaluations: 2_000_000 };
                let plan = sandbox.plan(&columns, &lent(&classes, &requests), budget, 1);
                let plan = plan.unwrap_or_else(|error| panic!("{settings}, {count} pods: {error}"));
                assert_eq!(plan.rows.len(), classes.len());
            }
        }
    }
}
