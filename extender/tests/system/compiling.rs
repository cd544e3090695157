//! Plugins that are not our own are compiled by the real binary, started once more as a child.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gantry_extender::args::COMPILE_PLUGIN;
use gantry_host::{Cache, CompileLimits, Component, Engine, LoadError, Reason, Workshop};
use serde_json::Value;

use crate::binary::{Running, get, post};
use crate::harness::{HEAD, component, full_request, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gantry-extender");

/// Minutes, if it were let.
fn bomb() -> Vec<u8> {
    gantry_guests::compile_bomb(2000, 2000)
}

fn workshop(limits: CompileLimits) -> Workshop {
    Workshop::new(PROGRAM.into(), COMPILE_PLUGIN, limits)
}

/// Limits that only what is without bounds exceeds, on however busy a machine.
fn patient() -> CompileLimits {
    CompileLimits { time: Duration::from_mins(5), memory: 1 << 30 }
}

#[test]
fn what_a_child_compiles_is_kept_and_then_needs_no_child() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("cache")).unwrap();
    let (engine, bytes) = (Engine::new().unwrap(), gantry_guests::bytes("well_behaved"));
    let apart = Component::load_apart(&engine, bytes, None, Some(&cache), &workshop(patient())).unwrap();
    let here = Component::load(&engine, bytes, None, None).unwrap();
    assert_eq!((apart.digest(), apart.exports()), (here.digest(), here.exports()));
    let nobody = Workshop::new(PathBuf::from("/nowhere"), COMPILE_PLUGIN, patient());
    Component::load_apart(&engine, bytes, None, Some(&cache), &nobody).unwrap();
    assert!(Component::load_apart(&engine, bytes, None, None, &nobody).is_err());
}

#[test]
fn what_does_not_compile_is_refused_in_the_same_words_as_here() {
    let engine = Engine::new().unwrap();
    for bytes in [gantry_guests::garbage(), b"", b"no component"] {
        let [apart, here] = [
            Component::load_apart(&engine, bytes, None, None, &workshop(patient())),
            Component::load(&engine, bytes, None, None),
        ]
        .map(|refused| refused.unwrap_err());
        assert_eq!(apart.reason(), Reason::InvalidComponent);
        let [LoadError::Invalid(apart), LoadError::Invalid(here)] = [apart, here] else { panic!("not refused") };
        assert_eq!(apart.to_string(), format!("{here:#}"));
    }
}

#[test]
fn a_component_that_takes_too_much_memory_to_compile_is_refused() {
    let engine = Engine::new().unwrap();
    let limits = CompileLimits { memory: 64 << 20, ..patient() };
    let bomb = gantry_guests::compile_bomb(2, 40_000);
    let error = Component::load_apart(&engine, &bomb, None, None, &workshop(limits)).unwrap_err();
    assert_eq!(error.reason(), Reason::Memory, "{error}");
}

#[test]
fn the_child_ends_with_its_parent() {
    let mut child: Child = Command::new(PROGRAM)
        .arg(COMPILE_PLUGIN)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let bytes = bomb();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&(bytes.len() as u64).to_le_bytes()).unwrap();
    stdin.write_all(&bytes).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it is at work");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

fn write(folder: &Path, plugins: &str) -> PathBuf {
    let file = folder.join("gantry.yaml");
    let compile = "compile: {timeout: 8s, memory: 16Gi}";
    let profiles = format!("profiles: [{{schedulerName: default-scheduler, plugins: [{plugins}]}}]");
    std::fs::write(file.with_extension("new"), format!("{HEAD}{compile}\n{profiles}\n")).unwrap();
    std::fs::rename(file.with_extension("new"), &file).unwrap();
    file
}

/// What half of the requests take at most, of a debug build on a busy machine: half of `server.deadline`.
const PROMPT: Duration = Duration::from_millis(500);

/// A request that must be answered by a plugin, and how long that takes.
fn serve(running: &Running, pod: &str) -> Duration {
    let request = full_request(pod, "{}", &["{}"; 2]);
    let start = Instant::now();
    let (head, answer) = post(running.extender, "/prioritize", request.as_bytes());
    let took = start.elapsed();
    assert!(head.starts_with("HTTP/1.1 200") && json(&answer).to_string().contains("10"), "{head}");
    took
}

/// So many requests at once, again and again, until the page says something; meanwhile they are answered promptly.
fn serve_until<T>(running: &Running, parallel: u32, said: impl Fn(&Value) -> Option<T>) -> T {
    let (start, mut times) = (Instant::now(), Vec::new());
    loop {
        thread::scope(|scope| {
            let serving = |number: u32| scope.spawn(move || serve(running, &format!("u{number}")));
            let serving: Vec<_> = (0..parallel).map(serving).collect();
            times.extend(serving.into_iter().map(|serving| serving.join().unwrap()));
        });
        let page = json(&get(running.admin, "/profiles").1);
        if let Some(said) = said(&page) {
            times.sort();
            let median = times[times.len() / 2];
            assert!(median < PROMPT, "{parallel} at once: half of them took {median:?} and more");
            return said;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{page:#}");
    }
}

#[test]
fn a_change_to_a_component_that_takes_too_long_to_compile_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let guest = format!("{{name: guest, component: {}}}", component(folder.path(), "well_behaved"));
    let gantry = "{name: gantry, component: 'builtin:gantry'}";
    let running = Running::start(&["--config", write(folder.path(), gantry).to_str().unwrap()]);

    for parallel in [1, 16] {
        // Another name each time, as what was found of a component is remembered.
        let path = folder.path().join(format!("bomb{parallel}.wasm"));
        std::fs::write(&path, gantry_guests::compile_bomb(2000, 2000 + parallel)).unwrap();
        write(folder.path(), &format!("{gantry}, {{name: bomb{parallel}, component: 'file:{}'}}", path.display()));
        let error = serve_until(&running, parallel, |page| {
            let error = page["configuration"]["lastError"].as_object()?;
            error["message"].as_str().filter(|message| message.contains(&format!("bomb{parallel}"))).map(str::to_owned)
        });
        assert!(error.contains("(deadline)") && error.contains("longer than the 8s allowed"), "{error}");
    }

    write(folder.path(), &format!("{gantry}, {guest}"));
    let plugins = serve_until(&running, 1, |page| {
        page["profiles"][0]["plugins"].as_array().filter(|all| all.len() == 2).cloned()
    });
    assert_eq!(plugins[1]["failure"], Value::Null);
}
