//! `/v1/forecasts`: the snapshot in whole, or one entry of it.
//!
//! Promises: `ETag` is the generation; `If-None-Match` with it is answered without a body; errors are JSON. Must not
//! know: the clock.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::Context;
use crate::snapshot::{Encoded, Kind};

/// A path's stand-in for the namespace of what has none.
const NO_NAMESPACE: &str = "-";

/// The endpoints of the extender.
pub fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route("/v1/forecasts", get(whole))
        .route("/v1/forecasts/{kind}/{namespace}/{name}", get(entry))
        .fallback(wrong_path)
        .with_state(context)
}

async fn wrong_path(uri: Uri) -> Response {
    let served = "/v1/forecasts and /v1/forecasts/{kind}/{namespace}/{name}";
    refusal(StatusCode::NOT_FOUND, &format!("no such path: {}; served here: {served}", uri.path()))
}

async fn whole(State(context): State<Arc<Context>>, headers: HeaderMap) -> Response {
    let Some(snapshot) = context.publication.current() else { return not_yet() };
    answer(&context, &snapshot, &headers, || Some(snapshot.body()))
}

async fn entry(
    State(context): State<Arc<Context>>,
    Path((kind, namespace, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(snapshot) = context.publication.current() else { return not_yet() };
    let Some(kind) = Kind::named(&kind) else {
        return refusal(StatusCode::NOT_FOUND, &format!("no such kind: {kind}; there are Node and Workload"));
    };
    let namespace = if namespace == NO_NAMESPACE { String::new() } else { namespace };
    answer(&context, &snapshot, &headers, || snapshot.entry(&(kind, namespace, name)))
}

fn answer(
    context: &Context,
    snapshot: &Encoded,
    headers: &HeaderMap,
    body: impl FnOnce() -> Option<Bytes>,
) -> Response {
    let tag = format!("\"{}\"", snapshot.generation());
    let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, format!("max-age={}", context.tick.as_secs()))];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    match body() {
        Some(body) => (caching, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "there is no forecast for it"),
    }
}

/// RFC 9110, section 13.1.2: a list of tags, or a star; a weak one counts as well.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

fn not_yet() -> Response {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "there is no snapshot yet: Prometheus was not read successfully so far")
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let body = json!({ "error": message }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::metrics::Metrics;
    use crate::publication::Publication;
    use crate::snapshot::{Entry, Snapshot};

    fn context() -> Arc<Context> {
        let (publication, metrics) = (Arc::new(Publication::default()), Arc::new(Metrics::new()));
        Arc::new(Context { publication, metrics, tick: Duration::from_secs(30) })
    }

    fn published() -> (Arc<Context>, String) {
        let context = context();
        let entry = |kind, namespace: &str, name: &str| Entry {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            resources: BTreeMap::new(),
        };
        let entries = vec![entry(Kind::Node, "", "node-1"), entry(Kind::Workload, "shop", "web")];
        let encoded = Encoded::new(&Snapshot { issued_at: 0, entries }).unwrap();
        let tag = format!("\"{}\"", encoded.generation());
        context.publication.publish(encoded);
        (context, tag)
    }

    async fn ask(context: &Arc<Context>, path: &str, tag: Option<&str>) -> (StatusCode, HeaderMap, Bytes) {
        let request = Request::get(path);
        let request = tag.into_iter().fold(request, |request, tag| request.header(header::IF_NONE_MATCH, tag));
        let response = router(Arc::clone(context)).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.into_body().collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn before_the_first_snapshot_there_is_an_error_in_json() {
        for path in ["/v1/forecasts", "/v1/forecasts/Node/-/node-1"] {
            let (status, headers, body) = ask(&context(), path, None).await;
            assert_eq!(
                (status, &headers[header::CONTENT_TYPE]),
                (StatusCode::SERVICE_UNAVAILABLE, &"application/json".parse().unwrap())
            );
            assert!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["error"].is_string());
        }
    }

    #[tokio::test]
    async fn a_poll_with_the_newest_generation_has_no_body() {
        let (context, tag) = published();
        let (status, headers, body) = ask(&context, "/v1/forecasts", None).await;
        assert_eq!((status, headers[header::ETAG].to_str().unwrap()), (StatusCode::OK, tag.as_str()));
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=30");
        assert!(!body.is_empty());
        for known in [tag.clone(), format!("W/{tag}"), format!("\"0\", {tag}"), "*".to_owned()] {
            let (status, headers, body) = ask(&context, "/v1/forecasts", Some(&known)).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            assert_eq!(headers[header::ETAG].to_str().unwrap(), tag);
        }
        assert_eq!(ask(&context, "/v1/forecasts", Some("\"0\"")).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn one_entry_is_found_by_kind_namespace_and_name() {
        let (context, _) = published();
        for (path, status) in [
            ("/v1/forecasts/Node/-/node-1", StatusCode::OK),
            ("/v1/forecasts/Workload/shop/web", StatusCode::OK),
            ("/v1/forecasts/Node/shop/node-1", StatusCode::NOT_FOUND),
            ("/v1/forecasts/Pod/-/node-1", StatusCode::NOT_FOUND),
            ("/v1/nothing", StatusCode::NOT_FOUND),
        ] {
            let (found, _, body) = ask(&context, path, None).await;
            let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((found, document["error"].is_string()), (status, status != StatusCode::OK), "{path}");
        }
    }
}
