//! The queries that work without configuration: `node_exporter` and cAdvisor.
//!
//! `$window` must be at least four times the scrape interval, or one failed scrape leaves `rate` without two samples;
//! `$job` is a regular expression of `node_exporter`'s jobs. Must not know: how queries are sent.

use crate::snapshot::{Kind, Unit};

/// A query of this module.
#[derive(Clone, Copy, Debug)]
pub struct DefaultQuery {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Whose usage.
    pub kind: Kind,
    /// The Kubernetes name of the resource.
    pub resource: &'static str,
    /// What a value counts.
    pub unit: Unit,
    /// `PromQL` with `$name` for variables.
    pub promql: &'static str,
}

/// Values for `$name`, where the configuration has none.
pub const VARIABLES: [(&str, &str); 2] = [("window", "2m"), ("job", ".+")];

/// A label for cAdvisor's pods with the name of what made them: the pod's name without the suffixes that a Deployment,
/// a `DaemonSet`, a `StatefulSet` or a Job add. The alphabet is the one of Kubernetes' generated names; exact owners
/// need kube-state-metrics and a query of one's own.
macro_rules! by_workload {
    ($usage:literal) => {
        concat!(
            "sum by (namespace, workload) (label_replace(",
            $usage,
            r#", "workload", "$1", "pod", "(.+?)(-[bcdfghjklmnpqrstvwxz2456789]{6,10})?(-[bcdfghjklmnpqrstvwxz2456789]{5}|-[0-9]+)?"))"#
        )
    };
}

/// All default queries.
pub const QUERIES: [DefaultQuery; 6] = [
    DefaultQuery {
        name: "node_cpu",
        kind: Kind::Node,
        resource: "cpu",
        unit: Unit::Share,
        promql: r#"1 - avg by (instance) (sum without (mode) (rate(node_cpu_seconds_total{job=~"$job",mode=~"idle|iowait|steal"}[$window])))"#,
    },
    DefaultQuery {
        name: "node_memory",
        kind: Kind::Node,
        resource: "memory",
        unit: Unit::Share,
        promql: r#"1 - max by (instance) (node_memory_MemAvailable_bytes{job=~"$job"}) / max by (instance) (node_memory_MemTotal_bytes{job=~"$job"})"#,
    },
    // The busiest device: a node whose one disk is busy all the time is not half idle because it has a second one.
    DefaultQuery {
        name: "node_disk_io",
        kind: Kind::Node,
        resource: "gantry.dev/disk-io",
        unit: Unit::Share,
        promql: r#"max by (instance) (rate(node_disk_io_time_seconds_total{job=~"$job"}[$window]))"#,
    },
    // Both directions; devices of pods are left out, since their traffic passes the node's own device too.
    DefaultQuery {
        name: "node_network",
        kind: Kind::Node,
        resource: "gantry.dev/network",
        unit: Unit::Base,
        promql: r#"sum by (instance) (rate(node_network_receive_bytes_total{job=~"$job",device!~"lo|veth.*|cali.*|cni.*|docker.*|flannel.*|lxc.*"}[$window])) + sum by (instance) (rate(node_network_transmit_bytes_total{job=~"$job",device!~"lo|veth.*|cali.*|cni.*|docker.*|flannel.*|lxc.*"}[$window]))"#,
    },
    DefaultQuery {
        name: "workload_cpu",
        kind: Kind::Workload,
        resource: "cpu",
        unit: Unit::Base,
        promql: by_workload!(r#"rate(container_cpu_usage_seconds_total{container!="",container!="POD"}[$window])"#),
    },
    DefaultQuery {
        name: "workload_memory",
        kind: Kind::Workload,
        resource: "memory",
        unit: Unit::Base,
        promql: by_workload!(r#"container_memory_working_set_bytes{container!="",container!="POD"}"#),
    },
];
