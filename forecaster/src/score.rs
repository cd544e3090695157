//! How good forecasts were: error sums over scored steps.
//!
//! A scored step is one past step with the forecasts that were made for it, up to one for each horizon.
//!
//! Promises: sums of parts add up to the sums of the whole. Must not know: time, models.

use std::ops::AddAssign;

use crate::{Forecast, HORIZONS};

/// Sums of errors over forecasts whose truth is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ErrorSums {
    /// Steps that were scored.
    pub steps: u32,
    /// Pairs of a forecast and its truth, at most [`HORIZONS`] a step.
    pub pairs: u32,
    /// Sum of |truth − p50|.
    pub absolute: f32,
    /// Sum of the last value's absolute error at the same horizons.
    pub naive_absolute: f32,
    /// Sum of the pinball loss of p90.
    pub pinball90: f32,
    /// Pairs whose truth is at most p90.
    pub covered90: u32,
}

impl ErrorSums {
    /// Adds a pair: the median and the 0.9 quantile that were forecast, the last value then, and the truth.
    pub fn add(&mut self, [p50, p90]: [f32; 2], last: f32, truth: f32) {
        self.pairs += 1;
        self.absolute += (truth - p50).abs();
        self.naive_absolute += (truth - last).abs();
        self.pinball90 += pinball(truth - p90, 0.9);
        self.covered90 += u32::from(truth <= p90);
    }

    /// Adds a forecast's pairs whose truth is known, NaN being unknown, as one step.
    pub fn add_all(&mut self, forecast: &Forecast, last: f32, truth: &[f32]) {
        self.steps += 1;
        for (horizon, truth) in truth.iter().take(HORIZONS).enumerate().filter(|(_, truth)| !truth.is_nan()) {
            self.add([forecast.p50(horizon), forecast.p90(horizon)], last, *truth);
        }
    }

    /// The error figures; none if nothing was scored.
    #[must_use]
    pub fn score(&self) -> Option<Score> {
        let share = |sum: f32| sum / self.pairs as f32;
        (self.pairs > 0).then(|| Score {
            steps: self.steps,
            mae: share(self.absolute),
            mase: if self.naive_absolute > 0.0 { self.absolute / self.naive_absolute } else { 1.0 },
            pinball90: share(self.pinball90),
            coverage90: share(self.covered90 as f32),
        })
    }
}

impl AddAssign for ErrorSums {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.pairs += other.pairs;
        self.absolute += other.absolute;
        self.naive_absolute += other.naive_absolute;
        self.pinball90 += other.pinball90;
        self.covered90 += other.covered90;
    }
}

/// Error figures of one model on one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Steps that they rest on.
    pub steps: u32,
    /// Mean absolute error of p50, in the series' unit.
    pub mae: f32,
    /// That over the last value's at the same steps and horizons (after Hyndman, Koehler 2006,
    /// doi:10.1016/j.ijforecast.2006.03.001, who scale by the one-step error in sample); 1 where the last value has none.
    pub mase: f32,
    /// Mean pinball loss of p90, in the series' unit.
    pub pinball90: f32,
    /// Share of truths at or below p90; 0.9 is right.
    pub coverage90: f32,
}

/// The pinball loss of an error (truth − forecast).
#[must_use]
pub fn pinball(error: f32, probability: f32) -> f32 {
    (probability * error).max((probability - 1.0) * error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(p50: f32, p90: f32) -> Forecast {
        Forecast::new([[p50, p90, p90]; HORIZONS], 100.0)
    }

    #[test]
    fn figures_are_means_over_pairs_with_a_truth() {
        let mut sums = ErrorSums::default();
        sums.add_all(&forecast(10.0, 20.0), 12.0, &[14.0, f32::NAN, 30.0]);
        let score = sums.score().unwrap();
        assert_eq!((sums.steps, sums.pairs), (1, 2));
        assert_eq!((score.mae, score.coverage90), (12.0, 0.5));
        assert!((score.mase - 24.0 / 20.0).abs() < 1e-6);
        assert!((score.pinball90 - 4.8).abs() < 1e-6);
    }

    #[test]
    fn nothing_scored_has_no_figures_and_parts_add_up() {
        assert_eq!(ErrorSums::default().score(), None);
        let (mut one, mut two) = (ErrorSums::default(), ErrorSums::default());
        one.add_all(&forecast(1.0, 2.0), 1.0, &[1.0; 5]);
        two.add_all(&forecast(1.0, 2.0), 1.0, &[3.0; 5]);
        one += two;
        assert_eq!((one.steps, one.pairs, one.covered90), (2, 10, 5));
    }
}
