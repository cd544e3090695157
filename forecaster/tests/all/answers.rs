//! Answers that are cut, huge, packed, long or full of what is no number.

use std::io::Write as _;

use crate::bench::{Bench, NOW, SMALL, config};
use crate::faults::{Asked, Faults, Reply, nodes};

fn steady(asked: &Asked) -> Reply {
    nodes(asked, &["a", "b"], |_, _| Some("0.5".to_owned()))
}

fn body(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Full(_, _, body) => body,
        _ => panic!("no body"),
    }
}

#[test]
fn an_answer_that_is_cut_off_is_no_answer() {
    let faults = Faults::start(|asked| {
        let whole = body(steady(asked));
        let half = || whole[..whole.len() / 2].to_vec();
        if asked.query() == "cpu" { Reply::Cut(whole) } else { Reply::Full(200, Vec::new(), half()) }
    });
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    assert_eq!((bench.fetches("node_cpu", "cut_off"), bench.fetches("node_memory", "malformed")), (1.0, 1.0));
    assert!(bench.snapshot().is_none());
}

#[test]
fn a_login_page_is_malformed_and_not_tried_again() {
    let faults = Faults::start(|_| Reply::Full(200, Vec::new(), b"<html>who are you?</html>".to_vec()));
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    assert_eq!((bench.fetches("node_cpu", "malformed"), faults.asked().len()), (1.0, 2));
}

#[test]
fn an_answer_above_the_limit_is_asked_for_in_parts() {
    let faults = Faults::start(|asked| {
        let padding = asked.times().count() * 3_000;
        let mut reply = body(steady(asked));
        reply.extend(std::iter::repeat_n(b' ', padding));
        Reply::Full(200, Vec::new(), reply)
    });
    let mut bench = Bench::new(&limited(&faults, "64Ki"));
    bench.tick(NOW);
    assert_eq!(bench.fetches("node_cpu", "ok"), 1.0);
    assert_eq!(bench.snapshot().unwrap().entries.len(), 2);
    let parts: Vec<usize> =
        faults.asked().iter().filter(|asked| asked.query() == "cpu").map(|asked| asked.times().count()).collect();
    assert_eq!(parts, [120, 60, 30, 15, 15, 15, 15, 15, 15, 15, 15], "halved until it fits, then read to the end");
}

fn limited(faults: &Faults, limit: &str) -> gantry_forecaster::config::Config {
    let mut config = config(&faults.url(), SMALL);
    config.prometheus.response_limit = gantry_forecaster::config::units::bytes(limit).unwrap() as usize;
    config
}

#[test]
fn one_step_that_is_above_the_limit_fails_alone() {
    let faults = Faults::start(|asked| match asked.query() {
        "cpu" => Reply::Full(200, Vec::new(), vec![b' '; 100_000]),
        _ => steady(asked),
    });
    let mut bench = Bench::new(&limited(&faults, "64Ki"));
    bench.tick(NOW);
    assert_eq!((bench.fetches("node_cpu", "too_large"), bench.fetches("node_memory", "ok")), (1.0, 1.0));
}

#[test]
fn a_packed_answer_is_unpacked() {
    let faults = Faults::start(|asked| {
        assert_eq!(asked.headers["accept-encoding"], "gzip");
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&body(steady(asked))).unwrap();
        Reply::Full(200, vec![("content-encoding", "gzip")], packer.finish().unwrap())
    });
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    assert_eq!(bench.snapshot().unwrap().entries.len(), 2);
}

#[test]
fn a_week_is_asked_for_in_parts_that_prometheus_allows() {
    let faults = Faults::start(steady);
    let more = SMALL.replace("history: 1h", "history: 7d");
    let mut bench = Bench::new(&config(&faults.url(), &more));
    bench.tick(NOW);
    let asked: Vec<Asked> = faults.asked().into_iter().filter(|asked| asked.query() == "cpu").collect();
    let steps: Vec<usize> = asked.iter().map(|asked| asked.times().count()).collect();
    assert_eq!(steps, [10_000, 10_000, 160]);
    assert!(asked.windows(2).all(|pair| pair[1].number("start") == pair[0].number("end") + 30));
}

/// Fifty thousand series, to whoever asks how many there are.
const MANY: &str =
    r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"50000"]}]}}"#;

#[test]
fn a_large_fleet_has_a_shorter_history_in_small_parts_and_never_less_than_a_third_of_a_day() {
    let faults = Faults::start(|asked| if asked.is_count() { Reply::json(MANY) } else { steady(asked) });
    let more = SMALL.replace("history: 1h", "history: 7d");
    let mut bench = Bench::new(&config(&faults.url(), &more));
    bench.tick(NOW);
    let asked: Vec<Asked> = faults.asked().into_iter().filter(|asked| !asked.is_count()).collect();
    let oldest = asked.iter().map(|asked| asked.number("start")).min();
    assert_eq!(oldest, Some(NOW - 8 * 3_600 + 30));
    assert!(asked.iter().all(|asked| asked.times().count() == 2), "100 000 samples an answer");
}

#[test]
fn what_is_no_number_is_dropped_counted_and_never_served() {
    let faults = Faults::start(|asked| {
        nodes(asked, &["a", "b"], |name, at| {
            let text = match (name, at % 120) {
                ("b", _) | (_, 30) => "NaN",
                (_, 60) => "+Inf",
                (_, 90) => "-0.5",
                _ => "0.5",
            };
            Some(text.to_owned())
        })
    });
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    let dropped = |reason| {
        bench.metric(&format!("gantry_forecaster_dropped_samples_total{{query=\"node_cpu\",reason=\"{reason}\"}}"))
    };
    assert_eq!((dropped("not_finite"), dropped("negative")), (30.0 + 30.0 + 120.0, 30.0));
    assert!(bench.forecast("a", "cpu").is_some() && bench.entry("b").is_none());
    let text = String::from_utf8(bench.publication.current().unwrap().body().to_vec()).unwrap();
    assert!(!text.contains("NaN") && !text.contains("nf"), "{text}");
}

#[test]
fn series_of_no_known_node_are_counted() {
    let faults = Faults::start(|asked| {
        let body = String::from_utf8(body(steady(asked))).unwrap();
        Reply::json(body.replace("\"instance\"", "\"host\""))
    });
    let mut bench = Bench::new(&config(&faults.url(), SMALL));
    bench.tick(NOW);
    let line = "gantry_forecaster_dropped_samples_total{query=\"node_cpu\",reason=\"unknown_subject\"}";
    assert_eq!(bench.metric(line), 2.0);
}
