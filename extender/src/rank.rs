//! From a profile's scores to the protocol's 0..=10.
//!
//! Promises that exactly one candidate has 10, whatever the scores: ties are broken
//! by a hash of the pod, the profile and the row, so that the same cycle gives the
//! same answer and different pods do not all fall on the first node. Knows no names.

use std::cmp::Ordering;

use crate::wire::prioritize::Priority;

/// What a candidate that is no row of the snapshot scores: less than any row.
pub const UNKNOWN: f64 = -1.0;

/// The candidates that a cycle tells apart: one for each number from 10 to 0. kube-scheduler takes longer to read a score
/// than Gantry to give it, and waits for all of them.
pub const GRADED: usize = 11;

/// Maps scores, one of each of so many `candidates`, to priorities: the best alone 10, those behind it from 9 down to 0 by
/// rank, the last of [`GRADED`] 0 and whoever comes after it.
///
/// Ranks rather than differences, because the objective's scale changes with the load of the cluster. The distance
/// between the first two is what outvotes in-tree scores: 10 points times the extender's weight.
///
/// `best` has the best candidates' positions, best first, as [`best`] gives them.
#[must_use]
pub fn priorities(best: &[usize], candidates: usize) -> Vec<Priority> {
    let mut priorities = vec![Priority::MIN; candidates];
    for (rank, position) in best.iter().enumerate() {
        priorities[*position] = priority(rank, best.len());
    }
    priorities
}

/// The positions of the [`GRADED`] best candidates, or of all where there are fewer: the first of their [`order`].
#[must_use]
pub fn best(scores: &[f64], seed: u64) -> Vec<usize> {
    let mut keyed = keyed(scores, seed);
    if keyed.len() > GRADED {
        keyed.select_nth_unstable_by(GRADED, before);
        keyed.truncate(GRADED);
    }
    sorted(keyed)
}

/// The positions of the candidates, best first; `scores` has one a candidate. Higher scores come first, equal ones by
/// hash, and the position is last, so that the order is total.
#[must_use]
pub fn order(scores: &[f64], seed: u64) -> Vec<usize> {
    sorted(keyed(scores, seed))
}

/// A candidate's score, what breaks its ties, and its position.
type Keyed = (f64, u64, usize);

fn keyed(scores: &[f64], seed: u64) -> Vec<Keyed> {
    let tie = |position: usize| mix(seed ^ mix(position as u64));
    scores.iter().enumerate().map(|(position, score)| (*score, tie(position), position)).collect()
}

fn before(one: &Keyed, other: &Keyed) -> Ordering {
    other.0.total_cmp(&one.0).then_with(|| (one.1, one.2).cmp(&(other.1, other.2)))
}

fn sorted(mut keyed: Vec<Keyed>) -> Vec<usize> {
    keyed.sort_unstable_by(before);
    keyed.into_iter().map(|(.., position)| position).collect()
}

/// The seed of a cycle's ties.
#[must_use]
pub fn seed(pod_uid: &str, profile: &str) -> u64 {
    let bytes = pod_uid.bytes().chain([0xff]).chain(profile.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| mix(hash ^ u64::from(byte)))
}

fn priority(rank: usize, graded: usize) -> Priority {
    match rank {
        0 => Priority::MAX,
        _ if graded == 2 => Priority::MIN,
        _ => Priority::saturating(9 * (graded - 1 - rank) / (graded - 2)),
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014, DOI 10.1145/2660193.2660195): every bit in moves every bit out.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(scores: &[f64], seed: u64) -> Vec<u8> {
        priorities(&best(scores, seed), scores.len()).into_iter().map(Priority::get).collect()
    }

    #[test]
    fn the_best_has_10_the_last_0_and_the_rest_go_by_rank() {
        assert_eq!(numbers(&[], 1), [0; 0]);
        assert_eq!(numbers(&[3.0], 1), [10]);
        assert_eq!(numbers(&[1.0, 2.0], 1), [0, 10]);
        assert_eq!(numbers(&[50.0, 90.0, 70.0], 1), [0, 10, 9]);
        assert_eq!(numbers(&[5.0, 4.0, 3.0, 2.0, 1.0], 1), [10, 9, 6, 3, 0]);
    }

    #[test]
    fn in_a_large_cluster_only_the_best_are_told_apart() {
        let scores: Vec<f64> = (0..5000).map(f64::from).rev().collect();
        let numbers = numbers(&scores, 1);
        assert_eq!(numbers[..12], [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]);
        assert_eq!(numbers.iter().filter(|number| **number > 0).count(), 10);
    }

    #[test]
    fn ties_fall_differently_for_different_pods() {
        let best_of = |pod: usize| order(&[1.0; 8], seed(&format!("uid-{pod}"), "default-scheduler"))[0];
        let distinct: std::collections::HashSet<usize> = (0..64).map(best_of).collect();
        assert_eq!(distinct.len(), 8);
    }

    #[test]
    fn the_seed_depends_on_pod_and_profile() {
        assert_ne!(seed("a", "b"), seed("ab", ""));
        assert_ne!(seed("a", "b"), seed("a", "c"));
    }

    proptest! {
        #[test]
        fn exactly_one_candidate_has_10_and_higher_scores_never_rank_lower(
            scores in prop::collection::vec(prop_oneof![Just(UNKNOWN), 0.0..=100.0f64, Just(50.0)], 1..200),
            seed in any::<u64>(),
        ) {
            let (order, best) = (order(&scores, seed), best(&scores, seed));
            prop_assert_eq!(&best[..], &order[..scores.len().min(GRADED)]);
            let ranked = priorities(&best, scores.len());
            prop_assert_eq!(ranked.iter().filter(|priority| **priority == Priority::MAX).count(), 1);
            prop_assert_eq!(ranked[order[0]], Priority::MAX);
            for (a, b) in (0..scores.len()).zip(1..scores.len()) {
                prop_assert!(scores[a] <= scores[b] || ranked[a] >= ranked[b]);
            }
        }
    }
}
