//! What pods are expected to use, beside what they ask for.
//!
//! ```text
//!  a forecast of the workload's use, over the pods that it has           where there is one
//!  what the pod asks for, by a factor; 100m and 200Mi where a container
//!  does not say, as kube-scheduler's scores assume                       else
//! ```
//!
//! Promises whole numbers within the columns' range; and that nobody pays for it who neither set a factor nor has a
//! forecast of a workload: then there are no estimates. Must not know what they are used for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::pod::is_sidecar;
use crate::quantity::LARGEST_AMOUNT;

/// The label of a Deployment's pods that its `ReplicaSet` has at the end of its name.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// What kube-scheduler takes a container for that does not say how much cpu or memory it wants, in millicores and bytes
/// (`pkg/scheduler/util/pod_resources.go`, `DefaultMilliCPURequest`, `DefaultMemoryRequest`).
const UNASKED: [(&str, f64); 2] = [("cpu", 100.0), ("memory", 209_715_200.0)];

/// How use is estimated from requests where nothing is forecast of the workload.
#[derive(Clone, Debug, PartialEq)]
pub struct EstimateSettings {
    /// What a pod uses of what it asks for, finite, above 0. Default 1.
    pub factor: f64,
    /// The same for single resources.
    pub factor_by_resource: BTreeMap<String, f64>,
}

impl Default for EstimateSettings {
    fn default() -> Self {
        Self { factor: 1.0, factor_by_resource: BTreeMap::new() }
    }
}

impl EstimateSettings {
    fn factor(&self, resource: &str) -> f64 {
        self.factor_by_resource.get(resource).copied().unwrap_or(self.factor)
    }
}

/// What a pod's use is guessed by, beside its request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// What made it, `namespace/name`.
    pub(crate) workload: Box<str>,
    /// How many of its containers do not ask for cpu, and for memory.
    unasked: [u16; UNASKED.len()],
}

impl Origin {
    pub(crate) fn of(pod: &Pod) -> Self {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let workload = format!("{namespace}/{}", workload(pod)).into();
        Self { workload, unasked: UNASKED.map(|(resource, _)| unasked(pod, resource)) }
    }
}

/// The name of the Deployment, `StatefulSet`, `DaemonSet`, Job or whatever else made a pod; its own if nobody did.
fn workload(pod: &Pod) -> &str {
    let owners = pod.metadata.owner_references.iter().flatten();
    let is_controller = |owner: &&OwnerReference| owner.controller == Some(true);
    let Some(owner) = owners.clone().find(is_controller) else {
        return pod.metadata.name.as_deref().unwrap_or_default();
    };
    let hash = pod.metadata.labels.as_ref().and_then(|labels| labels.get(TEMPLATE_HASH));
    let deployment = || owner.name.strip_suffix(hash?.as_str())?.strip_suffix('-');
    if owner.kind == "ReplicaSet" { deployment().unwrap_or(&owner.name) } else { &owner.name }
}

/// What kube-scheduler's scores count for the containers of a pod that do not say how much cpu, and how much memory, they
/// want: millicores and bytes.
#[must_use]
pub fn unasked_amounts(pod: &Pod) -> [f64; 2] {
    UNASKED.map(|(resource, amount)| amount * f64::from(unasked(pod, resource)))
}

/// How many containers that keep running do not ask for a resource; none where the pod asks for them all.
fn unasked(pod: &Pod, resource: &str) -> u16 {
    let Some(spec) = &pod.spec else { return 0 };
    let asks =
        |requests: Option<&BTreeMap<String, _>>| requests.is_some_and(|requests| requests.contains_key(resource));
    if asks(spec.resources.as_ref().and_then(|resources| resources.requests.as_ref())) {
        return 0;
    }
    let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
    let is_silent = |container: &&Container| !asks(container.resources.as_ref().and_then(|r| r.requests.as_ref()));
    let silent = spec.containers.iter().chain(sidecars).filter(is_silent).count();
    u16::try_from(silent).unwrap_or(u16::MAX)
}

/// Estimates the use of pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Estimator {
    settings: Option<EstimateSettings>,
    /// What one pod of a workload uses, by resource, in the columns' units.
    uses_by_workload: HashMap<Box<str>, Vec<(Arc<str>, f64)>>,
}

impl Estimator {
    pub(crate) fn new(settings: Option<EstimateSettings>) -> Self {
        Self { settings, uses_by_workload: HashMap::new() }
    }

    /// The same with other forecasts.
    pub(crate) fn with_uses(&self, uses_by_workload: HashMap<Box<str>, Vec<(Arc<str>, f64)>>) -> Self {
        Self { settings: self.settings.clone(), uses_by_workload }
    }

    /// Whether there is anything to tell requests from use.
    pub(crate) fn is_active(&self) -> bool {
        self.settings.is_some() || !self.uses_by_workload.is_empty()
    }

    /// What a pod is expected to use, one number a resource. Past the first `objective` resources that is its request.
    pub(crate) fn estimate(
        &self,
        request: &[f64],
        origin: &Origin,
        resources: &[Arc<str>],
        objective: usize,
    ) -> Vec<f64> {
        let forecast = self.uses_by_workload.get(&origin.workload);
        let expected = |(column, (resource, asked)): (usize, (&Arc<str>, &f64))| {
            if column >= objective {
                return *asked;
            }
            let known = forecast.and_then(|uses| uses.iter().find(|(name, _)| name == resource));
            let usual = || self.usual(resource, *asked, origin);
            known.map_or_else(usual, |(_, used)| *used).ceil().clamp(0.0, LARGEST_AMOUNT)
        };
        resources.iter().zip(request).enumerate().map(expected).collect()
    }

    fn usual(&self, resource: &str, asked: f64, origin: &Origin) -> f64 {
        let silent = UNASKED.iter().zip(origin.unasked).find(|((name, _), _)| *name == resource);
        let unasked = silent.map_or(0.0, |((_, amount), containers)| amount * f64::from(containers));
        let factor = self.settings.as_ref().map_or(1.0, |settings| settings.factor(resource));
        // A factor like 0.7 must not lift 700.0000000000001 to 701.
        let used = (asked + unasked) * factor;
        if (used - used.round()).abs() < 1e-6 { used.round() } else { used }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MEBIBYTE: f64 = 1_048_576.0;

    fn pod(metadata: &Value, containers: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": metadata, "spec": {"containers": containers}})).unwrap()
    }

    fn owned(kind: &str, name: &str, labels: &Value) -> Pod {
        let owner = json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": "1", "controller": true});
        pod(&json!({"namespace": "shop", "name": "p", "labels": labels, "ownerReferences": [owner]}), &json!([]))
    }

    #[test]
    fn a_pod_belongs_to_what_made_it() {
        let hash = json!({"pod-template-hash": "5d9c8b7f6d"});
        let cases = vec![
            (owned("ReplicaSet", "web-5d9c8b7f6d", &hash), "shop/web"),
            (owned("ReplicaSet", "by-hand", &json!({})), "shop/by-hand"),
            (owned("ReplicaSet", "other-1", &hash), "shop/other-1"),
            (owned("StatefulSet", "db", &json!({})), "shop/db"),
            (owned("DaemonSet", "agent", &json!({})), "shop/agent"),
            (owned("Job", "backup", &hash), "shop/backup"),
            (pod(&json!({"namespace": "shop", "name": "alone"}), &json!([])), "shop/alone"),
        ];
        for (pod, workload) in cases {
            assert_eq!(&*Origin::of(&pod).workload, workload);
        }
    }

    fn columns() -> Vec<Arc<str>> {
        ["cpu", "memory", "example.com/gpu"].map(Arc::from).to_vec()
    }

    #[test]
    fn a_container_that_does_not_say_counts_as_kube_scheduler_takes_it() {
        let silent = json!([{"name": "a"}, {"name": "b", "resources": {"requests": {"cpu": "500m"}}}]);
        let origin = Origin::of(&pod(&json!({"name": "p"}), &silent));
        let estimator = Estimator::new(Some(EstimateSettings::default()));
        let estimate = estimator.estimate(&[500.0, 0.0, 1.0], &origin, &columns(), 2);
        assert_eq!(estimate, [600.0, 400.0 * MEBIBYTE, 1.0]);
    }

    #[test]
    fn what_is_not_asked_for_counts_for_sidecars_too_and_not_where_the_pod_asks_as_a_whole() {
        let amounts = |resources: &Value| {
            let sidecars = json!([{"name": "s", "restartPolicy": "Always"}, {"name": "once"}]);
            let spec = json!({"containers": [{"name": "c"}], "initContainers": sidecars, "resources": resources});
            unasked_amounts(&serde_json::from_value(json!({ "spec": spec })).unwrap())
        };
        assert_eq!(amounts(&json!({})), [200.0, 400.0 * MEBIBYTE]);
        assert_eq!(amounts(&json!({"requests": {"cpu": "1"}})), [0.0, 400.0 * MEBIBYTE]);
    }

    #[test]
    fn a_factor_counts_for_the_objective_only_and_gives_whole_numbers() {
        let factor_by_resource = [("memory".to_owned(), 0.5)].into();
        let estimator = Estimator::new(Some(EstimateSettings { factor: 0.7, factor_by_resource }));
        let estimate = estimator.estimate(&[1_000.0, 101.0, 8.0], &Origin::default(), &columns(), 2);
        assert_eq!(estimate, [700.0, 51.0, 8.0]);
    }

    #[test]
    fn a_forecast_of_the_workload_goes_before_its_request() {
        let origin = Origin { workload: "shop/web".into(), unasked: [1, 0] };
        let uses = [("shop/web".into(), vec![(Arc::from("cpu"), 120.4)])].into();
        let estimator = Estimator::new(Some(EstimateSettings { factor: 0.5, ..EstimateSettings::default() }));
        let estimate = estimator.with_uses(uses).estimate(&[900.0, 100.0, 0.0], &origin, &columns(), 3);
        assert_eq!(estimate, [121.0, 50.0, 0.0]);
    }

    #[test]
    fn without_a_factor_or_a_forecast_nothing_is_estimated() {
        assert!(!Estimator::default().is_active());
        assert!(Estimator::new(Some(EstimateSettings::default())).is_active());
        assert!(Estimator::default().with_uses([("a/b".into(), Vec::new())].into()).is_active());
    }
}
