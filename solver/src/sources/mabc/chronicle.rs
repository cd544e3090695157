//! What became of the archive's members, round by round.
//!
//! Promises: a member is as old as the rounds it has been in the archive without a gap. Must not know: genes.

use super::yardstick::Yardstick;
use crate::individual::Individual;
use crate::score::Score;

/// Ages of members and how the whole archive fared.
#[derive(Clone, Debug, Default)]
pub(super) struct Chronicle {
    /// Members of the last round, and the round that they came in.
    births: Vec<(Score, u64)>,
    mean_fitness_by_round: Vec<f64>,
}

impl Chronicle {
    /// Takes down the archive after a round.
    pub(super) fn record(&mut self, members: &[Individual], yardstick: &Yardstick) {
        let round = self.mean_fitness_by_round.len() as u64;
        let birth = |score: &Score| self.births.iter().find(|(known, _)| known == score).map_or(round, |(_, b)| *b);
        self.births = members.iter().map(|member| (member.score, birth(&member.score))).collect();
        let fitness = members.iter().map(|member| yardstick.fitness(&member.score.objectives));
        self.mean_fitness_by_round.push(fitness.sum::<f64>() / members.len().max(1) as f64);
    }

    /// Rounds since the one that a member came in.
    pub(super) fn age(&self, score: &Score) -> Option<u64> {
        let last = self.mean_fitness_by_round.len() as u64;
        self.births.iter().find(|(known, _)| known == score).map(|(_, birth)| last - 1 - birth)
    }

    /// The archive's mean fitness some rounds ago.
    pub(super) fn mean_fitness(&self, rounds_ago: u64) -> Option<f64> {
        self.mean_fitness_by_round.iter().rev().nth(usize::try_from(rounds_ago).ok()?).copied()
    }
}
