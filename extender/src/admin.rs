//! The admin's endpoints, on a port of their own: probes, metrics, state.
//!
//! Read-only. Promises that `/readyz` fails until answers rest on the whole cluster,
//! and that `/status` tells whether kube-scheduler calls at all.

mod comparison;
mod explain;
mod landed;
mod plan;
mod record;
mod vacated;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use gantry_cluster::{WatchFailure, WatchHealth};
use gantry_host::record::Record;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::forecasts::freshness;
use crate::handlers::Context;
use crate::planner::{FEED, FEED_WAIT, Feed};
use crate::profile::{Member, Point, Profile};
use crate::verb::Verb;
use explain::Part;

/// What is served.
const PATHS: &str = "/livez /readyz /metrics /version /status /profiles /plan /plan/feed /plan/record /nodes \
                     /explain/{namespace}/{pod} /record/{namespace}/{pod}";

/// The admin's endpoints.
pub fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .route("/status", get(status))
        .route("/explain/{namespace}/{pod}", get(explain))
        .route("/record/{namespace}/{pod}", get(record))
        .route("/plan", get(plan))
        .route(FEED, get(feed))
        .route("/plan/record", get(plan_record))
        .route("/nodes", get(nodes))
        .route("/profiles", get(configuration))
        .fallback(wrong_path)
        // Who explains takes an instance from who schedules: one at a time.
        .layer(Extension(Arc::new(Semaphore::new(1))))
        .with_state(context)
}

async fn wrong_path(uri: Uri) -> Response {
    let text = format!("no such path: {}; served here: {}\n", uri.path(), PATHS);
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn readyz(State(context): State<Arc<Context>>) -> Response {
    if context.cluster.is_ready() {
        return "ok\n".into_response();
    }
    let health = context.cluster.health();
    let error = health.last_error.map(|error| format!("; last error: {error}")).unwrap_or_default();
    let text = format!("the first list of nodes and pods is not complete yet{error}\n");
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(context): State<Arc<Context>>) -> Response {
    let now = Instant::now();
    let health = context.cluster.health();
    context.metrics.watch_failures(&health.failures_by_cause);
    let age = health.last_word.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
    context.metrics.plugins(context.cycles.profiles().iter().map(|profile| &**profile), now);
    let text = context.metrics.text(age, &context.cluster.snapshot(now));
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

async fn version() -> Response {
    document(&json!({ "version": env!("CARGO_PKG_VERSION"), "wit": gantry_host::WIT_VERSION }))
}

async fn status(State(context): State<Arc<Context>>) -> Response {
    let now = Instant::now();
    let snapshot = context.cluster.snapshot(now);
    document(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ready": context.cluster.is_ready(),
        "lastCallFromKubeScheduler": last_calls(&context, now),
        "cluster": {
            "mode": if context.cluster.is_watched() { "watch" } else { "none" },
            "generation": snapshot.generation(),
            "nodes": snapshot.node_count(),
            "assumedPods": snapshot.assumed(),
            "watch": watch(&context, now),
        },
        "forecasts": forecasts(&context, now),
        "profiles": profiles(&context),
    }))
}

/// `?format=text` asks for what people read.
fn wants_text(uri: &Uri) -> bool {
    asks_for(uri, "format=text")
}

/// `part=standing` and `part=decisions` ask for a part of that, to be shown beside another replica's.
fn wanted_part(uri: &Uri) -> Part {
    if asks_for(uri, "part=standing") {
        Part::Standing
    } else if asks_for(uri, "part=decisions") {
        Part::Decisions
    } else {
        Part::All
    }
}

fn asks_for(uri: &Uri, wanted: &str) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == wanted))
}

async fn explain(
    State(context): State<Arc<Context>>,
    Extension(asking): Extension<Arc<Semaphore>>,
    Path((namespace, pod)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let snapshot = context.cluster.snapshot(Instant::now());
    let Some(mut explanation) = explain::explain(&context, &snapshot, &namespace, &pod, SystemTime::now()) else {
        let text = format!(
            "nothing is known of pod {namespace}/{pod}: it does not wait, and no request for it is among the last ones \
             since this replica started; with several replicas ask the one that kube-scheduler calls\n"
        );
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let part = wants_text(&uri).then(|| wanted_part(&uri));
    // What is not read need not be asked for.
    if let Some(question) = explanation.question.take().filter(|_| part != Some(Part::Decisions)) {
        explanation.comparison = Some(comparison::compare(&context, &asking, snapshot, question).await);
    }
    part.map_or_else(|| document(&json!(explanation)), |part| explanation.text(part).into_response())
}

async fn record(State(context): State<Arc<Context>>, Path((namespace, pod)): Path<(String, String)>) -> Response {
    let absent = || {
        format!(
            "no record of pod {namespace}/{pod}: only the last answers are kept with all that led to them, and of many pods at \
             once only some; with several replicas ask the one that kube-scheduler calls\n"
        )
    };
    recorded(record::of_pod(&context, &namespace, &pod), absent)
}

async fn plan_record(State(context): State<Arc<Context>>) -> Response {
    recorded(record::of_plans(&context), || "nothing was planned yet\n".to_owned())
}

/// In one line: the columns are for programs.
fn recorded(record: Option<Record>, absent: impl FnOnce() -> String) -> Response {
    match record {
        Some(record) => ([(header::CONTENT_TYPE, "application/json")], format!("{}\n", json!(record))).into_response(),
        None => (StatusCode::NOT_FOUND, absent()).into_response(),
    }
}

async fn plan(State(context): State<Arc<Context>>, uri: Uri) -> Response {
    let (posts, now) = (context.board.all(), SystemTime::now());
    let place = |uid: &str| context.cluster.whereabouts(uid, plan::in_words);
    if wants_text(&uri) {
        plan::text(&posts, place, now).into_response()
    } else {
        document(&plan::document(&posts, place, now))
    }
}

/// The plans for other replicas. Who has them already waits until they change, a second at most.
async fn feed(State(context): State<Arc<Context>>, headers: HeaderMap) -> Response {
    let (board, known) = (&context.board, headers.get(header::IF_NONE_MATCH));
    let is_known = |tag: &str| known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut changes = board.changes();
    if is_known(&board.tag()) {
        // Over without a change or not, the board is looked at once more.
        drop(tokio::time::timeout(FEED_WAIT, changes.changed()).await);
    }
    let tag = board.tag();
    if is_known(&tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let body = serde_json::to_vec(&Feed::of(board)).expect("invariant: names and finite numbers are JSON");
    ([(header::ETAG, tag), (header::CONTENT_TYPE, "application/json".to_owned())], body).into_response()
}

async fn nodes(State(context): State<Arc<Context>>, uri: Uri) -> Response {
    let snapshot = context.cluster.snapshot(Instant::now());
    if wants_text(&uri) { plan::nodes_text(&snapshot).into_response() } else { document(&plan::nodes(&snapshot)) }
}

fn document(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], format!("{value:#}\n")).into_response()
}

fn last_calls(context: &Context, now: Instant) -> Value {
    let text = |age: Option<Duration>| age.map_or("never".to_owned(), |age| format!("{} s ago", age.as_secs()));
    let entry = |verb: Verb| (verb.as_str().to_owned(), Value::String(text(context.calls.age(verb, now))));
    Value::Object(Verb::ALL.into_iter().map(entry).collect())
}

fn watch(context: &Context, now: Instant) -> Value {
    if !context.cluster.is_watched() {
        return Value::Null;
    }
    let health = context.cluster.health();
    let ago = |time: Option<Instant>| time.map(|time| now.saturating_duration_since(time).as_secs());
    json!({
        "synced": health.synced,
        "stale": context.cluster.stale_for(now).is_some(),
        "failingForSeconds": ago(health.failing_since),
        "lastWordSecondsAgo": ago(health.last_word),
        "lastError": health.last_error,
        "failures": health.failures,
        "failuresByCause": failures_by_cause(&health),
        "refusedObjects": health.refused_objects,
    })
}

fn failures_by_cause(health: &WatchHealth) -> Value {
    let entry = |(cause, count): (&WatchFailure, &u64)| (cause.as_str().to_owned(), Value::from(*count));
    Value::Object(health.failures_by_cause.iter().map(entry).collect())
}

fn forecasts(context: &Context, now: Instant) -> Value {
    let Some(status) = &context.forecasts else { return Value::Null };
    let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let count = |state: freshness::State| (state.as_str().to_owned(), Value::from(status.tally.of(state)));
    json!({
        "generation": status.generation,
        "ageSeconds": status.age,
        "entries": Value::Object(freshness::State::ALL.into_iter().map(count).collect()),
        "lastAnswerSecondsAgo": status.last_answer.map(|last| now.saturating_duration_since(last).as_secs()),
        "lastError": status.last_error,
    })
}

async fn configuration(State(context): State<Arc<Context>>) -> Response {
    let status = context.configuration.lock().unwrap_or_else(PoisonError::into_inner).to_json();
    document(&json!({ "configuration": status, "profiles": profiles(&context) }))
}

fn profiles(context: &Context) -> Value {
    let now = Instant::now();
    let entry = |profile: Arc<Profile>| {
        let plugins: Vec<Value> = profile.members().iter().map(|member| plugin(member, now)).collect();
        json!({
            "schedulerName": profile.scheduler_name(),
            "mode": profile.mode().as_str(),
            "plugins": plugins,
        })
    };
    context.cycles.profiles().into_iter().map(entry).collect()
}

fn plugin(member: &Member, now: Instant) -> Value {
    let failure = member.failure().map(|(reason, detail)| json!({"reason": reason.as_str(), "detail": detail}));
    let breaker = |point: &Point| Some((point.as_str().to_owned(), member.breaker(*point, now)?.as_str().into()));
    json!({
        "name": member.name(),
        "component": member.config().component.to_string(),
        "digest": member.digest().map(|digest| digest.to_string()),
        "weight": member.weight(),
        "normalize": member.config().normalize,
        "breakers": Value::Object(Point::ALL.iter().filter_map(breaker).collect()),
        "restarts": member.restarts(),
        "memoryHighWater": member.memory_high_water(),
        "failure": failure,
    })
}
