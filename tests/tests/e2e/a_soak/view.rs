//! Gantry's own view of the cluster beside the API server's: what its admin port and its metrics say.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use gantry_tests::{Extender, metrics};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::census::{COLUMNS, Census, offered};

/// Everything in which Gantry's view differs from the list, what it still expects to happen, and what has gone wrong in it.
pub(super) async fn complaints(extender: &Extender, census: &Census) -> Result<Vec<String>> {
    let page = async |path: &str| Ok::<Value, anyhow::Error>(serde_json::from_str(&extender.page(path).await?)?);
    let mut found = nodes(&page("/nodes").await?, census);
    found.extend(plans(&page("/plan").await?, census));
    found.extend(status(&page("/status").await?));
    found.extend(gauges(&extender.metrics().await?, census));
    Ok(found)
}

/// Every node with what it offers, what is asked for there, and nothing planned.
fn nodes(page: &Value, census: &Census) -> Vec<String> {
    let seen: BTreeMap<&str, &Value> =
        page.as_array().into_iter().flatten().filter_map(|node| Some((node["name"].as_str()?, node))).collect();
    let mut found: Vec<String> =
        seen.keys().filter(|name| !census.nodes.contains_key(**name)).map(|name| format!("{name} is gone")).collect();
    for (name, node) in &census.nodes {
        let listed = std::iter::zip(census.used(name), offered(node));
        for (column, (used, offered)) in std::iter::zip(COLUMNS, listed) {
            let own = seen.get(name.as_str()).map_or(&Value::Null, |node| &node["resources"][column]);
            let own = ["requested", "allocatable", "planned"].map(|number| own[number].as_f64());
            let listed = [used as f64, offered as f64, 0.0].map(Some);
            if own != listed {
                found.push(format!("{name}: {column}: Gantry has {own:?}, the list {listed:?}"));
            }
        }
    }
    found
}

/// Pods that wait and are planned for a node; a plan that stands lists those of its pods, too, that have been bound.
fn plans(page: &Value, census: &Census) -> Vec<String> {
    let waiting: BTreeSet<String> = census.waiting().filter_map(|pod| pod.uid()).collect();
    let standing = page.as_array().into_iter().flatten().filter(|plan| plan["stands"] == json!(true));
    let pods = standing.flat_map(|plan| plan["pods"].as_array().into_iter().flatten());
    let is_waiting = |pod: &Value| pod["uid"].as_str().is_some_and(|uid| waiting.contains(uid));
    let open = pods.filter(|pod| !pod["node"].is_null() && is_waiting(pod));
    open.map(|pod| format!("{} is still planned for {}", pod["pod"], pod["node"])).collect()
}

fn status(page: &Value) -> Vec<String> {
    let watch = &page["cluster"]["watch"];
    let mut found = Vec::new();
    for (what, value, expected) in [
        ("synced", &watch["synced"], json!(true)),
        ("lastError", &watch["lastError"], Value::Null),
        ("refusedObjects", &watch["refusedObjects"], json!(0)),
        ("assumedPods", &page["cluster"]["assumedPods"], json!(0)),
    ] {
        if *value != expected {
            found.push(format!("/status: {what} is {value}"));
        }
    }
    for plugin in
        page["profiles"].as_array().into_iter().flatten().filter_map(|profile| profile["plugins"].as_array()).flatten()
    {
        let breakers = plugin["breakers"].as_object().into_iter().flatten();
        let is_closed = breakers.clone().count() > 0 && breakers.into_iter().all(|(_, state)| state == "closed");
        if !is_closed || !plugin["failure"].is_null() || plugin["restarts"] != json!(0) {
            found.push(format!("/status: plugin {plugin}"));
        }
    }
    found
}

/// What the metrics count, beside the list; what must not have been counted at all.
fn gauges(text: &str, census: &Census) -> Vec<String> {
    let value = |name: &str, labels: &[(&str, &str)]| metrics::sum_of(text, name, labels);
    let expected = [
        ("gantry_nodes", vec![], census.nodes.len()),
        ("gantry_pods", vec![("state", "bound")], census.bound().count()),
        ("gantry_pods", vec![("state", "waiting")], census.waiting().count()),
        ("gantry_assumed_pods", vec![], 0),
        ("gantry_plan_pods", vec![("outcome", "open")], 0),
        ("gantry_plugin_fallback_total", vec![], 0),
        ("gantry_plugin_breaker", vec![("state", "open")], 0),
        ("gantry_plugin_restarts_total", vec![], 0),
        ("gantry_nominations_total", vec![("outcome", "refused")], 0),
        ("gantry_extender_request_duration_seconds_count", vec![("outcome", "neutral")], 0),
        ("gantry_extender_request_duration_seconds_count", vec![("outcome", "refused")], 0),
    ];
    let differs = expected.into_iter().filter(|(name, labels, expected)| value(name, labels) != *expected as f64);
    differs
        .map(|(name, labels, expected)| format!("{name} {labels:?} is {}, not {expected}", value(name, &labels)))
        .collect()
}
