//! A state of the cluster as the columns that a plugin is lent: a snapshot's, or numbers made up for a check.
//!
//! The one place that knows the shape of the contract's snapshot. Promises what [`SnapshotSource`] demands of those who
//! implement it; must not know rules, checks or commands.

use std::borrow::Cow;
use std::sync::Arc;

use gantry_cluster::{GroupColumns, GroupForce, GroupLimit, PodRow, Snapshot};
use gantry_host::types::{DomainClass, Force, GroupRule, Limit, Pod, Pods};
use gantry_host::{Changes, Full, SnapshotSource};

/// Columns, and what changed in them since one earlier generation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) generation: u64,
    pub(crate) rows: u32,
    pub(crate) resources: u32,
    pub(crate) allocatable: Cow<'a, [f64]>,
    pub(crate) requested: Cow<'a, [f64]>,
    pub(crate) used_p50: Cow<'a, [f64]>,
    pub(crate) used_p90: Cow<'a, [f64]>,
    pub(crate) planned: Cow<'a, [f64]>,
    pub(crate) weights: Cow<'a, [f64]>,
    pub(crate) classes: Vec<DomainClass<'a>>,
    /// An earlier generation, with the rows that changed since, ascending.
    pub(crate) since: Option<(u64, Vec<u32>)>,
}

impl<'a> Columns<'a> {
    /// A snapshot, for a plugin that may hold the generation `base`.
    pub(crate) fn of(snapshot: &'a Snapshot, base: u64) -> Self {
        let class = |class: &'a Arc<gantry_cluster::DomainClass>| DomainClass {
            id: class.id,
            possible: &class.possible,
            permitted: &class.permitted,
            preference: &class.preference,
        };
        Self {
            generation: snapshot.generation(),
            rows: snapshot.rows() as u32,
            resources: snapshot.resources().len() as u32,
            allocatable: snapshot.allocatable().into(),
            requested: snapshot.requested().into(),
            used_p50: snapshot.used_p50().into(),
            used_p90: snapshot.used_p90().into(),
            planned: snapshot.planned().into(),
            weights: snapshot.weights().into(),
            classes: snapshot.classes().iter().map(class).collect(),
            since: snapshot.changed_since(base).map(|rows| (base, rows)),
        }
    }

    /// The same where resources count for more or less: one number for each of the objective's, which come first.
    pub(crate) fn weighted(mut self, weights: &[f64]) -> Self {
        if weights.iter().any(|weight| *weight != 1.0) {
            let weight = |column: usize| weights.get(column).copied().unwrap_or(0.0);
            let width = self.resources.max(1) as usize;
            self.weights = self.weights.iter().enumerate().map(|(cell, base)| base * weight(cell % width)).collect();
        }
        self
    }

    fn gather(&self, column: &[f64], rows: &[u32]) -> Vec<f64> {
        let width = self.resources as usize;
        let row = |row: &u32| column.get(*row as usize * width..(*row as usize + 1) * width).unwrap_or_default();
        rows.iter().flat_map(row).copied().collect()
    }
}

impl SnapshotSource for Columns<'_> {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn rows(&self) -> usize {
        self.rows as usize
    }

    fn full(&self) -> Full<'_> {
        Full {
            rows: self.rows,
            resources: self.resources,
            allocatable: &self.allocatable,
            requested: &self.requested,
            used_p50: &self.used_p50,
            used_p90: &self.used_p90,
            planned: &self.planned,
            weights: &self.weights,
            classes: self.classes.clone(),
        }
    }

    fn changes(&self, base: u64) -> Option<Changes<'_>> {
        let (_, changed) = self.since.as_ref().filter(|(since, _)| *since == base)?;
        Some(Changes {
            allocatable: self.gather(&self.allocatable, changed),
            requested: self.gather(&self.requested, changed),
            used_p50: self.gather(&self.used_p50, changed),
            used_p90: self.gather(&self.used_p90, changed),
            planned: self.gather(&self.planned, changed),
            weights: self.gather(&self.weights, changed),
            // All of them: which changed is not worth a second history, and pushing a class again is allowed.
            classes: self.classes.clone(),
            changed: changed.clone(),
        })
    }
}

/// The planned row of a pod that is not planned.
pub(crate) const NOT_PLANNED: i32 = -1;

/// A pod as a plugin is asked about it, with what it is expected to use; empty: what it asks for.
pub(crate) fn pod<'a>(row: &'a PodRow, estimate: &'a [f64]) -> Pod<'a> {
    Pod { class: row.class, request: &row.request, estimate, planned_row: NOT_PLANNED }
}

/// Many pods, as columns that can be lent.
#[derive(Clone, Debug, Default)]
pub(crate) struct PodColumns {
    classes: Vec<u32>,
    requests: Vec<f64>,
    estimates: Vec<f64>,
    priorities: Vec<i32>,
    groups: GroupColumns,
}

impl PodColumns {
    /// The pods in their order, with the rules between them, as a snapshot expects them to be.
    pub(crate) fn of(snapshot: &Snapshot, pods: &[Arc<PodRow>], groups: GroupColumns) -> Self {
        let mut columns = Self { groups, ..Self::default() };
        for pod in pods {
            columns.push(pod.class, &pod.request);
            columns.estimates.extend(snapshot.estimate(pod));
            columns.priorities.push(pod.priority);
        }
        columns
    }

    /// Adds a pod without a priority.
    pub(crate) fn push(&mut self, class: u32, request: &[f64]) {
        self.classes.push(class);
        self.requests.extend_from_slice(request);
    }

    /// Asks `question` with what a plugin is lent.
    pub(crate) fn lend<T>(&self, question: impl FnOnce(&Pods<'_>) -> T) -> T {
        let topologies: Vec<&[u32]> = self.groups.topologies.iter().map(Vec::as_slice).collect();
        let rules: Vec<GroupRule> = self.groups.rules.iter().map(rule).collect();
        question(&Pods {
            classes: &self.classes,
            requests: &self.requests,
            estimates: &self.estimates,
            warm_start: &[],
            priorities: &self.priorities,
            topologies: &topologies,
            rules: &rules,
        })
    }
}

fn rule(rule: &gantry_cluster::GroupRule) -> GroupRule<'_> {
    let limit = match rule.limit {
        GroupLimit::AtMost(most) => Limit::AtMost(most),
        GroupLimit::Skew(skew) => Limit::Skew(skew),
        GroupLimit::Together => Limit::Together,
    };
    let force = match rule.force {
        GroupForce::Hard => Force::Hard,
        GroupForce::Soft(weight) => Force::Soft(weight),
    };
    GroupRule { topology: rule.topology, pods: &rule.pods, existing: &rule.existing, limit, force }
}
