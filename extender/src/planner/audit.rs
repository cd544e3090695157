//! What contradicts a plan.
//!
//! Promises to see every difference between what the plan counted on and what is
//! there, whoever caused it: the load that is there must be the load that was, with
//! the plan's own pods where it put them. Amounts are whole numbers, so equal sums are
//! equal bits.

use gantry_cluster::{Index, SharedIndex, Whereabouts};

use super::agenda::Agenda;
use super::plan::Plan;

/// Why a plan does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// A batch of gated pods has come together.
    Batch,
    /// Its time is up.
    Expired,
    /// A pod waits that it does not know.
    NewPods,
    /// Nodes came, went or offer something else.
    Nodes,
    /// Where its pods may run has changed.
    Domains,
    /// A node carries other load than the plan counted on: a pod bound elsewhere, deleted, resized, or from outside.
    Load,
}

impl Deviation {
    /// Every deviation there is.
    pub const ALL: [Self; 6] = [Self::Batch, Self::Expired, Self::NewPods, Self::Nodes, Self::Domains, Self::Load];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Expired => "expired",
            Self::NewPods => "new-pods",
            Self::Nodes => "nodes",
            Self::Domains => "domains",
            Self::Load => "load",
        }
    }
}

/// Whether a pod waits that the plan does not know.
pub(super) fn knows_all(plan: &Plan, agenda: &Agenda) -> bool {
    agenda.open.iter().all(|pod| plan.knows(&pod.uid))
}

/// What contradicts `plan` now. Load and whereabouts are read in one moment: a pod answered in between would be missing
/// from the one and counted by the other.
pub(super) fn contradiction(plan: &Plan, index: &SharedIndex) -> Option<Deviation> {
    let mut index = index.lock();
    let snapshot = index.snapshot();
    if snapshot.generation() == plan.base.generation() {
        return None;
    }
    if !same(plan.base.names(), snapshot.names()) || !same(plan.base.allocatable(), snapshot.allocatable()) {
        return Some(Deviation::Nodes);
    }
    let mut changed = snapshot.classes_changed_since(plan.base.generation());
    if changed.any(|class| plan.classes.contains(&class.id)) {
        return Some(Deviation::Domains);
    }
    (expected(plan, &index) != snapshot.requested()).then_some(Deviation::Load)
}

/// Columns that nobody wrote to are the same columns.
fn same<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// The load if every pod of the plan that waits no longer went to its row.
fn expected(plan: &Plan, index: &Index) -> Vec<f64> {
    let width = plan.base.resources().len();
    let mut expected = plan.base.requested().to_vec();
    for (pod, row) in plan.pods.iter().zip(&plan.rows) {
        let is_somewhere = || matches!(index.whereabouts(&pod.uid), Whereabouts::Assumed(_) | Whereabouts::Bound(_));
        if let Some(row) = row.filter(|_| is_somewhere()) {
            let cells = expected[row as usize * width..][..width].iter_mut();
            cells.zip(&pod.request).for_each(|(cell, amount)| *cell += amount);
        }
    }
    expected
}
