//! Two profiles, one with a hostile plugin: all its requests are answered, and nobody else notices.
//!
//! How much the healthy profile's latency grows meanwhile is measured by `make bench ONLY=isolation`: here it may double,
//! and a busy machine may add to it, but nobody waits for the attacker.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use futures::StreamExt as _;
use futures::future::{join_all, poll_immediate};
use futures::stream::FuturesUnordered;

use crate::harness::{Answer, Extender, full_request, json, scores};

/// What the attacker does, the verb in which it does it, its deadline, and the reason counted.
///
/// Only who is to miss the deadline has a short one: on a busy machine everything else takes its time.
const ATTACKS: [(&str, &str, &str, &str); 23] = [
    ("aliased_strings", "/filter", LONG, "too-large"),
    ("compile_bomb", "/prioritize", LONG, "invalid-component"),
    ("deep_recursion", "/prioritize", LONG, "stack"),
    ("endless_loop", "/prioritize", SHORT, "deadline"),
    ("foreign_import", "/filter", LONG, "foreign-import"),
    ("foreign_import", "/prioritize", LONG, "foreign-import"),
    ("garbage", "/filter", LONG, "invalid-component"),
    ("huge_log_line", "/prioritize", LONG, "too-large"),
    ("huge_return", "/prioritize", LONG, "too-large"),
    ("invalid_utf8", "/prioritize", LONG, "trap"),
    ("log_flood", "/prioritize", LONG, "log-budget"),
    ("loop_in_filter", "/filter", SHORT, "deadline"),
    ("memory_bomb", "/prioritize", LONG, "memory"),
    ("nan_scores", "/prioritize", LONG, "not-finite"),
    ("out_of_bounds", "/filter", LONG, "trap"),
    ("out_of_bounds", "/prioritize", LONG, "trap"),
    ("out_of_range_scores", "/filter", LONG, "out-of-range"),
    ("out_of_range_scores", "/prioritize", LONG, "out-of-range"),
    ("plugin_error", "/filter", LONG, "plugin-error"),
    ("table_bomb", "/filter", LONG, "memory"),
    ("trap", "/prioritize", LONG, "trap"),
    ("trap_in_init", "/filter", LONG, "trap"),
    ("wrong_length", "/filter", LONG, "bad-length"),
];
const LONG: &str = "3s";
const SHORT: &str = "300ms";
/// What a busy machine may add to two healthy requests; less than one would wait for a single attacker that does not end.
const NOISE: Duration = Duration::from_millis(250);
/// Healthy requests before the attack.
const ALONE: usize = 9;
/// Reasons that come beside the attack's own: its plugin is busy, or left alone by now.
const BESIDE: [&str; 2] = ["overloaded", "breaker-open"];

/// Compiled once for all tests here.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn component(name: &str) -> PathBuf {
    let path = FOLDER.path().join(name).with_extension("wasm");
    let bytes = match name {
        "compile_bomb" => gantry_guests::compile_bomb(10, 10),
        "garbage" => gantry_guests::garbage().to_vec(),
        "table_bomb" => gantry_guests::table_bomb(),
        guest => gantry_guests::bytes(guest).to_vec(),
    };
    std::fs::write(&path, bytes).unwrap();
    path
}

fn extender(attacker: &Path, deadline: &str) -> Extender {
    let attacker = format!("{{name: bad, component: 'file:{}', limits: {{deadline: {deadline}}}}}", attacker.display());
    let healthy = format!("{{name: good, component: 'builtin:gantry', limits: {{deadline: {LONG}}}}}");
    Extender::new(&format!(
        "server: {{deadline: 4900ms}}\ncache: {{dir: {}}}\nprofiles: [{{schedulerName: default-scheduler, plugins: \
         [{healthy}]}}, {{schedulerName: attacked, plugins: [{attacker}]}}]",
        FOLDER.path().join("cache").display()
    ))
}

fn healthy_request() -> String {
    full_request("healthy", "{}", &["{}"; 4])
}

fn attacked_request(number: usize) -> String {
    full_request(&format!("attacked-{number}"), "{}", &["{}"; 3]).replace("default-scheduler", "attacked")
}

fn is_neutral(verb: &str, (status, body): &Answer) -> bool {
    *status == StatusCode::OK
        && match verb {
            "/filter" => json(body)["Nodes"]["items"].as_array().unwrap().len() == 3 && json(body)["Error"] == "",
            _ => scores(body).len() == 3 && scores(body).iter().all(|(_, score)| *score == 0),
        }
}

async fn fallbacks(extender: &Extender, plugin: &str, reason: &str) -> f64 {
    let line = format!("gantry_plugin_fallback_total{{plugin=\"{plugin}\",reason=\"{reason}\"}}");
    extender.metric(&line).await.unwrap_or_default()
}

/// How long the healthy profile takes to answer what kube-scheduler asks of a pod, as if there were no attack.
async fn ask_healthy(extender: &Extender) -> Duration {
    let start = Instant::now();
    let (status, filtered) = extender.post("/filter", healthy_request()).await;
    let (_, ranked) = extender.post("/prioritize", healthy_request()).await;
    let took = start.elapsed();
    assert_eq!((status, json(&filtered)["Nodes"]["items"].as_array().unwrap().len()), (StatusCode::OK, 4));
    assert_eq!(scores(&ranked).iter().filter(|(_, score)| *score == 10).count(), 1, "no answer of the plugin");
    took
}

/// One pod after the other until the attack is over; how long they took.
async fn ask_healthy_while<T>(extender: &Extender, attack: impl Future<Output = T>) -> (T, Vec<Duration>) {
    let (mut attack, mut times) = (pin!(attack), Vec::new());
    loop {
        let over = poll_immediate(attack.as_mut()).await;
        times.push(ask_healthy(extender).await);
        if let Some(answers) = over {
            return (answers, times);
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attack_is_answered_neutrally_and_the_other_profile_does_not_notice() {
    for (name, verb, deadline, reason) in ATTACKS {
        let attacker = component(name);
        for parallel in [1, 16] {
            let extender = extender(&attacker, deadline);
            let mut alone = Vec::new();
            for _ in 0..ALONE {
                alone.push(ask_healthy(&extender).await);
            }
            let attack = join_all((0..parallel).map(|number| extender.post(verb, attacked_request(number))));
            let (answers, attacked) = ask_healthy_while(&extender, attack).await;
            assert!(answers.iter().all(|answer| is_neutral(verb, answer)), "{name} × {parallel}");
            let (alone, attacked) = (median(alone), median(attacked));
            assert!(attacked <= 2 * alone + NOISE, "{name} × {parallel}: {alone:?} alone, {attacked:?} under attack");
            assert_eq!(extender.assumed().await, 1.0, "{name} × {parallel}: a neutral answer places nothing");

            let own = fallbacks(&extender, "bad", reason).await;
            let mut counted = own;
            for beside in BESIDE {
                counted += fallbacks(&extender, "bad", beside).await;
            }
            assert!(own >= 1.0 && counted == parallel as f64, "{name} × {parallel}: {own} of {counted}");
            let healthy =
                extender.metric("gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"ok\"}");
            assert!(healthy.await.unwrap() >= 1.0, "{name} × {parallel}");
            let (_, metrics) = extender.admin("/metrics").await;
            let blamed = metrics.lines().filter(|line| line.contains("fallback_total{plugin=\"good\""));
            assert!(blamed.into_iter().all(|line| line.ends_with(" 0")), "{name} × {parallel}: {metrics}");
        }
    }
}

#[test]
fn no_guest_is_left_out() {
    // The first three behave; the fourth refuses settings, which stops the start; the fifth is asked for a whole snapshot;
    // the last ones fail in `plan` alone.
    let behave = ["well_behaved", "score_only", "every_verdict"];
    let elsewhere = ["bad_configure", "wrong_generation", "trap_in_plan", "loop_in_plan"];
    for guest in gantry_guests::names().filter(|guest| !behave.contains(guest) && !elsewhere.contains(guest)) {
        assert!(ATTACKS.iter().any(|(tested, ..)| *tested == guest), "{guest}");
    }
}

/// The pool has an instance for each pair of cores, and its queue 32 places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_past_the_queue_are_answered_neutrally_before_anybody_before_them_is_done() {
    let admitted = 32 + gantry_host::Limits::default().workers;
    let extender = extender(&component("endless_loop"), "1500ms");
    let requests = (0..50).map(|number| extender.post("/prioritize", attacked_request(number)));
    let mut answers: FuturesUnordered<_> = requests.collect();
    for _ in admitted..50 {
        assert!(is_neutral("/prioritize", &answers.next().await.unwrap()));
    }
    assert_eq!(fallbacks(&extender, "bad", "overloaded").await, (50 - admitted) as f64);
    assert_eq!(fallbacks(&extender, "bad", "deadline").await, 0.0, "those at work are not done");
    let rest: Vec<_> = answers.collect().await;
    assert!(rest.len() == admitted && rest.iter().all(|answer| is_neutral("/prioritize", answer)));
}
