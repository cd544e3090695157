//! A registry that hangs or is down: at the start, at a change, at a restart.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use gantry_extender::metrics::Reload;
use gantry_extender::reload::Reloader;
use gantry_host::Digest;
use serde_json::{Value, json};

use crate::binary::{Running, get, post};
use crate::harness::{self, Extender, HEAD, full_request};

/// What a registry does with those who ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Answers,
    /// Takes connections, and says nothing until it is in another mood.
    Hangs,
    /// Closes them.
    IsDown,
}

/// A registry on loopback with one artifact, `plugins/p:1`.
struct Registry {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mood: Mutex<Mood>,
    changed: Condvar,
    asked: Mutex<Vec<String>>,
}

impl Registry {
    fn open(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared { mood: Mutex::new(mood), changed: Condvar::new(), asked: Mutex::default() };
        let shared = Arc::new(shared);
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&of_thread);
                std::thread::spawn(move || shared.serve(stream.unwrap()));
            }
        });
        Self { address, shared }
    }

    fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
        self.shared.changed.notify_all();
    }

    /// What was asked for so far, by the last parts of the paths; told once.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap())
    }

    fn plugin(&self, more: &str) -> String {
        format!("{{name: guest, component: 'oci://{}/plugins/p:1'{more}}}", self.address)
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        // A connection may serve several requests, as the client likes.
        while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            line.clear();
            self.asked.lock().unwrap().push(path.split('/').skip(4).collect::<Vec<_>>().join("/"));
            let mood = self.changed.wait_while(self.mood.lock().unwrap(), |mood| *mood == Mood::Hangs);
            if *mood.unwrap() == Mood::IsDown {
                return;
            }
            let bytes = component().to_vec();
            let layer = json!({"mediaType": "application/wasm", "digest": Digest::of(&bytes).to_string()});
            let manifest = json!({"schemaVersion": 2, "layers": [layer]}).to_string().into_bytes();
            let body = if path.contains("/manifests/") { manifest } else { bytes };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            // Whoever lost patience is gone.
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        }
    }
}

fn component() -> &'static [u8] {
    gantry_guests::bytes("well_behaved")
}

fn profile(name: &str, plugins: &[&str]) -> String {
    format!("{{schedulerName: {name}, plugins: [{}]}}", plugins.join(", "))
}

const GANTRY: &str = "{name: gantry, component: 'builtin:gantry'}";
/// More of a plugin's entry: nobody waits for as long.
const SLOW: &str = ", fetch: {timeout: 10m}";

/// A configuration file with one profile of these plugins.
fn write(folder: &Path, plugins: &[&str]) {
    let profile = profile("default-scheduler", plugins);
    std::fs::write(folder.join("gantry.yaml"), format!("{HEAD}profiles: [{profile}]\n")).unwrap();
}

fn start(folder: &Path, plugins: &[&str]) -> (Extender, Reloader) {
    write(folder, plugins);
    Extender::reloading(&folder.join("gantry.yaml"))
}

async fn page(extender: &Extender) -> Value {
    harness::json(extender.admin("/profiles").await.1.as_bytes())
}

/// Starts to try a change to a plugin of a registry that hangs, and gives it up for a file with the plugins `by`.
async fn superseded(registry: &Registry, folder: &Path, by: &[&str]) -> (Extender, Reloader) {
    let (extender, mut reloader) = start(folder, &[GANTRY]);
    write(folder, &[GANTRY, &registry.plugin(SLOW)]);
    assert_eq!(reloader.look(), None);
    let waiting = std::thread::spawn(move || (reloader.look(), reloader));
    let begun = Instant::now();
    let next = async || {
        assert!(begun.elapsed() < Duration::from_mins(1), "a change waits for an older one");
        tokio::task::yield_now().await;
    };
    let trying = async || page(&extender).await["configuration"]["trying"].clone();
    while trying().await["waitsFor"] != json!([format!("oci://{}/plugins/p:1 is being fetched", registry.address)]) {
        next().await;
    }
    let of_file = Digest::of(&std::fs::read(folder.join("gantry.yaml")).unwrap()).to_string();
    let tried = trying().await;
    assert_eq!((&tried["digest"], tried["forSeconds"].is_u64()), (&json!(of_file), true), "{tried:#}");
    write(folder, by);
    while !waiting.is_finished() {
        next().await;
    }
    let (outcome, reloader) = waiting.join().unwrap();
    assert_eq!((outcome, trying().await), (None, Value::Null));
    (extender, reloader)
}

async fn failure(extender: &Extender, position: usize) -> Value {
    page(extender).await["profiles"][0]["plugins"][position]["failure"]["reason"].clone()
}

#[test]
fn a_start_leaves_out_who_fails_the_recorded_request_but_for_slowness_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = |name: &str, guest: &str| {
        let component = harness::component(folder.path(), guest);
        format!("{{name: {name}, component: {component}, limits: {{deadline: 400ms}}}}")
    };
    write(folder.path(), &[GANTRY, &plugin("bad", "nan_scores"), &plugin("slow", "loop_in_filter")]);
    let running = Running::start(&["--config", folder.path().join("gantry.yaml").to_str().unwrap()]);
    let page = harness::json(&get(running.admin, "/profiles").1);
    let failure = |position: usize| &page["profiles"][0]["plugins"][position]["failure"];
    assert!(failure(0).is_null() && failure(2).is_null(), "{page:#}");
    assert_eq!(failure(1)["reason"], "not-finite", "{page:#}");
    assert!(failure(1)["detail"].as_str().unwrap().contains("recorded request"), "{page:#}");

    let (head, _) = post(running.extender, "/prioritize", full_request("u1", "{}", &["{}"; 2]).as_bytes());
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let metrics = String::from_utf8(get(running.admin, "/metrics").1).unwrap();
    let counted = "gantry_plugin_fallback_total{plugin=\"bad\",reason=\"not-finite\"";
    let line = metrics.lines().find(|line| line.starts_with(counted));
    assert!(line.is_some_and(|line| line.ends_with(" 1")), "{line:?}");
}

#[test]
fn a_registry_that_hangs_keeps_nobody_from_serving_and_its_plugin_comes_later() {
    let (registry, folder) = (Registry::open(Mood::Hangs), tempfile::tempdir().unwrap());
    let plugins = [GANTRY, &registry.plugin(", fetch: {timeout: 2m}")];
    let profiles = [profile("default-scheduler", &plugins), profile("other", &plugins)].join(", ");
    let file = folder.path().join("gantry.yaml");
    std::fs::write(&file, format!("{HEAD}profiles: [{profiles}]\n")).unwrap();
    let begun = Instant::now();
    let running = Running::start(&["--config", file.to_str().unwrap()]);
    // A fetch may take two minutes, and two plugins twice that.
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
    let (head, answer) = post(running.extender, "/prioritize", full_request("u1", "{}", &["{}"; 2]).as_bytes());
    assert!(head.starts_with("HTTP/1.1 200") && String::from_utf8(answer).unwrap().contains("10"), "{head}");

    let failures = || {
        let page = harness::json(&get(running.admin, "/profiles").1);
        [0, 1].map(|profile| page["profiles"][profile]["plugins"][1]["failure"]["reason"].clone())
    };
    assert_eq!(failures(), ["unavailable", "unavailable"]);
    registry.set(Mood::Answers);
    while failures() != [Value::Null, Value::Null] {
        assert!(begun.elapsed() < Duration::from_mins(5), "it never takes part");
        std::thread::yield_now();
    }
    let asked = registry.asked();
    let manifests = asked.iter().filter(|path| path.starts_with("manifests/")).count();
    assert_eq!((asked.len(), manifests), (2, 1), "one source is fetched once: {asked:?}");
}

#[tokio::test]
async fn a_restart_needs_no_registry_for_what_its_digest_names_and_the_cache_holds() {
    let (registry, folder) = (Registry::open(Mood::Answers), tempfile::tempdir().unwrap());
    let plugin = registry.plugin(&format!(", digest: '{}'", Digest::of(component())));
    let cache = format!("cache: {{dir: {}}}", folder.path().join("cache").display());
    let sections = format!("{cache}\nprofiles: [{}]\n", profile("default-scheduler", &[&plugin]));
    assert_eq!(failure(&Extender::new(&sections), 0).await, Value::Null);
    assert_eq!(registry.asked().len(), 2);
    registry.set(Mood::IsDown);
    assert_eq!(failure(&Extender::new(&sections), 0).await, Value::Null);
    assert_eq!(registry.asked(), [""; 0]);
}

#[tokio::test]
async fn a_change_elsewhere_needs_no_registry() {
    let (registry, folder) = (Registry::open(Mood::Answers), tempfile::tempdir().unwrap());
    let (extender, mut reloader) = start(folder.path(), &[GANTRY, &registry.plugin("")]);
    assert_eq!(registry.asked().len(), 2);
    registry.set(Mood::IsDown);
    for plugins in
        [[GANTRY, &registry.plugin(", weight: 5")], [&*GANTRY.replace('}', ", weight: 2}"), &registry.plugin("")]]
    {
        write(folder.path(), &plugins);
        assert_eq!((reloader.look(), reloader.look()), (None, Some(Reload::Applied)));
        assert_eq!((failure(&extender, 1).await, registry.asked().len()), (Value::Null, 0));
    }
}

#[tokio::test]
async fn a_plugin_that_was_left_out_holds_up_no_change_that_leaves_it_alone() {
    let (registry, folder) = (Registry::open(Mood::IsDown), tempfile::tempdir().unwrap());
    let (extender, mut reloader) = start(folder.path(), &[GANTRY, &registry.plugin("")]);
    assert_eq!(failure(&extender, 1).await, "unavailable");
    write(folder.path(), &[&GANTRY.replace('}', ", weight: 2}"), &registry.plugin("")]);
    assert_eq!((reloader.look(), reloader.look()), (None, Some(Reload::Applied)));
    assert_eq!(failure(&extender, 1).await, "unavailable");
    assert_eq!(page(&extender).await["profiles"][0]["plugins"][0]["weight"], 2.0);

    write(folder.path(), &[GANTRY, &registry.plugin(", fetch: {timeout: 20s}")]);
    assert_eq!((reloader.look(), reloader.look()), (None, Some(Reload::Refused)), "its own entry is another one");
    assert!(!reloader.retry());
    registry.set(Mood::Answers);
    assert!(reloader.retry());
    assert_eq!(failure(&extender, 1).await, Value::Null);
}

#[tokio::test]
async fn a_change_that_was_refused_because_nobody_answered_is_tried_again_ever_less_often() {
    let (registry, folder) = (Registry::open(Mood::IsDown), tempfile::tempdir().unwrap());
    let (extender, mut reloader) = start(folder.path(), &[GANTRY]);
    write(folder.path(), &[GANTRY, &registry.plugin("")]);
    let now = Instant::now();
    let mut look = |seconds| reloader.look_at(now + Duration::from_secs(seconds));
    assert_eq!((look(0), look(0), look(29)), (None, Some(Reload::Refused), None));
    assert!(!registry.asked().is_empty());
    // The pause counts from the end of the try, whatever that took here.
    assert_eq!((look(300), registry.asked().is_empty()), (None, false), "tried in silence: it is refused for the same");
    assert_eq!((look(359), registry.asked().is_empty()), (None, true), "too early");
    registry.set(Mood::Answers);
    assert_eq!((look(361), look(10_000)), (Some(Reload::Applied), None));
    assert_eq!(registry.asked().len(), 2, "what was tried is what was fetched");
    assert_eq!(failure(&extender, 1).await, Value::Null);
    assert_eq!(extender.metric("gantry_config_reloads_total{outcome=\"refused\"}").await, Some(1.0));
    assert_eq!(page(&extender).await["configuration"]["lastError"], Value::Null);
}

#[tokio::test]
async fn a_change_that_is_refused_for_what_does_not_pass_is_not_tried_again_whatever_else_may() {
    let (registry, folder) = (Registry::open(Mood::IsDown), tempfile::tempdir().unwrap());
    let (extender, mut reloader) = start(folder.path(), &[GANTRY, &registry.plugin("")]);
    assert_eq!(failure(&extender, 1).await, "unavailable");
    let now = Instant::now();
    let mut look = |seconds| reloader.look_at(now + Duration::from_secs(seconds));
    let path = folder.path().join("p.wasm");
    let by_file = format!("{{name: by-file, component: 'file:{}'}}", path.display());
    std::fs::write(&path, gantry_guests::garbage()).unwrap();
    write(folder.path(), &[GANTRY, &registry.plugin(""), &by_file]);
    assert_eq!((look(0), look(0)), (None, Some(Reload::Refused)));
    std::fs::write(&path, component()).unwrap();
    assert_eq!(look(10_000), None, "the registry's plugin was left out before, and refuses nothing");

    std::fs::write(&path, gantry_guests::garbage()).unwrap();
    write(folder.path(), &[GANTRY, &registry.plugin(", fetch: {timeout: 20s}"), &by_file]);
    assert_eq!((look(10_001), look(10_001)), (None, Some(Reload::Refused)));
    assert!(!registry.asked().is_empty());
    assert_eq!((look(20_000), registry.asked().is_empty()), (None, true), "one that answers would not be enough");
}

#[tokio::test]
async fn a_correction_takes_effect_while_the_change_before_it_waits_for_a_registry() {
    let (registry, folder) = (Registry::open(Mood::Hangs), tempfile::tempdir().unwrap());
    let corrected = GANTRY.replace('}', ", weight: 2}");
    let (extender, mut reloader) = superseded(&registry, folder.path(), &[&corrected]).await;
    assert_eq!(reloader.look(), Some(Reload::Applied), "two looks have agreed already");
    assert_eq!(page(&extender).await["profiles"][0]["plugins"][0]["weight"], 2.0);
    assert_eq!(extender.metric("gantry_config_reloads_total{outcome=\"refused\"}").await, Some(0.0));
    registry.set(Mood::Answers);
}

#[tokio::test]
async fn a_file_that_comes_back_to_a_change_that_was_given_up_has_it_tried_again() {
    let (registry, folder) = (Registry::open(Mood::Hangs), tempfile::tempdir().unwrap());
    let corrected = GANTRY.replace('}', ", weight: 2}");
    let (extender, mut reloader) = superseded(&registry, folder.path(), &[&corrected]).await;
    registry.set(Mood::Answers);
    write(folder.path(), &[GANTRY, &registry.plugin(SLOW)]);
    assert_eq!((reloader.look(), reloader.look()), (None, Some(Reload::Applied)));
    assert_eq!((failure(&extender, 1).await, registry.asked().len()), (Value::Null, 2), "what was begun went on");
}
