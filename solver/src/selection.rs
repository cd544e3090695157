//! Choosing parents.
//!
//! Promises: a better fitness is never less likely. Must not know: genes.

use crate::rng::Rng;

/// Fitness-proportional selection, the roulette wheel (Holland 1975): `P_k = Fit_k / Σ Fit`.
#[derive(Clone, Debug)]
pub struct Roulette {
    cumulative: Vec<f64>,
}

impl Roulette {
    /// A wheel over fitnesses; larger is better, and one that is not above 0 is never drawn unless all are so. Then
    /// every individual is equally likely.
    #[must_use]
    pub fn new(fitness: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = fitness
            .map(|fitness| {
                sum += fitness.max(0.0);
                sum
            })
            .collect();
        if sum <= 0.0 || !sum.is_finite() {
            cumulative.iter_mut().enumerate().for_each(|(index, sum)| *sum = (index + 1) as f64);
        }
        Self { cumulative }
    }

    /// The index of a parent; there must be at least one individual.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let point = rng.unit() * total;
        self.cumulative.partition_point(|&sum| sum <= point).min(self.cumulative.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(fitness: &[f64]) -> Vec<f64> {
        let (wheel, mut rng) = (Roulette::new(fitness.iter().copied()), Rng::new(5));
        let mut counts = vec![0.0; fitness.len()];
        (0..40_000).for_each(|_| counts[wheel.draw(&mut rng)] += 1.0 / 40_000.0);
        counts
    }

    #[test]
    fn parents_are_drawn_in_proportion_to_fitness() {
        let shares = shares(&[1.0, 0.0, 3.0, -2.0]);
        assert!((shares[0] - 0.25).abs() < 0.01 && (shares[2] - 0.75).abs() < 0.01, "{shares:?}");
        assert_eq!((shares[1], shares[3]), (0.0, 0.0));
    }

    #[test]
    fn without_any_fitness_all_are_equally_likely() {
        for fitness in [[0.0; 4], [f64::INFINITY, 1.0, 1.0, 1.0]] {
            assert!(shares(&fitness).iter().all(|share| (share - 0.25).abs() < 0.02), "{fitness:?}");
        }
    }
}
