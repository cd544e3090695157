//! The plans, why none counts, and the nodes under them: the answers to `/plan` and `/nodes`.

use std::sync::Arc;
use std::time::SystemTime;

use gantry_cluster::{Snapshot, Whereabouts};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::decision::unix_seconds;
use crate::planner::{FailedSearch, PlanState, PlannedPod, Post};

/// Where a pod is, in a word, and its node, if it has one.
pub(super) type Place = (&'static str, Option<Arc<str>>);

/// Where a pod is, as admins read it.
pub(super) fn in_words(whereabouts: Whereabouts<'_>) -> Place {
    match whereabouts {
        Whereabouts::Bound(node) => ("bound", Some(Arc::clone(node))),
        Whereabouts::Assumed(node) => ("assumed", Some(Arc::clone(node))),
        Whereabouts::Waiting => ("waiting", None),
        Whereabouts::Unknown => ("unknown", None),
    }
}

/// How planning stands in every profile, as a document. `place` tells where a pod is by now, of its UID.
pub(super) fn document(posts: &[(Arc<str>, Post)], place: impl Fn(&str) -> Place, now: SystemTime) -> Value {
    let planned = |planned: &PlannedPod| {
        let PlannedPod { namespace, name, uid, node } = planned;
        let (state, on) = place(uid);
        json!({
            "namespace": **namespace, "pod": **name, "uid": **uid, "node": node.as_deref(),
            "state": state, "on": on.as_deref(),
        })
    };
    let entry = |(scheduler, post): &(Arc<str>, Post)| {
        let mut entry = json!({
            "schedulerName": **scheduler,
            "stands": post.state == PlanState::Stands,
            "state": post.state.as_str(),
            "gatedPods": post.duty.as_str(),
            "leads": post.leads(),
            "lastFailure": post.failure.as_ref().map(|failure| failed(failure, now)),
        });
        if let Some(plan) = &post.plan {
            entry["serial"] = json!(plan.serial);
            entry["generation"] = json!(plan.generation);
            entry["made"] = json!(written(unix_seconds(plan.made)));
            entry["madeSecondsAgo"] = json!(seconds_since(plan.made, now));
            entry["searchSeconds"] = json!(plan.seconds);
            entry["evaluations"] = json!(plan.evaluations);
            entry["reason"] = json!(plan.reason);
            entry["objective"] = json!(plan.objective);
            entry["pods"] = plan.pods.iter().map(planned).collect();
            entry["left"] = plan.left.iter().map(planned).collect();
        }
        entry
    };
    posts.iter().map(entry).collect()
}

fn failed(failure: &FailedSearch, now: SystemTime) -> Value {
    json!({ "reason": failure.reason, "detail": failure.detail, "secondsAgo": seconds_since(failure.at, now) })
}

/// The same for people: a line a plan, a line a pod.
pub(super) fn text(posts: &[(Arc<str>, Post)], place: impl Fn(&str) -> Place, now: SystemTime) -> String {
    if posts.is_empty() {
        return "no profile plans\n".to_owned();
    }
    let lines = posts.iter().flat_map(|(scheduler, post)| {
        let failure = post.failure.iter().map(move |failure| {
            let age = seconds_since(failure.at, now);
            format!("  the last search that failed, {age:.1} s ago: {}: {}\n", failure.reason, failure.detail)
        });
        let pods = post.plan.iter().flat_map(|plan| &plan.pods);
        let pods = pods.map(|planned| line(planned, "no room", &place(&planned.uid)));
        let left = post.plan.iter().flat_map(|plan| &plan.left);
        let left = left.map(|planned| line(planned, "left to kube-scheduler", &place(&planned.uid)));
        std::iter::once(headline(scheduler, post, now)).chain(failure).chain(pods).chain(left)
    });
    lines.collect()
}

/// A pod, where the plan has it or why it has it nowhere, and where it is if it waits no longer.
fn line(planned: &PlannedPod, nowhere: &str, (state, on): &Place) -> String {
    let PlannedPod { namespace, name, node, .. } = planned;
    let landed = match on {
        Some(on) if node.as_ref() == Some(on) => format!(" ({state})"),
        Some(on) => format!(" ({state} to {on})"),
        None if *state == "unknown" => " (gone)".to_owned(),
        None => String::new(),
    };
    let node = node.as_ref().map_or_else(|| format!("- ({nowhere})"), ToString::to_string);
    format!("  {namespace}/{name} {node}{landed}\n")
}

fn headline(scheduler: &str, post: &Post, now: SystemTime) -> String {
    let state = post.state.as_str();
    let Some(plan) = &post.plan else { return format!("no plan of {scheduler} was made yet ({state})\n") };
    let state = if post.state == PlanState::Stands { state.to_owned() } else { format!("is over ({state})") };
    let placed = plan.pods.iter().filter(|planned| planned.node.is_some()).count();
    let left = plan.left.len();
    let left = if left > 0 { format!(", {left} left to kube-scheduler") } else { String::new() };
    format!(
        "plan {} of {scheduler} {state}: {placed} of {} pods placed{left}, objective {}, {} evaluations in {:.3} s \
         ({}), made {:.1} s ago of snapshot {}\n",
        plan.serial,
        plan.pods.len(),
        plan.objective.first().map_or_else(|| "-".to_owned(), |value| format!("{value:.3}")),
        plan.evaluations,
        plan.seconds,
        plan.reason,
        seconds_since(plan.made, now),
        plan.generation,
    )
}

/// A time in seconds since 1970 as programs read it, who compare several replicas' words by it.
pub(super) fn written(seconds: f64) -> Option<String> {
    Timestamp::from_millisecond((seconds * 1e3) as i64).ok().map(|time| time.to_string())
}

/// A clock that was set back makes nothing younger than now.
fn seconds_since(then: SystemTime, now: SystemTime) -> f64 {
    (unix_seconds(now) - unix_seconds(then)).max(0.0)
}

/// The nodes as a document: by resource what is offered, asked for and planned.
pub(super) fn nodes(snapshot: &Snapshot) -> Value {
    let width = snapshot.resources().len();
    let node = |(row, name): (usize, &Option<Arc<str>>)| {
        let name = name.as_ref()?;
        let cell = |column: &[f64], resource: usize| column.get(row * width + resource).copied().unwrap_or(0.0);
        let resource = |(number, resource): (usize, &Arc<str>)| {
            let amounts = json!({
                "allocatable": cell(snapshot.allocatable(), number),
                "requested": cell(snapshot.requested(), number),
                "planned": cell(snapshot.planned(), number),
                "forecastP50": forecast(snapshot.used_p50(), row * width + number),
                "forecastP90": forecast(snapshot.used_p90(), row * width + number),
            });
            (resource.to_string(), amounts)
        };
        let resources: serde_json::Map<String, Value> = snapshot.resources().iter().enumerate().map(resource).collect();
        Some(json!({ "name": **name, "resources": resources }))
    };
    snapshot.names().iter().enumerate().filter_map(node).collect()
}

/// Nothing where there is no forecast at all.
fn forecast(column: &[f64], cell: usize) -> Value {
    column.get(cell).map_or(Value::Null, |value| json!(value))
}

/// The nodes for people: shares of what is offered, bound and assumed, then with what is planned.
pub(super) fn nodes_text(snapshot: &Snapshot) -> String {
    let objective = snapshot.objective_resources();
    let width = snapshot.resources().len();
    let names: Vec<&str> = snapshot.resources()[..objective].iter().map(AsRef::as_ref).collect();
    let head = format!("node: {} (requested, with planned), percent of allocatable\n", names.join(", "));
    let node = |(row, name): (usize, &Option<Arc<str>>)| {
        let share = |resource: usize| {
            let cell = row * width + resource;
            let offered = snapshot.allocatable()[cell];
            let taken = snapshot.requested()[cell];
            let planned = snapshot.planned().get(cell).copied().unwrap_or(0.0);
            let percent = |amount: f64| if offered > 0.0 { 100.0 * amount / offered } else { 0.0 };
            format!("{:.0} {:.0}", percent(taken), percent(taken + planned))
        };
        let shares: Vec<String> = (0..objective).map(share).collect();
        Some(format!("{}: {}\n", name.as_ref()?, shares.join(", ")))
    };
    std::iter::once(head).chain(snapshot.names().iter().enumerate().filter_map(node)).collect()
}
