//! The baseline: an extender that answers at once, all nodes pass and none is better.
//!
//! Behind the same router and over the same HTTP as Gantry, so that what is beyond it is Gantry's own.

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
    // Whole nodes are larger than what axum takes by default.
    let limit = axum::extract::DefaultBodyLimit::disable();
    Router::new().route("/filter", post(filter)).route("/prioritize", post(prioritize)).layer(limit)
}

/// Serves it on loopback; the address for `urlPrefix`.
pub(crate) async fn serve() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router()).await });
    Ok(url)
}
