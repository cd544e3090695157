//! Rules between pods, compiled for a joint plan.
//!
//! ```text
//!  residents ─► Census (who is there, by ties) ─┐
//!  pods ──────► families (pods of equal ties) ──┼─► Compilation ─► rules over numbered topology values
//!  labels ────► Topologies (values by row) ─────┘
//! ```
//!
//! Promises: a plan within the rules is one that kube-scheduler's plugins `InterPodAffinity` and `PodTopologySpread`
//! accept once it is carried out; where that can not be expressed, the pod is called unplannable. Equal input gives equal
//! rules. Must not know: the search.

mod census;
mod compile;
mod topologies;

use std::sync::Arc;

use crate::pod::PodRow;
use crate::snapshot::Snapshot;
use compile::Compilation;

/// The rules that bind some pods which are to be planned together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupColumns {
    /// For each topology the value of each row; `u32::MAX`: the row has none.
    pub topologies: Vec<Vec<u32>>,
    /// The rules. Their pods are positions in the list that was asked about, never of unplannable ones.
    pub rules: Vec<GroupRule>,
    /// Positions of pods with demands that these rules do not express, ascending: they are kube-scheduler's to place.
    pub unplannable: Vec<u32>,
}

/// One rule, as the contract's `group-rule`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRule {
    /// The topology it goes by, an index into [`GroupColumns::topologies`].
    pub topology: u32,
    /// The pods to be placed, ascending.
    pub pods: Vec<u32>,
    /// The pods that are there already: values with counts, ascending.
    pub existing: Vec<(u32, u32)>,
    /// What it allows.
    pub limit: GroupLimit,
    /// What breaking it means.
    pub force: GroupForce,
}

/// What a rule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupLimit {
    /// At most this many pods share a value.
    AtMost(u32),
    /// Two values differ by at most this many pods, at least 1.
    Skew(u32),
    /// The pods share one value.
    Together,
}

/// What breaking a rule means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GroupForce {
    /// No plan may.
    Hard,
    /// Every pod that does costs this much, in the objective's unit.
    Soft(f64),
}

impl GroupColumns {
    /// The positions of the plannable ones of `pods` pods, ascending, and the rules with those numbered in that order:
    /// what a plan of the plannable pods is made with.
    #[must_use]
    pub fn renumbered(mut self, pods: usize) -> (Vec<u32>, Self) {
        let is_plannable = |pod: &u32| self.unplannable.binary_search(pod).is_err();
        let plannable: Vec<u32> = (0..pods as u32).filter(is_plannable).collect();
        for pod in self.rules.iter_mut().flat_map(|rule| &mut rule.pods) {
            *pod = plannable.partition_point(|plannable| plannable < pod) as u32;
        }
        (plannable, self)
    }
}

impl Snapshot {
    /// The rules between these pods, and between them and those that have a node. Takes no lock.
    ///
    /// Anti-affinity in both directions, required affinity, topology spread, and host ports that several of these pods take
    /// become hard rules; preferred
    /// anti-affinity and spread that may be broken soft ones, at most one squared percentage point a pod. What is left
    /// out: preferred affinity, and cluster-wide default spreads.
    #[must_use]
    pub fn groups(&self, pods: &[Arc<PodRow>]) -> GroupColumns {
        self.groups_beside(pods, &[])
    }

    /// The same where other pods are promised rows, and count there as if they had them.
    #[must_use]
    pub fn groups_beside(&self, pods: &[Arc<PodRow>], promised: &[(u32, Arc<PodRow>)]) -> GroupColumns {
        Compilation::new(self, pods, promised).compile()
    }
}

#[cfg(test)]
mod tests;
