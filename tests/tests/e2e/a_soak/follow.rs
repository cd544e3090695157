//! The cluster's nodes and pods as the API server tells of them, kept up to date: cheap to look at.

use std::sync::Arc;

use anyhow::Result;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::reflector::{self, Store, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::task::JoinSet;

use super::census::Census;

/// What is there, and the tasks that follow it for as long as this lives.
#[derive(Clone)]
pub(super) struct Estate {
    nodes: Store<Node>,
    pods: Store<Pod>,
    _followers: Arc<JoinSet<()>>,
}

impl Estate {
    /// Follows from now on; returns when the first lists are in.
    pub(super) async fn follow(client: &Client) -> Result<Self> {
        let mut followers = JoinSet::new();
        let (nodes, all_nodes) = store();
        let (pods, all_pods) = store();
        let node_events = watcher(Api::<Node>::all(client.clone()), watcher::Config::default());
        let pod_events = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
        followers.spawn(reflector::reflector(all_nodes, node_events.default_backoff()).for_each(|_| async {}));
        followers.spawn(reflector::reflector(all_pods, pod_events.default_backoff()).for_each(|_| async {}));
        nodes.wait_until_ready().await?;
        pods.wait_until_ready().await?;
        Ok(Self { nodes, pods, _followers: Arc::new(followers) })
    }

    /// Every pod, those that are over among them.
    pub(super) fn pods(&self) -> Vec<Arc<Pod>> {
        self.pods.state()
    }

    /// How it looks now.
    pub(super) fn census(&self) -> Census {
        Census::of(self.nodes.state(), self.pods.state())
    }
}
