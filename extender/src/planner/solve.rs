//! One search: waiting pods and a snapshot to the component, a plan back.
//!
//! The search runs on a thread of its own. After it the planner rests for as long as it
//! took, so that planning never takes more than half of a core; after a failure longer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gantry_cluster::{GroupColumns, GroupForce, GroupLimit, GroupRule, PodRow, Snapshot};
use gantry_host::types::{self, Budget};

use super::order;
use super::plan::Plan;
use super::reserved::{Reservation, Reserved};
use super::{Planner, TICK};
use crate::columns::Columns;
use crate::cycle::{Cause, Fallback};
use crate::handlers::Context;
use crate::rank;

/// How long a planner waits after a search that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Candidate changes that are worth evaluating for one pod.
const EVALUATIONS_PER_POD: u64 = 20_000;
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
        let (pods, left, groups) = plannable(snapshot, pods);
        let question = Question {
            scheduler: Arc::clone(&self.scheduler),
            snapshot: Arc::clone(snapshot),
            warm_start: self.warm_start(snapshot, &pods),
            reserved,
            budget: Budget { evaluations: self.settings.evaluations.min(EVALUATIONS_PER_POD * pods.len() as u64) },
            seed: rank::seed(&self.scheduler, &self.serial.to_string()),
            pods,
            groups,
        };
        let context = Arc::clone(&self.context);
        let mut search = tokio::task::spawn_blocking(move || (question.ask(&context), question));
        let asked = loop {
            tokio::select! {
                asked = &mut search => break asked,
                () = tokio::time::sleep(TICK) => self.settle(),
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
                self.give_up(fallback.cause.as_str(), &fallback.detail, took)
            }
        }
    }

    fn give_up(&mut self, outcome: &'static str, detail: &str, took: Duration) -> Option<Plan> {
        self.context.metrics.plans.search(&self.scheduler, outcome, took);
        self.not_before = Instant::now() + AFTER_FAILURE;
        tracing::warn!(scheduler = %self.scheduler, reason = outcome, detail, "no plan: pods are scored one by one");
        None
    }

    /// Where the last plan has the pods, in rows of this snapshot.
    fn warm_start(&self, snapshot: &Snapshot, pods: &[Arc<PodRow>]) -> Vec<i32> {
        let Some(plan) = &self.plan else { return Vec::new() };
        let node_by_pod: HashMap<&str, &Arc<str>> =
            plan.nodes().filter_map(|(pod, node)| Some((&*pod.uid, node?))).collect();
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
        let priorities: Vec<i32> = self.pods.iter().map(|pod| pod.priority).collect();
        let topologies: Vec<&[u32]> = self.groups.topologies.iter().map(Vec::as_slice).collect();
        let rules: Vec<types::GroupRule> = self.groups.rules.iter().map(rule).collect();
        let pods = types::Pods {
            classes: &classes,
            requests: &requests,
            warm_start: &self.warm_start,
            priorities: &priorities,
            topologies: &topologies,
            rules: &rules,
        };
        let columns = Columns::new(&self.snapshot, profile.weights());
        if self.reserved.is_empty() {
            return profile.plan(&columns, &pods, self.budget, self.seed, &context.metrics);
        }
        profile.plan(&Reserved::new(columns, &self.reserved), &pods, self.budget, self.seed, &context.metrics)
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
