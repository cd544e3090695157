//! The admin's endpoints, on a port of their own: probes, metrics, version.
//!
//! Read-only. Promises that `/readyz` fails until there is a snapshot, and that it does not fail later: an old snapshot
//! says how old it is. Must not know: forecasts.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::Context;

/// The admin's endpoints.
pub fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .fallback(wrong_path)
        .with_state(context)
}

async fn wrong_path(uri: Uri) -> Response {
    let text = format!("no such path: {}; served here: /livez /readyz /metrics /version\n", uri.path());
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn readyz(State(context): State<Arc<Context>>) -> Response {
    if context.publication.current().is_some() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "there is no snapshot yet\n").into_response()
}

async fn metrics(State(context): State<Arc<Context>>) -> Response {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let snapshot = context.publication.current();
    let data_until = snapshot.as_ref().and_then(|snapshot| snapshot.data_until());
    let until = data_until.map(|until| Duration::from_secs(u64::try_from(until).unwrap_or(0)));
    let age = until.map_or(Duration::ZERO, |until| now.saturating_sub(until));
    let text = context.metrics.text(age, snapshot.map_or(0, |snapshot| snapshot.len()));
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

async fn version() -> Response {
    let document = json!({ "version": env!("CARGO_PKG_VERSION"), "apiVersion": crate::snapshot::API_VERSION });
    ([(header::CONTENT_TYPE, "application/json")], format!("{document:#}\n")).into_response()
}
