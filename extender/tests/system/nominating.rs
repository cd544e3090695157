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
async fn a_pod_whose_nomination_is_gone_counts_where_the_next_plan_has_it() {
    let (_folder, trial) = trial();
    trial.server.create("gated", true);
    until("the release", async || trial.server.has_released_all()).await;
    let first = nomination(&trial.server.pod("gated"));
    // Somebody more urgent takes the node, and kube-scheduler the nomination back.
    trial.server.occupy(first.as_str().unwrap());
    trial.server.change("gated", |pod| pod["status"]["nominatedNodeName"] = Value::Null);
    until("the count of it", async || trial.nominations("cleared").await == 1.0).await;
    let planned = trial.explanation("gated").await["plan"]["node"].clone();
    assert!(planned.is_string() && planned != first, "{planned} after {first}");
    let snapshot = trial.app.index().snapshot(Instant::now());
    let counted = snapshot.planned_row("gated").and_then(|row| snapshot.name(row));
    assert_eq!(counted.map(|node| &**node), planned.as_str());

    trial.server.bind("gated", planned.as_str().unwrap());
    let landed = async || trial.metric("gantry_plan_landings_total", "outcome", "planned").await == 1.0;
    until("the landing", landed).await;
    assert_eq!(trial.nominations("kept").await, 0.0);
}

/// The planner asks after a pod once it has waited for three seconds.
#[tokio::test]
async fn a_pod_that_is_nominated_elsewhere_counts_no_longer_where_an_older_plan_had_it() {
    let (_folder, trial) = trial();
    trial.server.create("gated", true);
    until("the release", async || trial.server.has_released_all()).await;
    trial.server.create("open", false);
    let is_planned = |name: &str| trial.app.index().snapshot(Instant::now()).planned_row(name).is_some();
    until("a plan without it", async || is_planned("open")).await;
    assert!(is_planned("gated"), "it holds its room by its nomination");
    let other = if nomination(&trial.server.pod("gated")) == "n1" { "n2" } else { "n1" };
    trial.server.change("gated", |pod| nominate(pod, other, "kube-scheduler"));
    until("the count of it", async || trial.nominations("overridden").await == 1.0).await;
    assert!(!is_planned("gated") && is_planned("open"));
}

#[tokio::test]
async fn a_gate_that_a_policy_keeps_on_is_no_lost_race() {
    let (_folder, trial) = trial();
    let kept = [("kept-400", 400), ("kept-403", 403), ("kept-422", 422)];
    for (name, code) in kept {
        trial.server.refuse_release(name, code);
        trial.server.create(name, true);
    }
    until("the count of them", async || trial.nominations("refused").await == 3.0).await;
    for (name, _) in kept {
        assert_eq!(nomination(&trial.server.pod(name)), Value::Null, "{name} holds no room that it cannot have");
    }

    let start = Instant::now();
    for name in ["next", "after-it"] {
        trial.server.create(name, true);
        until(name, async || trial.server.pod(name)["spec"]["schedulingGates"] == json!([])).await;
    }
    assert!(start.elapsed() < Duration::from_secs(5), "nobody else rests for it: {:?}", start.elapsed());
    let writes = trial.server.writes();
    for (name, _) in kept {
        let own: Vec<String> = writes.iter().filter(|write| write.ends_with(name)).cloned().collect();
        let once = ["nominate", "release", "clear"].map(|what| format!("{what} {name}"));
        assert_eq!(own, once, "it is not tried again at once: {writes:?}");
    }
    assert_eq!((trial.nominations("lost-race").await, trial.nominations("refused").await), (0.0, 3.0));
}

#[tokio::test]
async fn a_release_that_fails_leaves_no_nomination_behind() {
    let (_folder, trial) = trial();
    trial.server.refuse_release("late", 500);
    trial.server.create("late", true);
    until("the count of it", async || trial.nominations("refused").await == 1.0).await;
    assert_eq!(trial.server.writes(), ["nominate late", "release late", "clear late"]);
    assert_eq!(nomination(&trial.server.pod("late")), Value::Null);
}

#[tokio::test]
async fn a_pod_that_asks_for_nothing_is_released_as_it_is() {
    let (_folder, trial) = trial();
    let ask_for_nothing = |pod: &mut Value| pod["spec"]["containers"][0]["resources"] = json!({});
    trial.server.create_as("light", true, ask_for_nothing);
    until("the count of it", async || trial.nominations("unplanned").await == 1.0).await;
    assert_eq!(trial.server.writes(), ["release light"]);

    trial.server.create_as("feather", true, ask_for_nothing);
    trial.server.create("heavy", true);
    until("the count of the other", async || trial.nominations("unplanned").await == 2.0).await;
    assert_eq!(trial.server.writes()[1..], ["nominate heavy", "release heavy", "release feather"]);
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
