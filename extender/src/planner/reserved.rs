//! Room that is spoken for: pods nominated for a node which they are not on yet.
//!
//! kube-scheduler keeps that room from pods of equal or lower priority, so a plan has
//! to count it as taken.

use std::sync::Arc;

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::{Full, SnapshotSource};

use crate::columns::Columns;

/// A pod's claim to a row.
#[derive(Clone, Debug)]
pub(super) struct Reservation {
    row: u32,
    pod: Arc<PodRow>,
}

impl Reservation {
    /// The claim of a nominated pod, if its node is known.
    pub(super) fn of(snapshot: &Snapshot, pod: &Arc<PodRow>) -> Option<Self> {
        let row = snapshot.row(pod.nominated_node.as_deref()?)?;
        Some(Self { row, pod: Arc::clone(pod) })
    }
}

/// Columns in which reserved room counts as taken, and as used where use counts.
pub(super) struct Reserved<'a> {
    columns: Columns<'a>,
    requested: Vec<f64>,
    used_p50: Vec<f64>,
}

impl<'a> Reserved<'a> {
    pub(super) fn new(columns: Columns<'a>, snapshot: &Snapshot, reservations: &[Reservation]) -> Self {
        let full = columns.full();
        let width = full.resources as usize;
        let (mut requested, mut used_p50) = (full.requested.to_vec(), full.used_p50.to_vec());
        drop(full);
        for Reservation { row, pod } in reservations {
            let first = *row as usize * width;
            add(&mut requested[first..][..width], &pod.request);
            if !used_p50.is_empty() {
                let estimate = snapshot.estimate(pod);
                add(&mut used_p50[first..][..width], if estimate.is_empty() { &pod.request } else { &estimate });
            }
        }
        Self { columns, requested, used_p50 }
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
        Full { requested: &self.requested, used_p50: &self.used_p50, ..self.columns.full() }
    }
}
