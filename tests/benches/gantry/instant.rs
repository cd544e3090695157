//! The baseline: an extender that answers at once, all nodes pass and none is better.
//!
//! Behind the same router and over the same HTTP as Gantry, so that what is beyond it is Gantry's own. Under `/scored` it
//! gives each node a score, as any extender that is worth asking does: kube-scheduler has to read those too. It notes when
//! it was asked about which pod to filter its nodes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::{Router, body::Bytes, extract::State, routing::post};
use gantry_tests::workload::index_of;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

/// The part of a request that it looks at.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments<'a> {
    #[serde(borrow)]
    pod: Pod<'a>,
    #[serde(borrow)]
    nodes: Option<&'a RawValue>,
    #[serde(borrow)]
    node_names: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
struct Pod<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(serde::Deserialize)]
struct Metadata<'a> {
    name: Option<&'a str>,
}

/// One entry of an answer to prioritize.
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Scored<'a> {
    host: &'a str,
    score: u8,
}

/// When it was asked about the pods of a workload, but for those under `/scored`.
#[derive(Clone)]
pub(crate) struct Arrivals {
    start: Instant,
    calls: Arc<Mutex<Vec<(usize, Duration)>>>,
}

impl Arrivals {
    fn new() -> Self {
        Self { start: Instant::now(), calls: Arc::default() }
    }

    fn note(&self, pod: &Pod<'_>, now: Instant) {
        let calls = self.calls.lock();
        let pod = pod.metadata.name.and_then(index_of);
        calls.unwrap_or_else(PoisonError::into_inner).extend(pod.map(|index| (index, now - self.start)));
    }

    /// All calls since the last time that somebody took them, in their order: the pod's number, and when.
    pub(crate) fn take(&self) -> Vec<(usize, Duration)> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn read(body: &[u8]) -> Arguments<'_> {
    serde_json::from_slice(body).expect("invariant: the bench asks in valid JSON")
}

/// The least that an extender can do: what came goes back unread.
fn pass(arguments: &Arguments<'_>) -> String {
    let text = |part: Option<&RawValue>| part.map_or("null", RawValue::get).to_owned();
    format!("{{\"Nodes\":{},\"NodeNames\":{}}}", text(arguments.nodes), text(arguments.node_names))
}

fn score(arguments: &Arguments<'_>) -> Vec<u8> {
    let names: Vec<&str> = arguments.node_names.map_or_else(Vec::new, |names| {
        serde_json::from_str(names.get()).expect("invariant: the names of nodes need no escapes")
    });
    let scored: Vec<Scored<'_>> = names.into_iter().map(|host| Scored { host, score: 1 }).collect();
    serde_json::to_vec(&scored).expect("invariant: names and numbers are JSON")
}

/// All pass, no scores.
pub(crate) fn router() -> Router {
    noting(Arrivals::new())
}

fn noting(arrivals: Arrivals) -> Router {
    let filter = async |State(arrivals): State<Arrivals>, body: Bytes| {
        let (now, arguments) = (Instant::now(), read(&body));
        arrivals.note(&arguments.pod, now);
        pass(&arguments)
    };
    // Whole nodes are larger than what axum takes by default.
    let limit = axum::extract::DefaultBodyLimit::disable();
    let scored = Router::new()
        .route("/filter", post(async |body: Bytes| pass(&read(&body))))
        .route("/prioritize", post(async |body: Bytes| score(&read(&body))));
    Router::new()
        .route("/filter", post(filter))
        .route("/prioritize", post(async || "[]"))
        .nest("/scored", scored)
        .layer(limit)
        .with_state(arrivals)
}

/// Serves it on loopback: the address for `urlPrefix`, and the calls.
pub(crate) async fn serve() -> Result<(String, Arrivals)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let arrivals = Arrivals::new();
    let router = noting(arrivals.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, arrivals))
}
