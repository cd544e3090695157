//! The admin's endpoints, on a port of their own: probes, metrics, state.
//!
//! Read-only. Promises that `/readyz` fails until answers rest on the whole cluster,
//! and that `/status` tells whether kube-scheduler calls at all.

mod explain;
mod plan;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::forecasts::freshness;
use crate::handlers::Context;
use crate::profile::{Member, Point, Profile};
use crate::verb::Verb;

/// What is served.
const PATHS: &str = "/livez /readyz /metrics /version /status /plan /nodes /explain/{namespace}/{pod}";

/// The admin's endpoints.
pub fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .route("/status", get(status))
        .route("/explain/{namespace}/{pod}", get(explain))
        .route("/plan", get(plan))
        .route("/nodes", get(nodes))
        .route("/profiles", get(configuration))
        .fallback(wrong_path)
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
    let last_event = context.cluster.health().last_event;
    let age = last_event.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
    context.metrics.plugins(context.cycles.profiles().iter().map(|profile| &**profile), now);
    let text = context.metrics.text(age, context.cluster.snapshot(now).assumed());
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
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "format=text"))
}

async fn explain(
    State(context): State<Arc<Context>>,
    Path((namespace, pod)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let snapshot = context.cluster.snapshot(Instant::now());
    match explain::explain(&context, &snapshot, &namespace, &pod, SystemTime::now()) {
        Some(explanation) if wants_text(&uri) => explanation.text().into_response(),
        Some(explanation) => document(&json!(explanation)),
        None => {
            let text = format!(
                "nothing is known of pod {namespace}/{pod}: it does not wait, and no request for it is among the last \
                 ones; with several replicas ask the one that kube-scheduler calls\n"
            );
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

async fn plan(State(context): State<Arc<Context>>, uri: Uri) -> Response {
    let (plans, now) = (context.board.all(), SystemTime::now());
    if wants_text(&uri) { plan::text(&plans, now).into_response() } else { document(&plan::document(&plans, now)) }
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
    json!({
        "synced": health.synced,
        "lastEventSecondsAgo": health.last_event.map(|last| now.saturating_duration_since(last).as_secs()),
        "lastError": health.last_error,
        "failures": health.failures,
        "refusedObjects": health.refused_objects,
    })
}

fn forecasts(context: &Context, now: Instant) -> Value {
    let Some(status) = &context.forecasts else { return Value::Null };
    let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let count = |state: freshness::State| (state.as_str().to_owned(), Value::from(status.tally.of(state)));
    json!({
        "generation": status.generation,
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
        "breakers": Value::Object(Point::ALL.iter().filter_map(breaker).collect()),
        "restarts": member.restarts(),
        "memoryHighWater": member.memory_high_water(),
        "failure": failure,
    })
}
