//! The values of labels, as numbers by row.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::node::NodeRow;
use crate::ties::Reach;

/// The row has no value, and counts for nothing.
pub(super) const NO_VALUE: u32 = u32::MAX;

/// The value of the rows without the label, where they have to be told from the others.
pub(super) const WITHOUT: u32 = u32::MAX - 1;

/// Which rows have which values.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind<'a> {
    /// Rows without the label have none.
    Plain(&'a str),
    /// Rows without the label have [`WITHOUT`].
    Strict(&'a str),
    /// Only rows that take part have one.
    Within(&'a str, &'a Reach),
    /// Every row is a value of its own: its number.
    Rows,
}

/// The topologies that rules go by.
pub(super) struct Topologies<'a> {
    nodes: &'a [Option<Arc<NodeRow>>],
    index_by_kind: HashMap<Kind<'a>, u32>,
    pub(super) columns: Vec<Vec<u32>>,
}

impl<'a> Topologies<'a> {
    pub(super) fn new(nodes: &'a [Option<Arc<NodeRow>>]) -> Self {
        Self { nodes, index_by_kind: HashMap::new(), columns: Vec::new() }
    }

    pub(super) fn plain(&mut self, label: &'a str) -> u32 {
        self.index(Kind::Plain(label))
    }

    pub(super) fn strict(&mut self, label: &'a str) -> u32 {
        self.index(Kind::Strict(label))
    }

    pub(super) fn within(&mut self, label: &'a str, reach: &'a Reach) -> u32 {
        self.index(Kind::Within(label, reach))
    }

    pub(super) fn rows(&mut self) -> u32 {
        self.index(Kind::Rows)
    }

    /// The values that some row has, each with 0, [`NO_VALUE`] left out.
    pub(super) fn zeros(&self, topology: u32) -> BTreeMap<u32, u32> {
        let values = self.columns[topology as usize].iter().filter(|value| **value != NO_VALUE);
        values.map(|value| (*value, 0)).collect()
    }

    fn index(&mut self, kind: Kind<'a>) -> u32 {
        if let Some(index) = self.index_by_kind.get(&kind) {
            return *index;
        }
        let column = column(self.nodes, &kind);
        self.columns.push(column);
        let index = self.columns.len() as u32 - 1;
        self.index_by_kind.insert(kind, index);
        index
    }
}

/// Values are numbered in the order of the rows, so that every kind gives a label's values the same numbers.
fn column<'a>(nodes: &'a [Option<Arc<NodeRow>>], kind: &Kind<'_>) -> Vec<u32> {
    let (Kind::Plain(label) | Kind::Strict(label) | Kind::Within(label, _)) = *kind else {
        return (0..).zip(nodes).map(|(row, node)| if node.is_some() { row } else { NO_VALUE }).collect();
    };
    let mut number_by_value: HashMap<&'a str, u32> = HashMap::new();
    let mut value = |node: &'a NodeRow| {
        let Some(value) = node.labels.get(label) else {
            return if matches!(kind, Kind::Strict(_)) { WITHOUT } else { NO_VALUE };
        };
        let next = number_by_value.len() as u32;
        let number = *number_by_value.entry(value).or_insert(next);
        if matches!(kind, Kind::Within(_, reach) if !reach.includes(node)) { NO_VALUE } else { number }
    };
    nodes.iter().map(|node| node.as_deref().map_or(NO_VALUE, &mut value)).collect()
}
