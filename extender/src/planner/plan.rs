//! A plan: who goes where, made of what.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::HashMap;
use gantry_cluster::{GroupColumns, PodRow, Snapshot};
use gantry_host::types;
use tokio::sync::OwnedMutexGuard;

use super::order;
use super::reserved::Reservation;

/// The right to search, which one profile has at a time: until its plan is published no other may give the same room
/// away.
pub(super) type Turn = OwnedMutexGuard<()>;

/// What a plan is made of.
#[derive(Debug)]
pub(super) struct Basis {
    /// What the cluster is.
    pub(super) snapshot: Arc<Snapshot>,
    /// The pods, by urgency.
    pub(super) pods: Vec<Arc<PodRow>>,
    /// Pods that are left to kube-scheduler.
    pub(super) left: Vec<Arc<PodRow>>,
    /// The rules between the pods.
    pub(super) groups: GroupColumns,
    /// Room that others hold.
    pub(super) reserved: Vec<Reservation>,
}

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
    /// Pods that are left to kube-scheduler.
    pub(super) left: Vec<Arc<PodRow>>,
    /// The row of each pod that was looked at, by its UID.
    row_by_pod: HashMap<Arc<str>, Option<u32>>,
    /// The pods' domain classes.
    pub(super) classes: HashSet<u32>,
    /// Pods, as positions, that reach their rows only in the order of urgency.
    ordered: HashSet<u32>,
    /// Whether rules bind the pods, which go by labels and taints of nodes.
    pub(super) has_rules: bool,
    reserved: Vec<Reservation>,
    /// What the search tells.
    pub(super) search: types::Plan,
    /// Held until the plan is published.
    pub(super) turn: Option<Turn>,
}

impl Plan {
    /// What a search found in `took`.
    pub(super) fn new(serial: u64, basis: Basis, search: types::Plan, took: Duration) -> Self {
        let Basis { snapshot, pods, left, groups, reserved } = basis;
        let rows: Vec<Option<u32>> = search.rows.iter().map(|row| u32::try_from(*row).ok()).collect();
        let planned = pods.iter().zip(&rows).map(|(pod, row)| (Arc::clone(&pod.uid), *row));
        let row_by_pod = planned.chain(left.iter().map(|pod| (Arc::clone(&pod.uid), None))).collect();
        Self {
            serial,
            base: snapshot,
            made: Instant::now(),
            took,
            rows,
            left,
            row_by_pod,
            classes: pods.iter().map(|pod| pod.class).collect(),
            ordered: order::ordered(&groups),
            has_rules: !groups.rules.is_empty(),
            pods,
            reserved,
            search,
            turn: None,
        }
    }

    /// Who is to have room on which row: its own pods, and whoever held room before.
    pub(super) fn claims(&self) -> impl Iterator<Item = (&Arc<PodRow>, u32)> {
        let own = self.pods.iter().zip(&self.rows).filter_map(|(pod, row)| Some((pod, (*row)?)));
        own.chain(self.reserved.iter().map(|claim| (&claim.pod, claim.row)))
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

    /// Takes the rows of pods that are not let go.
    pub(super) fn give_up(&mut self, uids: &HashSet<Arc<str>>) {
        for (pod, row) in self.pods.iter().zip(&mut self.rows).filter(|(pod, _)| uids.contains(&pod.uid)) {
            *row = None;
            self.row_by_pod.insert(Arc::clone(&pod.uid), None);
        }
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
