//! Prometheus that is away, slow or unwilling: what was known stays, and nothing is made up.

use std::time::{Duration, Instant};

use crate::bench::{Bench, NOW, SMALL, config};
use crate::faults::{Asked, Faults, Reply, nodes};

fn steady(asked: &Asked) -> Reply {
    nodes(asked, &["a", "b"], |_, _| Some("0.5".to_owned()))
}

#[test]
fn without_prometheus_at_the_start_there_is_nothing_and_later_everything() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut bench = Bench::new(&config(&format!("http://{port}"), SMALL));
    bench.tick(NOW);
    assert!(bench.snapshot().is_none());
    assert_eq!((bench.fetches("node_cpu", "connect"), bench.fetches("node_cpu", "ok")), (1.0, 0.0));
}

#[test]
fn what_answers_with_errors_first_is_read_in_full_once_it_answers() {
    let faults = Faults::start(|_| Reply::status(503));
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    assert!(bench.snapshot().is_none());
    assert_eq!(bench.fetches("node_cpu", "unavailable"), 1.0);
    faults.answer(steady);
    faults.asked();
    bench.tick(NOW + 30);
    let starts: Vec<i64> = faults.asked().iter().map(|asked| asked.number("start")).collect();
    assert_eq!(starts, [NOW - 3_570; 2], "the whole hour");
    assert_eq!(bench.snapshot().unwrap().entries.len(), 2);
}

#[test]
fn what_was_forecast_stays_and_tells_its_age_while_prometheus_is_away() {
    let faults = Faults::start(steady);
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    let before = bench.publication.current().unwrap();
    faults.answer(|_| Reply::status(500));
    bench.tick(NOW + 60);
    bench.tick(NOW + 120);
    assert_eq!(bench.publication.current().unwrap().generation(), before.generation());
    assert_eq!(bench.forecast("a", "cpu").unwrap().data_until, NOW);
    // Afterwards the minutes in between are read, and no gap is left behind.
    faults.answer(steady);
    bench.tick(NOW + 600);
    assert_eq!(bench.forecast("a", "cpu").unwrap().data_until, NOW + 600);
}

#[test]
fn a_server_error_is_tried_three_times_and_a_refusal_once() {
    for (status, reason, times) in [(500, "unavailable", 3), (401, "unauthorized", 1), (400, "refused", 1)] {
        let faults = Faults::start(move |_| Reply::status(status));
        let mut bench = Bench::new(&config(&faults.url(), SMALL));
        bench.tick(NOW);
        let of_cpu = faults.asked().iter().filter(|asked| asked.query() == "cpu").count();
        assert_eq!((of_cpu, bench.fetches("node_cpu", reason)), (times, 1.0), "{status}");
    }
}

#[test]
fn a_slow_query_is_given_up_and_the_others_are_served() {
    let body = || vec![b' '; 1_000];
    for stalls in [false, true] {
        let faults = Faults::start(move |asked| match asked.query() {
            "cpu" if stalls => Reply::Stalled(body()),
            "cpu" => Reply::Silence,
            _ => steady(asked),
        });
        let mut bench = Bench::new(&config(&faults.url(), SMALL));
        let start = Instant::now();
        bench.tick(NOW);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(bench.fetches("node_cpu", "timeout"), 1.0, "stalls: {stalls}");
        let entry = bench.entry("a").unwrap();
        assert!(entry.resources.contains_key("memory") && !entry.resources.contains_key("cpu"));
    }
}

#[test]
fn a_query_that_fails_later_keeps_its_older_forecasts_beside_new_ones_of_others() {
    let faults = Faults::start(steady);
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    faults.answer(|asked| if asked.query() == "cpu" { Reply::status(500) } else { steady(asked) });
    bench.tick(NOW + 60);
    assert_eq!(bench.forecast("a", "cpu").unwrap().data_until, NOW);
    assert_eq!(bench.forecast("a", "memory").unwrap().data_until, NOW + 60);
}

#[test]
fn a_metric_that_was_renamed_leaves_the_snapshot_after_two_carried_minutes() {
    let faults = Faults::start(steady);
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    faults.answer(move |asked| {
        let is_cpu = asked.query() == "cpu";
        nodes(asked, &["a", "b"], move |_, at| (!is_cpu || at <= NOW).then(|| "0.5".to_owned()))
    });
    for (minutes, is_served) in [(1, true), (2, true), (3, false)] {
        bench.tick(NOW + 60 * minutes);
        assert_eq!(bench.forecast("a", "cpu").is_some(), is_served, "minute {minutes}");
        assert!(bench.forecast("a", "memory").is_some());
    }
    assert!(bench.fetches("node_cpu", "empty") > 0.0);
    assert_eq!(bench.fetches("node_memory", "empty"), 0.0);
}

#[test]
fn a_node_that_vanished_leaves_alone_and_its_last_forecast_says_how_old_it_is() {
    let faults = Faults::start(steady);
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    faults.answer(|asked| nodes(asked, &["a", "b"], |name, at| (name == "a" || at <= NOW).then(|| "0.5".to_owned())));
    bench.tick(NOW + 60);
    assert_eq!(bench.forecast("b", "cpu").unwrap().data_until, NOW);
    bench.tick(NOW + 180);
    assert!(bench.entry("b").is_none() && bench.entry("a").is_some());
}

#[test]
fn a_new_node_is_forecast_from_its_first_minute_on() {
    let faults = Faults::start(steady);
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    faults.answer(|asked| {
        nodes(asked, &["a", "b", "c"], |name, at| (name != "c" || at > NOW).then(|| "0.25".to_owned()))
    });
    bench.tick(NOW + 60);
    let forecast = bench.forecast("c", "cpu").unwrap();
    assert_eq!((forecast.model.as_str(), forecast.data_until), ("naive", NOW + 60));
    assert!((forecast.values[0][0] - 0.25).abs() < 0.01, "{forecast:?}");
}

#[test]
fn a_prometheus_that_was_just_installed_is_forecast_from_its_sixth_minute_on() {
    let faults = Faults::start(|asked| nodes(asked, &["a"], |_, at| (at > NOW).then(|| "0.5".to_owned())));
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    for minute in 1..=7 {
        bench.tick(NOW + 60 * minute);
        assert_eq!(bench.forecast("a", "cpu").is_some(), minute >= 6, "minute {minute}");
    }
    let forecast = bench.forecast("a", "cpu").unwrap();
    assert_eq!((forecast.model.as_str(), forecast.error.mae), ("naive", None), "{forecast:?}");
}

#[test]
fn half_a_minute_later_nothing_is_read_or_published_again() {
    let faults = Faults::start(steady);
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    let generation = bench.publication.current().unwrap().generation().to_owned();
    faults.asked();
    bench.tick(NOW + 30);
    assert!(faults.asked().is_empty());
    assert_eq!(bench.publication.current().unwrap().generation(), generation);
}
