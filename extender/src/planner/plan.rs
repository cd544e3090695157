//! A plan: who goes where, made of what.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::types;

/// A joint assignment of pods to nodes, and the state of the cluster that it rests on.
#[derive(Debug)]
pub(super) struct Plan {
    /// The plans of a profile are numbered from 1.
    pub(super) serial: u64,
    /// What the cluster was.
    pub(super) base: Arc<Snapshot>,
    /// When it was made.
    pub(super) made: Instant,
    /// How long the search took.
    pub(super) took: Duration,
    /// The pods, by urgency.
    pub(super) pods: Vec<Arc<PodRow>>,
    /// The row of each pod, if there was room.
    pub(super) rows: Vec<Option<u32>>,
    /// The row of each pod that was looked at, by its UID.
    row_by_pod: HashMap<Arc<str>, Option<u32>>,
    /// The pods' domain classes.
    pub(super) classes: HashSet<u32>,
    /// Pods, as positions, that reach their rows only in the order of urgency.
    ordered: HashSet<u32>,
    /// What the search tells.
    pub(super) search: types::Plan,
}

impl Plan {
    /// `left` are pods that were left to kube-scheduler.
    pub(super) fn new(
        serial: u64,
        base: Arc<Snapshot>,
        pods: Vec<Arc<PodRow>>,
        left: &[Arc<PodRow>],
        ordered: HashSet<u32>,
        search: types::Plan,
        took: Duration,
    ) -> Self {
        let rows: Vec<Option<u32>> = search.rows.iter().map(|row| u32::try_from(*row).ok()).collect();
        let planned = pods.iter().zip(&rows).map(|(pod, row)| (Arc::clone(&pod.uid), *row));
        let row_by_pod = planned.chain(left.iter().map(|pod| (Arc::clone(&pod.uid), None))).collect();
        let classes = pods.iter().map(|pod| pod.class).collect();
        Self { serial, base, made: Instant::now(), took, pods, rows, row_by_pod, classes, ordered, search }
    }

    /// The pod's row in it.
    pub(super) fn row(&self, uid: &str) -> Option<u32> {
        self.row_by_pod.get(uid).copied().flatten()
    }

    /// Whether the pod was looked at, with or without room for it.
    pub(super) fn knows(&self, uid: &str) -> bool {
        self.row_by_pod.contains_key(uid)
    }

    /// The UIDs of pods that reach their rows only in the order of urgency.
    pub(super) fn ordered(&self) -> impl Iterator<Item = &Arc<str>> {
        self.ordered.iter().map(|position| &self.pods[*position as usize].uid)
    }

    /// How many pods have a row.
    pub(super) fn placed(&self) -> usize {
        self.rows.iter().flatten().count()
    }

    /// The pods with their nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Arc<PodRow>, Option<&Arc<str>>)> {
        let both = self.pods.iter().zip(&self.rows);
        both.map(|(pod, row)| (pod, row.and_then(|row| self.base.name(row))))
    }
}
