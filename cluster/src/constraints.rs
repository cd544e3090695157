//! What decides where a pod may run: the key that pods of a class share.
//!
//! Two pods with equal constraints go to the same nodes as far as node selector, node affinity, taints, host ports and
//! the admin's dictionary are concerned. Everything is kept in canonical order, so equality of meaning is, for what
//! people write, equality of keys.

use k8s_openapi::api::core::v1::Pod;

use crate::affinity::NodeAffinity;
use crate::dictionary::{Dictionary, Rulings};
use crate::node::NodeRow;
use crate::pod::scheduler_name;
use crate::ports::{HostPort, host_ports};
use crate::selector::Labels;
use crate::taint::{Toleration, admits, read_tolerations, reluctance};

/// What one untolerated `PreferNoSchedule` taint weighs against matching all preferred affinity terms: the ratio of the
/// default weights of kube-scheduler's plugins `TaintToleration` (3) and `NodeAffinity` (2).
const TAINT_AGAINST_AFFINITY: f64 = 1.5;

/// A pod's constraints, in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Constraints {
    affinity: NodeAffinity,
    tolerations: Vec<Toleration>,
    ports: Box<[HostPort]>,
    rulings: Rulings,
}

/// A node as constraints see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) node: &'a NodeRow,
    /// The host ports that pods on the node take.
    pub(crate) taken: &'a [HostPort],
}

/// What a class says of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) possible: bool,
    pub(crate) permitted: bool,
    pub(crate) preference: f64,
}

impl Standing {
    /// Of a row without a node: closed, and nobody's wish.
    pub(crate) const NO_NODE: Self = Self { possible: false, permitted: false, preference: 1.0 };
}

impl Constraints {
    pub(crate) fn of(pod: &Pod, dictionary: &Dictionary) -> Self {
        let no_labels = Labels::new();
        let labels = pod.metadata.labels.as_ref().unwrap_or(&no_labels);
        let rulings = dictionary.rulings(scheduler_name(pod), labels);
        let Some(spec) = &pod.spec else { return Self { rulings, ..Self::default() } };
        Self {
            affinity: NodeAffinity::of(spec),
            tolerations: read_tolerations(spec.tolerations.as_ref()),
            ports: host_ports(spec),
            rulings,
        }
    }

    /// The same under other rulings.
    pub(crate) fn under(&self, rulings: Rulings) -> Self {
        Self { rulings, ..self.clone() }
    }

    pub(crate) fn judge(&self, site: Option<Site<'_>>, dictionary: &Dictionary) -> Standing {
        let Some(Site { node, taken }) = site else { return Standing::NO_NODE };
        Standing {
            possible: admits(&node.taints, &self.tolerations) && self.affinity.matches(node) && self.fits_ports(taken),
            permitted: dictionary.permits(&self.rulings, &node.labels),
            preference: self.preference(node),
        }
    }

    /// Whether what is taken on a node matters to these pods.
    pub(crate) fn has_ports(&self) -> bool {
        !self.ports.is_empty()
    }

    /// Whether the pods prefer some nodes by affinity.
    pub(crate) fn has_preferences(&self) -> bool {
        self.affinity.has_preferences()
    }

    fn fits_ports(&self, taken: &[HostPort]) -> bool {
        !self.ports.iter().any(|port| taken.iter().any(|other| port.conflicts_with(other)))
    }

    /// The share of preferred terms that the node matches, lowered by taints that would rather not have the pod: by
    /// half of [`TAINT_AGAINST_AFFINITY`] for one, by two thirds of it for two, and so on. 0 to 1.
    fn preference(&self, node: &NodeRow) -> f64 {
        let reluctant = reluctance(&node.taints, &self.tolerations) as f64;
        let lowered = TAINT_AGAINST_AFFINITY * reluctant / (1.0 + reluctant);
        (self.affinity.preferred_share(node) - lowered).max(0.0)
    }
}
