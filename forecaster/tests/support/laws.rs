//! The laws of every store.

use std::collections::BTreeMap;

use gantry_forecaster::snapshot::{Encoded, Entry, Kind, Snapshot};
use gantry_forecaster::store::Store;

fn encoded(issued_at: i64, names: &[&str]) -> Encoded {
    let entry = |name: &&str| Entry {
        kind: Kind::Workload,
        namespace: "shop".to_owned(),
        name: (*name).to_owned(),
        resources: BTreeMap::new(),
    };
    Encoded::new(&Snapshot { issued_at, entries: names.iter().map(entry).collect() }).unwrap()
}

/// Checks them on a store that holds nothing yet.
pub fn hold(store: &dyn Store) {
    assert!(store.load_snapshot().unwrap().is_none(), "before that there is nothing");
    assert!(store.load_weights("node_cpu").unwrap().is_none(), "before that there is nothing");
    for (issued_at, names) in [(1, &["web", "db"][..]), (2, &["a much longer name than those before"]), (3, &[])] {
        let saved = encoded(issued_at, names);
        store.save_snapshot(&saved).unwrap();
        let (loaded, snapshot) = store.load_snapshot().unwrap().unwrap();
        assert_eq!((loaded.body(), snapshot.issued_at), (saved.body(), issued_at), "what was saved last is loaded");
        assert_eq!(loaded.generation(), saved.generation());
    }
    let weights: Vec<u8> = (0..200_000_u32).map(|k| (k % 251) as u8).collect();
    store.save_weights("node_cpu", &weights).unwrap();
    store.save_weights("node_memory", b"").unwrap();
    assert_eq!(store.load_weights("node_cpu").unwrap().as_deref(), Some(weights.as_slice()));
    assert_eq!(store.load_weights("node_memory").unwrap().as_deref(), Some(&b""[..]), "empty is not absent");
    store.save_weights("node_cpu", b"newer").unwrap();
    assert_eq!(store.load_weights("node_cpu").unwrap().as_deref(), Some(&b"newer"[..]));
}
