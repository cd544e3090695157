//! `plugin` before the built-in plugin, guests that misbehave, and a plugin made from the template.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::{root, run};

/// A guest's component as a file.
fn guest(folder: &TempDir, name: &str) -> String {
    let path = folder.path().join(format!("{name}.wasm"));
    fs::write(&path, gantry_guests::bytes(name)).unwrap();
    path.to_string_lossy().into_owned()
}

/// What the program itself writes to standard output and to standard error.
fn outputs(arguments: &[&str], log: Option<&str>) -> (String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kubectl-gantry"));
    program.env_remove("RUST_LOG").envs(log.map(|filter| ("RUST_LOG", filter))).args(arguments);
    let output = program.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The recorded cluster without the pods that wait: as a file, and its first pod.
fn healthy(folder: &TempDir) -> (String, Value) {
    let text = fs::read_to_string(root().join("examples/cluster.json")).unwrap();
    let mut dump: Value = serde_json::from_str(&text).unwrap();
    let items = dump["items"].as_array_mut().unwrap();
    items.retain(|item| item["kind"] == "Node" || item["spec"]["nodeName"].is_string());
    let pod = items.iter().find(|item| item["kind"] == "Pod").unwrap().clone();
    let path = folder.path().join("healthy.json");
    fs::write(&path, dump.to_string()).unwrap();
    (path.to_string_lossy().into_owned(), pod)
}

#[test]
fn the_built_in_plugin_is_described() {
    let text = run(&["plugin", "inspect", "builtin:gantry"]).ok();
    for part in ["filter, score, plan", "sha256:", "gantry:scheduling/log@", "gantry:scheduling/scheduler@", "hotShare"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let json: Value = serde_json::from_str(&run(&["plugin", "inspect", "builtin:gantry", "-o", "json"]).ok()).unwrap();
    assert_eq!(json["settingsSchema"]["additionalProperties"], false);
    assert!(json.get("configure").is_none(), "{json}");
}

#[test]
fn a_plugin_that_refuses_its_settings_is_described_all_the_same_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = guest(&folder, "bad_configure");
    let text = run(&["plugin", "inspect", &plugin]).ok();
    for part in ["sha256:", "settings schema", "configure: refused: setting `objective`"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let json: Value = serde_json::from_str(&run(&["plugin", "inspect", &plugin, "-o", "json"]).ok()).unwrap();
    assert!(json["configure"].as_str().unwrap().contains("nothing is good enough"), "{json}");
    assert!(json["settingsSchema"].is_object(), "{json}");
}

#[test]
fn a_component_that_wants_more_than_the_log_is_refused_by_what_it_wants() {
    let folder = tempfile::tempdir().unwrap();
    let (code, message) = run(&["plugin", "inspect", &guest(&folder, "foreign_import")]).failed();
    assert_eq!(code, 2);
    assert!(message.contains("imports `somebody:clocks/wall-clock@0.2.0`; a plugin may import"), "{message}");
    let (code, message) = run(&["plugin", "inspect", "/no/such/plugin.wasm"]).failed();
    assert!(code == 2 && message.contains("PLUGIN"), "{message}");
}

/// The program itself, and not its library: it compiles in a child.
#[test]
fn the_program_compiles_what_is_not_built_in_in_a_child_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let program = || Command::new(env!("CARGO_BIN_EXE_kubectl-gantry"));
    let output = program().args(["plugin", "inspect", &guest(&folder, "score_only")]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("gantry:scheduling/scheduler@"));

    let bytes = gantry_guests::garbage();
    let mut child = program()
        .arg(gantry_cli::COMPILE_PLUGIN)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&(bytes.len() as u64).to_le_bytes()).and_then(|()| stdin.write_all(bytes)).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "refused, by a child that is told so by its parent");
}

#[test]
fn the_built_in_plugin_keeps_the_contract() {
    let text = run(&["plugin", "validate", "builtin:gantry"]).ok();
    assert_eq!(text.lines().filter(|line| line.starts_with("kept")).count(), 12, "{text}");
}

#[test]
fn every_misbehaviour_is_found_and_the_rules_after_it_are_still_checked() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rule) in [
        ("nan_scores", "gives scores"),
        ("out_of_range_scores", "gives scores"),
        ("wrong_length", "gives"),
        ("trap", "gives"),
        ("well_behaved", "refuses a key"),
    ] {
        let ran = run(&["plugin", "validate", &guest(&folder, name), "-o", "json"]);
        let (code, _) = ran.failed();
        assert_eq!(code, 1);
        let findings: Value = serde_json::from_str(&ran.text).unwrap();
        let findings = findings.as_array().unwrap();
        assert_eq!(findings.len(), 12);
        let broken: Vec<&str> = findings
            .iter()
            .filter(|finding| finding["result"] == "broken")
            .map(|finding| finding["rule"].as_str().unwrap())
            .collect();
        assert!(broken.iter().any(|text| text.contains(rule)), "{name}: {broken:?}");
    }
}

#[test]
fn a_pod_s_nodes_are_listed_by_score_with_what_the_filter_says() {
    let example = root().join("examples/cluster.json").to_string_lossy().into_owned();
    let all = ["plugin", "run", "builtin:gantry", "--cluster", &example, "-o", "json"];
    let answers: Value = serde_json::from_str(&run(&all).ok()).unwrap();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 60);
    let named = answers.iter().find(|answer| answer["pod"].as_str().unwrap().contains("edge-gateway")).unwrap();
    let nodes = named["nodes"].as_array().unwrap();
    let passed: Vec<&str> =
        nodes.iter().filter(|node| node["verdict"] == "pass").map(|node| node["node"].as_str().unwrap()).collect();
    assert!(passed.len() == 2 && passed.iter().all(|node| node.starts_with("edge-")), "{passed:?}");
    assert!(nodes.is_sorted_by(|one, other| one["score"].as_f64() >= other["score"].as_f64()));

    let pod = named["pod"].as_str().unwrap();
    let table = run(&["plugin", "run", "builtin:gantry", "--cluster", &example, "--pod", pod]).ok();
    assert_eq!(table.lines().count(), 1 + 12, "{table}");
    let (code, message) = run(&["plugin", "run", "builtin:gantry", "--cluster", &example, "--pod", "a/b"]).failed();
    assert!(code == 2 && message.contains("--pod: `a/b`"), "{message}");
}

#[test]
fn where_no_pod_waits_a_made_up_one_is_asked_about_and_said_to_be_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let (cluster, _) = healthy(&folder);
    let (table, said) = outputs(&["plugin", "run", "builtin:gantry", "--cluster", &cluster], None);
    assert_eq!(table.lines().filter(|line| line.starts_with("default/made-up")).count(), 12, "{table}");
    assert!(said.contains("made-up one that asks for cpu 100m, memory 128Mi"), "{said}");
}

#[test]
fn a_pod_on_a_node_may_be_named_and_is_said_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let (cluster, pod) = healthy(&folder);
    let [namespace, name] = ["namespace", "name"].map(|key| pod["metadata"][key].as_str().unwrap());
    let (named, node) = (format!("{namespace}/{name}"), pod["spec"]["nodeName"].as_str().unwrap());
    let asked = ["plugin", "run", "builtin:gantry", "--cluster", &cluster, "--pod", &named];
    let (table, said) = outputs(&asked, None);
    assert_eq!(table.lines().filter(|line| line.starts_with(&named)).count(), 12, "{table}");
    assert!(said.contains(&format!("{named} is on {node}")), "{said}");
}

#[test]
fn a_verdict_that_a_plugin_does_not_offer_is_not_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let ((cluster, _), plugin) = (healthy(&folder), guest(&folder, "score_only"));
    let table = run(&["plugin", "run", &plugin, "--cluster", &cluster]).ok();
    let cells: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert!(cells.len() == 4 && cells[2] == "-" && cells[3] != "-", "{table}");
    let document = run(&["plugin", "run", &plugin, "--cluster", &cluster, "-o", "json"]).ok();
    let answers: Value = serde_json::from_str(&document).unwrap();
    let nodes = answers[0]["nodes"].as_array().unwrap();
    assert!(nodes.len() == 12, "{document}");
    assert!(nodes.iter().all(|node| node.get("verdict").is_none() && node["score"].is_number()), "{document}");
}

#[test]
fn what_a_plugin_logs_is_shown_unless_less_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let ((cluster, _), plugin) = (healthy(&folder), guest(&folder, "log_flood"));
    let asked = ["plugin", "run", &plugin, "--cluster", &cluster];
    let [usual, quiet] = [None, Some("warn")].map(|log| outputs(&asked, log).1);
    assert!(usual.contains("look at me"), "{usual}");
    assert!(!quiet.contains("look at me"), "{quiet}");
}

#[test]
fn a_plugin_is_measured_beside_the_built_in_one() {
    let text = run(&["plugin", "bench", "builtin:gantry", "--nodes", "500", "--calls", "21", "-o", "json"]).ok();
    let measured: Value = serde_json::from_str(&text).unwrap();
    for (line, call) in measured.as_array().unwrap().iter().zip(["filter", "score"]) {
        assert_eq!(line["call"], call);
        let quotient =
            line["nanosecondsPerNode"].as_f64().unwrap() / line["builtinNanosecondsPerNode"].as_f64().unwrap();
        assert!((line["ratio"].as_f64().unwrap() / quotient - 1.0).abs() < 1e-9);
    }
}

/// Builds the module of a plugin with what the outer build has in its cache already.
fn build(plugin: &Path) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scaffold");
    let mut cargo = Command::new(env!("CARGO"));
    for outer in
        ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"]
    {
        cargo.env_remove(outer);
    }
    let output = cargo
        .current_dir(plugin)
        .args(["build", "--offline", "--release", "--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(&target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("wasm32-unknown-unknown/release/spread_cpu.wasm")
}

#[test]
fn a_plugin_made_from_the_template_builds_and_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("spread-cpu");
    let dir = plugin.to_str().unwrap();
    let text = run(&["plugin", "scaffold", "spread-cpu", "--dir", dir]).ok();
    assert!(text.contains("plugin pack target/wasm32-unknown-unknown/release/spread_cpu.wasm"), "{text}");
    let (code, message) = run(&["plugin", "scaffold", "spread-cpu", "--dir", dir]).failed();
    assert!(code == 2 && message.contains("an empty folder"), "{message}");

    let module = build(&plugin);
    let component = folder.path().join("spread-cpu.wasm");
    let component = component.to_str().unwrap();
    let text = run(&["plugin", "pack", module.to_str().unwrap(), "--to", component]).ok();
    assert!(text.contains("sha256:"), "{text}");
    let text = run(&["plugin", "validate", component]).ok();
    assert_eq!(text.lines().filter(|line| line.starts_with("kept")).count(), 9, "{text}");
    let text = run(&["plugin", "inspect", module.to_str().unwrap()]).ok();
    let packs = "a core module, not a component: `kubectl gantry plugin pack`";
    assert!(text.contains("spread-cpu") && text.contains(packs), "{text}");
    assert!(!text.contains("sha256:"), "that of what was packed in passing: {text}");

    let example = root().join("examples/cluster.json").to_string_lossy().into_owned();
    let resources = "cpu,memory,gantry.dev/disk-io,gantry.dev/network,label:node.kubernetes.io/instance-type=edge";
    let asked = ["plugin", "run", component, "--cluster", &example, "--resources", resources];
    let table = run(&asked).ok();
    assert!(table.lines().nth(1).unwrap().contains("edge-"), "{table}");
}

/// Of the dependencies that both have, the same versions: what builds Gantry builds the template, without a download.
#[test]
fn the_template_s_dependencies_are_among_gantry_s_own() {
    let packages = |path: &str| -> Vec<String> {
        let lock = fs::read_to_string(root().join(path)).unwrap();
        let is_foreign = |package: &&str| package.contains("source = ");
        let version = |package: &str| package.lines().take(3).skip(1).collect::<Vec<_>>().join(" ");
        lock.split("[[package]]").skip(1).filter(is_foreign).map(version).collect()
    };
    let (ours, template) = (packages("Cargo.lock"), packages("examples/plugins/rust/Cargo.lock"));
    assert!(!template.is_empty());
    for package in template {
        assert!(ours.contains(&package), "examples/plugins/rust/Cargo.lock has another {package}");
    }
}

#[test]
fn compiled_code_is_kept_where_asked_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (component, cache) = (guest(&folder, "score_only"), folder.path().join("compiled"));
    let cache = cache.to_str().unwrap();
    for _ in 0..2 {
        let text = run(&["plugin", "inspect", &component, "--cache", cache]).ok();
        assert!(text.lines().any(|line| line.starts_with("answers") && line.ends_with("score")), "{text}");
        assert_eq!(fs::read_dir(cache).unwrap().count(), 1);
    }
    let (code, message) = run(&["plugin", "inspect", &component, "--cache", &component]).failed();
    assert!(code == 2 && message.contains("--cache"), "{message}");
}
