//! Nominations: `status.nominatedNodeName`, and the scheduling gate that holds a pod until it has one.
//!
//! kube-scheduler tries a nominated node first, skips scoring, keeps its room from pods
//! of equal or lower priority, and goes on to the other nodes where it does not fit.
//!
//! Two writes a pod, never one: the status subresource ignores the spec in silence, and
//! the pod ignores the status. A write of the status says what it rests on, and the API
//! server refuses it where that is not so any more; the release carries the version
//! that the nomination returned. So a pod that somebody changed in between is left to
//! them. Only our own gate is ever removed, and only a nomination of ours taken back.

use std::sync::Arc;
use std::time::Duration;

use gantry_cluster::PodRow;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::core::Status;
use kube::{Api, Client};
use serde_json::{Value, json};

/// The scheduling gate of pods that want to be planned.
pub const GATE: &str = "gantry.dev/plan";
/// Whose writes these are, in the pods' managed fields.
const FIELD_MANAGER: &str = "gantry-planner";
/// How long an API server may take for one request; one that hangs must not hold the planner, nor let it write after
/// its lease has ended.
const PATIENCE: Duration = Duration::from_secs(5);
const NOMINATION: &str = "/status/nominatedNodeName";

/// Writes nominations and removes gates.
#[derive(Clone)]
pub struct Nominator {
    client: Client,
}

/// How a released pod is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// kube-scheduler has not spoken yet, or will try again by itself.
    Waiting,
    /// It is bound or gone.
    Over,
    /// It held our nomination though kube-scheduler had found no room, and holds it no longer.
    Cleared,
    /// Its nomination was taken back by somebody else.
    NotNominated,
    /// kube-scheduler nominated it for another node.
    NominatedElsewhere,
    /// The nomination is kube-scheduler's affair: it wrote it, or the pod may preempt, and then the victims' room may
    /// be what it holds. kube-scheduler takes it back itself where it has nobody to evict.
    Theirs,
}

/// What there is to do about a pod that was nominated for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing; it is doing so.
    Is(Progress),
    /// It holds room in vain, and nobody else will take its nomination back.
    HoldsInVain,
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The pod is bound, gone, released by somebody else, or not as we thought in another way.
    #[error("the pod is no longer ours to place")]
    Lost,
    /// Somebody changed the pod between our two writes.
    #[error("the pod changed between the nomination and its release")]
    Changed,
    /// The gate of this pod stays, by a policy.
    #[error("the release is denied: {0}")]
    Denied(#[source] Box<kube::Error>),
    /// The gate of every pod stays.
    #[error("the service account may not release pods (`patch` on `pods`): {0}")]
    Rights(#[source] Box<kube::Error>),
    /// The API server does not want it.
    #[error("the API server refused: {0}")]
    Api(#[source] Box<kube::Error>),
    /// The API server hangs.
    #[error("the API server did not answer within {PATIENCE:?}")]
    Silent,
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        match &error {
            // Unprocessable: a test of the patch fails, or the pod is bound.
            kube::Error::Api(status) if matches!(status.code, 404 | 422) => Self::Lost,
            kube::Error::Api(status) if status.code == 409 => Self::Changed,
            _ => Self::Api(Box::new(error)),
        }
    }
}

impl Nominator {
    /// A nominator; the service account needs `patch` on `pods` and `pods/status`, and `get` on `pods`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Nominates a pod that our gate alone holds back: without it, kube-scheduler may have nominated the pod itself.
    /// Returns its new version.
    pub(super) async fn nominate(&self, pod: &PodRow, node: &Arc<str>) -> Result<String, Refusal> {
        let change = json!({"op": "add", "path": NOMINATION, "value": &**node});
        let written = self.change(pod, &[our_gate_alone()], change).await?;
        written.metadata.resource_version.ok_or(Refusal::Lost)
    }

    /// Takes the nomination for `node` from a pod that our gate alone holds back.
    pub(super) async fn withdraw(&self, pod: &PodRow, node: &str) -> Result<(), Refusal> {
        let expected = [our_gate_alone(), (NOMINATION, json!(node))];
        self.change(pod, &expected, json!({"op": "remove", "path": NOMINATION})).await?;
        Ok(())
    }

    /// Removes our gate; `version`: only from the pod as it was then.
    pub(super) async fn release(&self, pod: &PodRow, version: Option<&str>) -> Result<(), Refusal> {
        let gates = json!([{"$patch": "delete", "name": GATE}]);
        let metadata = match version {
            Some(version) => json!({"uid": &*pod.uid, "resourceVersion": version}),
            None => json!({"uid": &*pod.uid}),
        };
        let patch = json!({"metadata": metadata, "spec": {"schedulingGates": gates}});
        let (pods, parameters, patch) = (self.pods(pod), parameters(), Patch::Strategic(patch));
        let released = pods.patch(&pod.name, &parameters, &patch);
        answered(released).await?.map(drop).map_err(unreleased)
    }

    /// Asks how a released pod is doing that was nominated for `node`, and takes the nomination back where it holds
    /// room in vain.
    pub(super) async fn follow_up(&self, pod: &PodRow, node: &str) -> Result<Progress, Refusal> {
        let found = in_time(self.pods(pod).get_opt(&pod.name)).await?;
        let found = found.filter(|found| found.metadata.uid.as_deref() == Some(&*pod.uid));
        let Some(found) = found else { return Ok(Progress::Over) };
        match verdict(&found, node) {
            Verdict::Is(progress) => Ok(progress),
            Verdict::HoldsInVain => {
                let as_read = ("/metadata/resourceVersion", json!(found.metadata.resource_version));
                self.change(pod, &[as_read], json!({"op": "remove", "path": NOMINATION})).await?;
                Ok(Progress::Cleared)
            }
        }
    }

    /// Changes the status of this very pod, if it is as expected.
    async fn change(&self, pod: &PodRow, expected: &[(&str, Value)], change: Value) -> Result<Pod, Refusal> {
        let test = |(path, value): &(&str, Value)| json!({"op": "test", "path": path, "value": value});
        let this_very_pod = ("/metadata/uid", json!(&*pod.uid));
        let operations = std::iter::once(&this_very_pod).chain(expected).map(test).chain([change]).collect();
        let patch = serde_json::from_value(operations).expect("invariant: these are operations of RFC 6902");
        let patch = Patch::<()>::Json(patch);
        in_time(self.pods(pod).patch_status(&pod.name, &parameters(), &patch)).await
    }

    fn pods(&self, pod: &PodRow) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &pod.namespace)
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Refusal> {
    answered(call).await?.map_err(Refusal::from)
}

async fn answered<T>(call: impl Future<Output = T>) -> Result<T, Refusal> {
    tokio::time::timeout(PATIENCE, call).await.map_err(|_elapsed| Refusal::Silent)
}

/// Why a gate stays.
fn unreleased(error: kube::Error) -> Refusal {
    match &error {
        kube::Error::Api(status) if lacks_rights(status) => Refusal::Rights(Box::new(error)),
        kube::Error::Api(status) if is_denial(status) => Refusal::Denied(Box::new(error)),
        _ => Refusal::from(error),
    }
}

/// Whether this very release is denied, and will be again: webhooks answer with any code of a client's fault. Not theirs
/// are who we are, a pod that is gone or has changed, and too many requests; and as no value of ours is tested, what
/// cannot be processed is what a policy denies, unless it is the UID: then the pod is another one by now.
fn is_denial(status: &Status) -> bool {
    match status.code {
        401 | 404 | 409 | 429 => false,
        422 => !is_another_pod(status),
        code => (400..500).contains(&code),
    }
}

/// What kube-apiserver itself says, before it asks any policy.
fn lacks_rights(status: &Status) -> bool {
    status.code == 403 && status.message.contains("cannot patch resource")
}

fn is_another_pod(status: &Status) -> bool {
    status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.field == "metadata.uid")
}

fn our_gate_alone() -> (&'static str, Value) {
    ("/spec/schedulingGates", json!([{ "name": GATE }]))
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn verdict(pod: &Pod, node: &str) -> Verdict {
    let spec = pod.spec.as_ref();
    if spec.is_some_and(|spec| spec.node_name.is_some()) || pod.metadata.deletion_timestamp.is_some() {
        return Verdict::Is(Progress::Over);
    }
    match pod.status.as_ref().and_then(|status| status.nominated_node_name.as_deref()) {
        None | Some("") => return Verdict::Is(Progress::NotNominated),
        Some(other) if other != node => return Verdict::Is(Progress::NominatedElsewhere),
        Some(_) => {}
    }
    let may_preempt = spec.is_none_or(|spec| spec.preemption_policy.as_deref() != Some("Never"));
    if may_preempt || !is_nominated_by_us(pod) {
        return Verdict::Is(Progress::Theirs);
    }
    if is_unschedulable(pod) { Verdict::HoldsInVain } else { Verdict::Is(Progress::Waiting) }
}

/// Whether the nomination was written under our name, by whichever replica: an entry of the managed fields names those
/// that its manager was the last one to change.
fn is_nominated_by_us(pod: &Pod) -> bool {
    let entries = pod.metadata.managed_fields.iter().flatten();
    let mut ours = entries.filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let nomination = |fields: &Value| fields.pointer("/f:status/f:nominatedNodeName").is_some();
    ours.any(|entry| entry.fields_v1.as_ref().is_some_and(|fields| nomination(&fields.0)))
}

fn is_unschedulable(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: &Value, status: &Value, manager: &str) -> Pod {
        let fields = json!({"f:status": {"f:nominatedNodeName": {}}});
        let owners = json!([
            {"manager": "kubectl", "fieldsV1": {"f:spec": {}}},
            {"manager": manager, "fieldsType": "FieldsV1", "fieldsV1": fields},
        ]);
        let metadata = json!({"name": "p", "managedFields": owners});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
    }

    fn refusal(reason: &str) -> Value {
        json!([{"type": "PodScheduled", "status": "False", "reason": reason}])
    }

    #[test]
    fn a_release_that_cannot_be_processed_is_denied_unless_the_pod_is_another_one() {
        let refused = |field: &str| {
            let details = json!({"causes": [{"reason": "FieldValueInvalid", "message": "no", "field": field}]});
            let status = json!({"status": "Failure", "code": 422, "reason": "Invalid", "details": details});
            unreleased(kube::Error::Api(serde_json::from_value(status).unwrap()))
        };
        assert!(matches!(refused(""), Refusal::Denied(_)));
        assert!(matches!(refused("metadata.uid"), Refusal::Lost));
    }

    #[test]
    fn whatever_code_a_webhook_denies_a_release_with_the_pod_alone_has_to_wait() {
        let refused = |code: u16| {
            let status = json!({"status": "Failure", "code": code, "reason": "", "message": "denied the request"});
            unreleased(kube::Error::Api(serde_json::from_value(status).unwrap()))
        };
        for code in [400, 403, 413, 422] {
            assert!(matches!(refused(code), Refusal::Denied(_)), "{code}");
        }
        for code in [401, 429, 500, 503] {
            assert!(matches!(refused(code), Refusal::Api(_)), "{code}");
        }
        assert!(matches!((refused(404), refused(409)), (Refusal::Lost, Refusal::Changed)));
    }

    #[test]
    fn only_a_refused_pod_that_may_not_preempt_gives_our_nomination_back() {
        let never = json!({"containers": [], "preemptionPolicy": "Never"});
        for (status, expected) in [
            (json!({"nominatedNodeName": "a"}), Verdict::Is(Progress::Waiting)),
            (
                json!({"nominatedNodeName": "a", "conditions": refusal("SchedulingGated")}),
                Verdict::Is(Progress::Waiting),
            ),
            (json!({"nominatedNodeName": "a", "conditions": refusal("Unschedulable")}), Verdict::HoldsInVain),
            (
                json!({"nominatedNodeName": "b", "conditions": refusal("Unschedulable")}),
                Verdict::Is(Progress::NominatedElsewhere),
            ),
            (json!({"conditions": refusal("Unschedulable")}), Verdict::Is(Progress::NotNominated)),
        ] {
            assert_eq!(verdict(&pod(&never, &status, FIELD_MANAGER), "a"), expected, "{status}");
        }
        let refused = json!({"nominatedNodeName": "a", "conditions": refusal("Unschedulable")});
        let may_preempt = json!({"containers": [], "preemptionPolicy": "PreemptLowerPriority"});
        for (spec, manager) in
            [(&may_preempt, FIELD_MANAGER), (&json!({"containers": []}), FIELD_MANAGER), (&never, "kube-scheduler")]
        {
            assert_eq!(verdict(&pod(spec, &refused, manager), "a"), Verdict::Is(Progress::Theirs), "{spec} {manager}");
        }
        let bound = json!({"containers": [], "nodeName": "a"});
        assert_eq!(verdict(&pod(&bound, &refused, FIELD_MANAGER), "a"), Verdict::Is(Progress::Over));
    }
}
