//! The plans that count and the nodes under them: the answers to `/plan` and `/nodes`.

use std::sync::Arc;
use std::time::SystemTime;

use gantry_cluster::Snapshot;
use serde_json::{Value, json};

use crate::decision::unix_seconds;
use crate::planner::{PlannedPod, PublishedPlan};

/// The plans as a document.
pub(super) fn document(plans: &[(Arc<str>, Arc<PublishedPlan>)], now: SystemTime) -> Value {
    let plan = |(scheduler, plan): &(Arc<str>, Arc<PublishedPlan>)| {
        json!({
            "schedulerName": **scheduler,
            "serial": plan.serial,
            "generation": plan.generation,
            "stands": plan.stands,
            "madeSecondsAgo": age(plan, now),
            "searchSeconds": plan.seconds,
            "evaluations": plan.evaluations,
            "reason": plan.reason,
            "objective": plan.objective,
            "pods": plan.pods.iter().map(entry).collect::<Vec<Value>>(),
        })
    };
    plans.iter().map(plan).collect()
}

fn entry(planned: &PlannedPod) -> Value {
    let PlannedPod { pod, node } = planned;
    json!({ "namespace": *pod.namespace, "pod": *pod.name, "uid": *pod.uid, "node": node.as_deref() })
}

/// The plans for people: a line a plan, a line a pod.
pub(super) fn text(plans: &[(Arc<str>, Arc<PublishedPlan>)], now: SystemTime) -> String {
    if plans.is_empty() {
        return "nothing was planned yet\n".to_owned();
    }
    let lines = plans.iter().flat_map(|(scheduler, plan)| {
        let pods = plan.pods.iter().map(|PlannedPod { pod, node }| {
            format!("  {}/{} {}\n", pod.namespace, pod.name, node.as_deref().unwrap_or("- (no room)"))
        });
        std::iter::once(headline(scheduler, plan, now)).chain(pods)
    });
    lines.collect()
}

fn headline(scheduler: &str, plan: &PublishedPlan, now: SystemTime) -> String {
    let state = if plan.stands { "stands" } else { "is over" };
    let placed = plan.pods.iter().filter(|planned| planned.node.is_some()).count();
    format!(
        "plan {} of {scheduler} {state}: {placed} of {} pods placed, objective {}, {} evaluations in {:.3} s ({}), made \
         {:.1} s ago of snapshot {}\n",
        plan.serial,
        plan.pods.len(),
        plan.objective.first().map_or_else(|| "-".to_owned(), |value| format!("{value:.3}")),
        plan.evaluations,
        plan.seconds,
        plan.reason,
        age(plan, now),
        plan.generation,
    )
}

fn age(plan: &PublishedPlan, now: SystemTime) -> f64 {
    (unix_seconds(now) - unix_seconds(plan.made)).max(0.0)
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
