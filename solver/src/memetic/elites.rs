//! The best solutions of different runs.
//!
//! Promises: best first, none twice, and the best is never lost. Must not know: how they were found.

use crate::individual::Individual;
use crate::problem::Genome;
use crate::rng::Rng;
use crate::scalarise::Scalarisation;

/// At most so many solutions, best first.
#[derive(Clone, Debug)]
pub(super) struct Elites {
    capacity: usize,
    by: Scalarisation,
    members: Vec<Individual>,
}

impl Elites {
    pub(super) const fn new(capacity: usize, by: Scalarisation) -> Self {
        Self { capacity, by, members: Vec::new() }
    }

    /// Takes a solution unless there is one of the same cost; drops the last one if there are too many.
    pub(super) fn insert(&mut self, candidate: Individual) {
        let cost = self.by.cost(&candidate.score);
        let place = self.members.partition_point(|member| self.by.cost(&member.score) < cost);
        let is_known = self.members.get(place).is_some_and(|member| self.by.cost(&member.score) == cost);
        if !is_known {
            self.members.insert(place, candidate);
            self.members.truncate(self.capacity);
        }
    }

    /// The best; there is always one.
    pub(super) fn best(&self) -> &Individual {
        &self.members[0]
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Two different members, of at least two.
    pub(super) fn two(&self, rng: &mut Rng) -> (Genome, Genome) {
        let count = self.members.len() as u32;
        let first = rng.below(count);
        let second = (first + 1 + rng.below(count - 1)) % count;
        (self.members[first as usize].genome.clone(), self.members[second as usize].genome.clone())
    }

    /// The least, the mean and the largest value.
    pub(super) fn range(&self) -> (f64, f64, f64) {
        let values = || self.members.iter().map(|member| self.by.value(&member.score.objectives));
        let least = values().fold(f64::INFINITY, f64::min);
        let largest = values().fold(f64::NEG_INFINITY, f64::max);
        (least, values().sum::<f64>() / self.members.len() as f64, largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{Objectives, Score};

    fn individual(value: f64) -> Individual {
        Individual {
            genome: vec![value as u32],
            score: Score { violation: 0.0, objectives: Objectives::single(value) },
        }
    }

    #[test]
    fn the_best_few_different_ones_stay_best_first() {
        let mut elites = Elites::new(3, Scalarisation::default());
        for value in [5.0, 3.0, 9.0, 3.0, 1.0, 7.0] {
            elites.insert(individual(value));
        }
        let kept: Vec<u32> = elites.members.iter().map(|member| member.genome[0]).collect();
        assert_eq!(kept, [1, 3, 5]);
        assert_eq!(elites.range(), (1.0, 3.0, 5.0));
    }

    #[test]
    fn two_parents_are_never_the_same() {
        let mut elites = Elites::new(4, Scalarisation::default());
        for value in [1.0, 2.0, 3.0] {
            elites.insert(individual(value));
        }
        let rng = &mut Rng::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let (first, second) = elites.two(rng);
            assert_ne!(first, second);
            seen.insert((first, second));
        }
        assert_eq!(seen.len(), 6);
    }
}
