//! What is asserted of experiments T002, on the very figures of the report.

use gantry_papers::tcga::{SEEDS, Setting, compare, fronts, limits, section};
use gantry_solver::problems::task_schedule::{COST, TIME};

/// T002-1 against a weak baseline: a regression test, no proof of merit.
#[test]
fn time_and_cost_are_below_those_of_algorithms_that_select_by_raw_fitness() {
    let all = compare(Setting::Raw).unwrap();
    for rival in [&all.ga, &all.ga_both, &all.saiga] {
        let gain = all.tcga.gain(rival, TIME);
        assert!(gain >= 0.05, "time: {gain}");
        assert!(all.tcga.gain(rival, COST) > 0.0, "cost");
    }
}

/// The other row of T002-1: what the gain in time hangs on.
#[test]
fn against_an_algorithm_with_an_elite_and_sharp_selection_only_the_gain_in_cost_is_left() {
    let all = compare(Setting::Sharp).unwrap();
    for rival in [&all.ga, &all.ga_both] {
        assert!(all.tcga.gain(rival, TIME).abs() < 0.02, "time: {}", all.tcga.gain(rival, TIME));
        assert!(all.tcga.gain(rival, COST) > 0.02, "cost: {}", all.tcga.gain(rival, COST));
    }
}

#[test]
fn remembering_the_best_never_hurts_the_canonical_algorithm() {
    let (last, best) = (compare(Setting::Raw).unwrap(), compare(Setting::RawBestMet).unwrap());
    assert_eq!(last.tcga, best.tcga);
    assert!(best.ga.mean(TIME) < last.ga.mean(TIME));
    assert!(last.tcga.gain(&last.ga, TIME) > best.tcga.gain(&best.ga, TIME), "so the gain shrinks");
}

#[test]
fn everybody_is_far_from_the_limit_that_one_pass_over_the_tasks_reaches() {
    let all = compare(Setting::Sharp).unwrap();
    let limits = limits(&all.tcga).unwrap();
    assert!(limits.lpt[TIME] <= 1.002 * limits.time, "{limits:?}");
    for reached in [&all.tcga, &all.ga, &all.ga_both, &all.saiga] {
        assert!(reached.mean(TIME) > 1.1 * limits.time);
        assert!(reached.by_seed.len() == SEEDS.count() && reached.curve.len() == 101);
    }
    assert!(all.tcga.mean(COST) > limits.cost_within);
    assert!(all.tcga.mean(COST) > limits.lpt[COST], "that pass is cheaper, too");
}

/// T002-2.
#[test]
fn the_hybrid_comes_within_half_a_percent_of_the_least_time_and_one_of_the_front() {
    for seed in SEEDS {
        let fronts = fronts(seed).unwrap();
        assert!((1.0..=1.005).contains(&fronts.time_ratio), "seed {seed}: {}", fronts.time_ratio);
        assert!((1.0..=1.0001).contains(&fronts.local_ratio), "seed {seed}: {}", fronts.local_ratio);
        let share = fronts.hybrid.hypervolume;
        assert!((0.99..=1.0).contains(&share), "seed {seed}: {share}");
        assert!(share >= fronts.starts.hypervolume, "seed {seed}: the search loses nothing");
        assert!(fronts.alone.hypervolume < 0.25, "seed {seed}: the starts do the work");
    }
}

#[test]
fn no_schedule_lies_beyond_the_limit() {
    let fronts = fronts(2).unwrap();
    for set in [&fronts.alone, &fronts.with_lpt, &fronts.starts, &fronts.hybrid] {
        for point in &set.points {
            let least = fronts.limit.cost_within(point[TIME] * (1.0 + 1e-12)).expect("done after the least time");
            assert!(point[COST] >= least * (1.0 - 1e-12), "{point:?}");
        }
    }
}

#[test]
fn the_section_shows_every_claim_in_every_setting() {
    let section = section().unwrap();
    assert_eq!(section.figures.len(), 4 * 3 + 3);
    let text = section.markdown("papers");
    assert!(["raw", "sharp", "best met", "T*", "tcga-front.svg"].iter().all(|part| text.contains(part)), "{text}");
    assert!(section.plots.iter().all(|plot| plot.svg().is_ok()));
}
