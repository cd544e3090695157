//! A stand-in for an API server: pages of made-up nodes and pods, and a watch that changes each of them once.
//!
//! Objects are made as they are sent; none is kept. Models are the captured ones, with labels, conditions, images and
//! environment as clusters have them.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::Uri,
    routing::get,
};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const NODE: &str = include_str!("../../../fixtures/kube-scheduler/filter_full_nodes.json");
const POD: &str = include_str!("../../../fixtures/kube-scheduler/filter_cached_pod_realistic_deployment_pod.json");
/// Pods of one Deployment.
const REPLICAS: usize = 20;

/// A running server; it ends with the process.
pub(crate) struct ApiServer {
    /// Leads here.
    pub(crate) kubeconfig: PathBuf,
    cluster: Arc<Cluster>,
}

struct Cluster {
    node: Value,
    nodes: usize,
    pod: Value,
    pods: usize,
    /// The first so many pods have no node.
    waiting: usize,
    sent: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Kind {
    Node,
    Pod,
}

/// The parts of a list's or watch's query that are looked at.
#[derive(Default)]
struct Asked {
    watches: bool,
    limit: Option<usize>,
    from: usize,
}

impl Asked {
    fn parse(uri: &Uri) -> Self {
        let mut asked = Self::default();
        for (key, value) in uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "watch" => asked.watches = value == "true",
                "limit" => asked.limit = value.parse().ok(),
                "continue" => asked.from = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        asked
    }
}

impl ApiServer {
    /// A server with so many nodes and pods, and its kubeconfig file in `folder`.
    pub(crate) async fn start(nodes: usize, pods: usize, waiting: usize, folder: &Path) -> Result<Self> {
        let node = serde_json::from_str::<Value>(NODE)?["Nodes"]["items"][0].take();
        let pod = serde_json::from_str::<Value>(POD)?["Pod"].take();
        let cluster = Arc::new(Cluster { node, nodes, pod, pods, waiting, sent: AtomicUsize::new(0) });
        let serve =
            |kind| get(move |cluster: State<Arc<Cluster>>, uri: Uri| async move { answer(kind, cluster, &uri) });
        let router = Router::new()
            .route("/api/v1/nodes", serve(Kind::Node))
            .route("/api/v1/pods", serve(Kind::Pod))
            .with_state(Arc::clone(&cluster));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let kubeconfig = folder.join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": server}}], "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        std::fs::write(&kubeconfig, config.to_string())?;
        Ok(Self { kubeconfig, cluster })
    }

    /// How many changes the watches have sent.
    pub(crate) fn changes_sent(&self) -> usize {
        self.cluster.sent.load(Ordering::Relaxed)
    }
}

fn answer(kind: Kind, State(cluster): State<Arc<Cluster>>, uri: &Uri) -> Body {
    let asked = Asked::parse(uri);
    if asked.watches { watch(kind, cluster) } else { Body::from(cluster.page(kind, &asked)) }
}

/// Every object changes once; after that nothing happens any more.
fn watch(kind: Kind, cluster: Arc<Cluster>) -> Body {
    let count = cluster.count(kind);
    let changes = stream::iter(0..count).map(move |index| {
        let event = json!({"type": "MODIFIED", "object": cluster.object(kind, index, 2)});
        cluster.sent.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from(format!("{event}\n")))
    });
    Body::from_stream(changes.chain(stream::pending()))
}

impl Cluster {
    fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Node => self.nodes,
            Kind::Pod => self.pods,
        }
    }

    fn page(&self, kind: Kind, asked: &Asked) -> String {
        let from = asked.from;
        let end = self.count(kind).min(asked.limit.map_or(usize::MAX, |limit| from + limit));
        let next = if end < self.count(kind) { end.to_string() } else { String::new() };
        let items: Vec<Value> = (from..end).map(|index| self.object(kind, index, 1)).collect();
        let kind = match kind {
            Kind::Node => "NodeList",
            Kind::Pod => "PodList",
        };
        let metadata = json!({"resourceVersion": "1", "continue": next});
        json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "items": items}).to_string()
    }

    fn object(&self, kind: Kind, index: usize, version: usize) -> Value {
        let mut object = match kind {
            Kind::Node => node(&self.node, index),
            Kind::Pod => pod(&self.pod, index, index < self.waiting),
        };
        if let (Kind::Pod, false) = (kind, index < self.waiting) {
            object["spec"]["nodeName"] = json!(node_name(index % self.nodes));
            object["status"]["phase"] = json!("Running");
        }
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        object
    }
}

/// The name of a row's node, as long as a cloud's.
pub(crate) fn node_name(row: usize) -> String {
    format!("ip-10-0-{}-{}.eu-west-1.compute.internal", row / 256, row % 256)
}

/// A pod that waits, as kube-scheduler would send it.
pub(crate) fn waiting_pod(index: usize) -> Value {
    let model = serde_json::from_str::<Value>(POD).expect("invariant: the fixture is JSON")["Pod"].take();
    pod(&model, index, true)
}

fn node(model: &Value, row: usize) -> Value {
    let mut node = model.clone();
    let name = node_name(row);
    node["metadata"]["labels"]["kubernetes.io/hostname"] = json!(name);
    node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(format!("eu-west-1{}", ["a", "b", "c"][row % 3]));
    node["metadata"]["name"] = json!(name);
    node["metadata"]["uid"] = json!(format!("9a8fd898-32e3-488b-bf8d-{row:012}"));
    node
}

fn pod(model: &Value, index: usize, waits: bool) -> Value {
    let mut pod = model.clone();
    let deployment = index / REPLICAS;
    pod["metadata"]["name"] = json!(format!("deployment-{deployment}-7c5ddbdf54-{index:05}"));
    pod["metadata"]["namespace"] = json!(format!("team-{}", deployment % 50));
    pod["metadata"]["uid"] = json!(format!("d38e1f8c-bb39-4b39-b224-{index:012}"));
    pod["metadata"]["labels"]["app.kubernetes.io/name"] = json!(format!("deployment-{deployment}"));
    if waits {
        pod["status"] = json!({"phase": "Pending"});
    }
    pod
}
