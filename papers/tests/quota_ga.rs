//! T000: what the quota search reaches, and what scaling by it does to queues.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use gantry_papers::quota_ga::loads::{self, Method, SEEDS, TARGET, TRADE_SEEDS};
use gantry_papers::quota_ga::replay::{Load, Measured, NODE, NODES};
use gantry_papers::quota_ga::tuning::{self, MANY_PODS, MARKS, PODS};

fn by_default(load: Load) -> Measured {
    loads::measure(load, Method::Reactive(TARGET), SEEDS)
}

fn by_source(load: Load) -> Measured {
    loads::measure(load, Method::Genetic, SEEDS)
}

#[test]
fn every_seed_reaches_98_percent_of_the_best_fitness_there_is() {
    let best = tuning::bound().fitness;
    for (run, seed) in tuning::runs(PODS).unwrap().iter().zip(tuning::SEEDS) {
        assert!(run.fitness >= 0.98 * best && run.fitness <= best + 1e-12, "seed {seed}: {}", run.fitness);
    }
}

#[test]
fn mean_fitness_rises_over_the_four_marks_with_every_seed() {
    for (run, seed) in tuning::runs(PODS).unwrap().iter().zip(tuning::SEEDS) {
        let means = MARKS.map(|generation| run.curve[generation].0);
        assert!(means.is_sorted_by(|a, b| a < b), "seed {seed}: {means:?}");
    }
}

#[test]
fn utilisation_gains_at_least_the_14_points_of_the_source() {
    let means = tuning::means(&tuning::runs(PODS).unwrap());
    assert!(means.tuned - means.drawn >= 0.1438, "{} to {}", means.drawn, means.tuned);
    let analytic = (2.7_f64 / 1.02).ln() / (2.7 - 1.02);
    assert!((means.drawn - analytic).abs() < 0.01, "uniform quotas start at {analytic}, not {}", means.drawn);
}

#[test]
fn with_many_pods_a_hundred_generations_are_too_few() {
    let (few, many) = (tuning::runs(PODS).unwrap(), tuning::runs(MANY_PODS).unwrap());
    let (few, many) = (tuning::means(&few).fitness, tuning::means(&many).fitness);
    assert!(many < 0.99 * few, "{many} {few}");
}

/// The source's claim for the high load holds for response and throughput; for utilisation it does not.
#[test]
fn under_the_high_load_forecasts_answer_sooner_and_give_more_quota() {
    let (default, source) = (by_default(Load::High), by_source(Load::High));
    assert!(source.response <= 0.9 * default.response, "{} {}", source.response, default.response);
    assert!(source.throughput > default.throughput, "{} {}", source.throughput, default.throughput);
    assert!(source.utilisation[0] < default.utilisation[0] && source.cores > default.cores, "no free lunch");
}

/// The source's claim for the burst holds weakly for response and throughput; for memory it does not.
#[test]
fn in_the_burst_forecasts_answer_a_little_sooner_and_waste_memory() {
    let (default, source) = (by_default(Load::Burst), by_source(Load::Burst));
    assert!((0.8..1.0).contains(&(source.response / default.response)), "{} {}", source.response, default.response);
    assert!(source.throughput > default.throughput, "{} {}", source.throughput, default.throughput);
    assert!((source.utilisation[0] - default.utilisation[0]).abs() < 4.0, "cpu is used about equally well");
    assert!(source.utilisation[1] < default.utilisation[1], "{:?} {:?}", source.utilisation, default.utilisation);
}

/// The source's claim for the low load fails.
#[test]
fn under_the_low_load_forecasts_lose_response_and_utilisation() {
    let (default, source) = (by_default(Load::Low), by_source(Load::Low));
    assert!(source.response > 1.5 * default.response, "{} {}", source.response, default.response);
    assert!(source.utilisation[0] < default.utilisation[0], "{:?} {:?}", source.utilisation, default.utilisation);
}

#[test]
fn with_more_head_room_the_forecast_answers_far_sooner_where_load_rises() {
    for (load, most) in [(Load::High, 0.6), (Load::Burst, 0.7), (Load::Low, 1.15)] {
        let (default, roomy) = (by_default(load), loads::measure(load, Method::Division(0.7), SEEDS));
        assert!(roomy.response <= most * default.response, "{load:?}: {} {}", roomy.response, default.response);
    }
}

#[test]
fn a_lower_threshold_does_the_same_without_a_forecast() {
    for (load, threshold) in [(Load::High, 0.6), (Load::Burst, 0.5), (Load::Low, 0.7)] {
        let roomy = loads::measure(load, Method::Division(0.7), SEEDS);
        let lower = loads::measure(load, Method::Reactive(threshold), SEEDS);
        assert!(lower.response <= 1.2 * roomy.response, "{load:?}: {} {}", lower.response, roomy.response);
        assert!(lower.utilisation[0] > roomy.utilisation[0] - 3.0, "{load:?}");
    }
}

#[test]
fn the_genetic_algorithm_gives_more_quota_than_the_optimum_it_searches() {
    for load in Load::ALL {
        let (source, division) = (by_source(load), loads::measure(load, Method::Division(0.9), SEEDS));
        assert!(source.cores > division.cores, "{load:?}: {} {}", source.cores, division.cores);
    }
}

#[test]
fn quotas_without_head_room_starve_their_pods() {
    let starved = loads::measure(Load::Low, Method::LastSeen, TRADE_SEEDS);
    assert!(starved.throughput < 0.5 * by_default(Load::Low).throughput, "{}", starved.throughput);
}

#[test]
fn nobody_answers_more_than_users_ask_and_cores_can_do() {
    for load in Load::ALL {
        let most = load.most_answers(NODES as f64 * NODE[0]);
        for method in [Method::Reactive(0.5), Method::Division(0.9)] {
            let found = loads::measure(load, method, TRADE_SEEDS);
            assert!(found.throughput < 1.01 * most, "{load:?}, {method:?}: {} {most}", found.throughput);
        }
    }
}
