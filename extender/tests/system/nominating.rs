//! Nominations beside an API server's double: pods that change under the planner's hands, and what it leaves behind.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::api_server::{State, nominated_by};
use crate::planning::{BUILTIN, NODES, Trial, until};

const PLANNER: &str = "gantry-planner";
/// As many writes as are in flight at a time.
const WRITERS: usize = 16;

fn trial() -> (tempfile::TempDir, Trial) {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), BUILTIN, "10s");
    (folder, trial)
}

fn nomination(pod: &Value) -> Value {
    pod["status"]["nominatedNodeName"].clone()
}

/// As kube-scheduler does when it finds no room.
fn refuse(pod: &mut Value) {
    pod["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]);
}

fn never_preempts(pod: &mut Value) {
    pod["spec"]["preemptionPolicy"] = json!("Never");
}

fn nominate(pod: &mut Value, node: &str, manager: &str) {
    pod["status"]["nominatedNodeName"] = json!(node);
    pod["metadata"]["managedFields"] = nominated_by(manager);
}

fn occupy_all(state: &mut State) {
    (0..NODES).for_each(|number| state.occupy(&format!("n{number}")));
}

/// The planner does one thing after the other: once another batch is released, what it was about is done.
async fn another_batch(trial: &Trial) {
    trial.server.create("another", true);
    until("another batch", async || trial.server.has_released_all()).await;
}

#[tokio::test]
async fn a_pod_that_was_released_and_nominated_by_preemption_meanwhile_keeps_its_node() {
    let (_folder, trial) = trial();
    trial.server.before_nomination("preempts", |state| {
        state.change("preempts", |pod| {
            pod["spec"]["schedulingGates"] = json!([]);
            nominate(pod, "elsewhere", "kube-scheduler");
        });
    });
    trial.server.create("preempts", true);
    until("the count of it", async || trial.nominations("lost-race").await == 1.0).await;
    assert_eq!(nomination(&trial.server.pod("preempts")), json!("elsewhere"));
    assert_eq!(trial.server.writes(), ["nominate preempts"]);
}

#[tokio::test]
async fn a_released_pod_counts_on_its_planned_node_until_it_is_bound() {
    let (_folder, trial) = trial();
    trial.server.create("gated", true);
    until("the release", async || trial.server.has_released_all()).await;
    let is_over = async || trial.metric("gantry_plan_state", "state", "nothing-waits").await == 1.0;
    let ten_looks = Duration::from_millis(200);
    assert!(timeout(ten_looks, until("the end", is_over)).await.is_err(), "it is not over before it is bound");
    assert!(trial.app.index().snapshot(Instant::now()).planned_row("gated").is_some());
    trial.server.change("gated", |pod| pod["spec"]["nodeName"] = nomination(pod));
    until("the end", is_over).await;
}

#[tokio::test]
async fn a_gate_that_a_policy_keeps_on_is_no_lost_race() {
    let (_folder, trial) = trial();
    trial.server.deny_release("kept");
    trial.server.create("kept", true);
    until("the count of it", async || trial.nominations("refused").await == 1.0).await;
    assert_eq!(nomination(&trial.server.pod("kept")), Value::Null, "it holds no room that it cannot have");

    let start = Instant::now();
    for name in ["next", "after-it"] {
        trial.server.create(name, true);
        until(name, async || trial.server.pod(name)["spec"]["schedulingGates"] == json!([])).await;
    }
    assert!(start.elapsed() < Duration::from_secs(5), "nobody else rests for it: {:?}", start.elapsed());
    let writes = trial.server.writes();
    assert_eq!(writes[..3], ["nominate kept", "release kept", "clear kept"]);
    assert!(!writes[3..].iter().any(|write| write.ends_with(" kept")), "it is not tried again at once: {writes:?}");
    assert_eq!((trial.nominations("lost-race").await, trial.nominations("refused").await), (0.0, 1.0));
}

#[tokio::test]
async fn a_node_that_the_next_round_has_no_room_on_is_given_back_before_the_release() {
    let (_folder, trial) = trial();
    trial.server.before_nomination("late", occupy_all);
    trial.server.create("late", true);
    until("the release", async || trial.server.has_released_all()).await;
    until("the count of it", async || trial.nominations("unplanned").await == 1.0).await;
    assert_eq!(trial.server.writes(), ["nominate late", "clear late", "release late"]);
    assert_eq!(nomination(&trial.server.pod("late")), Value::Null);
    assert_eq!(trial.nominations("cleared").await, 1.0);
}

#[tokio::test]
async fn a_gated_pod_does_not_keep_what_a_planner_before_had_nominated_it_for() {
    let (_folder, trial) = trial();
    trial.app.lead(false);
    trial.server.create_as("full", true, |pod| {
        nominate(pod, "n3", PLANNER);
        pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("9");
    });
    trial.app.lead(true);
    until("the release", async || trial.server.has_released_all()).await;
    assert_eq!(trial.server.writes(), ["clear full", "release full"]);
}

/// The planner asks after a pod once it has waited for three seconds.
#[tokio::test]
async fn what_becomes_of_nominations_is_told_and_only_room_held_in_vain_is_taken_back() {
    let (_folder, trial) = trial();
    trial.app.lead(false);
    let names = ["in-vain", "preempts", "overridden", "falls"];
    for name in names {
        trial.server.create_as(name, true, never_preempts);
    }
    trial.app.lead(true);
    until("the release of all", async || trial.server.has_released_all()).await;

    // Only now kube-scheduler takes them.
    trial.server.change("in-vain", refuse);
    trial.server.change("preempts", |pod| {
        refuse(pod);
        pod["spec"]["preemptionPolicy"] = json!("PreemptLowerPriority");
    });
    trial.server.change("overridden", |pod| nominate(pod, "elsewhere", "kube-scheduler"));
    trial.server.change("falls", |pod| pod["spec"]["nodeName"] = json!("elsewhere"));
    for outcome in ["fell-through", "overridden", "cleared"] {
        until(outcome, async || trial.nominations(outcome).await == 1.0).await;
    }
    trial.server.change("overridden", |pod| pod["spec"]["nodeName"] = json!("elsewhere"));
    let elsewhere = async || trial.metric("gantry_plan_landings_total", "outcome", "elsewhere").await;
    until("both landings elsewhere", async || elsewhere().await == 2.0).await;
    assert_eq!(nomination(&trial.server.pod("in-vain")), Value::Null);
    until("the question after it", async || trial.server.has_been_read("preempts")).await;
    another_batch(&trial).await;
    let waits = trial.server.pod("preempts");
    assert!(nomination(&waits).is_string(), "its victims would die in vain");

    trial.server.change("preempts", |pod| pod["spec"]["nodeName"] = nomination(&waits));
    until("its end", async || trial.nominations("kept").await == 1.0).await;
    for outcome in ["fell-through", "overridden", "cleared"] {
        assert_eq!(trial.nominations(outcome).await, 1.0, "{outcome}");
    }
}

#[tokio::test]
async fn a_nomination_that_a_planner_before_left_behind_is_taken_back_and_nobody_elses() {
    let (_folder, trial) = trial();
    trial.app.lead(false);
    for (name, manager) in [("ours", PLANNER), ("preempts", PLANNER), ("theirs", "kube-scheduler")] {
        trial.server.create_as(name, false, |pod| {
            nominate(pod, "n3", manager);
            refuse(pod);
            if name != "preempts" {
                never_preempts(pod);
            }
        });
    }
    trial.app.lead(true);
    until("the end of it", async || nomination(&trial.server.pod("ours")).is_null()).await;
    until("the questions", async || ["preempts", "theirs"].iter().all(|name| trial.server.has_been_read(name))).await;
    until("the count of it", async || trial.nominations("cleared").await == 1.0).await;
    another_batch(&trial).await;
    for name in ["preempts", "theirs"] {
        assert_eq!(nomination(&trial.server.pod(name)), json!("n3"), "{name}");
        trial.server.change(name, |pod| pod["spec"]["nodeName"] = json!("n3"));
    }
    trial.server.change("another", |pod| pod["spec"]["nodeName"] = nomination(pod));
    until("the end of the other", async || trial.nominations("kept").await >= 1.0).await;
    assert_eq!(trial.nominations("kept").await, 1.0, "those that were nominated before are not counted as ours");
}

#[tokio::test]
async fn an_api_server_that_hangs_is_asked_for_no_more_than_is_in_flight_and_pods_wait_for_it() {
    let (_folder, trial) = trial();
    trial.app.lead(false);
    (0..3 * WRITERS).for_each(|number| trial.server.create(&format!("p{number}"), true));
    trial.server.hang();
    trial.app.lead(true);
    until("the end of patience", async || trial.nominations("refused").await == WRITERS as f64).await;
    trial.server.recover();
    until("the release of all", async || trial.server.has_released_all()).await;
    assert_eq!((trial.server.unanswered(), trial.nominations("unplanned").await), (WRITERS, 0.0));
    let nominated = trial.server.writes().iter().filter(|write| write.starts_with("nominate")).count();
    assert_eq!(nominated, 3 * WRITERS);
}
