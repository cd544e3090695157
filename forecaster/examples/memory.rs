//! How much memory the sidecar takes for a large cluster.
//!
//! `cargo run --release -p gantry-forecaster --example memory -- [nodes]`
//!
//! A Prometheus of made-up values in a process of its own; a pipeline in this one, which is told the time. Promises:
//! prints what is resident after each stage, and the most that was during it. Must not know: what takes the memory.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program for a terminal")]
#![allow(unreachable_pub, dead_code, reason = "the stand-in is shared with tests")]

#[path = "../tests/support/faults.rs"]
mod faults;

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use faults::{Faults, nodes};
use gantry_forecaster::config::{self, Config, Place};
use gantry_forecaster::metrics::Metrics;
use gantry_forecaster::pipeline::Pipeline;
use gantry_forecaster::publication::Publication;
use gantry_forecaster::store::Stores;

/// 2026-11-22T04:00:00Z.
const NOW: i64 = 1_795_320_000;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["stand-in", count] => stand_in(count.parse().unwrap()),
        [count] => measure(count),
        _ => measure("5000"),
    }
}

/// Serves until its standard input ends; says first where.
fn stand_in(count: usize) {
    let names: Vec<String> = (0..count).map(|node| format!("node-{node:05}")).collect();
    let faults = Faults::start(move |asked| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes(asked, &names, |name, at| {
            let hash = |hash: u64, byte: u8| hash.wrapping_mul(31).wrapping_add(byte.into());
            let noise = name.bytes().fold(at as u64 / 30 * 7_919, hash) % 97;
            Some(format!("{:.4}", 0.3 + 0.004 * noise as f64))
        })
    });
    println!("{}", faults.url());
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
}

fn configuration(url: &str, folder: &Path) -> Config {
    let text = format!(
        "apiVersion: gantry.dev/v1alpha1\nkind: ForecasterConfiguration
prometheus: {{url: '{url}', timeout: 2m}}\nmodel: {{epochs: 1, retrainingEpochs: 1}}\nstore: {{folder: '{}'}}
defaultQueries: [node_cpu, node_memory, node_disk_io, node_network]\n",
        folder.display()
    );
    config::check::check(config::parse(&text, Path::new("memory.yaml")).unwrap(), Place::Here).unwrap()
}

fn measure(count: &str) {
    let mut prometheus = Command::new(env::current_exe().unwrap())
        .args(["stand-in", count])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(prometheus.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let folder = env::temp_dir().join(format!("gantry-memory-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let config = configuration(url.trim(), &folder);
    let (runtime, stores) = (tokio::runtime::Runtime::new().unwrap(), Stores::open(&config.store).unwrap());
    let (publication, metrics) = (Arc::new(Publication::default()), Arc::new(Metrics::new()));
    let mut pipeline =
        Pipeline::new(&config, runtime.handle().clone(), stores, Arc::clone(&publication), metrics).unwrap();
    println!("{count} nodes, 4 resources each; MB resident after a stage, and at most during it");
    stage("started", || {});
    stage("history read, first forecasts", || pipeline.tick(NOW));
    stage("first training and its replay", || pipeline.await_training());
    stage("a day of scores, retrained every 6 h", || {
        for hour in 1..=24 {
            pipeline.tick(NOW + hour * HOUR);
            pipeline.await_training();
        }
    });
    stage("minutes after that", || (1..=6).map(|minute| pipeline.tick(NOW + 24 * HOUR + minute * MINUTE)).last());
    println!("{} entries are served", publication.current().unwrap().len());
    fs::remove_dir_all(&folder).unwrap();
    drop(prometheus.stdin.take());
    prometheus.wait().unwrap();
}

fn stage<T>(name: &str, work: impl FnOnce() -> T) {
    // 5: the peak starts anew.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    work();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let megabytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().split(' ').next().unwrap().parse::<f64>().unwrap() / 1024.0
    };
    println!("{name:40} {:>6.0} {:>6.0}", megabytes("VmRSS:"), megabytes("VmHWM:"));
}
