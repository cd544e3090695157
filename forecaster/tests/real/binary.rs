//! Our own binary as a process: sockets, files, signals, exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, Answer};
use crate::process::{Process, free_port, until};
use crate::prometheus::Prometheus;

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_gantry-forecaster").into()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A sidecar's folder, configuration and addresses.
struct Sidecar {
    folder: TempDir,
    admin: String,
    forecasts: String,
}

impl Sidecar {
    fn new(prometheus: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let admin = format!("127.0.0.1:{}", free_port());
        let forecasts = format!("unix:{}", folder.path().join("forecasts.sock").display());
        let text = format!(
            "apiVersion: gantry.dev/v1alpha1\nkind: ForecasterConfiguration\nserver: {{listen: '{forecasts}', admin: '{admin}'}}
prometheus: {{url: '{prometheus}'}}\nschedule: {{tick: 1s, history: 1h}}\nmodel: {{lstm: false}}\nstore: {{folder: '{}'}}\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("forecaster.yaml"), text).unwrap();
        Self { folder, admin, forecasts }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn start(&self) -> Process {
        let process = Process::start("sidecar", &program(), &["serve", "--config", "forecaster.yaml"], self.path());
        until("the admin's endpoints", || http::get(&self.admin, "/livez", &[]));
        process
    }

    fn ready(&self) {
        until("a snapshot", || http::get(&self.admin, "/readyz", &[]).filter(|answer| answer.status == 200));
    }

    fn whole(&self, headers: &[(&str, &str)]) -> Answer {
        http::get(&self.forecasts, "/v1/forecasts", headers).unwrap()
    }
}

#[test]
fn it_serves_is_killed_and_serves_again_from_its_file_without_prometheus() {
    let mut prometheus = Prometheus::with_past();
    let sidecar = Sidecar::new(&prometheus.url());
    let process = sidecar.start();
    sidecar.ready();
    let answer = sidecar.whole(&[]);
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/json"));
    assert!(answer.headers.contains_key("date") && answer.headers["cache-control"] == "max-age=1");
    let entry = http::get(&sidecar.forecasts, "/v1/forecasts/Node/-/steady-1", &[]).unwrap();
    let entry: Value = serde_json::from_str(&entry.body).unwrap();
    assert_eq!(entry["resources"]["cpu"]["unit"], "share");
    // Killed, not asked; and Prometheus with it.
    drop(process);
    prometheus.kill();
    let process = sidecar.start();
    sidecar.ready();
    let again = sidecar.whole(&[]);
    let (before, after): (Value, Value) =
        (serde_json::from_str(&answer.body).unwrap(), serde_json::from_str(&again.body).unwrap());
    assert!(after["issuedAt"].as_str() >= before["issuedAt"].as_str());
    assert_eq!(sidecar.whole(&[("if-none-match", &again.headers["etag"])]).status, 304);
    let metrics = http::get(&sidecar.admin, "/metrics", &[]).unwrap().body;
    assert!(metrics.contains("gantry_forecaster_entries 5"), "{metrics}");
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn it_finds_prometheus_when_that_starts_later_and_outlives_its_death() {
    let mut prometheus = Prometheus::with_past();
    prometheus.kill();
    let sidecar = Sidecar::new(&prometheus.url());
    let process = sidecar.start();
    assert_eq!(http::get(&sidecar.admin, "/readyz", &[]).unwrap().status, 503);
    prometheus.run(&[]);
    sidecar.ready();
    prometheus.kill();
    assert_eq!(sidecar.whole(&[]).status, 200);
    assert_eq!(http::get(&sidecar.admin, "/readyz", &[]).unwrap().status, 200);
    assert!(!process.log().contains("panicked"), "{}", process.log());
}

#[test]
fn a_second_process_does_not_take_the_socket_of_the_first() {
    let sidecar = Sidecar::new("http://127.0.0.1:9");
    let _first = sidecar.start();
    let config = sidecar.path().join("forecaster.yaml");
    let second = run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("forecasts.sock"), "{}", text(&second.stderr));
}

#[test]
fn a_wrong_configuration_ends_with_2_and_names_everything_at_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.yaml");
    std::fs::write(&path, "apiVersion: gantry.dev/v1alpha1\nkind: ForecasterConfiguration\nschedule: {tick: 5}\n")
        .unwrap();
    let path = path.to_str().unwrap();
    for arguments in [["check-config", path].as_slice(), &["serve", "--config", path]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2));
        let message = text(&output.stderr);
        assert!(message.contains("schedule.tick: `5`") && message.contains("prometheus.url"), "{message}");
    }
}

#[test]
fn what_is_fetched_can_be_trained_on_and_backtested() {
    let prometheus = Prometheus::with_past();
    let sidecar = Sidecar::new(&prometheus.url());
    let config = sidecar.path().join("forecaster.yaml");
    let text_of = std::fs::read_to_string(&config).unwrap().replace("history: 1h", "history: 20h");
    std::fs::write(&config, text_of + "defaultQueries: [node_cpu]\n").unwrap();
    let (csv, out) = (sidecar.path().join("csv"), sidecar.path().join("out"));
    std::fs::create_dir(&csv).unwrap();
    std::fs::create_dir(&out).unwrap();
    let (config, csv, out) = (config.to_str().unwrap(), csv.to_str().unwrap(), out.to_str().unwrap());
    for arguments in [
        ["fetch", "--config", config, "--out", csv].as_slice(),
        &["train", csv, "--out", out, "--epochs", "1"],
        &["backtest", csv, "--plots", out, "--epochs", "1"],
        &["train", csv, "--out", out, "--profile", "paper", "--epochs", "1"],
        &["backtest", csv, "--profile", "paper", "--epochs", "1"],
    ] {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stderr.is_empty(), "no bar of progress where there is no terminal: {}", text(&output.stderr));
        let printed = text(&output.stdout);
        match (arguments[0], arguments.contains(&"paper")) {
            ("backtest", false) => assert!(printed.contains("/steady-1/node_cpu"), "{printed}"),
            (_, true) => assert!(printed.contains("test MSE and MAE") && printed.contains("/steady-1 "), "{printed}"),
            _ => {}
        }
    }
    let mut names: Vec<String> =
        std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in ["weights-node_cpu.safetensors", "paper--steady-1.safetensors"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert_eq!(
        names.iter().filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "svg")).count(),
        4,
        "{names:?}"
    );
}
