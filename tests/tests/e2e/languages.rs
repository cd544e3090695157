//! The plugins of `examples/plugins/`, in Rust, JavaScript and Python: scaffolded, built by the commands in their READMEs,
//! and each deciding real placements by a node label.
//!
//! The tools come from the languages' own package indexes, once: what is built is kept under the target folder until a
//! template, the contract or its commands change.

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use gantry_host::Digest;
use gantry_tests::extender::ExtenderSettings;
use gantry_tests::metrics;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::{ControlPlane, Extender, Scheduler, binaries};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// Set to 1, only the template in Rust is tested: for a machine that reaches no package index.
const WITHOUT: &str = "GANTRY_WITHOUT_LANGUAGES";

/// Where it goes when nobody asks a plugin: the largest node.
const LARGEST: &str = "largest";

/// Nodes with cpu, memory and what their label says.
const NODES: [(&str, &str, &str, Option<&str>); 3] =
    [(LARGEST, "32", "128Gi", None), ("fast", "8", "32Gi", Some("9")), ("slow", "8", "32Gi", Some("3"))];

const LABEL: &str = "example.com/speed";

/// The templates that this machine is to build.
fn languages() -> &'static [&'static str] {
    if std::env::var_os(WITHOUT).is_none_or(|value| value != "1") {
        return &["rust", "javascript", "python"];
    }
    let notice = format!("\n{WITHOUT}=1: the JavaScript and the Python plugin are NOT built and NOT tested\n");
    // Past the capture of a test that passes.
    std::io::stderr().write_all(notice.as_bytes()).unwrap();
    &["rust"]
}

/// The folder of everything that is built here.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages")
}

/// What the READMEs name as the author's folder of compiled code.
const CACHE: &str = "~/.cache/gantry/plugins";

/// What is used in its place, here and by the extender.
fn compiled() -> PathBuf {
    folder().join("compiled")
}

/// Runs a command of a README in a plugin's folder.
fn shell(command: &str, plugin: &Path) -> Output {
    let tools = binaries::cli().unwrap().parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut shell = Command::new("sh");
    for outer in
        ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"]
    {
        shell.env_remove(outer);
    }
    let command = command.replace(CACHE, &format!("'{}'", compiled().display()));
    shell.arg("-euc").arg(command).env("PATH", path).current_dir(plugin).output().unwrap()
}

fn succeed(command: &str, plugin: &Path) -> String {
    let output = shell(command, plugin);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "in {}: {command}\n{}\n{}\nscripts/setup.sh test installs Node.js and Python; {WITHOUT}=1 does without them",
        plugin.display(),
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// A template as the command writes it, beside the place where it is built; what it consists of.
fn scaffold(language: &str) -> (PathBuf, Digest) {
    let fresh = folder().join(format!("{language}.new"));
    drop(fs::remove_dir_all(&fresh));
    let dir = fresh.to_str().unwrap();
    succeed(&format!("kubectl-gantry plugin scaffold by-label --language {language} --dir '{dir}'"), &folder());
    let files = succeed("find . -type f | LC_ALL=C sort | xargs cat", &fresh);
    (fresh, Digest::of(files.as_bytes()))
}

/// The commands of a README's first block: how it is built, and last how it is checked.
fn commands(plugin: &Path) -> (String, String) {
    let readme = fs::read_to_string(plugin.join("README.md")).unwrap();
    let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let (build, check) = block.trim_end().rsplit_once('\n').unwrap();
    assert!(check.starts_with("kubectl-gantry plugin validate by-label.wasm"), "{check}");
    (build.to_owned(), check.to_owned())
}

/// Builds a language's template, unless it is built already. Gives the folder and the command that checks it.
fn build(language: &str) -> (PathBuf, String) {
    let (fresh, digest) = scaffold(language);
    let plugin = folder().join(language);
    let (build, check) = commands(&fresh);
    let stamp = plugin.join("built-from");
    if fs::read_to_string(&stamp).is_ok_and(|built| built == digest.to_string()) {
        return (plugin, check);
    }
    drop(fs::remove_dir_all(&plugin));
    fs::rename(fresh, &plugin).unwrap();
    // What was compiled of the one before is of no use any more.
    drop(fs::remove_dir_all(compiled()));
    DirBuilder::new().mode(0o700).create(compiled()).unwrap();
    if language == "rust" {
        // Of what the CLI's own test builds, to compile the dependencies once.
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scaffold");
        fs::create_dir_all(&shared).unwrap();
        symlink(shared, plugin.join("target")).unwrap();
    }
    succeed(&build, &plugin);
    fs::write(stamp, digest.to_string()).unwrap();
    (plugin, check)
}

/// Checks a plugin that was built: what a template answers has nine rules to keep.
fn check(plugin: &Path, command: &str) {
    let rules = succeed(command, plugin);
    assert_eq!(rules.lines().filter(|line| line.starts_with("kept")).count(), 9, "{}: {rules}", plugin.display());
}

/// What is kept of a plugin's compiled code.
fn compiled_code(plugin: &Path) -> Vec<PathBuf> {
    let digest = Digest::of(&fs::read(plugin.join("by-label.wasm")).unwrap()).to_string();
    let key = digest.trim_start_matches("sha256:");
    let files = fs::read_dir(compiled()).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(key))).collect()
}

/// A profile for the pods of one language, with that plugin and no other.
fn profile(language: &str, plugin: &Path) -> Value {
    let component = format!("file:{}", plugin.join("by-label.wasm").display());
    let plugin = json!({"name": language, "component": component, "limits": {"deadline": "500ms"}});
    json!({"schedulerName": format!("by-{language}"), "plugins": [plugin]})
}

/// Gantry is asked for these pods, and answers that it does not care.
fn alone() -> Value {
    json!({
        "schedulerName": "alone",
        "mode": "shadow",
        "plugins": [{"name": "gantry", "component": "builtin:gantry", "limits": {"deadline": "500ms"}}],
    })
}

async fn start(profiles: Vec<Value>) -> (ControlPlane, Extender, Scheduler) {
    let plane = ControlPlane::start().await.unwrap();
    let nodes = Api::<Node>::all(plane.client());
    for (name, cpu, memory, label) in NODES {
        let labels = label.map_or(json!({}), |value| json!({ LABEL: value }));
        let amounts = json!({"cpu": cpu, "memory": memory, "pods": "110"});
        let ready = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady"}]);
        let status = json!({"allocatable": amounts, "capacity": amounts, "conditions": ready});
        let node = json!({"metadata": {"name": name, "labels": labels}, "status": status});
        nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
    }
    let scheduler_names =
        profiles.iter().map(|profile| profile["schedulerName"].as_str().unwrap().to_owned()).collect();
    let labels = vec![format!("label:{LABEL}")];
    let settings = ExtenderSettings { profiles, labels, cache: Some(compiled()), ..ExtenderSettings::default() };
    let extender = Extender::start(&plane, &settings).await.unwrap();
    let stanza = SchedulerSettings::with_extender(ExtenderStanza::new(extender.url()));
    let scheduler = Scheduler::start(&plane, &SchedulerSettings { scheduler_names, ..stanza }).await.unwrap();
    scheduler.wait_for_nodes(NODES.len()).await.unwrap();
    (plane, extender, scheduler)
}

/// Waits until no plugin is left out: on a busy machine the extender starts without what takes long to compile.
async fn all_are_loaded(extender: &Extender) {
    until("all plugins", Duration::from_mins(2), || async {
        let page = extender.profiles().await?;
        let profiles = page["profiles"].as_array().into_iter().flatten();
        let mut plugins = profiles.flat_map(|profile| profile["plugins"].as_array().into_iter().flatten());
        Ok(plugins.all(|plugin| plugin["failure"].is_null()).then_some(()))
    })
    .await
    .unwrap();
}

/// Where a pod of a scheduler's goes.
async fn node_of(plane: &ControlPlane, scheduler: &str, round: &str) -> String {
    let pods = Api::<Pod>::default_namespaced(plane.client());
    let name = format!("{scheduler}-{round}");
    let containers = json!([{"name": "c", "image": "none", "resources": {"requests": {"cpu": "1", "memory": "4Gi"}}}]);
    let pod = json!({"metadata": {"name": name}, "spec": {"schedulerName": scheduler, "containers": containers}});
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    until("the pod to be bound", Duration::from_mins(1), || async {
        Ok(pods.get(&name).await?.spec.and_then(|spec| spec.node_name))
    })
    .await
    .unwrap()
}

/// Gives a node another label, and waits until the extender knows.
async fn relabel(plane: &ControlPlane, extender: &Extender, node: &str, value: f64) {
    let patch = Patch::Merge(json!({"metadata": {"labels": {LABEL: value.to_string()}}}));
    Api::<Node>::all(plane.client()).patch(node, &PatchParams::default(), &patch).await.unwrap();
    until("the label to arrive", Duration::from_secs(30), || async {
        let nodes: Value = serde_json::from_str(&extender.page("/nodes").await?)?;
        let found = nodes.as_array().into_iter().flatten().find(|found| found["name"] == node);
        let amount = found.map(|found| found["resources"][format!("label:{LABEL}")]["allocatable"].clone());
        Ok((amount == Some(json!(value))).then_some(()))
    })
    .await
    .unwrap();
}

/// Plugins' calls that were answered, by plugin and extension point.
async fn calls(extender: &Extender, plugin: &str) -> f64 {
    let labels = [("plugin", plugin), ("extension_point", "score"), ("outcome", "ok")];
    metrics::sum_of(&extender.metrics().await.unwrap(), "gantry_plugin_call_duration_seconds_count", &labels)
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_in_three_languages_each_decide_real_placements_by_a_node_label() {
    let languages = languages();
    fs::create_dir_all(folder()).unwrap();
    let built: Vec<_> = languages.iter().map(|language| build(language)).collect();
    for (plugin, command) in &built {
        check(plugin, command);
    }
    // The extender compiles what `validate` has compiled with more time and memory, but for Python, which takes too long.
    let anew = || languages.iter().zip(&built).filter(|(language, _)| **language != "python");
    for file in anew().flat_map(|(_, (plugin, _))| compiled_code(plugin)) {
        fs::remove_file(file).unwrap();
    }
    let profiles = languages.iter().zip(&built).map(|(language, (plugin, _))| profile(language, plugin));
    let (plane, extender, _scheduler) = start(profiles.chain([alone()]).collect()).await;
    all_are_loaded(&extender).await;

    assert_eq!(node_of(&plane, "alone", "1").await, LARGEST, "what kube-scheduler chooses by itself");
    for language in languages {
        assert_eq!(node_of(&plane, &format!("by-{language}"), "1").await, "fast", "{language}");
    }
    for (language, (plugin, _)) in anew() {
        assert!(!compiled_code(plugin).is_empty(), "{language}: {}", extender.log_end(20));
    }
    relabel(&plane, &extender, "slow", 20.0).await;
    for language in languages {
        assert_eq!(node_of(&plane, &format!("by-{language}"), "2").await, "slow", "{language}");
        assert!(calls(&extender, language).await >= 2.0, "{language}");
    }
    assert_eq!(extender.fallbacks().await.unwrap(), 0.0);
}

#[test]
fn the_guide_says_what_the_readmes_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let guide = fs::read_to_string(root.join("docs/plugins.md")).unwrap();
    for language in ["rust", "javascript", "python"] {
        let (build, check) = commands(&root.join("examples/plugins").join(language));
        let scaffold = format!("kubectl-gantry plugin scaffold by-label --language {language}\ncd by-label\n");
        assert!(guide.contains(&format!("{scaffold}{build}\n{check}\n")), "{language}: {build}");
    }
}
