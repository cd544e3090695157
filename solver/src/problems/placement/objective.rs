//! What evenness means: the objectives, and the sums of a running variance.
//!
//! Promises: every objective is a function of variances, and a variance after a change costs a few multiplications.
//! Must not know: rows, pods.

/// What a placement minimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// σ of eq. (11): the standard deviation of the rows' mean load `L(N_j)`, in percentage points. The source's. It
    /// lets resources cancel out: a row full of cpu and empty of memory counts as even.
    Sigma,
    /// The mean over the resources, by weight, of `Var(L_r)`, plus `Var(L)`, in squared percentage points. Evens out every
    /// resource and their mean at once.
    #[default]
    Balanced,
    /// The mean over the resources, by weight, of `Var(L_r)` alone, in squared percentage points. Evens out every
    /// resource for itself and leaves it open on which rows the loads of several resources meet.
    Resources,
}

impl Objective {
    /// All objectives.
    pub const ALL: [Self; 3] = [Self::Sigma, Self::Balanced, Self::Resources];

    /// The name that settings use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sigma => "sigma",
            Self::Balanced => "balanced",
            Self::Resources => "resources",
        }
    }

    /// The objective of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|objective| objective.name() == name)
    }

    /// The objective, squared where it is a standard deviation: from the mean of `Var(L_r)` and from `Var(L)`.
    #[inline]
    pub(super) fn variance(self, of_resources: impl FnOnce() -> f64, of_mean: f64) -> f64 {
        match self {
            Self::Sigma => of_mean,
            Self::Balanced => of_resources() + of_mean,
            Self::Resources => of_resources(),
        }
    }

    /// The objective itself.
    #[inline]
    pub(super) fn value(self, of_resources: impl FnOnce() -> f64, of_mean: f64) -> f64 {
        let variance = self.variance(of_resources, of_mean);
        if self == Self::Sigma { variance.sqrt() } else { variance }
    }
}

/// How even the load is, in all its measures, in percentage points.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// σ of eq. (11).
    pub sigma: f64,
    /// The mean of `L(N_j)`, eq. (10). Minimising σ alone can raise it.
    pub mean: f64,
    /// The standard deviation of `L_r` for each resource, which σ can hide. Weights have no part in it.
    pub sigma_by_resource: Vec<f64>,
}

/// Sums of `x = L - c` and of `x²` around a fixed centre `c`.
///
/// With `n` rows, `V = S2/n - (S1/n)²`. A centre near the mean keeps the two terms from cancelling.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) s1: f64,
    pub(super) s2: f64,
}

impl Sums {
    /// The sums after a value `x` became `x + d`.
    #[inline]
    pub(super) fn after(self, x: f64, d: f64) -> Self {
        Self { s1: self.s1 + d, s2: self.s2 + d * (2.0 * x + d) }
    }

    /// The sums with another value.
    #[inline]
    pub(super) fn with(self, x: f64) -> Self {
        Self { s1: self.s1 + x, s2: self.s2 + x * x }
    }

    /// The variance; `per_row` is one over the number of values.
    #[inline]
    pub(super) fn variance(self, per_row: f64) -> f64 {
        let mean = self.s1 * per_row;
        positive_part(self.s2 * per_row - mean * mean)
    }
}

/// `max(x, 0)`, exactly, without a choice: Wasm has no instruction that treats NaN as Rust does, and a compiler that
/// makes branches of choices makes ones here that nobody can predict.
#[inline]
pub(super) fn positive_part(x: f64) -> f64 {
    0.5 * (x + x.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_objective_has_a_name_that_finds_it() {
        for objective in Objective::ALL {
            assert_eq!(Objective::from_name(objective.name()), Some(objective));
        }
        assert_eq!(Objective::from_name("Sigma"), None);
    }

    #[test]
    fn running_sums_give_the_population_variance() {
        let sums = [2.0, 4.0, 9.0].into_iter().fold(Sums::default(), Sums::with);
        assert!((sums.variance(1.0 / 3.0) - 26.0 / 3.0).abs() < 1e-12);
        assert!((sums.after(9.0, -6.0).variance(1.0 / 3.0) - 2.0 / 3.0).abs() < 1e-12);
    }
}
