//! The cluster as it was lent once, owned.

use serde::{Deserialize, Serialize};

use super::numbers::Numbers;
use crate::source::{Full, SnapshotSource};
use crate::types::DomainClass;

/// The columns of one generation, with what the rows and resources are called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedColumns {
    generation: u64,
    /// The nodes' names by row; none: a row without a node.
    pub nodes: Vec<Option<String>>,
    /// The resources' names by column.
    pub resources: Vec<String>,
    allocatable: Numbers,
    requested: Numbers,
    used_p50: Numbers,
    used_p90: Numbers,
    planned: Numbers,
    weights: Numbers,
    classes: Vec<Class>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Class {
    id: u32,
    possible: Vec<u64>,
    permitted: Vec<u64>,
    preference: Numbers,
}

impl RecordedColumns {
    /// A copy of what `source` lends.
    #[must_use]
    pub fn of(source: &dyn SnapshotSource, nodes: Vec<Option<String>>, resources: Vec<String>) -> Self {
        let full = source.full();
        let class = |class: &DomainClass<'_>| Class {
            id: class.id,
            possible: class.possible.to_vec(),
            permitted: class.permitted.to_vec(),
            preference: class.preference.into(),
        };
        Self {
            generation: source.generation(),
            nodes,
            resources,
            allocatable: full.allocatable.into(),
            requested: full.requested.into(),
            used_p50: full.used_p50.into(),
            used_p90: full.used_p90.into(),
            planned: full.planned.into(),
            weights: full.weights.into(),
            classes: full.classes.iter().map(class).collect(),
        }
    }
}

impl SnapshotSource for RecordedColumns {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn rows(&self) -> usize {
        self.nodes.len()
    }

    fn full(&self) -> Full<'_> {
        Full {
            rows: self.nodes.len() as u32,
            resources: self.resources.len() as u32,
            allocatable: &self.allocatable,
            requested: &self.requested,
            used_p50: &self.used_p50,
            used_p90: &self.used_p90,
            planned: &self.planned,
            weights: &self.weights,
            classes: self.classes.iter().map(Class::lend).collect(),
        }
    }
}

impl Class {
    fn lend(&self) -> DomainClass<'_> {
        DomainClass { id: self.id, possible: &self.possible, permitted: &self.permitted, preference: &self.preference }
    }
}
