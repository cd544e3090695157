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
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use gantry_cluster::Snapshot;

pub use outcome::{Answer, Assumption, Cause, Disagreement, Fallback, Outcome};

use crate::config::valid::{Mode, PlanMode};
use crate::decision::{Choice, NAMED, Trace};
use crate::metrics::Metrics;
use crate::profile::{Combined, Profile, Profiles};
use crate::rank;
use crate::view::{Cluster, View};
use crate::wire::args::{Candidates, PodPart, Request};
use crate::wire::prioritize::Priority;
use crate::wire::{filter, preempt, prioritize};

/// Answers requests: the cluster as it is known, and what to ask whom for whose pods.
#[derive(Debug)]
pub struct Cycles {
    cluster: Arc<Cluster>,
    /// Swapped whole; a cycle keeps the profile that it began with.
    profile_by_scheduler: RwLock<Arc<HashMap<String, Arc<Profile>>>>,
    metrics: Arc<Metrics>,
}

impl Cycles {
    /// One profile a scheduler's name.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>, profiles: Profiles, metrics: Arc<Metrics>) -> Self {
        Self { cluster, profile_by_scheduler: RwLock::new(by_scheduler(profiles)), metrics }
    }

    /// The profiles, by their schedulers' names.
    #[must_use]
    pub fn profiles(&self) -> Profiles {
        let mut profiles: Profiles = self.active().values().cloned().collect();
        profiles.sort_by(|one, other| one.scheduler_name().cmp(other.scheduler_name()));
        profiles
    }

    /// The profile of a scheduler's pods.
    #[must_use]
    pub fn profile_of(&self, scheduler_name: &str) -> Option<Arc<Profile>> {
        self.active().get(scheduler_name).cloned()
    }

    /// Puts other profiles in place: cycles that begin after this use them, cycles at work end with what they have.
    pub fn replace(&self, profiles: Profiles) {
        let profiles = by_scheduler(profiles);
        *self.profile_by_scheduler.write().unwrap_or_else(PoisonError::into_inner) = profiles;
    }

    fn active(&self) -> Arc<HashMap<String, Arc<Profile>>> {
        Arc::clone(&self.profile_by_scheduler.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which candidates may stay. A pod that no profile speaks of passes untouched.
    #[must_use]
    pub fn filter(&self, request: &Request, now: Instant) -> Answer {
        let pass = || filter::pass_all(&request.candidates);
        let Some(profile) = self.profile(&request.pod) else { return Answer::neutral(pass(), None) };
        let answer = match self.judge(&profile, request, now) {
            Ok((view, Combined { answer: refusals, left_out })) => {
                let assumption = only_one(&request.candidates, &refusals).map(|node| Assumption::new(&view.pod, node));
                let trace = Trace { refused: refused(&refusals), ..trace(&view, request.candidates.len()) };
                Answer::ok(filter::answer(&request.candidates, &refusals), assumption).without(left_out).with(trace)
            }
            Err(fallbacks) => Answer::neutral(pass(), fallbacks),
        };
        sent(&profile, answer, pass)
    }

    /// How good each candidate is.
    #[must_use]
    pub fn prioritize(&self, request: &Request, now: Instant) -> Answer {
        let equal = || prioritize::equal(&request.candidates);
        let Some(profile) = self.profile(&request.pod) else { return Answer::neutral(equal(), None) };
        let preferred = self.preferred(&profile, request, now);
        let answer = preferred.unwrap_or_else(|fallbacks| Answer::neutral(equal(), fallbacks));
        sent(&profile, answer, equal)
    }

    /// Which evictions make sense: none on a node that the filter would refuse all the same.
    #[must_use]
    pub fn preempt(&self, request: &preempt::Request, now: Instant) -> Answer {
        let same = || preempt::answer(&request.candidates);
        let Some(profile) = self.profile(&request.pod) else { return Answer::neutral(same(), None) };
        let answer = match self.sensible(&profile, request, now) {
            Ok((view, Combined { answer: kept, left_out })) => {
                let trace = trace(&view, request.candidates.len());
                Answer::ok(preempt::answer(kept), None).without(left_out).with(trace)
            }
            Err(fallbacks) => Answer::neutral(same(), fallbacks),
        };
        sent(&profile, answer, same)
    }

    /// The fallback that stands for a request's own failure, such as a missed deadline.
    #[must_use]
    pub fn fallback(&self, pod: &PodPart, cause: Cause, detail: &str) -> Option<Fallback> {
        Some(Fallback::new(self.profile(pod)?.plugin_name(), cause, detail))
    }

    fn profile(&self, pod: &PodPart) -> Option<Arc<Profile>> {
        self.profile_of(&pod.head.spec.scheduler_name)
    }

    fn view(
        &self,
        profile: &Profile,
        pod: &PodPart,
        nodes: Option<&Candidates>,
        now: Instant,
    ) -> Result<View, Vec<Fallback>> {
        self.cluster
            .view(pod, nodes, now)
            .map_err(|error| vec![Fallback::new(profile.plugin_name(), error.cause(), &error.to_string())])
    }

    fn judge(&self, profile: &Profile, request: &Request, now: Instant) -> Result<Judged, Vec<Fallback>> {
        let view = self.view(profile, &request.pod, Some(&request.candidates), now)?;
        let Combined { answer: verdicts, left_out } = profile.filter(&view, &self.metrics)?;
        let judgement = policy::judge(&rows(&view.snapshot, &request.candidates), &verdicts);
        for (disagreement, candidates) in judgement.disagreements {
            self.metrics.disagreement(disagreement, candidates);
        }
        Ok((view, Combined { answer: judgement.refusals, left_out }))
    }

    fn preferred(&self, profile: &Profile, request: &Request, now: Instant) -> Result<Answer, Vec<Fallback>> {
        let view = self.view(profile, &request.pod, Some(&request.candidates), now)?;
        let rows = rows(&view.snapshot, &request.candidates);
        if let Some(position) = self.planned(profile, &view, &rows) {
            return Ok(follow(request, &view, position));
        }
        Ok(match self.rate(profile, &view, &rows)? {
            Some(Combined { answer: scores, left_out }) => {
                rank_candidates(request, profile, &view, &scores).without(left_out)
            }
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

    /// One score a candidate; `None` where not one of them is a row of ours, or no plugin scores.
    fn rate(
        &self,
        profile: &Profile,
        view: &View,
        rows: &[Option<u32>],
    ) -> Result<Option<Combined<Vec<f64>>>, Vec<Fallback>> {
        if rows.iter().all(Option::is_none) || !profile.has_scorers() {
            return Ok(None);
        }
        let Combined { answer: scores, left_out } = profile.score(view, &self.metrics)?;
        let score = |row: &Option<u32>| row.and_then(|row| scores.get(row as usize).copied()).unwrap_or(rank::UNKNOWN);
        Ok(Some(Combined { answer: rows.iter().map(score).collect(), left_out }))
    }

    fn sensible<'a>(
        &self,
        profile: &Profile,
        request: &'a preempt::Request<'a>,
        now: Instant,
    ) -> Result<(View, Combined<Vec<&'a preempt::Candidate<'a>>>), Vec<Fallback>> {
        let view = self.view(profile, &request.pod, None, now)?;
        let Combined { answer: verdicts, left_out } = profile.filter(&view, &self.metrics)?;
        let keeps = |candidate: &&preempt::Candidate| {
            let Some(row) = view.snapshot.row(&candidate.node) else { return true };
            let verdict = verdicts.get(row as usize).copied().unwrap_or(policy::PASS);
            !policy::refuses_after_eviction(verdict) && self.has_room(&view, row, candidate)
        };
        let answer = request.candidates.iter().filter(keeps).collect();
        Ok((view, Combined { answer, left_out }))
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

/// One refusal, or none, a candidate, and the view that they rest on.
type Judged = (View, Combined<Vec<Option<filter::Refusal>>>);

fn by_scheduler(profiles: Profiles) -> Arc<HashMap<String, Arc<Profile>>> {
    Arc::new(profiles.into_iter().map(|profile| (profile.scheduler_name().to_owned(), profile)).collect())
}

/// What kube-scheduler gets of an answer: nothing in the mode shadow.
fn sent(profile: &Profile, answer: Answer, neutral: impl FnOnce() -> Vec<u8>) -> Answer {
    match profile.mode() {
        Mode::Serve => answer,
        Mode::Shadow => answer.shadowed(neutral()),
    }
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
