//! One test for each guest, of the guest's name.

use std::thread;
use std::time::{Duration, Instant};

use gantry_host::turn::has_stepped_back;
use gantry_host::types::Budget;
use gantry_host::{Component, Digest, Entry, Limits, LoadError, Plugin, Reason};

use crate::world::{POD, ROWS, World, assert_failed, component, engine, limits, pods, start};

/// Lists the tests, so that a guest without one is noticed.
macro_rules! tested {
    ($($guest:ident,)*) => {
        const TESTED: &[(&str, fn())] = &[$((stringify!($guest), $guest),)*];
    };
}

tested! {
    aliased_strings,
    bad_configure,
    counts_calls,
    deep_recursion,
    endless_loop,
    every_verdict,
    foreign_import,
    huge_log_line,
    huge_return,
    invalid_utf8,
    log_flood,
    loop_in_filter,
    loop_in_plan,
    memory_bomb,
    nan_scores,
    out_of_bounds,
    out_of_range_scores,
    plugin_error,
    score_only,
    trap,
    trap_in_init,
    trap_in_plan,
    well_behaved,
    wrong_generation,
    wrong_length,
}

#[test]
fn every_guest_has_a_test_of_its_name() {
    let tested: Vec<_> = TESTED.iter().map(|(name, _)| *name).collect();
    assert_eq!(tested, gantry_guests::names().collect::<Vec<_>>());
}

/// `score` stops the instance for `reason`; the next call finds a fresh one, which has to be told the snapshot again.
#[track_caller]
fn assert_score_stops(plugin: &Plugin, reason: Reason) {
    let world = World::new();
    for stops in 1..=2 {
        assert_failed(plugin.score(&world, &POD), Entry::Score, reason);
        assert_eq!(plugin.restarts(), stops);
        assert_eq!(plugin.filter(&world, &POD).unwrap(), [0; ROWS]);
    }
}

#[test]
fn aliased_strings() {
    let failed = Plugin::new("p", &component("aliased_strings"), "", limits());
    assert_failed(failed.map(drop), Entry::Describe, Reason::TooLarge);
}

#[test]
fn bad_configure() {
    let refused = Plugin::new("p", &component("bad_configure"), r#"{"objective":"x"}"#, limits());
    let error = assert_failed(refused.map(drop), Entry::Configure, Reason::PluginError);
    assert!(error.to_string().contains(r#"`objective` = {"objective":"x"}: nothing is good enough"#), "{error}");
    let info = Plugin::describe("p", &component("bad_configure"), limits()).unwrap();
    assert_eq!(info.name, "guest", "what it is can be told though it takes no settings");
}

/// What a guest remembers is its own: another instance begins anew.
#[test]
fn counts_calls() {
    let (one, other, world) = (start("counts_calls"), start("counts_calls"), World::new());
    let best = |plugin: &Plugin| plugin.score(&world, &POD).unwrap().iter().position(|score| *score == 1.0);
    assert_eq!([best(&one), best(&one), best(&other)], [Some(0), Some(1), Some(0)]);
}

#[test]
fn deep_recursion() {
    assert_score_stops(&start("deep_recursion"), Reason::Stack);
}

#[test]
fn endless_loop() {
    let deadline = Duration::from_millis(500);
    let plugin = Plugin::new("p", &component("endless_loop"), "", Limits { deadline, ..limits() }).unwrap();
    let start = Instant::now();
    assert_score_stops(&plugin, Reason::Deadline);
    assert!(start.elapsed() >= 2 * deadline, "it was stopped before its time");
    assert!(start.elapsed() < 60 * deadline, "the deadline did not hold");
}

#[test]
fn every_verdict() {
    let (plugin, world) = (start("every_verdict"), World::new());
    assert_eq!(plugin.filter(&world, &POD).unwrap(), [0, 1, 2, 3, 4]);
    assert!(plugin.score(&world, &POD).unwrap().iter().all(|score| *score < 1.0));
}

#[test]
fn a_call_ends_with_its_callers_time_though_its_own_limit_is_longer() {
    let patient = Limits { deadline: Duration::from_mins(1), ..limits() };
    let (plugin, world) = (Plugin::new("p", &component("endless_loop"), "", patient).unwrap(), World::new());
    let start = Instant::now();
    let end = start + Duration::from_millis(100);
    assert_failed(plugin.score_until(&world, &POD, end), Entry::Score, Reason::Deadline);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(plugin.restarts(), 0, "a fresh instance is made by whoever has time");
    let later = Instant::now() + Duration::from_secs(30);
    assert_eq!(plugin.filter_until(&world, &POD, later).unwrap(), [0; ROWS]);
    assert_eq!(plugin.restarts(), 1);
}

#[test]
fn whoever_waits_for_a_guest_that_keeps_the_core_goes_behind_all_others() {
    let brief = Limits { deadline: Duration::from_secs(1), ..limits() };
    let (plugin, world) = (Plugin::new("p", &component("endless_loop"), "", brief).unwrap(), World::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let end = Instant::now() + Duration::from_mins(1);
            assert_eq!(plugin.filter_until(&world, &POD, end).unwrap(), [0; ROWS]);
            assert!(!has_stepped_back(), "an honest call");
            assert_failed(plugin.score_until(&world, &POD, end), Entry::Score, Reason::Deadline);
            assert!(has_stepped_back());
        });
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            let decision = plugin.decide_until(&world, &POD, Instant::now() + Duration::from_mins(1)).unwrap();
            assert_eq!(decision.verdicts.unwrap(), [0; ROWS]);
            assert_failed(decision.scores, Entry::Score, Reason::Deadline);
            assert!(has_stepped_back());
        });
    });
    assert_failed(plugin.score(&world, &POD), Entry::Score, Reason::Deadline);
    assert!(!has_stepped_back(), "nobody else waits where no caller's time ends");
}

#[test]
fn foreign_import() {
    let error = Component::load(engine(), gantry_guests::bytes("foreign_import"), None, None).unwrap_err();
    assert_eq!(error.reason(), Reason::ForeignImport);
    assert!(error.to_string().contains("`somebody:clocks/wall-clock@0.2.0`"), "{error}");
}

#[test]
fn huge_log_line() {
    assert_score_stops(&start("huge_log_line"), Reason::TooLarge);
}

#[test]
fn huge_return() {
    assert_score_stops(&start("huge_return"), Reason::TooLarge);
}

#[test]
fn invalid_utf8() {
    assert_score_stops(&start("invalid_utf8"), Reason::Trap);
    let refused = Plugin::new("p", &component("invalid_utf8"), "{}", limits());
    assert_failed(refused.map(drop), Entry::Configure, Reason::Trap);
}

#[test]
fn log_flood() {
    assert_score_stops(&start("log_flood"), Reason::LogBudget);
}

/// The search alone stops for `reason`, and takes nothing with it: the next verdicts come from a fresh instance.
#[track_caller]
fn assert_plan_stops(plugin: &Plugin, reason: Reason) {
    let (world, pods) = (World::new(), pods(&[1, 1], &[1.0; 4]));
    assert_failed(plugin.plan(&world, &pods, Budget { evaluations: 1 }, 0), Entry::Plan, reason);
    assert_eq!(plugin.restarts(), 1);
    assert_eq!(plugin.filter(&world, &POD).unwrap(), [0; ROWS]);
    assert_eq!(plugin.score(&world, &POD).unwrap().len(), ROWS);
}

/// Stopped by the time for verdicts alone, though scores may take longer.
#[test]
fn loop_in_filter() {
    let apart = Limits { filter_deadline: Some(Duration::from_millis(50)), ..limits() };
    let (plugin, world) = (Plugin::new("p", &component("loop_in_filter"), "", apart).unwrap(), World::new());
    let start = Instant::now();
    assert_failed(plugin.filter(&world, &POD), Entry::Filter, Reason::Deadline);
    assert!(start.elapsed() < limits().deadline / 2, "{:?}", start.elapsed());
    assert_eq!(plugin.score(&world, &POD).unwrap().len(), ROWS);
}

#[test]
fn scores_may_take_as_long_as_their_own_deadline_says() {
    let apart = Limits { score_deadline: Some(Duration::from_millis(50)), ..limits() };
    let (plugin, world) = (Plugin::new("p", &component("endless_loop"), "", apart).unwrap(), World::new());
    let start = Instant::now();
    assert_failed(plugin.score(&world, &POD), Entry::Score, Reason::Deadline);
    assert!(start.elapsed() < limits().deadline / 2, "{:?}", start.elapsed());
}

#[test]
fn loop_in_plan() {
    let tight = Limits { plan_deadline: Duration::from_millis(50), ..limits() };
    assert_plan_stops(&Plugin::new("p", &component("loop_in_plan"), "", tight).unwrap(), Reason::Deadline);
}

#[test]
fn memory_bomb() {
    assert_score_stops(&start("memory_bomb"), Reason::Memory);
}

#[test]
fn nan_scores() {
    let (plugin, world) = (start("nan_scores"), World::new());
    let error = assert_failed(plugin.score(&world, &POD), Entry::Score, Reason::NotFinite);
    assert!(error.to_string().contains("scores[1] is NaN"), "{error}");
    assert_eq!(plugin.filter(&world, &POD).unwrap(), [0; ROWS]);
    assert_eq!(plugin.restarts(), 0, "an answer that is refused costs no instance");
}

#[test]
fn out_of_bounds() {
    let (plugin, world) = (start("out_of_bounds"), World::new());
    assert_failed(plugin.filter(&world, &POD), Entry::Filter, Reason::Trap);
    let error = assert_failed(plugin.score(&world, &POD), Entry::Score, Reason::Trap);
    assert!(format!("{error:?}").contains("out of bounds"), "{error:?}");
    assert_eq!(plugin.restarts(), 2);
}

#[test]
fn out_of_range_scores() {
    let (plugin, world) = (start("out_of_range_scores"), World::new());
    assert_failed(plugin.filter(&world, &POD), Entry::Filter, Reason::OutOfRange);
    assert_failed(plugin.score(&world, &POD), Entry::Score, Reason::OutOfRange);
    let pods = pods(&[1], POD.request);
    assert_failed(plugin.plan(&world, &pods, Budget { evaluations: 1 }, 0), Entry::Plan, Reason::OutOfRange);
}

#[test]
fn plugin_error() {
    let (plugin, world) = (start("plugin_error"), World::new());
    let decision = plugin.decide(&world, &POD).unwrap();
    let error = assert_failed(decision.verdicts, Entry::Filter, Reason::PluginError);
    assert!(error.to_string().contains("unknown-class"), "{error}");
    assert_failed(decision.scores, Entry::Score, Reason::PluginError);
}

#[test]
fn score_only() {
    let (plugin, honest, world) = (start("score_only"), start("well_behaved"), World::new());
    let decision = plugin.decide(&world, &POD).unwrap();
    assert_eq!(decision.scores.unwrap(), honest.score(&world, &POD).unwrap());
    assert_eq!(decision.verdicts.unwrap(), [0; ROWS], "who does not filter lets every row pass");
    let pods = pods(&[1], POD.request);
    assert_failed(plugin.plan(&world, &pods, Budget { evaluations: 1 }, 0), Entry::Plan, Reason::Unavailable);
    assert_eq!(plugin.restarts(), 0, "what it does not offer is not called");
}

#[test]
fn trap() {
    assert_score_stops(&start("trap"), Reason::Trap);
}

#[test]
fn trap_in_init() {
    let failed = Plugin::new("p", &component("trap_in_init"), "", limits());
    assert_failed(failed.map(drop), Entry::Describe, Reason::Trap);
}

#[test]
fn trap_in_plan() {
    assert_plan_stops(&start("trap_in_plan"), Reason::Trap);
}

#[test]
fn well_behaved() {
    let (plugin, world) = (start("well_behaved"), World::new());
    let decision = plugin.decide(&world, &POD).unwrap();
    assert_eq!(decision.verdicts.unwrap(), plugin.filter(&world, &POD).unwrap());
    assert_eq!(decision.scores.unwrap(), plugin.score(&world, &POD).unwrap());
    let pods = pods(&[1, 1], &[1.0; 4]);
    assert_eq!(plugin.plan(&world, &pods, Budget { evaluations: 1 }, 0).unwrap().rows, [0, 0]);
    assert_eq!(plugin.info().name, "guest");
    assert_eq!(plugin.digest(), Digest::of(gantry_guests::bytes("well_behaved")));
    assert_eq!(plugin.restarts(), 0);
}

#[test]
fn wrong_generation() {
    let (plugin, honest) = (start("wrong_generation"), start("well_behaved"));
    let mut world = World::new();
    for row in 0..ROWS {
        assert_eq!(plugin.score(&world, &POD).unwrap(), honest.score(&world, &POD).unwrap());
        world = world.place(row, 7.0);
    }
    assert_eq!(plugin.restarts(), 0);
}

#[test]
fn wrong_length() {
    let (plugin, world) = (start("wrong_length"), World::new());
    assert_failed(plugin.filter(&world, &POD), Entry::Filter, Reason::BadLength);
    let error = assert_failed(plugin.score(&world, &POD), Entry::Score, Reason::BadLength);
    assert!(error.to_string().contains("6 entries, 5 expected"), "{error}");
}

#[test]
fn table_bomb() {
    let component = Component::load(engine(), &gantry_guests::table_bomb(), None, None).unwrap();
    let failed = Plugin::new("p", &component, "", limits());
    assert_failed(failed.map(drop), Entry::Instantiate, Reason::Memory);
}

#[test]
fn a_component_that_does_not_fit_its_memory_limit_is_not_started() {
    let tight = Limits { memory: 64 << 10, ..limits() };
    let failed = Plugin::new("p", &component("well_behaved"), "", tight);
    assert_failed(failed.map(drop), Entry::Instantiate, Reason::Memory);
}

#[test]
fn garbage() {
    for bytes in [gantry_guests::garbage(), b"", b"not a component", b"\0asm\x01\0\0\0"] {
        let error = Component::load(engine(), bytes, None, None).unwrap_err();
        assert!(matches!(error, LoadError::Invalid(_)), "{error}");
        assert_eq!(error.reason(), Reason::InvalidComponent);
    }
}
