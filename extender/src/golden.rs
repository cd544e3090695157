//! The golden request: a small cluster and a pod that every new plugin is tried with.
//!
//! Promises that a configuration whose plugins cannot decide the simplest case never
//! comes into use. The trial runs in an instance of its own, so that no cycle ever
//! meets what it pushed.

use gantry_cluster::{Index, IndexSettings, Snapshot};
use gantry_host::Plugin;
use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::json;

use crate::columns::{self, Columns};
use crate::config::valid::{self, Config};
use crate::config::{ConfigError, Problem};
use crate::profile::chain;
use crate::profile::loader::Loader;

/// What is asked, recorded: three nodes of different size, and a pod that fits on all.
struct Request {
    snapshot: std::sync::Arc<Snapshot>,
    pod: std::sync::Arc<gantry_cluster::PodRow>,
}

/// Asks every plugin of a configuration for verdicts and scores.
///
/// # Errors
/// One problem a plugin that fails.
pub fn try_all(loader: &Loader, config: &Config) -> Result<(), ConfigError> {
    let request = request(config)?;
    let mut problems = Vec::new();
    for profile in &config.profiles {
        for plugin in &profile.plugins {
            if let Err(why) = try_one(loader, &request, profile, plugin) {
                let remedy = format!("it fails on a recorded request: {why}");
                problems.push(Problem::new(format!("{}.component", plugin.key), &plugin.component, remedy));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Refused(problems)) }
}

fn try_one(loader: &Loader, request: &Request, profile: &valid::Profile, config: &valid::Plugin) -> Result<(), String> {
    let plugin: Plugin = loader.trial(config).map_err(|(reason, detail)| format!("{}: {detail}", reason.as_str()))?;
    let source = Columns::new(&request.snapshot, &profile.weights);
    let decision = plugin.decide(&source, &columns::pod(&request.pod, &[], None)).map_err(|error| chain(&error))?;
    decision.verdicts.map_err(|error| chain(&error))?;
    decision.scores.map_err(|error| chain(&error))?;
    Ok(())
}

fn request(config: &Config) -> Result<Request, Problem> {
    let settings = IndexSettings { resources: config.resources.clone(), ..IndexSettings::default() };
    let refused =
        |error: &dyn std::fmt::Display| Problem::new("resources", config.resources.join(", "), error.to_string());
    let mut index = Index::new(settings).map_err(|error| refused(&error))?;
    for (name, cores) in [("golden-a", 4), ("golden-b", 8), ("golden-c", 16)] {
        let node: Node = read(json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {"allocatable": {"cpu": cores.to_string(), "memory": format!("{}Gi", 2 * cores), "pods": "110"}},
        }));
        index.apply_node(&node).map_err(|error| refused(&error))?;
    }
    let pod: Pod = read(json!({
        "metadata": {"name": "golden", "namespace": "default", "uid": "golden"},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}}}]},
    }));
    let pod = index.row_of(&pod).map_err(|error| refused(&error))?;
    Ok(Request { snapshot: index.snapshot(), pod })
}

fn read<T: serde::de::DeserializeOwned>(object: serde_json::Value) -> T {
    serde_json::from_value(object).expect("invariant: the recorded objects are ones of Kubernetes")
}
