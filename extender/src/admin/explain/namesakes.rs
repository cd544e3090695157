//! What is at hand of the pods that had a name, one after another, and which of them is meant: the newest.
//!
//! Promises that nothing which befell a former one is told of it. Must not know how it is told.

use std::sync::Arc;
use std::time::SystemTime;

use gantry_cluster::{PodRow, Snapshot};

use super::InPlan;
use crate::decision::{DecisionRecord, unix_seconds};
use crate::handlers::Context;
use crate::planner::{PlannedPod, Post, Remembered};

/// What is at hand of the pods that had a name, one after another.
pub(super) struct Sources {
    pub(super) waits: Option<Arc<PodRow>>,
    /// Newest first.
    pub(super) decisions: Vec<Arc<DecisionRecord>>,
    pub(super) planned: Vec<Planned>,
    pub(super) remembered: Option<Remembered>,
}

/// A pod in the plan of a profile.
pub(super) struct Planned {
    scheduler: Arc<str>,
    uid: Arc<str>,
    made: SystemTime,
    pub(super) plan: InPlan,
}

impl Sources {
    pub(super) fn of(context: &Context, snapshot: &Snapshot, namespace: &str, pod: &str, now: SystemTime) -> Self {
        let waits = snapshot.pending().find(|row| *row.namespace == *namespace && *row.name == *pod);
        let posts = context.board.all().into_iter();
        let planned =
            posts.filter_map(|(scheduler, post)| Planned::of(scheduler, &post, snapshot, (namespace, pod), now));
        Self {
            waits: waits.cloned(),
            decisions: context.decisions.of(namespace, pod),
            planned: planned.collect(),
            remembered: context.board.remembered(namespace, pod),
        }
    }

    /// The UID of the newest of the pods. Who waits is there now, whatever was heard of others before.
    pub(super) fn newest(&self) -> Option<String> {
        if let Some(row) = &self.waits {
            return Some(row.uid.to_string());
        }
        let decisions = self.decisions.iter().map(|record| (record.at, &*record.uid));
        let planned = self.planned.iter().map(|planned| (unix_seconds(planned.made), &*planned.uid));
        let landed = self.remembered.iter().map(|landed| (unix_seconds(landed.at), &*landed.pod.uid));
        let newest = decisions.chain(planned).chain(landed).max_by(|one, other| one.0.total_cmp(&other.0))?;
        Some(newest.1.to_owned())
    }

    /// What concerns the pod of this UID: its former namesakes' fate is none of its own.
    pub(super) fn only(mut self, uid: &str) -> Self {
        self.decisions.retain(|record| record.uid == uid);
        self.planned.retain(|planned| *planned.uid == *uid);
        self.remembered = self.remembered.filter(|landed| *landed.pod.uid == *uid);
        self
    }

    /// The scheduler that the pod asks for.
    pub(super) fn scheduler(&self) -> Option<&str> {
        let waits = self.waits.as_ref().map(|row| &*row.scheduler_name);
        let planned = self.planned.first().map(|planned| &*planned.scheduler);
        let landed = self.remembered.as_ref().map(|landed| &*landed.pod.scheduler_name);
        waits.or(planned).or(landed).or(self.decisions.first().map(|record| &*record.profile))
    }

    /// The pod, to be asked about again.
    pub(super) fn row(&self, snapshot: &Snapshot, uid: &str) -> Option<Arc<PodRow>> {
        let asked = || self.decisions.iter().find_map(|record| record.trace.pod.clone());
        let landed = || self.remembered.as_ref().map(|landed| Arc::clone(&landed.pod));
        self.waits.clone().or_else(asked).or_else(|| snapshot.pod(uid).cloned()).or_else(landed)
    }
}

impl Planned {
    /// What a profile's plan says of the pod that it has under this name.
    fn of(
        scheduler: Arc<str>,
        post: &Post,
        snapshot: &Snapshot,
        (namespace, pod): (&str, &str),
        now: SystemTime,
    ) -> Option<Self> {
        let plan = post.plan.as_ref()?;
        let find = |pods: &[PlannedPod]| {
            pods.iter().find(|planned| *planned.namespace == *namespace && *planned.name == *pod).cloned()
        };
        let planned = find(&plan.pods);
        let is_left = planned.is_none();
        let planned = planned.or_else(|| find(&plan.left))?;
        let left = is_left.then(|| why_left(snapshot, &planned.uid));
        let in_plan = InPlan::of(plan, planned.node.as_deref(), post.standing().is_some(), now);
        Some(Self { scheduler, uid: planned.uid, made: plan.made, plan: InPlan { left, ..in_plan } })
    }
}

/// Why a plan leaves a pod to kube-scheduler, as far as the pod as it waits now tells.
fn why_left(snapshot: &Snapshot, uid: &str) -> &'static str {
    let Some(pod) = snapshot.pending().find(|row| *row.uid == *uid) else {
        return "what it asks for is not for a plan to decide";
    };
    if snapshot.class(pod.class).is_none() {
        return "where it may run is known no longer, there are too many kinds of pods";
    }
    let (objective, estimate) = (snapshot.objective_resources(), snapshot.estimate(pod));
    if pod.request.iter().take(objective).chain(estimate.iter().take(objective)).all(|amount| *amount == 0.0) {
        return "it asks for nothing that counts";
    }
    "only kube-scheduler knows what it needs: volumes or devices by claim, rules between pods that no plan has, or \
     nothing that the profile weighs"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gantry_cluster::{Index, IndexSettings};
    use serde_json::json;

    use super::*;
    use crate::planner::Landing;
    use crate::verb::Verb;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn row(uid: &str) -> Arc<PodRow> {
        let metadata = json!({"name": "web-0", "namespace": "default", "uid": uid});
        let pod = serde_json::from_value(json!({"metadata": metadata, "spec": {"containers": []}})).unwrap();
        Index::new(IndexSettings::default()).unwrap().row_of(&pod).unwrap()
    }

    fn asked(uid: &str, at: f64) -> Arc<DecisionRecord> {
        Arc::new(DecisionRecord { at, uid: uid.to_owned(), ..DecisionRecord::sample("web-0", Verb::Filter) })
    }

    fn planned(uid: &str, made: u64) -> Planned {
        let plan =
            InPlan { serial: 1, node: None, left: None, time: None, made_seconds_ago: 0.0, stands: false, pods: 1 };
        Planned { scheduler: "default-scheduler".into(), uid: uid.into(), made: at(made), plan }
    }

    fn landed(uid: &str, seen: u64) -> Remembered {
        Remembered { pod: row(uid), node: "n1".into(), serial: 1, landing: Landing::Planned, at: at(seen) }
    }

    #[test]
    fn of_namesakes_the_newest_is_explained_whoever_tells_of_it() {
        let sources = |made, seen| Sources {
            waits: None,
            decisions: vec![asked("asked", 50.0), asked("before", 5.0)],
            planned: vec![planned("planned", made)],
            remembered: Some(landed("landed", seen)),
        };
        for (made, seen, newest) in [(40, 45, "asked"), (60, 45, "planned"), (40, 70, "landed")] {
            assert_eq!(sources(made, seen).newest().as_deref(), Some(newest));
        }
        let waits = Sources { waits: Some(row("waits")), ..sources(90, 90) };
        assert_eq!(waits.newest().as_deref(), Some("waits"), "it is there now");
    }

    #[test]
    fn what_befell_a_former_namesake_is_none_of_a_pods_own() {
        let sources = Sources {
            waits: None,
            decisions: vec![asked("old", 70.0), asked("new", 60.0), asked("old", 10.0)],
            planned: vec![planned("old", 9), planned("new", 59)],
            remembered: Some(landed("old", 11)),
        };
        let own = sources.only("new");
        assert_eq!(own.decisions.iter().map(|record| record.at).collect::<Vec<_>>(), [60.0]);
        assert_eq!(own.planned.iter().map(|planned| &*planned.uid).collect::<Vec<_>>(), ["new"]);
        assert!(own.remembered.is_none());
    }
}
