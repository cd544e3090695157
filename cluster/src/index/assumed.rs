//! Our own answers, counted at once: pods assumed on a node.
//!
//! An assumption holds until the watch says where the pod went, or until its time is up.
//!
//! Hundreds of answered pods are not in the watch yet when the next decision is made; without this every one of them is
//! sent to the same empty node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Index;
use crate::pod::PodRow;
use crate::unplaced::{Assumption, Waiting};

impl Index {
    /// Counts a pod on a node for `ttl` from `now`, or until an event shows where it was bound. A second assumption
    /// moves the pod. False, and nothing changes, if the pod is bound already or there is no such node.
    pub fn assume(&mut self, pod: &Arc<PodRow>, node: &str, now: Instant, ttl: Duration) -> bool {
        if self.state.row(node).is_none() || self.node_by_bound_pod.contains_key(&pod.uid) {
            return false;
        }
        let known = self.state.unplaced.get(&pod.uid).cloned();
        self.forget(&pod.uid);
        self.change();
        let node: Arc<str> = node.into();
        // A time to live past the clock's range is a mistake: the assumption ends at once.
        let until = now.checked_add(ttl).unwrap_or(now);
        self.deadlines.insert((until, Arc::clone(&pod.uid)));
        self.state.assumed += 1;
        let (pod, listed) = known.map_or_else(|| (Arc::clone(pod), false), |known| (known.pod, known.listed));
        let (uid, tenant) = (Arc::clone(&pod.uid), pod.tenant());
        let assumed = Some(Assumption { node: Arc::clone(&node), until });
        self.keep(Waiting { pod, listed, assumed, planned: None });
        self.settle(&uid, &node, tenant);
        true
    }

    /// Takes an assumption back. True if there was one.
    pub fn forget(&mut self, uid: &str) -> bool {
        let Some(waiting) = self.state.unplaced.get(uid) else { return false };
        let Some(assumed) = waiting.assumed.clone() else { return false };
        let freed = Waiting { assumed: None, ..waiting.clone() };
        self.change();
        self.deadlines.remove(&(assumed.until, Arc::clone(&freed.pod.uid)));
        self.state.assumed -= 1;
        if freed.listed {
            self.keep(freed);
        } else {
            self.drop_waiting(uid);
        }
        self.leave(uid, &assumed.node);
        true
    }

    /// Ends an assumption that came true: the pod is bound where it counts already, and its row does not change for it. True
    /// if there was one about this node.
    pub(super) fn confirm(&mut self, uid: &Arc<str>, node: &str) -> bool {
        let assumed = self.state.unplaced.get(uid).and_then(|waiting| waiting.assumed.clone());
        let Some(assumed) = assumed.filter(|assumed| *assumed.node == *node) else { return false };
        self.deadlines.remove(&(assumed.until, Arc::clone(uid)));
        self.state.assumed -= 1;
        self.drop_waiting(uid);
        true
    }

    /// Takes back every assumption whose time is up at `now`. Returns how many.
    pub fn expire(&mut self, now: Instant) -> usize {
        let mut expired = 0;
        while let Some((until, uid)) = self.deadlines.first().cloned()
            && until <= now
        {
            self.forget(&uid);
            expired += 1;
        }
        expired
    }
}
