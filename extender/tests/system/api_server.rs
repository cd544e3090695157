//! The double of an API server: pods that can be patched, one Lease, and an index that hears of every change at once.
//!
//! It answers as a real one does, which the end-to-end tests ask, and refuses, hangs or changes a pod under the
//! planner's hands where a test tells it to.

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

/// What somebody else does.
type Event = Box<dyn FnOnce(&mut State) + Send>;

#[derive(Default)]
pub(crate) struct State {
    index: Option<Arc<SharedIndex>>,
    pod_by_name: BTreeMap<String, Value>,
    lease: Option<Value>,
    lease_writes: u64,
    release_refusal_by_pod: BTreeMap<String, u16>,
    refusal_by_pod: BTreeMap<String, u16>,
    event_by_pod: BTreeMap<String, Event>,
    reads: Vec<String>,
    writes: Vec<String>,
    hangs: bool,
    unanswered: usize,
}

impl ApiServer {
    /// From now on `index` hears of every change.
    pub(crate) fn tell(&self, index: Arc<SharedIndex>) {
        self.state().index = Some(index);
    }

    /// Creates a pending pod of 100 millicores; `gated`: with our gate.
    pub(crate) fn create(&self, name: &str, gated: bool) {
        self.create_as(name, gated, |_| {});
    }

    /// The same with changes.
    pub(crate) fn create_as(&self, name: &str, gated: bool, changes: impl FnOnce(&mut Value)) {
        let mut pod = pending(name, "100m", gated);
        changes(&mut pod);
        self.state().put(name, pod);
    }

    /// Somebody else changes a pod.
    pub(crate) fn change(&self, name: &str, changes: impl FnOnce(&mut Value)) {
        self.state().change(name, changes);
    }

    /// What happens right before the first nomination of this pod is written.
    pub(crate) fn before_nomination(&self, name: &str, event: impl FnOnce(&mut State) + Send + 'static) {
        self.state().event_by_pod.insert(name.to_owned(), Box::new(event));
    }

    pub(crate) fn pod(&self, name: &str) -> Value {
        self.state().pod_by_name[name].clone()
    }

    /// Binds a pod, as kube-scheduler would.
    pub(crate) fn bind(&self, name: &str, node: &str) {
        let mut pod = self.pod(name);
        pod["spec"]["nodeName"] = json!(node);
        self.state().put(name, pod);
    }

    /// Whether no pod carries our gate.
    pub(crate) fn has_released_all(&self) -> bool {
        self.state().pod_by_name.values().all(|pod| pod["spec"]["schedulingGates"] == json!([]))
    }

    /// Nominations of this pod are answered with this status.
    pub(crate) fn refuse(&self, name: &str, code: u16) {
        self.state().refusal_by_pod.insert(name.to_owned(), code);
    }

    /// To take this pod's gate away is answered with this status.
    pub(crate) fn refuse_release(&self, name: &str, code: u16) {
        self.state().release_refusal_by_pod.insert(name.to_owned(), code);
    }

    /// A pod from outside takes all the processors of a node.
    pub(crate) fn occupy(&self, node: &str) {
        self.state().occupy(node);
    }

    /// From now on no request is answered.
    pub(crate) fn hang(&self) {
        self.state().hangs = true;
    }

    /// From now on requests are answered again, those that came before never.
    pub(crate) fn recover(&self) {
        self.state().hangs = false;
    }

    /// How many requests have got no answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.state().unanswered
    }

    /// Whether somebody has read the pod.
    pub(crate) fn has_been_read(&self, name: &str) -> bool {
        self.state().reads.iter().any(|read| read == name)
    }

    /// What was written, in order: `nominate NAME`, `clear NAME` (of its nomination), `release NAME`.
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
        if self.state().leaves_unanswered() {
            return std::future::pending().await;
        }
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let path: Vec<&str> = head.uri.path().split('/').collect();
        let (code, answer) = match path[..] {
            [.., "pods", name] if head.method == Method::GET => self.state().read(name),
            [.., "pods", name] => self.state().release(name, &body),
            [.., "pods", name, "status"] => self.state().nominate(name, &body, head.uri.query().unwrap_or_default()),
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

    /// A pod that was bound from outside, with all the processors of a node.
    pub(crate) fn occupy(&mut self, node: &str) {
        let mut pod = pending(&format!("squatter-{node}"), "8", false);
        pod["spec"]["nodeName"] = json!(node);
        self.put(&format!("squatter-{node}"), pod);
    }

    /// Changes a pod, which gets another version.
    pub(crate) fn change(&mut self, name: &str, changes: impl FnOnce(&mut Value)) -> Value {
        let mut pod = self.pod_by_name[name].clone();
        changes(&mut pod);
        let version: u64 = pod["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        pod["metadata"]["resourceVersion"] = json!((version + 1).to_string());
        self.put(name, pod.clone());
        pod
    }

    fn leaves_unanswered(&mut self) -> bool {
        self.unanswered += usize::from(self.hangs);
        self.hangs
    }

    fn read(&mut self, name: &str) -> (u16, Value) {
        self.reads.push(name.to_owned());
        self.pod_by_name.get(name).map_or_else(|| failure(404), |pod| (200, pod.clone()))
    }

    /// A JSON patch of the status: all of it or nothing.
    fn nominate(&mut self, name: &str, operations: &Value, query: &str) -> (u16, Value) {
        let operations = operations.as_array().unwrap();
        let clears = operations.iter().any(|operation| operation["op"] == json!("remove"));
        self.writes.push(format!("{} {name}", if clears { "clear" } else { "nominate" }));
        if let Some(event) = self.event_by_pod.remove(name) {
            event(self);
        }
        if let Some(code) = self.refusal_by_pod.get(name) {
            return failure(*code);
        }
        let Some(mut pod) = self.pod_by_name.get(name).cloned() else { return failure(404) };
        if !operations.iter().all(|operation| apply(operation, &mut pod)) {
            return failure(422);
        }
        let manager = query.split('&').find_map(|pair| pair.strip_prefix("fieldManager=")).unwrap();
        pod["metadata"]["managedFields"] = if clears { json!([]) } else { nominated_by(manager) };
        (200, self.change(name, |own| *own = pod))
    }

    /// A patch that takes our gate away.
    fn release(&mut self, name: &str, patch: &Value) -> (u16, Value) {
        let Some(pod) = self.pod_by_name.get(name) else { return failure(404) };
        let version = &patch["metadata"]["resourceVersion"];
        if !version.is_null() && *version != pod["metadata"]["resourceVersion"] {
            return failure(409);
        }
        self.writes.push(format!("release {name}"));
        if let Some(code) = self.release_refusal_by_pod.get(name) {
            return failure(*code);
        }
        (200, self.change(name, |pod| pod["spec"]["schedulingGates"] = json!([])))
    }

    fn lease(&mut self, method: &Method, mut lease: Value) -> (u16, Value) {
        let version = |lease: &Option<Value>| Some(lease.as_ref()?["metadata"]["resourceVersion"].clone());
        if *method != Method::GET {
            if version(&self.lease) != version(&Some(lease.clone())).filter(|version| !version.is_null()) {
                return failure(409);
            }
            self.lease_writes += 1;
            lease["metadata"]["resourceVersion"] = json!(self.lease_writes.to_string());
            self.lease = Some(lease);
        }
        self.lease.clone().map_or_else(|| failure(404), |lease| (200, lease))
    }
}

fn pending(name: &str, cpu: &str, gated: bool) -> Value {
    let gates = if gated { json!([{ "name": GATE }]) } else { json!([]) };
    let container = json!({"name": "c", "resources": {"requests": {"cpu": cpu}}});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"},
        "spec": {"schedulerName": "default-scheduler", "containers": [container], "schedulingGates": gates},
        "status": {"phase": "Pending"},
    })
}

/// The managed fields of a pod whose nomination `manager` wrote.
pub(crate) fn nominated_by(manager: &str) -> Value {
    let fields = json!({"f:status": {"f:nominatedNodeName": {}}});
    json!([{"manager": manager, "operation": "Update", "subresource": "status", "fieldsV1": fields}])
}

/// One operation of RFC 6902 on a member of an object: whether it could be applied.
fn apply(operation: &Value, pod: &mut Value) -> bool {
    let [operator, path] = ["op", "path"].map(|member| operation[member].as_str().unwrap());
    if operator == "test" {
        return pod.pointer(path) == Some(&operation["value"]);
    }
    let (parent, member) = path.rsplit_once('/').unwrap();
    let Some(parent) = pod.pointer_mut(parent).and_then(Value::as_object_mut) else { return false };
    match operator {
        "add" => {
            parent.insert(member.to_owned(), operation["value"].clone());
            true
        }
        "remove" => parent.remove(member).is_some(),
        other => panic!("no such operation: {other}"),
    }
}

fn failure(code: u16) -> (u16, Value) {
    let reason = match code {
        400 => "BadRequest",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        422 => "Invalid",
        _ => "InternalError",
    };
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": "no", "code": code}),
    )
}
