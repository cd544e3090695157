//! What the network sees of a series, and how its outputs become values again.
//!
//! The source scales levels to the training range and predicts levels, so a load that settles at a new level is
//! forecast at the old one. Here a window is seen relative to its own end, in mean steps of the series' last day, and
//! relative to that day's median, in spreads; outputs are changes from the last value in mean steps. With the spread as
//! the only unit the network could tell a smooth series from a noisy one by ten values only, and lost 4 to 9 % more.
//!
//! Promises: causal: a window's features depend on values up to its end. Must not know: the network.

use std::time::Duration;

use ndarray::{Array2, Array3};

use crate::models::{Forecast, HORIZONS, QUANTILES};
use crate::series::{Cleaning, LAGS, windows};
use crate::{History, TimeSeries};

/// Features of a step: the distance to the window's last value and to the day's median.
pub(super) const FEATURES: usize = 2;

/// How far back the median and the spread look.
const SCALE_SPAN: Duration = Duration::from_hours(24);

/// At most so many cells, evenly spread, are sorted for the median and the spread.
const SCALE_CELLS: usize = 256;

/// Bound of a feature, in its unit: what is farther out is just far out.
const BOUND: f32 = 8.0;

/// Bound of a change to learn from, in steps: beyond every quantile, so that only the figure of the loss depends on it.
const TRUTH_BOUND: f32 = 50.0;

/// Least step as a share of the median: a steady series is not magnified into noise.
const LEAST_STEP: f32 = 1e-3;

/// Level and spread of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// The median.
    level: f32,
    /// The distance between quartiles over that of the standard normal distribution, but at least the step.
    spread: f32,
    /// The mean absolute step.
    step: f32,
}

impl Scale {
    /// The scale of the newest day; none if nothing is known.
    ///
    /// A series that never changes has the least step, so that its forecasts stay where it is.
    pub(super) fn of(history: History<'_>) -> Option<Self> {
        let cells = history.recent(SCALE_SPAN).cells();
        let stride = cells.len().div_ceil(SCALE_CELLS).max(1);
        let mut known: Vec<f32> = cells.iter().rev().step_by(stride).copied().filter(|value| !value.is_nan()).collect();
        let count = known.len();
        if count == 0 {
            return None;
        }
        let mut order = |rank: usize| *known.select_nth_unstable_by(rank, f32::total_cmp).1;
        let (lower, level, upper) = (order(count / 4), order(count / 2), order(3 * count / 4));
        let least = (LEAST_STEP * level.abs()).max(f32::MIN_POSITIVE / f32::EPSILON);
        let step = mean_step(cells).max(least);
        let spread = ((upper - lower) / 1.349).max(step);
        Some(Self { level, spread, step })
    }

    /// The features of a window, step by step.
    fn features(self, window: &[f32]) -> impl Iterator<Item = [f32; FEATURES]> + '_ {
        let (last, level) = (window.last().copied().unwrap_or(0.0), self.level);
        let (per_step, per_spread) = (1.0 / self.step, 1.0 / self.spread);
        let bounded = |distance: f32| distance.clamp(-BOUND, BOUND);
        window.iter().map(move |value| [bounded((value - last) * per_step), bounded((value - level) * per_spread)])
    }

    /// The forecast that a row of outputs stands for.
    pub(super) fn forecast(self, outputs: &[f32], last: f32, capacity: f32) -> Forecast {
        let mut quantiles = [[last; QUANTILES.len()]; HORIZONS];
        for (value, output) in quantiles.as_flattened_mut().iter_mut().zip(outputs) {
            *value += self.step * output;
        }
        Forecast::new(quantiles, capacity)
    }
}

fn mean_step(cells: &[f32]) -> f32 {
    let steps = cells.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|step| !step.is_nan());
    let (sum, count) = steps.fold((0.0_f32, 0_u32), |(sum, count), step| (sum + step, count + 1));
    sum / count.max(1) as f32
}

/// Training windows and the changes that followed them.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// (windows, steps · features).
    pub inputs: Array2<f32>,
    /// (windows, truths).
    pub truth: Array2<f32>,
    /// Features of a step.
    pub features: usize,
}

impl Windows {
    /// Those of all histories, thinned out evenly to at most about `most`; `phase` chooses which remain.
    pub(super) fn cut(histories: &[History<'_>], cleaning: Cleaning, most: usize, phase: usize) -> Self {
        let all: usize = histories.iter().map(|history| windows(history.cells()).count()).sum();
        let stride = all.div_ceil(most.max(1)).max(1);
        let (mut inputs, mut truth) = (Vec::new(), Vec::new());
        let mut next = phase % stride;
        for history in histories {
            let series = cleaned(*history, cleaning);
            for end in windows(series.history().cells()) {
                next += 1;
                if next.is_multiple_of(stride) {
                    push(&series, end, &mut inputs, &mut truth);
                }
            }
        }
        let shaped = |values: Vec<f32>, width| {
            Array2::from_shape_vec((values.len() / width, width), values).expect("invariant: whole rows were pushed")
        };
        Self { inputs: shaped(inputs, LAGS * FEATURES), truth: shaped(truth, HORIZONS), features: FEATURES }
    }

    /// Some windows as a batch of (steps, batch, features), with their truth.
    #[must_use]
    pub fn batch(&self, rows: &[usize]) -> (Array3<f32>, Array2<f32>) {
        let steps = self.inputs.ncols() / self.features.max(1);
        let input = Array3::from_shape_fn((steps, rows.len(), self.features), |(step, row, feature)| {
            self.inputs[[rows[row], step * self.features + feature]]
        });
        (input, self.truth.select(ndarray::Axis(0), rows))
    }
}

fn cleaned(history: History<'_>, cleaning: Cleaning) -> TimeSeries {
    let mut series = TimeSeries::from_history(history);
    series.clean(cleaning);
    series
}

fn push(series: &TimeSeries, end: usize, inputs: &mut Vec<f32>, truth: &mut Vec<f32>) {
    let (past, cells) = (series.until(end), series.history().cells());
    let (Some(scale), Some(window), Some(last)) = (Scale::of(past), past.window(), past.last()) else { return };
    inputs.extend(scale.features(window).flatten());
    truth.extend(
        cells[end..end + HORIZONS].iter().map(|value| ((value - last) / scale.step).clamp(-TRUTH_BOUND, TRUTH_BOUND)),
    );
}

/// The newest windows of some histories as a batch of (steps, batch, features).
pub(super) fn batch(windows: &[(Scale, &[f32])]) -> Array3<f32> {
    let mut input = Array3::zeros((LAGS, windows.len(), FEATURES));
    for (row, (scale, window)) in windows.iter().enumerate() {
        for (step, features) in scale.features(window).enumerate() {
            features.iter().enumerate().for_each(|(k, feature)| input[[step, row, k]] = *feature);
        }
    }
    input
}
