//! One search: waiting pods and a snapshot to the component, a plan back.
//!
//! The search runs on a thread of its own, behind those that answer requests, and in
//! turn with those of other profiles, whose plans it counts as room that is taken. After
//! it the planner rests for as long as it took, so that planning never takes more than
//! half of a core; after a failure a second at least.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use gantry_cluster::{GroupColumns, GroupForce, GroupLimit, GroupRule, PodRow, Snapshot};
use gantry_host::Reason;
use gantry_host::types::{self, Budget};

use super::order;
use super::plan::{Basis, Plan, Turn};
use super::reserved::{Reservation, Reserved};
use super::{Deviation, FailedSearch, PlanState, Planner, TICK};
use crate::background;
use crate::columns::Columns;
use crate::cycle::{Cause, Fallback};
use crate::events::Subject;
use crate::handlers::Context;
use crate::profile::Combined;
use crate::rank;

/// How long a planner waits at least after a search that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// After something that spares most of a plan, so many pods that keep their place are searched for as for one that has none.
const KEPT: u64 = 8;
/// No row in an earlier plan.
const NOWHERE: i32 = -1;

impl Planner {
    /// Plans `pods`, the urgent ones first, because of `cause`; `None` where the component failed, which is told.
    pub(super) async fn solve(
        &mut self,
        snapshot: &Arc<Snapshot>,
        pods: Vec<Arc<PodRow>>,
        reserved: Vec<Reservation>,
        cause: Deviation,
    ) -> Option<Plan> {
        self.serial += 1;
        self.planned_under = Weak::clone(&self.profile);
        self.tell_of_search();
        let turn = self.context.board.turn();
        let turn = self.attend(turn).await;
        let start = Instant::now();
        let now = self.index.snapshot(start);
        let reserved = Reservation::with_plans(reserved, snapshot, &now, &self.scheduler);
        let question = self.question(snapshot, pods, reserved, cause);
        let context = Arc::clone(&self.context);
        let search = background::run("gantry-plan", move || (question.answer(&context), question));
        let search = match search {
            Ok(search) => search,
            Err(error) => return self.give_up("unavailable", &format!("no thread: {error}"), start.elapsed()),
        };
        let asked = self.attend(search).await;
        let took = start.elapsed();
        match asked {
            Ok((Ok(found), question)) => {
                self.note_whole(&question, start, took);
                self.tell_of_failures(&found.left_out, &question.basis, took);
                Some(self.found(found.answer, question.basis, turn, took))
            }
            Ok((Err(failures), question)) => {
                self.tell_of_failures(&failures, &question.basis, took);
                let (reason, detail) =
                    failures.first().map_or(("unavailable", ""), |one| (one.cause.as_str(), &*one.detail));
                self.give_up(reason, detail, took)
            }
            Err(_closed) => self.give_up("unavailable", "the search panicked", took),
        }
    }

    /// Waits for `work` without losing sight of what happens meanwhile.
    async fn attend<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(TICK) => {
                    self.settle();
                    self.note_duty();
                }
            }
        }
    }

    fn question(
        &self,
        snapshot: &Arc<Snapshot>,
        pods: Vec<Arc<PodRow>>,
        reserved: Vec<Reservation>,
        cause: Deviation,
    ) -> Question {
        let profile = self.context.cycles.profile_of(&self.scheduler);
        let weights = profile.as_ref().map_or(&[][..], |profile| profile.weights());
        let (pods, left, groups) = plannable(snapshot, pods, &reserved, weights);
        let warm_start = self.warm_start(snapshot, &pods);
        let whole = self.pace.of(self.settings.budget(pods.len()));
        let is_due = self.searched_whole.is_none_or(|at| at.elapsed() > self.settings.ttl);
        let is_whole = is_due || !cause.spares_the_rest();
        let evaluations = if is_whole { whole } else { in_part(whole, &warm_start) };
        Question {
            is_whole,
            scheduler: Arc::clone(&self.scheduler),
            warm_start,
            budget: Budget { evaluations },
            seed: rank::seed(&self.scheduler, &self.serial.to_string()),
            basis: Basis { snapshot: Arc::clone(snapshot), pods, left, groups, reserved },
        }
    }

    /// Only a search of the whole budget tells whether there is time for more.
    fn note_whole(&mut self, question: &Question, start: Instant, took: Duration) {
        if question.is_whole && !question.basis.pods.is_empty() {
            self.searched_whole = Some(start);
            self.pace.kept(took);
        }
    }

    fn found(&mut self, search: types::Plan, basis: Basis, turn: Turn, took: Duration) -> Plan {
        self.context.metrics.plans.search(&self.scheduler, "ok", took);
        self.not_before = Instant::now() + took;
        let mut plan = Plan::new(self.serial, basis, search, took);
        plan.turn = Some(turn);
        plan
    }

    fn tell_of_failures(&mut self, failures: &[Fallback], basis: &Basis, took: Duration) {
        for failure in failures {
            if failure.cause == Cause::Plugin(Reason::Deadline) {
                self.pace.missed(took);
            }
            self.context.metrics.fallback(&self.scheduler, &failure.plugin, failure.cause);
            // One stands for all: the others wait for the same reason.
            if let Some(pod) = basis.pods.first() {
                self.context.events.fallback(&Subject::from(&**pod), failure, Instant::now());
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
    pub(super) fn give_up(&mut self, reason: &'static str, detail: &str, took: Duration) -> Option<Plan> {
        self.context.metrics.plans.search(&self.scheduler, reason, took);
        self.not_before = Instant::now() + AFTER_FAILURE.max(took);
        tracing::warn!(scheduler = %self.scheduler, reason, detail, ?took, "no plan: pods are scored one by one");
        // An open breaker says nothing of why it opened.
        if reason != Cause::BreakerOpen.as_str() {
            let failure = FailedSearch { reason: reason.into(), detail: detail.to_owned(), at: SystemTime::now() };
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

/// The pods whose demands rules can express, the others, and the rules between the former. Pods whose class had to make
/// room are among the others: nobody knows any more where they may run. And so are those that weigh nothing: to the
/// objective all nodes are the same for them, and one that is named would get them all.
fn plannable(
    snapshot: &Snapshot,
    pods: Vec<Arc<PodRow>>,
    reserved: &[Reservation],
    weights: &[f64],
) -> (Vec<Arc<PodRow>>, Vec<Arc<PodRow>>, GroupColumns) {
    let promised: Vec<_> = reserved.iter().map(|claim| (claim.row, Arc::clone(&claim.pod))).collect();
    let is_plannable = |pod: &Arc<PodRow>| snapshot.class(pod.class).is_some() && weighs(snapshot, pod, weights);
    let (pods, mut left): (Vec<_>, Vec<_>) = pods.into_iter().partition(is_plannable);
    let groups = snapshot.groups_beside(&pods, &promised);
    if groups.unplannable.is_empty() {
        return (pods, left, groups);
    }
    left.extend(groups.unplannable.iter().map(|position| Arc::clone(&pods[*position as usize])));
    let (plannable, groups) = groups.renumbered(pods.len());
    let pods = plannable.iter().map(|position| Arc::clone(&pods[*position as usize])).collect();
    (pods, left, groups)
}

/// Whether a pod asks for anything that the profile weighs, or is expected to use any of it.
fn weighs(snapshot: &Snapshot, pod: &PodRow, weights: &[f64]) -> bool {
    let counts = |amounts: &[f64]| amounts.iter().zip(weights).any(|(amount, weight)| amount * weight > 0.0);
    counts(&pod.request) || counts(&snapshot.estimate(pod))
}

/// Where all pods are left to kube-scheduler nobody need be asked.
fn nothing() -> types::Plan {
    types::Plan {
        rows: Vec::new(),
        objective: Vec::new(),
        violation: 0.0,
        evaluations: 0,
        generations: 0,
        reason: types::TerminationReason::Trivial,
    }
}

/// What of a budget a search needs that starts from these rows, most of which are as good as they were.
fn in_part(whole: u64, warm_start: &[i32]) -> u64 {
    let all = warm_start.len() as u64;
    let kept = warm_start.iter().filter(|row| **row != NOWHERE).count() as u64;
    whole.saturating_mul(all - kept + kept.div_ceil(KEPT)).checked_div(all).unwrap_or(whole)
}

/// All that a search needs, to be taken to another thread.
struct Question {
    scheduler: Arc<str>,
    basis: Basis,
    warm_start: Vec<i32>,
    /// Whether all pods are searched for, and not only those that lost their place.
    is_whole: bool,
    budget: Budget,
    seed: u64,
}

impl Question {
    /// What the component answers, kept to what it need not know: the dictionary, which holds whatever a plugin says, and
    /// the order in which kube-scheduler binds.
    fn answer(&self, context: &Context) -> Result<Combined<types::Plan>, Vec<Fallback>> {
        let mut found = self.ask(context)?;
        let Basis { snapshot, pods, .. } = &self.basis;
        for (pod, row) in pods.iter().zip(&mut found.answer.rows) {
            let permits = |row| snapshot.class(pod.class).is_none_or(|class| class.is_permitted(row));
            if u32::try_from(*row).is_ok_and(|row| !permits(row)) {
                *row = NOWHERE;
            }
        }
        order::mend(&self.basis, &mut found.answer.rows);
        Ok(found)
    }

    fn ask(&self, context: &Context) -> Result<Combined<types::Plan>, Vec<Fallback>> {
        let profile = context.cycles.profile_of(&self.scheduler);
        let profile = profile.ok_or_else(|| vec![Fallback::new("", Cause::BadPod, "the profile is gone")])?;
        if self.basis.pods.is_empty() {
            return Ok(Combined { answer: nothing(), left_out: Vec::new(), asked: Vec::new() });
        }
        let Basis { snapshot, pods, groups, reserved, .. } = &self.basis;
        let classes: Vec<u32> = pods.iter().map(|pod| pod.class).collect();
        let requests: Vec<f64> = pods.iter().flat_map(|pod| pod.request.iter().copied()).collect();
        let estimates: Vec<f64> = pods.iter().flat_map(|pod| snapshot.estimate(pod)).collect();
        let priorities: Vec<i32> = pods.iter().map(|pod| pod.priority).collect();
        let topologies: Vec<&[u32]> = groups.topologies.iter().map(Vec::as_slice).collect();
        let rules: Vec<types::GroupRule> = groups.rules.iter().map(rule).collect();
        let pods = types::Pods {
            classes: &classes,
            requests: &requests,
            estimates: &estimates,
            warm_start: &self.warm_start,
            priorities: &priorities,
            topologies: &topologies,
            rules: &rules,
        };
        let columns = Columns::new(snapshot, profile.weights());
        if reserved.is_empty() {
            return profile.plan(snapshot, &columns, &pods, self.budget, self.seed, &context.metrics);
        }
        let columns = Reserved::new(columns, snapshot, reserved);
        profile.plan(snapshot, &columns, &pods, self.budget, self.seed, &context.metrics)
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

#[cfg(test)]
mod tests {
    use gantry_cluster::{EstimateSettings, Index, IndexSettings};
    use serde_json::{Value, json};

    use super::*;

    /// Of pods that ask for this and may run there, by name, those that are planned and those that are left.
    fn split(settings: IndexSettings, pods: &[(&str, Value, Value)], weights: &[f64]) -> [Vec<String>; 2] {
        let mut index = Index::new(settings).unwrap();
        for (name, requests, selector) in pods {
            let containers = json!([{"name": "c", "resources": {"requests": requests}}]);
            let spec = json!({"containers": containers, "nodeSelector": selector});
            let pod = json!({"metadata": {"name": name, "uid": name}, "spec": spec});
            index.apply_pod(&serde_json::from_value(pod).unwrap()).unwrap();
        }
        let snapshot = index.snapshot();
        let mut pods: Vec<Arc<PodRow>> = snapshot.pending().cloned().collect();
        pods.sort_by(|one, other| one.name.cmp(&other.name));
        let (plannable, left, _) = plannable(&snapshot, pods, &[], weights);
        [plannable, left].map(|pods| pods.iter().map(|pod| pod.name.to_string()).collect())
    }

    #[test]
    fn pods_that_keep_their_place_are_searched_for_an_eighth_as_long() {
        assert_eq!(in_part(8_000, &[]), 8_000);
        assert_eq!(in_part(8_000, &[NOWHERE; 80]), 8_000);
        assert_eq!(in_part(8_000, &[3; 80]), 1_000);
        assert_eq!(in_part(8_000, &[[3; 40], [NOWHERE; 40]].concat()), 4_500);
    }

    #[test]
    fn a_pod_whose_class_had_to_make_room_is_left_to_kube_scheduler() {
        let settings = IndexSettings { max_classes: 1, ..IndexSettings::default() };
        let pods = ["a", "b"].map(|name| (name, json!({"cpu": "1"}), json!({"of": name})));
        assert_eq!(split(settings, &pods, &[1.0; 4]), [["b"], ["a"]]);
    }

    #[test]
    fn a_pod_that_asks_for_nothing_that_is_weighed_is_left_to_kube_scheduler() {
        let pods = [("cpu", json!({"cpu": "1"})), ("memory", json!({"memory": "1Gi"})), ("nothing", json!({}))];
        let pods = pods.map(|(name, requests)| (name, requests, json!({})));
        let default = IndexSettings::default;
        assert_eq!(split(default(), &pods, &[1.0; 4]), [vec!["cpu", "memory"], vec!["nothing"]]);
        assert_eq!(split(default(), &pods, &[1.0, 0.0, 0.0, 0.0]), [vec!["cpu"], vec!["memory", "nothing"]]);
        let guesses = IndexSettings { estimates: Some(EstimateSettings::default()), ..default() };
        assert_eq!(split(guesses, &pods, &[1.0; 4]), [vec!["cpu", "memory", "nothing"], vec![]]);
    }
}
