//! A snapshot of the cluster as the columns that a profile's plugin is lent.
//!
//! Promises that one generation always lends the same columns to one profile, as the
//! host demands. Copies nothing that the snapshot holds already; weights only where
//! the profile's are not all 1.

use std::cell::OnceCell;
use std::sync::Arc;

use gantry_cluster::{DomainClass, PodRow, Snapshot};
use gantry_host::types::{DomainClass as ClassColumns, Pod};
use gantry_host::{Changes, Full, SnapshotSource};

/// A snapshot under a profile's weights.
#[derive(Debug)]
pub struct Columns<'a> {
    snapshot: &'a Snapshot,
    weights: &'a [f64],
    weighted: OnceCell<Vec<f64>>,
}

impl<'a> Columns<'a> {
    /// `weights` has one number for each of the objective's resources.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, weights: &'a [f64]) -> Self {
        Self { snapshot, weights, weighted: OnceCell::new() }
    }

    fn width(&self) -> usize {
        self.snapshot.resources().len()
    }

    /// The snapshot says 1 where a resource counts on a node; the profile says how much.
    fn weighted(&self) -> &[f64] {
        let base = self.snapshot.weights();
        if self.weights.iter().all(|weight| *weight == 1.0) {
            return base;
        }
        let weight = |column: usize| self.weights.get(column).copied().unwrap_or(0.0);
        let width = self.width().max(1);
        self.weighted.get_or_init(|| base.iter().enumerate().map(|(cell, base)| base * weight(cell % width)).collect())
    }

    /// The changed rows of a column, or nothing of a column that is not there.
    fn gather(&self, column: &[f64], rows: &[u32]) -> Vec<f64> {
        if column.is_empty() {
            return Vec::new();
        }
        let width = self.width();
        rows.iter().flat_map(|row| &column[*row as usize * width..][..width]).copied().collect()
    }
}

impl SnapshotSource for Columns<'_> {
    fn generation(&self) -> u64 {
        self.snapshot.generation()
    }

    fn rows(&self) -> usize {
        self.snapshot.rows()
    }

    fn full(&self) -> Full<'_> {
        Full {
            rows: self.snapshot.rows() as u32,
            resources: self.width() as u32,
            allocatable: self.snapshot.allocatable(),
            requested: self.snapshot.requested(),
            used_p50: self.snapshot.used_p50(),
            used_p90: self.snapshot.used_p90(),
            planned: self.snapshot.planned(),
            weights: self.weighted(),
            classes: self.snapshot.classes().iter().map(class).collect(),
        }
    }

    fn changes(&self, base: u64) -> Option<Changes<'_>> {
        let changed = self.snapshot.changed_since(base)?;
        Some(Changes {
            allocatable: self.gather(self.snapshot.allocatable(), &changed),
            requested: self.gather(self.snapshot.requested(), &changed),
            used_p50: self.gather(self.snapshot.used_p50(), &changed),
            used_p90: self.gather(self.snapshot.used_p90(), &changed),
            planned: self.gather(self.snapshot.planned(), &changed),
            weights: self.gather(self.weighted(), &changed),
            classes: self.snapshot.classes_changed_since(base).map(class).collect(),
            changed,
        })
    }
}

fn class(class: &Arc<DomainClass>) -> ClassColumns<'_> {
    ClassColumns { id: class.id, possible: &class.possible, permitted: &class.permitted, preference: &class.preference }
}

/// A pod as the plugin is asked about it, with what it is expected to use (empty: what it asks for) and the row that the
/// snapshot's plan has for it.
#[must_use]
pub fn pod<'a>(row: &'a PodRow, estimate: &'a [f64], planned_row: Option<u32>) -> Pod<'a> {
    let planned_row = planned_row.map_or(-1, |row| row as i32);
    Pod { class: row.class, request: &row.request, estimate, planned_row }
}

#[cfg(test)]
mod tests {
    use gantry_cluster::{Index, IndexSettings};
    use k8s_openapi::api::core::v1::Node;

    use super::*;

    fn node(name: &str, cpu: u32) -> Node {
        let resources = serde_json::json!({"cpu": cpu.to_string(), "memory": "1Gi"});
        serde_json::from_value(serde_json::json!({"metadata": {"name": name}, "status": {"allocatable": resources}}))
            .unwrap()
    }

    fn index() -> Index {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        for name in ["a", "b", "c"] {
            index.apply_node(&node(name, 4)).unwrap();
        }
        index
    }

    #[test]
    fn the_profile_weighs_what_the_snapshot_counts() {
        let snapshot = index().snapshot();
        let columns = Columns::new(&snapshot, &[2.0, 0.5, 1.0, 1.0]);
        let full = columns.full();
        let width = full.resources as usize;
        // cpu and memory are there; disk I/O and network are not, so they count nothing whatever their weight.
        assert_eq!(full.weights[..4], [2.0, 0.5, 0.0, 0.0]);
        assert_eq!(full.weights.len(), full.rows as usize * width);
    }

    #[test]
    fn what_changed_laid_over_what_was_is_what_is() {
        let mut index = index();
        let before = index.snapshot();
        index.apply_node(&node("b", 8)).unwrap();
        let after = index.snapshot();
        let weights = [2.0, 1.0, 1.0, 1.0];
        let (old, new) = (Columns::new(&before, &weights), Columns::new(&after, &weights));
        let changes = new.changes(before.generation()).unwrap();
        assert_eq!(changes.changed.len(), 1);
        let width = old.width();
        let lay = |old: &[f64], rows: &[f64]| {
            let mut laid = old.to_vec();
            for (position, row) in changes.changed.iter().enumerate() {
                laid[*row as usize * width..][..width].copy_from_slice(&rows[position * width..][..width]);
            }
            laid
        };
        assert_eq!(lay(old.full().allocatable, &changes.allocatable), new.full().allocatable);
        assert_eq!(lay(old.full().requested, &changes.requested), new.full().requested);
        assert_eq!(lay(old.full().weights, &changes.weights), new.full().weights);
    }
}
