//! What is answered when the API server goes out of sight, and when it is seen again.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, Response};
use bytes::Bytes;
use futures::stream;
use gantry_cluster::watch;
use gantry_extender::app::App;
use gantry_extender::profile::loader::{Loader, Occasion};
use gantry_extender::view::Cluster;
use kube::Client;
use serde_json::json;
use tokio::sync::watch::{Receiver, Sender, channel};

use crate::harness::{Extender, checked, json as parsed, pod, scores};

/// Lists one node and no pods. Nothing ever happens there; a watch ends when the server goes.
fn answer(mut is_up: Receiver<bool>, request: &Request<kube::client::Body>) -> Response<Body> {
    if !*is_up.borrow() {
        return Response::builder().status(503).body(Body::from(r#"{"kind":"Status","code":503}"#)).unwrap();
    }
    if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
        let end = async move {
            drop(is_up.wait_for(|is_up| !is_up).await);
            Ok::<_, Infallible>(Bytes::new())
        };
        return Response::new(Body::from_stream(stream::once(end)));
    }
    let allocatable = json!({"cpu": "8", "pods": "110"});
    let node = json!({"metadata": {"name": "n0", "resourceVersion": "1"}, "status": {"allocatable": allocatable}});
    let items = if request.uri().path().ends_with("/nodes") { vec![node] } else { Vec::new() };
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": items});
    Response::new(Body::from(list.to_string()))
}

/// An extender that follows a server which is up while the sender says so, and answers no broken watch at all.
fn start() -> (Extender, Cluster, Sender<bool>) {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, "").unwrap();
    let mut config = checked(&format!(
        "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\nserver: {{deadline: 4s}}\n\
         cluster: {{mode: auto, kubeconfig: '{}'}}\n",
        kubeconfig.display()
    ));
    let by_default = config.cluster.clone();
    config.cluster.stale_after = Duration::ZERO;
    let (up, is_up) = channel(true);
    let serve = move |request: Request<kube::client::Body>| {
        let answer = answer(is_up.clone(), &request);
        async move { Ok::<_, Infallible>(answer) }
    };
    let client = Client::new(tower::service_fn(serve), "default");
    let profiles = Loader::new(None, None).load(&config.profiles, &[], Occasion::Start).unwrap();
    let app = App::assemble(&config, Some(client.clone()), profiles).unwrap();
    tokio::spawn(watch::run(client, app.index()));
    (Extender::of(&app), Cluster::watched(app.index(), &by_default), up)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The scores of the only node.
async fn score(extender: &Extender) -> u64 {
    let request = format!(r#"{{"Pod":{},"NodeNames":["n0"]}}"#, pod("u1", "{}", "1"));
    scores(&extender.post("/prioritize", request).await.1)[0].1
}

#[tokio::test]
async fn a_broken_watch_is_answered_neutrally_until_it_works_again_and_a_quiet_one_is_not_broken() {
    let (extender, by_default, up) = start();
    let cluster = &extender.context.cluster;
    until("the first lists", || cluster.is_ready()).await;
    assert_eq!(score(&extender).await, 10);
    assert_eq!(cluster.stale_for(Instant::now() + Duration::from_hours(1)), None, "it is quiet only");

    up.send_replace(false);
    until("the broken watch", || cluster.health().failing_since.is_some()).await;
    let since = cluster.health().failing_since.unwrap();
    let stale_for = |seconds| by_default.stale_for(since + Duration::from_secs(seconds)).map(|time| time.as_secs());
    assert_eq!((stale_for(60), stale_for(61)), (None, Some(61)));
    assert_eq!(score(&extender).await, 0);
    let line = "gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"stale-view\"}";
    assert_eq!(extender.metric(line).await, Some(1.0));
    let (_, status) = extender.admin("/status").await;
    assert_eq!(parsed(status.as_bytes())["cluster"]["watch"]["stale"], true, "{status}");
    assert!(cluster.is_ready(), "a neutral answer is better than none");

    up.send_replace(true);
    until("the watches that are open again", || cluster.health().failing_since.is_none()).await;
    assert_eq!(score(&extender).await, 10);
}
