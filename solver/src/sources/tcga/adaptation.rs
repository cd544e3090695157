//! Rates that fall for good individuals: equations (13) and (14).
//!
//! Promises: a rate lies between 0 and its ceiling whatever the fitnesses are. Must not know: genes.

/// Least, mean and largest fitness of a generation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// The least.
    pub least: f64,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub largest: f64,
}

impl Extent {
    /// The extent of some fitnesses; all 0 without any.
    #[must_use]
    pub fn of(fitness: &[f64]) -> Self {
        if fitness.is_empty() {
            return Self { least: 0.0, mean: 0.0, largest: 0.0 };
        }
        Self {
            least: fitness.iter().copied().fold(f64::INFINITY, f64::min),
            mean: fitness.iter().sum::<f64>() / fitness.len() as f64,
            largest: fitness.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// `ω = (fit_max - fit_min) / fit_avg` \[P\]; 0 if the mean is 0.
    #[must_use]
    pub fn omega(&self) -> f64 {
        if self.mean > 0.0 { (self.largest - self.least) / self.mean } else { 0.0 }
    }
}

/// How a rate follows fitness (Srinivas, Patnaik 1994, doi:10.1109/21.286385).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptation {
    /// `k1` of eq. (13) or `k3` of eq. (14), 0 to 1e12. \[I\] The printed 5 is no probability, so it is read as a slope.
    pub slope: f64,
    /// `k2` or `k4`, 0 to 1: the rate of those below the mean, and the largest there is \[I\].
    pub ceiling: f64,
}

impl Adaptation {
    /// The rate for a fitness: the ceiling below the mean, else `slope (fit_max - fit) / (fit_max - fit_avg)` but not
    /// above the ceiling. \[I\] If all are equally fit it is the ceiling.
    #[must_use]
    pub fn rate(&self, fitness: f64, extent: &Extent) -> f64 {
        let width = extent.largest - extent.mean;
        if fitness >= extent.mean && width > 0.0 {
            (self.slope * (extent.largest - fitness) / width).clamp(0.0, self.ceiling)
        } else {
            self.ceiling
        }
    }

    /// The same with a slope `factor` times as steep.
    #[must_use]
    pub const fn steeper(self, factor: f64) -> Self {
        Self { slope: self.slope * factor, ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_fittest_are_left_alone_and_the_weak_are_not() {
        let (rate, extent) = (Adaptation { slope: 5.0, ceiling: 0.8 }, Extent::of(&[1.0, 2.0, 3.0]));
        assert_eq!(rate.rate(3.0, &extent), 0.0);
        assert_eq!(rate.rate(1.0, &extent), 0.8);
        assert!((rate.rate(2.9, &extent) - 0.5).abs() < 1e-12);
        assert_eq!(rate.rate(2.0, &extent), 0.8, "5 is cut to the ceiling");
        assert!(rate.steeper(2.0).rate(2.95, &extent) > rate.rate(2.95, &extent));
    }

    #[test]
    fn equally_fit_individuals_have_the_ceiling() {
        assert_eq!(Adaptation { slope: 5.0, ceiling: 0.8 }.rate(2.0, &Extent::of(&[2.0, 2.0])), 0.8);
        assert_eq!((Extent::of(&[2.0, 2.0]).omega(), Extent::of(&[]).omega()), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn a_rate_is_a_probability(
            fitness in prop::collection::vec(0.0_f64..1e9, 1..20), slope in 0.0_f64..1e12, ceiling in 0.0_f64..=1.0,
        ) {
            let (rate, extent) = (Adaptation { slope, ceiling }, Extent::of(&fitness));
            for &one in &fitness {
                prop_assert!((0.0..=ceiling).contains(&rate.rate(one, &extent)));
            }
        }
    }
}
