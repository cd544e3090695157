//! The feed of forecasts against a sidecar's answers, over TCP and over a unix socket.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gantry_cluster::{Index, IndexSettings, SharedIndex, Snapshot};
use gantry_extender::config::valid::{ForecastSource, Forecasts};
use gantry_extender::events::Events;
use gantry_extender::forecasts::{Feed, FeedStatus};
use gantry_extender::metrics::Metrics;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};

use crate::harness::{Extender, json as parsed};
use crate::planning;

/// What the sidecar answers: a status, a tag and a body, and how often it said that nothing changed.
#[derive(Clone, Default)]
struct Sidecar(Arc<Mutex<(u16, String, String, usize)>>);

impl Sidecar {
    fn says(&self, status: u16, tag: &str, body: &str) {
        let mut state = self.0.lock().unwrap();
        (state.0, state.1, state.2) = (status, format!("\"{tag}\""), body.to_owned());
    }

    fn forecasts(&self, tag: &str, p90: f64, age: i64) {
        self.says(200, tag, &document(tag, p90, age));
    }

    fn unchanged(&self) -> usize {
        self.0.lock().unwrap().3
    }

    fn router(&self) -> Router {
        Router::new().route("/v1/forecasts", get(answer)).with_state(self.clone())
    }
}

async fn answer(State(sidecar): State<Sidecar>, headers: HeaderMap) -> Response {
    let mut state = sidecar.0.lock().unwrap();
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| *tag == state.1) {
        state.3 += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    (StatusCode::from_u16(state.0).unwrap(), [(header::ETAG, state.1.clone())], state.2.clone()).into_response()
}

fn document(generation: &str, p90: f64, age: i64) -> String {
    let until = Timestamp::from_second(Timestamp::now().as_second() - age).unwrap().to_string();
    let cpu = json!({"unit": "share", "values": [[0.25, p90]], "model": "naive", "dataUntil": until});
    json!({
        "apiVersion": "gantry.dev/v1alpha1", "kind": "ForecastSnapshot", "generation": generation,
        "quantiles": [0.5, 0.9], "entries": [{"kind": "Node", "name": "a", "resources": {"cpu": cpu}}],
    })
    .to_string()
}

/// A feed at work on a cluster of one node with four cores.
struct Trial {
    index: Arc<SharedIndex>,
    status: Arc<Mutex<FeedStatus>>,
    metrics: Arc<Metrics>,
    feed: AbortHandle,
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

impl Trial {
    fn start(source: ForecastSource, file: Option<&Path>) -> Self {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        let node = json!({"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "4"}}});
        index.apply_node(&serde_json::from_value(node).unwrap()).unwrap();
        let index = Arc::new(SharedIndex::new(index));
        let metrics = Arc::new(Metrics::new([]));
        let settings = Forecasts { source, file: file.map(Path::to_owned), poll: Duration::from_millis(20) };
        let feed = Feed::new(settings, Arc::clone(&index), Arc::clone(&metrics));
        let status = feed.status();
        let feed = tokio::spawn(feed.run(Arc::new(Events::disabled()))).abort_handle();
        Self { index, status, metrics, feed }
    }

    async fn until(&self, what: &str, holds: impl Fn(&Snapshot, &FeedStatus) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (snapshot, status) = (self.index.snapshot(Instant::now()), self.status.lock().unwrap().clone());
            if holds(&snapshot, &status) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {status:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn metrics(&self) -> String {
        self.metrics.text(Duration::ZERO, &Snapshot::default())
    }
}

/// The 0.9 quantile of cpu on the node, in millicores; `None` without forecasts.
fn p90(snapshot: &Snapshot) -> Option<f64> {
    snapshot.used_p90().first().copied()
}

async fn serve(sidecar: &Sidecar) -> (ForecastSource, AbortHandle) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, sidecar.router()).into_future());
    (ForecastSource::Tcp(address), server.abort_handle())
}

#[tokio::test]
async fn forecasts_reach_the_columns_change_there_and_are_not_fetched_twice() {
    let sidecar = Sidecar::default();
    sidecar.forecasts("1", 0.5, 0);
    let (source, _server) = serve(&sidecar).await;
    let trial = Trial::start(source, None);
    trial.until("the first forecast", |snapshot, _| p90(snapshot) == Some(2_000.0)).await;
    let polled = sidecar.unchanged();
    trial.until("unchanged polls", |_, _| sidecar.unchanged() > polled + 2).await;
    sidecar.forecasts("2", 0.75, 0);
    trial.until("the second forecast", |snapshot, _| p90(snapshot) == Some(3_000.0)).await;
    assert!(trial.metrics().contains("gantry_forecast_polls_total{outcome=\"changed\"} 2"), "{}", trial.metrics());
}

#[tokio::test]
async fn a_forecast_of_a_workload_says_what_its_next_pod_will_use() {
    let replica = |name: &str, node: Option<&str>| -> Pod {
        let owner =
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-abc", "uid": "1", "controller": true});
        let containers = json!([{"name": "c", "resources": {"requests": {"cpu": "2"}}}]);
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": name, "namespace": "shop", "ownerReferences": [owner],
                "labels": {"pod-template-hash": "abc"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": node, "containers": containers},
        }))
        .unwrap()
    };
    let sidecar = Sidecar::default();
    let mut document: Value = serde_json::from_str(&document("1", 0.5, 0)).unwrap();
    let mut workload = document["entries"][0].clone();
    (workload["kind"], workload["namespace"], workload["name"]) = (json!("Workload"), json!("shop"), json!("web"));
    workload["resources"]["cpu"]["unit"] = json!("base");
    workload["resources"]["cpu"]["values"] = json!([[0.5, 1.0]]);
    document["entries"].as_array_mut().unwrap().push(workload);
    sidecar.says(200, "1", &document.to_string());
    let (source, _server) = serve(&sidecar).await;
    let trial = Trial::start(source, None);
    trial.until("the node's forecast", |snapshot, _| p90(snapshot) == Some(2_000.0)).await;
    for name in ["web-abc-1", "web-abc-2"] {
        trial.index.lock().apply_pod(&replica(name, Some("a"))).unwrap();
    }
    let next = trial.index.lock().row_of(&replica("web-abc-3", None)).unwrap();
    let cpu = |snapshot: &Snapshot| snapshot.estimate(&next).first().copied();
    trial.until("half of what two pods use", |snapshot, _| cpu(snapshot) == Some(250.0)).await;
    assert_eq!(next.request[0], 2_000.0);
}

#[tokio::test]
async fn a_sidecar_on_a_unix_socket_is_followed_from_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecasts.sock");
    let trial = Trial::start(ForecastSource::Unix(path.clone()), None);
    trial.until("a failed poll", |_, status| status.last_error.is_some()).await;
    let sidecar = Sidecar::default();
    sidecar.forecasts("1", 0.5, 0);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(axum::serve(listener, sidecar.router()).into_future());
    trial.until("the forecast", |snapshot, _| p90(snapshot) == Some(2_000.0)).await;
}

#[tokio::test]
async fn what_is_stale_is_widened_and_what_is_older_or_from_the_future_is_left_out() {
    let sidecar = Sidecar::default();
    let (source, _server) = serve(&sidecar).await;
    let trial = Trial::start(source, None);
    sidecar.forecasts("1", 0.5, 121);
    trial.until("a wider forecast", |snapshot, _| p90(snapshot).is_some_and(|p90| p90 > 2_500.0)).await;
    for (tag, age, state) in [("2", 600, "expired"), ("3", -600, "clock-skew")] {
        sidecar.forecasts(tag, 0.5, age);
        trial.until("no forecast", |_, status| status.generation.as_deref() == Some(tag)).await;
        trial.until("no forecast", |snapshot, _| p90(snapshot).is_none()).await;
        let line = format!("gantry_forecast_entries{{state=\"{state}\"}} 1");
        assert!(trial.metrics().contains(&line), "{}", trial.metrics());
    }
}

#[tokio::test]
async fn a_failing_sidecar_leaves_the_last_forecasts_in_use() {
    let sidecar = Sidecar::default();
    sidecar.forecasts("1", 0.5, 0);
    let (source, server) = serve(&sidecar).await;
    let trial = Trial::start(source, None);
    trial.until("the first forecast", |snapshot, _| p90(snapshot) == Some(2_000.0)).await;
    for (status, body, reason) in [
        (503, "{}", "bad-status"),
        (200, "{\"apiVersion\":", "unreadable"),
        (
            200,
            "{\"apiVersion\":\"v0\",\"kind\":\"x\",\"generation\":\"\",\"quantiles\":[],\"entries\":[]}",
            "other-version",
        ),
    ] {
        sidecar.says(status, reason, body);
        let line = format!("gantry_forecast_polls_total{{outcome=\"{reason}\"}}");
        trial.until("a counted failure", |_, _| trial.metrics().contains(&line)).await;
        trial.until("forecasts all the same", |snapshot, _| p90(snapshot) == Some(2_000.0)).await;
    }
    server.abort();
    let line = "gantry_forecast_polls_total{outcome=\"unreachable\"}";
    trial.until("a counted failure", |_, _| trial.metrics().contains(line)).await;
    trial.until("forecasts all the same", |snapshot, _| p90(snapshot) == Some(2_000.0)).await;
}

#[tokio::test]
async fn the_sidecars_file_is_there_before_the_sidecar() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forecasts.json");
    std::fs::write(&file, document("1", 0.5, 0)).unwrap();
    let trial = Trial::start(ForecastSource::Unix(folder.path().join("nobody.sock")), Some(&file));
    trial.until("the forecast of the file", |snapshot, _| p90(snapshot) == Some(2_000.0)).await;
}

/// The node `n0` is nearly full by what is used there, as of data of this age.
fn busy(generation: &str, age: i64) -> String {
    let mut document: Value = serde_json::from_str(&document(generation, 0.95, age)).unwrap();
    let entry = &mut document["entries"][0];
    entry["name"] = json!("n0");
    entry["resources"]["cpu"]["values"] = json!([[0.9, 0.95]]);
    document.to_string()
}

/// The sidecar's clock and ours come an hour apart, one way and the other, while pods wait for their plan.
#[tokio::test]
async fn planning_goes_on_by_requests_while_a_clock_is_wrong_and_the_skew_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let trial = planning::Trial::start(folder.path(), planning::BUILTIN, "10s");
    let extender = Extender::of(&trial.app);
    let sidecar = Sidecar::default();
    let (source, _server) = serve(&sidecar).await;
    let settings = Forecasts { source, file: None, poll: Duration::from_millis(20) };
    let feed = Feed::new(settings, trial.app.index(), trial.app.context.metrics.clone());
    let mut feeding = JoinSet::new();
    sidecar.says(200, "right", &busy("right", 0));
    feeding.spawn(feed.run(Events::disabled().into()));

    let pods: Vec<String> = (0..3 * planning::NODES).map(|number| format!("open-{number}")).collect();
    for pod in &pods {
        trial.server.create(pod, false);
    }
    let is_planned = |on_the_busy_node: bool| {
        let snapshot = trial.app.index().snapshot(Instant::now());
        let rows: Vec<Option<u32>> = pods.iter().map(|pod| snapshot.planned_row(pod)).collect();
        rows.iter().all(Option::is_some) && rows.contains(&snapshot.row("n0")) == on_the_busy_node
    };
    for (tag, age, state) in [("late", 3_600, "expired"), ("early", -3_600, "clock-skew")] {
        planning::until("a plan by what is used", async || is_planned(false)).await;
        sidecar.says(200, tag, &busy(tag, age));
        trial.server.create(&format!("gated-{tag}"), true);
        planning::until("a plan by requests", async || is_planned(true)).await;
        planning::until("the release of all", async || trial.server.has_released_all()).await;
        assert!(trial.server.writes().contains(&format!("nominate gated-{tag}")), "{:?}", trial.server.writes());
        let line = format!("gantry_forecast_left_out_total{{reason=\"{state}\"}}");
        assert_eq!(extender.metric(&line).await, Some(1.0), "{state}");
        let right = format!("right-after-{tag}");
        sidecar.says(200, &right, &busy(&right, 0));
    }
    planning::until("a plan by what is used", async || is_planned(false)).await;
    let plan = parsed(extender.admin("/plan").await.1.as_bytes());
    assert_eq!(plan[0]["lastFailure"], Value::Null, "{plan:#}");
}
