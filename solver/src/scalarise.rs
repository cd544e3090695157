//! From several objectives to one number, where a search needs one.
//!
//! Promises: smaller stays better. Must not know: the problem.

use crate::score::{Cost, Objectives, Score};

/// How objectives become one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalarisation {
    /// The objective of this index alone, 0 being the first; one that does not exist counts as 0.
    Single(usize),
    /// The sum of the objectives times these weights, each at least 0.
    Weighted(Objectives),
    /// The largest of the weighted distances above a reference point, `max_k w_k (f_k - z_k)`: reaches every part of a
    /// front, its hollows too, which no weighted sum does.
    Chebyshev {
        /// The weights `w`, each at least 0.
        weights: Objectives,
        /// The reference point `z`, such as the least value of each objective.
        reference: Objectives,
    },
}

impl Default for Scalarisation {
    fn default() -> Self {
        Self::Single(0)
    }
}

impl Scalarisation {
    /// The one value.
    #[must_use]
    #[inline]
    pub fn value(&self, objectives: &Objectives) -> f64 {
        let values = objectives.as_slice();
        match self {
            Self::Single(index) => values.get(*index).copied().unwrap_or(0.0),
            Self::Weighted(weights) => values.iter().zip(weights.as_slice()).map(|(f, w)| f * w).sum(),
            Self::Chebyshev { weights, reference } => {
                let distances = values.iter().zip(reference.as_slice()).map(|(f, z)| f - z);
                let weighted = distances.zip(weights.as_slice()).map(|(distance, w)| distance * w);
                weighted.fold(f64::NEG_INFINITY, f64::max)
            }
        }
    }

    /// The one value of a problem that has a single objective: the same, without a list to look through.
    #[must_use]
    #[inline]
    pub fn value_of_single(&self, objective: f64) -> f64 {
        if *self == Self::Single(0) { objective } else { self.value(&Objectives::single(objective)) }
    }

    /// The first number that makes no sense: a weight that is not finite or below 0, or a part of the reference that is
    /// not finite.
    #[must_use]
    pub fn fault(&self) -> Option<f64> {
        let first = |numbers: &Objectives, least: f64| {
            numbers.as_slice().iter().copied().find(|number| !(least..=f64::MAX).contains(number))
        };
        match self {
            Self::Single(_) => None,
            Self::Weighted(weights) => first(weights, 0.0),
            Self::Chebyshev { weights, reference } => first(weights, 0.0).or_else(|| first(reference, f64::MIN)),
        }
    }

    /// A score as a cost.
    #[must_use]
    #[inline]
    pub fn cost(&self, score: &Score) -> Cost {
        Cost { violation: score.violation, value: self.value(&score.objectives) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_objective_is_itself() {
        let f = Objectives::new(&[3.0, 5.0]);
        assert_eq!(Scalarisation::Single(1).value(&f), 5.0);
        assert_eq!(Scalarisation::Single(2).value(&f), 0.0);
    }

    #[test]
    fn the_largest_weighted_distance_counts() {
        let chebyshev =
            Scalarisation::Chebyshev { weights: Objectives::new(&[1.0, 2.0]), reference: Objectives::new(&[1.0, 1.0]) };
        assert_eq!(chebyshev.value(&Objectives::new(&[4.0, 2.0])), 3.0);
        assert_eq!(chebyshev.value(&Objectives::new(&[2.0, 3.0])), 4.0);
    }

    #[test]
    fn weights_multiply_and_add() {
        let weights = Scalarisation::Weighted(Objectives::new(&[1.0, 0.01]));
        assert_eq!(weights.value(&Objectives::new(&[3.0, 50.0])), 3.5);
    }
}
