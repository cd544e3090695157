//! A rule plays: it chooses a node for each pod in turn, and every choice counts for the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::CallError;

use super::cluster::Cluster;
use super::load::Loads;
use crate::CliError;

/// Longer than any simulation: nothing that is assumed here ends by itself.
const FOR_EVER: Duration = Duration::from_hours(24);

/// A way of choosing nodes.
pub(super) trait Rule {
    /// What it is called in the table.
    fn name(&self) -> &'static str;

    /// Sees the cluster and all pods before the first choice.
    fn begin(&mut self, _snapshot: &Snapshot, _pods: &[Arc<PodRow>]) -> Result<(), CallError> {
        Ok(())
    }

    /// The row for a pod, one that it fits on; none where it fits nowhere.
    fn choose(&mut self, snapshot: &Snapshot, pod: &PodRow) -> Result<Option<u32>, CallError>;

    /// Whether the pod is none of its own: it is placed after all others, once the rule has begun.
    fn leaves(&self, _pod: &PodRow) -> bool {
        false
    }

    /// Hears that a pod is on a row now.
    fn placed(&mut self, _pod: &PodRow, _row: u32) {}

    /// How many candidate changes it evaluated, where it searches.
    fn evaluations(&self) -> Option<u64> {
        None
    }
}

/// What became of the pods.
pub(super) struct Outcome {
    pub(super) rule: &'static str,
    /// The node of each pod, in the cluster's order.
    pub(super) nodes: Vec<Option<Arc<str>>>,
    /// Why each pod that has none has none.
    pub(super) reasons: Vec<Option<String>>,
    /// Which pods the rule left to kube-scheduler.
    pub(super) left: Vec<bool>,
    pub(super) loads: Loads,
    pub(super) evaluations: Option<u64>,
}

/// Lets a rule place all waiting pods, and leaves the cluster as it was.
///
/// A pod that was nominated for a node, and fits, goes there first: kube-scheduler keeps the room for it whatever the
/// scores say.
pub(super) fn play(cluster: &mut Cluster, rule: &mut dyn Rule) -> Result<Outcome, CliError> {
    let now = Instant::now();
    let mut nodes: Vec<Option<Arc<str>>> = vec![None; cluster.waiting.len()];
    let pods: Vec<(usize, Arc<PodRow>)> = cluster.waiting.iter().cloned().enumerate().collect();
    let (nominated, free): (Vec<_>, Vec<_>) = pods.into_iter().partition(|(_, pod)| pod.nominated_node.is_some());
    let mut free = free;
    for (position, pod) in nominated {
        let snapshot = cluster.index.snapshot();
        let row = pod.nominated_node.as_deref().and_then(|node| snapshot.row(node));
        match row.filter(|row| fits(&snapshot, &pod, *row)) {
            Some(row) => nodes[position] = settle(cluster, rule, &snapshot, &pod, row, now),
            None => free.push((position, pod)),
        }
    }
    free.sort_by_key(|(position, _)| *position);
    let unplaced: Vec<Arc<PodRow>> = free.iter().map(|(_, pod)| Arc::clone(pod)).collect();
    rule.begin(&cluster.index.snapshot(), &unplaced)?;
    free.sort_by_key(|(position, pod)| (rule.leaves(pod), *position));
    for (position, pod) in free {
        let snapshot = cluster.index.snapshot();
        if let Some(row) = rule.choose(&snapshot, &pod)? {
            nodes[position] = settle(cluster, rule, &snapshot, &pod, row, now);
        }
    }
    let outcome = outcome(cluster, rule, nodes);
    for pod in &cluster.waiting {
        cluster.index.forget(&pod.uid);
    }
    Ok(outcome)
}

fn settle(
    cluster: &mut Cluster,
    rule: &mut dyn Rule,
    snapshot: &Snapshot,
    pod: &Arc<PodRow>,
    row: u32,
    now: Instant,
) -> Option<Arc<str>> {
    let node = snapshot.name(row)?;
    let is_settled = cluster.index.assume(pod, node, now, FOR_EVER);
    rule.placed(pod, row);
    is_settled.then(|| Arc::clone(node))
}

fn outcome(cluster: &mut Cluster, rule: &dyn Rule, nodes: Vec<Option<Arc<str>>>) -> Outcome {
    let snapshot = cluster.index.snapshot();
    let pods = cluster.waiting.iter().zip(&nodes);
    let reasons = pods.map(|(pod, node)| node.is_none().then(|| reason(&snapshot, pod))).collect();
    let left = cluster.waiting.iter().map(|pod| rule.leaves(pod)).collect();
    let loads = Loads::of(&snapshot);
    Outcome { rule: rule.name(), nodes, reasons, left, loads, evaluations: rule.evaluations() }
}

/// Whether the pod's constraints let it run on the row.
fn is_allowed(snapshot: &Snapshot, pod: &PodRow, row: u32) -> bool {
    let class = snapshot.class(pod.class);
    snapshot.name(row).is_some() && class.is_some_and(|class| class.is_possible(row) && class.is_permitted(row))
}

/// The resources that the row has too little of.
fn shortages<'a>(snapshot: &'a Snapshot, pod: &'a PodRow, row: u32) -> impl Iterator<Item = usize> + 'a {
    let first = row as usize * snapshot.resources().len();
    let is_short = move |column: &usize| {
        let free = snapshot.allocatable()[first + column] - snapshot.requested()[first + column];
        pod.request[*column] > 0.0 && pod.request[*column] > free
    };
    (0..pod.request.len()).filter(is_short)
}

/// Whether the pod may run on the row and finds room there.
pub(super) fn fits(snapshot: &Snapshot, pod: &PodRow, row: u32) -> bool {
    is_allowed(snapshot, pod, row) && shortages(snapshot, pod, row).next().is_none()
}

/// Why a pod has no node, in the manner of kube-scheduler's message: a node that is short of two resources counts twice.
fn reason(snapshot: &Snapshot, pod: &PodRow) -> String {
    let rows: Vec<u32> = (0..snapshot.rows() as u32).filter(|row| snapshot.name(*row).is_some()).collect();
    let (allowed, forbidden): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| is_allowed(snapshot, pod, **row));
    let mut parts = Vec::new();
    if !forbidden.is_empty() {
        parts.push(format!("{} not allowed by its constraints", forbidden.len()));
    }
    for (column, resource) in snapshot.resources().iter().enumerate() {
        let short = allowed.iter().filter(|row| shortages(snapshot, pod, **row).any(|short| short == column)).count();
        if short > 0 {
            parts.push(format!("{short} short of {}", shorten(resource)));
        }
    }
    if allowed.iter().any(|row| fits(snapshot, pod, *row)) {
        parts.push("room was left, but not found".to_owned());
    }
    format!("of {} nodes {}", rows.len(), parts.join(", "))
}

/// A resource's name without its domain.
pub(super) fn shorten(resource: &str) -> &str {
    resource.rsplit_once('/').map_or(resource, |(_, name)| name)
}

/// One of the rows with the best score, by chance that the seed decides.
///
/// Equal scores are common, and taking the first of them would fill the nodes in the order of their names.
pub(super) fn best<S: PartialOrd + Copy>(scored: impl Iterator<Item = (u32, S)>, seed: u64, pod: &str) -> Option<u32> {
    let draw = pod.bytes().fold(seed, |hash, byte| mix(hash ^ u64::from(byte)));
    let lot = |row: u32| mix(draw ^ u64::from(row));
    let better = |best: (u32, S), next: (u32, S)| {
        let is_better = next.1 > best.1 || (next.1 == best.1 && lot(next.0) > lot(best.0));
        if is_better { next } else { best }
    };
    scored.reduce(better).map(|(row, _)| row)
}

/// The finalizer of `SplitMix64` (doi:10.1145/2714064.2660195).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
