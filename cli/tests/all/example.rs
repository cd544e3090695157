//! The recorded cluster that people without one can simulate on: `examples/cluster.json`.
//!
//! It is generated, so that it can be read and changed here, and checked in, so that it can be used.

use serde_json::{Value, json};

use crate::{assert_is_file, root};

/// Name, cores, GiB, disk I/O, network, local disk, and whether other pods are kept off.
type Kind = (&'static str, usize, u32, u32, u32, u32, &'static str, bool);

const KINDS: [Kind; 4] = [
    ("general", 4, 8, 32, 500, 1_000, "hdd", false),
    ("memory", 3, 8, 64, 500, 1_000, "ssd", false),
    ("compute", 3, 16, 32, 1_000, 2_000, "ssd", false),
    ("edge", 2, 4, 16, 250, 500, "hdd", true),
];

/// Namespace, workload, pods, and what each asks for: millicores, MiB, disk I/O, network; where it has to go.
type Workload = (&'static str, &'static str, usize, [u32; 4], &'static str);

/// What runs already, filling the nodes in turn.
const RUNNING: [Workload; 6] = [
    ("monitoring", "node-exporter", 12, [100, 128, 2, 5], "anywhere"),
    ("ingress", "ingress-nginx", 3, [500, 512, 5, 120], "general"),
    ("monitoring", "prometheus", 1, [1_000, 6_144, 150, 40], "general"),
    ("data", "postgres", 3, [1_500, 8_192, 180, 60], "memory"),
    ("data", "kafka", 3, [1_000, 6_144, 160, 220], "compute"),
    ("kube-system", "coredns", 2, [100, 170, 0, 10], "general"),
];

/// What waits, the oldest first.
const PENDING: [Workload; 11] = [
    ("shop", "checkout", 10, [500, 768, 5, 60], "general"),
    ("shop", "catalog", 8, [750, 1_536, 10, 40], "general"),
    ("shop", "search-index", 6, [1_000, 6_144, 120, 30], "ssd"),
    ("media", "image-resizer", 8, [1_800, 1_024, 40, 80], "general"),
    ("shop", "session-cache", 5, [300, 5_120, 2, 90], "general"),
    ("logging", "log-shipper", 6, [200, 512, 60, 120], "general"),
    ("reports", "nightly-report", 6, [2_500, 4_096, 90, 20], "general"),
    ("edge", "edge-gateway", 4, [900, 4_096, 50, 110], "edge"),
    ("shop", "payments", 4, [600, 1_024, 5, 30], "urgent"),
    ("media", "video-transcode", 2, [8_000, 8_192, 100, 100], "general"),
    ("research", "model-training", 1, [32_000, 65_536, 100, 100], "general"),
];

fn amounts(cpu: u32, memory: u32, disk: u32, network: u32) -> Value {
    json!({
        "cpu": format!("{cpu}m"), "memory": format!("{memory}Mi"),
        "gantry.dev/disk-io": disk.to_string(), "gantry.dev/network": network.to_string(),
    })
}

fn nodes() -> Vec<Value> {
    let mut nodes = Vec::new();
    for (kind, count, cores, memory, disk, network, local, tainted) in KINDS {
        for number in 1..=count {
            let name = format!("{kind}-{number}");
            let mut allocatable = amounts(cores * 1_000, memory * 1_024, disk, network);
            allocatable["pods"] = json!("110");
            let zone = ["zone-a", "zone-b", "zone-c"][nodes.len() % 3];
            let labels = json!({
                "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
                "node.kubernetes.io/instance-type": kind, "disktype": local,
            });
            let taints = json!([{"key": "dedicated", "value": kind, "effect": "NoSchedule"}]);
            nodes.push(json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": labels},
                "spec": if tainted { json!({"taints": taints}) } else { json!({}) },
                "status": {
                    "allocatable": allocatable,
                    "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
                },
            }));
        }
    }
    nodes
}

/// Five letters as a `ReplicaSet` would hang on, from a number.
fn suffix(number: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let letter = |place: u32| LETTERS[(number * 7_919 + 31) / LETTERS.len().pow(place) % LETTERS.len()] as char;
    (0..5).map(letter).collect()
}

fn pod((namespace, workload, _, [cpu, memory, disk, network], place): Workload, number: usize) -> Value {
    let requests = amounts(cpu, memory, disk, network);
    let limits = json!({
        "gantry.dev/disk-io": requests["gantry.dev/disk-io"], "gantry.dev/network": requests["gantry.dev/network"],
    });
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{workload}-{}", suffix(number)), "namespace": namespace,
            "uid": format!("00000000-0000-4000-8000-{number:012}"),
            "labels": {"app": workload},
            "creationTimestamp": format!("2026-11-20T{:02}:{:02}:{:02}Z", 6 + number / 60 / 60, number / 60 % 60, number % 60),
        },
        "spec": {
            "schedulerName": "default-scheduler", "priority": 0,
            "containers": [{"name": workload, "image": format!("registry.example/{workload}:1"),
                            "resources": {"requests": requests, "limits": limits}}],
        },
        "status": {"phase": "Pending"},
    });
    match place {
        "ssd" => pod["spec"]["nodeSelector"] = json!({"disktype": "ssd"}),
        "urgent" => pod["spec"]["priority"] = json!(1_000),
        "edge" => {
            pod["spec"]["nodeSelector"] = json!({"node.kubernetes.io/instance-type": "edge"});
            pod["spec"]["tolerations"] = json!([{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}]);
        }
        _ => {}
    }
    pod
}

fn pods(nodes: &[Value]) -> Vec<Value> {
    let mut pods = Vec::new();
    for workload in RUNNING {
        let is_home = |node: &&Value| {
            workload.4 == "anywhere" || node["metadata"]["name"].as_str().unwrap().starts_with(workload.4)
        };
        for (_, node) in (0..workload.2).zip(nodes.iter().filter(is_home).cycle()) {
            let mut pod = pod(workload, pods.len());
            pod["spec"]["nodeName"] = node["metadata"]["name"].clone();
            pod["status"]["phase"] = json!("Running");
            pods.push(pod);
        }
    }
    for workload in PENDING {
        for _ in 0..workload.2 {
            pods.push(pod(workload, pods.len()));
        }
    }
    pods
}

#[test]
fn the_recorded_cluster_is_the_generated_one() {
    let nodes = nodes();
    let items: Vec<String> = nodes.iter().chain(&pods(&nodes)).map(ToString::to_string).collect();
    let text = format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n{}\n]}}\n", items.join(",\n"));
    assert!(text.len() < 150_000, "{} bytes", text.len());
    assert_is_file(&text, &root().join("examples/cluster.json"));
}
