//! What a configuration may say, and what is said about one that is wrong.

use std::path::Path;
use std::time::Duration;

use super::valid::{Auth, Listen};
use super::*;
use crate::models::lstm::Activation;
use crate::snapshot::{Kind, Unit};

const HEAD: &str = "apiVersion: gantry.dev/v1alpha1\nkind: ForecasterConfiguration\n";
const URL: &str = "prometheus: {url: http://prometheus.monitoring:9090/}\n";

fn checked(text: &str) -> Result<Config, ConfigError> {
    check::check(parse(text, Path::new("forecaster.yaml"))?, Place::Here)
}

fn good(more: &str) -> Config {
    checked(&format!("{HEAD}{URL}{more}")).unwrap_or_else(|error| panic!("{error}"))
}

fn problems(more: &str) -> Vec<Problem> {
    match checked(&format!("{HEAD}{more}")) {
        Err(ConfigError::Refused(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_is_enough() {
    let config = good("");
    assert_eq!(config.prometheus.url.to_string(), "http://prometheus.monitoring:9090/");
    assert_eq!(config.prometheus.auth, Auth::Anonymous);
    assert_eq!(config.server.listen, Listen::Loopback("127.0.0.1:8890".parse().unwrap()));
    assert_eq!((config.schedule.tick, config.schedule.resolution), (Duration::from_secs(30), 30));
    assert_eq!(config.schedule.history, Duration::from_hours(7 * 24));
    assert_eq!(config.queries.len(), 6);
    assert!(config.queries.iter().all(|query| !query.promql.contains("$window") && !query.promql.contains("$job")));
    assert!(config.queries.iter().any(|query| query.promql.contains("\"$1\"")), "label_replace keeps its own");
    assert!(config.lstm.is_some() && config.store.folder.is_none() && config.store.redis.is_none());
}

#[test]
fn every_section_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let config = good(&format!(
        "server: {{listen: 'unix:/run/gantry/forecasts.sock', admin: '0.0.0.0:9'}}
nodes: {{label: node, pattern: '^(.*)$', join: {{key: ip}}}}
variables: {{window: 5m}}
schedule: {{tick: 15s, resolution: 15s, history: 2d, historyMemory: 128Mi, retrain: 12h}}
model: {{activation: relu, cleaning: zscore, epochs: 5, seed: 7}}
store: {{folder: '{}', redis: {{url: 'redis://redis:6379/1', passwordFile: {file}, cluster: prod}}}}
",
        folder.path().display()
    ));
    assert_eq!(config.server.listen, Listen::Unix("/run/gantry/forecasts.sock".into()));
    let join = config.nodes.join.unwrap();
    assert_eq!((join.query.as_str(), join.key.as_str(), join.name.as_str()), ("kube_node_info", "ip", "node"));
    assert!(config.queries[0].promql.contains("[5m]"));
    assert_eq!((config.schedule.tick.as_secs(), config.schedule.history_memory), (15, 128 << 20));
    let lstm = config.lstm.unwrap();
    assert_eq!((lstm.activation, lstm.epochs, lstm.seed), (Activation::Relu, 5, 7));
    let redis = config.store.redis.unwrap();
    assert_eq!((redis.cluster.as_str(), redis.lease), ("prod", Duration::from_secs(90)));
}

#[test]
fn an_own_query_replaces_the_default_of_its_name() {
    let config = good(
        "defaultQueries: [node_cpu, node_memory]
queries: {node_cpu: {kind: Node, resource: cpu, query: 'my:cpu:ratio', unit: share}, gpu: {kind: Node, resource: example.com/gpu, query: gpu, capacity: 8}}
",
    );
    let of = |name: &str| config.queries.iter().find(|query| query.name == name).unwrap();
    assert_eq!(config.queries.len(), 3);
    assert_eq!((of("node_cpu").promql.as_str(), of("node_cpu").unit), ("my:cpu:ratio", Unit::Share));
    assert_eq!((of("node_cpu").capacity, of("gpu").capacity, of("gpu").kind), (1.0, 8.0, Kind::Node));
}

#[test]
fn an_unknown_key_is_refused_with_its_path() {
    let problem = &problems(&format!("{URL}schedule: {{tik: 5s}}\n"))[0];
    assert!(problem.key.starts_with("schedule") && problem.remedy.contains("tik"), "{problem}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_a_remedy() {
    let found = problems(
        "prometheus: {url: 'http://me:pw@host', bearerTokenFile: /none, tls: {certFile: /none}}
server: {listen: '0.0.0.0:8890', admin: nowhere}
nodes: {pattern: '('}
schedule: {tick: 1500ms, resolution: 7s, history: 1y}
model: {activation: gelu, epochs: 0}
store: {folder: /none, redis: {url: 'redis://:pw@host', cluster: 'a b', lease: 2s}}
queries: {x: {kind: Pod, query: '$nothing', unit: percent, capacity: -1}}
",
    );
    let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
    for key in [
        "prometheus.url",
        "prometheus.bearerTokenFile",
        "prometheus.tls",
        "server.listen",
        "server.admin",
        "nodes.pattern",
        "schedule.tick",
        "schedule.resolution",
        "schedule.history",
        "model.activation",
        "model.epochs",
        "store.folder",
        "store.redis.url",
        "store.redis.cluster",
        "store.redis.lease",
        "queries.x.kind",
        "queries.x.unit",
        "queries.x.resource",
        "queries.x.capacity",
    ] {
        assert!(keys.contains(&key), "{key} is missing in {keys:?}");
    }
    assert!(found.iter().all(|problem| !problem.remedy.is_empty()));
}

#[test]
fn a_variable_without_a_value_and_a_resource_asked_twice_are_refused() {
    let found = problems(&format!("{URL}queries: {{mine: {{kind: Node, resource: cpu, query: 'x[$span]'}}}}\n"));
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(lines.iter().any(|line| line.starts_with("queries.mine.query: `$span`")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("queries.mine.resource: `cpu`")), "{lines:?}");
}

#[test]
fn what_is_no_such_document_is_refused() {
    let refused = |text: &str| checked(text).unwrap_err().to_string();
    assert!(refused("kind: [").contains("no valid YAML"));
    assert!(refused("apiVersion: gantry.dev/v2\n").contains("write `apiVersion: gantry.dev/v1alpha1`"));
    assert!(matches!(load(Path::new("/none/forecaster.yaml"), Place::Here), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn the_configuration_in_the_manifests_is_good_where_its_files_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/components/forecaster/forecaster.yaml");
    let config = load(&path, Place::Elsewhere).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.server.listen, Listen::Unix("/run/gantry/forecasts.sock".into()));
    assert!(load(&path, Place::Here).is_err(), "the folder is the pod's");
}
