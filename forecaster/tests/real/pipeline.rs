//! From a real Prometheus' history to forecasts.

use gantry_forecaster::config::Config;
use gantry_forecaster::snapshot::{Kind, ResourceForecast};
use gantry_forecaster::store::{File, Store as _, Stores};

use crate::bench::{Bench, config};
use crate::history::cpu;
use crate::prometheus::{Past, Prometheus, now};

const QUICK: &str = "schedule: {history: 1d}\nmodel: {epochs: 1, retrainingEpochs: 1, windows: 3000}\n";

fn small(url: &str) -> Config {
    config(url, QUICK)
}

#[test]
fn a_days_history_becomes_forecasts_with_their_errors() {
    let prometheus = Prometheus::with_past();
    let (folder, end) = (tempfile::tempdir().unwrap(), Past::get().end);
    let stores = || Stores::new(Box::new(File::new(folder.path().to_owned())), None);
    let mut bench = Bench::with_stores(&small(&prometheus.url()), stores());
    bench.tick(end - 120);
    assert!(bench.pipeline.is_training());
    assert_eq!(bench.snapshot().unwrap().entries.len(), 3 + 2, "served before the training ends");
    bench.pipeline.await_training();
    bench.tick(end - 60);
    bench.tick(end);
    let forecast = bench.forecast("steady-1", "cpu").unwrap();
    assert_eq!(
        (forecast.data_until, forecast.trained_at.is_some()),
        (end, forecast.model != "naive" && forecast.model != "max_of_10")
    );
    for (step, row) in forecast.values.iter().enumerate() {
        let expected = cpu(0, end + 60 * (step as i64 + 1)) as f32;
        assert!((row[0] - expected).abs() < 0.1, "{row:?} is far from {expected}");
        assert!(row[0] <= row[1] && row[1] <= row[2]);
    }
    let error = forecast.error;
    assert!(error.mae.unwrap() < 0.05 && error.mase.unwrap() < 2.0 && error.coverage90.unwrap() > 0.6, "{error:?}");
    assert_eq!(bench.metric("gantry_forecaster_trainings_total{outcome=\"ok\"}"), 1.0);
    assert!(File::new(folder.path().to_owned()).load_weights("node_cpu").unwrap().is_some());
    resources_of_all_kinds(&bench);
    // The next process has the LSTM at once, and says when it was trained.
    let again = Bench::with_stores(&small(&prometheus.url()), stores());
    assert_eq!(again.metric("gantry_forecaster_store_failures_total{store=\"weights\",reason=\"damaged\"}"), 0.0);
    assert_eq!(again.snapshot().unwrap().issued_at, end);
}

fn resources_of_all_kinds(bench: &Bench) {
    let first = |forecast: ResourceForecast| forecast.values[0][0];
    let of = |resource| first(bench.forecast("steady-2", resource).unwrap());
    assert!((of("memory") - 0.75).abs() < 0.01);
    assert!((of("gantry.dev/disk-io") - 0.2).abs() < 0.02);
    assert!((of("gantry.dev/network") / 4e6 - 1.0).abs() < 0.05);
    let entries = bench.snapshot().unwrap().entries;
    let workloads: Vec<_> = entries.into_iter().filter(|entry| entry.kind == Kind::Workload).collect();
    let names: Vec<(&str, &str)> =
        workloads.iter().map(|entry| (entry.namespace.as_str(), entry.name.as_str())).collect();
    assert_eq!(names, [("shop", "db"), ("shop", "web")]);
    let cores = first(workloads[1].resources["cpu"].clone());
    assert!((cores - 0.5).abs() < 0.05, "two pods of a quarter core each: {cores}");
}

#[test]
fn a_counter_that_starts_again_is_no_spike_and_a_silent_node_is_not_served() {
    let prometheus = Prometheus::with_past();
    let more =
        format!("{QUICK}defaultQueries: [node_cpu, node_network]\n").replace("epochs: 1,", "lstm: false, epochs: 1,");
    let mut bench = Bench::new(&config(&prometheus.url(), &more));
    bench.tick(Past::get().end);
    let restarted = bench.entry("restarted").unwrap();
    assert!(restarted.resources["cpu"].values.iter().flatten().all(|value| *value < 0.9), "{restarted:?}");
    assert!(
        restarted.resources["gantry.dev/network"].values.iter().flatten().all(|value| *value < 6e6),
        "{restarted:?}"
    );
    assert!(bench.entry("silent").is_none() && bench.entry("steady-1").is_some());
}

#[test]
fn a_query_that_prometheus_does_not_understand_is_refused_alone() {
    let prometheus = Prometheus::with_past();
    let more = "schedule: {history: 1h}\nmodel: {lstm: false}\ndefaultQueries: [node_cpu]\nqueries:
  broken: {kind: Node, resource: memory, query: 'sum(((', unit: share}\n";
    let mut bench = Bench::new(&config(&prometheus.url(), more));
    bench.tick(Past::get().end);
    assert_eq!((bench.fetches("broken", "refused"), bench.fetches("node_cpu", "ok")), (1.0, 1.0));
}

#[test]
fn a_week_at_half_minutes_is_more_than_one_answer_holds_and_is_read_all_the_same() {
    let prometheus = Prometheus::with_past();
    let more = "schedule: {history: 7d}\nmodel: {lstm: false}\ndefaultQueries: [node_memory]\n";
    let mut bench = Bench::new(&config(&prometheus.url(), more));
    bench.tick(Past::get().end);
    assert_eq!(bench.fetches("node_memory", "ok"), 1.0);
    assert!(bench.forecast("steady-1", "memory").is_some());
}

#[test]
fn a_server_that_wants_a_password_gets_it() {
    let mut prometheus = Prometheus::stopped("");
    let web = "basic_auth_users: {gantry: $2b$04$O2z7mW.H0SZN9yKDtKJOkOzGDL1z6xalxt/wPCu1H9csoSY1U3Ej6}\n";
    std::fs::write(prometheus.folder().join("web.yml"), web).unwrap();
    prometheus.run(&["--web.config.file=web.yml"]);
    let password = prometheus.folder().join("password");
    let path = password.display();
    let more = "model: {lstm: false}\ndefaultQueries: [node_cpu]\n";
    for (word, outcome) in [("wrong", "unauthorized"), ("secret", "empty")] {
        std::fs::write(&password, word).unwrap();
        let mut config = config(&prometheus.url(), more);
        config.prometheus.auth = gantry_forecaster::config::valid::Auth::Basic {
            username: "gantry".to_owned(),
            password_file: path.to_string().into(),
        };
        let mut bench = Bench::new(&config);
        bench.tick(now());
        assert_eq!(bench.fetches("node_cpu", outcome), 1.0, "{word}");
    }
}
