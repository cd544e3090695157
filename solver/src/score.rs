//! The quality of a solution: broken hard limits first, then its objectives.
//!
//! Promises: feasible beats infeasible whatever the objectives, and the order is total even if a number is not one.
//! Must not know: what the objectives measure. All of them are minimised.

use std::cmp::Ordering;

/// The most objectives that a problem may have. Scores are made tens of millions of times a second, so they are held
/// in place; no problem here needs more than three.
pub const MAX_OBJECTIVES: usize = 4;

/// One to [`MAX_OBJECTIVES`] numbers to minimise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objectives {
    values: [f64; MAX_OBJECTIVES],
    len: usize,
}

impl Objectives {
    /// A single objective.
    #[must_use]
    pub const fn single(value: f64) -> Self {
        Self { values: [value, 0.0, 0.0, 0.0], len: 1 }
    }

    /// The first [`MAX_OBJECTIVES`] of the given values.
    #[must_use]
    pub fn new(values: &[f64]) -> Self {
        let len = values.len().min(MAX_OBJECTIVES);
        let mut objectives = Self { values: [0.0; MAX_OBJECTIVES], len };
        objectives.values[..len].copy_from_slice(&values[..len]);
        objectives
    }

    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        &self.values[..self.len]
    }

    /// Pareto dominance: nowhere larger, and smaller somewhere. False if any number is not one.
    #[must_use]
    pub fn dominates(&self, other: &Self) -> bool {
        let pairs = || self.as_slice().iter().zip(other.as_slice());
        pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
    }
}

/// What an evaluation says of a solution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// By how much hard limits are broken; exactly 0 if the solution is feasible.
    pub violation: f64,
    /// What is to be minimised.
    pub objectives: Objectives,
}

impl Score {
    /// Whether no hard limit is broken.
    #[must_use]
    pub fn is_feasible(&self) -> bool {
        self.violation == 0.0
    }

    /// Constrained dominance (Deb 2000, doi:10.1016/S0045-7825(99)00389-8): less violation dominates; among equally
    /// feasible scores their objectives decide.
    #[must_use]
    pub fn dominates(&self, other: &Self) -> bool {
        self.violation < other.violation
            || (self.violation == other.violation && self.objectives.dominates(&other.objectives))
    }
}

/// A score seen through a scalarisation: one solution against another.
///
/// Ordered by violation first and by value among equals (Deb 2000, doi:10.1016/S0045-7825(99)00389-8); smaller is
/// better. What is not a number is worse than every number.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// [`Score::violation`].
    pub violation: f64,
    /// The scalarised objectives.
    pub value: f64,
}

impl Cost {
    /// Worse than everything that can be reached.
    pub const WORST: Self = Self { violation: f64::INFINITY, value: f64::INFINITY };

    /// Whether this is better than `other` by more than rounding: by more than `gain` in value at equal violation,
    /// or by anything that counts in violation.
    ///
    /// Incremental sums of violations carry rounding errors, so two infeasible costs within 1e-9 count as equally
    /// infeasible; feasibility itself is exact.
    #[must_use]
    pub fn improves_on(&self, other: &Self, gain: f64) -> bool {
        const ROUNDING: f64 = 1e-9;
        match (self.violation == 0.0, other.violation == 0.0) {
            (true, true) => self.value < other.value - gain,
            (true, false) => true,
            (false, true) => false,
            (false, false) => {
                self.violation < other.violation - ROUNDING
                    || (self.violation <= other.violation && self.value < other.value - gain)
            }
        }
    }
}

impl PartialEq for Cost {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cost {}

impl PartialOrd for Cost {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cost {
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |x: f64| if x.is_nan() { f64::INFINITY } else { x };
        number(self.violation)
            .total_cmp(&number(other.violation))
            .then(number(self.value).total_cmp(&number(other.value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn cost(violation: f64, value: f64) -> Cost {
        Cost { violation, value }
    }

    #[test]
    fn a_feasible_solution_beats_an_infeasible_one_whatever_its_value() {
        assert!(cost(0.0, 1e9) < cost(1e-12, 0.0));
        assert!(cost(0.0, 1e9).improves_on(&cost(1e-12, 0.0), 1.0));
        assert!(!cost(1e-12, 0.0).improves_on(&cost(0.0, 1e9), 1.0));
    }

    #[test]
    fn what_is_not_a_number_is_worst() {
        assert!(cost(0.0, 1.0) < cost(0.0, f64::NAN));
        assert!(cost(9.0, 1.0) < cost(f64::NAN, 0.0));
        assert!(cost(9.0, 1.0) < Cost::WORST);
    }

    #[test]
    fn a_gain_within_rounding_is_none() {
        assert!(!cost(0.0, 1.0 - 1e-12).improves_on(&cost(0.0, 1.0), 1e-10));
        assert!(cost(0.0, 0.9).improves_on(&cost(0.0, 1.0), 1e-10));
    }

    #[test]
    fn dominance_needs_no_objective_worse_and_one_better() {
        let score = |violation, f: &[f64]| Score { violation, objectives: Objectives::new(f) };
        assert!(score(0.0, &[1.0, 2.0]).dominates(&score(0.0, &[1.0, 3.0])));
        assert!(!score(0.0, &[1.0, 2.0]).dominates(&score(0.0, &[1.0, 2.0])));
        assert!(!score(0.0, &[0.0, 3.0]).dominates(&score(0.0, &[1.0, 2.0])));
        assert!(score(0.0, &[9.0, 9.0]).dominates(&score(1.0, &[0.0, 0.0])), "feasible first");
        assert!(!score(0.0, &[f64::NAN, 0.0]).dominates(&score(0.0, &[1.0, 1.0])));
    }

    #[test]
    fn no_more_objectives_are_kept_than_fit() {
        assert_eq!(Objectives::new(&[1.0; 9]).as_slice(), [1.0; MAX_OBJECTIVES]);
        assert_eq!(Objectives::single(2.0).as_slice(), [2.0]);
    }
}
