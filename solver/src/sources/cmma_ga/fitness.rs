//! What a vector is worth: from costs to what roulettes and pheromone need.
//!
//! Promises: fitness is above 0 and finite for every cost, never smaller for a better one, and that of a vector that
//! breaks hard limits is never above that of one that breaks none. Must not know: genes.

use crate::score::Cost;

/// The fitness of a vector that is worth nothing. Above 0, so that something is deposited and drawn in every case; next
/// to the fitness of 1 of a good vector it is nothing.
const LEAST: f64 = 1e-3;

/// A vector a million times as good as the first ones needs no more room; eq. (5) must stay finite.
const MOST: f64 = 1e6;

/// What `f` of the source's equations is. Pheromone has no unit, so `f` counts up to a factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fitness {
    /// `f = -cost`, as in the source, whose cost is the negative of the quality of service. Costs must be below 0.
    Negated,
    /// \[I\] How much less a vector costs than the worst of the first ones, with an offset that gives the worst of them
    /// half the fitness of the best: works for every problem, and selects about as sharply as the source's.
    #[default]
    Gain,
}

/// Fitness in units of that of the best of the first vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitnessScale {
    /// The cost at which fitness becomes 0.
    zero: f64,
    unit: f64,
}

impl Default for FitnessScale {
    fn default() -> Self {
        Self { zero: 0.0, unit: 1.0 }
    }
}

impl FitnessScale {
    /// The scale of a run that starts with vectors of these costs.
    #[must_use]
    pub fn new(fitness: Fitness, costs: impl Iterator<Item = Cost> + Clone) -> Self {
        let values = costs.map(|cost| cost.value).filter(|value| value.is_finite());
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let zero = match fitness {
            Fitness::Negated => 0.0,
            Fitness::Gain => 2.0 * values.fold(f64::NEG_INFINITY, f64::max) - least,
        };
        let width = zero - least;
        if width.is_finite() && width > 0.0 {
            Self { zero, unit: 1.0 / width }
        } else {
            Self { zero, ..Self::default() }
        }
    }

    /// The fitness of a cost.
    #[must_use]
    pub fn fitness(&self, cost: &Cost) -> f64 {
        if cost.violation == 0.0 {
            let fitness = (self.zero - cost.value) * self.unit;
            if fitness.is_nan() { LEAST } else { fitness.clamp(LEAST, MOST) }
        } else {
            (LEAST / (1.0 + cost.violation)).max(f64::MIN_POSITIVE)
        }
    }
}

/// `base^exponent` by multiplication, which is the same on every machine. The usual exponents go without a loop: this is
/// where ants spend their time.
#[inline]
pub(super) fn power(base: f64, exponent: u32) -> f64 {
    match exponent {
        1 => base,
        2 => base * base,
        _ => (0..exponent).fold(1.0, |power, _| power * base),
    }
}

/// The `degree`-th root of a number from 0 to 1, by bisection for the same reason.
pub(super) fn root(number: f64, degree: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..f64::MANTISSA_DIGITS {
        let middle = 0.5 * (low + high);
        if whole_power(middle, degree) < number {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn whole_power(mut base: f64, mut exponent: usize) -> f64 {
    let mut power = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            power *= base;
        }
        base *= base;
        exponent /= 2;
    }
    power
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(violation: f64, value: f64) -> Cost {
        Cost { violation, value }
    }

    proptest! {
        #[test]
        fn a_better_cost_is_never_less_fit(
            a in (0.0..2.0_f64, -9.0..9.0_f64), b in (0.0..2.0_f64, -9.0..9.0_f64),
            first in prop::collection::vec(-9.0..9.0_f64, 0..5), negated: bool,
        ) {
            let clip = |(violation, value): (f64, f64)| cost((violation - 1.0).max(0.0), value);
            let fitness = if negated { Fitness::Negated } else { Fitness::Gain };
            let scale = FitnessScale::new(fitness, first.iter().map(|&value| cost(0.0, value)));
            let (a, b) = (clip(a), clip(b));
            let (better, worse) = if a <= b { (a, b) } else { (b, a) };
            prop_assert!(scale.fitness(&better) >= scale.fitness(&worse));
            prop_assert!(scale.fitness(&worse) > 0.0);
        }

        #[test]
        fn a_root_to_its_degree_is_the_number(number in 1e-6..1.0_f64, degree in 1..20_000_usize) {
            let expected = number.powf(1.0 / degree as f64);
            prop_assert!((root(number, degree) - expected).abs() < 1e-14);
        }
    }

    #[test]
    fn what_is_not_a_number_has_the_least_fitness() {
        for scale in [FitnessScale::default(), FitnessScale::new(Fitness::Gain, [cost(0.0, f64::NAN)].into_iter())] {
            for odd in [cost(0.0, f64::NAN), cost(0.0, f64::INFINITY), cost(f64::NAN, 0.0), Cost::WORST] {
                assert!((0.0..=LEAST).contains(&scale.fitness(&odd)), "{odd:?}");
            }
            assert!(scale.fitness(&cost(0.0, f64::NEG_INFINITY)).is_finite());
        }
    }

    #[test]
    fn the_best_of_the_first_vectors_has_fitness_one() {
        let first = [cost(0.0, -0.4), cost(0.0, -0.5)];
        let negated = FitnessScale::new(Fitness::Negated, first.into_iter());
        let gain = FitnessScale::new(Fitness::Gain, first.into_iter());
        assert!((negated.fitness(&first[1]) - 1.0).abs() < 1e-12 && (gain.fitness(&first[1]) - 1.0).abs() < 1e-12);
        assert!((negated.fitness(&first[0]) - 0.8).abs() < 1e-12 && (gain.fitness(&first[0]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn powers_multiply() {
        assert_eq!((power(3.0, 0), power(3.0, 1), power(3.0, 4)), (1.0, 3.0, 81.0));
    }
}
