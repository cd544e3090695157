//! Reproducible instances of pod placement, to test and measure with.
//!
//! Promises: the same arguments give the same integers on every machine, because the draws come from an own 64-bit
//! generator and the few roundings are fixed. Must not know: the solvers; an instance is data, whoever solves it.
//!
//! An instance has four hardware kinds of nodes in three sizes, tainted pools, pods of nine shapes with tolerations
//! and required hardware, and a *hidden* assignment that proves that all pods can be placed at once. Resources are
//! cpu (millicores), memory (MiB), disk (MB/s) and network (Mbit/s), in this order.
//! [`openb`] is a real cluster instead.

mod draws;
pub mod energy;
mod generator;
pub mod openb;
pub mod qos;
pub mod quotas;
pub mod tasks;

use std::sync::Arc;

use crate::domain::DomainClass;
use crate::problems::placement::{NodeColumns, Objective, Placement, PlacementError, PodColumns};

pub use generator::{GenerateError, GenerateOptions, generate};

/// How many resources an instance has: cpu, memory, disk, network.
pub const RESOURCES: usize = 4;

/// The amounts of the four resources.
pub type Amounts = [i64; RESOURCES];

/// A generated cluster with pods to place.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The seed that it came from.
    pub seed: u64,
    /// Requested share of the total capacity, per resource; may be less than was asked for.
    pub fill: f64,
    /// Capacity of each node.
    pub capacities: Vec<Amounts>,
    /// Request of each pod, at least 1 of each resource.
    pub requests: Vec<Amounts>,
    /// The pool whose taint a node has, if any: 0 to 3.
    pub taint_by_node: Vec<Option<u8>>,
    /// Hardware kind of each node: 0 general, 1 compute, 2 memory, 3 io.
    pub hardware_by_node: Vec<u8>,
    /// Zone of each node: 0 to 2.
    pub zone_by_node: Vec<u8>,
    /// Bit `t` set: the pod tolerates taint `t`.
    pub tolerations_by_pod: Vec<u8>,
    /// The hardware kind that a pod requires, if any.
    pub affinity_by_pod: Vec<Option<u8>>,
    /// Which of `allowed_by_class` holds for each pod.
    pub class_by_pod: Vec<u32>,
    /// Rows where the pods of a class may run, ascending: taints tolerated, hardware as required, and the request
    /// fits the empty node.
    pub allowed_by_class: Vec<Vec<u32>>,
    /// An assignment in which every pod has an allowed row and no node is over-full.
    pub hidden: Vec<u32>,
}

impl Instance {
    /// The rows where a pod may run, ascending.
    #[must_use]
    pub fn allowed(&self, pod: usize) -> &[u32] {
        &self.allowed_by_class[self.class_by_pod[pod] as usize]
    }

    /// The capacities as columns: row-major, one number a node and resource.
    #[must_use]
    pub fn capacity_columns(&self) -> Vec<f64> {
        columns(&self.capacities)
    }

    /// The requests as columns: row-major, one number a pod and resource.
    #[must_use]
    pub fn request_columns(&self) -> Vec<f64> {
        columns(&self.requests)
    }

    /// The instance as a problem: nothing is taken yet, all weights are 1.
    ///
    /// # Errors
    /// [`PlacementError`] for an instance that was changed so that its parts no longer fit together.
    pub fn placement(&self, objective: Objective) -> Result<Placement, PlacementError> {
        let rows = self.capacities.len() as u32;
        let class = |rows_of_class: &Vec<u32>| DomainClass::from_values(rows, rows_of_class).map(Arc::new);
        let classes = self.allowed_by_class.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        let weights = vec![1.0; self.capacities.len() * RESOURCES];
        let allocatable = self.capacity_columns();
        let nodes = NodeColumns { resources: RESOURCES, allocatable: &allocatable, requested: &[], weights: &weights };
        let pods = PodColumns { requests: &self.request_columns(), class_by_pod: &self.class_by_pod };
        Placement::new(&nodes, &pods, &classes, objective)
    }

    /// Whether an assignment keeps to the allowed rows and over-fills no node.
    #[must_use]
    pub fn is_feasible(&self, rows: &[u32]) -> bool {
        let mut used = vec![[0_i64; RESOURCES]; self.capacities.len()];
        for (pod, &row) in rows.iter().enumerate() {
            if self.allowed(pod).binary_search(&row).is_err() {
                return false;
            }
            add(&mut used[row as usize], &self.requests[pod]);
        }
        rows.len() == self.requests.len()
            && used.iter().zip(&self.capacities).all(|(used, capacity)| fits(used, capacity))
    }
}

/// Adds amounts in place.
fn add(to: &mut Amounts, amounts: &Amounts) {
    to.iter_mut().zip(amounts).for_each(|(to, amount)| *to += amount);
}

/// Whether no amount exceeds its capacity.
fn fits(amounts: &Amounts, capacity: &Amounts) -> bool {
    amounts.iter().zip(capacity).all(|(amount, capacity)| amount <= capacity)
}

fn columns(rows: &[Amounts]) -> Vec<f64> {
    rows.iter().flatten().map(|&amount| amount as f64).collect()
}
