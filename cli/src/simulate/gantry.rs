//! Gantry's rules: one pod at a time by scores, and all pods together by a plan.
//!
//! What decides is the plugin in its sandbox, asked as the extender asks it. Pods with demands that no plan can express
//! are kube-scheduler's to place, as there: with a plan they come after all others, one at a time by scores, which
//! know no constraints between pods.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::types::Budget;
use gantry_host::{CallError, Plugin};

use super::trial::{Rule, best, fits};
use crate::columns::{Columns, PodColumns, pod as lend};

/// The verdict of a row that passes.
const PASS: u8 = 0;
/// The verdict of a row that is expected to run hot; where nothing else is left it passes.
const OVERLOADED_SOON: u8 = 4;

/// The best score among the rows that pass, pod by pod.
pub(super) struct PodByPod<'a> {
    plugin: &'a Plugin,
    weights: &'a [f64],
    seed: u64,
    /// The generation that the plugin holds.
    held: u64,
}

impl<'a> PodByPod<'a> {
    /// `weights` has one number for each of the objective's resources.
    pub(super) fn new(plugin: &'a Plugin, weights: &'a [f64], seed: u64) -> Self {
        Self { plugin, weights, seed, held: 0 }
    }
}

impl Rule for PodByPod<'_> {
    fn name(&self) -> &'static str {
        "Gantry, pod by pod"
    }

    fn choose(&mut self, snapshot: &Snapshot, pod: &PodRow) -> Result<Option<u32>, CallError> {
        let estimate = snapshot.estimate(pod);
        let columns = Columns::of(snapshot, self.held).weighted(self.weights);
        let decision = self.plugin.decide(&columns, &lend(pod, &estimate))?;
        self.held = snapshot.generation();
        let (verdicts, scores) = (decision.verdicts?, decision.scores?);
        let with = |verdict: u8| {
            let rows = (0..snapshot.rows() as u32).filter(|row| verdicts[*row as usize] == verdict);
            let rows = rows.filter(|row| fits(snapshot, pod, *row));
            best(rows.map(|row| (row, scores[row as usize])), self.seed, &pod.uid)
        };
        Ok(with(PASS).or_else(|| with(OVERLOADED_SOON)))
    }
}

/// The joint plan of all pods that can be planned, followed to the letter.
pub(super) struct Planned<'a> {
    /// Chooses for the others.
    pod_by_pod: PodByPod<'a>,
    budget: Budget,
    row_by_pod: HashMap<Arc<str>, u32>,
    /// The others.
    left: HashSet<Arc<str>>,
    evaluations: u64,
}

impl<'a> Planned<'a> {
    /// `weights` as those of [`PodByPod`].
    pub(super) fn new(plugin: &'a Plugin, weights: &'a [f64], evaluations: u64, seed: u64) -> Self {
        Self {
            pod_by_pod: PodByPod::new(plugin, weights, seed),
            budget: Budget { evaluations },
            row_by_pod: HashMap::new(),
            left: HashSet::new(),
            evaluations: 0,
        }
    }
}

impl Rule for Planned<'_> {
    fn name(&self) -> &'static str {
        "Gantry, joint plan"
    }

    fn begin(&mut self, snapshot: &Snapshot, pods: &[Arc<PodRow>]) -> Result<(), CallError> {
        let groups = snapshot.groups(pods);
        let left = groups.unplannable.iter().map(|position| Arc::clone(&pods[*position as usize].uid));
        self.left = left.collect();
        let (plannable, groups) = groups.renumbered(pods.len());
        let pods: Vec<Arc<PodRow>> = plannable.iter().map(|position| Arc::clone(&pods[*position as usize])).collect();
        let columns = PodColumns::of(snapshot, &pods, groups);
        let PodByPod { plugin, weights, seed, .. } = self.pod_by_pod;
        let source = Columns::of(snapshot, 0).weighted(weights);
        let plan = columns.lend(|asked| plugin.plan(&source, asked, self.budget, seed))?;
        let rows = plan.rows.iter().map(|row| u32::try_from(*row).ok());
        let planned = pods.iter().zip(rows).filter_map(|(pod, row)| Some((Arc::clone(&pod.uid), row?)));
        self.row_by_pod = planned.collect();
        self.evaluations = plan.evaluations;
        Ok(())
    }

    fn choose(&mut self, snapshot: &Snapshot, pod: &PodRow) -> Result<Option<u32>, CallError> {
        if self.leaves(pod) {
            return self.pod_by_pod.choose(snapshot, pod);
        }
        Ok(self.row_by_pod.get(&pod.uid).copied().filter(|row| fits(snapshot, pod, *row)))
    }

    fn leaves(&self, pod: &PodRow) -> bool {
        self.left.contains(&pod.uid)
    }

    fn evaluations(&self) -> Option<u64> {
        Some(self.evaluations)
    }
}
