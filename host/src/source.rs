//! Where a plugin's view of the cluster comes from.
//!
//! The host asks for the whole or for what changed, whichever the instance at hand needs; the owner of the columns lends
//! them. It must not know Kubernetes.

use crate::types::{Delta, DomainClass, Snapshot};

/// A state of the cluster, lent to the host.
///
/// Laws: everything is consistent with one generation and does not change during a call; the generation names the
/// content, so that two sources with equal generations lend equal columns; applying `changes(base)` to the columns of
/// generation `base` gives the columns of `full()`.
pub trait SnapshotSource {
    /// The generation of this state.
    fn generation(&self) -> u64;

    /// The number of rows, hence the length of every answer.
    fn rows(&self) -> usize;

    /// Everything, as columns.
    fn full(&self) -> Full<'_>;

    /// What changed since the generation `base`; none if that is not known any more, or if the rows or resources
    /// themselves changed.
    fn changes(&self, base: u64) -> Option<Changes<'_>> {
        let _ = base;
        None
    }
}

/// A whole snapshot; the fields are those of the contract's `snapshot`, matrices are row-major `rows * resources`.
#[derive(Clone, Debug, Default)]
pub struct Full<'a> {
    /// The number of rows.
    pub rows: u32,
    /// The number of resources.
    pub resources: u32,
    /// What the nodes offer.
    pub allocatable: &'a [f64],
    /// What the pods placed there ask for.
    pub requested: &'a [f64],
    /// Median forecast of the use; empty without forecasts.
    pub used_p50: &'a [f64],
    /// 0.9 quantile of the use; empty without forecasts.
    pub used_p90: &'a [f64],
    /// What pods planned there ask for; empty when nothing is planned.
    pub planned: &'a [f64],
    /// The objective's weights.
    pub weights: &'a [f64],
    /// All domain classes.
    pub classes: Vec<DomainClass<'a>>,
}

impl Full<'_> {
    pub(crate) fn at(&self, generation: u64) -> Snapshot<'_> {
        Snapshot {
            generation,
            rows: self.rows,
            resources: self.resources,
            allocatable: self.allocatable,
            requested: self.requested,
            used_p50: self.used_p50,
            used_p90: self.used_p90,
            planned: self.planned,
            weights: self.weights,
            classes: &self.classes,
        }
    }

    /// The numbers to be copied.
    fn len(&self) -> usize {
        let columns = [self.allocatable, self.requested, self.used_p50, self.used_p90, self.planned, self.weights];
        columns.iter().map(|column| column.len()).sum::<usize>() + class_len(&self.classes)
    }
}

/// What changed between two generations; the fields are those of the contract's `delta`, matrices are row-major
/// `changed * resources`.
#[derive(Clone, Debug, Default)]
pub struct Changes<'a> {
    /// The rows that changed, ascending.
    pub changed: Vec<u32>,
    /// As in [`Full`], for the changed rows.
    pub allocatable: Vec<f64>,
    /// As in [`Full`], for the changed rows.
    pub requested: Vec<f64>,
    /// As in [`Full`], for the changed rows.
    pub used_p50: Vec<f64>,
    /// As in [`Full`], for the changed rows.
    pub used_p90: Vec<f64>,
    /// As in [`Full`], for the changed rows.
    pub planned: Vec<f64>,
    /// As in [`Full`], for the changed rows.
    pub weights: Vec<f64>,
    /// Classes that are new or changed.
    pub classes: Vec<DomainClass<'a>>,
}

impl Changes<'_> {
    pub(crate) fn between(&self, base: u64, generation: u64) -> Delta<'_> {
        Delta {
            base,
            generation,
            changed: &self.changed,
            allocatable: &self.allocatable,
            requested: &self.requested,
            used_p50: &self.used_p50,
            used_p90: &self.used_p90,
            planned: &self.planned,
            weights: &self.weights,
            classes: &self.classes,
        }
    }

    /// True when pushing the changes copies less than pushing `full`.
    pub(crate) fn is_smaller_than(&self, full: &Full<'_>) -> bool {
        let columns =
            [&self.allocatable, &self.requested, &self.used_p50, &self.used_p90, &self.planned, &self.weights];
        let numbers = columns.iter().map(|column| column.len()).sum::<usize>();
        self.changed.len() + numbers + class_len(&self.classes) < full.len()
    }
}

fn class_len(classes: &[DomainClass<'_>]) -> usize {
    classes.iter().map(|class| class.possible.len() + class.permitted.len() + class.preference.len()).sum()
}
