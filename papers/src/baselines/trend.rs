//! A forecaster of straight lines: the peak of the next minutes, with head-room for its own past errors.
//!
//! Promises: a forecast depends on what was observed before it and on nothing else. Must not know: what is observed. It
//! stands in for the source's neural network, which lives in a crate of its own; it is no oracle.

use std::collections::VecDeque;

/// The forecaster. Fits a line to the last observations (least squares) and extends it; adds the `quantile` of the
/// amounts by which past peaks were above their forecasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    window: usize,
    horizon: usize,
    quantile: f64,
    history: VecDeque<f64>,
    /// Forecast peaks that are not over yet, oldest first.
    open: VecDeque<f64>,
    errors: VecDeque<f64>,
}

impl Trend {
    /// A forecaster that looks at the last `window` observations, at least 2, for the peak of the next `horizon`, at
    /// least 1; `quantile` is in 0 to 1.
    #[must_use]
    pub fn new(window: usize, horizon: usize, quantile: f64) -> Self {
        let (history, open, errors) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { window: window.max(2), horizon: horizon.max(1), quantile, history, open, errors }
    }

    /// Takes an observation and says what the peak of the next ones will be: at least 0, and at least the observation.
    pub fn observe(&mut self, value: f64) -> f64 {
        push(&mut self.history, value, self.window.max(self.horizon));
        self.settle();
        let peak = self.line_peak();
        self.open.push_back(peak);
        (peak + self.head_room()).max(value).max(0.0)
    }

    /// Compares the oldest forecast with the peak that came, once its horizon is over.
    fn settle(&mut self) {
        if self.open.len() < self.horizon {
            return;
        }
        if let Some(forecast) = self.open.pop_front() {
            let peak = self.history.iter().rev().take(self.horizon).copied().fold(f64::NEG_INFINITY, f64::max);
            push(&mut self.errors, peak - forecast, self.window);
        }
    }

    /// The larger end of the line's next stretch.
    fn line_peak(&self) -> f64 {
        let count = self.history.len().min(self.window) as f64;
        let recent = || self.history.iter().rev().take(self.window).enumerate();
        // The newest observation is at 0, the one before at -1.
        let mean_x = -(count - 1.0) / 2.0;
        let mean_y = recent().map(|(_, y)| y).sum::<f64>() / count;
        let (mut xy, mut xx) = (0.0, 0.0);
        for (steps, y) in recent() {
            let x = -(steps as f64) - mean_x;
            (xy, xx) = (xy + x * (y - mean_y), xx + x * x);
        }
        let slope = if xx > 0.0 { xy / xx } else { 0.0 };
        let at = |x: f64| mean_y + slope * (x - mean_x);
        at(1.0).max(at(self.horizon as f64))
    }

    fn head_room(&self) -> f64 {
        let mut errors: Vec<f64> = self.errors.iter().copied().collect();
        errors.sort_by(f64::total_cmp);
        let rank = (self.quantile * errors.len() as f64).ceil() as usize;
        errors.get(rank.saturating_sub(1)).map_or(0.0, |error| error.max(0.0))
    }
}

fn push(queue: &mut VecDeque<f64>, value: f64, most: usize) {
    queue.push_back(value);
    if queue.len() > most {
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_extended_and_its_forecasts_come_true() {
        let mut trend = Trend::new(10, 5, 0.9);
        let last = (0..40).map(|t| trend.observe(3.0 + 2.0 * f64::from(t))).last().unwrap();
        assert!((last - (3.0 + 2.0 * 44.0)).abs() < 1e-9, "{last}");
    }

    #[test]
    fn a_falling_line_is_never_forecast_below_what_was_just_seen() {
        let mut trend = Trend::new(10, 5, 0.9);
        for t in 0..40 {
            let value = 100.0 - f64::from(t);
            assert!(trend.observe(value) >= value);
        }
    }

    #[test]
    fn errors_of_the_past_become_head_room() {
        let noise = [0.0, 4.0, 1.0, 9.0, 2.0, 7.0, 3.0, 5.0, 8.0, 6.0];
        let mut trend = Trend::new(20, 5, 0.9);
        let last = (0..100).map(|t| trend.observe(noise[t % 10])).last().unwrap();
        assert!((7.0..12.0).contains(&last), "peaks of 7 to 9 are foreseen: {last}");
    }

    #[test]
    fn the_future_has_no_say() {
        let (mut one, mut other) = (Trend::new(10, 5, 0.9), Trend::new(10, 5, 0.9));
        let seen: Vec<f64> = (0..30).map(|t| one.observe(f64::from(t % 7))).collect();
        let again: Vec<f64> = (0..60).map(|t| other.observe(f64::from(if t < 30 { t % 7 } else { 999 }))).collect();
        assert_eq!(seen, again[..30]);
    }
}
