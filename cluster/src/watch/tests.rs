//! The watch, fed by hand-made event streams.

use std::collections::BTreeMap;

use futures::executor::block_on;
use futures::stream;
use serde_json::json;

use super::*;
use crate::index::IndexSettings;

fn shared() -> SharedIndex {
    SharedIndex::new(Index::new(IndexSettings::default()).unwrap())
}

fn node(name: &str, cpu: &str) -> Node {
    serde_json::from_value(json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": cpu}}})).unwrap()
}

fn feed_nodes(index: &SharedIndex, events: Vec<watcher::Result<Event<Node>>>) {
    block_on(feed(stream::iter(events), index));
}

#[test]
fn a_relist_keeps_the_index_readable_and_sweeps_what_is_gone() {
    let index = shared();
    feed_nodes(
        &index,
        vec![
            Ok(Event::Init),
            Ok(Event::InitApply(node("a", "4"))),
            Ok(Event::InitApply(node("b", "4"))),
            Ok(Event::InitDone),
        ],
    );
    feed_nodes(&index, vec![Ok(Event::Init), Ok(Event::InitApply(node("b", "8")))]);
    let during = index.snapshot(Instant::now());
    assert!(during.row("a").is_some(), "a node not yet named again is still there");
    feed_nodes(&index, vec![Ok(Event::InitDone)]);
    let after = index.snapshot(Instant::now());
    assert_eq!((after.row("a"), after.node_count()), (None, 1));
}

#[test]
fn the_index_has_synced_when_both_lists_are_complete() {
    let index = shared();
    feed_nodes(&index, vec![Ok(Event::Init), Ok(Event::InitDone)]);
    assert!(!index.health().synced);
    block_on(feed(stream::iter(vec![Ok(Event::<Pod>::Init), Ok(Event::InitDone)]), &index));
    assert!(index.health().synced);
}

#[test]
fn a_failure_is_recorded_until_the_same_watch_recovers() {
    let index = shared();
    feed_nodes(&index, vec![Ok(Event::Init), Err(watcher::Error::NoResourceVersion)]);
    block_on(feed(stream::iter(vec![Ok(Event::<Pod>::Init)]), &index));
    let failed = index.health();
    assert_eq!(failed.failures, 1);
    assert!(failed.last_error.is_some());
    feed_nodes(&index, vec![Ok(Event::Init)]);
    assert!(index.health().last_error.is_some(), "a list that was not answered yet is no recovery");
    feed_nodes(&index, vec![Ok(Event::InitDone)]);
    let recovered = index.health();
    assert_eq!((recovered.failures, recovered.last_error), (1, None));
}

#[test]
fn a_watch_fails_since_its_first_error_until_its_own_next_success() {
    let index = shared();
    feed_nodes(&index, vec![Ok(Event::Init), Ok(Event::InitDone)]);
    assert_eq!(index.failing_since(), None);
    feed_nodes(&index, vec![Err(watcher::Error::NoResourceVersion)]);
    let since = index.failing_since();
    assert!(since.is_some());
    block_on(feed(stream::iter(vec![Ok(Event::<Pod>::Init), Ok(Event::InitDone)]), &index));
    feed_nodes(&index, vec![Err(watcher::Error::NoResourceVersion), Ok(Event::Init)]);
    assert_eq!((index.failing_since(), index.health().failing_since), (since, since));
    feed_nodes(&index, vec![Ok(Event::Apply(node("a", "4")))]);
    assert_eq!((index.failing_since(), index.health().failures), (None, 2));
}

#[test]
fn the_last_word_is_that_on_the_kind_that_was_not_heard_of_for_longest() {
    let index = shared();
    feed_nodes(&index, vec![Ok(Event::Init), Ok(Event::InitDone)]);
    assert_eq!(index.health().last_word, None, "nothing was said of pods yet");
    block_on(feed(stream::iter(vec![Ok(Event::<Pod>::Init), Ok(Event::InitDone)]), &index));
    let both = index.health().last_word;
    assert!(both.is_some());
    block_on(feed(stream::iter(vec![Ok(Event::<Pod>::Init), Ok(Event::InitDone)]), &index));
    assert_eq!(index.health().last_word, both, "nodes were not heard of since");
}

#[test]
fn a_refused_object_is_counted_and_the_next_one_is_taken() {
    let index = shared();
    feed_nodes(&index, vec![Ok(Event::Apply(node("a", "-4"))), Ok(Event::Apply(node("b", "4")))]);
    assert_eq!(index.health().refused_objects, 1);
    assert!(index.snapshot(Instant::now()).row("b").is_some());
}

#[test]
fn deleted_objects_go() {
    let index = shared();
    feed_nodes(&index, vec![Ok(Event::Apply(node("a", "4"))), Ok(Event::Delete(node("a", "4")))]);
    assert_eq!(index.snapshot(Instant::now()).node_count(), 0);
}

#[test]
fn a_watch_that_is_gone_is_told_apart_and_the_list_anew_is_what_counts() {
    let index = shared();
    let named = |name: &str| Ok(Event::InitApply(node(name, "4")));
    feed_nodes(&index, vec![Ok(Event::Init), named("kept"), named("deleted"), Ok(Event::InitDone)]);
    let gone = json!({"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410});
    let gone = watcher::Error::WatchError(Box::new(serde_json::from_value(gone).unwrap()));
    feed_nodes(&index, vec![Err(gone)]);
    assert_eq!(index.health().failures_by_cause, BTreeMap::from([(WatchFailure::Gone, 1)]));
    let during = index.snapshot(Instant::now());
    assert_eq!(during.node_count(), 2, "what was known is answered from meanwhile");
    feed_nodes(&index, vec![Ok(Event::Init), named("kept"), named("created"), Ok(Event::InitDone)]);
    let after = index.snapshot(Instant::now());
    assert_eq!(["kept", "created", "deleted"].map(|name| after.row(name).is_some()), [true, true, false]);
    assert_eq!(index.health().failures, 1);
}
