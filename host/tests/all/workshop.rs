//! The parent's side of compiling apart: children of every bad kind.
//!
//! The child that compiles is the extender, whose tests have it; here shells stand in for it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gantry_host::{CompileError, CompileLimits, Component, LoadError, Reason, Workshop};

use crate::world::engine;

/// A workshop whose child is a shell with this script, which gets the component on standard input like any child.
fn shell(script: &str, limits: CompileLimits) -> (tempfile::TempDir, Workshop) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child");
    fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    (folder, Workshop::new(path, "compile", limits))
}

fn patient() -> CompileLimits {
    CompileLimits { time: Duration::from_mins(1), ..CompileLimits::default() }
}

fn fail(workshop: &Workshop) -> LoadError {
    Component::load_apart(engine(), gantry_guests::bytes("well_behaved"), None, None, workshop).unwrap_err()
}

#[test]
fn a_child_that_takes_too_long_is_ended() {
    let start = Instant::now();
    let limits = CompileLimits { time: Duration::from_millis(200), ..CompileLimits::default() };
    let (_folder, workshop) = shell("exec sleep 600", limits);
    let error = fail(&workshop);
    assert!(matches!(error, LoadError::NotCompiled(CompileError::Timeout { .. })), "{error}");
    assert_eq!(error.reason(), Reason::Deadline);
    assert!(error.to_string().contains("longer than the 200ms allowed"), "{error}");
    assert!(start.elapsed() < Duration::from_mins(1), "it was waited for");
}

#[test]
fn a_child_that_takes_too_much_memory_is_ended() {
    let limits = CompileLimits { memory: 32 << 20, ..patient() };
    let (_folder, workshop) = shell("x=x; while true; do x=$x$x; done", limits);
    let error = fail(&workshop);
    assert!(matches!(error, LoadError::NotCompiled(CompileError::Memory { .. })), "{error}");
    assert_eq!(error.reason(), Reason::Memory);
    assert!(error.to_string().contains("33554432 bytes"), "{error}");
}

#[test]
fn a_child_that_crashes_is_told_from_one_that_refuses() {
    for (script, status, words) in [
        ("kill -SEGV $$", "signal: 11", ""),
        ("echo 'thread panicked' >&2; exit 101", "exit status: 101", "thread panicked"),
        ("exec head -c 100", "exit status: 0", ""),
        ("exit 0", "exit status: 0", ""),
    ] {
        let (_folder, workshop) = shell(script, patient());
        let error = fail(&workshop);
        assert!(matches!(error, LoadError::NotCompiled(CompileError::Crashed { .. })), "{script}: {error}");
        assert_eq!(error.reason(), Reason::InvalidComponent);
        assert!(error.to_string().contains(status) && error.to_string().contains(words), "{script}: {error}");
    }
    let (_folder, workshop) = shell("echo 'too many locals' >&2; exit 3", patient());
    let error = fail(&workshop);
    let LoadError::Invalid(source) = &error else { panic!("{error}") };
    assert_eq!(source.to_string(), "too many locals");
}

#[test]
fn a_child_that_answers_without_end_is_ended_and_not_remembered() {
    let limits = CompileLimits { time: Duration::from_millis(300), ..CompileLimits::default() };
    let (_folder, workshop) = shell("exec yes", limits);
    assert_eq!(fail(&workshop).reason(), Reason::Deadline);
}

#[test]
fn a_program_that_is_not_there_is_no_fault_of_the_component() {
    let error = fail(&Workshop::new(PathBuf::from("/nowhere/compiler"), "compile", patient()));
    assert!(matches!(error, LoadError::NotCompiled(CompileError::Unstartable(_))), "{error}");
    assert_eq!(error.reason(), Reason::Unavailable);
}
