//! What the index keeps of a Node: name, labels, taints and what it offers.
//!
//! Everything else (images, conditions, managed fields) is dropped here. Two nodes that read equal are equal for us,
//! so a heartbeat is no change.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Taint as ApiTaint};

use crate::error::{FieldError, ObjectError};
use crate::resources::{Amounts, Resources, read_amounts};
use crate::selector::Labels;
use crate::taint::Taint;

/// A node in numbers and in what selects it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeRow {
    pub(crate) name: Arc<str>,
    pub(crate) labels: Labels,
    /// Taints, with one more for an unschedulable node.
    pub(crate) taints: Vec<Taint>,
    /// By column, labels that are columns among them; columns that came later are missing and count 0.
    pub(crate) allocatable: Box<[f64]>,
}

impl Default for NodeRow {
    fn default() -> Self {
        Self { name: "".into(), labels: Labels::new(), taints: Vec::new(), allocatable: Box::default() }
    }
}

impl NodeRow {
    pub(crate) fn read(node: &Node, resources: &mut Resources) -> Result<Self, ObjectError> {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let refused = |error: FieldError| error.of(format!("node {name}"));
        if name.is_empty() {
            return Err(refused(FieldError::missing("metadata.name")));
        }
        let amounts = allocatable(node).map_err(refused)?;
        let labels = node.metadata.labels.clone().unwrap_or_default();
        let allocatable = resources.offer(&amounts, &labels);
        Ok(Self { name: name.into(), labels, taints: taints(node), allocatable })
    }
}

/// `status.allocatable`, or `status.capacity` where a node does not tell.
fn allocatable(node: &Node) -> Result<Amounts<'_>, FieldError> {
    let Some(status) = &node.status else { return Ok(Amounts::new()) };
    match &status.allocatable {
        Some(list) => read_amounts(Some(list), || "status.allocatable".to_owned()),
        None => read_amounts(status.capacity.as_ref(), || "status.capacity".to_owned()),
    }
}

fn taints(node: &Node) -> Vec<Taint> {
    let Some(spec) = &node.spec else { return Vec::new() };
    let given = |taints: &Vec<ApiTaint>| taints.iter().filter_map(Taint::read).collect::<Vec<_>>();
    let mut taints = spec.taints.as_ref().map(given).unwrap_or_default();
    if spec.unschedulable == Some(true) {
        taints.push(Taint::unschedulable());
    }
    taints
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::taint::admits;

    fn read(node: Value) -> Result<NodeRow, ObjectError> {
        let mut resources = Resources::new(&["cpu".into(), "memory".into()]).unwrap();
        NodeRow::read(&serde_json::from_value(node).unwrap(), &mut resources)
    }

    #[test]
    fn a_node_offers_what_is_allocatable_or_else_its_capacity() {
        let status = json!({"capacity": {"cpu": "4"}, "allocatable": {"cpu": "3500m", "pods": "110"}});
        let both = json!({"metadata": {"name": "a"}, "status": status});
        assert_eq!(*read(both).unwrap().allocatable, [3500.0, 0.0, 110.0, 0.0]);
        let capacity = json!({"metadata": {"name": "a"}, "status": {"capacity": {"cpu": "4"}}});
        assert_eq!(read(capacity).unwrap().allocatable[0], 4000.0);
    }

    #[test]
    fn an_unschedulable_node_admits_nobody_without_the_toleration() {
        let node = read(json!({"metadata": {"name": "a"}, "spec": {"unschedulable": true}})).unwrap();
        assert!(!admits(&node.taints, &[]));
    }

    #[test]
    fn a_node_without_a_name_or_with_a_bad_amount_is_refused_by_field() {
        assert_eq!(read(json!({"metadata": {}})).unwrap_err().to_string(), "node : metadata.name: missing");
        let bad = read(json!({"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "-1"}}})).unwrap_err();
        assert_eq!(bad.to_string(), "node a: status.allocatable[cpu]: quantity \"-1\" is negative");
        assert_eq!(bad.reason(), "bad-quantity");
    }
}
