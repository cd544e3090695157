//! From scores to one fitness an objective: equations (6) and (8).
//!
//! Promises: fitness is finite and at least 0, and larger is better. Must not know: genes, operators.

use super::adaptation::Extent;
use crate::score::{MAX_OBJECTIVES, Objectives, Score};

/// The least value that a fitness is the reciprocal of. It keeps an objective of 0 from drowning all others.
const LEAST_VALUE: f64 = 1e-9;

/// How a value to minimise becomes a fitness. `y_k = f_k / f̄_k + λ v`, with `f̄_k` the mean of generation 0 and `v` the
/// violation; `favour_k` is the problem's ([`Problem::favour`](crate::problem::Problem::favour)), `ulb` for the time of
/// tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FitnessMap {
    /// `favour_k / y_k`: equations (6) and (8). For objectives above 0; others all count as nearly 0.
    #[default]
    Reciprocal,
    /// `favour_k (max y_k - y_k)`, the maximum being that of the generation: for objectives of any sign. An extension.
    Gap,
}

/// What there is to know of an individual for its fitness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Merit {
    pub(super) score: Score,
    pub(super) favour: [f64; MAX_OBJECTIVES],
}

/// The mean of each objective in generation 0: what one is measured by, so that time and cost weigh the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale([f64; MAX_OBJECTIVES]);

impl Scale {
    /// Means of absolute size; 1 where the mean is 0 or no number.
    pub(super) fn of(merits: &[Merit]) -> Self {
        let mean = |k: usize| {
            let sum: f64 = merits.iter().filter_map(|merit| merit.score.objectives.as_slice().get(k)).sum();
            Some((sum / merits.len() as f64).abs()).filter(|mean| mean.is_finite() && *mean > 0.0).unwrap_or(1.0)
        };
        Self(std::array::from_fn(mean))
    }

    /// The weights of the source's headline \[I\]: the mean of the `objectives` objectives, each over its own scale.
    pub(super) fn weights(&self, objectives: usize) -> Objectives {
        let weights = self.0.map(|scale| 1.0 / (scale * objectives as f64));
        Objectives::new(&weights[..objectives])
    }
}

/// The fitnesses of a population.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fitness {
    /// One list an objective, in the order of the population.
    pub(super) by_objective: Vec<Vec<f64>>,
    /// `f = Σ_k (fit_k / mean fit_k) / K` \[I\]: what enters where the source speaks of one fitness.
    pub(super) joint: Vec<f64>,
    /// The extent of `joint`.
    pub(super) extent: Extent,
}

impl Fitness {
    pub(super) fn of(merits: &[Merit], objectives: usize, map: FitnessMap, scale: &Scale, penalty: f64) -> Self {
        let of_objective = |k: usize| -> Vec<f64> {
            let value =
                |merit: &Merit| merit.score.objectives.as_slice()[k] / scale.0[k] + penalty * merit.score.violation;
            let worst = merits.iter().map(value).filter(|value| value.is_finite()).fold(f64::NEG_INFINITY, f64::max);
            let fitness = |merit: &Merit| {
                let fitness = match map {
                    FitnessMap::Reciprocal => merit.favour[k] / value(merit).max(LEAST_VALUE),
                    FitnessMap::Gap => merit.favour[k] * (worst - value(merit)),
                };
                if fitness.is_finite() && !value(merit).is_nan() { fitness.max(0.0) } else { 0.0 }
            };
            merits.iter().map(fitness).collect()
        };
        let by_objective: Vec<Vec<f64>> = (0..objectives).map(of_objective).collect();
        let mut joint = vec![0.0; merits.len()];
        for fitness in &by_objective {
            let mean = Extent::of(fitness).mean;
            let share = if mean > 0.0 { 1.0 / (mean * objectives as f64) } else { 0.0 };
            joint.iter_mut().zip(fitness).for_each(|(joint, fitness)| *joint += fitness * share);
        }
        let extent = Extent::of(&joint);
        Self { by_objective, joint, extent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merits(values: &[[f64; 2]]) -> Vec<Merit> {
        let merit = |f: &[f64; 2]| Merit {
            score: Score { violation: 0.0, objectives: Objectives::new(f) },
            favour: [0.5, 1.0, 1.0, 1.0],
        };
        values.iter().map(merit).collect()
    }

    fn fitness(values: &[[f64; 2]], map: FitnessMap) -> Fitness {
        let merits = merits(values);
        Fitness::of(&merits, 2, map, &Scale::of(&merits), 10.0)
    }

    #[test]
    fn fitness_is_the_favour_over_the_scaled_objective() {
        let fitness = fitness(&[[1.0, 30.0], [3.0, 10.0]], FitnessMap::Reciprocal);
        assert_eq!(fitness.by_objective, [[1.0, 0.5 / 1.5], [1.0 / 1.5, 2.0]]);
        assert!((fitness.extent.mean - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_gap_takes_any_sign() {
        let fitness = fitness(&[[-1.0, 0.0], [-3.0, 0.0]], FitnessMap::Gap);
        assert_eq!(fitness.by_objective, [[0.0, 0.5], [0.0, 0.0]]);
    }

    #[test]
    fn what_is_no_number_has_no_fitness() {
        for map in [FitnessMap::Reciprocal, FitnessMap::Gap] {
            let fitness = fitness(&[[f64::NAN, 1.0], [f64::INFINITY, 1.0], [2.0, 0.0], [1.0, -1.0]], map);
            assert_eq!(fitness.by_objective[0][..2], [0.0, 0.0], "{map:?}");
            assert!(fitness.joint.iter().all(|joint| joint.is_finite()), "{map:?}: {fitness:?}");
        }
    }

    #[test]
    fn a_broken_limit_lowers_every_fitness() {
        let mut merits = merits(&[[1.0, 1.0], [1.0, 1.0]]);
        merits[1].score.violation = 0.5;
        let scale = Scale::of(&merits);
        let fitness = Fitness::of(&merits, 2, FitnessMap::Reciprocal, &scale, 10.0);
        assert!(fitness.by_objective.iter().all(|fitness| fitness[1] * 5.0 < fitness[0]));
    }
}
