//! The cluster at one generation: immutable, shared, as columns.
//!
//! A snapshot is a bundle of reference-counted columns. Making one after a change copies only the columns that the
//! change touched; reading one takes no lock. A matrix is row-major, so its slice can be handed to a plugin as it is:
//! the value of resource `r` on row `j` stands at `j * resources().len() + r`.

use std::sync::Arc;

use crate::class::DomainClass;
use crate::estimates::Estimator;
use crate::names::RowByName;
use crate::node::NodeRow;
use crate::pod::PodRow;
use crate::residents::Residents;
use crate::unplaced::{Unplaced, Whereabouts};

/// Everything the request path needs to know of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub(crate) generation: u64,
    /// The generation in which rows, resources or the set of classes last changed in a way no delta can tell.
    pub(crate) shaped: u64,
    /// The generation in which forecasts last changed.
    pub(crate) foreseen: u64,
    pub(crate) objective: usize,
    pub(crate) resources: Arc<Vec<Arc<str>>>,
    pub(crate) allocatable: Arc<Vec<f64>>,
    pub(crate) requested: Arc<Vec<f64>>,
    pub(crate) used_p50: Arc<Vec<f64>>,
    pub(crate) used_p90: Arc<Vec<f64>>,
    pub(crate) planned: Arc<Vec<f64>>,
    pub(crate) weights: Arc<Vec<f64>>,
    pub(crate) names: Arc<Vec<Option<Arc<str>>>>,
    /// By row; `None`: a row without a node.
    pub(crate) nodes: Arc<Vec<Option<Arc<NodeRow>>>>,
    pub(crate) residents: Residents,
    /// Every request looks all its candidates up here.
    pub(crate) row_by_name: Arc<RowByName>,
    /// By row: the generation in which one of its numbers last changed.
    pub(crate) changed: Arc<Vec<u64>>,
    pub(crate) classes: Arc<Vec<Arc<DomainClass>>>,
    pub(crate) unplaced: Unplaced,
    pub(crate) estimator: Arc<Estimator>,
    pub(crate) assumed: usize,
    pub(crate) bound: usize,
    pub(crate) synced: bool,
}

impl Snapshot {
    /// Names this state; grows with every change, 0 for an index that was told nothing.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of rows, those without a node among them.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.names.len()
    }

    /// The number of nodes.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.row_by_name.len()
    }

    /// The resources' names by column.
    #[must_use]
    pub fn resources(&self) -> &[Arc<str>] {
        &self.resources
    }

    /// How many of the first columns belong to the objective.
    #[must_use]
    pub fn objective_resources(&self) -> usize {
        self.objective
    }

    /// What the nodes offer, rows x resources; 0 on a row without a node.
    #[must_use]
    pub fn allocatable(&self) -> &[f64] {
        &self.allocatable
    }

    /// What the pods on the nodes ask for, bound and assumed ones, rows x resources; 0 on a row without a node.
    #[must_use]
    pub fn requested(&self) -> &[f64] {
        &self.requested
    }

    /// The median of what the nodes will use over the forecasts' horizon, with the pods that came since, rows x
    /// resources; what their pods are expected to use where nothing is forecast. Empty without any forecast or estimate.
    #[must_use]
    pub fn used_p50(&self) -> &[f64] {
        &self.used_p50
    }

    /// The largest 0.9 quantile of the same; 0 where nothing is forecast. As long as the median's.
    #[must_use]
    pub fn used_p90(&self) -> &[f64] {
        &self.used_p90
    }

    /// What the pods ask for that the plan has on the nodes and that are neither bound nor assumed, rows x resources.
    /// Empty while there is no plan.
    #[must_use]
    pub fn planned(&self) -> &[f64] {
        &self.planned
    }

    /// What a pod is expected to use, one number a resource; empty: as much as it asks for.
    #[must_use]
    pub fn estimate(&self, pod: &PodRow) -> Vec<f64> {
        if !self.estimator.is_active() {
            return Vec::new();
        }
        self.estimator.estimate(&pod.request, &pod.origin, &self.resources, self.objective)
    }

    /// The row on which [`planned`](Self::planned) counts the pod; none if it does not.
    #[must_use]
    pub fn planned_row(&self, uid: &str) -> Option<u32> {
        self.row(self.unplaced.get(uid)?.planned.as_ref()?)
    }

    /// The objective's base weights, rows x resources: 1 where a node offers a resource of the objective, else 0.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The node's row.
    #[must_use]
    pub fn row(&self, node: &str) -> Option<u32> {
        self.row_by_name.get(node)
    }

    /// The row's node.
    #[must_use]
    pub fn name(&self, row: u32) -> Option<&Arc<str>> {
        self.names.get(row as usize)?.as_ref()
    }

    /// The nodes' names by row; `None`: a row without a node.
    #[must_use]
    pub fn names(&self) -> &[Option<Arc<str>>] {
        &self.names
    }

    /// The domain classes by ascending id.
    #[must_use]
    pub fn classes(&self) -> &[Arc<DomainClass>] {
        &self.classes
    }

    /// The domain class with this id, unless it had to make room for others.
    #[must_use]
    pub fn class(&self, id: u32) -> Option<&Arc<DomainClass>> {
        let position = self.classes.binary_search_by_key(&id, |class| class.id).ok()?;
        self.classes.get(position)
    }

    /// The rows whose numbers changed after `generation`, ascending. `None`: a delta can not tell the difference,
    /// because rows or resources were added, classes were dropped, or the generation is none of the past.
    #[must_use]
    pub fn changed_since(&self, generation: u64) -> Option<Vec<u32>> {
        if generation < self.shaped || generation > self.generation {
            return None;
        }
        let rows = self.changed.iter().zip(0..);
        Some(rows.filter(|(changed, _)| **changed > generation).map(|(_, row)| row).collect())
    }

    /// Whether forecasts, of nodes or of workloads, changed after `generation`.
    #[must_use]
    pub fn has_forecasts_since(&self, generation: u64) -> bool {
        self.foreseen > generation
    }

    /// Whether the nodes bear the same labels and taints, row by row. Nodes that no event concerned cost nothing.
    #[must_use]
    pub fn has_same_marks(&self, other: &Self) -> bool {
        let is_same = |pair: (&Option<Arc<NodeRow>>, &Option<Arc<NodeRow>>)| match pair {
            (Some(one), Some(other)) => {
                Arc::ptr_eq(one, other) || (one.labels == other.labels && one.taints == other.taints)
            }
            (one, other) => one.is_none() && other.is_none(),
        };
        let same_length = self.nodes.len() == other.nodes.len();
        Arc::ptr_eq(&self.nodes, &other.nodes) || same_length && self.nodes.iter().zip(&*other.nodes).all(is_same)
    }

    /// The classes that are new or changed after `generation`.
    pub fn classes_changed_since(&self, generation: u64) -> impl Iterator<Item = &Arc<DomainClass>> {
        self.classes.iter().filter(move |class| class.changed > generation)
    }

    /// A pod that waits for a node. `None` also when its class had to make room: read the pod anew then.
    #[must_use]
    pub fn pod(&self, uid: &str) -> Option<&Arc<PodRow>> {
        let waiting = self.unplaced.get(uid)?;
        self.class(waiting.pod.class)?;
        Some(&waiting.pod)
    }

    /// Where a pod is that the watch has shown on no node; `None`: it is bound, or there is none.
    #[must_use]
    pub fn unbound(&self, uid: &str) -> Option<Whereabouts<'_>> {
        let assumed = self.unplaced.get(uid)?.assumed.as_ref();
        Some(assumed.map_or(Whereabouts::Waiting, |assumed| Whereabouts::Assumed(&assumed.node)))
    }

    /// The node that our own answer assumed for the pod.
    #[must_use]
    pub fn assumed_node(&self, uid: &str) -> Option<&Arc<str>> {
        Some(&self.unplaced.get(uid)?.assumed.as_ref()?.node)
    }

    /// The pods that wait for a node and have none assumed, in no order.
    pub fn pending(&self) -> impl Iterator<Item = &Arc<PodRow>> {
        let waiting = self.unplaced.iter().filter(|waiting| waiting.listed && waiting.assumed.is_none());
        waiting.map(|waiting| &waiting.pod)
    }

    /// How many pods count on a node by our own answer only.
    #[must_use]
    pub fn assumed(&self) -> usize {
        self.assumed
    }

    /// How many pods the watch has shown on a node, whether or not it has shown the node.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// Whether the first complete lists of nodes and pods are in.
    #[must_use]
    pub fn has_synced(&self) -> bool {
        self.synced
    }
}
