//! What is asserted of the dictionary GA, on the figures that the report prints.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic like the test itself")]

use gantry_papers::dictionary_ga::{SIZES, balance, contest, pull, race, section};

#[test]
fn the_dictionary_needs_at_most_three_quarters_of_the_generations() {
    let race = race(100, 10).unwrap();
    assert!(4 * race.dictionary <= 3 * race.standard, "{} against {}", race.dictionary, race.standard);
    assert!(race.finals[1] <= race.finals[0], "{:?}", race.finals);
}

#[test]
fn sigma_falls_to_a_third_of_what_the_stock_scheduler_reaches() {
    for balance in balance().unwrap() {
        assert_eq!(balance.complete, [true; 2], "seed {}", balance.seed);
        assert!(balance.ratio() >= 3.1, "seed {}: {}", balance.seed, balance.ratio());
    }
}

#[test]
fn disk_and_network_become_more_even() {
    for balance in balance().unwrap() {
        assert!(balance.evens_out(2) && balance.evens_out(3), "seed {}: {:?}", balance.seed, balance.spreads);
    }
}

#[test]
fn weights_draw_load_to_the_strong_node() {
    for pull in pull().unwrap() {
        let (stock, ours) = (&pull.stock, &pull.ours);
        assert!(ours[0] > stock[0] && ours[1] < stock[1] && ours[2] < stock[2], "{pull:?}");
        assert!(ours[1..].iter().all(|other| (ours[0] / other - 2.0).abs() < 0.05), "{pull:?}");
    }
}

#[test]
fn the_default_search_is_the_best_or_close_to_it_at_every_size() {
    for (pods, nodes) in SIZES {
        for pools in [false, true] {
            let contest = contest(pods, nodes, pools, 300_000).unwrap();
            let ours = contest.entry("Memetic").unwrap();
            assert_eq!(ours.failures, 0);
            assert!(ours.sigma >= contest.limit - 1e-4);
            for entry in contest.entries.iter().filter(|entry| entry.failures == 0) {
                let close = (0.05 * entry.sigma).clamp(0.05, 0.1);
                assert!(ours.sigma <= entry.sigma + close, "{contest:?}");
            }
        }
    }
}

#[test]
fn every_plot_of_the_section_can_be_drawn() {
    let section = section().unwrap();
    assert!(section.figures.len() >= 5 && section.plots.len() >= 3);
    assert!(section.plots.iter().all(|plot| plot.svg().is_ok()));
}
