//! What ties a pod to other pods: its labels, and whom it wants near or far.
//!
//! Follows kube-scheduler's plugins `InterPodAffinity` and `PodTopologySpread`. Everything is kept in canonical order, so
//! that the pods of one controller share one value, which is held once ([`TiesTable`]). What can not be expressed as a
//! rule between pods is noted as such, never guessed.

mod read;
mod table;

use crate::affinity::NodeAffinity;
use crate::node::NodeRow;
use crate::selector::{Labels, Selector};
use crate::taint::{Toleration, admits};

pub use read::foreign_demand;
pub(crate) use table::TiesTable;

/// A pod as other pods see it, and what it demands of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ties {
    pub(crate) namespace: String,
    pub(crate) labels: Labels,
    /// Required anti-affinity: no pod that a term selects may be near.
    pub(crate) apart: Vec<Term>,
    /// Required affinity: pods that all terms select must be near. Only of pods that wait.
    pub(crate) beside: Vec<Term>,
    /// Preferred anti-affinity with its weights, 1 to 100. Only of pods that wait.
    pub(crate) rather_apart: Vec<(u32, Term)>,
    /// Topology spread. Only of pods that wait.
    pub(crate) spread: Vec<Spread>,
    /// Whether the pod has demands that no rule between pods expresses.
    pub(crate) unplannable: bool,
}

/// Pods near each other: on nodes with the same value of a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Term {
    /// The label.
    pub(crate) topology: String,
    /// The pods meant; `None`: no pod at all.
    selector: Option<Selector>,
    namespaces: Namespaces,
}

/// The namespaces whose pods a term means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Namespaces {
    All,
    /// Sorted.
    Listed(Vec<String>),
}

/// Pods spread evenly over the values of a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spread {
    pub(crate) topology: String,
    /// The most by which a value may exceed the one with the fewest, at least 1.
    pub(crate) skew: u32,
    /// Whether a pod rather waits than breaks it.
    pub(crate) hard: bool,
    /// With fewer values than this the fewest counts as 0.
    pub(crate) min_domains: u32,
    pub(crate) reach: Reach,
    /// The pods that count; `None`: no pod at all.
    selector: Option<Selector>,
    namespace: String,
}

/// The nodes that take part in a spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Reach {
    /// The labels that a node must have.
    keys: Vec<String>,
    /// The pod's node affinity, where it is honoured.
    affinity: Option<NodeAffinity>,
    /// The pod's tolerations, where taints are honoured.
    tolerations: Option<Vec<Toleration>>,
}

impl Term {
    /// Whether the term means these pods.
    pub(crate) fn selects(&self, other: &Ties) -> bool {
        let inside = match &self.namespaces {
            Namespaces::All => true,
            Namespaces::Listed(names) => names.binary_search(&other.namespace).is_ok(),
        };
        inside && self.selector.as_ref().is_some_and(|selector| selector.matches(&other.labels))
    }
}

impl Spread {
    /// Whether these pods count.
    pub(crate) fn selects(&self, other: &Ties) -> bool {
        self.namespace == other.namespace
            && self.selector.as_ref().is_some_and(|selector| selector.matches(&other.labels))
    }
}

impl Reach {
    /// Whether a node takes part.
    pub(crate) fn includes(&self, node: &NodeRow) -> bool {
        self.keys.iter().all(|key| node.labels.contains_key(key))
            && self.affinity.as_ref().is_none_or(|affinity| affinity.matches(node))
            && self.tolerations.as_ref().is_none_or(|tolerations| admits(&node.taints, tolerations))
    }
}

impl Ties {
    /// Those of a pod that waits for a node.
    pub(crate) fn of_pending(pod: &k8s_openapi::api::core::v1::Pod) -> Self {
        read::pending(pod)
    }

    /// Those of a pod that has a node: what it demanded of the others counts no longer, but whom it keeps away.
    pub(crate) fn of_bound(pod: &k8s_openapi::api::core::v1::Pod) -> Self {
        read::bound(pod)
    }
}
