//! Who is being asked about which pod at this moment.
//!
//! Promises that whoever has waited too long for an answer can say who kept it waiting.
//! Knows no plugins, only their places in the profile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gantry_cluster::PodRow;

/// The calls that are not over. As many as there are requests: a list is searched faster than a map is kept.
#[derive(Debug, Default)]
pub(super) struct AtWork {
    calls: Mutex<Vec<Call>>,
}

/// One call: about whom, and the place of the plugin that is asked.
type Call = (Arc<str>, usize);

impl AtWork {
    /// The plugin at this place is asked about a pod until the guard is dropped.
    pub(super) fn begin(&self, pod: &PodRow, position: usize) -> Turn<'_> {
        let call = (Arc::clone(&pod.uid), position);
        self.calls().push(call.clone());
        Turn { at_work: self, call }
    }

    /// The place of the plugin that is being asked about a pod.
    pub(super) fn on(&self, uid: &str) -> Option<usize> {
        self.calls().iter().rev().find(|(pod, _)| **pod == *uid).map(|(_, position)| *position)
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the call that it stands for, also where that panics.
pub(super) struct Turn<'a> {
    at_work: &'a AtWork,
    call: Call,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut calls = self.at_work.calls();
        if let Some(own) = calls.iter().position(|call| *call == self.call) {
            calls.swap_remove(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use gantry_cluster::{Index, IndexSettings};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plugin_is_at_work_on_a_pod_until_its_turn_is_over() {
        let pod = json!({"metadata": {"uid": "u"}, "spec": {"containers": []}});
        let mut index = Index::new(IndexSettings::default()).unwrap();
        let pod = index.row_of(&serde_json::from_value(pod).unwrap()).unwrap();
        let at_work = AtWork::default();
        drop(at_work.begin(&pod, 0));
        assert_eq!(at_work.on("u"), None);
        let turn = at_work.begin(&pod, 2);
        assert_eq!((at_work.on("u"), at_work.on("v")), (Some(2), None));
        drop(turn);
        assert_eq!(at_work.on("u"), None);
    }
}
