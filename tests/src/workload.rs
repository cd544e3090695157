//! Nodes and pods of an instance as Kubernetes objects, and their creation.
//!
//! cpu and memory are requests; all else are extended resources. A pod's tolerations and required node affinity say in
//! Kubernetes' words which rows the instance allows it, so kube-scheduler and the instance agree.

mod marks;
mod preferences;
mod trace;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use gantry_solver::instances::{Amounts, GenerateOptions, Instance, generate};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{Api, PostParams};
use kube::{Client, Resource};
use serde_json::{Value, json};

pub use marks::{Mark, Marks};

/// The four resources of a generated instance, in the order of its amounts.
pub const RESOURCES: [&str; 4] = ["cpu", "memory", "gantry.dev/disk-io", "gantry.dev/network"];

/// Requests in flight while objects are created: more only queue in the API server.
const CREATORS: usize = 16;

/// Group constraint of a pod beside the instance's own dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// No two of those with the same number on one node (required anti-affinity on the host name).
    Apart(u8),
    /// Over the zones with a skew of at most 1, or not at all.
    Spread,
    /// Over the zones and over the nodes, each with a skew of at most 1, or not at all.
    SpreadTwice,
}

impl Group {
    /// The value of the label `group` that ties its pods together.
    fn label(self) -> String {
        match self {
            Self::Apart(number) => format!("apart-{number}"),
            Self::Spread => "spread".to_owned(),
            Self::SpreadTwice => "spread-twice".to_owned(),
        }
    }
}

/// An instance to be placed by kube-scheduler.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Nodes, pods, and which pod may run where.
    pub instance: Instance,
    /// Each pod's group, if it is in one.
    pub group_by_pod: Vec<Option<Group>>,
    /// Which pods are created with the scheduling gate that asks Gantry to plan them.
    pub gated: Gated,
    /// What its amounts are of, in their order; one without a name is 0 everywhere.
    pub resources: &'static [&'static str],
    /// Whether Services select its pods, and its pods and nodes prefer one another.
    pub has_preferences: bool,
    /// By what its pods are told apart beside their amounts.
    pub marks: Option<Marks>,
}

/// Which pods carry the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gated {
    /// None of them.
    Nobody,
    /// All of them.
    Everybody,
    /// All but every so many-th.
    AllButEvery(usize),
}

/// The label of a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The label that every node has for itself.
const HOST: &str = "kubernetes.io/hostname";

/// The scheduling gate of pods that want to be planned.
pub const GATE: &str = "gantry.dev/plan";

impl Workload {
    /// `pods` pods on `nodes` nodes, half of the capacity requested, without groups.
    ///
    /// # Panics
    /// There is no such instance.
    #[must_use]
    pub fn generated(pods: usize, nodes: usize, seed: u64) -> Self {
        Self::of(pods, nodes, seed, GenerateOptions::default())
    }

    /// The same with an eighth of the capacity requested: room for every pod whatever else a weak search does, but for
    /// the rows that are not for it.
    ///
    /// # Panics
    /// There is no such instance.
    #[must_use]
    pub fn sparse(pods: usize, nodes: usize, seed: u64) -> Self {
        Self::of(pods, nodes, seed, GenerateOptions { fill: 0.125, ..GenerateOptions::default() })
    }

    /// The same with nothing reserved either: every pod fits in whatever order they come. With many more nodes than pods
    /// less is requested: no pod as much as a node has.
    ///
    /// # Panics
    /// There is no such instance.
    #[must_use]
    pub fn light(pods: usize, nodes: usize, seed: u64) -> Self {
        let fill = 0.125_f64.min(0.25 * pods as f64 / nodes as f64);
        Self::of(pods, nodes, seed, GenerateOptions { fill, taint: 0.0, aff: 0.0, ..GenerateOptions::default() })
    }

    fn of(pods: usize, nodes: usize, seed: u64, options: GenerateOptions) -> Self {
        let instance = generate(pods, nodes, seed, &options).expect("invariant: half full is feasible");
        Self::over(instance, &RESOURCES)
    }

    fn over(instance: Instance, resources: &'static [&'static str]) -> Self {
        let group_by_pod = vec![None; instance.requests.len()];
        Self { group_by_pod, instance, gated: Gated::Nobody, resources, has_preferences: false, marks: None }
    }

    /// The same at nine tenths of the capacity, as the generator aims for: what does not fit at once hardly fits later.
    ///
    /// # Panics
    /// There is no such instance.
    #[must_use]
    pub fn tight(pods: usize, nodes: usize, seed: u64) -> Self {
        Self::of(pods, nodes, seed, GenerateOptions { fill: 0.9, ..GenerateOptions::default() })
    }

    /// Its pods carry the gate until Gantry has planned them.
    #[must_use]
    pub fn gated(self) -> Self {
        Self { gated: Gated::Everybody, ..self }
    }

    /// The same but for every `n`th pod.
    #[must_use]
    pub fn gated_but_every(self, n: usize) -> Self {
        Self { gated: Gated::AllButEvery(n), ..self }
    }

    fn is_gated(&self, index: usize) -> bool {
        match self.gated {
            Gated::Nobody => false,
            Gated::Everybody => true,
            Gated::AllButEvery(n) => !index.is_multiple_of(n),
        }
    }

    /// Puts the first ten pods without node affinity into a [`Group::Apart`] and the next nine into [`Group::Spread`].
    #[must_use]
    pub fn with_groups(self) -> Self {
        self.grouped_by(&[(Group::Apart(0), 10), (Group::Spread, 9)])
    }

    /// Puts 100 pods without node affinity into groups: 42 into [`Group::Spread`], so that some share a node where 50 are,
    /// 18 into [`Group::SpreadTwice`], who find a node each in every zone's third, and 40 into four of [`Group::Apart`].
    #[must_use]
    pub fn with_large_groups(self) -> Self {
        let spread = [(Group::Spread, 42), (Group::SpreadTwice, 18)];
        let apart = (0..4).map(|number| (Group::Apart(number), 10));
        let sizes: Vec<(Group, usize)> = spread.into_iter().chain(apart).collect();
        self.grouped_by(&sizes)
    }

    fn grouped_by(mut self, sizes: &[(Group, usize)]) -> Self {
        let groups = sizes.iter().flat_map(|(group, pods)| [*group].repeat(*pods));
        let affinities = self.instance.affinity_by_pod.iter();
        let free = self.group_by_pod.iter_mut().zip(affinities).filter(|(_, affinity)| affinity.is_none());
        for ((slot, _), group) in free.zip(groups) {
            *slot = Some(group);
        }
        self
    }

    /// Every group that has pods.
    #[must_use]
    pub fn groups(&self) -> BTreeSet<Group> {
        self.group_by_pod.iter().flatten().copied().collect()
    }

    /// The indices of pods that are in a group.
    pub fn grouped(&self) -> impl Iterator<Item = usize> {
        (0..).zip(&self.group_by_pod).filter(|(_, group)| group.is_some()).map(|(index, _)| index)
    }

    /// How many pods there are.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.instance.requests.len()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.instance.capacities.len()
    }

    /// Creates the priority class, all nodes, and returns when the API server has them.
    ///
    /// # Errors
    /// The API server refuses one.
    pub async fn create_nodes(&self, client: &Client) -> Result<()> {
        create_priority_class(client, PRIORITY_CLASS, 1000).await?;
        if let Some(marks) = self.marks {
            marks.create_priority_classes(client, self.pods()).await?;
        }
        if self.has_preferences {
            preferences::create_services(client).await?;
        }
        create(&Api::all(client.clone()), (0..self.nodes()).map(|row| self.node(row))).await
    }

    /// Creates the pods in `range`, in this order as far as requests in flight keep it.
    ///
    /// # Errors
    /// The API server refuses one.
    pub async fn create_pods(&self, client: &Client, range: std::ops::Range<usize>) -> Result<()> {
        create(&Api::default_namespaced(client.clone()), range.map(|index| self.pod(index))).await
    }

    fn node(&self, row: usize) -> Node {
        let mut capacity = quantities(self.resources, &self.instance.capacities[row]);
        capacity.extend(self.marks.iter().flat_map(Marks::capacity));
        let mut node = node_of(&node_name(row), &capacity);
        let labels = node.metadata.labels.get_or_insert_default();
        labels.insert("gantry.dev/hardware".to_owned(), self.instance.hardware_by_node[row].to_string());
        labels.insert(ZONE.to_owned(), format!("zone-{}", self.instance.zone_by_node[row]));
        if let Some(pool) = self.instance.taint_by_node[row] {
            let taint = json!([{"key": "gantry.dev/pool", "value": pool.to_string(), "effect": "NoSchedule"}]);
            node.spec.get_or_insert_default().taints = Some(typed(taint));
        }
        if self.has_preferences {
            preferences::of_node(&mut node, row);
        }
        node
    }

    fn pod(&self, index: usize) -> Pod {
        let mut requests = quantities(self.resources, &self.instance.requests[index]);
        let mark = self.marks.map(|marks| marks.of(index));
        requests.extend(mark.map(|mark| (mark.resource, "1".to_owned())));
        let mut pod = pod_of(&pod_name(index), &requests);
        let spec = pod.spec.as_mut().expect("invariant: a pod is made with its spec");
        spec.scheduler_name = mark.map(|mark| mark.scheduler.to_owned());
        spec.tolerations = Some(typed(tolerations(self.instance.tolerations_by_pod[index])));
        if let Some(hardware) = self.instance.affinity_by_pod[index] {
            spec.affinity = Some(typed(hardware_affinity(hardware)));
        }
        if self.is_gated(index) {
            spec.scheduling_gates = Some(typed(json!([{ "name": GATE }])));
        }
        spec.priority_class_name = match self.marks {
            Some(marks) => Some(marks.priority_class(index)),
            None => (index % 10 == 3).then(|| PRIORITY_CLASS.to_owned()),
        };
        if let Some(group) = self.group_by_pod[index] {
            pod.metadata.labels = Some(BTreeMap::from([("group".to_owned(), group.label())]));
            match group {
                Group::Apart(_) => spec.affinity = Some(typed(apart(group))),
                Group::Spread => spec.topology_spread_constraints = Some(typed(spread(group, &[ZONE]))),
                Group::SpreadTwice => spec.topology_spread_constraints = Some(typed(spread(group, &[ZONE, HOST]))),
            }
        }
        if self.has_preferences {
            preferences::of_pod(&mut pod, index);
        }
        pod
    }
}

/// The name of a row's node.
#[must_use]
pub fn node_name(row: usize) -> String {
    format!("node-{row:04}")
}

/// The row of a node's name, where it is one of ours.
#[must_use]
pub fn row_of(node_name: &str) -> Option<usize> {
    node_name.strip_prefix("node-")?.parse().ok()
}

/// The name of a pod.
#[must_use]
pub fn pod_name(index: usize) -> String {
    format!("pod-{index:05}")
}

/// The index of a pod's name, where it is one of ours.
#[must_use]
pub fn index_of(pod_name: &str) -> Option<usize> {
    pod_name.strip_prefix("pod-")?.parse().ok()
}

/// A ready node of this capacity, all of it allocatable.
#[must_use]
pub fn node(name: &str, capacity: &Amounts) -> Node {
    node_of(name, &quantities(&RESOURCES, capacity))
}

fn node_of(name: &str, capacity: &Quantities) -> Node {
    let mut amounts = capacity.clone();
    amounts.insert("pods", "500".to_owned());
    typed(json!({
        "metadata": {"name": name, "labels": {HOST: name}},
        "spec": {},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }))
}

/// A pod of one container with these requests; extended resources need equal limits.
#[must_use]
pub fn pod(name: &str, requests: &Amounts) -> Pod {
    pod_of(name, &quantities(&RESOURCES, requests))
}

fn pod_of(name: &str, requests: &Quantities) -> Pod {
    let extended: Quantities =
        requests.iter().filter(|(name, _)| name.contains('/')).map(|(name, amount)| (*name, amount.clone())).collect();
    typed(json!({
        "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "main", "image": "none", "resources": {"requests": requests, "limits": extended}}],
            "terminationGracePeriodSeconds": 0,
        },
    }))
}

/// Creates the objects, some at a time.
///
/// # Errors
/// The API server refuses one.
pub async fn create<K>(api: &Api<K>, objects: impl Iterator<Item = K>) -> Result<()>
where
    K: Resource + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    futures::stream::iter(objects)
        .map(|object| async move {
            let name = object.meta().name.clone().unwrap_or_default();
            api.create(&PostParams::default(), &object).await.with_context(|| format!("cannot create {name}"))
        })
        .buffer_unordered(CREATORS)
        .try_for_each(|_| async { Ok(()) })
        .await
}

/// Some pods are urgent; none evicts another, so that every pod created is there at the end.
const PRIORITY_CLASS: &str = "urgent";

async fn create_priority_class(client: &Client, name: &str, value: usize) -> Result<()> {
    let classes = Api::<PriorityClass>::all(client.clone());
    if classes.get_opt(name).await?.is_none() {
        let class = json!({"metadata": {"name": name}, "value": value, "preemptionPolicy": "Never"});
        classes.create(&PostParams::default(), &typed(class)).await?;
    }
    Ok(())
}

/// Amounts in Kubernetes' words, by resource.
type Quantities = BTreeMap<&'static str, String>;

/// What is 0 is not named: a node without the resource, a pod that does not ask for it.
fn quantities(names: &[&'static str], amounts: &Amounts) -> Quantities {
    let unit = |name: &str| match name {
        "cpu" => "m",
        "memory" => "Mi",
        _ => "",
    };
    let named = names.iter().zip(amounts).filter(|(_, amount)| **amount > 0);
    named.map(|(name, amount)| (*name, format!("{amount}{}", unit(name)))).collect()
}

fn tolerations(pools: u8) -> Value {
    let tolerated = (0..8).filter(|pool| pools >> pool & 1 == 1);
    tolerated
        .map(|pool: u8| json!({"key": "gantry.dev/pool", "value": pool.to_string(), "effect": "NoSchedule"}))
        .collect()
}

fn hardware_affinity(hardware: u8) -> Value {
    let term = json!({"matchExpressions": [
        {"key": "gantry.dev/hardware", "operator": "In", "values": [hardware.to_string()]},
    ]});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}})
}

fn apart(group: Group) -> Value {
    let term = json!({"labelSelector": {"matchLabels": {"group": group.label()}}, "topologyKey": HOST});
    json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
}

fn spread(group: Group, topologies: &[&str]) -> Value {
    let over = |topology: &&str| {
        json!({
            "maxSkew": 1,
            "topologyKey": topology,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"group": group.label()}},
        })
    };
    topologies.iter().map(over).collect()
}

/// The Kubernetes object that this JSON spells.
///
/// # Panics
/// It spells none: a mistake in a test.
#[must_use]
pub fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("invariant: the tests spell objects rightly")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_rows_and_indices() {
        assert_eq!(row_of(&node_name(17)), Some(17));
        assert_eq!(index_of(&pod_name(299)), Some(299));
        assert_eq!(row_of("control-plane"), None);
    }

    #[test]
    fn few_pods_are_light_on_many_nodes_too() {
        for (pods, nodes) in [(500, 100), (500, 1000), (500, 5000)] {
            assert_eq!(Workload::light(pods, nodes, 1).pods(), pods);
        }
    }

    #[test]
    fn a_tolerated_pool_is_a_toleration() {
        assert_eq!(tolerations(0b101)[1]["value"], json!("2"));
        assert_eq!(tolerations(0), json!([]));
    }

    #[test]
    fn groups_take_only_pods_without_node_affinity() {
        let workload = Workload::generated(300, 50, 1).with_groups();
        let grouped = |group| workload.group_by_pod.iter().filter(|own| **own == Some(group)).count();
        assert_eq!((grouped(Group::Apart(0)), grouped(Group::Spread)), (10, 9));
        let both = workload.group_by_pod.iter().zip(&workload.instance.affinity_by_pod);
        assert!(both.into_iter().all(|(group, affinity)| group.is_none() || affinity.is_none()));
    }

    /// In all instances of the tables each zone has untainted nodes for its third of the pods that spread twice.
    #[test]
    fn large_groups_are_a_third_of_the_pods_and_leave_room_for_each_other() {
        for seed in 1..=5 {
            let workload = Workload::generated(300, 50, seed).with_large_groups();
            assert_eq!((workload.grouped().count(), workload.groups().len()), (100, 6));
            let instance = &workload.instance;
            let free = |zone: u8| {
                let both = instance.zone_by_node.iter().zip(&instance.taint_by_node);
                both.filter(|(own, taint)| **own == zone && taint.is_none()).count()
            };
            assert!((0..3).all(|zone| free(zone) >= 8), "seed {seed}");
            assert!((0..3).map(free).sum::<usize>() <= 42, "seed {seed}");
        }
    }

    #[test]
    fn a_group_that_spreads_twice_does_so_over_zones_and_nodes() {
        let workload = Workload::generated(300, 50, 1).with_large_groups();
        let index = workload.group_by_pod.iter().position(|group| *group == Some(Group::SpreadTwice)).unwrap();
        let spreads = workload.pod(index).spec.unwrap().topology_spread_constraints.unwrap();
        let topologies: Vec<&str> = spreads.iter().map(|spread| &*spread.topology_key).collect();
        assert_eq!(topologies, [ZONE, HOST]);
        let selector = spreads[1].label_selector.as_ref().unwrap().match_labels.as_ref().unwrap();
        assert_eq!(selector["group"], "spread-twice");
    }

    #[test]
    fn extended_resources_have_equal_limits() {
        let pod = pod("p", &[100, 200, 3, 4]);
        let resources = pod.spec.unwrap().containers[0].resources.clone().unwrap();
        let (requests, limits) = (resources.requests.unwrap(), resources.limits.unwrap());
        assert_eq!(limits.len(), 2);
        assert!(limits.iter().all(|(name, amount)| requests[name] == *amount));
        assert_eq!(requests["memory"].0, "200Mi");
    }
}
