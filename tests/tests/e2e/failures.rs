//! Gantry gone, or its component broken: kube-scheduler goes on, and one can see why.

use std::time::Duration;

use gantry_tests::extender::{ExtenderSettings, fallback_event};
use gantry_tests::placement::Assignment;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::workload::Workload;
use gantry_tests::{ControlPlane, Extender, Scheduler};
use serde_json::json;

/// Each misbehaviour, and the reason under which it is counted and told.
const REASON_BY_GUEST: &[(&str, &str)] = &[
    ("aliased_strings", "too-large"),
    ("deep_recursion", "stack"),
    ("endless_loop", "deadline"),
    ("foreign_import", "foreign-import"),
    ("garbage", "invalid-component"),
    ("huge_log_line", "too-large"),
    ("huge_return", "too-large"),
    ("invalid_utf8", "trap"),
    ("log_flood", "log-budget"),
    ("loop_in_filter", "deadline"),
    ("memory_bomb", "memory"),
    ("nan_scores", "not-finite"),
    ("out_of_bounds", "trap"),
    ("out_of_range_scores", "out-of-range"),
    ("plugin_error", "plugin-error"),
    ("trap", "trap"),
    ("trap_in_init", "trap"),
    ("wrong_length", "bad-length"),
];

/// What the host puts right by itself, what it refuses to start with, what fails in planning alone (`faults.rs`), and what
/// behaves.
const OTHER_GUESTS: &[&str] = &[
    "bad_configure",
    "counts_calls",
    "every_verdict",
    "loop_in_plan",
    "score_only",
    "trap_in_plan",
    "well_behaved",
    "wrong_generation",
];

/// Pods that are scheduled beside each of them.
const PODS: usize = 20;

/// The guest's component as a file, in the words of the configuration.
pub(crate) fn component(plane: &ControlPlane, guest: &str) -> String {
    let path = plane.folder().join(guest).with_extension("wasm");
    let bytes = if guest == "garbage" { gantry_guests::garbage() } else { gantry_guests::bytes(guest) };
    std::fs::write(&path, bytes).expect("invariant: the run's folder is writable");
    format!("file:{}", path.display())
}

#[test]
fn every_misbehaving_guest_has_its_reason() {
    let known = |name: &str| OTHER_GUESTS.contains(&name) || REASON_BY_GUEST.iter().any(|(guest, _)| *guest == name);
    let forgotten: Vec<_> = gantry_guests::names().filter(|name| !known(name)).collect();
    assert_eq!(forgotten, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_the_component_refuses_stop_the_start() {
    let plane = ControlPlane::start().await.unwrap();
    let component = component(&plane, "bad_configure");
    let refused = Extender::start(&plane, &ExtenderSettings { component, ..ExtenderSettings::default() }).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("exit status: 2") && message.contains("settings"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pod_is_scheduled_whatever_the_component_does() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let workload = Workload::light(PODS * REASON_BY_GUEST.len(), 20, 1);
    workload.create_nodes(&client).await.unwrap();
    let mut extender = Extender::start(&plane, &ExtenderSettings::default()).await.unwrap();
    let stanza = ExtenderStanza::new(extender.url());
    let scheduler = Scheduler::start(&plane, &SchedulerSettings::with_extender(stanza)).await.unwrap();
    scheduler.wait_for_nodes(workload.nodes()).await.unwrap();
    for (number, (guest, reason)) in REASON_BY_GUEST.iter().enumerate() {
        let plugin = restart_with(&mut extender, &component(&plane, guest), guest, reason).await;
        let (begin, end) = (PODS * number, PODS * (number + 1));
        workload.create_pods(&client, begin..end).await.unwrap();
        let assignment = Assignment::settled_up_to(end, &client, &workload, Duration::from_mins(2)).await.unwrap();
        assert!(assignment.0[..end].iter().all(Option::is_some), "{guest}: {assignment:?}");
        assert!(extender.fallbacks_for(reason).await.unwrap() > 0.0, "{guest}: {}", extender.metrics().await.unwrap());
        let told = fallback_event(&plane, &format!("plugin {plugin} gave no answer ({reason})")).await;
        told.unwrap_or_else(|error| panic!("{guest}: {error:#}"));
    }
    let assignment = Assignment::settled(&client, &workload, Duration::from_mins(1)).await.unwrap();
    assert_eq!(assignment.violations(&workload), Vec::<String>::new());
}

/// Starts the extender anew with a guest as its plugin, and returns the plugin's name.
///
/// Only who is to miss the deadline has a short one: on a busy machine everything else takes its time. A start would leave
/// out who fails the recorded request, which has three nodes.
async fn restart_with(extender: &mut Extender, component: &str, guest: &str, reason: &str) -> String {
    let name = guest.replace('_', "-");
    let deadline = if reason == "deadline" { "100ms" } else { "400ms" };
    let (settings, limits) = (json!({"behavesOnRows": 3}), json!({"deadline": deadline}));
    let plugin = json!({"name": name, "component": component, "settings": settings, "limits": limits});
    extender.rewrite(|config| config["profiles"][0]["plugins"] = json!([plugin])).unwrap();
    extender.restart().await.unwrap();
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pod_is_lost_when_gantry_is_killed_in_the_middle_and_started_again() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let workload = Workload::light(400, 50, 1).with_groups();
    workload.create_nodes(&client).await.unwrap();
    let mut extender = Extender::start(&plane, &ExtenderSettings::default()).await.unwrap();
    let stanza = ExtenderStanza::new(extender.url());
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::with_extender(stanza)).await.unwrap();

    let burst = tokio::spawn({
        let (client, workload) = (client.clone(), workload.clone());
        async move { workload.create_pods(&client, 0..300).await }
    });
    until("the burst to be under way", Duration::from_mins(1), || async {
        Ok((extender.requests("filter").await? >= 50.0).then_some(()))
    })
    .await
    .unwrap();
    let served = extender.requests("filter").await.unwrap();
    extender.kill();
    burst.await.unwrap().unwrap();
    assert!(served < 300.0, "the burst was over before the kill");

    extender.restart().await.unwrap();
    workload.create_pods(&client, 300..400).await.unwrap();
    let assignment = Assignment::settled(&client, &workload, Duration::from_mins(2)).await.unwrap();
    assert_eq!((assignment.unplaced(), assignment.violations(&workload)), (0, Vec::new()));
    assert!(extender.requests("filter").await.unwrap() > 0.0, "kube-scheduler never came back to it");
}
