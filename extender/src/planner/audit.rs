//! What contradicts a plan.
//!
//! Promises to see every difference between what the plan counted on and what is
//! there, whoever caused it: the load that is there must be the load that was, with
//! the plan's own pods where it put them. Amounts are whole numbers, so equal sums are
//! equal bits; forecasts are none, so they may stray a little.

use std::sync::Arc;

use gantry_cluster::{PodRow, SharedIndex, Snapshot, Whereabouts};

use super::agenda::Agenda;
use super::plan::Plan;

/// How far a node's expected use may stray from what the plan expected, as a share of what the node offers: forecasts
/// are made anew every minute and never say quite the same, and one percentage point is felt by nobody.
const TOLERANCE: f64 = 0.01;
/// Pods that are looked up before others have a turn at the index: microseconds.
const LOOKUPS: usize = 256;

/// Why a plan does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// A batch of gated pods has come together.
    Batch,
    /// Its time is up.
    Expired,
    /// A pod waits that it does not know.
    NewPods,
    /// A pod that has room in it is there no longer: it was deleted, or has run and ended.
    Gone,
    /// Nodes came, went or offer something else.
    Nodes,
    /// Where its pods may run has changed, or what they ask for.
    Domains,
    /// A node carries other load than the plan counted on: a pod bound elsewhere, deleted, resized, or from outside.
    Load,
    /// What nodes or pods are expected to use has changed.
    Forecasts,
    /// A changed configuration is in use, or a plugin that had been left out: weights and plugins may be others.
    Configuration,
}

impl Deviation {
    /// Every deviation there is.
    pub const ALL: [Self; 9] = [
        Self::Batch,
        Self::Expired,
        Self::NewPods,
        Self::Gone,
        Self::Nodes,
        Self::Domains,
        Self::Load,
        Self::Forecasts,
        Self::Configuration,
    ];

    /// Whether it is mostly one part of the plan that does not hold, and the rest is as good as it was.
    pub(super) fn spares_the_rest(self) -> bool {
        matches!(self, Self::Gone | Self::Nodes | Self::Domains | Self::Load)
    }

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Expired => "expired",
            Self::NewPods => "new-pods",
            Self::Gone => "gone",
            Self::Nodes => "nodes",
            Self::Domains => "domains",
            Self::Load => "load",
            Self::Forecasts => "forecasts",
            Self::Configuration => "configuration",
        }
    }
}

/// Whether a pod waits that the plan does not know.
pub(super) fn knows_all(plan: &Plan, agenda: &Agenda) -> bool {
    agenda.open.iter().all(|pod| plan.knows(&pod.uid))
}

/// What contradicts `plan` now. Load and whereabouts are read from one snapshot: a pod answered in between would be
/// missing from the one and counted by the other.
pub(super) fn contradiction(plan: &Plan, index: &SharedIndex) -> Option<Deviation> {
    let now = index.lock().snapshot();
    if now.generation() == plan.base.generation() {
        return None;
    }
    let claims = claims(plan, &now, index);
    let checks: [(Deviation, &dyn Fn() -> bool); 5] = [
        (Deviation::Nodes, &|| offers_otherwise(&plan.base, &now)),
        (Deviation::Domains, &|| bounds_otherwise(plan, &now)),
        (Deviation::Gone, &|| claims.iter().any(|claim| claim.stage == Stage::Gone)),
        (Deviation::Load, &|| expected(&plan.base, &claims) != now.requested()),
        (Deviation::Forecasts, &|| foresees_otherwise(&plan.base, &now, &claims)),
    ];
    checks.into_iter().find_map(|(deviation, is_so)| is_so().then_some(deviation))
}

/// Every claim of a plan, and its stage in `now`.
fn claims<'a>(plan: &'a Plan, now: &Snapshot, index: &SharedIndex) -> Vec<Claim<'a>> {
    let claim = |(pod, row): (&'a Arc<PodRow>, u32)| match now.unbound(&pod.uid) {
        Some(whereabouts) => Claim { pod, row, stage: Stage::of(whereabouts) },
        None => Claim { pod, row, stage: Stage::Gone },
    };
    let mut claims: Vec<Claim> = plan.claims().map(claim).collect();
    // A snapshot does not tell who is bound from who is gone. The index does, by and by, because requests wait for its
    // lock: who was bound and is gone since has gone either way.
    let mut unknown: Vec<&mut Claim> = claims.iter_mut().filter(|claim| claim.stage == Stage::Gone).collect();
    for some in unknown.chunks_mut(LOOKUPS) {
        let index = index.lock();
        for claim in some {
            claim.stage = Stage::of(index.whereabouts(&claim.pod.uid));
        }
    }
    claims
}

/// A pod that has room in the plan, and how far it has come.
struct Claim<'a> {
    pod: &'a Arc<PodRow>,
    row: u32,
    stage: Stage,
}

/// How far a pod has come, wherever that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// Bound, or assumed by our own answer.
    Placed,
    Gone,
}

impl Stage {
    fn of(whereabouts: Whereabouts<'_>) -> Self {
        match whereabouts {
            Whereabouts::Unknown => Self::Gone,
            Whereabouts::Waiting => Self::Waiting,
            Whereabouts::Assumed(_) | Whereabouts::Bound(_) => Self::Placed,
        }
    }
}

/// Whether nodes came, went or offer something else.
fn offers_otherwise(then: &Snapshot, now: &Snapshot) -> bool {
    !same(then.names(), now.names()) || !same(then.allocatable(), now.allocatable())
}

/// Columns that nobody wrote to are the same columns.
fn same<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// Whether the plan's pods may run elsewhere than they might: their classes changed, they are of other classes or ask for
/// other amounts, or what rules between pods go by.
fn bounds_otherwise(plan: &Plan, now: &Snapshot) -> bool {
    let mut changed = now.classes_changed_since(plan.base.generation());
    let is_another =
        |pod: &Arc<PodRow>| now.pod(&pod.uid).is_some_and(|now| now.class != pod.class || now.request != pod.request);
    changed.any(|class| plan.classes.contains(&class.id))
        || (plan.has_rules && !now.has_same_marks(&plan.base))
        || plan.pods.iter().any(is_another)
}

/// The load if every claim of a pod that waits no longer was met.
fn expected(base: &Snapshot, claims: &[Claim<'_>]) -> Vec<f64> {
    let mut expected = base.requested().to_vec();
    for claim in claims.iter().filter(|claim| claim.stage == Stage::Placed) {
        add(&mut expected, claim.row, &claim.pod.request);
    }
    expected
}

/// Whether nodes, with the plan's pods, are expected to use other amounts than they were.
fn foresees_otherwise(then: &Snapshot, now: &Snapshot, claims: &[Claim<'_>]) -> bool {
    if !now.has_forecasts_since(then.generation()) {
        return false;
    }
    if then.used_p50().len() != now.used_p50().len() {
        return true;
    }
    let mut median = [then.used_p50().to_vec(), now.used_p50().to_vec()];
    let mut high = [then.used_p90().to_vec(), now.used_p90().to_vec()];
    for Claim { pod, row, stage } in claims.iter().filter(|_| !now.used_p50().is_empty()) {
        let before = usage(then, pod);
        match stage {
            Stage::Placed => add(&mut high[0], *row, &before),
            Stage::Waiting | Stage::Gone => add(&mut median[1], *row, &usage(now, pod)),
        }
        add(&mut median[0], *row, &before);
    }
    // 0 stands for "not known", whatever was added to it.
    let unknown = |cell: usize| then.used_p90()[cell] == 0.0 && now.used_p90()[cell] == 0.0;
    let offered = now.allocatable();
    strays(&median, offered).next().is_some() || strays(&high, offered).any(|cell| !unknown(cell))
}

/// The cells in which two columns differ by more than nobody feels.
fn strays(columns: &[Vec<f64>; 2], offered: &[f64]) -> impl Iterator<Item = usize> {
    let [then, now] = columns;
    let is_far = |cell: &usize| (then[*cell] - now[*cell]).abs() > TOLERANCE * offered[*cell] && offered[*cell] > 0.0;
    (0..then.len()).filter(is_far)
}

/// What a pod is expected to use.
fn usage(snapshot: &Snapshot, pod: &PodRow) -> Vec<f64> {
    let estimate = snapshot.estimate(pod);
    if estimate.is_empty() { pod.request.to_vec() } else { estimate }
}

fn add(column: &mut [f64], row: u32, amounts: &[f64]) {
    let cells = &mut column[row as usize * amounts.len()..][..amounts.len()];
    cells.iter_mut().zip(amounts).for_each(|(cell, amount)| *cell += amount);
}

#[cfg(test)]
mod tests;
