//! The rules of the house that a compiler does not check: doors between crates, and files that say what they are.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "the house writes `.rs` in one way")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Which of our crates each crate may build on. `tests` may use all of them and is not listed.
const DOORS: &[(&str, &[&str])] = &[
    ("gantry-solver", &[]),
    ("gantry-bounds", &["gantry-solver"]),
    ("gantry-papers", &["gantry-bounds", "gantry-solver"]),
    ("gantry-plugin", &["gantry-solver"]),
    ("gantry-component-build", &[]),
    ("gantry-component", &["gantry-component-build"]),
    ("gantry-guests", &["gantry-component-build"]),
    ("gantry-guest-programs", &[]),
    ("gantry-host", &[]),
    ("gantry-cluster", &[]),
    ("gantry-forecaster", &[]),
    ("gantry-extender", &["gantry-cluster", "gantry-component", "gantry-host"]),
    ("kubectl-gantry", &["gantry-cluster", "gantry-component", "gantry-host"]),
];

/// Who reads the wall clock, which may jump: forecasts, whose data come from other machines; all others to show or write
/// a time that nothing is decided by. Leases, assumptions, plans, breakers and deadlines go by a clock that cannot jump.
const WALL_CLOCK: &[&str] = &[
    "extender/src/admin.rs",
    "extender/src/app.rs",
    "extender/src/forecasts.rs",
    "extender/src/handlers.rs",
    "extender/src/lease.rs",
    "extender/src/planner/board.rs",
    "extender/src/planner/solve.rs",
    "extender/src/profile/recorder.rs",
    "extender/src/reload.rs",
    // How long ago a compiled component was used last: when it is cleared away.
    "host/src/cache.rs",
];

/// What builds an image besides the sources: the licence is copied into it, and bindings are made of `wit/`.
const BUILT_FROM: &[&str] = &["Cargo.lock", "Cargo.toml", "LICENSE", "wit/plugin.wit", "wit/types.wit"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Our crates and what each builds on, dev-dependencies left out: a test may look at everything.
fn doors_in_use() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    packages.iter().map(|package| (name(package), builds_on(package, &ours))).collect()
}

fn name(package: &Value) -> String {
    package["name"].as_str().unwrap().to_owned()
}

fn builds_on(package: &Value, ours: &BTreeSet<String>) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies.filter(|dependency| dependency["kind"] != "dev").map(name).filter(|name| ours.contains(name)).collect()
}

#[test]
fn crates_use_the_doors_of_the_house_and_no_others() {
    for (package, builds_on) in doors_in_use() {
        if package == "gantry-tests" {
            continue;
        }
        let (_, allowed) =
            DOORS.iter().find(|(name, _)| *name == package).unwrap_or_else(|| panic!("{package} is new"));
        let allowed: BTreeSet<String> = allowed.iter().map(ToString::to_string).collect();
        assert!(builds_on.is_subset(&allowed), "{package} builds on {builds_on:?}, may build on {allowed:?}");
    }
}

#[test]
fn a_door_is_seen_whatever_the_crate_behind_it_is_called() {
    let package = serde_json::json!({"dependencies": [
        {"name": "kubectl-gantry", "kind": null}, {"name": "serde", "kind": null}, {"name": "gantry-host", "kind": "dev"},
    ]});
    let ours = doors_in_use().into_keys().collect();
    assert_eq!(builds_on(&package, &ours), BTreeSet::from(["kubectl-gantry".to_owned()]));
}

#[test]
fn every_door_of_the_house_leads_to_a_crate_that_exists() {
    let packages = doors_in_use();
    for (package, _) in DOORS {
        assert!(packages.contains_key(*package), "{package} is gone: take it out of the list");
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && !name.starts_with("target") && name != "node_modules" {
            rust_files(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_opens_by_saying_what_it_is_and_stays_readable() {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    assert!(files.len() > 50, "only {} files found", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! "), "{} does not open with //!", file.display());
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines: is there a seam?", file.display());
    }
}

#[test]
fn the_wall_clock_decides_nothing_but_about_forecasts() {
    let mut files = Vec::new();
    for folder in ["cluster", "extender", "host", "plugin", "solver"] {
        rust_files(&root().join(folder).join("src"), &mut files);
    }
    let reads = |file: &&PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        ["SystemTime::now", "Timestamp::now"].iter().any(|call| text.contains(call))
    };
    let names =
        files.iter().filter(reads).map(|file| file.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
    let found: BTreeSet<String> = names.collect();
    assert_eq!(found, WALL_CLOCK.iter().map(ToString::to_string).collect());
}

/// The files that a file's code has compiled in, as it names them; tests at its end left out.
fn compiled_in(text: &str) -> Vec<&str> {
    let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let named = ["include_str!(\"", "include_bytes!(\""].into_iter().flat_map(move |call| code.split(call).skip(1));
    named.filter_map(|rest| rest.split('"').next()).collect()
}

/// What programs have compiled in, from the repository's folder on.
fn compiled_in_anywhere() -> BTreeSet<String> {
    let root = root().canonicalize().unwrap();
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let is_code = |file: &&PathBuf| {
        let path = file.strip_prefix(&root).unwrap();
        path.components().any(|part| part.as_os_str() == "src") && !path.ends_with("tests.rs")
    };
    let of_one = |file: &PathBuf| -> Vec<String> {
        let (text, folder) = (fs::read_to_string(file).unwrap(), file.parent().unwrap());
        let named = compiled_in(&text).into_iter().map(|name| folder.join(name).canonicalize().unwrap());
        named.map(|path| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned()).collect()
    };
    files.iter().filter(is_code).flat_map(of_one).collect()
}

/// Whether a build's context lacks a file: the last rule that names it, or a folder that it is in, holds.
fn is_left_out(rules: &str, file: &str) -> bool {
    let rules = rules.lines().map(str::trim).filter(|rule| !rule.is_empty() && !rule.starts_with('#'));
    rules.fold(false, |is_out, rule| match rule.strip_prefix('!') {
        Some(kept) => is_out && !names(kept, file),
        None => is_out || names(rule, file),
    })
}

fn names(rule: &str, file: &str) -> bool {
    let rule: Vec<&str> = rule.split('/').collect();
    let parts: Vec<&str> = file.split('/').collect();
    (1..=parts.len()).any(|length| fits(&rule, &parts[..length]))
}

fn fits(rule: &[&str], parts: &[&str]) -> bool {
    match (rule, parts) {
        ([], []) => true,
        (["**", rule @ ..], _) => (0..=parts.len()).any(|depth| fits(rule, &parts[depth..])),
        ([first, rule @ ..], [part, parts @ ..]) => is_like(first, part) && fits(rule, parts),
        _ => false,
    }
}

/// One `*` is all that our rules need.
fn is_like(pattern: &str, part: &str) -> bool {
    pattern.split_once('*').map_or(pattern == part, |(head, tail)| {
        part.len() >= head.len() + tail.len() && part.starts_with(head) && part.ends_with(tail)
    })
}

#[test]
fn images_are_built_with_all_that_is_compiled_into_programs() {
    let rules = fs::read_to_string(root().join(".containerignore")).unwrap();
    let compiled_in = compiled_in_anywhere();
    assert!(compiled_in.contains("docs/gantry-configuration.schema.json"), "{compiled_in:?}");
    for file in compiled_in.iter().map(String::as_str).chain(BUILT_FROM.iter().copied()) {
        assert!(root().join(file).is_file(), "{file} is gone");
        assert!(!is_left_out(&rules, file), "{file} is compiled in, and .containerignore leaves it out");
    }
    let of_docker = fs::read_to_string(root().join(".dockerignore")).unwrap();
    assert_eq!(of_docker, rules, ".dockerignore says something else than .containerignore");
}

#[test]
fn a_file_is_left_out_of_a_build_by_the_last_rule_that_names_it() {
    let rules = "# docs/c\ntarget-*\ndocs/*\n!docs/a.json\n**/*.log\nmanifests\n";
    for file in ["docs/b", "docs/b/a.json", "target-1/x", "x.log", "a/b/x.log", "manifests/base/a"] {
        assert!(is_left_out(rules, file), "{file}");
    }
    for file in ["docs/a.json", "a/docs/b", "a/target-1", "x.logs", "a/manifests", "docs"] {
        assert!(!is_left_out(rules, file), "{file}");
    }
}

#[test]
fn what_tests_alone_have_compiled_in_is_no_part_of_a_program() {
    let text = "const A: &str = include_str!(\"a\");\nconst B: &[u8] = include_bytes!(\"../b\");\n\n\
                #[cfg(test)]\nmod tests {\n    const C: &str = include_str!(\"c\");\n}\n";
    assert_eq!(compiled_in(text), ["a", "../b"]);
}
