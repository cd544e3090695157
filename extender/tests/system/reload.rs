//! A configuration file that changes while requests come.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gantry_extender::config;
use gantry_extender::cycle::Outcome;
use gantry_extender::golden;
use gantry_extender::metrics::Reload;
use gantry_extender::profile::loader::{Loader, Occasion};
use gantry_extender::reload::Reloader;
use gantry_extender::wire::args::Request;
use gantry_host::Digest;
use serde_json::Value;

use crate::harness::{Extender, HEAD, component, full_request, json, scores, uneven_request};

/// A configuration file in a folder of its own.
struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new(sections: &str) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        file.write(sections);
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("gantry.yaml")
    }

    fn write(&self, sections: &str) {
        self.write_raw(format!("{HEAD}{sections}").as_bytes());
    }

    fn write_raw(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).unwrap();
    }
}

/// Two looks: a change counts when they agree.
fn look(reloader: &mut Reloader) -> Option<Reload> {
    assert_eq!(reloader.look(), None, "the first look only notes the change");
    reloader.look()
}

fn profiles(plugins: &str, more: &str) -> String {
    format!("profiles: [{{schedulerName: default-scheduler, {more} plugins: [{plugins}]}}]\n")
}

const GANTRY: &str = "{name: gantry, component: 'builtin:gantry'}";

async fn page(extender: &Extender) -> Value {
    serde_json::from_str(&extender.admin("/profiles").await.1).unwrap()
}

fn guest(folder: &Path, weight: f64) -> String {
    let component = component(folder, "well_behaved");
    format!("{GANTRY}, {{name: guest, component: {component}, weight: {weight}}}")
}

#[tokio::test]
async fn a_weight_that_changes_takes_effect_and_warm_plugins_stay() {
    let components = tempfile::tempdir().unwrap();
    let file = File::new(&profiles(&guest(components.path(), 0.001), ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    let rank = async |extender: &Extender| scores(&extender.post("/prioritize", uneven_request("u1", 12)).await.1);
    let gantry = rank(&Extender::new(&profiles(GANTRY, ""))).await;
    assert_eq!(rank(&extender).await, gantry, "the guest hardly counts");
    assert_eq!(look(&mut reloader), None, "nothing has changed");

    file.write(&profiles(&guest(components.path(), 1000.0), ""));
    assert_eq!(look(&mut reloader), Some(Reload::Applied));
    assert_ne!(rank(&extender).await, gantry, "now it does");
    let instances =
        "gantry_plugin_call_duration_seconds_count{plugin=\"guest\",extension_point=\"score\",outcome=\"ok\"}";
    assert_eq!(extender.metric(instances).await, Some(2.0));
    assert_eq!(extender.metric("gantry_config_reloads_total{outcome=\"applied\"}").await, Some(1.0));
    assert!(extender.metric("gantry_config_hash").await.unwrap() > 0.0);
    let page = page(&extender).await;
    assert_eq!(page["profiles"][0]["plugins"][1]["weight"], 1000.0, "{page:#}");
    assert!(page["profiles"][0]["plugins"][1]["memoryHighWater"].as_u64() > Some(0), "the same instances: {page:#}");
    assert_eq!(page["configuration"]["lastError"], Value::Null);
}

#[tokio::test]
async fn a_plugin_is_measured_in_each_of_its_profiles_and_what_is_gone_is_told_of_no_more() {
    let components = tempfile::tempdir().unwrap();
    let plugins = guest(components.path(), 1.0);
    let other = format!("[{{schedulerName: other, plugins: [{plugins}]}}, {{schedulerName");
    let file = File::new(&profiles(&plugins, "").replacen("[{schedulerName", &other, 1));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    extender.post("/prioritize", uneven_request("u1", 3)).await;
    let of_guest = async || {
        let (_, text) = extender.admin("/metrics").await;
        let of_guest = text.lines().filter(|line| line.contains("{plugin=\"guest\","));
        of_guest.filter(|line| line.starts_with("gantry_plugin_")).map(str::to_owned).collect::<Vec<_>>()
    };
    let count = |lines: &[String], profile: &str| {
        lines.iter().filter(|line| line.contains(&format!("profile=\"{profile}\""))).count()
    };
    let told = of_guest().await;
    let answered = "outcome=\"ok\",profile=\"default-scheduler\"} 1";
    assert!(told.iter().any(|line| line.ends_with(answered) && line.contains("_seconds_count{")), "{told:#?}");
    assert!(count(&told, "other") > 5, "{told:#?}");
    assert_eq!(count(&told, "other") + count(&told, "default-scheduler"), told.len(), "{told:#?}");

    file.write(&profiles(&plugins, ""));
    assert_eq!(look(&mut reloader), Some(Reload::Applied));
    let told = of_guest().await;
    assert_eq!(count(&told, "default-scheduler"), told.len(), "{told:#?}");

    file.write(&profiles(GANTRY, ""));
    assert_eq!(look(&mut reloader), Some(Reload::Applied));
    assert_eq!(of_guest().await, [""; 0]);
}

#[tokio::test]
async fn objective_weights_that_change_reach_instances_that_hold_columns() {
    let request = || full_request("u1", "{}", &["{}"; 4]);
    let file = File::new(&profiles(GANTRY, "weights: {cpu: 1, memory: 0},"));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    extender.post("/prioritize", request()).await;
    file.write(&profiles(GANTRY, "weights: {cpu: 0, memory: 1},"));
    assert_eq!(look(&mut reloader), Some(Reload::Applied));
    let page = page(&extender).await;
    assert_eq!(page["profiles"][0]["plugins"][0]["memoryHighWater"], 0, "new instances: {page:#}");
}

#[tokio::test]
async fn a_dictionary_that_changes_takes_effect() {
    let dictionary = |tier: &str| {
        let entry =
            format!("{{pods: {{matchLabels: {{app: db}}}}, nodes: {{matchLabels: {{tier: {tier}}}}}, type: Forbid}}");
        profiles(GANTRY, &format!("dictionary: [{entry}],"))
    };
    let file = File::new(&dictionary("edge"));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    for tier in ["edge", "core"] {
        let request = full_request("u1", r#"{"app":"db"}"#, &[r#"{"tier":"edge"}"#, r#"{"tier":"core"}"#]);
        let (_, body) = extender.post("/filter", request).await;
        let items = &json(&body)["Nodes"]["items"];
        assert_eq!(items.as_array().unwrap().len(), 1);
        assert_ne!(items[0]["metadata"]["labels"]["tier"], tier);
        file.write(&dictionary("core"));
        reloader.look();
        reloader.look();
    }
}

/// What an admin could write in place of a good file, the key that is named, and a part of the message.
fn broken(components: &Path) -> Vec<(String, &'static str, &'static str)> {
    let file = |guest: &str| format!("{{name: g, component: {}}}", component(components, guest));
    let asked = |points: &str| file("score_only").replace('}', &format!(", extensionPoints: [{points}]}}"));
    let cut = components.join("cut.wasm");
    std::fs::write(&cut, gantry_guests::garbage()).unwrap();
    let other = components.join("other.wasm");
    std::fs::write(&other, speaking_version("0.9.0")).unwrap();
    vec![
        (profiles("{name: gantry}", ""), "profiles[0].plugins[0].component", "builtin:gantry"),
        (profiles(&format!("{GANTRY}, {GANTRY}"), ""), "profiles[0].plugins[1].name", "its own name"),
        (profiles(GANTRY, "") + "server: {listen: '127.0.0.1:7'}\n", "server.listen", "restart"),
        (profiles(GANTRY, "") + "cache: {dir: /elsewhere}\n", "cache.dir", "restart"),
        (profiles(GANTRY, "") + "resources: [cpu]\n", "resources", "restart"),
        (
            profiles(&format!("{{name: g, component: 'file:{}'}}", cut.display()), ""),
            "profiles[0].plugins[0].component",
            "invalid-component",
        ),
        (
            profiles(&format!("{{name: g, component: 'file:{}'}}", other.display()), ""),
            "profiles[0].plugins[0].component",
            "0.9.0",
        ),
        (profiles(&file("foreign_import"), ""), "profiles[0].plugins[0].component", "imports `"),
        (profiles(&file("trap_in_init"), ""), "profiles[0].plugins[0].component", "trap"),
        (profiles(&file("nan_scores"), ""), "profiles[0].plugins[0].component", "recorded request"),
        (profiles(&asked("filter, score"), ""), "profiles[0].plugins[0].extensionPoints", "this plugin offers score;"),
        (profiles(&asked("plan"), ""), "profiles[0].plugins[0].extensionPoints", "`plan` is refused"),
        (profiles(&file("bad_configure"), ""), "profiles[0].plugins[0].settings.objective", "good enough"),
        (
            profiles(&format!("{{name: g, component: 'builtin:gantry', digest: 'sha256:{}'}}", "0".repeat(64)), ""),
            "profiles[0].plugins[0].component",
            "digest-mismatch",
        ),
        ("profiles: [".to_owned(), "", "no valid YAML"),
    ]
}

/// The well-behaved guest as if built for another version of the contract: the names in it are as long.
fn speaking_version(version: &str) -> Vec<u8> {
    let mut bytes = gantry_guests::bytes("well_behaved").to_vec();
    for interface in ["scheduler", "types", "log"] {
        let name = format!("gantry:scheduling/{interface}@0.1.0").into_bytes();
        let start = |bytes: &[u8]| bytes.windows(name.len()).position(|window| window == name);
        while let Some(start) = start(&bytes) {
            let end = start + name.len();
            bytes[end - version.len()..end].copy_from_slice(version.as_bytes());
        }
    }
    bytes
}

#[tokio::test]
async fn a_broken_change_changes_nothing_and_says_what_is_wrong() {
    let file = File::new(&profiles(GANTRY, ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    let good = page(&extender).await["configuration"]["digest"].clone();
    let request = || full_request("u1", "{}", &["{}"; 4]);
    let before = scores(&extender.post("/prioritize", request()).await.1);
    let components = tempfile::tempdir().unwrap();
    let broken = broken(components.path());
    let count = broken.len() as f64;
    for (sections, key, message) in broken {
        file.write(&sections);
        assert_eq!(look(&mut reloader), Some(Reload::Refused), "{sections}");
        assert_eq!(look(&mut reloader), None, "refused once: {sections}");
        let page = page(&extender).await;
        let error = &page["configuration"]["lastError"];
        assert!(error["message"].as_str().unwrap().contains(message), "{sections}: {error:#}");
        let keys = error["problems"].as_array().unwrap();
        assert!(!keys.is_empty(), "{error:#}");
        assert!(
            key.is_empty() || keys.iter().any(|problem| problem["key"].as_str().unwrap().starts_with(key)),
            "{error:#}"
        );
        assert_eq!(page["configuration"]["digest"], good);
        assert_eq!(page["profiles"][0]["plugins"][0]["name"], "gantry");
    }
    assert_eq!(scores(&extender.post("/prioritize", request()).await.1), before);
    assert_eq!(extender.metric("gantry_config_reloads_total{outcome=\"refused\"}").await, Some(count));

    file.write(&profiles(GANTRY, "mode: shadow,"));
    assert_eq!(look(&mut reloader), Some(Reload::Applied));
    assert_eq!(page(&extender).await["configuration"]["lastError"], Value::Null);
}

#[tokio::test]
async fn a_plugin_is_tried_with_what_it_will_be_asked_for_and_nothing_else() {
    let components = tempfile::tempdir().unwrap();
    let guest = |guest: &str, points: &str| {
        format!("{{name: g, component: {}, extensionPoints: [{points}]}}", component(components.path(), guest))
    };
    let file = File::new(&profiles(GANTRY, ""));
    let (_extender, mut reloader) = Extender::reloading(&file.path());
    file.write(&profiles(&guest("nan_scores", "filter"), ""));
    assert_eq!(look(&mut reloader), Some(Reload::Applied), "nobody asks it for scores");

    let planning =
        format!("profiles: [{{schedulerName: s, plugins: [{}], plan: {{}}}}]", guest("trap_in_plan", "plan"));
    let text = format!("{}{planning}", HEAD.replace("mode: none", "mode: auto"));
    let config = config::parse(&text, Path::new("test.yaml")).unwrap();
    let config = config::check::check(config, config::Surroundings { is_in_cluster: true }).unwrap();
    let profiles = Loader::new(None, None).load(&config.profiles, &[], Occasion::Start).unwrap();
    let refused = golden::try_all(&profiles, &config).unwrap_err().to_string();
    assert!(refused.contains("recorded request") && refused.contains("plan: trap"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_gone_or_no_text_is_refused_and_comes_back() {
    let file = File::new(&profiles(GANTRY, ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    std::fs::remove_file(file.path()).unwrap();
    assert_eq!(look(&mut reloader), Some(Reload::Refused));
    let message = page(&extender).await["configuration"]["lastError"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("cannot read"), "{message}");
    file.write_raw(&[0xff, 0xfe, 0]);
    assert_eq!(look(&mut reloader), Some(Reload::Refused));
    file.write(&profiles(GANTRY, ""));
    assert_eq!(look(&mut reloader), Some(Reload::Applied));
}

#[tokio::test]
async fn a_mount_whose_links_are_swapped_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    for (version, more) in [("v1", ""), ("v2", "mode: shadow,")] {
        std::fs::create_dir(folder.path().join(version)).unwrap();
        let text = format!("{HEAD}{}", profiles(GANTRY, more));
        std::fs::write(folder.path().join(version).join("gantry.yaml"), text).unwrap();
    }
    let link = |version: &str| {
        let new = folder.path().join("..data_tmp");
        std::os::unix::fs::symlink(version, &new).unwrap();
        std::fs::rename(new, folder.path().join("..data")).unwrap();
    };
    link("v1");
    std::os::unix::fs::symlink("..data/gantry.yaml", folder.path().join("gantry.yaml")).unwrap();
    let (extender, mut reloader) = Extender::reloading(&folder.path().join("gantry.yaml"));
    link("v2");
    assert_eq!(look(&mut reloader), Some(Reload::Applied));
    assert_eq!(page(&extender).await["profiles"][0]["mode"], "shadow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_while_the_configuration_changes_are_all_answered() {
    let file = File::new(&profiles(GANTRY, ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    let changes = tokio::task::spawn_blocking(move || {
        for round in 0..20 {
            file.write(&profiles(GANTRY, if round % 2 == 0 { "weights: {cpu: 3}," } else { "" }));
            assert_eq!(look(&mut reloader), Some(Reload::Applied));
        }
    });
    let mut answered = 0;
    while !changes.is_finished() || answered < 100 {
        let (status, body) = extender.post("/prioritize", full_request("u1", "{}", &["{}"; 4])).await;
        assert_eq!((status.as_u16(), scores(&body).iter().filter(|(_, score)| *score == 10).count()), (200, 1));
        answered += 1;
    }
    changes.await.unwrap();
    assert_eq!(extender.metric("gantry_config_reloads_total{outcome=\"applied\"}").await, Some(20.0));
    let (_, metrics) = extender.admin("/metrics").await;
    assert!(!metrics.contains("outcome=\"neutral\""), "no request went without the plugin");
}

#[test]
fn no_request_begins_between_new_plugins_and_the_dictionary_that_they_go_with() {
    let extender = Extender::new(&profiles(GANTRY, ""));
    let (cycles, body) = (&extender.context.cycles, full_request("u1", "{}", &["{}"]));
    let (answered, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        cycles.replace(cycles.profiles(), || {
            scope.spawn(|| {
                let answer = cycles.filter(&Request::parse(body.as_bytes()).unwrap(), Instant::now());
                answered.send(answer.outcome).unwrap();
            });
            assert!(answers.recv_timeout(Duration::from_millis(50)).is_err(), "half of a configuration was used");
        });
    });
    assert_eq!(answers.recv(), Ok(Outcome::Ok));
}

#[tokio::test]
async fn a_plugin_that_could_not_be_loaded_at_the_start_is_tried_again() {
    let components = tempfile::tempdir().unwrap();
    let component = component(components.path(), "well_behaved");
    let path = components.path().join("well_behaved.wasm");
    std::fs::write(&path, gantry_guests::garbage()).unwrap();
    let file = File::new(&profiles(&format!("{GANTRY}, {{name: guest, component: {component}}}"), ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    let failure = async || page(&extender).await["profiles"][0]["plugins"][1]["failure"].clone();
    assert_eq!(failure().await["reason"], "invalid-component");
    assert!(!reloader.retry(), "it still cannot");
    std::fs::write(&path, gantry_guests::bytes("nan_scores")).unwrap();
    assert!(!reloader.retry(), "it is a plugin by now, but it fails on the recorded request");
    assert_eq!(failure().await["reason"], "not-finite");
    std::fs::write(&path, gantry_guests::bytes("well_behaved")).unwrap();
    assert!(reloader.retry());
    assert_eq!(failure().await, Value::Null);
    assert!(!reloader.retry(), "nothing is left to try");
}

#[tokio::test]
async fn a_plugin_that_is_tried_again_and_only_too_slow_for_the_recorded_request_takes_part_as_at_a_start() {
    let components = tempfile::tempdir().unwrap();
    let component = component(components.path(), "well_behaved");
    let path = components.path().join("well_behaved.wasm");
    std::fs::write(&path, gantry_guests::garbage()).unwrap();
    let file = File::new(&profiles(&format!("{GANTRY}, {{name: guest, component: {component}}}"), ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    std::fs::write(&path, gantry_guests::bytes("loop_in_filter")).unwrap();
    assert!(reloader.retry(), "it is requests that find out");
    assert_eq!(page(&extender).await["profiles"][0]["plugins"][1]["failure"], Value::Null);
}

#[tokio::test]
async fn one_plugin_that_fails_the_recorded_request_keeps_no_other_one_out_and_holds_up_no_change() {
    let components = tempfile::tempdir().unwrap();
    let path = |name: &str| components.path().join(format!("{name}.wasm"));
    let plugin = |name: &str| format!("{{name: {name}, component: 'file:{}'}}", path(name).display());
    for name in ["bad", "good"] {
        std::fs::write(path(name), gantry_guests::garbage()).unwrap();
    }
    let plugins = format!("{GANTRY}, {}, {}", plugin("bad"), plugin("good"));
    let file = File::new(&profiles(&plugins, ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    let failure = async |position: usize| page(&extender).await["profiles"][0]["plugins"][position]["failure"].clone();
    assert_eq!([failure(1).await, failure(2).await].map(|failure| failure["reason"].clone()), ["invalid-component"; 2]);

    std::fs::write(path("bad"), gantry_guests::bytes("nan_scores")).unwrap();
    std::fs::write(path("good"), gantry_guests::bytes("well_behaved")).unwrap();
    assert!(reloader.retry(), "one more decides");
    assert_eq!(failure(2).await, Value::Null);
    let why = failure(1).await;
    assert_eq!(why["reason"], "not-finite");
    assert!(why["detail"].as_str().unwrap().contains("recorded request"), "{why:#}");
    assert!(!reloader.retry(), "the other one is no better than before");

    file.write(&profiles(&plugins, "mode: shadow,"));
    assert_eq!(look(&mut reloader), Some(Reload::Applied), "its entry is left alone");
    assert_eq!((failure(1).await, failure(2).await), (why, Value::Null));
}

#[tokio::test]
async fn a_plugin_in_use_that_fails_the_recorded_request_holds_up_no_change_but_one_of_itself() {
    let components = tempfile::tempdir().unwrap();
    let bad = |more: &str| {
        let component = component(components.path(), "nan_scores");
        format!("{GANTRY}, {{name: bad, component: {component}{more}}}")
    };
    let file = File::new(&profiles(&bad(""), ""));
    let (_extender, mut reloader) = Extender::reloading(&file.path());
    file.write(&profiles(&bad(", weight: 2"), "mode: shadow,"));
    assert_eq!(look(&mut reloader), Some(Reload::Applied));
    file.write(&profiles(&bad(", limits: {deadline: 90ms}"), ""));
    assert_eq!(look(&mut reloader), Some(Reload::Refused), "other instances");
    file.write(&profiles(&bad(", extensionPoints: [filter]"), ""));
    assert_eq!(look(&mut reloader), Some(Reload::Applied), "it is asked for less");
    file.write(&profiles(&bad(""), ""));
    assert_eq!(look(&mut reloader), Some(Reload::Refused), "it is asked for more");
}

#[tokio::test]
async fn a_change_whose_plugin_was_too_slow_for_the_recorded_request_is_tried_again() {
    let components = tempfile::tempdir().unwrap();
    let guest = format!("{{name: guest, component: {}}}", component(components.path(), "loop_in_filter"));
    let file = File::new(&profiles(GANTRY, ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    file.write(&profiles(&format!("{GANTRY}, {guest}"), ""));
    let now = Instant::now();
    let mut look = |seconds| reloader.look_at(now + Duration::from_secs(seconds));
    assert_eq!((look(0), look(0), look(29)), (None, Some(Reload::Refused), None));
    let message = page(&extender).await["configuration"]["lastError"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("recorded request") && message.contains("deadline"), "{message}");
    // Slowness passes; so that it does here, it is another plugin by then.
    std::fs::write(components.path().join("loop_in_filter.wasm"), gantry_guests::bytes("well_behaved")).unwrap();
    assert_eq!((look(300), look(10_000)), (Some(Reload::Applied), None));
    assert_eq!(page(&extender).await["configuration"]["lastError"], Value::Null);

    file.write(&profiles(&format!("{GANTRY}, {}", guest.replace("loop_in_filter", "nan_scores")), ""));
    std::fs::write(components.path().join("nan_scores.wasm"), gantry_guests::bytes("nan_scores")).unwrap();
    assert_eq!((look(10_001), look(10_001)), (None, Some(Reload::Refused)));
    assert_eq!(look(20_000), None, "a wrong answer does not pass");
}

#[tokio::test]
async fn a_change_that_comes_before_its_plugins_file_is_tried_again() {
    let components = tempfile::tempdir().unwrap();
    let (path, bytes) = (components.path().join("late.wasm"), gantry_guests::bytes("well_behaved"));
    let late = format!("name: late, component: 'file:{}', digest: '{}'", path.display(), Digest::of(bytes));
    let file = File::new(&profiles(GANTRY, ""));
    let (extender, mut reloader) = Extender::reloading(&file.path());
    let message = async || page(&extender).await["configuration"]["lastError"]["message"].to_string();
    let now = Instant::now();
    let mut look = |seconds| reloader.look_at(now + Duration::from_secs(seconds));
    file.write(&profiles(&format!("{GANTRY}, {{{late}}}"), ""));
    assert_eq!((look(0), look(0), look(29)), (None, Some(Reload::Refused), None));
    assert!(message().await.contains("name a file that exists"));
    std::fs::write(&path, gantry_guests::bytes("score_only")).unwrap();
    assert_eq!(look(1_000), Some(Reload::Refused), "it is there, but an older one");
    assert!(message().await.contains("digest-mismatch"));
    std::fs::write(&path, bytes).unwrap();
    assert_eq!((look(2_000), look(10_000)), (Some(Reload::Applied), None));
    assert_eq!(page(&extender).await["profiles"][0]["plugins"][1]["failure"], Value::Null);

    std::fs::remove_file(&path).unwrap();
    file.write(&profiles(&format!("{GANTRY}, {{{late}, weight: 0}}"), ""));
    assert_eq!((look(10_001), look(10_001)), (None, Some(Reload::Refused)));
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(look(20_000), None, "a file does not put the rest right");
}

#[tokio::test]
async fn compiled_plugins_are_kept_in_the_cache_and_a_bad_folder_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("cache");
    let sections = format!("cache: {{dir: {}}}\n{}", dir.display(), profiles(GANTRY, ""));
    let file = File::new(&sections);
    drop(Extender::reloading(&file.path()));
    let artefacts = || std::fs::read_dir(&dir).unwrap().count();
    assert_eq!(artefacts(), 1);
    let start = std::time::Instant::now();
    drop(Extender::reloading(&file.path()));
    let warm = start.elapsed();
    assert_eq!(artefacts(), 1);
    assert!(warm < std::time::Duration::from_secs(1), "{warm:?}");

    std::fs::write(folder.path().join("file"), "").unwrap();
    file.write(&format!("cache: {{dir: {}/file}}\n{}", folder.path().display(), profiles(GANTRY, "")));
    let (extender, _) = Extender::reloading(&file.path());
    assert_eq!(page(&extender).await["profiles"][0]["plugins"][0]["failure"], Value::Null);
}
