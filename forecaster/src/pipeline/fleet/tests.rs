//! The state machine: what samples and silence do to a series, told the time.

use std::time::Duration;

use super::*;
use crate::snapshot::Unit;

const END: i64 = 1_795_320_000;

fn query(name: &str, resource: &str) -> Query {
    Query {
        name: name.to_owned(),
        kind: Kind::Node,
        resource: resource.to_owned(),
        promql: String::new(),
        unit: Unit::Share,
        capacity: 1.0,
    }
}

fn schedule(history: Duration, memory: usize) -> Schedule {
    let tick = Duration::from_secs(30);
    Schedule { tick, resolution: 30, history, history_memory: memory, retrain: Duration::from_hours(6) }
}

fn fleet(history: Duration, memory: usize) -> Fleet {
    Fleet::new(vec![query("node_cpu", "cpu"), query("node_memory", "memory")], schedule(history, memory))
}

fn node(name: &str) -> Subject {
    Subject { namespace: String::new(), name: name.to_owned() }
}

/// One sample a minute.
fn minutes(from: i64, to: i64, value: f64) -> Vec<Sample> {
    (from..=to).step_by(60).map(|at| Sample { at, value: value + 0.01 * ((at / 60) % 3) as f64 }).collect()
}

fn feed(fleet: &mut Fleet, query: usize, names: &[&str], from: i64, to: i64) {
    let samples = names.iter().map(|name| (node(name), minutes(from, to, 0.5))).collect();
    fleet.take(query, samples, to);
    fleet.close(query, to);
}

fn started(history: Duration, memory: usize) -> (Fleet, Ensemble) {
    let (mut fleet, mut ensemble) = (fleet(history, memory), Ensemble::new(None));
    feed(&mut fleet, 0, &["a", "b"], END - 3_600, END);
    feed(&mut fleet, 1, &["a"], END - 3_600, END);
    ensemble.fit(&fleet.sample());
    assert!(fleet.forecast(&mut ensemble, END));
    (fleet, ensemble)
}

fn served(fleet: &Fleet) -> Vec<(String, Vec<String>)> {
    let resources = |entry: &Entry| entry.resources.keys().cloned().collect();
    fleet.entries().map(|entry| (entry.name.clone(), resources(&entry))).collect()
}

#[test]
fn an_entry_has_every_resource_of_its_node() {
    let (fleet, _) = started(Duration::from_hours(24), 64 << 20);
    let both = vec!["cpu".to_owned(), "memory".to_owned()];
    assert_eq!(served(&fleet), [("a".to_owned(), both), ("b".to_owned(), vec!["cpu".to_owned()])]);
}

#[test]
fn without_a_new_cell_there_is_nothing_new() {
    let (mut fleet, mut ensemble) = started(Duration::from_hours(24), 64 << 20);
    assert!(!fleet.forecast(&mut ensemble, END + 30));
}

#[test]
fn a_silent_node_is_carried_then_left_out_then_forgotten() {
    let (mut fleet, mut ensemble) = started(Duration::from_hours(24), 64 << 20);
    for (minute, is_served) in [(1, true), (2, true), (3, false), (59, false)] {
        let now = END + 60 * minute;
        feed(&mut fleet, 0, &["a"], now, now);
        assert!(fleet.forecast(&mut ensemble, now), "minute {minute}");
        assert_eq!(served(&fleet).iter().any(|(name, _)| name == "b"), is_served, "minute {minute}");
        assert_eq!(fleet.len(), 3);
    }
    feed(&mut fleet, 0, &["a"], END + 3_660, END + 3_660);
    assert_eq!(fleet.len(), 2);
}

#[test]
fn the_last_forecast_of_all_nodes_that_fell_silent_leaves_too() {
    let (mut fleet, mut ensemble) = started(Duration::from_hours(24), 64 << 20);
    feed(&mut fleet, 0, &[], 0, END + 180);
    feed(&mut fleet, 1, &[], 0, END + 180);
    assert!(fleet.forecast(&mut ensemble, END + 180), "an empty snapshot is news");
    assert_eq!(fleet.entries().count(), 0);
}

#[test]
fn scores_come_from_the_minutes_that_followed() {
    let (mut fleet, mut ensemble) = started(Duration::from_hours(24), 64 << 20);
    let errors = |fleet: &Fleet| fleet.entries().next().unwrap().resources["cpu"].error;
    for minute in 1..=210 {
        let now = END + 60 * minute;
        feed(&mut fleet, 0, &["a", "b"], now, now);
        fleet.forecast(&mut ensemble, now);
        assert_eq!(errors(&fleet).mae.is_some(), minute >= 200, "minute {minute}");
    }
    let figures = fleet.figures();
    let naive = figures.iter().find(|figure| figure.resource == "cpu" && figure.model.name() == "naive").unwrap();
    assert!(naive.error.mae.unwrap() > 0.0 && figures.len() == 2 * crate::ModelKind::ALL.len());
    let selected: usize = figures.iter().filter(|figure| figure.resource == "cpu").map(|figure| figure.selected).sum();
    assert_eq!(selected, 2);
}

#[test]
fn short_memory_keeps_a_third_of_a_day_and_ample_memory_the_whole_history() {
    let week = Duration::from_hours(7 * 24);
    for (memory, cells) in [(1, 8 * 60), (64 << 20, 7 * 24 * 60)] {
        let mut fleet = fleet(week, memory);
        feed(&mut fleet, 0, &["a"], END - 8 * 24 * 3_600, END);
        assert_eq!(fleet.sample()[0].series.len(), cells);
    }
}

#[test]
fn training_sees_an_even_sample_of_every_query() {
    let mut fleet = fleet(Duration::from_hours(1), 64 << 20);
    let names: Vec<String> = (0..1_000).map(|k| format!("node-{k:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    feed(&mut fleet, 0, &names, END - 60, END);
    feed(&mut fleet, 1, &names[..3], END - 60, END);
    let sample = fleet.sample();
    assert_eq!(sample.iter().filter(|sampled| sampled.query == 1).count(), 3);
    let first: Vec<&str> = sample.iter().take(2).map(|sampled| sampled.subject.name.as_str()).collect();
    assert_eq!((first, sample.len() - 3), (vec!["node-0000", "node-0004"], 250));
}
