//! Nodes as they came with requests, kept: each is parsed once a version.
//!
//! Promises bounded memory: a node that no request has shown for a while is dropped,
//! and a flood of names drops all but the last request's. Must not be used beside a
//! watch: the watch is fresher.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gantry_cluster::SharedIndex;
use k8s_openapi::api::core::v1::Node;

use crate::wire::args::NodePart;
use crate::wire::parse_part;

/// kube-scheduler shows a node only while it passes the in-tree filters; a full one comes back when pods end.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// Kubernetes is built for 5,000 nodes; twice the largest request that is promised to work.
const MAX_NODES: usize = 20_000;

/// What is known of the nodes that came.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    seen_by_node: Mutex<HashMap<String, Seen>>,
}

#[derive(Debug)]
struct Seen {
    version: String,
    last: Instant,
}

impl Mirror {
    /// Brings the index up to date with the nodes of a request. A node that cannot be read is logged and left out: it
    /// passes as one that we do not know.
    pub(super) fn learn(&self, nodes: &[NodePart], index: &SharedIndex, now: Instant) {
        let mut seen_by_node = self.lock();
        let mut fresh = Vec::new();
        for (position, part) in nodes.iter().enumerate() {
            if !is_known(&mut seen_by_node, part, now) {
                fresh.extend(read(position, part));
            }
        }
        let gone = evict(&mut seen_by_node, now);
        let mut index = index.lock();
        for name in &gone {
            index.delete_node(name);
        }
        for node in &fresh {
            if let Err(error) = index.apply_node(node) {
                tracing::warn!(error = %error, reason = error.reason(), "node of the request refused; it passes unjudged");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen_by_node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether exactly this version was read before. A node without a version was made by hand: it is read every time.
fn is_known(seen_by_node: &mut HashMap<String, Seen>, part: &NodePart, now: Instant) -> bool {
    let version = &*part.metadata.resource_version;
    if let Some(seen) = seen_by_node.get_mut(&*part.metadata.name) {
        seen.last = now;
        if seen.version == version && !version.is_empty() {
            return true;
        }
        version.clone_into(&mut seen.version);
    } else {
        seen_by_node.insert((*part.metadata.name).to_owned(), Seen { version: version.to_owned(), last: now });
    }
    false
}

fn read(position: usize, part: &NodePart) -> Option<Node> {
    match parse_part(part.raw.get(), || format!("Nodes.items[{position}]")) {
        Ok(node) => Some(node),
        Err(error) => {
            tracing::warn!(error = %error, "node of the request refused; it passes unjudged");
            None
        }
    }
}

fn evict(seen_by_node: &mut HashMap<String, Seen>, now: Instant) -> Vec<String> {
    let patience = if seen_by_node.len() > MAX_NODES { Duration::ZERO } else { FORGOTTEN_AFTER };
    let is_stale = |_: &String, seen: &mut Seen| now.saturating_duration_since(seen.last) > patience;
    seen_by_node.extract_if(is_stale).map(|(name, _)| name).collect()
}
