//! Nominations: `status.nominatedNodeName`, and the scheduling gate that holds a pod until it has one.
//!
//! kube-scheduler tries a nominated node first, skips scoring, keeps its room from pods
//! of equal or lower priority, and goes on to the other nodes where it does not fit.
//!
//! Two writes a pod, never one: the status subresource ignores the spec in silence, and
//! the pod ignores the status. Each carries the UID, the second one the version that
//! the first returned: a pod that somebody changed in between is left to them. Only our
//! own gate is ever removed, and only a nomination of ours is ever taken back.

use std::sync::Arc;
use std::time::Duration;

use gantry_cluster::PodRow;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

/// The scheduling gate of pods that want to be planned.
pub const GATE: &str = "gantry.dev/plan";
/// Whose writes these are, in the pods' managed fields.
const FIELD_MANAGER: &str = "gantry-planner";
/// How long an API server may take for one request; one that hangs must not hold the planner.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// kube-scheduler found no room, and the pod still holds our nomination.
    Refused,
    /// Its nomination was taken back by somebody else.
    NotNominated,
    /// kube-scheduler nominated it for another node.
    NominatedElsewhere,
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The pod is bound, gone, or released by somebody else.
    #[error("the pod is no longer ours to place")]
    Lost,
    /// Somebody changed the pod between our two writes.
    #[error("the pod changed between the nomination and its release")]
    Changed,
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
            // Unprocessable: a nomination may not be set on a bound pod.
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

    /// Nominates a gated pod. Returns its new version.
    pub(super) async fn nominate(&self, pod: &PodRow, node: &Arc<str>) -> Result<String, Refusal> {
        let patch = json!({"metadata": {"uid": &*pod.uid}, "status": {"nominatedNodeName": &**node}});
        let written = in_time(self.pods(pod).patch_status(&pod.name, &parameters(), &Patch::Merge(patch))).await?;
        if !holds_our_gate(&written) {
            return Err(Refusal::Lost);
        }
        written.metadata.resource_version.ok_or(Refusal::Lost)
    }

    /// Removes our gate; `version`: only from the pod as it was then.
    pub(super) async fn release(&self, pod: &PodRow, version: Option<&str>) -> Result<(), Refusal> {
        let gates = json!([{"$patch": "delete", "name": GATE}]);
        let metadata = match version {
            Some(version) => json!({"uid": &*pod.uid, "resourceVersion": version}),
            None => json!({"uid": &*pod.uid}),
        };
        let patch = json!({"metadata": metadata, "spec": {"schedulingGates": gates}});
        in_time(self.pods(pod).patch(&pod.name, &parameters(), &Patch::Strategic(patch))).await?;
        Ok(())
    }

    /// Asks how a pod is doing that was nominated for `node`.
    pub(super) async fn progress(&self, pod: &PodRow, node: &str) -> Result<Progress, Refusal> {
        let found = in_time(self.pods(pod).get_opt(&pod.name)).await?;
        Ok(found
            .filter(|found| found.metadata.uid.as_deref() == Some(&*pod.uid))
            .map_or(Progress::Over, |pod| progress(&pod, node)))
    }

    /// Takes a nomination for `node` back, if the pod still has it.
    pub(super) async fn clear(&self, pod: &PodRow, node: &str) -> Result<(), Refusal> {
        let Some(found) = in_time(self.pods(pod).get_opt(&pod.name)).await? else { return Err(Refusal::Lost) };
        if progress(&found, node) != Progress::Refused {
            return Err(Refusal::Changed);
        }
        let version = found.metadata.resource_version;
        let metadata = json!({"uid": &*pod.uid, "resourceVersion": version});
        let patch = json!({"metadata": metadata, "status": {"nominatedNodeName": null}});
        in_time(self.pods(pod).patch_status(&pod.name, &parameters(), &Patch::Merge(patch))).await?;
        Ok(())
    }

    fn pods(&self, pod: &PodRow) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &pod.namespace)
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Refusal> {
    tokio::time::timeout(PATIENCE, call).await.map_err(|_elapsed| Refusal::Silent)?.map_err(Refusal::from)
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn holds_our_gate(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    spec.is_some_and(|spec| spec.scheduling_gates.iter().flatten().any(|gate| gate.name == GATE))
}

fn progress(pod: &Pod, node: &str) -> Progress {
    if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) || pod.metadata.deletion_timestamp.is_some() {
        return Progress::Over;
    }
    let status = pod.status.as_ref();
    match status.and_then(|status| status.nominated_node_name.as_deref()) {
        None | Some("") => return Progress::NotNominated,
        Some(other) if other != node => return Progress::NominatedElsewhere,
        Some(_) => {}
    }
    let mut conditions = status.iter().flat_map(|status| status.conditions.iter().flatten());
    let refused = conditions.any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    if refused { Progress::Refused } else { Progress::Waiting }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: &serde_json::Value, status: &serde_json::Value) -> Pod {
        let document = json!({"metadata": {"name": "p"}, "spec": spec, "status": status});
        serde_json::from_value(document).unwrap()
    }

    fn refusal(reason: &str) -> serde_json::Value {
        json!([{"type": "PodScheduled", "status": "False", "reason": reason}])
    }

    #[test]
    fn only_a_refused_pod_that_holds_our_nomination_gives_it_back() {
        let spec = json!({"containers": []});
        for (status, expected) in [
            (json!({"nominatedNodeName": "a"}), Progress::Waiting),
            (json!({"nominatedNodeName": "a", "conditions": refusal("SchedulingGated")}), Progress::Waiting),
            (json!({"nominatedNodeName": "a", "conditions": refusal("Unschedulable")}), Progress::Refused),
            (json!({"nominatedNodeName": "b", "conditions": refusal("Unschedulable")}), Progress::NominatedElsewhere),
            (json!({"conditions": refusal("Unschedulable")}), Progress::NotNominated),
        ] {
            assert_eq!(progress(&pod(&spec, &status), "a"), expected, "{status}");
        }
        let bound = json!({"containers": [], "nodeName": "a"});
        assert_eq!(progress(&pod(&bound, &json!({"nominatedNodeName": "a"})), "a"), Progress::Over);
    }

    #[test]
    fn our_gate_is_known_among_others() {
        let gated = |names: &[&str]| {
            let gates: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
            pod(&json!({"containers": [], "schedulingGates": gates}), &json!({}))
        };
        assert!(holds_our_gate(&gated(&["example.com/other", GATE])));
        assert!(!holds_our_gate(&gated(&["example.com/other"])));
        assert!(!holds_our_gate(&gated(&[])));
    }
}
