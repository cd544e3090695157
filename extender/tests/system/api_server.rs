//! The double of an API server: pods that can be patched, one Lease, and an index that hears of every change at once.
//!
//! It answers as a real one does, which the end-to-end tests ask, and refuses or hangs where a test tells it to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::http::{Method, Request, Response};
use gantry_cluster::SharedIndex;
use gantry_extender::planner::GATE;
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::{Value, json};

/// Shared by its clones.
#[derive(Clone, Default)]
pub(crate) struct ApiServer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    index: Option<Arc<SharedIndex>>,
    pod_by_name: BTreeMap<String, Value>,
    lease: Option<Value>,
    refusal_by_pod: BTreeMap<String, u16>,
    writes: Vec<String>,
    hangs: bool,
}

impl ApiServer {
    /// From now on `index` hears of every change.
    pub(crate) fn tell(&self, index: Arc<SharedIndex>) {
        self.state().index = Some(index);
    }

    /// Creates a pending pod of 100 millicores; `gated`: with our gate.
    pub(crate) fn create(&self, name: &str, gated: bool) {
        let gates = if gated { json!([{ "name": GATE }]) } else { json!([]) };
        let container = json!({"name": "c", "resources": {"requests": {"cpu": "100m"}}});
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"},
            "spec": {"schedulerName": "default-scheduler", "containers": [container], "schedulingGates": gates},
            "status": {"phase": "Pending"},
        });
        self.state().put(name, pod);
    }

    pub(crate) fn pod(&self, name: &str) -> Value {
        self.state().pod_by_name[name].clone()
    }

    /// Whether no pod carries our gate.
    pub(crate) fn has_released_all(&self) -> bool {
        self.state().pod_by_name.values().all(|pod| pod["spec"]["schedulingGates"] == json!([]))
    }

    /// Nominations of this pod are answered with this status.
    pub(crate) fn refuse(&self, name: &str, code: u16) {
        self.state().refusal_by_pod.insert(name.to_owned(), code);
    }

    /// From now on no request is answered.
    pub(crate) fn hang(&self) {
        self.state().hangs = true;
    }

    /// What was written, in order: `nominate NAME`, `release NAME`.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.state().writes.clone()
    }

    pub(crate) fn client(&self) -> Client {
        let server = self.clone();
        let answer = move |request: Request<kube::client::Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    async fn answer(&self, request: Request<kube::client::Body>) -> Response<Body> {
        if self.state().hangs {
            return std::future::pending().await;
        }
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let path: Vec<&str> = head.uri.path().split('/').collect();
        let (code, answer) = match path[..] {
            [.., "pods", name] => self.state().pod(&head.method, name, release),
            [.., "pods", name, "status"] => self.state().nominate(&head.method, name, &body),
            [.., "leases"] | [.., "leases", _] => self.state().lease(&head.method, body),
            _ => failure(404),
        };
        Response::builder().status(code).body(Body::from(answer.to_string())).unwrap()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn put(&mut self, name: &str, pod: Value) {
        if let Some(index) = &self.index {
            index.lock().apply_pod(&serde_json::from_value(pod.clone()).unwrap()).unwrap();
        }
        self.pod_by_name.insert(name.to_owned(), pod);
    }

    fn nominate(&mut self, method: &Method, name: &str, patch: &Value) -> (u16, Value) {
        self.writes.push(format!("nominate {name}"));
        match self.refusal_by_pod.get(name) {
            Some(code) => failure(*code),
            None => self.pod(method, name, |pod| {
                pod["status"]["nominatedNodeName"] = patch["status"]["nominatedNodeName"].clone();
            }),
        }
    }

    /// The pod, changed by `patch` where the method says so.
    fn pod(&mut self, method: &Method, name: &str, patch: impl FnOnce(&mut Value)) -> (u16, Value) {
        let Some(mut pod) = self.pod_by_name.get(name).cloned() else { return failure(404) };
        if method == Method::PATCH {
            let before = pod.clone();
            patch(&mut pod);
            if pod["spec"] != before["spec"] {
                self.writes.push(format!("release {name}"));
            }
            let version: u64 = pod["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
            pod["metadata"]["resourceVersion"] = json!((version + 1).to_string());
            self.put(name, pod.clone());
        }
        (200, pod)
    }

    fn lease(&mut self, method: &Method, lease: Value) -> (u16, Value) {
        if method != Method::GET {
            self.lease = Some(lease);
        }
        self.lease.clone().map_or_else(|| failure(404), |lease| (200, lease))
    }
}

fn release(pod: &mut Value) {
    pod["spec"]["schedulingGates"] = json!([]);
}

fn failure(code: u16) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        422 => "Invalid",
        _ => "InternalError",
    };
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": "no", "code": code}),
    )
}
