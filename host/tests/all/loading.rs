//! From bytes to components: digests, versions, and the cache of compiled code.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gantry_host::component::MAX_BYTES;
use gantry_host::{Cache, Component, Digest, LoadError, Plugin, Reason};

use crate::world::{POD, ROWS, World, engine, limits};

fn well_behaved() -> &'static [u8] {
    gantry_guests::bytes("well_behaved")
}

/// The one artefact in the cache.
fn artefact(dir: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[track_caller]
fn assert_answers(component: &Component) {
    let plugin = Plugin::new("p", component, "", limits()).unwrap();
    assert_eq!(plugin.filter(&World::new(), &POD).unwrap(), [0; ROWS]);
}

#[test]
fn bytes_of_another_digest_are_refused_with_both() {
    let (asked, found) = (Digest::of(b"what was reviewed"), Digest::of(well_behaved()));
    let error = Component::load(engine(), well_behaved(), Some(asked), None).unwrap_err();
    assert_eq!(error.reason(), Reason::DigestMismatch);
    assert!(error.to_string().contains(&asked.to_string()) && error.to_string().contains(&found.to_string()));
}

#[test]
fn bytes_of_the_digest_asked_for_are_taken() {
    let digest = Digest::of(well_behaved());
    assert_eq!(Component::load(engine(), well_behaved(), Some(digest), None).unwrap().digest(), digest);
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let error = Component::load(engine(), &vec![0; MAX_BYTES + 1], None, None).unwrap_err();
    assert_eq!(error.reason(), Reason::TooLarge);
}

#[test]
fn a_component_of_another_version_of_the_contract_is_refused_with_both_versions() {
    let other = replace(well_behaved(), b"@0.1.0", b"@0.2.0");
    let error = Component::load(engine(), &other, None, None).unwrap_err();
    assert!(matches!(error, LoadError::WorldVersion { .. }), "{error}");
    assert!(error.to_string().contains("@0.2.0") && error.to_string().contains("0.1.0"), "{error}");
    assert!(error.to_string().contains("rebuild it with wit/"), "{error}");
}

#[test]
fn a_component_that_needs_wasi_is_refused_with_the_interface_that_it_needs() {
    let wasi = b"wasi:http/outgoing-handler@0.2.0";
    let component = replace(gantry_guests::bytes("foreign_import"), b"somebody:clocks/wall-clock@0.2.0", wasi);
    let error = Component::load(engine(), &component, None, None).unwrap_err();
    assert_eq!(error.reason(), Reason::ForeignImport);
    assert!(error.to_string().contains("`wasi:http/outgoing-handler@0.2.0`"), "{error}");
    assert!(error.to_string().contains("wasm32-unknown-unknown"), "{error}");
}

#[test]
fn a_core_module_is_refused_with_the_command_that_makes_a_component_of_it() {
    let error = Component::load(engine(), b"\0asm\x01\0\0\0", None, None).unwrap_err();
    assert_eq!(error.reason(), Reason::InvalidComponent);
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("a core module") && why.contains("kubectl-gantry plugin pack"), "{why}");
}

#[test]
fn a_component_without_the_exports_is_no_plugin() {
    let empty = b"\0asm\x0d\0\x01\0";
    let error = Component::load(engine(), empty, None, None).unwrap_err();
    assert!(matches!(error, LoadError::NotAPlugin { .. }), "{error}");
}

#[test]
fn compiled_code_is_taken_from_the_cache_the_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(&dir.path().join("cache")).unwrap();
    assert_answers(&Component::load(engine(), well_behaved(), None, Some(&cache)).unwrap());
    let file = artefact(&dir.path().join("cache"));
    let before = fs::metadata(&file).unwrap().ino();

    assert_answers(&Component::load(engine(), well_behaved(), None, Some(&cache)).unwrap());
    assert_eq!(fs::metadata(&file).unwrap().ino(), before, "it was compiled and written again");
}

#[test]
fn a_damaged_artefact_is_compiled_anew() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(&dir.path().join("cache")).unwrap();
    Component::load(engine(), well_behaved(), None, Some(&cache)).unwrap();
    let file = artefact(&dir.path().join("cache"));
    let whole = fs::read(&file).unwrap();
    for damaged in [flip(&whole, 0), flip(&whole, whole.len() / 2), flip(&whole, whole.len() - 1), whole[..10].to_vec()]
    {
        fs::write(&file, &damaged).unwrap();
        assert_answers(&Component::load(engine(), well_behaved(), None, Some(&cache)).unwrap());
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
        assert_ne!(fs::read(&file).unwrap(), damaged);
    }
}

#[test]
fn a_cache_that_cannot_be_written_does_not_stop_a_component() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(&dir.path().join("cache")).unwrap();
    fs::remove_dir(dir.path().join("cache")).unwrap();
    assert_answers(&Component::load(engine(), well_behaved(), None, Some(&cache)).unwrap());
}

#[test]
fn a_full_disk_does_not_stop_a_component_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    let load = || Component::load(engine(), well_behaved(), None, Some(&cache)).unwrap();
    load();
    let file = artefact(dir.path());
    // Whatever is written there finds no space left on the device.
    let key = file.file_stem().unwrap().to_str().unwrap();
    let unfinished = dir.path().join(format!("{key}.{}", std::process::id()));
    std::os::unix::fs::symlink("/dev/full", &unfinished).unwrap();
    fs::remove_file(&file).unwrap();
    assert_answers(&load());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "half an artefact is left");
    assert_answers(&load());
    artefact(dir.path());
}

fn flip(bytes: &[u8], index: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[index] ^= 1;
    flipped
}

/// Replaces every occurrence; both are equally long, so that no length in the binary changes.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut replaced = bytes.to_vec();
    for start in 0..bytes.len() - from.len() {
        if bytes[start..].starts_with(from) {
            replaced[start..start + to.len()].copy_from_slice(to);
        }
    }
    replaced
}
