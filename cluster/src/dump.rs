//! Reads what `kubectl get nodes,pods -A -o json` printed.
//!
//! The dump is taken as the whole truth: nodes and pods that it does not name are gone, and the index has synced.

use k8s_openapi::api::core::v1::{Node, Pod};
use serde::Deserialize;
use thiserror::Error;

use crate::error::ObjectError;
use crate::index::Index;

/// Why a dump was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DumpError {
    /// No list of Kubernetes objects in JSON.
    #[error("not a list as printed by kubectl get nodes,pods -A -o json")]
    Syntax(#[from] serde_json::Error),
    /// A node or pod that can not be turned into numbers.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// What a dump held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nodes taken in.
    pub nodes: usize,
    /// Pods taken in, those that are over among them.
    pub pods: usize,
    /// Objects of other kinds.
    pub ignored: usize,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Item {
    Node(Box<Node>),
    Pod(Box<Pod>),
    #[serde(other)]
    Other,
}

/// The objects of a dump, in its order.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Its nodes.
    pub nodes: Vec<Node>,
    /// Its pods, those that are over among them.
    pub pods: Vec<Pod>,
    /// Objects of other kinds.
    pub ignored: usize,
}

/// Reads a dump without an index, for those who ask of a pod what the index does not keep.
///
/// # Errors
/// [`DumpError::Syntax`] for text that is no such list.
pub fn parse(json: &[u8]) -> Result<Objects, DumpError> {
    let list: List = serde_json::from_slice(json)?;
    let mut objects = Objects::default();
    for item in list.items {
        match item {
            Item::Node(node) => objects.nodes.push(*node),
            Item::Pod(pod) => objects.pods.push(*pod),
            Item::Other => objects.ignored += 1,
        }
    }
    Ok(objects)
}

/// Takes a dump into the index.
///
/// # Errors
/// Text that is no such list: nothing is taken in. The first object that is refused: what stood before it is taken in,
/// nodes before pods.
pub fn read(json: &[u8], index: &mut Index) -> Result<Counts, DumpError> {
    let Objects { nodes, pods, ignored } = parse(json)?;
    index.begin_nodes();
    index.begin_pods();
    nodes.iter().try_for_each(|node| index.apply_node(node).map(drop))?;
    pods.iter().try_for_each(|pod| index.apply_pod(pod).map(drop))?;
    index.finish_nodes();
    index.finish_pods();
    Ok(Counts { nodes: nodes.len(), pods: pods.len(), ignored })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::index::IndexSettings;

    fn index() -> Index {
        Index::new(IndexSettings::default()).unwrap()
    }

    #[test]
    fn a_dump_is_the_whole_truth() {
        let dump = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "4"}}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "d", "uid": "1"},
             "spec": {"nodeName": "a", "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}},
        ]});
        let mut index = index();
        let counts = read(dump.to_string().as_bytes(), &mut index).unwrap();
        assert_eq!(counts, Counts { nodes: 1, pods: 1, ignored: 1 });
        let snapshot = index.snapshot();
        assert!(snapshot.has_synced());
        assert_eq!((snapshot.allocatable()[0], snapshot.requested()[0]), (4000.0, 1000.0));

        read(br#"{"items": []}"#, &mut index).unwrap();
        assert_eq!(index.snapshot().node_count(), 0);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [&b"[]"[..], b"{}", b"", b"{\"items\": [{\"metadata\": {}}]}", b"\xff\xfe"] {
            assert!(matches!(read(text, &mut index()), Err(DumpError::Syntax(_))));
        }
    }

    #[test]
    fn a_bad_object_is_named() {
        let dump =
            br#"{"items": [{"kind": "Node", "metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "abc"}}}]}"#;
        let error = read(dump, &mut index()).unwrap_err();
        assert_eq!(error.to_string(), "node a: status.allocatable[cpu]: quantity \"abc\" is not a number");
    }
}
