//! How loaded each node is, and how even that is.
//!
//! The load of a resource on a node is what its pods ask for, as a share of what the node offers; a node's load is the
//! mean of those that count. σ is the population standard deviation over the nodes. All in percentage points.

use std::sync::Arc;

use gantry_cluster::Snapshot;

/// The load of every node that counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Loads {
    pub(super) resources: Vec<Arc<str>>,
    pub(super) nodes: Vec<NodeLoad>,
}

/// The load of one node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NodeLoad {
    pub(super) node: Arc<str>,
    /// Mean of its resources that count.
    pub(super) mean: f64,
    /// One entry a resource; none where the node has none of it.
    pub(super) by_resource: Vec<Option<f64>>,
}

impl Loads {
    /// The loads of a snapshot.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let count = snapshot.objective_resources();
        let rows = (0..snapshot.rows() as u32).filter_map(|row| node_load(snapshot, row, count));
        Self { resources: snapshot.resources()[..count].to_vec(), nodes: rows.collect() }
    }

    /// σ of the nodes' load.
    pub(super) fn sigma(&self) -> f64 {
        deviation(self.nodes.iter().map(|node| node.mean))
    }

    /// σ of each resource alone, over the nodes that have it.
    pub(super) fn sigma_by_resource(&self) -> Vec<f64> {
        let column = |column: usize| self.nodes.iter().filter_map(move |node| node.by_resource[column]);
        (0..self.resources.len()).map(|resource| deviation(column(resource))).collect()
    }

    /// The most loaded node; the first of several.
    pub(super) fn hottest(&self) -> Option<&NodeLoad> {
        self.nodes.iter().reduce(|hottest, node| if node.mean > hottest.mean { node } else { hottest })
    }
}

fn node_load(snapshot: &Snapshot, row: u32, count: usize) -> Option<NodeLoad> {
    let node = Arc::clone(snapshot.name(row)?);
    let first = row as usize * snapshot.resources().len();
    let load = |column: usize| {
        let cell = first + column;
        let counts = snapshot.weights()[cell] > 0.0;
        counts.then(|| 100.0 * snapshot.requested()[cell] / snapshot.allocatable()[cell])
    };
    let by_resource: Vec<Option<f64>> = (0..count).map(load).collect();
    let counted: Vec<f64> = by_resource.iter().flatten().copied().collect();
    let mean = counted.iter().sum::<f64>() / counted.len() as f64;
    (!counted.is_empty()).then_some(NodeLoad { node, mean, by_resource })
}

fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use gantry_cluster::{Index, IndexSettings};
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, allocatable: &Value) -> k8s_openapi::api::core::v1::Node {
        serde_json::from_value(json!({"metadata": {"name": name}, "status": {"allocatable": allocatable}})).unwrap()
    }

    fn pod(name: &str, node: &str, cpu: &str) -> k8s_openapi::api::core::v1::Pod {
        let containers = json!([{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}]);
        let spec = json!({"nodeName": node, "containers": containers});
        serde_json::from_value(json!({"metadata": {"name": name, "uid": name}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_node_is_as_loaded_as_the_mean_of_the_resources_that_it_has() {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        index.apply_node(&node("a", &json!({"cpu": "4", "memory": "4Gi"}))).unwrap();
        index.apply_node(&node("b", &json!({"cpu": "4"}))).unwrap();
        index.apply_pod(&pod("p", "a", "2")).unwrap();
        let loads = Loads::of(&index.snapshot());
        assert_eq!(loads.nodes[0].by_resource, [Some(50.0), Some(25.0), None, None]);
        assert_eq!((loads.nodes[0].mean, loads.nodes[1].mean), (37.5, 0.0));
        // Of 37.5 and 0 the deviation is half the difference; memory is on one node only.
        assert_eq!(loads.sigma(), 18.75);
        assert_eq!(loads.sigma_by_resource(), [25.0, 0.0, 0.0, 0.0]);
        assert_eq!(&*loads.hottest().unwrap().node, "a");
    }

    #[test]
    fn no_nodes_are_perfectly_even() {
        let loads = Loads::of(&Index::new(IndexSettings::default()).unwrap().snapshot());
        assert_eq!((loads.sigma(), loads.hottest()), (0.0, None));
    }
}
