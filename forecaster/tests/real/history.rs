//! A made-up past of a small cluster, as `OpenMetrics` text for promtool.
//!
//! Two nodes that live, one whose counters start again, one that fell silent; two workloads. Randomness is seeded.

use std::f64::consts::TAU;
use std::fmt::Write as _;

/// Seconds between two scrapes.
const SCRAPE: i64 = 30;
/// How long before the end the silent node fell silent, in seconds.
pub const SILENT: i64 = 20 * 60;
/// How long before the end the restarted node's counters started again, in seconds.
pub const RESTART: i64 = 5 * 60;

/// CPU share of a node at a time: half a share, with a swing of an hour and some noise.
pub fn cpu(node: usize, at: i64) -> f64 {
    let noise = ((at / SCRAPE * 7_919 + node as i64 * 104_729) % 97) as f64 / 97.0 - 0.5;
    0.4 + 0.1 * (TAU * at as f64 / 3_600.0 + node as f64).sin() + 0.04 * noise
}

/// The names of the nodes.
pub const NODES: [&str; 4] = ["steady-1", "steady-2", "restarted", "silent"];

struct Text {
    lines: String,
    start: i64,
    end: i64,
}

impl Text {
    fn family(&mut self, family: &str, kind: &str) {
        writeln!(self.lines, "# TYPE {family} {kind}").unwrap();
    }

    /// A gauge, or a counter's sum; `value` is told the time.
    fn series(&mut self, name: &str, labels: &str, end: i64, mut value: impl FnMut(i64) -> f64) {
        for at in (self.start..=end).step_by(SCRAPE as usize) {
            writeln!(self.lines, "{name}{{{labels}}} {:.4} {at}", value(at)).unwrap();
        }
    }

    fn counter(&mut self, name: &str, labels: &str, node: usize, rate: impl Fn(i64) -> f64) {
        let restart = if NODES[node] == "restarted" { self.end - RESTART } else { i64::MAX };
        let mut sum = 5_000.0;
        self.series(name, labels, self.node_end(node), |at| {
            sum = if (restart..restart.saturating_add(SCRAPE)).contains(&at) { 0.0 } else { sum };
            sum += rate(at) * SCRAPE as f64;
            sum
        });
    }

    fn node_end(&self, node: usize) -> i64 {
        if NODES[node] == "silent" { self.end - SILENT } else { self.end }
    }
}

/// The past from `start` to `end`, Unix time in seconds.
pub fn open_metrics(start: i64, end: i64) -> String {
    let mut text = Text { lines: String::new(), start, end };
    text.family("node_cpu_seconds", "counter");
    for (node, name) in NODES.iter().enumerate() {
        for (mode, busy) in [("idle", false), ("user", true)] {
            let labels = format!(r#"job="node",instance="{name}:9100",cpu="0",mode="{mode}""#);
            let share = move |at| if busy { cpu(node, at) } else { 1.0 - cpu(node, at) };
            text.counter("node_cpu_seconds_total", &labels, node, share);
        }
    }
    for (family, bytes) in [("node_memory_MemAvailable_bytes", 2e9), ("node_memory_MemTotal_bytes", 8e9)] {
        text.family(family, "gauge");
        for (node, name) in NODES.iter().enumerate() {
            let end = text.node_end(node);
            text.series(family, &format!(r#"job="node",instance="{name}:9100""#), end, |_| bytes);
        }
    }
    for (family, device, rate) in [
        ("node_disk_io_time_seconds", "sda", 0.2),
        ("node_network_receive_bytes", "eth0", 3e6),
        ("node_network_transmit_bytes", "eth0", 1e6),
    ] {
        text.family(family, "counter");
        for (node, name) in NODES.iter().enumerate() {
            let labels = format!(r#"job="node",instance="{name}:9100",device="{device}""#);
            text.counter(&format!("{family}_total"), &labels, node, |_| rate);
        }
    }
    workloads(&mut text);
    text.lines.push_str("# EOF\n");
    text.lines
}

/// A Deployment with two pods and a `StatefulSet` with one, as cAdvisor shows them.
fn workloads(text: &mut Text) {
    let pods = ["web-7d9f8b6c5d-x2x7z", "web-7d9f8b6c5d-k8s9c", "db-0"];
    text.family("container_cpu_usage_seconds", "counter");
    for pod in pods {
        let labels = format!(r#"job="cadvisor",namespace="shop",pod="{pod}",container="app""#);
        text.counter("container_cpu_usage_seconds_total", &labels, 0, |_| 0.25);
    }
    text.family("container_memory_working_set_bytes", "gauge");
    for pod in pods {
        let labels = format!(r#"job="cadvisor",namespace="shop",pod="{pod}",container="app""#);
        let end = text.end;
        text.series("container_memory_working_set_bytes", &labels, end, |_| 1e8);
    }
}
