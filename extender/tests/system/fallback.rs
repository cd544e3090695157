//! Where a plugin gives no answer, the pod is scheduled all the same, and somebody is told why.
//!
//! What each misbehaving guest does to requests is in `attacks`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::http::StatusCode;
use gantry_extender::cycle::Assumption;
use serde_json::{from_value, json};
use tracing::Subscriber;
use tracing::span::{Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crate::harness::{Extender, full_request, json as parsed, log_to, pod, scores};

#[tokio::test]
async fn a_guest_that_takes_no_deltas_is_given_everything() {
    let (extender, _folder) = Extender::with_guest("wrong_generation", "");
    for pod in ["u1", "u2", "u3"] {
        let (_, body) = extender.post("/prioritize", full_request(pod, "{}", &["{}", "{}"])).await;
        assert!(scores(&body).iter().any(|(_, score)| *score == 10));
    }
}

#[tokio::test]
async fn a_file_that_is_no_component_leaves_the_extender_up_and_neutral() {
    let (extender, _folder) = Extender::with_component(gantry_guests::garbage(), "100ms", "");
    let (status, body) = extender.post("/filter", full_request("u1", "{}", &["{}"])).await;
    assert_eq!((status, parsed(&body)["Error"].as_str()), (StatusCode::OK, Some("")));
    let (_, status) = extender.admin("/status").await;
    assert!(status.contains("\"reason\": \"invalid-component\""), "{status}");
}

#[tokio::test]
async fn a_request_that_misses_its_own_deadline_is_answered_neutrally_and_places_nothing() {
    let (extender, _folder) =
        Extender::with_component(gantry_guests::bytes("endless_loop"), "50ms", "server: {deadline: 50ms}");
    let (status, body) = extender.post("/prioritize", full_request("u1", "{}", &["{}"])).await;
    assert_eq!((status, scores(&body)), (StatusCode::OK, vec![("n0".to_owned(), 0)]));
    assert_eq!(extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"deadline\"}").await, Some(1.0));
    assert_eq!(extender.assumed().await, 0.0);
}

/// Counts a pod on a node that nothing was known of.
fn assume(extender: &Extender, uid: &str, node: &str) -> bool {
    let shown = json!({"metadata": {"name": node}});
    let pod = json!({"metadata": {"name": "p", "uid": uid}, "spec": {"containers": []}});
    let mut index = extender.index.lock();
    index.apply_node(&from_value(shown).unwrap()).unwrap();
    let pod = index.row_of(&from_value(pod).unwrap()).unwrap();
    drop(index);
    extender.context.cluster.assume(&Assumption::new(&pod, node), Instant::now())
}

#[tokio::test]
async fn a_request_that_takes_too_long_to_read_is_answered_neutrally_and_takes_nothing_back() {
    let guest = gantry_guests::bytes("well_behaved");
    let (extender, _folder) = Extender::with_component(guest, "20ms", "server: {deadline: 20ms}");
    // What another request for the pod assumes meanwhile.
    assert!(assume(&extender, "u1", "n0"));
    let many = vec![r#"{"of": "many labels, and many of them"}"#; 100_000];
    let (status, body) = extender.post("/filter", full_request("u1", "{}", &many)).await;
    assert_eq!((status, parsed(&body)["Nodes"]["items"].as_array().unwrap().len()), (StatusCode::OK, many.len()));
    assert_eq!(extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"deadline\"}").await, Some(1.0));
    assert_eq!(extender.assumed().await, 1.0);
}

#[tokio::test]
async fn the_next_call_after_a_trap_is_answered_again() {
    let (extender, _folder) = Extender::with_guest("trap", "");
    for expected in 1..=3 {
        extender.post("/prioritize", full_request("u1", "{}", &["{}"])).await;
        let counted = extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"trap\"}").await;
        assert_eq!(counted, Some(f64::from(expected)));
    }
}

#[tokio::test]
async fn pods_that_no_profile_is_for_pass_are_counted_and_told_of_once_a_name() {
    let (extender, folder) = Extender::with_guest("well_behaved", "");
    let log = folder.path().join("log");
    let guard = log_to(&log);
    for scheduler in ["web", "web", "batch"] {
        let request = full_request("u1", "{}", &["{}", "{}"]).replace("default-scheduler", scheduler);
        let (_, body) = extender.post("/filter", request.clone()).await;
        assert_eq!(parsed(&body)["Nodes"]["items"].as_array().unwrap().len(), 2);
        let (_, body) = extender.post("/prioritize", request).await;
        assert_eq!(scores(&body), [("n0".to_owned(), 0), ("n1".to_owned(), 0)]);
    }
    drop(guard);
    for verb in ["filter", "prioritize"] {
        let counted = |outcome: &str| {
            format!("gantry_extender_request_duration_seconds_count{{verb=\"{verb}\",outcome=\"{outcome}\"}}")
        };
        assert_eq!(extender.metric(&counted("no-profile")).await, Some(3.0));
        assert_eq!(extender.metric(&counted("neutral")).await, None);
    }
    let told = |scheduler: &str| format!("no profile for \"{scheduler}\"; there are: default-scheduler");
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(["web", "batch"].map(|scheduler| log.matches(&told(scheduler)).count()), [1, 1], "{log}");
    let (_, why) = extender.admin("/explain/default/p-u1?format=text").await;
    assert!(why.contains(&told("batch")) && why.contains(": no-profile in "), "{why}");
}

#[tokio::test]
async fn of_made_up_schedulers_only_some_are_logged() {
    let (extender, folder) = Extender::with_guest("well_behaved", "");
    let log = folder.path().join("log");
    let guard = log_to(&log);
    for number in 0..20 {
        let request = full_request("u1", "{}", &["{}"]).replace("default-scheduler", &format!("made-up-{number}"));
        extender.post("/filter", request).await;
    }
    drop(guard);
    assert_eq!(std::fs::read_to_string(log).unwrap().matches("no profile for").count(), 16);
}

/// Panics once, where a cycle tells the log what it is about: inside the cycle, as a bug of its own would.
struct PanicsOnce(AtomicBool);

impl<S: Subscriber> Layer<S> for PanicsOnce {
    fn on_record(&self, _span: &Id, _values: &Record<'_>, _context: Context<'_, S>) {
        assert!(self.0.swap(true, Ordering::Relaxed), "on purpose");
    }
}

#[tokio::test]
async fn a_panic_in_a_cycle_costs_its_own_request_alone() {
    // Nobody is asked about nodes, so that the cycle stays on the thread that knows this log.
    let gantry = "{name: gantry, component: 'builtin:gantry', extensionPoints: [score]}";
    let extender = Extender::new(&format!("profiles: [{{schedulerName: default-scheduler, plugins: [{gantry}]}}]"));
    let _guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(PanicsOnce(AtomicBool::new(false))));
    for uid in ["u1", "u2"] {
        let (status, body) = extender.post("/filter", full_request(uid, "{}", &["{}", "{}"])).await;
        assert_eq!((status, parsed(&body)["Nodes"]["items"].as_array().unwrap().len()), (StatusCode::OK, 2));
    }
    for (metric, expected) in [
        ("gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"neutral\"}", 1.0),
        ("gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"ok\"}", 1.0),
        ("gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"unavailable\"}", 1.0),
    ] {
        assert_eq!(extender.metric(metric).await, Some(expected), "{metric}");
    }
    let (_, why) = extender.admin("/explain/default/p-u1?format=text").await;
    assert!(why.contains("the cycle ended unexpectedly"), "{why}");
}

#[tokio::test]
async fn what_the_dictionary_forbids_is_refused_though_the_cycle_panics() {
    let forbid = "dictionary: [{pods: {matchLabels: {app: db}}, nodes: {matchLabels: {tier: edge}}, type: Forbid}]";
    let gantry = "{name: gantry, component: 'builtin:gantry', extensionPoints: [score]}";
    let profile = |mode: &str| {
        Extender::new(&format!(
            "profiles: [{{schedulerName: default-scheduler, mode: {mode}, {forbid}, plugins: [{gantry}]}}]"
        ))
    };
    let victims = r#"{"Pods":[{"UID":"v"}],"NumPDBViolations":0}"#;
    let waiting = pod("u1", r#"{"app":"db"}"#, "500m");
    let evictions = format!(r#"{{"Pod":{waiting},"NodeNameToMetaVictims":{{"n0":{victims},"n1":{victims}}}}}"#);
    for (mode, left) in [("serve", 1), ("shadow", 2)] {
        let extender = profile(mode);
        // As the watch shows them.
        for (name, labels) in [("n0", json!({})), ("n1", json!({"tier": "edge"}))] {
            let node = json!({"metadata": {"name": name, "labels": labels}});
            extender.index.lock().apply_node(&from_value(node).unwrap()).unwrap();
        }
        extender.index.lock().apply_pod(&serde_json::from_str(&waiting).unwrap()).unwrap();
        let panics = || tracing_subscriber::registry().with(PanicsOnce(AtomicBool::new(false)));
        let guard = tracing::subscriber::set_default(panics());
        let request = full_request("u1", r#"{"app":"db"}"#, &["{}", r#"{"tier":"edge"}"#]);
        let (status, body) = extender.post("/filter", request).await;
        drop(guard);
        assert_eq!(status, StatusCode::OK);
        assert_eq!(parsed(&body)["Nodes"]["items"].as_array().unwrap().len(), left, "{mode}");
        let _guard = tracing::subscriber::set_default(panics());
        let answer = parsed(&extender.post("/preempt", evictions.clone()).await.1);
        assert_eq!(answer["NodeNameToMetaVictims"].as_object().unwrap().len(), left, "{mode}");
        let fallbacks = "gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"unavailable\"}";
        assert_eq!(extender.metric(fallbacks).await, Some(2.0), "both panicked");
    }
}
