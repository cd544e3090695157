//! A recorded cluster made ready: the index, and the pods to be placed in kube-scheduler's order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use gantry_cluster::{Index, PodRow, foreign_demand, unasked_amounts};
use k8s_openapi::api::core::v1::Pod;

use crate::CliError;
use crate::recording::Recording;
use crate::ungate::GATE;

/// What kube-scheduler's scores count for containers that say nothing: millicores and bytes.
pub(super) type Unsaid = [i64; 2];

/// A cluster with pods that wait.
pub(super) struct Cluster {
    pub(super) index: Index,
    /// Highest priority first, then the oldest.
    pub(super) waiting: Vec<Arc<PodRow>>,
    /// Pods on nodes.
    pub(super) running: usize,
    /// Pods that wait but are none of ours: gated by somebody else, or of another scheduler.
    pub(super) left_out: usize,
    /// Waiting pods with required constraints between pods, which only a plan looks at, and only for pods of its own.
    pub(super) between_pods: HashSet<Arc<str>>,
    /// What waiting pods need that only kube-scheduler looks after.
    pub(super) need_by_pod: HashMap<Arc<str>, &'static str>,
    pub(super) unsaid_by_pod: HashMap<Arc<str>, Unsaid>,
    pub(super) unsaid_by_node: BTreeMap<Arc<str>, Unsaid>,
}

impl Cluster {
    /// The pods that ask for `scheduler`, or all.
    pub(super) fn new(recording: &Recording, resources: &[String], scheduler: Option<&str>) -> Result<Self, CliError> {
        let mut index = recording.index(resources)?;
        let snapshot = index.snapshot();
        let mut cluster = Self {
            index,
            waiting: Vec::new(),
            running: 0,
            left_out: 0,
            between_pods: HashSet::new(),
            need_by_pod: HashMap::new(),
            unsaid_by_pod: HashMap::new(),
            unsaid_by_node: BTreeMap::new(),
        };
        let mut order = HashMap::new();
        for pod in &recording.pods {
            let uid = pod.metadata.uid.as_deref().unwrap_or_default();
            if let Some(row) = snapshot.pod(uid) {
                order.insert(Arc::clone(&row.uid), pod.metadata.creation_timestamp.clone());
                cluster.wait(pod, row, scheduler);
            } else if let Some(node) = node_of(pod) {
                cluster.settle(pod, node);
            }
        }
        cluster.waiting.sort_by(|one, other| {
            let age = |pod: &PodRow| order.get(&pod.uid).cloned().flatten().map(|time| time.0);
            other
                .priority
                .cmp(&one.priority)
                .then_with(|| age(one).cmp(&age(other)))
                .then_with(|| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)))
        });
        Ok(cluster)
    }

    fn wait(&mut self, pod: &Pod, row: &Arc<PodRow>, scheduler: Option<&str>) {
        let is_ours = scheduler.is_none_or(|name| *row.scheduler_name == *name);
        if !is_ours || is_gated_by_others(pod) {
            self.left_out += 1;
            return;
        }
        if has_constraints_between_pods(pod) {
            self.between_pods.insert(Arc::clone(&row.uid));
        }
        let need = pod.spec.as_ref().and_then(foreign_demand);
        self.need_by_pod.extend(need.map(|need| (Arc::clone(&row.uid), need)));
        self.unsaid_by_pod.insert(Arc::clone(&row.uid), unsaid(pod));
        self.waiting.push(Arc::clone(row));
    }

    fn settle(&mut self, pod: &Pod, node: &str) {
        self.running += 1;
        add(self.unsaid_by_node.entry(node.into()).or_default(), unsaid(pod));
    }
}

/// Adds what a pod leaves unsaid to a node's sum.
pub(super) fn add(sum: &mut Unsaid, more: Unsaid) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum += more;
    }
}

/// The node of a pod that holds something there.
fn node_of(pod: &Pod) -> Option<&str> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let node = pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())?;
    (!matches!(phase, Some("Succeeded" | "Failed"))).then_some(node)
}

/// Gantry's own gate holds a pod for its plan; any other means that the pod is nobody's to place.
fn is_gated_by_others(pod: &Pod) -> bool {
    let gates = pod.spec.iter().filter_map(|spec| spec.scheduling_gates.as_ref()).flatten();
    gates.into_iter().any(|gate| gate.name != GATE)
}

fn has_constraints_between_pods(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let affinity = spec.affinity.as_ref();
    let required = [
        affinity
            .and_then(|affinity| affinity.pod_affinity.as_ref())
            .and_then(|terms| terms.required_during_scheduling_ignored_during_execution.as_ref()),
        affinity
            .and_then(|affinity| affinity.pod_anti_affinity.as_ref())
            .and_then(|terms| terms.required_during_scheduling_ignored_during_execution.as_ref()),
    ];
    let spreads = spec.topology_spread_constraints.iter().flatten();
    required.into_iter().flatten().any(|terms| !terms.is_empty())
        || spreads.into_iter().any(|spread| spread.when_unsatisfiable == "DoNotSchedule")
}

fn unsaid(pod: &Pod) -> Unsaid {
    unasked_amounts(pod).map(|amount| amount as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sidecar_leaves_unsaid_what_a_container_does_and_a_pod_as_a_whole_only_what_it_names() {
        let sidecar = json!([{"name": "s", "restartPolicy": "Always"}]);
        let spec = json!({"containers": [{"name": "c"}], "initContainers": sidecar});
        let mut pod: Pod = serde_json::from_value(json!({ "spec": spec })).unwrap();
        assert_eq!(unsaid(&pod), [200, 400 << 20]);
        let whole = serde_json::from_value(json!({"requests": {"cpu": "1"}})).unwrap();
        pod.spec.get_or_insert_default().resources = Some(whole);
        assert_eq!(unsaid(&pod), [0, 400 << 20]);
    }
}
