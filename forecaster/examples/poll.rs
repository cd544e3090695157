//! How long a poll takes that brings nothing new.
//!
//! `cargo run --release -p gantry-forecaster --example poll -- [nodes]`
//!
//! The server as `serve` runs it, in this process; one client that keeps its connection, as the extender does. Promises:
//! prints the median and the 99th percentile of the wall time of one poll, by socket. Must not know: how a snapshot is
//! made.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program for a terminal")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gantry_forecaster::config::valid::{Listen, Server};
use gantry_forecaster::metrics::Metrics;
use gantry_forecaster::publication::Publication;
use gantry_forecaster::server::{Context, Sockets};
use gantry_forecaster::snapshot::{Encoded, Entry, ErrorFigures, Kind, ResourceForecast, Snapshot, Unit};
use gantry_forecaster::{Forecast, ModelKind};
use tokio::sync::watch;

const POLLS: usize = 20_000;
/// 2026-11-22T04:00:00Z.
const NOW: i64 = 1_795_320_000;

fn main() {
    let nodes = env::args().nth(1).map_or(5_000, |count| count.parse().unwrap());
    let encoded = Encoded::new(&Snapshot { issued_at: NOW, entries: (0..nodes).map(entry).collect() }).unwrap();
    println!("{nodes} nodes, 4 resources each, {} bytes; one poll with the newest ETag:", encoded.body().len());
    let tag = encoded.generation().to_owned();
    let folder = env::temp_dir().join(format!("gantry-poll-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let (path, address) =
        (folder.join("forecasts.sock"), TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    for (name, listen) in [("unix socket", Listen::Unix(path.clone())), ("loopback", Listen::Loopback(address))] {
        let mut times = served(listen.clone(), encoded.clone(), || match &listen {
            Listen::Unix(path) => polls(UnixStream::connect(path).unwrap(), &tag),
            Listen::Loopback(address) => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                polls(stream, &tag)
            }
        });
        times.sort();
        let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize].as_secs_f64() * 1e6;
        println!("{name:12} median {:5.1} us, 99 % below {:5.1} us", at(0.5), at(0.99));
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn entry(node: usize) -> Entry {
    let values = std::array::from_fn(|step| [0.31, 0.42, 0.47].map(|share| share + (node + step) as f32 * 1e-5));
    let error = ErrorFigures { mae: Some(0.031), mase: Some(0.97), pinball90: Some(0.011), coverage90: Some(0.91) };
    let forecast = (ModelKind::Lstm, Forecast::new(values, 1.0));
    let forecast = ResourceForecast::new(Unit::Share, forecast, error, Some(NOW - 3_600), NOW).unwrap();
    let names = ["cpu", "memory", "gantry.dev/disk-io", "gantry.dev/network"];
    let resources: BTreeMap<_, _> = names.map(|name| (name.to_owned(), forecast.clone())).into();
    Entry { kind: Kind::Node, namespace: String::new(), name: format!("node-{node:05}"), resources }
}

/// Serves a snapshot while `client` runs.
fn served<T>(listen: Listen, encoded: Encoded, client: impl FnOnce() -> T) -> T {
    let (publication, metrics) = (Arc::new(Publication::default()), Arc::new(Metrics::new()));
    publication.publish(encoded);
    let context = Arc::new(Context { publication, metrics, tick: Duration::from_secs(30) });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = Server { listen, admin: "127.0.0.1:0".parse().unwrap() };
    let sockets = runtime.block_on(Sockets::listen(&server)).unwrap();
    let (over, is_over) = watch::channel(false);
    let serving = runtime.spawn(sockets.serve(context, is_over));
    let outcome = client();
    over.send_replace(true);
    runtime.block_on(serving).unwrap();
    outcome
}

/// The time of each of many polls, after some to warm up.
fn polls(mut stream: impl Read + Write, tag: &str) -> Vec<Duration> {
    let request = format!("GET /v1/forecasts HTTP/1.1\r\nhost: forecaster\r\nif-none-match: \"{tag}\"\r\n\r\n");
    let mut answer = [0; 1_024];
    let mut poll = || {
        let start = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        while !answer[..length].ends_with(b"\r\n\r\n") {
            length += stream.read(&mut answer[length..]).unwrap();
        }
        let took = start.elapsed();
        assert!(answer.starts_with(b"HTTP/1.1 304"), "{}", String::from_utf8_lossy(&answer[..length]));
        took
    };
    for _ in 0..POLLS / 10 {
        poll();
    }
    (0..POLLS).map(|_| poll()).collect()
}
