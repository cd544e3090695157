//! Who is to be planned, and when a batch is complete.
//!
//! Knows pods' gates and nominations; must not know what a plan is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gantry_cluster::{PodRow, Snapshot};

use super::GATE;
use super::reserved::Reservation;

/// However long pods keep coming, a batch is planned after so many windows.
const MOST_WINDOWS: u32 = 10;

/// The pods of one profile that wait for a node, by what is to be done with them.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Nothing holds them back: kube-scheduler may take them at any moment. By urgency.
    pub(super) open: Vec<Arc<PodRow>>,
    /// Our gate alone holds them back. By urgency.
    pub(super) gated: Vec<Arc<PodRow>>,
    /// Room that nominated pods of any profile hold.
    pub(super) reserved: Vec<Reservation>,
}

impl Agenda {
    /// What `snapshot` holds for the profile of `scheduler`; `batches`: gated pods are to be planned.
    pub(super) fn of(snapshot: &Snapshot, scheduler: &str, batches: bool) -> Self {
        let mut agenda = Self::default();
        for pod in snapshot.pending() {
            let reservation = Reservation::of(snapshot, pod);
            let is_ours = &*pod.scheduler_name == scheduler;
            if only_our_gate(pod) {
                if is_ours && batches {
                    agenda.gated.push(Arc::clone(pod));
                }
            } else if let Some(reservation) = reservation {
                agenda.reserved.push(reservation);
            } else if is_ours && pod.gates.is_empty() {
                agenda.open.push(Arc::clone(pod));
            }
        }
        agenda.open.sort_by(by_urgency);
        agenda.gated.sort_by(by_urgency);
        agenda
    }

    /// Takes pods that have been released already, though `snapshot` does not show it yet, for what they are: claims to the
    /// nodes that they were nominated for.
    pub(super) fn claim_released<'a>(&mut self, snapshot: &Snapshot, released: impl Fn(&str) -> Option<&'a Arc<str>>) {
        let reserved = &mut self.reserved;
        self.gated.retain(|pod| {
            let Some(node) = released(&pod.uid) else { return true };
            reserved.extend(Reservation::at(snapshot, pod, node));
            false
        });
    }

    /// Everybody, by urgency.
    pub(super) fn everybody(&self) -> Vec<Arc<PodRow>> {
        let mut pods = [&self.open[..], &self.gated].concat();
        pods.sort_by(by_urgency);
        pods
    }
}

fn only_our_gate(pod: &PodRow) -> bool {
    matches!(&*pod.gates, [gate] if &**gate == GATE)
}

/// As kube-scheduler's queue has it after a start: by priority, then as they were listed. Creation times have whole
/// seconds; lists are in the order of names.
fn by_urgency(one: &Arc<PodRow>, other: &Arc<PodRow>) -> std::cmp::Ordering {
    let by_age = other.priority.cmp(&one.priority).then(one.created.cmp(&other.created));
    by_age.then_with(|| one.namespace.cmp(&other.namespace)).then_with(|| one.name.cmp(&other.name))
}

/// Waits until a batch of gated pods has come together.
#[derive(Debug)]
pub(super) struct Gathering {
    window: Duration,
    seen: HashSet<Arc<str>>,
    first: Option<Instant>,
    last: Instant,
    /// Before this no batch is complete.
    rests_until: Option<Instant>,
}

impl Gathering {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, seen: HashSet::new(), first: None, last: Instant::now(), rests_until: None }
    }

    /// Another window from now on.
    pub(super) fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// Whether the gated pods have stopped coming, or have kept coming for too long.
    pub(super) fn is_complete(&mut self, gated: &[Arc<PodRow>], now: Instant) -> bool {
        if gated.is_empty() {
            self.begin_again();
            return false;
        }
        if self.rests_until.is_some_and(|until| now < until) {
            return false;
        }
        let first = *self.first.get_or_insert(now);
        for pod in gated {
            if self.seen.insert(Arc::clone(&pod.uid)) {
                self.last = now;
            }
        }
        let quiet = now.saturating_duration_since(self.last) >= self.window;
        quiet || now.saturating_duration_since(first) >= self.window * MOST_WINDOWS
    }

    /// Lets time pass: the API server refused writes, and would refuse them again at once.
    pub(super) fn rest_until(&mut self, until: Instant) {
        self.rests_until = Some(until);
    }

    /// Forgets who has come: what is still gated is a new batch.
    pub(super) fn begin_again(&mut self) {
        self.seen.clear();
        self.first = None;
    }
}

#[cfg(test)]
mod tests {
    use gantry_cluster::{Index, IndexSettings};
    use serde_json::json;

    use super::*;

    const WINDOW: Duration = Duration::from_millis(200);

    fn pod(name: &str) -> Arc<PodRow> {
        let pod = json!({"metadata": {"name": name, "uid": name}, "spec": {"containers": []}});
        Index::new(IndexSettings::default()).unwrap().row_of(&serde_json::from_value(pod).unwrap()).unwrap()
    }

    #[test]
    fn a_released_pod_that_the_view_still_has_gated_is_a_claim_and_not_planned_again() {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        let node = json!({"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "4"}}});
        index.apply_node(&serde_json::from_value(node).unwrap()).unwrap();
        for name in ["held", "released"] {
            let spec = json!({"containers": [], "schedulerName": "s", "schedulingGates": [{"name": GATE}]});
            let pod = json!({"metadata": {"name": name, "uid": name}, "spec": spec});
            index.apply_pod(&serde_json::from_value(pod).unwrap()).unwrap();
        }
        let (snapshot, node) = (index.snapshot(), Arc::from("n"));
        let mut agenda = Agenda::of(&snapshot, "s", true);
        assert_eq!((agenda.gated.len(), agenda.reserved.len()), (2, 0));
        agenda.claim_released(&snapshot, |uid| (uid == "released").then_some(&node));
        assert_eq!(agenda.gated.iter().map(|pod| &*pod.uid).collect::<Vec<_>>(), ["held"]);
        let claims: Vec<_> = agenda.reserved.iter().map(|claim| (claim.row, &*claim.pod.uid)).collect();
        assert_eq!(claims, [(0, "released")]);
    }

    #[test]
    fn a_batch_is_complete_when_nobody_has_come_for_a_window() {
        let (mut gathering, start) = (Gathering::new(WINDOW), Instant::now());
        let (one, two) = (vec![pod("a")], vec![pod("a"), pod("b")]);
        assert!(!gathering.is_complete(&[], start));
        assert!(!gathering.is_complete(&one, start));
        assert!(!gathering.is_complete(&two, start + WINDOW / 2));
        assert!(!gathering.is_complete(&two, start + WINDOW));
        assert!(gathering.is_complete(&two, start + WINDOW * 2));
    }

    #[test]
    fn a_batch_that_keeps_growing_is_complete_all_the_same() {
        let (mut gathering, start) = (Gathering::new(WINDOW), Instant::now());
        let mut pods = Vec::new();
        let complete = (0..100_u32).find(|half| {
            pods.push(pod(&half.to_string()));
            gathering.is_complete(&pods, start + WINDOW / 2 * *half)
        });
        assert_eq!(complete, Some(2 * MOST_WINDOWS));
    }

    #[test]
    fn after_a_refusal_a_batch_waits() {
        let (mut gathering, start) = (Gathering::new(WINDOW), Instant::now());
        gathering.rest_until(start + WINDOW * 10);
        let pods = [pod("a")];
        assert!(!gathering.is_complete(&pods, start));
        assert!(!gathering.is_complete(&pods, start + WINDOW * 9));
        assert!(!gathering.is_complete(&pods, start + WINDOW * 10));
        assert!(gathering.is_complete(&pods, start + WINDOW * 11));
    }
}
