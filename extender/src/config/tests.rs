//! Every field wrong in turn, and what an admin then reads.

use std::path::Path;
use std::time::Duration;

use gantry_host::Entry;

use super::check::check;
use super::valid::{ClusterSource, ComponentSource};
use super::*;

const WHOLE: &str = "
apiVersion: gantry.dev/v1alpha1
kind: GantryConfiguration
server:
  listen: 127.0.0.1:8888
  admin: 127.0.0.1:8889
  deadline: 500ms
  bodyLimit: 128Mi
  keepAlive: 120s
  bind: false
cluster:
  mode: none
  assumedTtl: 30s
  staleAfter: 60s
forecasts: {from: 'unix:/run/gantry/forecasts.sock', file: /run/gantry/forecasts.json, poll: 5s}
resources: [cpu, memory, gantry.dev/disk-io, gantry.dev/network]
cache: {dir: /var/cache/gantry}
compile: {timeout: 1m, memory: 1Gi}
profiles:
  - schedulerName: default-scheduler
    mode: serve
    weights: {cpu: 2, memory: 0.5}
    plugins:
      - name: gantry
        component: builtin:gantry
        digest: sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
        weight: 1
        extensionPoints: [filter, score, plan]
        settings: {objective: balanced}
        limits: {memory: 64Mi, deadline: 100ms, filterDeadline: 40ms, scoreDeadline: 90ms, planDeadline: 2s, workers: 2}
    dictionary:
      - {pods: {matchLabels: {app: db}}, nodes: {matchLabels: {tier: edge}}, type: Forbid}
";

fn checked(text: &str) -> Result<Config, ConfigError> {
    check(parse(text, Path::new("gantry.yaml"))?, Surroundings::default())
}

fn problems(text: &str) -> Vec<Problem> {
    match checked(text) {
        Err(ConfigError::Refused(problems)) => problems,
        other => panic!("expected to be refused, got {other:?}\n{text}"),
    }
}

/// The whole example with one line replaced.
fn with(line: &str, other: &str) -> String {
    assert_eq!(WHOLE.matches(line).count(), 1, "{line}");
    WHOLE.replace(line, other)
}

#[test]
fn a_search_gets_no_more_evaluations_than_its_deadline_has_time_for() {
    let evaluations = |limits: &str| {
        let plugin = format!("plugins: [{{name: gantry, component: \"builtin:gantry\"{limits}}}]");
        let plan = "plan: {evaluations: 1000000000000}";
        let text = format!(
            "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\nprofiles:\n  - {{schedulerName: a, {plugin}, {plan}}}\n\
             cluster: {{mode: auto}}\n"
        );
        let surroundings = Surroundings { is_in_cluster: true };
        let config = check(parse(&text, Path::new("gantry.yaml")).unwrap(), surroundings).unwrap();
        config.profiles[0].plan.as_ref().unwrap().evaluations
    };
    assert_eq!(evaluations(", limits: {planDeadline: 2s}"), 6_000_000);
    assert_eq!(evaluations(""), 30_000_000);
}

#[test]
fn a_call_has_its_extension_points_deadline_or_else_the_plugins() {
    let deadlines = |text: &str| {
        let limits = checked(text).unwrap().profiles[0].plugins[0].limits.clone();
        [Entry::Filter, Entry::Score, Entry::Plan, Entry::PushSnapshot]
            .map(|entry| limits.deadline_of(entry).as_millis())
    };
    assert_eq!(deadlines(WHOLE), [40, 90, 2000, 100]);
    assert_eq!(deadlines(&with("filterDeadline: 40ms, ", "")), [100, 90, 2000, 100]);
    let shared = with("deadline: 100ms, filterDeadline: 40ms, scoreDeadline: 90ms", "deadline: 70ms");
    assert_eq!(deadlines(&shared), [70, 70, 2000, 70]);
}

#[test]
fn the_whole_example_is_accepted() {
    let config = checked(WHOLE).unwrap();
    let profile = &config.profiles[0];
    assert_eq!(profile.weights, [2.0, 0.5, 1.0, 1.0]);
    assert_eq!(profile.plugins[0].settings, r#"{"objective":"balanced"}"#);
    assert_eq!(profile.plugins[0].digest.unwrap().to_string(), format!("sha256:{}", "a".repeat(64)));
    assert_eq!(config.server.body_limit, 128 << 20);
}

#[test]
fn no_file_means_all_defaults_and_no_api_server() {
    let config = check(ConfigFile::embedded(), Surroundings::default()).unwrap();
    assert_eq!(config.cluster.source, ClusterSource::Requests);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8888");
    assert_eq!(config.server.deadline, Duration::from_millis(500));
    assert_eq!(config.profiles[0].scheduler_name, "default-scheduler");
    assert_eq!(config.profiles[0].plugins[0].component, ComponentSource::Builtin);
}

/// A line of the example, what stands there instead, and the problem: key, start of the value, part of the remedy.
const WRONG: &[(&str, &str, &str, &str, &str)] = &[
    (
        "apiVersion: gantry.dev/v1alpha1",
        "apiVersion: gantry.dev/v2",
        "apiVersion",
        "gantry.dev/v2",
        "gantry.dev/v1alpha1",
    ),
    ("kind: GantryConfiguration", "kind: Pod", "kind", "Pod", "GantryConfiguration"),
    ("listen: 127.0.0.1:8888", "listen: localhost", "server.listen", "localhost", "an IP address with a port"),
    ("listen: 127.0.0.1:8888", "listen: 127.0.0.1:8889", "server.admin", "127.0.0.1:8889", "another port"),
    ("admin: 127.0.0.1:8889", "admin: ':1'", "server.admin", ":1", "an IP address with a port"),
    ("deadline: 500ms", "deadline: 5s", "server.deadline", "5s", "10ms to 4.999s"),
    ("deadline: 500ms", "deadline: 500", "server.deadline", "500", "with its unit"),
    ("bodyLimit: 128Mi", "bodyLimit: 1Ki", "server.bodyLimit", "1Ki", "64Ki to"),
    ("bodyLimit: 128Mi", "bodyLimit: 9Gi", "server.bodyLimit", "9Gi", "64Ki to"),
    ("keepAlive: 120s", "keepAlive: 90s", "server.keepAlive", "90s", "91s to"),
    ("poll: 5s", "poll: 1h", "forecasts.poll", "1h", "from 1s to 60s"),
    ("unix:/run/gantry/forecasts.sock", "unix:here", "forecasts.from", "unix:here", "absolute path"),
    ("unix:/run/gantry/forecasts.sock", "https://x", "forecasts.from", "https://x", "name the sidecar"),
    ("unix:/run/gantry/forecasts.sock", "http://u:pw@h/?k=x", "forecasts.from", "http://…@h/?…", "name the sidecar"),
    ("unix:/run/gantry/forecasts.sock", "u:pw@h:80", "forecasts.from", "…@h:80", "name the sidecar"),
    ("bind: false", "bind: true", "server.bind", "true", "needs an API server"),
    ("bind: false", "bind: maybe", "server.bind", "maybe", "true or false: Whether `/bind` is served"),
    ("bind: false", "tls: {certFile: /nowhere/x}", "server.tls.certFile", "/nowhere/x", "a file that exists"),
    ("bind: false", "tls: {certFile: Cargo.toml}", "server.tls.keyFile", "", "name a PEM file"),
    ("bind: false", "tls: {clientCaFile: /nowhere/y}", "server.tls.clientCaFile", "/nowhere/y", "a file that exists"),
    ("bind: false", "tls: {certFile: Cargo.toml, keyFile: /no}", "server.tls.keyFile", "/no", "a file that exists"),
    ("file: /run/gantry/forecasts.json", "file: []", "forecasts.file", "[]", "a path: A file in which"),
    ("mode: none", "mode: remote", "cluster.mode", "remote", "auto"),
    ("mode: none", "mode: auto", "cluster.kubeconfig", "", "name a kubeconfig"),
    ("mode: none", "kubeconfig: /nowhere/z", "cluster.kubeconfig", "/nowhere/z", "a file that exists"),
    ("assumedTtl: 30s", "assumedTtl: 0s", "cluster.assumedTtl", "0s", "1s to"),
    ("staleAfter: 60s", "staleAfter: 5s", "cluster.staleAfter", "5s", "10s to"),
    ("resources: [cpu,", "resources: [memory,", "resources[1]", "memory", "once"),
    ("resources: [cpu,", "resources: [cpu, 'g pu',", "resources[1]", "g pu", "a resource's name"),
    ("resources: [cpu,", "resources: [cpu, 'label:speed',", "resources[2]", "memory", "the labels behind them"),
    ("dev/network]", "dev/network, 'label:a b']", "resources[4]", "label:a b", "label:KEY=VALUE"),
    ("{cpu: 2,", "{'label:speed': 2,", "profiles[0].weights.label:speed", "2", "that are listed: cpu, memory"),
    ("schedulerName: default-scheduler", "schedulerName: ''", "profiles[0].schedulerName", "", "name the scheduler"),
    ("{cpu: 2,", "{cpu: -1,", "profiles[0].weights.cpu", "-1", "0 to 1000"),
    ("{cpu: 2,", "{cpu: 1e9,", "profiles[0].weights.cpu", "1000000000", "0 to 1000"),
    ("{cpu: 2,", "{gpu: 2,", "profiles[0].weights.gpu", "2", "that are listed"),
    ("name: gantry", "name: Gantry!", "profiles[0].plugins[0].name", "Gantry!", "lower-case"),
    (
        "component: builtin:gantry",
        "component: builtin:x",
        "profiles[0].plugins[0].component",
        "builtin:x",
        "builtin:gantry",
    ),
    ("component: builtin:gantry", "component: oci://R/X", "profiles[0].plugins[0].component", "oci://R/X", "registry"),
    (
        "component: builtin:gantry",
        "component: oci://docker.io/gantry/spread:1.0",
        "profiles[0].plugins[0].component",
        "oci://docker.io/gantry/spread:1.0",
        "registry-1.docker.io",
    ),
    (
        "component: builtin:gantry",
        "component: ' HTTPS://u:secret@h/x?sig=secret'",
        "profiles[0].plugins[0].component",
        " HTTPS://…@h/x?…",
        "https://",
    ),
    (
        "component: builtin:gantry",
        "component: http://h/x",
        "profiles[0].plugins[0].component",
        "http://h/x",
        "https://",
    ),
    (
        "component: builtin:gantry",
        "component: 'https://u:secret@h/x?sig=secret'",
        "profiles[0].plugins[0].component",
        "https://…@h/x",
        "https://",
    ),
    (
        "component: builtin:gantry",
        "component: file:/nowhere",
        "profiles[0].plugins[0].component",
        "/nowhere",
        "a file that exists",
    ),
    (
        "component: builtin:gantry",
        "component: 'https//u:secret@h/x?sig=secret'",
        "profiles[0].plugins[0].component",
        "…@h/x?…",
        "https://",
    ),
    ("component: builtin:gantry", "component: x.wasm", "profiles[0].plugins[0].component", "x.wasm", "file:"),
    ("cache: {dir: /var/cache/gantry}", "cache: {dir: here}", "cache.dir", "here", "absolute path"),
    ("cache: {dir: /var/cache/gantry}", "cache: {}", "cache.dir", "", "absolute path"),
    ("compile: {", "estimates: {factor: 0}\ncompile: {", "estimates.factor", "0", "above 0"),
    ("compile: {", "estimates: {factors: {cpu: 60}}\ncompile: {", "estimates.factors.cpu", "60", "at most 10"),
    ("compile: {", "estimates: {factors: {gpu: 0.5}}\ncompile: {", "estimates.factors.gpu", "0.5", "name one of"),
    ("timeout: 1m", "timeout: 1h", "compile.timeout", "1h", "1s to 600s"),
    ("timeout: 1m", "timeout: 10", "compile.timeout", "10", "with its unit"),
    ("memory: 1Gi", "memory: 1Mi", "compile.memory", "1Mi", "65536Ki to"),
    ("memory: 1Gi", "memory: lots", "compile.memory", "lots", "65536Ki to"),
    ("mode: serve", "plan: {}", "profiles[0].plan", "", "cluster.mode to auto"),
    ("mode: serve", "plan: {mode: lead}", "profiles[0].plan.mode", "lead", "follow"),
    ("mode: serve", "plan: {nominate: often}", "profiles[0].plan.nominate", "often", "true or false"),
    ("mode: serve", "plan: {window: 1ms}", "profiles[0].plan.window", "1ms", "10ms to 10s"),
    ("mode: serve", "plan: {evaluations: 1000000000001}", "profiles[0].plan.evaluations", "1000000000001", "at most"),
    (
        "mode: serve",
        "plan: {evaluations: -1}",
        "profiles[0].plan.evaluations",
        "-1",
        "a whole number, not below 0: The most",
    ),
    ("mode: serve", "plan: {ttl: 2h}", "profiles[0].plan.ttl", "2h", "1s to 3600s"),
    ("mode: serve", "mode: mirror", "profiles[0].mode", "mirror", "serve, or shadow"),
    ("weight: 1", "weight: 0", "profiles[0].plugins[0].weight", "0", "above 0, to 1000"),
    ("weight: 1", "weight: -1", "profiles[0].plugins[0].weight", "-1", "leave score out"),
    ("weight: 1", "weight: 1e9", "profiles[0].plugins[0].weight", "1000000000", "above 0, to 1000"),
    ("weight: 1", "weight: .nan", "profiles[0].plugins[0].weight", ".nan", "above 0 to 1000"),
    ("weight: 1", "weight: -.inf", "profiles[0].plugins[0].weight", "-.inf", "use a number"),
    (
        "{cpu: 2,",
        "{cpu: .inf,",
        "profiles[0].weights.cpu",
        ".inf",
        "use a number: The objective's weight by resource, 0 to",
    ),
    ("deadline: 500ms", "deadline: .inf", "server.deadline", ".inf", "with its unit"),
    ("weight: 1", "normalize: often", "profiles[0].plugins[0].normalize", "often", "true or false: Whether its scores"),
    ("weight: 1", "weight: heavy", "profiles[0].plugins[0].weight", "heavy", "use a number: How much"),
    ("[filter, score, plan]", "[]", "profiles[0].plugins[0].extensionPoints", "[]", "filter, score, plan"),
    ("[filter, score, plan]", "[bind]", "profiles[0].plugins[0].extensionPoints[0]", "bind", "filter, score or plan"),
    ("weight: 1", "fetch: {}", "profiles[0].plugins[0].fetch", "builtin:gantry", "leave it out"),
    ("weight: 1", "fetch: {timeout: 1h}", "profiles[0].plugins[0].fetch.timeout", "1h", "1s to 600s"),
    ("weight: 1", "fetch: {caFile: /no}", "profiles[0].plugins[0].fetch.caFile", "/no", "a file that exists"),
    ("weight: 1", "fetch: {authFile: /no}", "profiles[0].plugins[0].fetch.authFile", "/no", "a file that exists"),
    ("weight: 1", "signature: {}", "profiles[0].plugins[0].signature.publicKey", "", "name the PEM file"),
    ("weight: 1", "signature: {publicKey: Cargo.toml}", "profiles[0].plugins[0].signature", "builtin", "a digest pins"),
    ("digest: sha256:", "digest: sha512:", "profiles[0].plugins[0].digest", "sha512:", "64 hexadecimal"),
    (
        "settings: {objective: balanced}",
        "settings: balanced",
        "profiles[0].plugins[0].settings",
        "balanced",
        "a section",
    ),
    ("memory: 64Mi", "memory: 64K", "profiles[0].plugins[0].limits.memory", "64K", "1024Ki to"),
    ("deadline: 100ms", "deadline: 600ms", "profiles[0].plugins[0].limits.deadline", "600ms", "1ms to 500ms"),
    (
        "filterDeadline: 40ms",
        "filterDeadline: 0ms",
        "profiles[0].plugins[0].limits.filterDeadline",
        "0ms",
        "1ms to 500ms",
    ),
    ("filterDeadline: 40ms", "filterDeadline: 9", "profiles[0].plugins[0].limits.filterDeadline", "9", "such as 100ms"),
    ("scoreDeadline: 90ms", "scoreDeadline: 1s", "profiles[0].plugins[0].limits.scoreDeadline", "1s", "1ms to 500ms"),
    ("scoreDeadline: 90ms", "scoreDeadline: x", "profiles[0].plugins[0].limits.scoreDeadline", "x", "with its unit"),
    ("planDeadline: 2s", "planDeadline: 1h", "profiles[0].plugins[0].limits.planDeadline", "1h", "1ms to 300s"),
    ("workers: 2", "queue: 1025", "profiles[0].plugins[0].limits.queue", "1025", "use 0 to 1024"),
    ("workers: 2", "logBytes: 1", "profiles[0].plugins[0].limits.logBytes", "1", "1Ki to 1024Ki"),
    ("workers: 2", "logBytes: 2Mi", "profiles[0].plugins[0].limits.logBytes", "2Mi", "such as 64Ki"),
    ("workers: 2", "workers: 0", "profiles[0].plugins[0].limits.workers", "0", "1 to 64"),
    ("workers: 2", "workers: 65", "profiles[0].plugins[0].limits.workers", "65", "1 to 64"),
    (
        "workers: 2",
        "workers: -2",
        "profiles[0].plugins[0].limits.workers",
        "-2",
        "whole number, not below 0: Warm instances, 1 to 64",
    ),
    ("{app: db}", "{}", "profiles[0].dictionary[0].pods", "", "at least one label"),
    ("{tier: edge}", "{}", "profiles[0].dictionary[0].nodes", "", "at least one label"),
    ("{tier: edge}", "{'a b': c}", "profiles[0].dictionary[0].nodes", "", "is not a label key"),
    (
        "{matchLabels: {tier: edge}}",
        "{matchExpressions: [{key: tier, operator: Near}]}",
        "profiles[0].dictionary[0].nodes.matchExpressions[0].operator",
        "Near",
        "NotIn",
    ),
    (
        "{matchLabels: {app: db}}",
        "{matchExpressions: [{key: app, operator: In, values: db}]}",
        "profiles[0].dictionary[0].pods.matchExpressions[0].values",
        "db",
        "a list",
    ),
    (
        "{matchLabels: {app: db}}",
        "{matchExpressions: [{key: 'a b', operator: Exists}]}",
        "profiles[0].dictionary[0].pods",
        "",
        "is not a label key",
    ),
    ("pods: {matchLabels: {app: db}}, ", "", "profiles[0].dictionary[0]", "", "missing field `pods`"),
    ("type: Forbid", "type: forbid", "profiles[0].dictionary[0].type", "forbid", "Forbid"),
];

#[test]
fn every_field_that_is_wrong_is_refused_with_its_key_value_and_a_remedy() {
    for (line, other, key, value, remedy) in WRONG {
        let found = problems(&with(line, other));
        let matches = |problem: &Problem| {
            problem.key == *key && problem.value.starts_with(value) && problem.remedy.contains(remedy)
        };
        assert!(found.iter().any(matches), "{other}: {found:#?}");
        assert!(!found.iter().any(|problem| problem.value.contains("secret")), "{other}: {found:#?}");
    }
}

/// The path of every key of the schema that holds a value, the first of each list.
fn keys(schema: &serde_json::Value, part: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    let reference = part["$ref"].as_str().and_then(|reference| schema.pointer(reference.trim_start_matches('#')));
    let part = reference.unwrap_or(part);
    if let Some(items) = part.get("items") {
        return keys(schema, items, &format!("{path}[0]"), found);
    }
    let Some(properties) = part["properties"].as_object() else { return found.push(path.to_owned()) };
    for (key, part) in properties {
        let separator = if path.is_empty() { "" } else { "." };
        keys(schema, part, &format!("{path}{separator}{key}"), found);
    }
}

#[test]
fn no_key_of_the_schema_is_left_out() {
    let schema = serde_json::from_str(include_str!("../../../docs/gantry-configuration.schema.json")).unwrap();
    let mut found = Vec::new();
    keys(&schema, &schema, "", &mut found);
    assert!(found.len() > 50, "{found:?}");
    for key in found {
        // What is wrong with a selector as a whole is told of the selector; a position may be another.
        let selector = key.split(".match").next().unwrap_or_default();
        let list = key.trim_end_matches("[0]");
        let is_of = |wrong: &str| wrong.starts_with(list) || wrong == selector;
        assert!(WRONG.iter().any(|(_, _, wrong, ..)| is_of(wrong)), "{key} is never wrong");
    }
}

#[test]
fn an_unknown_key_is_refused_at_every_level() {
    let cases = [
        ("kind: GantryConfiguration", "kind: GantryConfiguration\ncolour: red", "colour"),
        ("deadline: 500ms", "deadlin: 500ms", "server.deadlin"),
        ("mode: none", "modus: none", "cluster.modus"),
        ("weights: {cpu: 2, memory: 0.5}", "weight: 1", "profiles[0].weight"),
        ("digest: sha256:", "digset: sha256:", "profiles[0].plugins[0].digset"),
        ("cache: {dir:", "cache: {folder:", "cache.folder"),
        ("compile: {timeout:", "compile: {time:", "compile.time"),
        ("weight: 1", "wait: 1", "profiles[0].plugins[0].wait"),
        ("weight: 1", "fetch: {ca: x}", "profiles[0].plugins[0].fetch.ca"),
        ("workers: 2", "worker: 2", "profiles[0].plugins[0].limits.worker"),
        ("{app: db}", "{app: db}, matchNames: []", "profiles[0].dictionary[0].pods.matchNames"),
    ];
    for (line, other, key) in cases {
        let found = problems(&with(line, other));
        assert_eq!(found[0].key, key, "{found:?}");
        assert!(found[0].remedy.contains("unknown field"), "{found:?}");
    }
}

#[test]
fn labels_are_columns_without_a_weight() {
    let labelled = WHOLE.replace("dev/network]", "dev/network, 'label:example.com/speed', 'label:disk=ssd']");
    let config = checked(&labelled).unwrap();
    assert_eq!(config.resources[4..], ["label:example.com/speed", "label:disk=ssd"]);
    assert_eq!(config.profiles[0].weights.len(), 4);
}

#[test]
fn several_problems_are_reported_at_once() {
    let text = WHOLE.replace("deadline: 500ms", "deadline: 9s").replace("workers: 2", "workers: 99");
    assert_eq!(problems(&text).len(), 2);
}

#[test]
fn no_or_equal_profiles_and_plugins_are_refused() {
    let head = "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: none}\n";
    let plugin = "{name: a, component: 'builtin:gantry'}";
    let profile = format!("{{schedulerName: s, plugins: [{plugin}]}}");
    let cases = [
        ("profiles: []".to_owned(), "profiles", "at least one profile"),
        (format!("profiles: [{profile}, {profile}]"), "profiles[1].schedulerName", "one profile"),
        ("profiles: [{schedulerName: s}]".to_owned(), "profiles[0].plugins", "1 to 16 plugins"),
        (
            format!("profiles: [{{schedulerName: s, plugins: [{plugin}, {plugin}]}}]"),
            "profiles[0].plugins[1].name",
            "its own name",
        ),
        ("resources: []".to_owned(), "resources", "1 to 32"),
        ("resources: ['label:speed']".to_owned(), "resources", "labels behind them"),
        (
            "resources: [cpu]\nprofiles: [{schedulerName: s, weights: {cpu: 0}}]".to_owned(),
            "profiles[0].weights",
            "above 0",
        ),
    ];
    for (text, key, remedy) in cases {
        let found = problems(&format!("{head}{text}\n"));
        assert!(found.iter().any(|problem| problem.key == key && problem.remedy.contains(remedy)), "{text}: {found:?}");
    }
}

#[test]
fn a_problem_reads_as_one_line() {
    let problem = Problem::new("server.deadline", "9s", "use less");
    assert_eq!(problem.to_string(), "server.deadline: `9s` is refused: use less");
    assert_eq!(Problem::new("kind", "", "write it").to_string(), "kind: write it");
}

#[test]
fn a_missing_file_and_broken_yaml_say_what_to_do() {
    let missing = read(Path::new("nowhere/gantry.yaml")).unwrap_err().to_string();
    assert!(missing.contains("nowhere/gantry.yaml") && missing.contains("check the path"), "{missing}");
    let broken = parse("a: [", Path::new("gantry.yaml")).unwrap_err().to_string();
    assert!(broken.contains("no valid YAML") && broken.contains("line"), "{broken}");
    assert!(matches!(parse("[1]", Path::new("x")), Err(ConfigError::Refused(_))));
}

#[test]
fn a_pod_without_a_kubeconfig_watches_its_own_cluster() {
    let file = parse(&with("mode: none", "mode: auto"), Path::new("x")).unwrap();
    let config = check(file, Surroundings { is_in_cluster: true }).unwrap();
    assert_eq!(config.cluster.source, ClusterSource::InCluster);
}
