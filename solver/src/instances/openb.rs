//! The openb trace, a production cluster with GPUs, as a placement instance.
//!
//! Promises: every line of the two tables is read or refused by line and column; a batch is the pods in order of
//! arrival up to a share of all GPUs. Must not know: files; the tables come as text. Ignored on purpose: that a pod wants whole
//! GPUs or parts of one and the same GPU, so a node is as good as the sum of its GPUs.
//!
//! Resources are cpu (thousandths of a core), memory (MiB) and gpu (thousandths of a GPU), in this order. Two tables
//! come with this crate, all nodes and the default list of pods (up to 60 % of the GPUs it has 5,034 pods, its sibling
//! with more GPU models, `gpuspec33`, 5,032; Weng et al., "Beware of Fragmentation", USENIX ATC 2023; see `data/openb/ORIGIN`).

mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::DomainClass;
use crate::problems::placement::{NodeColumns, Objective, Placement, PlacementError, PodColumns};
use table::{Row, rows};

/// How many resources there are: cpu, memory, gpu.
pub const RESOURCES: usize = 3;

/// The amounts of the three resources.
pub type Amounts = [u64; RESOURCES];

/// A whole GPU in thousandths.
const WHOLE_GPU: u64 = 1_000;

const NODES: &str = include_str!("../../data/openb/openb_node_list_all_node.csv");
const PODS: &str = include_str!("../../data/openb/openb_pod_list_default.csv");

/// The node and pod tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The nodes, as listed.
    pub nodes: Vec<Node>,
    /// The pods, by time of creation, as listed among equals.
    pub pods: Vec<Pod>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it offers.
    pub capacity: Amounts,
    /// The kind of its GPUs; empty without any.
    pub model: String,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// What it requests.
    pub request: Amounts,
    /// The kinds of GPU that it can run on; empty if any will do.
    pub models: Vec<String>,
    /// Seconds from the start of the trace.
    pub creation: u64,
}

/// Why a trace or an instance of it could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenbError {
    /// The first line does not name a column that is needed.
    #[error("the {table} table has no column {column}")]
    Column {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A line has too few fields.
    #[error("line {line} of the {table} table has no {column}")]
    Missing {
        /// The table.
        table: &'static str,
        /// The line, from 1.
        line: usize,
        /// The column.
        column: &'static str,
    },
    /// A field is not a whole number below 2^32.
    #[error("line {line} of the {table} table has {text:?} as {column}, a whole number below 2^32 is needed")]
    Number {
        /// The table.
        table: &'static str,
        /// The line, from 1.
        line: usize,
        /// The column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// The numbers make no problem.
    #[error("the trace makes no placement problem")]
    Placement(#[from] PlacementError),
}

impl Trace {
    /// The trace that comes with this crate: 1523 nodes and 8152 pods, none of which asks for a kind of GPU.
    ///
    /// # Errors
    /// None, as long as the tables are what they were.
    pub fn shipped() -> Result<Self, OpenbError> {
        Self::parse(NODES, PODS)
    }

    /// A trace from the text of a node table and of a pod table, with the columns named in the first line, in any
    /// order. Fields are separated by commas and not quoted.
    ///
    /// # Errors
    /// [`OpenbError`] naming the table, line and column at fault.
    pub fn parse(nodes: &str, pods: &str) -> Result<Self, OpenbError> {
        let nodes = rows("node", nodes, ["cpu_milli", "memory_mib", "gpu", "model"])?;
        let columns = ["cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "creation_time"];
        let pods = rows("pod", pods, columns)?;
        let mut trace = Self {
            nodes: nodes.iter().map(Node::read).collect::<Result<_, _>>()?,
            pods: pods.iter().map(Pod::read).collect::<Result<_, _>>()?,
        };
        trace.pods.sort_by_key(|pod| pod.creation);
        Ok(trace)
    }

    /// The first pods to arrive that together request `share` of all GPUs: as many as it takes to get there, or all.
    #[must_use]
    pub fn batch(&self, share: f64) -> &[Pod] {
        let offered: u64 = self.nodes.iter().map(|node| node.capacity[2]).sum();
        let mut requested = 0;
        let enough = |pod: &Pod| {
            let enough = requested as f64 >= share * offered as f64;
            requested += pod.request[2];
            enough
        };
        let count = self.pods.iter().position(enough).unwrap_or(self.pods.len());
        &self.pods[..count]
    }

    /// Pods on all nodes of the trace as a problem: nothing is taken yet, and every resource that a node has weighs 1.
    ///
    /// # Errors
    /// [`OpenbError::Placement`] for nodes that were changed so that they offer too much to count.
    pub fn placement(&self, pods: &[Pod], objective: Objective) -> Result<Placement, OpenbError> {
        let allocatable: Vec<f64> =
            self.nodes.iter().flat_map(|node| node.capacity).map(|amount| amount as f64).collect();
        let weights: Vec<f64> = allocatable.iter().map(|&amount| if amount > 0.0 { 1.0 } else { 0.0 }).collect();
        let requests: Vec<f64> = pods.iter().flat_map(|pod| pod.request).map(|amount| amount as f64).collect();
        let (classes, class_by_pod) = self.classes(pods);
        let nodes = NodeColumns { resources: RESOURCES, allocatable: &allocatable, requested: &[], weights: &weights };
        let pods = PodColumns { requests: &requests, class_by_pod: &class_by_pod };
        Ok(Placement::new(&nodes, &pods, &classes, objective)?)
    }

    /// A class for each kind of request: the nodes on which it would fit alone and finds a GPU that will do.
    fn classes(&self, pods: &[Pod]) -> (Vec<Arc<DomainClass>>, Vec<u32>) {
        let anywhere = DomainClass::all(self.nodes.len() as u32);
        let mut class_by_kind = BTreeMap::new();
        let mut classes = Vec::new();
        let class_by_pod = pods.iter().map(|pod| {
            *class_by_kind.entry((pod.request, &pod.models)).or_insert_with(|| {
                classes.push(Arc::new(anywhere.retain(|row| pod.suits(&self.nodes[row as usize]))));
                classes.len() as u32 - 1
            })
        });
        let class_by_pod = class_by_pod.collect();
        (classes, class_by_pod)
    }
}

impl Node {
    fn read(row: &Row<'_, 4>) -> Result<Self, OpenbError> {
        let capacity = [row.number(0)?, row.number(1)?, WHOLE_GPU * row.number(2)?];
        Ok(Self { capacity, model: row.text(3).to_owned() })
    }
}

impl Pod {
    fn read(row: &Row<'_, 6>) -> Result<Self, OpenbError> {
        let request = [row.number(0)?, row.number(1)?, row.number(2)? * row.number(3)?];
        let models = row.text(4).split('|').filter(|model| !model.is_empty()).map(str::to_owned).collect();
        Ok(Self { request, models, creation: row.number(5)? })
    }

    fn suits(&self, node: &Node) -> bool {
        self.request.iter().zip(&node.capacity).all(|(amount, capacity)| amount <= capacity)
            && (self.models.is_empty() || self.models.contains(&node.model))
    }
}

#[cfg(test)]
mod tests;
