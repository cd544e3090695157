//! What is asserted of the bee colony, on the figures that the report prints.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic like the test itself")]

use std::sync::OnceLock;

use gantry_papers::mabc::{Comparison, EVALUATIONS, Method, SEEDS, Trial, endings, master_slave, trials};
use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::rng::Rng;
use gantry_solver::sources::mabc::Hive;

fn small_trials() -> &'static [Trial; SEEDS.len()] {
    static TRIALS: OnceLock<[Trial; SEEDS.len()]> = OnceLock::new();
    TRIALS.get_or_init(|| trials(50, 8).unwrap())
}

fn small() -> &'static Comparison {
    static COMPARISON: OnceLock<Comparison> = OnceLock::new();
    COMPARISON.get_or_init(|| Comparison::run(small_trials(), (50, 8)).unwrap())
}

fn large_trials() -> &'static [Trial; SEEDS.len()] {
    static TRIALS: OnceLock<[Trial; SEEDS.len()]> = OnceLock::new();
    TRIALS.get_or_init(|| trials(200, 20).unwrap())
}

fn large() -> &'static Comparison {
    static COMPARISON: OnceLock<Comparison> = OnceLock::new();
    COMPARISON.get_or_init(|| Comparison::run(large_trials(), (200, 20)).unwrap())
}

#[test]
fn the_colony_dominates_nearly_twice_what_random_search_does() {
    for comparison in [small(), large()] {
        let (colony, random) = (comparison.mean(Method::Colony), comparison.mean(Method::Random));
        assert!(colony >= 1.8 * random, "{:?}: {colony} against {random}", comparison.size);
    }
}

#[test]
fn a_colony_seeded_by_the_greedy_improves_on_it() {
    for comparison in [small(), large()] {
        let (seeded, greedy) = (comparison.mean(Method::SeededColony), comparison.mean(Method::Greedy41));
        assert!(seeded > greedy, "{:?}: {seeded} against {greedy}", comparison.size);
    }
}

#[test]
fn without_seeds_the_colony_stays_behind_the_greedy_the_more_the_larger() {
    let ratio = |comparison: &Comparison| comparison.mean(Method::Colony) / comparison.mean(Method::Greedy41);
    assert!(ratio(small()) < 0.9 && ratio(large()) < 0.4, "{} and {}", ratio(small()), ratio(large()));
}

/// The specification's 0.9 does not hold: 0.899 and 0.76 were measured, and the report says so.
#[test]
fn slaves_lose_at_equal_evaluations() {
    for (comparison, least) in [(small(), 0.85), (large(), 0.7)] {
        let single = comparison.mean(Method::Colony);
        let equal = comparison.mean(Method::MasterSlave);
        assert!(equal >= least * single, "{:?}: {equal} against {single}", comparison.size);
    }
}

#[test]
fn on_cores_of_their_own_slaves_win_time_unless_the_master_searches_too() {
    for comparison in [small(), large()] {
        let single = comparison.mean(Method::Colony);
        let (leading, gathering) = (comparison.mean(Method::FourCores), comparison.mean(Method::FourCoresNoLead));
        assert!(gathering > 1.05 * single, "{:?}: {gathering} against {single}", comparison.size);
        assert!((0.9 * single..1.05 * single).contains(&leading), "{:?}: {leading}", comparison.size);
    }
}

#[test]
fn seeded_slaves_are_as_good_as_one_seeded_colony() {
    for comparison in [small(), large()] {
        let (slaves, single) = (comparison.mean(Method::SeededMasterSlave), comparison.mean(Method::SeededColony));
        assert!(slaves >= 0.98 * single, "{:?}: {slaves} against {single}", comparison.size);
    }
}

#[test]
fn no_front_reaches_the_limit() {
    for comparison in [small(), large()] {
        assert!(comparison.shares.iter().flatten().all(|share| (0.0..1.0).contains(share)), "{comparison:?}");
    }
}

#[test]
fn every_member_is_feasible_inside_the_limit_and_dominated_by_none() {
    for trial in small_trials().iter().chain(large_trials()) {
        for method in [Method::Colony, Method::MasterSlave, Method::SeededColony, Method::SeededMasterSlave] {
            let front = trial.front(method).unwrap();
            assert!((5..=100).contains(&front.len()), "{method:?}: {}", front.len());
            for member in &front {
                let f = member.score.objectives.as_slice();
                assert!(member.score.is_feasible(), "{method:?}");
                assert!(trial.bound.contains([f[0], f[1]]), "{method:?}: {f:?}");
                assert!(!front.iter().any(|other| other.score.dominates(&member.score)), "{method:?}: {f:?}");
            }
        }
    }
}

#[test]
fn slaves_on_threads_find_what_slaves_in_turn_find() {
    let trial = &small_trials()[0];
    let run = |threads: bool| {
        let budget = Budget::evaluations(EVALUATIONS);
        let mut hive = Hive::new(master_slave(), &trial.problem, &[], budget, &mut Rng::stream(trial.seed, 2)).unwrap();
        while let Some(share) = hive.next_round() {
            std::thread::scope(|scope| {
                // Backwards, so that the order shows if it counts.
                for slave in hive.slaves().iter_mut().rev() {
                    let worker = scope.spawn(move || slave.run(Budget::evaluations(share)));
                    if !threads {
                        worker.join().unwrap();
                    }
                }
            });
            hive.gather();
        }
        hive.finish()
    };
    let in_turn = trial.search(master_slave(), &[], EVALUATIONS).unwrap();
    assert_eq!(run(true), in_turn);
    assert_eq!(run(false), in_turn);
}

#[test]
fn every_ending_says_why() {
    let endings = endings(&small_trials()[0]).unwrap();
    let reasons: Vec<TerminationReason> = endings.iter().map(|ending| ending.found.reason).collect();
    let expected = [
        TerminationReason::Budget,
        TerminationReason::Generations,
        TerminationReason::Stalled,
        TerminationReason::NotWorthwhile,
        TerminationReason::NotWorthwhile,
        TerminationReason::Budget,
    ];
    assert_eq!(reasons, expected);
    let (cheap, dear) = (&endings[3], &endings[4]);
    assert!(dear.found.evaluations <= cheap.found.evaluations && dear.share <= cheap.share);
}
