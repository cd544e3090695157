//! Columns in which one pod is not on its node: as if it came now.
//!
//! Promises that no instance takes them for a snapshot's, nor for those of another pod.
//! Must not know why the pod is thought away.

use std::sync::atomic::{AtomicU64, Ordering};

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::{Full, SnapshotSource};

use crate::columns::Columns;

/// No snapshot has a generation so high, and no planner's columns have this bit without the one above it.
const MARK: u64 = 1 << 62;
/// An instance that holds a generation is not told its columns again, so that each of ours has its own.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Columns without one pod.
pub(super) struct Vacated<'a> {
    columns: Columns<'a>,
    requested: Vec<f64>,
    used_p50: Vec<f64>,
    used_p90: Vec<f64>,
    generation: u64,
}

impl<'a> Vacated<'a> {
    /// Takes what the pod asks for, and is expected to use, back from `row`.
    pub(super) fn new(columns: Columns<'a>, snapshot: &Snapshot, pod: &PodRow, row: u32) -> Self {
        let full = columns.full();
        let [mut requested, mut used_p50, mut used_p90] =
            [full.requested, full.used_p50, full.used_p90].map(<[f64]>::to_vec);
        let width = full.resources as usize;
        drop(full);
        let cells = row as usize * width..(row as usize + 1) * width;
        take(&mut requested[cells.clone()], &pod.request, 0.0);
        if !used_p50.is_empty() {
            let estimate = snapshot.estimate(pod);
            let amounts = if estimate.is_empty() { &*pod.request } else { &estimate };
            take(&mut used_p50[cells.clone()], amounts, 0.0);
            // 0 would say that nothing is known.
            take(&mut used_p90[cells], amounts, 1.0);
        }
        let generation = MARK | LAST.fetch_add(1, Ordering::Relaxed);
        Self { columns, requested, used_p50, used_p90, generation }
    }
}

/// Takes amounts away from cells that have any, down to `least`.
fn take(cells: &mut [f64], amounts: &[f64], least: f64) {
    let taken = cells.iter_mut().zip(amounts).filter(|(cell, _)| **cell > 0.0);
    taken.for_each(|(cell, amount)| *cell = (*cell - amount).max(least));
}

impl SnapshotSource for Vacated<'_> {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn rows(&self) -> usize {
        self.columns.rows()
    }

    fn full(&self) -> Full<'_> {
        let Self { requested, used_p50, used_p90, .. } = self;
        Full { requested, used_p50, used_p90, ..self.columns.full() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use gantry_cluster::{Index, IndexSettings};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_as_it_would_be_without_the_pod_and_never_under_another_ones_name() {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        for name in ["a", "b"] {
            let node = json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": "4", "pods": "9"}}});
            index.apply_node(&serde_json::from_value(node).unwrap()).unwrap();
        }
        let empty = index.snapshot();
        let container = json!({"name": "c", "resources": {"requests": {"cpu": "1"}}});
        let pod = json!({"metadata": {"name": "p", "uid": "p"}, "spec": {"containers": [container]}});
        let pod = index.row_of(&serde_json::from_value(pod).unwrap()).unwrap();
        assert!(index.assume(&pod, "b", Instant::now(), Duration::from_hours(1)));
        let (snapshot, weights) = (index.snapshot(), [1.0; 4]);
        assert_ne!(snapshot.requested(), empty.requested());
        let without = || Vacated::new(Columns::new(&snapshot, &weights), &snapshot, &pod, 1);
        let (one, other) = (without(), without());
        for vacated in [&one, &other] {
            assert_eq!(vacated.full().requested, empty.requested());
        }
        assert!(one.generation() != other.generation() && one.generation() > snapshot.generation());
    }
}
