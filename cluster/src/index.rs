//! The index: events in, snapshots out; no I/O, no lock, no clock.
//!
//! ```text
//!  apply / delete node ─► rows, labels, taints ─┐
//!  apply / delete pod  ─► tenants by node ──────┼─► columns, classes, pending pods ─► Snapshot
//!  assume / forget / expire ────────────────────┤
//!  forecasts of use, a plan ────────────────────┘
//! ```
//!
//! Laws: the state depends on what is there, not on how it came about; a row's request is the sum over the pods bound
//! to or assumed on its node; pods bound to a node that was not seen yet count when it appears; a refused object
//! changes nothing. Time is an argument.

mod assumed;
mod forecasts;
mod nodes;
mod plan;
mod pods;
mod rows;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use foldhash::HashMap;

use crate::class::ClassTable;
use crate::constraints::Site;
use crate::dictionary::Dictionary;
use crate::estimates::{EstimateSettings, Estimator};
use crate::node::NodeRow;
use crate::pod::{PodRow, Tenant};
use crate::ports::HostPort;
use crate::resources::{Resources, ResourcesError};
use crate::snapshot::Snapshot;
use crate::ties::TiesTable;
use crate::unplaced::Whereabouts;

pub use forecasts::{NodeForecast, Use, UseUnit, WorkloadForecast};

/// What an index is made with.
#[derive(Clone, Debug)]
pub struct IndexSettings {
    /// The objective's resources, and behind them labels ([`LabelColumn`](crate::LabelColumn)), which become the first
    /// columns: 1 to 32 different names. Default: cpu, memory, gantry.dev/disk-io, gantry.dev/network.
    pub resources: Vec<String>,
    /// The admin's entries. Default: none.
    pub dictionary: Dictionary,
    /// The most domain classes kept at a time, at least 1. Default 1024: at 5000 nodes up to 40 MB of preferences, and
    /// more different constraints than clusters have been seen to use at once.
    pub max_classes: usize,
    /// How use is estimated. Default none: pods are expected to use what they ask for, unless their workload's use is
    /// forecast.
    pub estimates: Option<EstimateSettings>,
}

impl Default for IndexSettings {
    fn default() -> Self {
        let resources = ["cpu", "memory", "gantry.dev/disk-io", "gantry.dev/network"];
        Self {
            resources: resources.map(str::to_owned).into(),
            dictionary: Dictionary::default(),
            max_classes: 1024,
            estimates: None,
        }
    }
}

/// The cluster as events have told it.
#[derive(Debug)]
pub struct Index {
    resources: Resources,
    dictionary: Dictionary,
    classes: ClassTable,
    /// By row; `None`: no node (any more).
    slots: Vec<Option<Slot>>,
    free_rows: BTreeSet<u32>,
    /// Pods bound to or assumed on a node, whether or not the node was seen.
    tenants_by_node: HashMap<Arc<str>, BTreeMap<Arc<str>, Tenant>>,
    node_by_bound_pod: HashMap<Arc<str>, Arc<str>>,
    forecast_by_node: HashMap<Arc<str>, NodeForecast>,
    /// The plan as it was given: the node of each pod.
    plan: HashMap<Arc<str>, Arc<str>>,
    /// The pods that count as planned, whether or not the node was seen.
    planned_by_node: HashMap<Arc<str>, BTreeMap<Arc<str>, Arc<PodRow>>>,
    ties: TiesTable,
    /// When assumptions end, and of which pods.
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    node_list: Relist,
    pod_list: Relist,
    /// The state that the next snapshot shows.
    state: Snapshot,
    latest: Option<Arc<Snapshot>>,
}

/// A node and what its pods take of its host ports.
#[derive(Debug)]
struct Slot {
    node: Arc<NodeRow>,
    taken: Vec<HostPort>,
}

impl Slot {
    fn site(slot: Option<&Self>) -> Option<Site<'_>> {
        slot.map(|slot| Site { node: &slot.node, taken: &slot.taken })
    }
}

/// A complete list in progress: what it has named so far. What it did not name is gone when it ends.
#[derive(Debug, Default)]
struct Relist {
    named: Option<HashSet<Arc<str>>>,
    once_complete: bool,
}

impl Relist {
    fn begin(&mut self) {
        self.named = Some(HashSet::new());
    }

    fn name(&mut self, key: &str) {
        if let Some(named) = &mut self.named {
            named.insert(key.into());
        }
    }

    fn finish(&mut self) -> Option<HashSet<Arc<str>>> {
        self.once_complete |= self.named.is_some();
        self.named.take()
    }
}

impl Index {
    /// An index that was told nothing yet.
    ///
    /// # Errors
    /// A list of objective resources that is empty, too long, or names one twice.
    pub fn new(settings: IndexSettings) -> Result<Self, ResourcesError> {
        let resources = Resources::new(&settings.resources)?;
        let (objective, names) = (resources.objective(), resources.names());
        let estimator = Arc::new(Estimator::new(settings.estimates));
        let state = Snapshot { objective, resources: names, estimator, ..Snapshot::default() };
        Ok(Self {
            resources,
            dictionary: settings.dictionary,
            classes: ClassTable::new(settings.max_classes),
            slots: Vec::new(),
            free_rows: BTreeSet::new(),
            tenants_by_node: HashMap::default(),
            node_by_bound_pod: HashMap::default(),
            forecast_by_node: HashMap::default(),
            plan: HashMap::default(),
            planned_by_node: HashMap::default(),
            ties: TiesTable::default(),
            deadlines: BTreeSet::new(),
            node_list: Relist::default(),
            pod_list: Relist::default(),
            state,
            latest: None,
        })
    }

    /// The state as it is now; the same snapshot as before while nothing has changed.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let state = &self.state;
        Arc::clone(self.latest.get_or_insert_with(|| Arc::new(state.clone())))
    }

    /// Where a pod is.
    #[must_use]
    pub fn whereabouts(&self, uid: &str) -> Whereabouts<'_> {
        if let Some(node) = self.node_by_bound_pod.get(uid) {
            return Whereabouts::Bound(node);
        }
        self.state.unbound(uid).unwrap_or(Whereabouts::Unknown)
    }

    /// Whether the first complete lists of nodes and pods are in. The index can be read before.
    #[must_use]
    pub fn has_synced(&self) -> bool {
        self.state.synced
    }

    /// Starts a change: the state gets a new generation, and columns may be written.
    fn change(&mut self) -> u64 {
        // Letting go of the last snapshot first spares copying columns that nobody else reads.
        self.latest = None;
        self.state.generation += 1;
        self.state.generation
    }

    fn note_lists(&mut self) {
        if !self.state.synced && self.node_list.once_complete && self.pod_list.once_complete {
            self.change();
            self.state.synced = true;
        }
    }
}

#[cfg(test)]
mod tests;
