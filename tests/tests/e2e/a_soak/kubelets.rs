//! Plays the kubelets of all nodes, and the garbage collector of pods: nodes here are objects only.
//!
//! Pods that are bound run, pods that were told to go go, and pods of a node that stays away are deleted. What the API
//! server refuses is tried again at the next look.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::census::{is_leaving, is_running};
use super::follow::Estate;

/// Between two looks at all pods.
const LOOK: Duration = Duration::from_millis(250);
/// A node that comes back sooner finds its pods where they were.
const PATIENCE: Duration = Duration::from_secs(3);

/// The kubelets, for as long as this lives.
pub(super) struct Kubelets {
    _task: JoinSet<()>,
}

impl Kubelets {
    /// Begins to play.
    pub(super) fn play(client: &Client, estate: Estate) -> Self {
        let mut task = JoinSet::new();
        task.spawn(run(Api::default_namespaced(client.clone()), estate));
        Self { _task: task }
    }
}

async fn run(pods: Api<Pod>, estate: Estate) {
    let now = DeleteParams::default().grace_period(0);
    let running = Patch::Merge(json!({"status": {"phase": "Running"}}));
    let mut gone_since_by_node: BTreeMap<String, Instant> = BTreeMap::new();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let census = estate.census();
        gone_since_by_node.retain(|node, _| !census.nodes.contains_key(node));
        for (pod, node) in census.bound() {
            let is_there = census.nodes.contains_key(node);
            let since = (!is_there).then(|| *gone_since_by_node.entry(node.to_owned()).or_insert_with(Instant::now));
            if is_there && is_leaving(pod) || since.is_some_and(|since| since.elapsed() >= PATIENCE) {
                drop(pods.delete(&pod.name_any(), &now).await);
            } else if is_there && !is_running(pod) {
                drop(pods.patch_status(&pod.name_any(), &PatchParams::default(), &running).await);
            }
        }
    }
}
