//! One scheduling cycle: pod and snapshot → plugin → verdicts → answer.
//!
//! Promises that a request that could be read is answered whatever happens: any
//! failure is answered *neutral* (all candidates pass, equal scores, victims as they
//! came) and says why; only what the admins' dictionary forbids is refused all the same,
//! where there is a view. A cycle decides by one snapshot. Before it takes that, the index
//! learns what came with the request and forgets the former answer for the pod; after
//! that it writes nothing: what it wants counted as placed is part of its answer, and
//! whoever sends the answer counts it.
//! Knows no HTTP and no clock but the `now` it is given.

mod outcome;
pub(crate) mod policy;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use gantry_cluster::Snapshot;

pub use outcome::{Answer, Assumption, Cause, Disagreement, Fallback, Outcome};

use crate::config::valid::{Mode, PlanMode};
use crate::decision::{Choice, NAMED, NOT_OFFERED, REFUSED, Trace};
use crate::metrics::Metrics;
use crate::profile::{Allowance, Combined, Point, Profile, Profiles, Verdict};
use crate::rank;
use crate::view::{Cluster, View};
use crate::wire::args::{Candidates, PodPart, Request};
use crate::wire::{filter, preempt, prioritize};

/// What is kept of a request's time for its answer, a tenth within these: three ticks of the clock that ends plugins'
/// calls, and more than a thread waits for its turn on a busy machine.
const RESERVE: (Duration, Duration) = (Duration::from_millis(3), Duration::from_millis(250));
/// Names of schedulers without a profile that the log tells of: whoever makes pods makes up their names.
const TOLD: usize = 16;

/// Answers requests: the cluster as it is known, and what to ask whom for whose pods.
#[derive(Debug)]
pub struct Cycles {
    cluster: Arc<Cluster>,
    /// Swapped whole; a cycle keeps the profile that it began with.
    profile_by_scheduler: RwLock<Arc<HashMap<String, Arc<Profile>>>>,
    metrics: Arc<Metrics>,
    /// Names that no profile is for, as far as the log has told of them; [`TOLD`] at most.
    unserved: Mutex<HashSet<String>>,
    /// What plugins may take of a request's time.
    allowance: Duration,
}

impl Cycles {
    /// One profile a scheduler's name. Plugins that have not answered shortly before a request's `deadline` are left out.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>, profiles: Profiles, metrics: Arc<Metrics>, deadline: Duration) -> Self {
        let profile_by_scheduler = RwLock::new(by_scheduler(profiles));
        let allowance = deadline.saturating_sub((deadline / 10).clamp(RESERVE.0, RESERVE.1));
        Self { cluster, profile_by_scheduler, metrics, unserved: Mutex::default(), allowance }
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

    /// In words that no profile is for a scheduler's pods, and for whose there is one.
    #[must_use]
    pub fn no_profile_for(&self, scheduler_name: &str) -> String {
        let profiles = self.profiles();
        let names: Vec<&str> = profiles.iter().map(|profile| profile.scheduler_name()).collect();
        format!("no profile for {scheduler_name:?}; there are: {}", names.join(", "))
    }

    /// Puts other profiles in place, and `beside` in the same step what they go with in the index: cycles that begin after
    /// this use both, cycles at work end with what they have.
    pub fn replace(&self, profiles: Profiles, beside: impl FnOnce()) {
        let profiles = by_scheduler(profiles);
        let mut active = self.profile_by_scheduler.write().unwrap_or_else(PoisonError::into_inner);
        beside();
        *active = profiles;
        self.unserved.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn active(&self) -> Arc<HashMap<String, Arc<Profile>>> {
        Arc::clone(&self.profile_by_scheduler.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which candidates may stay. A pod that no profile is for passes untouched.
    #[must_use]
    pub fn filter(&self, request: &Request, now: Instant) -> Answer {
        let pass = || filter::pass_all(&request.candidates);
        let Some((profile, view)) = self.begin(&request.pod, Some(&request.candidates), now) else {
            return self.without_profile(&request.pod, pass());
        };
        let answer = match view {
            Ok(view) => self.judge(&profile, &view, request, now),
            Err(fallbacks) => Answer::neutral(pass(), fallbacks),
        };
        sent(&profile, answer, pass)
    }

    /// How good each candidate is.
    #[must_use]
    pub fn prioritize(&self, request: &Request, now: Instant) -> Answer {
        let equal = || prioritize::equal(&request.candidates);
        let Some((profile, view)) = self.begin(&request.pod, Some(&request.candidates), now) else {
            return self.without_profile(&request.pod, equal());
        };
        let answer = match view {
            Ok(view) => self.preferred(&profile, &view, request, now),
            Err(fallbacks) => Answer::neutral(equal(), fallbacks),
        };
        sent(&profile, answer, equal)
    }

    /// Which evictions make sense: none on a node that the filter would refuse all the same.
    #[must_use]
    pub fn preempt(&self, request: &preempt::Request, now: Instant) -> Answer {
        let same = || preempt::answer(&request.candidates);
        let Some((profile, view)) = self.begin(&request.pod, None, now) else {
            return self.without_profile(&request.pod, same());
        };
        let answer = match view {
            Ok(view) => self.sensible(&profile, &view, request, now),
            Err(fallbacks) => Answer::neutral(same(), fallbacks),
        };
        sent(&profile, answer, same)
    }

    /// Which candidates may stay where no cycle came to its end: nobody is asked and nothing taken back, but what the
    /// dictionary forbids is refused, to a pod that the watch has shown.
    #[must_use]
    pub fn filter_unasked(&self, request: &Request, why: Option<Fallback>, now: Instant) -> Answer {
        match self.glance(&request.pod, now) {
            Some(view) => unjudged(&view, &request.candidates, why),
            None => Answer::neutral(filter::pass_all(&request.candidates), why),
        }
    }

    /// The same for evictions.
    #[must_use]
    pub fn preempt_unasked(&self, request: &preempt::Request, why: Option<Fallback>, now: Instant) -> Answer {
        let Some(view) = self.glance(&request.pod, now) else {
            return Answer::neutral(preempt::answer(&request.candidates), why);
        };
        let kept = preempt::answer(self.kept(&view, request, None));
        Answer::neutral(kept, why).with(trace(&view, request.candidates.len()))
    }

    /// The fallback that stands for a request's own failure.
    #[must_use]
    pub fn fallback(&self, pod: &PodPart, cause: Cause, detail: &str) -> Option<Fallback> {
        Some(Fallback::new(self.profile(pod)?.plugin_name(), cause, detail))
    }

    /// Whether nobody who is asked about a pod there is expected to keep a thread for long.
    #[must_use]
    pub fn is_quick(&self, pod: &PodPart, point: Point) -> bool {
        self.profile(pod).is_none_or(|profile| profile.is_quick(point))
    }

    /// Nothing changes for a pod that no profile is for. The log says so once a name: a line a pod would drown it.
    fn without_profile(&self, pod: &PodPart, body: Vec<u8>) -> Answer {
        let name = &*pod.head.spec.scheduler_name;
        if self.is_news(name) {
            tracing::warn!("{}; its pods are placed without Gantry", self.no_profile_for(name));
        }
        Answer::no_profile(body)
    }

    fn is_news(&self, unserved: &str) -> bool {
        let mut told = self.unserved.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < TOLD && told.insert(unserved.to_owned())
    }

    fn profile(&self, pod: &PodPart) -> Option<Arc<Profile>> {
        self.profile_of(&pod.head.spec.scheduler_name)
    }

    /// The pod's profile, and the view that goes with it: where the configuration changed between the two, both anew.
    fn begin(&self, pod: &PodPart, nodes: Option<&Candidates>, now: Instant) -> Option<Begun> {
        loop {
            let profile = self.profile(pod)?;
            let view = self.view(&profile, pod, nodes, now);
            if self.profile(pod).is_some_and(|active| Arc::ptr_eq(&active, &profile)) {
                return Some((profile, view));
            }
        }
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

    /// The view of a pod that is known, of which nothing is forgotten, where its profile's answers count.
    fn glance(&self, pod: &PodPart, now: Instant) -> Option<View> {
        let serves = self.profile(pod).is_some_and(|profile| profile.mode() == Mode::Serve);
        let is_in_sight = self.cluster.is_ready() && self.cluster.stale_for(now).is_none();
        let snapshot = (serves && is_in_sight).then(|| self.cluster.snapshot(now))?;
        let pod = Arc::clone(snapshot.pod(&pod.head.metadata.uid)?);
        Some(View { snapshot, pod })
    }

    /// What plugins may take, of a request that came at `now`.
    fn time(&self, now: Instant) -> Allowance {
        Allowance { whole: self.allowance, end: now + self.allowance }
    }

    /// Who stays of the candidates. What the dictionary forbids is refused though no plugin should answer.
    fn judge(&self, profile: &Profile, view: &View, request: &Request, now: Instant) -> Answer {
        let candidates = &request.candidates;
        let rows = rows(&view.snapshot, candidates);
        let stranger = |verdict| profile.stranger(verdict);
        match profile.filter(view, self.time(now), &self.metrics) {
            Ok(Combined { answer: verdicts, left_out, asked }) => {
                let judgement = policy::judge(&rows, &verdicts, dictionary(view), stranger);
                for (disagreement, candidates) in judgement.disagreements {
                    self.metrics.disagreement(disagreement, candidates);
                }
                let refusals = judgement.refusals;
                let assumption = only_one(candidates, &refusals).map(|node| Assumption::new(&view.pod, node));
                let trace = Trace { plugins: asked, ..judged(view, candidates, &refusals) };
                Answer::ok(filter::answer(candidates, &refusals), assumption).without(left_out).with(trace)
            }
            Err(fallbacks) => unjudged(view, candidates, fallbacks),
        }
    }

    /// The plan's node where the profile follows plans, else the candidates by their scores. That kube-scheduler did not
    /// offer the planned node is part of the trace: above 100 nodes it shows only a sample of them unless
    /// `percentageOfNodesToScore` is 100.
    fn preferred(&self, profile: &Profile, view: &View, request: &Request, now: Instant) -> Answer {
        let candidates = &request.candidates;
        let rows = rows(&view.snapshot, candidates);
        let mode = profile.planning().map(|planning| planning.mode);
        let planned = mode.and_then(|_| view.snapshot.planned_row(&view.pod.uid));
        let position = planned.and_then(|planned| rows.iter().position(|row| *row == Some(planned)));
        if let Some(position) = position.filter(|_| mode == Some(PlanMode::Follow)) {
            return follow(request, view, position);
        }
        let neutral = |fallbacks: Vec<Fallback>| {
            Answer::neutral(prioritize::equal(candidates), fallbacks).with(trace(view, candidates.len()))
        };
        let mut answer = match self.rate(profile, view, &rows, now) {
            Ok(Some(rated)) => rank_candidates(request, profile, view, rated),
            Ok(None) => neutral(Vec::new()),
            Err(fallbacks) => neutral(fallbacks),
        };
        answer.trace.against_plan = (planned.is_some() && position.is_none()).then_some(NOT_OFFERED);
        answer
    }

    /// One score a candidate; `None` where not one of them is a row of ours, or no plugin scores.
    fn rate(
        &self,
        profile: &Profile,
        view: &View,
        rows: &[Option<u32>],
        now: Instant,
    ) -> Result<Option<Combined<Vec<f64>>>, Vec<Fallback>> {
        let known: Vec<u32> = rows.iter().flatten().copied().collect();
        if known.is_empty() || !profile.has_scorers() {
            return Ok(None);
        }
        let Combined { answer: scores, left_out, asked } =
            profile.score(view, &known, self.time(now), &self.metrics)?;
        let score = |row: &Option<u32>| row.and_then(|row| scores.get(row as usize).copied()).unwrap_or(rank::UNKNOWN);
        Ok(Some(Combined { answer: rows.iter().map(score).collect(), left_out, asked }))
    }

    /// Whom to evict. Nobody has to go from where the dictionary forbids the pod, though no plugin should answer.
    fn sensible(&self, profile: &Profile, view: &View, request: &preempt::Request, now: Instant) -> Answer {
        let trace = trace(view, request.candidates.len());
        match profile.filter(view, self.time(now), &self.metrics) {
            Ok(Combined { answer: verdicts, left_out, asked }) => {
                let kept = self.kept(view, request, Some(&verdicts));
                let trace = Trace { plugins: asked, ..trace };
                Answer::ok(preempt::answer(kept), None).without(left_out).with(trace)
            }
            Err(fallbacks) => Answer::neutral(preempt::answer(self.kept(view, request, None)), fallbacks).with(trace),
        }
    }

    /// The candidates for eviction that stay. Where there are no verdicts, our view has no say in room either.
    fn kept<'a>(
        &self,
        view: &View,
        request: &'a preempt::Request<'a>,
        verdicts: Option<&[Verdict]>,
    ) -> Vec<&'a preempt::Candidate<'a>> {
        let permits = dictionary(view);
        let eviction = |candidate: &preempt::Candidate| {
            let row = view.snapshot.row(&candidate.node);
            let judged = verdicts.zip(row);
            let is_permitted = row.is_none_or(&permits);
            policy::Eviction {
                is_permitted,
                verdict: judged.and_then(|(verdicts, row)| verdicts.get(row as usize)).map(|verdict| verdict.code),
                // Where the dictionary forbids the pod nobody needs to know.
                has_room: !is_permitted || judged.is_none_or(|(_, row)| self.has_room(view, row, candidate)),
            }
        };
        let stay = policy::sensible(&request.candidates.iter().map(eviction).collect::<Vec<_>>());
        let kept = request.candidates.iter().zip(stay).filter_map(|(candidate, stays)| stays.then_some(candidate));
        kept.collect()
    }

    /// Whether the pod fits beside the pods that surely stay once the victims are gone. Where our view does not hold all
    /// of the victims it is older than kube-scheduler's own, which has found room: believe it.
    fn has_room(&self, view: &View, row: u32, candidate: &preempt::Candidate) -> bool {
        let victims: HashSet<&str> = candidate.victims.iter().map(|uid| &**uid).collect();
        let left = self.cluster.staying_without(&candidate.node, &victims);
        left.is_none_or(|left| policy::fits(&view.snapshot, row, &view.pod.request, &left))
    }
}

/// Who stays of the candidates where nobody has judged them: all but what the dictionary forbids.
fn unjudged(view: &View, candidates: &Candidates, why: impl IntoIterator<Item = Fallback>) -> Answer {
    let refusals = policy::judge(&rows(&view.snapshot, candidates), &[], dictionary(view), |_| None).refusals;
    let trace = judged(view, candidates, &refusals);
    Answer::neutral(filter::answer(candidates, &refusals), why).with(trace)
}

/// The planned candidate has 10, every other 0.
fn follow(request: &Request, view: &View, position: usize) -> Answer {
    let planned = request.candidates.name(position);
    let trace = Trace { follows_plan: true, ..trace(view, request.candidates.len()) };
    Answer::ok(prioritize::only(planned), Some(Assumption::new(&view.pod, planned))).with(trace)
}

/// The best candidate has 10, the others less by rank. Where none scores above 0 the plugins prefer none: all have 0,
/// rather than a hash outvoting kube-scheduler's own scores, and nothing counts as placed.
fn rank_candidates(request: &Request, profile: &Profile, view: &View, rated: Combined<Vec<f64>>) -> Answer {
    let Combined { answer: scores, left_out, asked } = rated;
    let seed = rank::seed(&view.pod.uid, profile.scheduler_name());
    let order = rank::best(&scores, seed);
    let preferred = order.first().copied().filter(|position| scores[*position] > 0.0);
    let body = match preferred {
        Some(_) => prioritize::answer(&request.candidates, &rank::priorities(&order, scores.len())),
        None => prioritize::equal(&request.candidates),
    };
    let name = |position: usize| request.candidates.name(position);
    let choice = |position: &usize| Choice { node: name(*position).to_owned(), score: scores[*position] };
    let best = order.iter().take(NAMED).map(choice).collect();
    let assumption = preferred.map(|position| Assumption::new(&view.pod, name(position)));
    let seed = preferred.map(|_| seed);
    let trace = Trace { best, seed, plugins: asked, ..trace(view, request.candidates.len()) };
    Answer::ok(body, assumption).without(left_out).with(trace)
}

/// What any cycle can tell.
fn trace(view: &View, candidates: usize) -> Trace {
    let planned = view.snapshot.planned_row(&view.pod.uid).and_then(|row| view.snapshot.name(row)).cloned();
    let (generation, pod) = (view.snapshot.generation(), Some(Arc::clone(&view.pod)));
    Trace { generation, candidates, planned, pod, ..Trace::default() }
}

/// The same of a cycle that has judged its candidates.
fn judged(view: &View, candidates: &Candidates, refusals: &[Option<filter::Refusal<'_>>]) -> Trace {
    let trace = trace(view, candidates.len());
    Trace { refused: refused(refusals), against_plan: against_plan(&trace, candidates, refusals), ..trace }
}

/// Whether the admins' dictionary permits a row, for the pod of a view.
fn dictionary(view: &View) -> impl Fn(u32) -> bool {
    let class = view.snapshot.class(view.pod.class);
    move |row| class.is_none_or(|class| class.is_permitted(row))
}

/// Why the node that the plan has for the pod is no choice any more after Filter, if it is not.
fn against_plan(
    trace: &Trace,
    candidates: &Candidates,
    refusals: &[Option<filter::Refusal<'_>>],
) -> Option<&'static str> {
    let planned = trace.planned.as_deref()?;
    match candidates.names().position(|name| name == planned) {
        None => Some(NOT_OFFERED),
        Some(position) => refusals[position].map(|_| REFUSED),
    }
}

/// How many candidates are refused for each reason.
fn refused(refusals: &[Option<filter::Refusal<'_>>]) -> Vec<(String, usize)> {
    let mut counts: Vec<(filter::Refusal<'_>, usize)> = Vec::new();
    for refusal in refusals.iter().flatten() {
        match counts.iter_mut().find(|(other, _)| other == refusal) {
            Some((_, count)) => *count += 1,
            None => counts.push((*refusal, 1)),
        }
    }
    counts.into_iter().map(|(refusal, count)| (refusal.to_string(), count)).collect()
}

/// A profile, and the view that goes with it or why there is none.
type Begun = (Arc<Profile>, Result<View, Vec<Fallback>>);

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
fn only_one<'a>(candidates: &'a Candidates, refusals: &[Option<filter::Refusal<'_>>]) -> Option<&'a str> {
    let mut kept = refusals.iter().enumerate().filter(|(_, refusal)| refusal.is_none());
    let (position, _) = kept.next()?;
    kept.next().is_none().then(|| candidates.name(position))
}

fn rows(snapshot: &Snapshot, candidates: &Candidates) -> Vec<Option<u32>> {
    candidates.names().map(|name| snapshot.row(name)).collect()
}
