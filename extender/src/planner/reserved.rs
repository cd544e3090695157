//! Room that is spoken for: pods nominated for a node which they are not on yet, and
//! pods of other profiles whose plans have them there. Plans made in the mode shadow are
//! promises to nobody.
//!
//! kube-scheduler keeps the former's room from pods of equal or lower priority, and what
//! two plans promise only one pod gets, so a plan has to count both as taken.

use std::collections::HashSet;
use std::sync::Arc;

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::{Full, SnapshotSource};

use crate::columns::Columns;

/// A pod's claim to a row.
#[derive(Clone, Debug)]
pub(super) struct Reservation {
    pub(super) row: u32,
    pub(super) pod: Arc<PodRow>,
}

impl Reservation {
    /// The claim of a nominated pod, if its node is known.
    pub(super) fn of(snapshot: &Snapshot, pod: &Arc<PodRow>) -> Option<Self> {
        Self::at(snapshot, pod, pod.nominated_node.as_deref()?)
    }

    /// A pod's claim to a node, if that is known.
    pub(super) fn at(snapshot: &Snapshot, pod: &Arc<PodRow>, node: &str) -> Option<Self> {
        Some(Self { row: snapshot.row(node)?, pod: Arc::clone(pod) })
    }

    /// The claims of `claimed`, and of the pods that other profiles than that of `scheduler` plan `now`, on the rows of
    /// `base`.
    pub(super) fn with_plans(claimed: Vec<Self>, base: &Snapshot, now: &Snapshot, scheduler: &str) -> Vec<Self> {
        let known: HashSet<&str> = claimed.iter().map(|claim| &*claim.pod.uid).collect();
        let others = now.pending().filter(|pod| *pod.scheduler_name != *scheduler && !known.contains(&*pod.uid));
        let planned = others.filter_map(|pod| {
            let row = base.row(now.name(now.planned_row(&pod.uid)?)?)?;
            Some(Self { row, pod: Arc::clone(pod) })
        });
        let planned: Vec<Self> = planned.collect();
        [claimed, planned].concat()
    }
}

/// Columns in which reserved room counts as taken, and as used where use counts.
pub(super) struct Reserved<'a> {
    columns: Columns<'a>,
    requested: Vec<f64>,
    used_p50: Vec<f64>,
    used_p90: Vec<f64>,
}

impl<'a> Reserved<'a> {
    pub(super) fn new(columns: Columns<'a>, snapshot: &Snapshot, reservations: &[Reservation]) -> Self {
        let full = columns.full();
        let width = full.resources as usize;
        let (mut requested, mut used_p50) = (full.requested.to_vec(), full.used_p50.to_vec());
        let mut used_p90 = full.used_p90.to_vec();
        drop(full);
        for Reservation { row, pod } in reservations {
            let first = *row as usize * width;
            add(&mut requested[first..][..width], &pod.request);
            if !used_p50.is_empty() {
                let estimate = snapshot.estimate(pod);
                let uses = if estimate.is_empty() { &pod.request[..] } else { &estimate };
                add(&mut used_p50[first..][..width], uses);
                // 0 stands for "not known", whatever comes on top.
                let cells = used_p90.get_mut(first..first + width).into_iter().flatten();
                cells.zip(uses).filter(|(cell, _)| **cell > 0.0).for_each(|(cell, amount)| *cell += amount);
            }
        }
        Self { columns, requested, used_p50, used_p90 }
    }
}

fn add(cells: &mut [f64], amounts: &[f64]) {
    cells.iter_mut().zip(amounts).for_each(|(cell, amount)| *cell += amount);
}

impl SnapshotSource for Reserved<'_> {
    /// No snapshot has such a generation, so that no instance takes these columns for a snapshot's.
    fn generation(&self) -> u64 {
        self.columns.generation() | 1 << 63
    }

    fn rows(&self) -> usize {
        self.columns.rows()
    }

    fn full(&self) -> Full<'_> {
        let [requested, used_p50, used_p90] = [&self.requested, &self.used_p50, &self.used_p90];
        Full { requested, used_p50, used_p90, ..self.columns.full() }
    }
}
