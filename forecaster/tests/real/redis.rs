//! A real Redis that replicas share.

use std::time::Duration;

use gantry_forecaster::config::valid;
use gantry_forecaster::pipeline::Role;
use gantry_forecaster::snapshot::{Encoded, Snapshot};
use gantry_forecaster::store::{Memory, Redis, Shared as _, Store as _, Stores};
use tempfile::TempDir;

use crate::bench::{Bench, config};
use crate::laws;
use crate::process::{Process, free_port, installed, until};
use crate::prometheus::{Past, Prometheus};

const QUICK: &str = "schedule: {history: 1h}\nmodel: {lstm: false}\ndefaultQueries: [node_cpu]\n";

struct Server {
    port: u16,
    process: Option<Process>,
    folder: TempDir,
}

impl Server {
    fn start(more: &[&str]) -> Self {
        let mut server = Self { port: free_port(), process: None, folder: tempfile::tempdir().unwrap() };
        server.run(more);
        server
    }

    fn run(&mut self, more: &[&str]) {
        let port = self.port.to_string();
        let fixed = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let arguments: Vec<&str> = fixed.iter().chain(more).copied().collect();
        self.process = Some(Process::start("redis", &installed("redis-server"), &arguments, self.folder.path()));
        until("redis", || std::net::TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    fn config(&self) -> valid::Redis {
        valid::Redis {
            url: format!("redis://127.0.0.1:{}/0", self.port),
            password_file: None,
            cluster: "test".to_owned(),
            ttl: Duration::from_mins(5),
            lease: Duration::from_secs(30),
        }
    }

    fn store(&self) -> Redis {
        Redis::new(self.config()).unwrap()
    }

    /// Sends a command as its own client.
    fn send<T: ::redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = ::redis::Client::open(self.config().url).unwrap();
        let mut command = ::redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut client.get_connection().unwrap()).unwrap()
    }

    fn replica(&self, prometheus: &Prometheus) -> Bench {
        let stores = Stores::new(Box::new(Memory::default()), Some(Box::new(self.store())));
        Bench::with_stores(&config(&prometheus.url(), QUICK), stores)
    }
}

fn empty(issued_at: i64) -> Encoded {
    Encoded::new(&Snapshot { issued_at, entries: Vec::new() }).unwrap()
}

#[test]
fn redis_keeps_the_laws_and_what_it_keeps_expires() {
    let server = Server::start(&[]);
    let store = server.store();
    assert!(store.lead().unwrap());
    laws::hold(&store);
    for key in ["snapshot", "generation", "issued", "writer", "weights:node_cpu"] {
        let left: i64 = server.send(&["PTTL", &format!("gantry:{{test}}:{key}")]);
        assert!(left > 0, "{key} expires in {left} ms");
    }
}

#[test]
fn one_replica_writes_and_who_was_asleep_cannot_overwrite_its_successor() {
    let server = Server::start(&[]);
    let (first, second) = (server.store(), server.store());
    assert!(first.lead().unwrap() && !second.lead().unwrap() && first.lead().unwrap());
    first.save_snapshot(&empty(1)).unwrap();
    assert_eq!(second.save_snapshot(&empty(2)).unwrap_err().reason(), "not_the_writer");
    // As if the first had slept through its lease.
    let _: i64 = server.send(&["DEL", "gantry:{test}:writer"]);
    assert!(second.lead().unwrap());
    second.save_snapshot(&empty(3)).unwrap();
    assert_eq!(first.save_snapshot(&empty(4)).unwrap_err().reason(), "not_the_writer");
    assert_eq!(first.load_snapshot().unwrap().unwrap().1.issued_at, 3);
}

#[test]
fn a_write_that_was_delayed_does_not_replace_what_was_issued_later() {
    let server = Server::start(&[]);
    let (first, second) = (server.store(), server.store());
    assert!(first.lead().unwrap());
    first.save_snapshot(&empty(5)).unwrap();
    assert_eq!(first.save_snapshot(&empty(4)).unwrap_err().reason(), "older");
    // A write of the first's earlier term arrives in its next one: the token is the same again.
    for (writer, issued_at) in [(&second, 6), (&first, 7)] {
        let _: i64 = server.send(&["DEL", "gantry:{test}:writer"]);
        assert!(writer.lead().unwrap());
        assert_eq!(writer.save_snapshot(&empty(issued_at - 2)).unwrap_err().reason(), "older");
        assert_eq!(writer.load_snapshot().unwrap().unwrap().1.issued_at, issued_at - 1);
        writer.save_snapshot(&empty(issued_at)).unwrap();
    }
    assert_eq!(second.newer(None).unwrap().unwrap().1.issued_at, 7);
}

#[test]
fn a_password_is_read_from_its_file() {
    let server = Server::start(&["--requirepass", "secret"]);
    let path = server.folder.path().join("password");
    std::fs::write(&path, "wrong").unwrap();
    let store = Redis::new(valid::Redis { password_file: Some(path.clone()), ..server.config() }).unwrap();
    assert_eq!(store.lead().unwrap_err().reason(), "redis");
    std::fs::write(&path, "secret\n").unwrap();
    assert!(store.lead().unwrap());
}

#[test]
fn a_follower_serves_the_writers_bytes_and_takes_over_when_the_writer_is_gone() {
    let (server, prometheus, end) = (Server::start(&[]), Prometheus::with_past(), Past::get().end);
    let (mut writer, mut follower) = (server.replica(&prometheus), server.replica(&prometheus));
    assert_eq!(writer.tick(end - 60), Role::Forecaster);
    assert_eq!(follower.tick(end - 60), Role::Follower);
    assert_eq!(follower.publication.current().unwrap().body(), writer.publication.current().unwrap().body());
    assert_eq!(follower.fetches("node_cpu", "ok"), 0.0, "a follower leaves Prometheus alone");
    drop(writer);
    let _: i64 = server.send(&["DEL", "gantry:{test}:writer"]);
    assert_eq!(follower.tick(end), Role::Forecaster);
    assert_eq!(follower.snapshot().unwrap().issued_at, end);
}

#[test]
fn news_wake_a_follower() {
    let server = Server::start(&[]);
    let (writer, follower) = (server.store(), server.store());
    assert!(writer.lead().unwrap());
    assert!(!follower.wait(Duration::from_millis(50)).unwrap(), "there are none yet");
    let waiting = std::thread::spawn(move || follower.wait(Duration::from_secs(30)).unwrap());
    until("the subscription", || {
        let listeners: (String, i64) = server.send(&["PUBSUB", "NUMSUB", "gantry:{test}:snapshots"]);
        (listeners.1 > 0).then_some(())
    });
    writer.save_snapshot(&empty(1)).unwrap();
    assert!(waiting.join().unwrap());
}

#[test]
fn without_redis_every_replica_forecasts_for_itself_and_afterwards_one_does() {
    let (mut server, prometheus, end) = (Server::start(&[]), Prometheus::with_past(), Past::get().end);
    let (mut one, mut two) = (server.replica(&prometheus), server.replica(&prometheus));
    server.process = None;
    for replica in [&mut one, &mut two] {
        assert_eq!(replica.tick(end - 60), Role::Forecaster);
        assert!(replica.entry("steady-1").is_some());
        assert!(replica.metric("gantry_forecaster_store_failures_total{store=\"redis\",reason=\"redis\"}") > 0.0);
    }
    server.run(&[]);
    assert_eq!([one.tick(end), two.tick(end)], [Role::Forecaster, Role::Follower]);
    assert_eq!(two.publication.current().unwrap().generation(), one.publication.current().unwrap().generation());
}
