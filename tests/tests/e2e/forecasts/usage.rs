//! Made-up usage of some nodes as `node_exporter` tells it: a past for promtool, and a page to scrape.
//!
//! Counters of the page go on where the past ended, with a share that a test may change at any time.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Seconds between two samples of the past.
const SCRAPE: usize = 5;
/// How long the past is, in seconds.
const PAST: f64 = 2.0 * 3_600.0;
/// How far the usage of a minute of the past lies from the node's share, at most.
const NOISE: f64 = 0.01;

/// What one node uses.
#[derive(Clone, Copy)]
struct Node {
    name: &'static str,
    /// Share of its cpu that is busy.
    share: f64,
    /// The counter of idle seconds, and when it had that value.
    idle: f64,
    at: f64,
}

impl Node {
    fn idle(&self, at: f64) -> f64 {
        self.idle + (1.0 - self.share) * (at - self.at)
    }
}

/// What all nodes use.
#[derive(Clone)]
pub(crate) struct Usage(Arc<Mutex<Vec<Node>>>);

/// Unix time in seconds.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

impl Usage {
    /// Nodes with the share of their cpu that is busy, and the past of that up to `end`.
    pub(crate) fn with_past(shares: &[(&'static str, f64)], end: f64) -> (Self, String) {
        let start = end - PAST;
        let mut nodes: Vec<Node> =
            shares.iter().map(|&(name, share)| Node { name, share, idle: 0.0, at: start }).collect();
        let mut text = String::from("# TYPE node_cpu_seconds counter\n");
        for node in &mut nodes {
            let mut steps = (0..=PAST as usize).step_by(SCRAPE).map(|second| start + second as f64);
            steps.by_ref().for_each(|at| {
                let share = node.share;
                node.share += NOISE * ((at / 60.0).floor() % 3.0 - 1.0);
                (node.idle, node.at) = (node.idle(at), at);
                node.share = share;
                sample(&mut text, "node_cpu_seconds_total", node.name, r#",cpu="0",mode="idle""#, node.idle, Some(at));
            });
        }
        for (family, bytes) in MEMORY {
            writeln!(text, "# TYPE {family} gauge").unwrap();
            for node in &nodes {
                for second in (0..=PAST as usize).step_by(SCRAPE) {
                    sample(&mut text, family, node.name, "", bytes, Some(start + second as f64));
                }
            }
        }
        (Self(Arc::new(Mutex::new(nodes))), text + "# EOF\n")
    }

    /// From now on a node uses this share of its cpu.
    pub(crate) fn set(&self, name: &str, share: f64) {
        let (now, mut nodes) = (now(), self.0.lock().unwrap());
        let node = nodes.iter_mut().find(|node| node.name == name).unwrap();
        (node.idle, node.at, node.share) = (node.idle(now), now, share);
    }

    /// Serves the page on loopback as long as the task is there; its address.
    pub(crate) async fn serve(&self) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, usage) = (listener.local_addr().unwrap().to_string(), self.clone());
        let page = Router::new().route("/metrics", get(async move || usage.page()));
        (address, tokio::spawn(async move { axum::serve(listener, page).await.unwrap() }))
    }

    fn page(&self) -> String {
        let (now, nodes, mut text) = (now(), self.0.lock().unwrap().clone(), String::new());
        for node in nodes {
            sample(&mut text, "node_cpu_seconds_total", node.name, r#",cpu="0",mode="idle""#, node.idle(now), None);
            for (family, bytes) in MEMORY {
                sample(&mut text, family, node.name, "", bytes, None);
            }
        }
        text
    }
}

/// Half of every node's memory is used.
const MEMORY: [(&str, f64); 2] = [("node_memory_MemAvailable_bytes", 4e9), ("node_memory_MemTotal_bytes", 8e9)];

fn sample(text: &mut String, name: &str, node: &str, labels: &str, value: f64, at: Option<f64>) {
    write!(text, r#"{name}{{job="node",instance="{node}:9100"{labels}}} {value:.3}"#).unwrap();
    match at {
        Some(at) => writeln!(text, " {at:.3}").unwrap(),
        None => text.push('\n'),
    }
}
