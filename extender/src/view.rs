//! The cluster as one cycle sees it: a snapshot, and the pod as numbers.
//!
//! Two sources: an index that a watch feeds, or the nodes that come with the requests.
//! Promises that a pod never sees its own former answer as somebody else's load, and
//! that a pod or node is parsed only where nothing newer is known of it. Locks the
//! index for moments, never while a plugin runs.

mod mirror;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gantry_cluster::{ObjectError, PodRow, SharedIndex, Snapshot, WatchHealth, Whereabouts};
use gantry_host::Reason;
use k8s_openapi::api::core::v1::Pod;

use crate::config::valid;
use crate::cycle::{Assumption, Cause};
use crate::wire::args::{Candidates, PodPart};
use crate::wire::{WireError, parse_part};
use mirror::Mirror;

/// What one cycle reads.
#[derive(Debug)]
pub struct View {
    /// The cluster.
    pub snapshot: Arc<Snapshot>,
    /// The pod to be placed.
    pub pod: Arc<PodRow>,
}

/// Why there is no view.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The pod is no `v1.Pod`.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The pod holds what the API server would have refused.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The watch has not listed everything yet.
    #[error("the first list of nodes and pods is not complete yet")]
    NotSynced,
    /// A watch is broken, and has been for too long.
    #[error("the API server is out of sight: a watch has been failing for {0:?}, longer than cluster.staleAfter")]
    Stale(Duration),
}

impl ViewError {
    /// Why the answer is neutral then.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Wire(_) | Self::Object(_) => Cause::BadPod,
            Self::NotSynced => Cause::Plugin(Reason::Unavailable),
            Self::Stale(_) => Cause::StaleView,
        }
    }
}

/// The cluster as far as it is known.
#[derive(Debug)]
pub struct Cluster {
    index: Arc<SharedIndex>,
    mirror: Option<Mirror>,
    assumed_ttl: Duration,
    stale_after: Duration,
}

impl Cluster {
    /// A cluster that a watch tells the index about.
    #[must_use]
    pub fn watched(index: Arc<SharedIndex>, settings: &valid::Cluster) -> Self {
        let valid::Cluster { assumed_ttl, stale_after, .. } = *settings;
        Self { index, mirror: None, assumed_ttl, stale_after }
    }

    /// A cluster whose nodes come with the requests; pods bound there are unknown.
    #[must_use]
    pub fn mirrored(index: Arc<SharedIndex>, settings: &valid::Cluster) -> Self {
        Self { mirror: Some(Mirror::default()), ..Self::watched(index, settings) }
    }

    /// Whether a watch feeds the index.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.mirror.is_none()
    }

    /// Whether answers rest on the whole cluster.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_watched() || self.index.health().synced
    }

    /// For how long a watch has been failing, where that is too long to answer from what it showed last.
    #[must_use]
    pub fn stale_for(&self, now: Instant) -> Option<Duration> {
        let failing = self.index.failing_since().map(|since| now.saturating_duration_since(since));
        failing.filter(|failing| self.is_watched() && *failing > self.stale_after)
    }

    /// How the watch is doing.
    #[must_use]
    pub fn health(&self) -> WatchHealth {
        self.index.health()
    }

    /// The cluster without a pod in mind.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Arc<Snapshot> {
        self.index.snapshot(now)
    }

    /// The view of a cycle. A former answer for the same pod is forgotten: it was not followed, or kube-scheduler
    /// would not ask again.
    ///
    /// # Errors
    /// Where the pod cannot be read, or too little is known of the cluster, yet or any more.
    pub fn view(&self, pod: &PodPart, candidates: Option<&Candidates>, now: Instant) -> Result<View, ViewError> {
        if let (Some(mirror), Some(Candidates::Nodes(nodes))) = (&self.mirror, candidates) {
            mirror.learn(nodes, &self.index, now);
        }
        if let Some(failing) = self.stale_for(now) {
            return Err(ViewError::Stale(Duration::from_secs(failing.as_secs())));
        }
        let uid = &*pod.head.metadata.uid;
        let mut snapshot = self.index.snapshot(now);
        if self.is_watched() && !snapshot.has_synced() {
            return Err(ViewError::NotSynced);
        }
        if snapshot.assumed_node(uid).is_some() {
            self.index.lock().forget(uid);
            snapshot = self.index.snapshot(now);
        }
        if let Some(row) = snapshot.pod(uid) {
            return Ok(View { pod: Arc::clone(row), snapshot });
        }
        self.read(pod)
    }

    /// The way of a pod that the watch has not shown yet.
    fn read(&self, pod: &PodPart) -> Result<View, ViewError> {
        let pod: Pod = parse_part(pod.raw.get(), || "Pod".to_owned())?;
        let mut index = self.index.lock();
        let pod = index.row_of(&pod)?;
        Ok(View { pod, snapshot: index.snapshot() })
    }

    /// Counts a pod on the node that it was answered.
    pub fn assume(&self, assumption: &Assumption, now: Instant) -> bool {
        self.index.lock().assume(&assumption.pod, &assumption.node, now, self.assumed_ttl)
    }

    /// Where a pod is as far as is known, told to `tell` under the index's lock.
    pub fn whereabouts<T>(&self, uid: &str, tell: impl FnOnce(Whereabouts<'_>) -> T) -> T {
        tell(self.index.lock().whereabouts(uid))
    }

    /// What the pods that surely stay on a node ask for beside the victims; `None`: not all the victims are known there.
    #[must_use]
    pub fn staying_without(&self, node: &str, victims: &HashSet<&str>) -> Option<Vec<f64>> {
        self.index.lock().staying_without(node, victims)
    }
}
