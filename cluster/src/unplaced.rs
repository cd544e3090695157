//! Pods without a node, and the nodes assumed for them, cheap to copy.
//!
//! Requests look pods up by UID in a snapshot, without a lock, while events change the map. It is split into shards so
//! that a change copies a sixty-fourth of it at most; a snapshot copies one reference.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Instant;

use foldhash::HashMap;
use foldhash::fast::FixedState;

use crate::pod::PodRow;

/// With 10,000 pending pods a shard holds about 150: copied in microseconds.
const SHARDS: usize = 64;

/// Where a pod is, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts<'a> {
    /// Never seen, or gone.
    Unknown,
    /// It waits for a node.
    Waiting,
    /// Our own answer put it on this node; the watch has not shown it there.
    Assumed(&'a Arc<str>),
    /// It is bound to this node.
    Bound(&'a Arc<str>),
}

/// A pod that is bound to no node as far as the watch has told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) pod: Arc<PodRow>,
    /// Whether the watch has shown it. One that came with a request only goes with its assumption.
    pub(crate) listed: bool,
    pub(crate) assumed: Option<Assumption>,
    /// The node that the plan has for it, while it counts as planned.
    pub(crate) planned: Option<Arc<str>>,
}

/// Where our own answer puts a pod until the watch says where it went.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assumption {
    pub(crate) node: Arc<str>,
    pub(crate) until: Instant,
}

/// Waiting pods by UID.
#[derive(Clone, Debug)]
pub(crate) struct Unplaced {
    shards: Arc<[Arc<Shard>]>,
}

type Shard = HashMap<Arc<str>, Waiting>;

impl Default for Unplaced {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Arc::default()).collect() }
    }
}

impl Unplaced {
    pub(crate) fn get(&self, uid: &str) -> Option<&Waiting> {
        self.shards[shard(uid)].get(uid)
    }

    pub(crate) fn insert(&mut self, waiting: Waiting) {
        let uid = Arc::clone(&waiting.pod.uid);
        self.shard_mut(&uid).insert(uid, waiting);
    }

    pub(crate) fn remove(&mut self, uid: &str) -> Option<Waiting> {
        self.get(uid)?;
        self.shard_mut(uid).remove(uid)
    }

    fn shard_mut(&mut self, uid: &str) -> &mut Shard {
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard(uid)])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    /// Gives every request `columns` columns.
    pub(crate) fn widen(&mut self, columns: usize) {
        for shard in Arc::make_mut(&mut self.shards) {
            for waiting in Arc::make_mut(shard).values_mut() {
                let pod = Arc::make_mut(&mut waiting.pod);
                let mut request = std::mem::take(&mut pod.request).into_vec();
                request.resize(columns, 0.0);
                pod.request = request.into();
            }
        }
    }
}

/// A fixed hash: API servers choose UIDs, so nobody can aim at a shard.
fn shard(uid: &str) -> usize {
    FixedState::default().hash_one(uid) as usize % SHARDS
}
