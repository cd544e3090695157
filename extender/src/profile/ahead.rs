//! Scores that plugins gave before kube-scheduler asked for them.
//!
//! Between an answer to Filter and the request to score what it left, kube-scheduler scores by itself, and a plugin may as
//! well. Promises that what is handed out is the answer to the very question that is asked: about the same pod, plan for it
//! and columns, if of an earlier generation. Must not know how plugins are asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gantry_cluster::PodRow;
use gantry_host::SnapshotSource;

use super::pipeline::Answers;
use crate::view::View;

/// What the plugins of a profile said ahead about the last pod.
#[derive(Debug)]
pub(super) struct Ahead<T> {
    told: Mutex<Option<Told<T>>>,
    is_worth_it: AtomicBool,
}

#[derive(Debug)]
struct Told<T> {
    pod: Arc<PodRow>,
    planned_row: Option<u32>,
    estimate: Vec<f64>,
    generation: u64,
    answers: Answers<T>,
}

impl<T> Ahead<T> {
    pub(super) fn nothing() -> Self {
        Self { told: Mutex::new(None), is_worth_it: AtomicBool::new(false) }
    }

    /// Whether scores were asked for since this was: who never asks for them needs none.
    pub(super) fn is_worth_it(&self) -> bool {
        self.is_worth_it.swap(false, Ordering::Relaxed)
    }

    /// Keeps what was said about a view's pod, in place of what was said before.
    pub(super) fn keep(&self, view: &View, estimate: Vec<f64>, answers: Answers<T>) {
        let View { snapshot, pod } = view;
        let planned_row = snapshot.planned_row(&pod.uid);
        let told = Told { pod: Arc::clone(pod), planned_row, estimate, generation: snapshot.generation(), answers };
        *self.told() = Some(told);
    }

    /// Hands out what was said, if that was about a view's pod with this estimate, and nothing changed since in the
    /// `columns` of the view. What is not handed out is dropped.
    pub(super) fn take(&self, view: &View, estimate: &[f64], columns: &dyn SnapshotSource) -> Option<Answers<T>> {
        self.is_worth_it.store(true, Ordering::Relaxed);
        let told = self.told().take()?;
        let View { snapshot, pod } = view;
        let is_same = (Arc::ptr_eq(&told.pod, pod) || told.pod == *pod)
            && told.planned_row == snapshot.planned_row(&pod.uid)
            && told.estimate == estimate
            && (told.generation == columns.generation()
                || columns.changes(told.generation).is_some_and(|changes| changes.is_empty()));
        is_same.then_some(told.answers)
    }

    fn told(&self) -> MutexGuard<'_, Option<Told<T>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use gantry_cluster::{Index, IndexSettings};
    use k8s_openapi::api::core::v1::{Node, Pod};
    use serde_json::json;

    use super::*;
    use crate::columns::Columns;

    fn index() -> Index {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        for name in ["a", "b"] {
            let status = json!({"allocatable": {"cpu": "4", "memory": "8Gi"}});
            let node: Node = serde_json::from_value(json!({"metadata": {"name": name}, "status": status})).unwrap();
            index.apply_node(&node).unwrap();
        }
        for uid in ["one", "other"] {
            index.apply_pod(&pod(uid, "1")).unwrap();
        }
        index
    }

    fn pod(uid: &str, cpu: &str) -> Pod {
        let containers = json!([{"name": "c", "resources": {"requests": {"cpu": cpu}}}]);
        let spec = json!({"containers": containers});
        serde_json::from_value(json!({"metadata": {"name": uid, "uid": uid}, "spec": spec})).unwrap()
    }

    fn view(index: &mut Index, uid: &str) -> View {
        let snapshot = index.snapshot();
        View { pod: Arc::clone(snapshot.pod(uid).unwrap()), snapshot }
    }

    /// Whether what is kept of the pod `one` is handed out for the pod `uid` after a change.
    fn holds(uid: &str, change: impl FnOnce(&mut Index)) -> bool {
        let (mut index, ahead) = (index(), Ahead::<()>::nothing());
        ahead.keep(&view(&mut index, "one"), Vec::new(), Answers::default());
        change(&mut index);
        let view = view(&mut index, uid);
        let taken = ahead.take(&view, &view.snapshot.estimate(&view.pod), &Columns::new(&view.snapshot, &[1.0; 4]));
        assert!(ahead.told().is_none());
        taken.is_some()
    }

    #[test]
    fn what_was_said_holds_while_plugins_would_be_told_nothing_else() {
        assert!(holds("one", |_| ()));
        let assume = |index: &mut Index| {
            let other = Arc::clone(index.snapshot().pod("other").unwrap());
            index.assume(&other, "a", Instant::now(), Duration::from_hours(1))
        };
        assert!(!holds("one", |index| assert!(assume(index))), "there is less room");
        assert!(!holds("other", |_| ()), "about another pod");
        assert!(!holds("one", |index| assert!(index.apply_pod(&pod("one", "2")).unwrap())), "it asks for more");
        assert!(!holds("one", |index| assert!(index.set_plan([("one".into(), "b".into())]))), "it is planned");
        assert!(holds("one", |index| assert!(index.apply_pod(&pod("third", "1")).unwrap())), "one more waits");
    }

    #[test]
    fn a_pod_that_is_bound_where_it_was_assumed_changes_nothing() {
        let (mut index, ahead) = (index(), Ahead::<()>::nothing());
        let other = Arc::clone(index.snapshot().pod("other").unwrap());
        assert!(index.assume(&other, "a", Instant::now(), Duration::from_hours(1)));
        let then = view(&mut index, "one");
        ahead.keep(&then, Vec::new(), Answers::default());
        let mut bound = pod("other", "1");
        bound.spec.get_or_insert_default().node_name = Some("a".to_owned());
        assert!(index.apply_pod(&bound).unwrap());
        let now = view(&mut index, "one");
        assert!(now.snapshot.generation() > then.snapshot.generation());
        assert!(ahead.take(&now, &[], &Columns::new(&now.snapshot, &[1.0; 4])).is_some());
    }

    #[test]
    fn it_is_worth_it_where_scores_are_asked_for() {
        let (mut index, ahead) = (index(), Ahead::<()>::nothing());
        assert!(!ahead.is_worth_it());
        let view = view(&mut index, "one");
        assert!(ahead.take(&view, &[], &Columns::new(&view.snapshot, &[1.0; 4])).is_none());
        assert!(ahead.is_worth_it());
        assert!(!ahead.is_worth_it(), "once for each time");
    }
}
