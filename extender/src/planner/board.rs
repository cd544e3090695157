//! Where plans are published: to the index, which tells requests, and to admins.
//!
//! Pods count as planned on their nodes from here on, those of all profiles together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gantry_cluster::{PodRow, SharedIndex};
use gantry_host::types::TerminationReason;

use super::ledger::Landing;
use super::plan::Plan;

/// Pods remembered after they landed.
const MEMORY: usize = 4096;

/// What a plan says of a pod.
#[derive(Clone, Debug)]
pub struct PlannedPod {
    /// The pod.
    pub pod: Arc<PodRow>,
    /// Its node; `None`: there was no room.
    pub node: Option<Arc<str>>,
}

/// A plan as the rest of the process sees it.
#[derive(Clone, Debug)]
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
    /// What the plugin minimised first; what else it tells after that.
    pub objective: Vec<f64>,
    /// How many candidate changes were evaluated.
    pub evaluations: u64,
    /// Why the search ended.
    pub reason: &'static str,
    /// Pods that were released with a nomination and are not bound yet.
    nominated: Vec<PlannedPod>,
    /// Whether its pods count as planned; else it is only remembered.
    pub stands: bool,
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

/// The plans that count, one a profile.
#[derive(Debug)]
pub struct Board {
    index: Arc<SharedIndex>,
    plan_by_scheduler: Mutex<BTreeMap<Arc<str>, Arc<PublishedPlan>>>,
    landed: Mutex<VecDeque<Remembered>>,
}

impl Board {
    /// A board without plans.
    #[must_use]
    pub fn new(index: Arc<SharedIndex>) -> Self {
        Self { index, plan_by_scheduler: Mutex::default(), landed: Mutex::default() }
    }

    /// The plan of a profile.
    #[must_use]
    pub fn plan(&self, scheduler: &str) -> Option<Arc<PublishedPlan>> {
        self.plans().get(scheduler).cloned()
    }

    /// All plans, by scheduler.
    #[must_use]
    pub fn all(&self) -> Vec<(Arc<str>, Arc<PublishedPlan>)> {
        self.plans().iter().map(|(scheduler, plan)| (Arc::clone(scheduler), Arc::clone(plan))).collect()
    }

    /// Puts a plan in the place of the profile's former one. `nominated`: pods that hold a node by nomination.
    pub(super) fn publish<'a>(
        &self,
        scheduler: &Arc<str>,
        plan: &Plan,
        nominated: impl Iterator<Item = (&'a Arc<PodRow>, &'a Arc<str>)>,
    ) {
        let planned =
            |(pod, node): (&Arc<PodRow>, Option<&Arc<str>>)| PlannedPod { pod: Arc::clone(pod), node: node.cloned() };
        let published = PublishedPlan {
            serial: plan.serial,
            generation: plan.base.generation(),
            made: SystemTime::now(),
            seconds: plan.took.as_secs_f64(),
            pods: plan.nodes().map(planned).collect(),
            objective: plan.search.objective.clone(),
            evaluations: plan.search.evaluations,
            reason: reason(plan.search.reason),
            nominated: nominated.map(|(pod, node)| planned((pod, Some(node)))).collect(),
            stands: true,
        };
        let mut plans = self.plans();
        plans.insert(Arc::clone(scheduler), Arc::new(published));
        self.tell(&plans);
    }

    /// Takes a profile's plan down: nothing waits. It stays to be read.
    pub(super) fn withdraw(&self, scheduler: &str) {
        let mut plans = self.plans();
        if let Some(plan) = plans.get_mut(scheduler) {
            *plan = Arc::new(PublishedPlan { stands: false, ..PublishedPlan::clone(plan) });
            self.tell(&plans);
        }
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

    fn landed(&self) -> MutexGuard<'_, VecDeque<Remembered>> {
        self.landed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told under the board's lock, so that no older union overwrites a newer one.
    fn tell(&self, plans: &BTreeMap<Arc<str>, Arc<PublishedPlan>>) {
        let pods = plans.values().filter(|plan| plan.stands).flat_map(|plan| plan.pods.iter().chain(&plan.nominated));
        let planned =
            pods.filter_map(|planned| Some((Arc::clone(&planned.pod.uid), Arc::clone(planned.node.as_ref()?))));
        self.index.lock().set_plan(planned);
    }

    fn plans(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<PublishedPlan>>> {
        self.plan_by_scheduler.lock().unwrap_or_else(PoisonError::into_inner)
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
