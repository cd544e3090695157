//! One scheduling cycle: pod and snapshot → plugin → verdicts → answer.
//!
//! Promises that a request that could be read is answered whatever happens: any
//! failure is answered *neutral* (all candidates pass, equal scores, victims as they
//! came) and says why. A cycle reads one snapshot; it writes nothing: what it wants
//! counted as placed is part of its answer, and whoever sends the answer counts it.
//! Knows no HTTP and no clock but the `now` it is given.

mod outcome;
mod policy;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use gantry_cluster::Snapshot;

pub use outcome::{Answer, Assumption, Cause, Disagreement, Fallback, Outcome};

use crate::config::valid::PlanMode;
use crate::decision::{Choice, NAMED, Trace};
use crate::metrics::Metrics;
use crate::profile::Profile;
use crate::rank;
use crate::view::{Cluster, View};
use crate::wire::args::{Candidates, PodPart, Request};
use crate::wire::prioritize::Priority;
use crate::wire::{filter, preempt, prioritize};

/// Answers requests: the cluster as it is known, and what to ask whom for whose pods.
#[derive(Debug)]
pub struct Cycles {
    cluster: Arc<Cluster>,
    profile_by_scheduler: HashMap<String, Profile>,
    metrics: Arc<Metrics>,
}

impl Cycles {
    /// One profile a scheduler's name.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>, profiles: Vec<Profile>, metrics: Arc<Metrics>) -> Self {
        let profile_by_scheduler =
            profiles.into_iter().map(|profile| (profile.scheduler_name().to_owned(), profile)).collect();
        Self { cluster, profile_by_scheduler, metrics }
    }

    /// The profiles, in no order.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profile_by_scheduler.values()
    }

    /// The profile of a scheduler's pods.
    #[must_use]
    pub fn profile_of(&self, scheduler: &str) -> Option<&Profile> {
        self.profile_by_scheduler.get(scheduler)
    }

    /// Which candidates may stay. A pod that no profile speaks of passes untouched.
    #[must_use]
    pub fn filter(&self, request: &Request, now: Instant) -> Answer {
        let pass = || filter::pass_all(&request.candidates);
        let Some(profile) = self.profile(&request.pod) else { return Answer::neutral(pass(), None) };
        match self.judge(profile, request, now) {
            Ok((view, refusals)) => {
                let assumption = only_one(&request.candidates, &refusals).map(|node| Assumption::new(&view.pod, node));
                let trace = Trace { refused: refused(&refusals), ..trace(&view, request.candidates.len()) };
                Answer::ok(filter::answer(&request.candidates, &refusals), assumption).with(trace)
            }
            Err(fallback) => Answer::neutral(pass(), Some(fallback)),
        }
    }

    /// How good each candidate is.
    #[must_use]
    pub fn prioritize(&self, request: &Request, now: Instant) -> Answer {
        let equal = || prioritize::equal(&request.candidates);
        let Some(profile) = self.profile(&request.pod) else { return Answer::neutral(equal(), None) };
        let preferred = self.preferred(profile, request, now);
        preferred.unwrap_or_else(|fallback| Answer::neutral(equal(), Some(fallback)))
    }

    /// Which evictions make sense: none on a node that the filter would refuse all the same.
    #[must_use]
    pub fn preempt(&self, request: &preempt::Request, now: Instant) -> Answer {
        let same = || preempt::answer(&request.candidates);
        let Some(profile) = self.profile(&request.pod) else { return Answer::neutral(same(), None) };
        match self.sensible(profile, request, now) {
            Ok((view, kept)) => {
                let trace = trace(&view, request.candidates.len());
                Answer::ok(preempt::answer(kept), None).with(trace)
            }
            Err(fallback) => Answer::neutral(same(), Some(fallback)),
        }
    }

    /// The fallback that stands for a request's own failure, such as a missed deadline.
    #[must_use]
    pub fn fallback(&self, pod: &PodPart, cause: Cause, detail: &str) -> Option<Fallback> {
        Some(Fallback::new(self.profile(pod)?.plugin_name(), cause, detail))
    }

    fn profile(&self, pod: &PodPart) -> Option<&Profile> {
        self.profile_of(&pod.head.spec.scheduler_name)
    }

    fn view(
        &self,
        profile: &Profile,
        pod: &PodPart,
        nodes: Option<&Candidates>,
        now: Instant,
    ) -> Result<View, Fallback> {
        self.cluster
            .view(pod, nodes, now)
            .map_err(|error| Fallback::new(profile.plugin_name(), error.cause(), &error.to_string()))
    }

    fn judge(
        &self,
        profile: &Profile,
        request: &Request,
        now: Instant,
    ) -> Result<(View, Vec<Option<filter::Refusal>>), Fallback> {
        let view = self.view(profile, &request.pod, Some(&request.candidates), now)?;
        let verdicts = profile.filter(&view, &self.metrics)?;
        let judgement = policy::judge(&rows(&view.snapshot, &request.candidates), &verdicts);
        for (disagreement, candidates) in judgement.disagreements {
            self.metrics.disagreement(disagreement, candidates);
        }
        Ok((view, judgement.refusals))
    }

    fn preferred(&self, profile: &Profile, request: &Request, now: Instant) -> Result<Answer, Fallback> {
        let view = self.view(profile, &request.pod, Some(&request.candidates), now)?;
        let rows = rows(&view.snapshot, &request.candidates);
        if let Some(position) = self.planned(profile, &view, &rows) {
            return Ok(follow(request, &view, position));
        }
        Ok(match self.rate(profile, &view, &rows)? {
            Some(scores) => rank_candidates(request, profile, &view, &scores),
            None => Answer::neutral(prioritize::equal(&request.candidates), None),
        })
    }

    /// The candidate that the plan has for the pod, where the profile follows plans. One that kube-scheduler did not
    /// offer is counted: above 100 nodes it shows only a sample of them unless `percentageOfNodesToScore` is 100.
    fn planned(&self, profile: &Profile, view: &View, rows: &[Option<u32>]) -> Option<usize> {
        let planning = profile.planning()?;
        let planned = view.snapshot.planned_row(&view.pod.uid)?;
        let position = rows.iter().position(|row| *row == Some(planned));
        if position.is_none() {
            self.metrics.plans.not_offered(profile.scheduler_name());
        }
        position.filter(|_| planning.mode == PlanMode::Follow)
    }

    /// One score a candidate; `None` where not one of them is a row of ours.
    fn rate(&self, profile: &Profile, view: &View, rows: &[Option<u32>]) -> Result<Option<Vec<f64>>, Fallback> {
        if rows.iter().all(Option::is_none) {
            return Ok(None);
        }
        let scores = profile.score(view, &self.metrics)?;
        let score = |row: &Option<u32>| row.and_then(|row| scores.get(row as usize).copied()).unwrap_or(rank::UNKNOWN);
        Ok(Some(rows.iter().map(score).collect()))
    }

    fn sensible<'a>(
        &self,
        profile: &Profile,
        request: &'a preempt::Request<'a>,
        now: Instant,
    ) -> Result<(View, Vec<&'a preempt::Candidate<'a>>), Fallback> {
        let view = self.view(profile, &request.pod, None, now)?;
        let verdicts = profile.filter(&view, &self.metrics)?;
        let keeps = |candidate: &&preempt::Candidate| {
            let Some(row) = view.snapshot.row(&candidate.node) else { return true };
            let verdict = verdicts.get(row as usize).copied().unwrap_or(policy::PASS);
            !policy::refuses_after_eviction(verdict) && self.has_room(&view, row, candidate)
        };
        let kept = request.candidates.iter().filter(keeps).collect();
        Ok((view, kept))
    }

    /// Whether the pod fits once the victims are gone. Where our view does not hold all of the victims it is older
    /// than kube-scheduler's own, which has found room: believe it.
    fn has_room(&self, view: &View, row: u32, candidate: &preempt::Candidate) -> bool {
        let uids: HashSet<&str> = candidate.victims.iter().map(|uid| &**uid).collect();
        let Some(left) = self.cluster.requested_without(&candidate.node, &uids) else { return true };
        policy::fits(&view.snapshot, row, &view.pod.request, &left, uids.len())
    }
}

/// The planned candidate has 10, every other 0.
fn follow(request: &Request, view: &View, position: usize) -> Answer {
    let mut priorities = vec![Priority::MIN; request.candidates.len()];
    priorities[position] = Priority::MAX;
    let assumption = Assumption::new(&view.pod, request.candidates.name(position));
    let trace = Trace { follows_plan: true, ..trace(view, request.candidates.len()) };
    Answer::ok(prioritize::answer(&request.candidates, &priorities), Some(assumption)).with(trace)
}

fn rank_candidates(request: &Request, profile: &Profile, view: &View, scores: &[f64]) -> Answer {
    let order = rank::order(scores, rank::seed(&view.pod.uid, profile.scheduler_name()));
    let body = prioritize::answer(&request.candidates, &rank::priorities(&order));
    let name = |position: usize| request.candidates.name(position);
    let choice = |position: &usize| Choice { node: name(*position).to_owned(), score: scores[*position] };
    let best = order.iter().take(NAMED).map(choice).collect();
    let assumption = order.first().map(|position| Assumption::new(&view.pod, name(*position)));
    Answer::ok(body, assumption).with(Trace { best, ..trace(view, request.candidates.len()) })
}

/// What any cycle can tell.
fn trace(view: &View, candidates: usize) -> Trace {
    let planned = view.snapshot.planned_row(&view.pod.uid).and_then(|row| view.snapshot.name(row)).cloned();
    Trace { generation: view.snapshot.generation(), candidates, planned, ..Trace::default() }
}

/// How many candidates are refused for each reason.
fn refused(refusals: &[Option<filter::Refusal>]) -> Vec<(&'static str, usize)> {
    let count = |refusal: filter::Refusal| refusals.iter().filter(|other| **other == Some(refusal)).count();
    let counts = filter::Refusal::ALL.map(|refusal| (refusal.text(), count(refusal)));
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// The node that the pod will go to, as no other is left: kube-scheduler asks no further then.
fn only_one<'a>(candidates: &'a Candidates, refusals: &[Option<filter::Refusal>]) -> Option<&'a str> {
    let mut kept = refusals.iter().enumerate().filter(|(_, refusal)| refusal.is_none());
    let (position, _) = kept.next()?;
    kept.next().is_none().then(|| candidates.name(position))
}

fn rows(snapshot: &Snapshot, candidates: &Candidates) -> Vec<Option<u32>> {
    candidates.names().map(|name| snapshot.row(name)).collect()
}
