//! The laws of stores, and what a broken store does to a sidecar.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use gantry_forecaster::snapshot::{Encoded, Entry, Kind, Snapshot};
use gantry_forecaster::store::{File, Memory, Store, Stores};

use crate::bench::{Bench, NOW, SMALL, config};
use crate::faults::{Faults, nodes};

#[path = "../support/laws.rs"]
mod laws;

fn encoded(issued_at: i64) -> Encoded {
    let entry = Entry { kind: Kind::Node, namespace: String::new(), name: "a".to_owned(), resources: BTreeMap::new() };
    Encoded::new(&Snapshot { issued_at, entries: vec![entry] }).unwrap()
}

#[test]
fn memory_keeps_the_laws() {
    laws::hold(&Memory::default());
}

#[test]
fn a_folder_keeps_the_laws_and_has_no_other_files() {
    let folder = tempfile::tempdir().unwrap();
    laws::hold(&File::new(folder.path().to_owned()));
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["forecasts.json", "weights-node_cpu.safetensors", "weights-node_memory.safetensors"]);
}

#[test]
fn a_full_disk_keeps_the_snapshot_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = File::new(folder.path().to_owned());
    store.save_snapshot(&encoded(1)).unwrap();
    // Whatever is written to this device, there is no space for it.
    symlink("/dev/full", folder.path().join(".forecasts.json.tmp")).unwrap();
    assert_eq!(store.save_snapshot(&encoded(2)).unwrap_err().reason(), "write");
    assert_eq!(store.load_snapshot().unwrap().unwrap().1.issued_at, 1);
    store.save_snapshot(&encoded(3)).unwrap();
    assert_eq!(store.load_snapshot().unwrap().unwrap().1.issued_at, 3);
}

fn bench(folder: &Path, url: &str) -> Bench {
    let store = File::new(folder.to_owned());
    Bench::with_stores(&config(url, SMALL), Stores::new(Box::new(store), None))
}

fn prometheus() -> Faults {
    Faults::start(|asked| nodes(asked, &["a"], |_, _| Some("0.5".to_owned())))
}

#[test]
fn a_sidecar_that_cannot_write_serves_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let faults = prometheus();
    let mut bench = bench(&gone, &faults.url());
    bench.tick(NOW);
    assert!(bench.entry("a").is_some());
    assert_eq!(bench.metric("gantry_forecaster_store_failures_total{store=\"file\",reason=\"write\"}"), 1.0);
}

#[test]
fn a_new_process_serves_what_the_old_one_stored_before_it_reads_anything() {
    let folder = tempfile::tempdir().unwrap();
    let faults = prometheus();
    let mut first = bench(folder.path(), &faults.url());
    first.tick(NOW);
    let stored = first.publication.current().unwrap();
    drop((first, faults));
    let second = bench(folder.path(), "http://127.0.0.1:1");
    assert_eq!(second.publication.current().unwrap().body(), stored.body());
}

#[test]
fn a_file_that_is_damaged_or_of_another_version_is_counted_and_replaced() {
    let good = String::from_utf8(encoded(1).body().to_vec()).unwrap();
    let cases = [
        ("malformed", good[..good.len() / 2].to_owned()),
        ("malformed", String::new()),
        ("version", good.replace("v1alpha1", "v1alpha0")),
        ("damaged", good.replace("\"name\":\"a\"", "\"name\":\"b\"")),
    ];
    for (reason, text) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("forecasts.json"), text).unwrap();
        let faults = prometheus();
        let mut bench = bench(folder.path(), &faults.url());
        assert!(bench.snapshot().is_none());
        let line = format!("gantry_forecaster_store_failures_total{{store=\"file\",reason=\"{reason}\"}}");
        assert_eq!(bench.metric(&line), 1.0, "{reason}");
        bench.tick(NOW);
        let stored = File::new(folder.path().to_owned()).load_snapshot().unwrap().unwrap().0;
        assert_eq!(stored.body(), bench.publication.current().unwrap().body());
    }
}

#[test]
fn damaged_weights_are_counted_and_the_other_models_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let store = File::new(folder.path().to_owned());
    store.save_snapshot(&encoded(1)).unwrap();
    store.save_weights("node_cpu", b"no weights").unwrap();
    let faults = prometheus();
    let config = config(&faults.url(), &SMALL.replace("lstm: false", "lstm: true"));
    let mut bench = Bench::with_stores(&config, Stores::new(Box::new(store), None));
    assert_eq!(bench.metric("gantry_forecaster_store_failures_total{store=\"weights\",reason=\"damaged\"}"), 1.0);
    bench.tick(NOW);
    assert!(bench.entry("a").is_some());
}
