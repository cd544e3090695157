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

/// Columns in which reserved room counts as taken.
pub(super) struct Reserved<'a> {
    columns: Columns<'a>,
    requested: Vec<f64>,
}

impl<'a> Reserved<'a> {
    pub(super) fn new(columns: Columns<'a>, reservations: &[Reservation]) -> Self {
        let full = columns.full();
        let width = full.resources as usize;
        let mut requested = full.requested.to_vec();
        for Reservation { row, pod } in reservations {
            let cells = requested[*row as usize * width..][..width].iter_mut();
            cells.zip(&pod.request).for_each(|(cell, amount)| *cell += amount);
        }
        drop(full);
        Self { columns, requested }
    }
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
        Full { requested: &self.requested, ..self.columns.full() }
    }
}
