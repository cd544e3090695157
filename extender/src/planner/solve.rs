//! One search: waiting pods and a snapshot to the component, a plan back.
//!
//! The search runs on a thread of its own. After it the planner rests for as long as it
//! took, so that planning never takes more than half of a core; after a failure a second
//! at least.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gantry_cluster::{GroupColumns, GroupForce, GroupLimit, GroupRule, PodRow, Snapshot};
use gantry_host::types::{self, Budget};

use super::order;
use super::plan::Plan;
use super::reserved::{Reservation, Reserved};
use super::{FailedSearch, PlanState, Planner, TICK};
use crate::columns::Columns;
use crate::cycle::{Cause, Fallback};
use crate::events::Subject;
use crate::handlers::Context;
use crate::rank;

/// How long a planner waits at least after a search that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// No row in an earlier plan.
const NOWHERE: i32 = -1;

impl Planner {
    /// Plans `pods`, the urgent ones first; `None` where the component failed, which is told.
    pub(super) async fn solve(
        &mut self,
        snapshot: &Arc<Snapshot>,
        pods: Vec<Arc<PodRow>>,
        reserved: Vec<Reservation>,
    ) -> Option<Plan> {
        let start = Instant::now();
        self.serial += 1;
        self.tell_of_search();
        let (pods, left, groups) = plannable(snapshot, pods);
        let question = Question {
            scheduler: Arc::clone(&self.scheduler),
            snapshot: Arc::clone(snapshot),
            warm_start: self.warm_start(snapshot, &pods),
            reserved,
            budget: Budget { evaluations: self.settings.budget(pods.len()) },
            seed: rank::seed(&self.scheduler, &self.serial.to_string()),
            pods,
            groups,
        };
        let context = Arc::clone(&self.context);
        let mut search = tokio::task::spawn_blocking(move || (question.ask(&context), question));
        let asked = loop {
            tokio::select! {
                asked = &mut search => break asked,
                () = tokio::time::sleep(TICK) => {
                    self.settle();
                    self.note_duty();
                }
            }
        };
        let took = start.elapsed();
        let (answer, question) = match asked {
            Ok((answer, question)) => (answer, question),
            Err(panicked) => return self.give_up("unavailable", &panicked.to_string(), took),
        };
        match answer {
            Ok(mut search) => {
                order::mend(&question.snapshot, &question.pods, &question.groups, &mut search.rows);
                self.context.metrics.plans.search(&self.scheduler, "ok", took);
                self.not_before = Instant::now() + took;
                let ordered = order::ordered(&question.groups);
                Some(Plan::new(self.serial, question.snapshot, question.pods, &left, ordered, search, took))
            }
            Err(fallback) => {
                self.context.metrics.fallback(&fallback.plugin, fallback.cause);
                // One stands for all: the others wait for the same reason.
                if let Some(pod) = question.pods.first() {
                    self.context.events.fallback(&Subject::from(&**pod), &fallback, Instant::now());
                }
                self.give_up(fallback.cause.as_str(), &fallback.detail, took)
            }
        }
    }

    /// Where no plan counts one is on its way, unless the last search failed: that is so until another does better.
    fn tell_of_search(&mut self) {
        let has_failed = self.context.board.state(&self.scheduler) == Some(PlanState::SearchFailed);
        if self.plan.is_none() && !has_failed {
            self.take_down(PlanState::Searching);
        }
    }

    /// What no search can renew counts no longer: something contradicts it, or its time is up.
    fn give_up(&mut self, reason: &'static str, detail: &str, took: Duration) -> Option<Plan> {
        self.context.metrics.plans.search(&self.scheduler, reason, took);
        self.not_before = Instant::now() + AFTER_FAILURE.max(took);
        tracing::warn!(scheduler = %self.scheduler, reason, detail, ?took, "no plan: pods are scored one by one");
        // An open breaker says nothing of why it opened.
        if reason != Cause::BreakerOpen.as_str() {
            let failure = FailedSearch { reason, detail: detail.to_owned(), at: SystemTime::now() };
            self.context.board.note_failure(&self.scheduler, failure);
        }
        self.take_down(PlanState::SearchFailed);
        None
    }

    /// Where the last plan, ours or that of a leader before us, has the pods, in rows of this snapshot.
    fn warm_start(&self, snapshot: &Snapshot, pods: &[Arc<PodRow>]) -> Vec<i32> {
        let plan = self.context.board.post(&self.scheduler).and_then(|post| post.plan);
        let Some(plan) = plan else { return Vec::new() };
        let node_by_pod: HashMap<&str, &Arc<str>> =
            plan.pods.iter().filter_map(|planned| Some((&*planned.uid, planned.node.as_ref()?))).collect();
        let row = |pod: &Arc<PodRow>| snapshot.row(node_by_pod.get(&*pod.uid)?);
        pods.iter().map(|pod| row(pod).map_or(NOWHERE, |row| row as i32)).collect()
    }
}

/// The pods whose demands rules can express, the others, and the rules between the former.
fn plannable(snapshot: &Snapshot, pods: Vec<Arc<PodRow>>) -> (Vec<Arc<PodRow>>, Vec<Arc<PodRow>>, GroupColumns) {
    let groups = snapshot.groups(&pods);
    if groups.unplannable.is_empty() {
        return (pods, Vec::new(), groups);
    }
    let left = groups.unplannable.iter().map(|position| Arc::clone(&pods[*position as usize])).collect();
    let (plannable, groups) = groups.renumbered(pods.len());
    let pods = plannable.iter().map(|position| Arc::clone(&pods[*position as usize])).collect();
    (pods, left, groups)
}

/// All that a search needs, to be taken to another thread.
struct Question {
    scheduler: Arc<str>,
    snapshot: Arc<Snapshot>,
    pods: Vec<Arc<PodRow>>,
    groups: GroupColumns,
    warm_start: Vec<i32>,
    reserved: Vec<Reservation>,
    budget: Budget,
    seed: u64,
}

impl Question {
    fn ask(&self, context: &Context) -> Result<types::Plan, Fallback> {
        let profile = context.cycles.profile_of(&self.scheduler);
        let profile = profile.ok_or_else(|| Fallback::new("", Cause::BadPod, "the profile is gone"))?;
        let classes: Vec<u32> = self.pods.iter().map(|pod| pod.class).collect();
        let requests: Vec<f64> = self.pods.iter().flat_map(|pod| pod.request.iter().copied()).collect();
        let estimates: Vec<f64> = self.pods.iter().flat_map(|pod| self.snapshot.estimate(pod)).collect();
        let priorities: Vec<i32> = self.pods.iter().map(|pod| pod.priority).collect();
        let topologies: Vec<&[u32]> = self.groups.topologies.iter().map(Vec::as_slice).collect();
        let rules: Vec<types::GroupRule> = self.groups.rules.iter().map(rule).collect();
        let pods = types::Pods {
            classes: &classes,
            requests: &requests,
            estimates: &estimates,
            warm_start: &self.warm_start,
            priorities: &priorities,
            topologies: &topologies,
            rules: &rules,
        };
        let columns = Columns::new(&self.snapshot, profile.weights());
        if self.reserved.is_empty() {
            return profile.plan(&self.snapshot, &columns, &pods, self.budget, self.seed, &context.metrics);
        }
        let columns = Reserved::new(columns, &self.snapshot, &self.reserved);
        profile.plan(&self.snapshot, &columns, &pods, self.budget, self.seed, &context.metrics)
    }
}

fn rule(rule: &GroupRule) -> types::GroupRule<'_> {
    let limit = match rule.limit {
        GroupLimit::AtMost(most) => types::Limit::AtMost(most),
        GroupLimit::Skew(skew) => types::Limit::Skew(skew),
        GroupLimit::Together => types::Limit::Together,
    };
    let force = match rule.force {
        GroupForce::Hard => types::Force::Hard,
        GroupForce::Soft(weight) => types::Force::Soft(weight),
    };
    types::GroupRule { topology: rule.topology, pods: &rule.pods, existing: &rule.existing, limit, force }
}
