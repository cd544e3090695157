//! Which food sources are kept: by rank, then by crowding distance.
//!
//! Promises: no source is dropped for one that it dominates; those kept stay in their order. Must not know: genes.

use crate::archive::{crowding, ranks};
use crate::individual::Individual;
use crate::score::Score;

/// A food source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) individual: Individual,
    /// How often it was searched in vain.
    pub(super) trials: u32,
}

impl Source {
    pub(super) const fn fresh(individual: Individual) -> Self {
        Self { individual, trials: 0 }
    }

    pub(super) const fn score(&self) -> &Score {
        &self.individual.score
    }
}

/// Drops sources until `capacity` are left, the highest rank first, in a rank the least crowding distance first; returns
/// the ranks of those left.
pub(super) fn filter(sources: &mut Vec<Source>, capacity: usize) -> Vec<usize> {
    let scores: Vec<Score> = sources.iter().map(|source| *source.score()).collect();
    let ranks = ranks(&scores);
    if sources.len() <= capacity {
        return ranks;
    }
    let distances = crowding_by_rank(&scores, &ranks);
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by(|&a, &b| ranks[a].cmp(&ranks[b]).then(distances[b].total_cmp(&distances[a])));
    let mut kept = vec![false; sources.len()];
    order[..capacity].iter().for_each(|&index| kept[index] = true);
    let mut keep = kept.iter();
    sources.retain(|_| keep.next().copied().unwrap_or(false));
    ranks.into_iter().zip(kept).filter_map(|(rank, kept)| kept.then_some(rank)).collect()
}

/// The crowding distance of each score among those of its rank.
fn crowding_by_rank(scores: &[Score], ranks: &[usize]) -> Vec<f64> {
    let mut distances = vec![0.0; scores.len()];
    for rank in 0..=ranks.iter().copied().max().unwrap_or(0) {
        let members: Vec<usize> = (0..scores.len()).filter(|&index| ranks[index] == rank).collect();
        let of_rank: Vec<Score> = members.iter().map(|&index| scores[index]).collect();
        for (member, distance) in members.into_iter().zip(crowding(&of_rank)) {
            distances[member] = distance;
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Objectives;

    #[test]
    fn the_worst_rank_goes_first_then_the_most_crowded() {
        let points = [[9.0, 9.0], [0.0, 4.0], [1.9, 2.1], [2.0, 2.0], [4.0, 0.0], [5.0, 5.0]];
        let source = |f: &[f64; 2]| {
            let score = Score { violation: 0.0, objectives: Objectives::new(f) };
            Source::fresh(Individual { genome: Vec::new(), score })
        };
        let left = |capacity| {
            let mut sources: Vec<Source> = points.iter().map(source).collect();
            let ranks = filter(&mut sources, capacity);
            let firsts = sources.iter().map(|source| source.score().objectives.as_slice()[0]);
            firsts.zip(ranks).collect::<Vec<_>>()
        };
        assert_eq!(left(5), [(0.0, 0), (1.9, 0), (2.0, 0), (4.0, 0), (5.0, 1)]);
        assert_eq!(left(3).iter().map(|(first, _)| *first).collect::<Vec<_>>(), [0.0, 2.0, 4.0]);
        assert_eq!(left(9).len(), 6);
    }
}
