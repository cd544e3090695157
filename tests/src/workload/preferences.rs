//! What pods and nodes would like, on top of what they need: Services, preferred affinities, `PreferNoSchedule`.
//!
//! kube-scheduler spreads the pods of a Service softly over nodes and zones, and its scores trade these wishes against
//! balance. No placement is wrong for leaving one unfulfilled.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::core::v1::{Affinity, Node, NodeAffinity, Pod, PodAffinity, PodAntiAffinity, Service, Taint};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use super::{Workload, typed};

/// The pods are dealt out to so many Services.
const SERVICES: usize = 6;
/// Every so many-th node would rather be left alone.
const AVOIDED: usize = 4;

impl Workload {
    /// Six Services select its pods, a third of the pods each prefers a hardware kind, or nodes apart from its Service's
    /// other pods, or their zone; a quarter of the nodes is tainted `PreferNoSchedule`.
    #[must_use]
    pub fn with_preferences(self) -> Self {
        Self { has_preferences: true, ..self }
    }
}

fn service_of(index: usize) -> String {
    format!("service-{}", index % SERVICES)
}

/// Creates those that are not there yet: clearing the cluster leaves them.
pub(super) async fn create_services(client: &Client) -> Result<()> {
    let services = Api::<Service>::default_namespaced(client.clone());
    for name in (0..SERVICES).map(service_of) {
        if services.get_opt(&name).await?.is_none() {
            let spec = json!({"clusterIP": "None", "selector": {"app": name}, "ports": [{"port": 80}]});
            let service = json!({"metadata": {"name": name}, "spec": spec});
            services.create(&PostParams::default(), &typed(service)).await?;
        }
    }
    Ok(())
}

pub(super) fn of_node(node: &mut Node, row: usize) {
    if row.is_multiple_of(AVOIDED) {
        let taint: Taint = typed(json!({"key": "gantry.dev/spare", "effect": "PreferNoSchedule"}));
        node.spec.get_or_insert_default().taints.get_or_insert_default().push(taint);
    }
}

pub(super) fn of_pod(pod: &mut Pod, index: usize) {
    let service = service_of(index);
    let affinity = pod.spec.get_or_insert_default().affinity.get_or_insert_default();
    match index / SERVICES % 3 {
        0 => prefer_hardware(affinity, index),
        1 => prefer_apart(affinity, &service),
        _ => prefer_together(affinity, &service),
    }
    pod.metadata.labels.get_or_insert_default().extend(BTreeMap::from([("app".to_owned(), service)]));
}

fn prefer_hardware(affinity: &mut Affinity, index: usize) {
    let kind = (index % 4).to_string();
    let preference = json!({"matchExpressions": [{"key": "gantry.dev/hardware", "operator": "In", "values": [kind]}]});
    let own: &mut NodeAffinity = affinity.node_affinity.get_or_insert_default();
    own.preferred_during_scheduling_ignored_during_execution =
        Some(typed(json!([{"weight": 50, "preference": preference}])));
}

fn prefer_apart(affinity: &mut Affinity, service: &str) {
    let own: &mut PodAntiAffinity = affinity.pod_anti_affinity.get_or_insert_default();
    own.preferred_during_scheduling_ignored_during_execution = Some(typed(term(service, "kubernetes.io/hostname")));
}

fn prefer_together(affinity: &mut Affinity, service: &str) {
    let own: &mut PodAffinity = affinity.pod_affinity.get_or_insert_default();
    own.preferred_during_scheduling_ignored_during_execution =
        Some(typed(term(service, "topology.kubernetes.io/zone")));
}

fn term(service: &str, topology: &str) -> Value {
    let term = json!({"labelSelector": {"matchLabels": {"app": service}}, "topologyKey": topology});
    json!([{"weight": 50, "podAffinityTerm": term}])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_come_beside_needs() {
        let workload = Workload::generated(300, 50, 1).with_preferences();
        let needy = (0..300)
            .find(|index| workload.instance.affinity_by_pod[*index].is_some() && (index / SERVICES).is_multiple_of(3));
        let affinity = workload.pod(needy.unwrap()).spec.unwrap().affinity.unwrap().node_affinity.unwrap();
        assert!(affinity.required_during_scheduling_ignored_during_execution.is_some());
        assert_eq!(affinity.preferred_during_scheduling_ignored_during_execution.unwrap()[0].weight, 50);
        let tainted = (0..50).filter(|row| {
            let taints = workload.node(*row).spec.unwrap().taints.unwrap_or_default();
            taints.iter().any(|taint| taint.effect == "PreferNoSchedule")
        });
        assert_eq!(tainted.count(), 13);
    }
}
