//! Pod events, and pods that come with a request.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;

use super::{Index, Slot};
use crate::class::Interned;
use crate::constraints::Constraints;
use crate::dictionary::Dictionary;
use crate::error::ObjectError;
use crate::pod::{PodRow, Stage, Tenant, uid};
use crate::unplaced::Waiting;

impl Index {
    /// Takes a pod in, new or changed. `Ok(true)`: something that matters here changed.
    ///
    /// A bound pod supersedes what was assumed of it; a pod that is over frees what it held.
    ///
    /// # Errors
    /// A pod without a UID or with an amount that can not be read; the index stays as it was.
    pub fn apply_pod(&mut self, pod: &Pod) -> Result<bool, ObjectError> {
        let uid = uid(pod)?;
        match Stage::of(pod) {
            Stage::Over => Ok(self.delete_pod(uid)),
            Stage::Bound(node) => {
                let tenant = Tenant::read(pod, &mut self.resources);
                self.widen();
                let tenant = tenant?;
                let ties = self.ties.intern(&tenant.ties);
                let changed = self.bind(uid, node, Tenant { ties, ..tenant });
                self.pod_list.name(uid);
                Ok(changed)
            }
            Stage::Pending => {
                let pod = self.read(pod)?;
                self.pod_list.name(uid);
                Ok(self.wait(pod))
            }
        }
    }

    /// Removes a pod, bound, assumed or waiting. True if it was there.
    pub fn delete_pod(&mut self, uid: &str) -> bool {
        let forgotten = self.forget(uid);
        let waited = self.state.unplaced.get(uid).is_some();
        if waited {
            self.change();
            self.drop_waiting(uid);
        }
        self.unbind(uid) || waited || forgotten
    }

    /// Begins a complete list of the pods: what is applied until [`Index::finish_pods`] is all there is.
    pub fn begin_pods(&mut self) {
        self.pod_list.begin();
    }

    /// Ends a complete list: pods that it did not name are gone. Pods assumed from a request that no event has shown
    /// yet stay until their time is up: the list may be older than they are. Without a list begun it does nothing.
    pub fn finish_pods(&mut self) {
        if let Some(named) = self.pod_list.finish() {
            let listed = self.state.unplaced.iter().filter(|waiting| waiting.listed);
            let known = listed.map(|waiting| &waiting.pod.uid).chain(self.node_by_bound_pod.keys());
            for uid in known.filter(|uid| !named.contains(*uid)).cloned().collect::<Vec<_>>() {
                self.delete_pod(&uid);
            }
        }
        self.note_lists();
    }

    /// Takes in a complete list of the pods. Returns why some were refused.
    pub fn replace_pods<'a>(&mut self, pods: impl IntoIterator<Item = &'a Pod>) -> Vec<ObjectError> {
        self.begin_pods();
        let refused = pods.into_iter().filter_map(|pod| self.apply_pod(pod).err()).collect();
        self.finish_pods();
        refused
    }

    /// Reads a pod that came with a request before any event showed it, or whose class had to make room. It does not
    /// become pending. Take a snapshot after this, not before: it has the pod's class and columns.
    ///
    /// # Errors
    /// A pod without a UID or with an amount that can not be read.
    pub fn row_of(&mut self, pod: &Pod) -> Result<Arc<PodRow>, ObjectError> {
        let pod = self.read(pod)?;
        if let Some(waiting) = self.state.unplaced.get(&pod.uid).filter(|waiting| waiting.pod != pod).cloned() {
            self.change();
            self.keep(Waiting { pod: Arc::clone(&pod), ..waiting });
        }
        Ok(pod)
    }

    /// Puts another dictionary in place: every waiting pod is judged anew under it. True if it differs.
    ///
    /// Classes are made anew and the snapshot takes a new shape, so whoever holds classes is told everything again.
    pub fn set_dictionary(&mut self, dictionary: Dictionary) -> bool {
        if self.dictionary == dictionary {
            return false;
        }
        self.dictionary = dictionary;
        let constraints_by_class = self.classes.clear();
        for waiting in self.state.unplaced.iter().cloned().collect::<Vec<_>>() {
            let Some(constraints) = constraints_by_class.get(&waiting.pod.class) else { continue };
            let rulings = self.dictionary.rulings(&waiting.pod.scheduler_name, &waiting.pod.labels);
            let class = self.intern(constraints.under(rulings));
            let pod = Arc::new(PodRow { class, ..(*waiting.pod).clone() });
            self.state.unplaced.insert(Waiting { pod, ..waiting });
        }
        self.state.shaped = self.change();
        self.state.classes = Arc::new(self.classes.list());
        true
    }

    fn read(&mut self, pod: &Pod) -> Result<Arc<PodRow>, ObjectError> {
        // Read first: a refused pod must not leave a class behind.
        let row = PodRow::read(pod, 0, &mut self.resources);
        self.widen();
        let row = row?;
        let class = self.intern(Constraints::of(pod, &self.dictionary));
        let ties = self.ties.intern(&row.ties);
        Ok(Arc::new(PodRow { class, ties, ..row }))
    }

    fn intern(&mut self, constraints: Constraints) -> u32 {
        let sites = self.slots.iter().map(|slot| Slot::site(slot.as_ref()));
        let unplaced = &self.state.unplaced;
        let in_use = || unplaced.iter().map(|waiting| waiting.pod.class).collect();
        let interned = self.classes.intern(constraints, sites, &self.dictionary, self.state.generation + 1, in_use);
        if let Interned::New { evicted, .. } = interned {
            let generation = self.change();
            self.state.classes = Arc::new(self.classes.list());
            if evicted {
                self.state.shaped = generation;
            }
        }
        interned.id()
    }

    /// Keeps a pod as waiting; an assumption about it stays.
    fn wait(&mut self, pod: Arc<PodRow>) -> bool {
        let was_bound = self.unbind(&pod.uid);
        let known = self.state.unplaced.get(&pod.uid);
        let assumed = known.and_then(|waiting| waiting.assumed.clone());
        let planned = known.and_then(|waiting| waiting.planned.clone());
        let waiting = Waiting { pod, listed: true, assumed, planned };
        if known == Some(&waiting) {
            return was_bound;
        }
        self.change();
        self.keep(waiting);
        true
    }

    fn bind(&mut self, uid: &str, node: &str, tenant: Tenant) -> bool {
        let bound_to = self.node_by_bound_pod.get(uid).filter(|bound_to| ***bound_to == *node);
        if bound_to.and_then(|node| self.tenants_by_node.get(node)?.get(uid)) == Some(&tenant) {
            return false;
        }
        let (uid, node): (Arc<str>, Arc<str>) = (uid.into(), node.into());
        self.change();
        if !self.confirm(&uid, &node) {
            self.delete_pod(&uid);
        }
        self.node_by_bound_pod.insert(Arc::clone(&uid), Arc::clone(&node));
        self.state.bound = self.node_by_bound_pod.len();
        self.settle(&uid, &node, tenant);
        true
    }

    fn unbind(&mut self, uid: &str) -> bool {
        let Some(node) = self.node_by_bound_pod.remove(uid) else { return false };
        self.change();
        self.state.bound = self.node_by_bound_pod.len();
        self.leave(uid, &node);
        true
    }

    /// Counts a pod on a node. The caller has begun the change.
    pub(super) fn settle(&mut self, uid: &Arc<str>, node: &Arc<str>, tenant: Tenant) {
        let tenants = self.tenants_by_node.entry(Arc::clone(node)).or_default();
        tenants.insert(Arc::clone(uid), tenant);
        self.refresh_tenants(node);
    }

    /// Counts a pod on a node no longer. The caller has begun the change.
    pub(super) fn leave(&mut self, uid: &str, node: &str) {
        if let Some(tenants) = self.tenants_by_node.get_mut(node) {
            tenants.remove(uid);
            if tenants.is_empty() {
                self.tenants_by_node.remove(node);
            }
        }
        self.refresh_tenants(node);
    }
}
