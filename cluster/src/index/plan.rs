//! What is planned: pods that wait, counted where a plan has them.
//!
//! A pod counts as planned while the watch shows it waiting and nobody assumed it anywhere; for as long as the plan
//! stands it counts again when an assumption is taken back. An event costs what is planned on the rows it concerns.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;

use super::Index;
use crate::unplaced::Waiting;

impl Index {
    /// Takes a plan, pods' UIDs with nodes' names, in the place of the one before; the last node given counts. Pods and
    /// nodes that are not there (yet) count once they are. True if anything changed.
    pub fn set_plan(&mut self, plan: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> bool {
        let plan: HashMap<Arc<str>, Arc<str>> = plan.into_iter().collect();
        if plan == self.plan {
            return false;
        }
        let before = std::mem::replace(&mut self.plan, plan);
        let generation = self.change();
        if before.is_empty() != self.plan.is_empty() {
            self.shape_plan();
            self.state.shaped = generation;
        }
        let uids: Vec<Arc<str>> = before.keys().chain(self.plan.keys()).cloned().collect();
        let touched: BTreeSet<Arc<str>> = uids.iter().flat_map(|uid| self.plan_anew(uid)).flatten().collect();
        for node in &touched {
            self.refresh_planned(node);
        }
        true
    }

    /// Keeps a pod that has no node yet, and finds out where it is planned. The caller has begun the change.
    pub(super) fn keep(&mut self, waiting: Waiting) {
        let uid = Arc::clone(&waiting.pod.uid);
        let planned = self.state.unplaced.get(&uid).and_then(|known| known.planned.clone());
        self.state.unplaced.insert(Waiting { planned, ..waiting });
        for node in self.plan_anew(&uid).into_iter().flatten() {
            self.refresh_planned(&node);
        }
    }

    /// Keeps a pod no longer. The caller has begun the change.
    pub(super) fn drop_waiting(&mut self, uid: &str) {
        let dropped = self.state.unplaced.remove(uid);
        if let Some(node) = dropped.and_then(|waiting| waiting.planned) {
            self.unplan(uid, &node);
            self.refresh_planned(&node);
        }
    }

    /// Gives the column of what is planned the length of the others, or none without a plan.
    pub(super) fn shape_plan(&mut self) {
        let cells = if self.plan.is_empty() { 0 } else { self.state.allocatable.len() };
        if self.state.planned.len() != cells {
            Arc::make_mut(&mut self.state.planned).resize(cells, 0.0);
        }
    }

    /// Brings a row's column in step with who is planned there. True if it changed.
    pub(super) fn write_planned(&mut self, row: u32) -> bool {
        if self.state.planned.is_empty() {
            return false;
        }
        let node = self.state.names[row as usize].as_ref();
        let pods = node.and_then(|node| self.planned_by_node.get(node)).into_iter().flatten();
        let planned = self.sum(pods.map(|(_, pod)| &*pod.request));
        let columns = self.columns(row);
        super::rows::write(&mut self.state.planned, columns, &planned)
    }

    /// Counts a waiting pod where the plan has it now, and says which nodes that concerns: the former and the new one.
    fn plan_anew(&mut self, uid: &str) -> [Option<Arc<str>>; 2] {
        let Some(waiting) = self.state.unplaced.get(uid) else { return [None, None] };
        let counts = waiting.listed && waiting.assumed.is_none();
        let node = self.plan.get(uid).filter(|_| counts).cloned();
        let (pod, before) = (Arc::clone(&waiting.pod), waiting.planned.clone());
        if before != node {
            let waiting = Waiting { planned: node.clone(), ..waiting.clone() };
            self.state.unplaced.insert(waiting);
        }
        if let Some(before) = before.as_ref().filter(|before| node.as_ref() != Some(*before)) {
            self.unplan(uid, before);
        }
        if let Some(node) = &node {
            self.planned_by_node.entry(Arc::clone(node)).or_default().insert(Arc::clone(&pod.uid), pod);
        }
        [before, node]
    }

    fn unplan(&mut self, uid: &str, node: &str) {
        if let Some(pods) = self.planned_by_node.get_mut(node) {
            pods.remove(uid);
            if pods.is_empty() {
                self.planned_by_node.remove(node);
            }
        }
    }

    fn refresh_planned(&mut self, node: &str) {
        let Some(row) = self.state.row(node) else { return };
        if self.write_planned(row) {
            Arc::make_mut(&mut self.state.changed)[row as usize] = self.state.generation;
        }
    }
}
