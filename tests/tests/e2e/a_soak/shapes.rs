//! The nodes and pods of the soak: what they look like, drawn from a seed.
//!
//! Nodes are alike but for zone, hardware and a pool that only some pods tolerate. Pods differ in all that Gantry reads:
//! amounts, selectors, tolerations, groups, priorities, gates.

use gantry_solver::rng::Rng;
use gantry_tests::workload::{GATE, node, pod, typed};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::ResourceExt;
use serde_json::{Value, json};

/// The label of a pod's group.
pub(super) const GROUP: &str = "group";
/// The label of a node's zone.
pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
/// A gate of somebody else's.
pub(super) const FOREIGN_GATE: &str = "example.com/quota";
/// What every node offers: cpu in millicores, memory in MiB, disk I/O, network.
pub(super) const CAPACITY: [i64; 4] = [8000, 32768, 500, 2000];

const HARDWARE: &str = "gantry.dev/hardware";
const POOL: &str = "gantry.dev/pool";
const URGENT: &str = "urgent";
/// Groups of each kind; so many that a group has about as many pods as there are zones, or a few times that.
const GROUPS: u32 = 4;

/// How a group's pods lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    /// No two on one node.
    Apart,
    /// Over the zones with a skew of at most 1.
    Spread,
}

impl Grouping {
    /// The grouping of a pod, by its label.
    pub(super) fn of(pod: &Pod) -> Option<Self> {
        let group = pod.labels().get(GROUP)?;
        Some(if group.starts_with("apart") { Self::Apart } else { Self::Spread })
    }
}

/// A kind of pods; pods that are made together are of one kind.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Apart,
    Spread,
    /// Some hardware only.
    Picky,
    /// Tolerates the pool, too.
    Pooled,
    /// Evicts others.
    Urgent,
    /// No node is large enough.
    Giant,
}

/// How often each kind is made, of a hundred.
const SHARES: [(Kind, u32); 7] = [
    (Kind::Plain, 40),
    (Kind::Apart, 15),
    (Kind::Spread, 18),
    (Kind::Picky, 12),
    (Kind::Pooled, 8),
    (Kind::Urgent, 5),
    (Kind::Giant, 2),
];

/// The priority class that the urgent pods name; it lets them evict.
pub(super) fn priority_class() -> PriorityClass {
    typed(json!({"metadata": {"name": URGENT}, "value": 1000}))
}

/// The node with this number.
pub(super) fn a_node(number: u32) -> Node {
    let mut node = node(&format!("node-{number:04}"), &CAPACITY);
    node.labels_mut().insert(ZONE.to_owned(), format!("zone-{}", number % 3));
    node.labels_mut().insert(HARDWARE.to_owned(), (number % 2).to_string());
    if number % 8 == 5 {
        node.spec.get_or_insert_default().taints = Some(typed(json!([pool("effect", "NoSchedule")])));
    }
    node
}

/// Pods that are made together, `first` being the number of the first: equal but for their amounts.
pub(super) fn some_pods(rng: &mut Rng, first: u32) -> Vec<Pod> {
    let kind = kind(rng);
    let group = rng.below(GROUPS);
    let gates: &[&str] = match rng.below(100) {
        0..45 => &[GATE],
        45..52 => &[FOREIGN_GATE],
        52..60 => &[FOREIGN_GATE, GATE],
        _ => &[],
    };
    let count = if matches!(kind, Kind::Giant) { 1 } else { 1 + rng.below(6) };
    (first..first + count).map(|number| a_pod(rng, number, kind, group, gates)).collect()
}

fn kind(rng: &mut Rng) -> Kind {
    let mut draw = rng.below(SHARES.iter().map(|(_, share)| share).sum());
    for (kind, share) in SHARES {
        match draw.checked_sub(share) {
            None => return kind,
            Some(rest) => draw = rest,
        }
    }
    Kind::Plain
}

fn a_pod(rng: &mut Rng, number: u32, kind: Kind, group: u32, gates: &[&str]) -> Pod {
    let mut amounts = [cpu(rng), memory(rng), 5 + i64::from(rng.below(60)), 20 + i64::from(rng.below(200))];
    if matches!(kind, Kind::Giant) {
        amounts[0] = 2 * CAPACITY[0];
    }
    let mut pod = pod(&format!("pod-{number:06}"), &amounts);
    let spec = pod.spec.as_mut().expect("invariant: a pod is made with its spec");
    let gates: Vec<Value> = gates.iter().map(|gate| json!({ "name": gate })).collect();
    spec.scheduling_gates = Some(typed(json!(gates)));
    // Some take their time to go: they hold their room while they do.
    spec.termination_grace_period_seconds = Some(i64::from(rng.below(2)));
    match kind {
        Kind::Plain | Kind::Giant => {}
        Kind::Apart => {
            spec.affinity = Some(typed(apart(&label(kind, group))));
            pod.labels_mut().insert(GROUP.to_owned(), label(kind, group));
        }
        Kind::Spread => {
            spec.topology_spread_constraints = Some(typed(spread(&label(kind, group))));
            pod.labels_mut().insert(GROUP.to_owned(), label(kind, group));
        }
        Kind::Picky => spec.node_selector = Some(typed(json!({HARDWARE: (group % 2).to_string()}))),
        Kind::Pooled => spec.tolerations = Some(typed(json!([pool("operator", "Equal")]))),
        Kind::Urgent => spec.priority_class_name = Some(URGENT.to_owned()),
    }
    pod
}

/// A cpu request, in millicores.
pub(super) fn cpu(rng: &mut Rng) -> i64 {
    i64::from(500 + 100 * rng.below(26))
}

/// A memory request, in MiB.
pub(super) fn memory(rng: &mut Rng) -> i64 {
    i64::from(512 + 256 * rng.below(40))
}

fn label(kind: Kind, group: u32) -> String {
    format!("{}-{group}", if matches!(kind, Kind::Apart) { "apart" } else { "spread" })
}

fn pool(key: &str, value: &str) -> Value {
    json!({"key": POOL, "value": "0", key: value})
}

fn apart(group: &str) -> Value {
    let term = json!({"labelSelector": {"matchLabels": {GROUP: group}}, "topologyKey": "kubernetes.io/hostname"});
    json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
}

fn spread(group: &str) -> Value {
    json!([{
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {GROUP: group}},
    }])
}
