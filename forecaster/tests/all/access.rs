//! Who asks: tokens, passwords, tenants, and secrets that change while the sidecar runs.

use std::fs;

use gantry_forecaster::config::valid::Auth;

use crate::bench::{Bench, NOW, SMALL, config};
use crate::faults::{Asked, Faults, Reply, nodes};

fn steady(asked: &Asked) -> Reply {
    nodes(asked, &["a"], |_, _| Some("0.5".to_owned()))
}

#[test]
fn a_token_is_read_again_when_its_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "first\n").unwrap();
    let faults = Faults::start(|asked| match asked.headers["authorization"].as_str() {
        "Bearer second" => steady(asked),
        _ => Reply::status(401),
    });
    let mut config = config(&faults.url(), SMALL);
    config.prometheus.auth = Auth::Bearer(path.clone());
    let mut bench = Bench::new(&config);
    bench.tick(NOW);
    assert_eq!(bench.fetches("node_cpu", "unauthorized"), 1.0);
    fs::write(&path, "second\n").unwrap();
    bench.tick(NOW + 30);
    assert_eq!(bench.fetches("node_cpu", "ok"), 1.0);
    fs::remove_file(&path).unwrap();
    bench.tick(NOW + 60);
    assert_eq!(bench.fetches("node_cpu", "file"), 1.0);
}

#[test]
fn a_name_a_password_and_a_tenant_reach_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "s3cret").unwrap();
    let faults = Faults::start(steady);
    let text = SMALL.to_owned();
    let mut config = config(&faults.url(), &text);
    config.prometheus.auth = Auth::Basic { username: "me".to_owned(), password_file: path };
    config.prometheus.tenant = Some("team-a".parse().unwrap());
    let mut bench = Bench::new(&config);
    bench.tick(NOW);
    for asked in faults.asked() {
        assert_eq!(asked.headers["authorization"], "Basic bWU6czNjcmV0");
        assert_eq!(asked.headers["x-scope-orgid"], "team-a");
        assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
    }
    assert_eq!(bench.fetches("node_cpu", "ok"), 1.0);
}

#[test]
fn a_join_names_nodes_by_their_addresses() {
    let faults = Faults::start(|asked| match asked.query() {
        "kube_node_info" => Reply::json(
            r#"{"status":"success","data":{"resultType":"vector","result":[
                {"metric":{"internal_ip":"a","node":"worker-1"},"value":[0,"1"]}]}}"#,
        ),
        _ => nodes(asked, &["a", "b"], |_, _| Some("0.5".to_owned())),
    });
    let mut bench = Bench::new(&config(&faults.url(), &format!("{SMALL}nodes: {{join: {{}}}}\n")));
    bench.tick(NOW);
    assert!(bench.entry("worker-1").is_some() && bench.entry("a").is_none() && bench.entry("b").is_none());
    assert_eq!(bench.fetches("nodes_join", "ok"), 1.0);
}
