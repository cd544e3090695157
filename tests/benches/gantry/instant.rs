//! The baseline: an extender that answers at once, all nodes pass and none is better.
//!
//! Behind the same router and over the same HTTP as Gantry, so that what is beyond it is Gantry's own. Under `/scored` it
//! gives each node a score, as any extender that is worth asking does: kube-scheduler has to read those too.

use anyhow::Result;
use axum::{Router, body::Bytes, routing::post};
use serde_json::value::RawValue;
use tokio::net::TcpListener;

/// The part of a request that it looks at.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments<'a> {
    #[serde(borrow)]
    nodes: Option<&'a RawValue>,
    #[serde(borrow)]
    node_names: Option<&'a RawValue>,
}

/// One entry of an answer to prioritize.
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Scored<'a> {
    host: &'a str,
    score: u8,
}

/// The least that an extender can do: what came goes back unread, no scores.
pub(crate) fn router() -> Router {
    async fn filter(body: Bytes) -> String {
        let arguments: Arguments<'_> = serde_json::from_slice(&body).expect("invariant: the bench asks in valid JSON");
        let text = |part: Option<&RawValue>| part.map_or("null", RawValue::get).to_owned();
        format!("{{\"Nodes\":{},\"NodeNames\":{}}}", text(arguments.nodes), text(arguments.node_names))
    }
    async fn prioritize() -> &'static str {
        "[]"
    }
    async fn score(body: Bytes) -> Vec<u8> {
        let arguments: Arguments<'_> = serde_json::from_slice(&body).expect("invariant: the bench asks in valid JSON");
        let names: Vec<&str> = arguments.node_names.map_or_else(Vec::new, |names| {
            serde_json::from_str(names.get()).expect("invariant: the names of nodes need no escapes")
        });
        let scored: Vec<Scored<'_>> = names.into_iter().map(|host| Scored { host, score: 1 }).collect();
        serde_json::to_vec(&scored).expect("invariant: names and numbers are JSON")
    }
    // Whole nodes are larger than what axum takes by default.
    let limit = axum::extract::DefaultBodyLimit::disable();
    let scored = Router::new().route("/filter", post(filter)).route("/prioritize", post(score));
    Router::new()
        .route("/filter", post(filter))
        .route("/prioritize", post(prioritize))
        .nest("/scored", scored)
        .layer(limit)
}

/// Serves it on loopback; the address for `urlPrefix`.
pub(crate) async fn serve() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router()).await });
    Ok(url)
}
