//! What a real kube-scheduler asked is written down and asked again: the same component answers the same bytes.

use std::path::Path;

use clap::Parser as _;
use gantry_cli::{Args, CliError};
use gantry_tests::extender::ExtenderSettings;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::trial::place_queue;
use gantry_tests::workload::{Workload, pod_name};
use gantry_tests::{ControlPlane, Extender};
use serde_json::{Value, json};

/// Few enough that the extender still has all of them in mind.
const PODS: usize = 12;

/// What a command wrote, and how it ended.
async fn run(arguments: &[&str]) -> (String, Result<(), CliError>) {
    let args = Args::parse_from([&["kubectl-gantry"], arguments].concat());
    let command = move || {
        let mut text = Vec::new();
        let result = gantry_cli::run(args, &mut text);
        (String::from_utf8(text).unwrap(), result)
    };
    // The command brings its own runtime.
    tokio::task::spawn_blocking(command).await.unwrap()
}

/// Writes the record that `arguments` ask the extender for.
async fn record(extender: &Extender, arguments: &[&str], file: &Path) {
    let record = ["--record", file.to_str().unwrap(), "--server", &extender.admin_url()];
    run(&[arguments, &record].concat()).await.1.unwrap();
}

/// Adds something to the first score in the record.
fn falsify(file: &Path) {
    let mut record: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let questions = record["questions"].as_array_mut().unwrap();
    let scores = questions.iter_mut().find_map(|asked| asked["answer"].get_mut("scores")).unwrap();
    *scores = json!(format!("100{}", scores.as_str().unwrap()));
    std::fs::write(file, record.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_decision_and_a_recorded_plan_are_replayed_to_the_same_bytes() {
    let plane = ControlPlane::start().await.unwrap();
    let settings = ExtenderSettings { plan: json!({"mode": "guide"}), ..ExtenderSettings::default() };
    let extender = Extender::start(&plane, &settings).await.unwrap();
    let scheduler = SchedulerSettings::with_extender(ExtenderStanza::new(extender.url()));
    let outcome = place_queue(&plane, &extender, &scheduler, &Workload::light(PODS, 6, 1)).await.unwrap();
    assert_eq!(outcome.unplaced, 0);

    let file = plane.folder().join("record.json");
    record(&extender, &["plan"], &file).await;
    let (text, replayed) = run(&["replay", file.to_str().unwrap()]).await;
    replayed.unwrap();
    assert!(text.contains("plan by gantry: equal") && text.contains("the same bytes: 1 of 1"), "{text}");

    record(&extender, &["explain", &pod_name(0), "--namespace", "default"], &file).await;
    let (text, replayed) = run(&["replay", file.to_str().unwrap()]).await;
    replayed.unwrap();
    assert!(text.contains("filter by gantry: equal, 6 rows") && text.contains("score by gantry: equal"), "{text}");

    falsify(&file);
    let (text, replayed) = run(&["replay", file.to_str().unwrap()]).await;
    assert_eq!(replayed.unwrap_err().exit_code(), 1);
    assert!(text.contains("score by gantry: scores of node node-"), "{text}");
}
