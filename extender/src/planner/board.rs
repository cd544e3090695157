//! Where plans are published: to the index, which tells requests, to admins, who also read why there is none, and to
//! the other replicas.
//!
//! Pods count as planned on their nodes from here on, those of all profiles together. Who plans takes turns with the
//! others, so that each sees what the last one gave away.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use gantry_cluster::{PodRow, SharedIndex};
use gantry_host::types::TerminationReason;
use tokio::sync::watch;

use super::ledger::Landing;
use super::plan::{Plan, Turn};
use super::state::{Duty, PlanState};

/// Pods remembered after they landed.
const MEMORY: usize = 4096;

/// What a plan says of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPod {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
    /// Its node; `None`: there was no room, or it is left to kube-scheduler.
    pub node: Option<Arc<str>>,
}

impl PlannedPod {
    fn of(pod: &PodRow, node: Option<&Arc<str>>) -> Self {
        let PodRow { namespace, name, uid, .. } = pod;
        let [namespace, name, uid] = [namespace, name, uid].map(Arc::clone);
        Self { namespace, name, uid, node: node.cloned() }
    }
}

/// A plan as the rest of the process sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedPlan {
    /// The plans of a profile are numbered from 1.
    pub serial: u64,
    /// The generation of the snapshot that it was made of.
    pub generation: u64,
    /// When it was made.
    pub made: SystemTime,
    /// How long the search took, in seconds.
    pub seconds: f64,
    /// The pods, by urgency.
    pub pods: Vec<PlannedPod>,
    /// Pods that are left to kube-scheduler.
    pub left: Vec<PlannedPod>,
    /// What the plugin minimised first; what else it tells after that.
    pub objective: Vec<f64>,
    /// How many candidate changes were evaluated.
    pub evaluations: u64,
    /// Why the search ended.
    pub reason: Cow<'static, str>,
    /// Pods that were released with a nomination and are not bound yet.
    pub(super) nominated: Vec<PlannedPod>,
}

/// Where a pod was planned that waits no longer.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The pod.
    pub pod: Arc<PodRow>,
    /// Its node in the plan.
    pub node: Arc<str>,
    /// The plan.
    pub serial: u64,
    /// What became of it.
    pub landing: Landing,
    /// When that was seen.
    pub at: SystemTime,
}

/// A search that gave no plan.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedSearch {
    /// Why, a fallback's label.
    pub reason: Cow<'static, str>,
    /// What an admin should read.
    pub detail: String,
    /// When it ended.
    pub at: SystemTime,
}

/// What is known of a profile's planning.
#[derive(Clone, Debug, Default)]
pub struct Post {
    /// The last plan. Its pods count as planned while the state says that it stands; else it is only remembered.
    pub plan: Option<Arc<PublishedPlan>>,
    /// Whether that plan counts, and if not, why.
    pub state: PlanState,
    /// Whether this process plans gated pods.
    pub duty: Duty,
    /// The last search that failed, however long ago.
    pub failure: Option<FailedSearch>,
    /// Whether all this is the word of another process, which this one follows.
    pub follows: bool,
    /// Whether that one plans gated pods.
    pub is_led: bool,
    /// Whether the profile's mode is shadow: what is planned can be read, and counts for nobody.
    pub is_shadow: bool,
}

/// What another process says of a profile's planning, beside its state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    /// The last plan, if one was made.
    pub(super) plan: Option<PublishedPlan>,
    /// The last search that failed, if one did.
    pub(super) failure: Option<FailedSearch>,
    /// Whether that process plans gated pods.
    pub(super) leads: bool,
}

impl Post {
    /// Whether this process is the one to ask for the profile's plans: it follows nobody, and gated pods are its own
    /// affair, where they are planned at all.
    #[must_use]
    pub fn leads(&self) -> bool {
        !self.follows && self.duty != Duty::NotLeading
    }

    /// From now on what stands here is this process' own.
    fn stand_alone(&mut self) {
        (self.follows, self.is_led) = (false, false);
    }

    /// The plan, if it counts.
    #[must_use]
    pub fn standing(&self) -> Option<&Arc<PublishedPlan>> {
        self.plan.as_ref().filter(|_| self.state == PlanState::Stands && !self.is_shadow)
    }
}

/// What is known of every profile that plans.
#[derive(Debug)]
pub struct Board {
    index: Arc<SharedIndex>,
    post_by_scheduler: Mutex<BTreeMap<Arc<str>, Post>>,
    landed: Mutex<VecDeque<Remembered>>,
    /// Counts changes.
    version: watch::Sender<u64>,
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Tells this board from that of an earlier process: nanoseconds since 1970.
    born: u128,
}

impl Board {
    /// A board without plans.
    #[must_use]
    pub fn new(index: Arc<SharedIndex>) -> Self {
        let born = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let (post_by_scheduler, landed) = (Mutex::default(), Mutex::default());
        Self { index, post_by_scheduler, landed, version: watch::Sender::default(), turn: Arc::default(), born }
    }

    /// Notes that a profile plans, though nothing may wait yet.
    pub(super) fn enrol(&self, scheduler: &Arc<str>) {
        self.posts().entry(Arc::clone(scheduler)).or_default();
        self.turn_version();
    }

    /// Waits until no other profile searches or has yet to publish what it found.
    pub(super) fn turn(&self) -> impl Future<Output = Turn> + use<> {
        Arc::clone(&self.turn).lock_owned()
    }

    /// Names what stands on the board: never the same for different plans, of another process either.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("\"{:x}-{}\"", self.born, *self.version.borrow())
    }

    /// Tells of every change from now on.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// How planning stands in a profile; `None`: it does not plan.
    #[must_use]
    pub fn state(&self, scheduler: &str) -> Option<PlanState> {
        self.posts().get(scheduler).map(|post| post.state)
    }

    /// What is known of a profile; `None`: it does not plan.
    #[must_use]
    pub fn post(&self, scheduler: &str) -> Option<Post> {
        self.posts().get(scheduler).cloned()
    }

    /// All that is known, by scheduler.
    #[must_use]
    pub fn all(&self) -> Vec<(Arc<str>, Post)> {
        self.posts().iter().map(|(scheduler, post)| (Arc::clone(scheduler), post.clone())).collect()
    }

    /// Puts a plan in the place of the profile's former one. `nominated`: pods that were released with a nomination.
    /// Those that the plan knows hold theirs no longer.
    pub(super) fn publish<'a>(
        &self,
        scheduler: &Arc<str>,
        plan: &Plan,
        nominated: impl Iterator<Item = (&'a Arc<PodRow>, &'a Arc<str>)>,
    ) {
        let planned = |(pod, node): (&Arc<PodRow>, Option<&Arc<str>>)| PlannedPod::of(pod, node);
        let published = PublishedPlan {
            serial: plan.serial,
            generation: plan.base.generation(),
            made: SystemTime::now(),
            seconds: plan.took.as_secs_f64(),
            pods: plan.nodes().map(planned).collect(),
            left: plan.left.iter().map(|pod| planned((pod, None))).collect(),
            objective: plan.search.objective.clone(),
            evaluations: plan.search.evaluations,
            reason: reason(plan.search.reason).into(),
            nominated: nominated
                .filter(|(pod, _)| !plan.knows(&pod.uid))
                .map(|(pod, node)| planned((pod, Some(node))))
                .collect(),
        };
        let mut posts = self.posts();
        let post = posts.entry(Arc::clone(scheduler)).or_default();
        post.stand_alone();
        (post.plan, post.state) = (Some(Arc::new(published)), PlanState::Stands);
        self.tell(&posts);
    }

    /// Leaves out of this process' own plan whose nomination holds no node any more.
    pub(super) fn keep_nominated(&self, scheduler: &Arc<str>, is_nominated: impl Fn(&str) -> bool) {
        let mut posts = self.posts();
        let own = posts.get_mut(scheduler).filter(|post| !post.follows);
        let Some(plan) = own.and_then(|post| post.plan.as_mut()) else { return };
        if plan.nominated.iter().any(|pod| !is_nominated(&pod.uid)) {
            Arc::make_mut(plan).nominated.retain(|pod| is_nominated(&pod.uid));
            self.tell(&posts);
        }
    }

    /// Notes whether a profile's mode is shadow.
    pub(super) fn shadow(&self, scheduler: &Arc<str>, is_shadow: bool) {
        let mut posts = self.posts();
        let post = posts.entry(Arc::clone(scheduler)).or_default();
        if std::mem::replace(&mut post.is_shadow, is_shadow) != is_shadow {
            self.tell(&posts);
        }
    }

    /// Puts up how planning stands elsewhere, with all that is told of it.
    pub(super) fn take_over(&self, scheduler: &Arc<str>, told: Told, state: PlanState) {
        let Told { plan, failure, leads } = told;
        let mut posts = self.posts();
        let post = posts.entry(Arc::clone(scheduler)).or_default();
        let (plan, duty, is_shadow) = (plan.map(Arc::new), post.duty, post.is_shadow);
        *post = Post { plan, state, duty, failure, follows: true, is_led: leads, is_shadow };
        self.tell(&posts);
    }

    /// Takes a profile's plan down, if it stood: none counts for the reason that is the state. It stays to be read.
    pub(super) fn withdraw(&self, scheduler: &Arc<str>, state: PlanState) {
        let mut posts = self.posts();
        let post = posts.entry(Arc::clone(scheduler)).or_default();
        post.stand_alone();
        let before = std::mem::replace(&mut post.state, state);
        if before == PlanState::Stands {
            self.tell(&posts);
        } else if before != state {
            self.turn_version();
        }
    }

    /// Notes whether this process plans a profile's gated pods.
    pub(super) fn assign(&self, scheduler: &Arc<str>, duty: Duty) {
        self.posts().entry(Arc::clone(scheduler)).or_default().duty = duty;
        self.turn_version();
    }

    /// Notes a search that gave no plan.
    pub(super) fn note_failure(&self, scheduler: &Arc<str>, failure: FailedSearch) {
        let mut posts = self.posts();
        let post = posts.entry(Arc::clone(scheduler)).or_default();
        post.stand_alone();
        post.failure = Some(failure);
        self.turn_version();
    }

    /// Keeps in mind where a pod was planned that waits no longer; the oldest goes where there are too many.
    pub(super) fn remember(&self, pod: &Arc<PodRow>, node: &Arc<str>, serial: u64, landing: Landing) {
        let (pod, node, at) = (Arc::clone(pod), Arc::clone(node), SystemTime::now());
        let mut landed = self.landed();
        if landed.len() == MEMORY {
            landed.pop_front();
        }
        landed.push_back(Remembered { pod, node, serial, landing, at });
    }

    /// Where a pod was planned last that waits no longer.
    #[must_use]
    pub fn remembered(&self, namespace: &str, pod: &str) -> Option<Remembered> {
        let landed = self.landed();
        landed.iter().rev().find(|landed| *landed.pod.namespace == *namespace && *landed.pod.name == *pod).cloned()
    }

    /// Told under the board's lock, so that no older union overwrites a newer one.
    fn tell(&self, posts: &BTreeMap<Arc<str>, Post>) {
        let standing = posts.values().filter_map(Post::standing);
        let pods = standing.flat_map(|plan| plan.pods.iter().chain(&plan.nominated));
        let planned = pods.filter_map(|planned| Some((Arc::clone(&planned.uid), Arc::clone(planned.node.as_ref()?))));
        self.index.lock().set_plan(planned);
        self.turn_version();
    }

    fn turn_version(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn landed(&self) -> MutexGuard<'_, VecDeque<Remembered>> {
        self.landed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn posts(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Post>> {
        self.post_by_scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reason(reason: TerminationReason) -> &'static str {
    match reason {
        TerminationReason::Budget => "budget",
        TerminationReason::Generations => "generations",
        TerminationReason::Converged => "converged",
        TerminationReason::Trivial => "trivial",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use gantry_cluster::{Index, IndexSettings};
    use serde_json::json;

    use super::*;

    /// The board of a cluster with the node `n` and the waiting pods `p` and `q`.
    fn board() -> Board {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        let node = json!({"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "4"}}});
        index.apply_node(&serde_json::from_value(node).unwrap()).unwrap();
        for name in ["p", "q"] {
            let pod = json!({"metadata": {"name": name, "uid": name}, "spec": {"containers": []}});
            index.apply_pod(&serde_json::from_value(pod).unwrap()).unwrap();
        }
        Board::new(Arc::new(SharedIndex::new(index)))
    }

    fn on_the_node(name: &str) -> PlannedPod {
        let [namespace, name, uid] = ["default", name, name].map(Arc::from);
        PlannedPod { namespace, name, uid, node: Some("n".into()) }
    }

    /// A plan that has `p` on the node, and `q` by its nomination.
    fn plan() -> PublishedPlan {
        PublishedPlan {
            serial: 1,
            generation: 1,
            made: UNIX_EPOCH,
            seconds: 0.0,
            pods: vec![on_the_node("p")],
            left: Vec::new(),
            objective: Vec::new(),
            evaluations: 0,
            reason: "trivial".into(),
            nominated: vec![on_the_node("q")],
        }
    }

    /// Whether `p` and `q` count as planned.
    fn counted(board: &Board) -> [bool; 2] {
        let snapshot = board.index.snapshot(Instant::now());
        ["p", "q"].map(|pod| snapshot.planned_row(pod).is_some())
    }

    #[test]
    fn a_nomination_that_ended_counts_no_longer_and_the_plan_does() {
        let (board, scheduler) = (board(), Arc::from("s"));
        let post = Post { plan: Some(Arc::new(plan())), state: PlanState::Stands, ..Post::default() };
        board.tell(&BTreeMap::from([(Arc::clone(&scheduler), post.clone())]));
        board.posts().insert(Arc::clone(&scheduler), post);
        board.keep_nominated(&scheduler, |_| true);
        assert_eq!(counted(&board), [true, true]);
        board.keep_nominated(&scheduler, |uid| uid != "q");
        assert_eq!(counted(&board), [true, false]);
    }

    #[test]
    fn what_is_planned_in_shadow_counts_for_nobody_and_can_be_read() {
        let (board, scheduler) = (board(), Arc::from("s"));
        let tell = || {
            let told = Told { plan: Some(plan()), ..Told::default() };
            board.take_over(&scheduler, told, PlanState::Stands);
        };
        board.shadow(&scheduler, true);
        tell();
        assert_eq!(counted(&board), [false, false]);
        let post = board.post("s").unwrap();
        assert!(post.plan.is_some() && post.state == PlanState::Stands);
        board.shadow(&scheduler, false);
        assert_eq!(counted(&board), [true, true], "at once, not with the next plan");
        board.shadow(&scheduler, true);
        assert_eq!(counted(&board), [false, false]);
    }
}
