//! Who lies where by the API server's objects, and what is wrong with that.
//!
//! Judges as Kubernetes does, as far as the soak's own pods go: amounts, selectors, taints, cordons, one group label for
//! anti-affinity by node or for an even spread over zones. It is the referee: it must share no code with Gantry.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use gantry_tests::workload::RESOURCES;
use k8s_openapi::api::core::v1::{Node, NodeSpec, Pod, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

use super::shapes::{GROUP, Grouping, ZONE};

/// cpu in millicores, memory in bytes, the two extended resources, and the number of pods.
pub(super) type Amounts = [i64; 5];

/// The columns of [`Amounts`] by name.
pub(super) const COLUMNS: [&str; 5] = [RESOURCES[0], RESOURCES[1], RESOURCES[2], RESOURCES[3], "pods"];

/// The nodes and the pods that are not over, at one moment.
pub(super) struct Census {
    pub(super) nodes: BTreeMap<String, Arc<Node>>,
    pub(super) pods: Vec<Arc<Pod>>,
    used_by_node: BTreeMap<String, Amounts>,
}

impl Census {
    /// Of these objects.
    pub(super) fn of(nodes: impl IntoIterator<Item = Arc<Node>>, pods: impl IntoIterator<Item = Arc<Pod>>) -> Self {
        let nodes = nodes.into_iter().map(|node| (node.name_any(), node)).collect();
        let pods: Vec<Arc<Pod>> = pods.into_iter().filter(|pod| !is_over(pod)).collect();
        let mut used_by_node: BTreeMap<String, Amounts> = BTreeMap::new();
        for pod in &pods {
            if let Some(node) = node_of(pod) {
                let used = plus(used_by_node.get(node), &request(pod));
                used_by_node.insert(node.to_owned(), used);
            }
        }
        Self { nodes, pods, used_by_node }
    }

    /// Of what the API server lists now.
    pub(super) async fn listed(client: &Client) -> Result<Self> {
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?;
        let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await?;
        Ok(Self::of(nodes.items.into_iter().map(Arc::new), pods.items.into_iter().map(Arc::new)))
    }

    /// The pods that have a node.
    pub(super) fn bound(&self) -> impl Iterator<Item = (&Arc<Pod>, &str)> {
        self.pods.iter().filter_map(|pod| Some((pod, node_of(pod)?)))
    }

    /// The pods that have none.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.iter().filter(|pod| node_of(pod).is_none())
    }

    /// What the pods of a node ask for.
    pub(super) fn used(&self, node: &str) -> Amounts {
        self.used_by_node.get(node).copied().unwrap_or_default()
    }

    /// Everything that is wrong, in words.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(self.bound().filter_map(|(pod, node)| self.misplaced(pod, node)));
        found.extend(self.nodes.iter().filter_map(|(name, node)| {
            let (used, offered) = (self.used(name), offered(node));
            (!fits(&used, &offered)).then(|| format!("{name} holds {used:?} of {offered:?}"))
        }));
        found.extend(self.waiting().filter_map(|pod| self.neglected(pod)));
        found
    }

    /// A pod where it may never have come. Taints and cordons may have come after it, and a spread may have become uneven.
    fn misplaced(&self, pod: &Pod, name: &str) -> Option<String> {
        let Some(node) = self.nodes.get(name) else {
            return Some(format!("{} is bound to {name}, which is gone", pod.name_any()));
        };
        let selected = is_selected(pod, node) || came_after(node, pod);
        let apart = self.others_of_its_group(pod, Grouping::Apart).all(|(_, other)| other != name);
        (!selected || !apart).then(|| format!("{} may not run on {name}", pod.name_any()))
    }

    /// A pod that waits though it need not.
    fn neglected(&self, pod: &Pod) -> Option<String> {
        let gates = gates(pod);
        if !gates.is_empty() {
            return Some(format!("{} is still gated by {gates:?}", pod.name_any()));
        }
        let node = self.nodes.values().find(|node| self.admits(node, pod))?;
        let nominated = pod.status.as_ref().and_then(|status| status.nominated_node_name.as_deref());
        Some(format!("{} waits (nominated: {nominated:?}) though {} has room", pod.name_any(), node.name_any()))
    }

    /// Whether kube-scheduler may bind the waiting pod to the node.
    fn admits(&self, node: &Node, pod: &Pod) -> bool {
        let name = node.name_any();
        let is_open = node.spec.as_ref().and_then(|spec| spec.unschedulable) != Some(true);
        is_open
            && is_tolerated(pod, node.spec.as_ref())
            && is_selected(pod, node)
            && fits(&plus(Some(&self.used(&name)), &request(pod)), &offered(node))
            && self.others_of_its_group(pod, Grouping::Apart).all(|(_, other)| other != name)
            && self.keeps_the_spread(node, pod)
    }

    /// `maxSkew` 1 over the zones of all nodes; pods that were told to go do not count.
    fn keeps_the_spread(&self, node: &Node, pod: &Pod) -> bool {
        if Grouping::of(pod) != Some(Grouping::Spread) {
            return true;
        }
        let mut pods_by_zone: BTreeMap<&str, usize> = self.nodes.values().map(|node| (zone(node), 0)).collect();
        for (other, name) in self.others_of_its_group(pod, Grouping::Spread) {
            if let Some(node) = self.nodes.get(name).filter(|_| !is_leaving(other)) {
                *pods_by_zone.entry(zone(node)).or_default() += 1;
            }
        }
        let least = pods_by_zone.values().min().copied().unwrap_or(0);
        pods_by_zone[zone(node)] < least + 1
    }

    /// The bound pods with the pod's own group label, where that is a group of this kind.
    fn others_of_its_group(&self, pod: &Pod, grouping: Grouping) -> impl Iterator<Item = (&Arc<Pod>, &str)> {
        let group = pod.labels().get(GROUP).filter(|_| Grouping::of(pod) == Some(grouping)).cloned();
        let uid = pod.uid();
        let is_other =
            move |other: &Pod| group.is_some() && other.labels().get(GROUP) == group.as_ref() && other.uid() != uid;
        self.bound().filter(move |(other, _)| is_other(other))
    }
}

/// The pod's node.
pub(super) fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// The names of the gates that hold the pod back.
pub(super) fn gates(pod: &Pod) -> Vec<&str> {
    let gates = pod.spec.iter().flat_map(|spec| spec.scheduling_gates.iter().flatten());
    gates.map(|gate| gate.name.as_str()).collect()
}

/// Whether the pod has succeeded or failed.
pub(super) fn is_over(pod: &Pod) -> bool {
    matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"))
}

/// Whether its kubelet has started it.
pub(super) fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

/// Whether it was told to go.
pub(super) fn is_leaving(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// What the pod's one container asks for.
pub(super) fn request(pod: &Pod) -> Amounts {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    let requests = container.and_then(|container| container.resources.as_ref()?.requests.as_ref());
    let [cpu, memory, disk, network, _] = amounts(requests);
    [cpu, memory, disk, network, 1]
}

/// What the node offers.
pub(super) fn offered(node: &Node) -> Amounts {
    amounts(node.status.as_ref().and_then(|status| status.allocatable.as_ref()))
}

/// Whether so much is there.
pub(super) fn fits(used: &Amounts, offered: &Amounts) -> bool {
    used.iter().zip(offered).all(|(used, offered)| used <= offered)
}

/// The sum of two.
pub(super) fn plus(one: Option<&Amounts>, other: &Amounts) -> Amounts {
    let one = one.copied().unwrap_or_default();
    std::array::from_fn(|column| one[column] + other[column])
}

fn amounts(quantities: Option<&BTreeMap<String, Quantity>>) -> Amounts {
    COLUMNS.map(|name| {
        let quantity = quantities.and_then(|quantities| quantities.get(name));
        quantity.map_or(0, |quantity| amount(&quantity.0, if name == "cpu" { 1000 } else { 1 }))
    })
}

/// A quantity in the spellings that the API server makes of ours.
fn amount(text: &str, per_unit: i64) -> i64 {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let whole: i64 = number.parse().expect("invariant: the soak's amounts are whole numbers");
    match &text[number.len()..] {
        "" => whole * per_unit,
        "m" => whole * per_unit / 1000,
        "k" => whole * per_unit * 1000,
        "Ki" => whole << 10,
        "Mi" => whole << 20,
        "Gi" => whole << 30,
        unit => panic!("the soak makes no quantity in {unit}: {text}"),
    }
}

fn zone(node: &Node) -> &str {
    node.labels().get(ZONE).map_or("", String::as_str)
}

fn is_selected(pod: &Pod, node: &Node) -> bool {
    let selector = pod.spec.iter().flat_map(|spec| spec.node_selector.iter().flatten());
    selector.into_iter().all(|(label, value)| node.labels().get(label) == Some(value))
}

/// Whether a node of the same name stood there when the pod was bound: this one may have other labels.
fn came_after(node: &Node, pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let bound = conditions.find(|condition| condition.type_ == "PodScheduled" && condition.status == "True");
    let bound = bound.and_then(|condition| condition.last_transition_time.as_ref());
    bound.zip(node.metadata.creation_timestamp.as_ref()).is_some_and(|(bound, created)| created >= bound)
}

fn is_tolerated(pod: &Pod, node: Option<&NodeSpec>) -> bool {
    let tolerations: Vec<&Toleration> = pod.spec.iter().flat_map(|spec| spec.tolerations.iter().flatten()).collect();
    let taints = node.into_iter().flat_map(|spec| spec.taints.iter().flatten());
    taints
        .into_iter()
        .all(|taint| tolerations.iter().any(|own| own.key.as_ref() == Some(&taint.key) && own.value == taint.value))
}

#[cfg(test)]
mod tests {
    use gantry_tests::workload::typed;
    use serde_json::{Value, json};

    use super::super::shapes::a_node;
    use super::*;

    fn pod(name: &str, cpu: &str, node: Option<&str>, extra: &Value) -> Arc<Pod> {
        let mut pod = json!({
            "metadata": {"name": name, "uid": name, "labels": extra["labels"]},
            "spec": {"nodeName": node, "containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]},
        });
        for (key, value) in extra.as_object().into_iter().flatten().filter(|(key, _)| *key != "labels") {
            pod["spec"][key] = value.clone();
        }
        Arc::new(typed(pod))
    }

    fn complaints(pods: &[Arc<Pod>]) -> Vec<String> {
        Census::of([0, 1].map(a_node).map(Arc::new), pods.iter().cloned()).complaints()
    }

    #[test]
    fn a_pod_that_waits_though_it_fits_is_named_with_its_node() {
        let large = [pod("a", "8", Some("node-0000"), &json!({})), pod("b", "8", Some("node-0001"), &json!({}))];
        let small = pod("p", "100m", None, &json!({}));
        let found = complaints(&[large[1].clone(), small.clone()]);
        assert_eq!(found, ["p waits (nominated: None) though node-0000 has room"]);
        assert_eq!(complaints(&[large[0].clone(), large[1].clone(), small]), [""; 0]);
        let picky = pod("p", "100m", None, &json!({"nodeSelector": {"gantry.dev/hardware": "1"}}));
        assert_eq!(complaints(&[large[1].clone(), picky]), [""; 0]);
    }

    #[test]
    fn an_over_full_node_a_lost_node_and_a_wrong_one_are_named() {
        let full = [pod("a", "5", Some("node-0000"), &json!({})), pod("b", "3500m", Some("node-0000"), &json!({}))];
        assert!(complaints(&full)[0].starts_with("node-0000 holds [8500, "));
        assert_eq!(complaints(&[pod("a", "1", Some("x"), &json!({}))]), ["a is bound to x, which is gone"]);
        let wrong = pod("a", "1", Some("node-0000"), &json!({"nodeSelector": {"gantry.dev/hardware": "1"}}));
        assert_eq!(complaints(&[wrong]), ["a may not run on node-0000"]);
    }

    #[test]
    fn a_pod_is_judged_by_the_labels_of_the_node_it_was_bound_to() {
        let mut wrong = pod("a", "1", Some("node-0000"), &json!({"nodeSelector": {"gantry.dev/hardware": "1"}}));
        let bound = json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:02Z"}]);
        Arc::make_mut(&mut wrong).status = Some(typed(json!({ "conditions": bound })));
        for (created, count) in [("2026-01-01T00:00:01Z", 1), ("2026-01-01T00:00:03Z", 0)] {
            let mut node = a_node(0);
            node.metadata.creation_timestamp = Some(typed(json!(created)));
            assert_eq!(Census::of([Arc::new(node)], [wrong.clone()]).complaints().len(), count, "{created}");
        }
    }

    #[test]
    fn groups_stay_apart_or_spread() {
        let apart = json!({"labels": {GROUP: "apart-0"}});
        let [a, b] = ["a", "b"].map(|name| pod(name, "1", Some("node-0000"), &apart));
        assert_eq!(complaints(&[a.clone(), b]), ["a may not run on node-0000", "b may not run on node-0000"]);
        let found = complaints(&[a, pod("p", "1", None, &apart)]);
        assert_eq!(found, ["p waits (nominated: None) though node-0001 has room"]);

        let spread = json!({"labels": {GROUP: "spread-0"}});
        let one = pod("a", "1", Some("node-0000"), &spread);
        let full = pod("b", "8", Some("node-0001"), &json!({}));
        assert_eq!(complaints(&[one, full, pod("p", "1", None, &spread)]), [""; 0]);
    }

    #[test]
    fn amounts_are_read_as_the_api_server_spells_them() {
        for (text, per_unit, value) in
            [("1500m", 1000, 1500), ("2", 1000, 2000), ("2k", 1, 2000), ("3Mi", 1, 3 << 20), ("32Gi", 1, 32 << 30)]
        {
            assert_eq!(amount(text, per_unit), value, "{text}");
        }
    }
}
