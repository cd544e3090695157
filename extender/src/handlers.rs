//! From HTTP to a cycle and back: the extender's endpoints.
//!
//! What kube-scheduler gets, whatever comes in:
//!
//! | request | filter | prioritize | preempt | bind |
//! |---|---|---|---|---|
//! | good | 200, candidates | 200, scores | 200, victims | 200 |
//! | good, but we failed or were late | 200, by the dictionary | 200, all 0 | 200, by the dictionary | 200, `Error` |
//! | malformed, too large, too slow | 200, `Error` | 400, text | 400, text | 200, `Error` |
//! | another method, another path | 405, 404 with a hint | same | same | same |
//!
//! By the dictionary: all pass, and victims stay as they came, but for nodes that the admins' dictionary forbids to the
//! pod, as long as the cluster is in sight. Where we were late, or a cycle panicked, that is so for pods that the watch
//! has shown. Pods that no profile is for, and those of one in the mode shadow, pass everywhere.
//!
//! kube-scheduler reads no hint, and goes on where Gantry may be ignored: such calls are logged and counted.
//!
//! `Error` is shown on the pod word by word; the other two answers have no place for
//! it, and any status but 200 makes kube-scheduler go on without them (prioritize) or
//! evict nobody (preempt). An empty list would lose the scores in silence.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use gantry_host::Reason;
use gantry_host::turn::step_back;
use tracing::{Instrument, Span, field};

use crate::binding::Binder;
use crate::body::Bodies;
use crate::config::valid::{Mode, PlanMode};
use crate::cycle::{Answer, Cause, Cycles, Fallback, Outcome};
use crate::decision::{self, DecisionRecord, Decisions, NOT_OFFERED, REFUSED};
use crate::events::{Events, Subject};
use crate::forecasts::FeedStatus;
use crate::metrics::Metrics;
use crate::planner::{Board, PlanState};
use crate::profile::Point;
use crate::reload::Configuration;
use crate::verb::{LastCalls, Verb};
use crate::view::Cluster;
use crate::wire::args::{PodPart, Request};
use crate::wire::{WireError, bind, brief, filter, preempt, prioritize};

/// Everything that a request's handler reaches.
#[derive(Debug)]
pub struct Context {
    /// Answers.
    pub cycles: Cycles,
    /// Where answers count as placed.
    pub cluster: Arc<Cluster>,
    /// Measured.
    pub metrics: Arc<Metrics>,
    /// Told.
    pub events: Arc<Events>,
    /// How the sidecar's forecasts are doing, where there is a sidecar.
    pub forecasts: Option<Arc<Mutex<FeedStatus>>>,
    /// Which configuration is in use, and what became of the last change.
    pub configuration: Arc<Mutex<Configuration>>,
    /// When kube-scheduler last called.
    pub calls: LastCalls,
    /// The cap on bodies.
    pub bodies: Bodies,
    /// A request's deadline.
    pub deadline: Duration,
    /// What was answered lately.
    pub decisions: Decisions,
    /// The plans that count.
    pub board: Board,
    /// Binds pods; `None`: `/bind` is not served.
    pub binder: Option<Binder>,
}

impl Context {
    /// Age of the oldest data of the forecasts in use, in seconds, as of the last poll; `None`: none is in use.
    fn forecast_age(&self) -> Option<i64> {
        self.forecasts.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).age
    }
}

/// The extender's endpoints.
pub fn router(context: Arc<Context>) -> Router {
    let mut router = Router::new()
        .route("/filter", post(|state, body| answer(Verb::Filter, state, body)))
        .route("/prioritize", post(|state, body| answer(Verb::Prioritize, state, body)))
        .route("/preempt", post(|state, body| answer(Verb::Preempt, state, body)));
    if context.binder.is_some() {
        router = router.route("/bind", post(|state, body| answer(Verb::Bind, state, body)));
    }
    router.method_not_allowed_fallback(wrong_method).fallback(wrong_path).with_state(context)
}

async fn wrong_method(State(context): State<Arc<Context>>, method: Method, uri: Uri) -> Response {
    let text = format!("{method} is not served on {}: kube-scheduler's requests are POST\n", uri.path());
    stray(&context, &method, &uri);
    (StatusCode::METHOD_NOT_ALLOWED, text).into_response()
}

async fn wrong_path(State(context): State<Arc<Context>>, method: Method, uri: Uri) -> Response {
    let bind = if context.binder.is_some() { " /bind" } else { "" };
    let text = format!(
        "no such path: {}; served here: /filter /prioritize /preempt{bind}. In kube-scheduler's extenders, urlPrefix is \
         this server's address without a path, filterVerb is filter, prioritizeVerb prioritize, preemptVerb preempt\n",
        uri.path()
    );
    stray(&context, &method, &uri);
    (StatusCode::NOT_FOUND, text).into_response()
}

/// Counts a call that is of no verb, and logs one now and then.
fn stray(context: &Context, method: &Method, uri: &Uri) {
    let now = Instant::now();
    if context.calls.is_news(now) {
        let (method, path) = (brief(method.as_str()), brief(uri.path()));
        let hint = "look at urlPrefix and the verbs of kube-scheduler's extenders";
        tracing::warn!(method, path, hint, "request refused: a path or method that is not served");
    }
    context.metrics.stray(now.elapsed());
}

async fn answer(verb: Verb, State(context): State<Arc<Context>>, body: Body) -> Response {
    let start = Instant::now();
    context.calls.mark(verb, start);
    let span = tracing::info_span!("cycle", verb = verb.as_str(), pod = field::Empty, candidates = field::Empty);
    let handling = async {
        let (response, outcome) = handle(verb, &context, body, start).await;
        let duration = start.elapsed();
        context.metrics.request(verb, outcome, duration);
        tracing::debug!(outcome = outcome.as_str(), ?duration, "answered");
        response
    };
    handling.instrument(span).await
}

async fn handle(verb: Verb, context: &Context, body: Body, start: Instant) -> (Response, Outcome) {
    let deadline = tokio::time::Instant::from_std(start + context.deadline);
    let body = match context.bodies.read(body, deadline).await {
        Ok(body) => body,
        Err(error) => return refuse(verb, &error.to_string()),
    };
    if verb == Verb::Bind {
        return bind_pod(context, &body).await;
    }
    match decide(verb, context, &body, start) {
        Ok(answer) => (json(answer.body), answer.outcome),
        Err(error) => refuse(verb, &error.to_string()),
    }
}

/// A cycle, which the connection's thread does or waits for: nobody else needs that. It ends in time of itself, as plugins
/// are stopped before the deadline is over; where it does not, kube-scheduler may have gone, and nothing counts as placed.
fn decide(verb: Verb, context: &Context, body: &[u8], start: Instant) -> Result<Answer, WireError> {
    let question = Question::parse(verb, body)?;
    // Somebody else may have been asked since, and a look at the cluster would take back what that has assumed.
    let asked = if start.elapsed() < context.deadline {
        let is_quick = context.cycles.is_quick(question.pod(), question.point());
        let asked = survive(is_quick, || question.ask(&context.cycles, start));
        asked.ok_or((Reason::Unavailable, "the cycle ended unexpectedly"))
    } else {
        Err((Reason::Deadline, "the request was not read within server.deadline"))
    };
    let (answer, mut record) = asked.unwrap_or_else(|(reason, detail)| {
        let fallback = context.cycles.fallback(question.pod(), Cause::Plugin(reason), detail);
        let unasked = survive(true, || question.unasked(&context.cycles, fallback.clone(), Instant::now()));
        question.about(unasked.unwrap_or_else(|| Answer::neutral(question.neutral(), fallback)))
    });
    let subject = Subject::from(&record);
    for fallback in &answer.fallbacks {
        context.metrics.fallback(&record.profile, &fallback.plugin, fallback.cause);
        report(context, &subject, fallback, answer.outcome);
    }
    let took = start.elapsed();
    record.seconds = took.as_secs_f64();
    note_plan(context, &mut record);
    record.forecast_age_seconds = context.forecast_age();
    context.decisions.keep(record);
    if let Some(assumption) = answer.assumption.as_ref().filter(|_| took < context.deadline) {
        context.cluster.assume(assumption, Instant::now());
    }
    Ok(answer)
}

/// What `work` comes to; `None` after a panic, of which the log has the place. It costs its own request alone: locks are
/// taken in spite of it, by who knows that nothing is left half done.
///
/// What is not expected to be quick is done on another thread, behind what is: of who never answered nobody knows that it will
/// be, and one that keeps a core makes its thread step back further. It is done on this one where the system has none left.
fn survive<T: Send>(is_quick: bool, work: impl Fn() -> T + Sync) -> Option<T> {
    let work = || catch_unwind(AssertUnwindSafe(&work)).ok();
    if is_quick {
        return work();
    }
    let span = Span::current();
    thread::scope(|scope| {
        let cycle = thread::Builder::new().name("gantry-cycle".to_owned());
        let behind = || {
            step_back();
            span.in_scope(work)
        };
        match cycle.spawn_scoped(scope, behind) {
            Ok(cycle) => cycle.join().ok().flatten(),
            Err(_) => work(),
        }
    })
}

/// A request that could be read.
enum Question<'a> {
    Filter(Request<'a>),
    Prioritize(Request<'a>),
    Preempt(preempt::Request<'a>),
}

impl<'a> Question<'a> {
    fn parse(verb: Verb, body: &'a [u8]) -> Result<Self, WireError> {
        match verb {
            Verb::Filter => Request::parse(body).map(Self::Filter),
            Verb::Prioritize => Request::parse(body).map(Self::Prioritize),
            Verb::Preempt | Verb::Bind => preempt::Request::parse(body).map(Self::Preempt),
        }
    }

    fn verb(&self) -> Verb {
        match self {
            Self::Filter(_) => Verb::Filter,
            Self::Prioritize(_) => Verb::Prioritize,
            Self::Preempt(_) => Verb::Preempt,
        }
    }

    fn pod(&self) -> &PodPart<'a> {
        match self {
            Self::Filter(request) | Self::Prioritize(request) => &request.pod,
            Self::Preempt(request) => &request.pod,
        }
    }

    /// What plugins are asked for.
    fn point(&self) -> Point {
        match self {
            Self::Filter(_) | Self::Preempt(_) => Point::Filter,
            Self::Prioritize(_) => Point::Score,
        }
    }

    fn candidates(&self) -> usize {
        match self {
            Self::Filter(request) | Self::Prioritize(request) => request.candidates.len(),
            Self::Preempt(request) => request.candidates.len(),
        }
    }

    fn neutral(&self) -> Vec<u8> {
        match self {
            Self::Filter(request) => filter::pass_all(&request.candidates),
            Self::Prioritize(request) => prioritize::equal(&request.candidates),
            Self::Preempt(request) => preempt::answer(&request.candidates),
        }
    }

    /// The answer where no cycle came to its end, and `why` none did.
    fn unasked(&self, cycles: &Cycles, why: Option<Fallback>, now: Instant) -> Answer {
        match self {
            Self::Filter(request) => cycles.filter_unasked(request, why, now),
            Self::Prioritize(_) => Answer::neutral(self.neutral(), why),
            Self::Preempt(request) => cycles.preempt_unasked(request, why, now),
        }
    }

    fn ask(&self, cycles: &Cycles, now: Instant) -> (Answer, DecisionRecord) {
        let pod = &self.pod().head.metadata;
        let span = Span::current();
        span.record("pod", format_args!("{}/{}", &*pod.namespace, &*pod.name)).record("candidates", self.candidates());
        let waited_seconds = now.elapsed().as_secs_f64();
        let (answer, record) = self.about(match self {
            Self::Filter(request) => cycles.filter(request, now),
            Self::Prioritize(request) => cycles.prioritize(request, now),
            Self::Preempt(request) => cycles.preempt(request, now),
        });
        (answer, DecisionRecord { waited_seconds, ..record })
    }

    /// An answer, and what is kept of it.
    fn about(&self, mut answer: Answer) -> (Answer, DecisionRecord) {
        let head = &self.pod().head;
        let fallback =
            |fallback: &Fallback| format!("{}: {}: {}", fallback.plugin, fallback.cause.as_str(), fallback.detail);
        let record = DecisionRecord {
            at: decision::unix_seconds(SystemTime::now()),
            verb: self.verb().as_str(),
            namespace: head.metadata.namespace.to_string(),
            pod: head.metadata.name.to_string(),
            uid: head.metadata.uid.to_string(),
            profile: head.spec.scheduler_name.to_string(),
            outcome: answer.outcome.as_str(),
            fallbacks: answer.fallbacks.iter().map(fallback).collect(),
            seconds: 0.0,
            waited_seconds: 0.0,
            forecast_age_seconds: None,
            unplanned: None,
            trace: std::mem::take(&mut answer.trace),
        };
        (answer, record)
    }
}

/// Notes how an answer stands to the plan, and counts a planned node that kube-scheduler did not offer.
fn note_plan(context: &Context, record: &mut DecisionRecord) {
    if record.verb != Verb::Prioritize.as_str() {
        return;
    }
    if record.trace.against_plan.is_some() && is_refused(&context.decisions, record) {
        record.trace.against_plan = Some(REFUSED);
    }
    if record.trace.against_plan == Some(NOT_OFFERED) {
        context.metrics.plans.not_offered(&record.profile);
    }
    record.unplanned = unplanned(context, record);
}

/// Whether the planned node is not among the candidates because our own Filter has refused it.
fn is_refused(decisions: &Decisions, asked: &DecisionRecord) -> bool {
    let is_one = |filter: &DecisionRecord| {
        filter.trace.against_plan == Some(REFUSED) && filter.trace.planned == asked.trace.planned
    };
    decisions.filtered(&asked.uid).is_some_and(|filter| is_one(&filter))
}

/// Why scores do not follow a plan though the profile plans.
fn unplanned(context: &Context, record: &DecisionRecord) -> Option<&'static str> {
    if record.trace.follows_plan {
        return None;
    }
    let state = context.board.state(&record.profile)?;
    let profile = context.cycles.profile_of(&record.profile)?;
    match (state, &record.trace.planned) {
        (PlanState::Stands, None) if profile.mode() == Mode::Shadow => Some("shadow"),
        (PlanState::Stands, None) => Some("not-in-plan"),
        (PlanState::Stands, Some(_)) if profile.planning()?.mode == PlanMode::Follow => {
            Some(record.trace.against_plan.unwrap_or(NOT_OFFERED))
        }
        (PlanState::Stands, Some(_)) => None,
        (state, _) => Some(state.as_str()),
    }
}

/// Logs and tells of a plugin that was left out.
fn report(context: &Context, pod: &Subject, fallback: &Fallback, outcome: Outcome) {
    let Fallback { plugin, cause, detail } = fallback;
    context.events.fallback(pod, fallback, Instant::now());
    let outcome = outcome.as_str();
    if *cause == Cause::BreakerOpen {
        // The breaker said so when it opened; a line a pod would drown the log.
        tracing::debug!(plugin, outcome, %pod, "plugin left out: its breaker is open");
        return;
    }
    tracing::warn!(plugin, reason = cause.as_str(), detail, %pod, outcome, "plugin left out");
}

async fn bind_pod(context: &Context, body: &[u8]) -> (Response, Outcome) {
    let Some(binder) = &context.binder else { return refuse(Verb::Bind, "binding is off") };
    let bound = match bind::BindingArgs::parse(body) {
        Ok(args) => binder.bind(&args).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match bound {
        Ok(()) => (json(bind::answer("")), Outcome::Ok),
        Err(error) => refuse(Verb::Bind, &error),
    }
}

fn refuse(verb: Verb, error: &str) -> (Response, Outcome) {
    let error = brief(error);
    tracing::warn!(verb = verb.as_str(), error, "request refused");
    let response = match verb {
        Verb::Filter => json(filter::error(&format!("gantry: {error}"))),
        Verb::Bind => json(bind::answer(&format!("gantry: {error}"))),
        Verb::Prioritize | Verb::Preempt => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    (response, Outcome::Refused)
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Trace;

    #[test]
    fn a_cycle_that_panics_has_no_answer_and_the_next_one_has() {
        for is_quick in [true, false] {
            assert_eq!(survive(is_quick, || -> u8 { panic!("on purpose") }), None);
            assert_eq!(survive(is_quick, || 7), Some(7));
        }
    }

    #[test]
    fn a_planned_node_that_our_own_filter_refused_was_not_kept_back_by_kube_scheduler() {
        let record = |pod: &str, verb: Verb, planned: &str, against_plan: Option<&'static str>| {
            let trace = Trace { planned: Some(planned.into()), against_plan, ..Trace::default() };
            DecisionRecord { trace, ..DecisionRecord::sample(pod, verb) }
        };
        let decisions = Decisions::default();
        decisions.keep(record("refused", Verb::Filter, "n1", Some(REFUSED)));
        decisions.keep(record("not-shown", Verb::Filter, "n1", Some(NOT_OFFERED)));
        decisions.keep(record("passed", Verb::Filter, "n1", None));
        for (pod, planned, expected) in [
            ("refused", "n1", true),
            ("refused", "n2", false),
            ("not-shown", "n1", false),
            ("passed", "n1", false),
            ("never-filtered", "n1", false),
        ] {
            let asked = record(pod, Verb::Prioritize, planned, Some(NOT_OFFERED));
            assert_eq!(is_refused(&decisions, &asked), expected, "{pod}, {planned}");
        }
        let another = record("refused", Verb::Prioritize, "n1", Some(NOT_OFFERED));
        let another = DecisionRecord { uid: "of-another".to_owned(), ..another };
        assert!(!is_refused(&decisions, &another), "a pod of the same name that came later");
    }
}
