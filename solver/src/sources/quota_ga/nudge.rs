//! The small change of a gene.
//!
//! Promises: the new gene is in its domain, and the same random stream gives the same gene on every machine: no function
//! is used that machines round differently. Must not know: what a gene stands for.

use crate::domain::{Domain, Interval};
use crate::rng::Rng;

/// A changed gene: a number of an interval is multiplied by `exp(N(0, width))`, or shifted by `N(0, width)` of the
/// interval where it reaches down to 0 or below, and a choice is drawn anew, preferred ones more often.
///
/// `width` is at most 1. A gene that is not in its domain must have been repaired.
pub(super) fn nudge(domain: &Domain<'_>, gene: u32, width: f64, rng: &mut Rng) -> u32 {
    match domain {
        Domain::Choices(_) => domain.draw_preferred(rng),
        Domain::Interval(interval) => interval.level(shifted(interval, interval.real(gene), width * normal(rng))),
    }
}

fn shifted(interval: &Interval, real: f64, by: f64) -> f64 {
    if interval.low() > 0.0 { real * exp(by) } else { real + by * (interval.high() - interval.low()) }
}

/// Mean 0, variance 1: the sum of twelve uniform numbers less 6, within ±6. Only additions, so every bit is defined.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
}

/// `e^x` for `|x| <= 6` to 1e-12: the series at `x / 256`, squared eight times.
fn exp(x: f64) -> f64 {
    let y = x / 256.0;
    let series = (1..=6).rev().fold(1.0, |sum, k| 1.0 + y / f64::from(k) * sum);
    (0..8).fold(series, |power, _| power * power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::DomainClass;
    use crate::rng::Rng;

    proptest! {
        #[test]
        fn the_exponential_is_the_exponential(x in -6.0..6.0) {
            prop_assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-11, "{x}");
        }

        #[test]
        fn a_nudged_gene_stays_in_its_domain(low in -2.0..2.0, width in 0.0..1.0, pick: u32, seed: u64) {
            let interval = Interval::new(low, low + 3.0, 1e-3).unwrap();
            let (domain, mut rng) = (Domain::Interval(interval), Rng::new(seed));
            prop_assert!(domain.contains(nudge(&domain, pick % interval.levels(), width, &mut rng)));
            let class = DomainClass::from_values(9, &[2, 5]).unwrap();
            prop_assert!(class.contains(nudge(&Domain::Choices(&class), 2, width, &mut rng)));
        }
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut rng = Rng::new(3);
        let drawn: Vec<f64> = (0..40_000).map(|_| normal(&mut rng)).collect();
        let mean = drawn.iter().sum::<f64>() / 40_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
