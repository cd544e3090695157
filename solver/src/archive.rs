//! Solutions none of which dominates another, and how they lie to each other.
//!
//! Promises: members are mutually non-dominated after every operation; the extremes of a front are cut last; the same
//! insertions in the same order give the same archive. Must not know: genes, problems.

use std::cmp::Ordering;

use crate::individual::Individual;
use crate::score::{Objectives, Score};

/// A bounded set of non-dominated solutions, in the order of insertion.
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    capacity: usize,
    members: Vec<Individual>,
}

impl Archive {
    /// An empty archive of at most `capacity` members, at least 1.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { capacity: if capacity == 0 { 1 } else { capacity }, members: Vec::new() }
    }

    /// Takes a solution unless a member dominates it or has the same score; drops the members that it dominates, and
    /// the most crowded one if there are too many. Says whether it was taken (and not cut at once).
    pub fn insert(&mut self, candidate: Individual) -> bool {
        let covers = |member: &Individual| member.score.dominates(&candidate.score) || member.score == candidate.score;
        if self.members.iter().any(covers) {
            return false;
        }
        self.members.retain(|member| !candidate.score.dominates(&member.score));
        self.members.push(candidate);
        if self.members.len() <= self.capacity {
            return true;
        }
        let cut = self.most_crowded();
        let newest = self.members.len() - 1;
        self.members.remove(cut);
        cut != newest
    }

    /// The first of the members with the least crowding distance.
    fn most_crowded(&self) -> usize {
        let scores: Vec<Score> = self.members.iter().map(|member| member.score).collect();
        let distances = crowding(&scores);
        (0..distances.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap_or(0)
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &[Individual] {
        &self.members
    }

    /// The members, no longer as an archive.
    #[must_use]
    pub fn into_members(self) -> Vec<Individual> {
        self.members
    }

    /// The number of members.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// The rank of each score: 0 for those that none dominates, 1 for those that only scores of rank 0 dominate, and so on
/// (fast non-dominated sort, Deb et al. 2002, doi:10.1109/4235.996017).
#[must_use]
pub fn ranks(scores: &[Score]) -> Vec<usize> {
    let count = scores.len();
    let mut dominators: Vec<usize> =
        scores.iter().map(|score| scores.iter().filter(|other| other.dominates(score)).count()).collect();
    let mut ranks = vec![0; count];
    let mut front: Vec<usize> = (0..count).filter(|&index| dominators[index] == 0).collect();
    let mut rank = 0;
    while !front.is_empty() {
        let mut next = Vec::new();
        for &member in &front {
            ranks[member] = rank;
            for other in (0..count).filter(|&other| scores[member].dominates(&scores[other])) {
                dominators[other] -= 1;
                if dominators[other] == 0 {
                    next.push(other);
                }
            }
        }
        next.sort_unstable();
        front = next;
        rank += 1;
    }
    ranks
}

/// The crowding distance of each score among the others, `Σ_k (f_k(i+1) - f_k(i-1)) / (f_k^max - f_k^min)`, infinite at
/// the ends (Deb et al. 2002). An objective in which all are equal counts nothing.
#[must_use]
pub fn crowding(scores: &[Score]) -> Vec<f64> {
    let mut distances = vec![0.0; scores.len()];
    let objectives = scores.first().map_or(0, |score| score.objectives.as_slice().len());
    let mut order: Vec<usize> = (0..scores.len()).collect();
    for k in 0..objectives {
        let f = |index: usize| scores[index].objectives.as_slice()[k];
        order.sort_by(|&a, &b| f(a).total_cmp(&f(b)));
        let (Some(&first), Some(&last)) = (order.first(), order.last()) else { continue };
        let width = f(last) - f(first);
        if width.partial_cmp(&0.0) != Some(Ordering::Greater) {
            continue;
        }
        (distances[first], distances[last]) = (f64::INFINITY, f64::INFINITY);
        for around in order.windows(3) {
            distances[around[1]] += (f(around[2]) - f(around[0])) / width;
        }
    }
    distances
}

/// The area that two-objective scores dominate below a reference point; what lies past the point counts nothing.
#[must_use]
pub fn hypervolume(front: &[Objectives], reference: [f64; 2]) -> f64 {
    let point = |objectives: &Objectives| match objectives.as_slice() {
        &[x, y, ..] if x < reference[0] && y < reference[1] => Some((x, y)),
        _ => None,
    };
    let mut points: Vec<(f64, f64)> = front.iter().filter_map(point).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut area, mut ceiling) = (0.0, reference[1]);
    for (x, y) in points {
        if y < ceiling {
            area += (reference[0] - x) * (ceiling - y);
            ceiling = y;
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn score(f: &[f64]) -> Score {
        Score { violation: 0.0, objectives: Objectives::new(f) }
    }

    fn individual(f: &[f64]) -> Individual {
        Individual { genome: Vec::new(), score: score(f) }
    }

    proptest! {
        #[test]
        fn members_never_dominate_each_other(points in prop::collection::vec((0_u8..20, 0_u8..20, 0_u8..2), 0..80)) {
            let mut archive = Archive::new(7);
            for (x, y, violation) in points {
                let score = Score { violation: f64::from(violation), ..score(&[f64::from(x), f64::from(y)]) };
                archive.insert(Individual { genome: Vec::new(), score });
                let members = archive.members();
                prop_assert!(members.len() <= 7);
                let dominated = |m: &Individual| members.iter().any(|other| other.score.dominates(&m.score));
                prop_assert!(!members.iter().any(dominated));
            }
        }

        #[test]
        fn a_rank_is_one_more_than_the_highest_that_dominates(
            points in prop::collection::vec((0_u8..9, 0_u8..9), 1..40),
        ) {
            let scores: Vec<Score> = points.iter().map(|&(x, y)| score(&[f64::from(x), f64::from(y)])).collect();
            let ranks = ranks(&scores);
            for (index, rank) in ranks.iter().enumerate() {
                let above = (0..scores.len()).filter(|&other| scores[other].dominates(&scores[index]));
                prop_assert_eq!(*rank, above.map(|other| ranks[other] + 1).max().unwrap_or(0));
            }
        }
    }

    #[test]
    fn the_most_crowded_member_is_cut_and_the_ends_stay() {
        let mut archive = Archive::new(3);
        for f in [[0.0, 10.0], [10.0, 0.0], [5.0, 5.0], [5.5, 4.5]] {
            archive.insert(individual(&f));
        }
        let kept: Vec<f64> = archive.members().iter().map(|member| member.score.objectives.as_slice()[0]).collect();
        assert_eq!((kept.len(), kept[0], kept[1]), (3, 0.0, 10.0));
        assert!(!archive.insert(individual(&[0.0, 10.0])), "the same score adds nothing");
    }

    #[test]
    fn the_hypervolume_is_the_area_of_the_staircase() {
        let front = [[1.0, 3.0], [2.0, 1.0], [3.0, 2.0], [9.0, 0.0]].map(|f| Objectives::new(&f));
        assert_eq!(hypervolume(&front, [4.0, 4.0]), 3.0 + 4.0);
        assert_eq!(hypervolume(&[], [1.0, 1.0]), 0.0);
    }
}
