//! The source's recipe, as it stands, for the record.
//!
//! What is served is [`Lstm`](super::Lstm).
//!
//! One network for each subject; ten steps of all its resources in, the next [`HORIZONS`] of them out; min-max scaling;
//! 2 × 64 LSTM with ReLU, mean squared error, Adam, batches of 64, 50 epochs, the first 70 % for training. The source
//! gives no learning rate; 0.001 is Adam's usual one. It cleans all data by z-score before it splits, and so do we.
//!
//! Its faults, measured: levels scaled to the training range cannot follow a load that settles elsewhere, and the
//! cleaning takes such a load for outliers. It has no quantiles.
//!
//! Promises: reports the errors that the source reports, in its scaled unit, beside those of the last value. Must not
//! know: the other models.

use ndarray::{Array2, Array3, Axis};

use super::lstm::{Activation, Loss, Network, Parameters, Shape, Training, Windows, predict};
use super::{HORIZONS, ModelError, Observer};
use crate::series::{Cleaning, LAGS, windows};
use crate::{History, TimeSeries};

/// The recipe's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Width of both layers. The source's: 64.
    pub hidden: usize,
    /// The non-linearity. The source's: ReLU.
    pub activation: Activation,
    /// Passes. The source's: 50.
    pub epochs: usize,
    /// Windows of a step. The source's: 64.
    pub batch: usize,
    /// Share of each series that is trained on. The source's: 0.7.
    pub training_share: f64,
    /// Outlier removal. The source's: z-score.
    pub cleaning: Cleaning,
    /// Decides the first weights and the order of windows.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            hidden: 64,
            activation: Activation::Relu,
            epochs: 50,
            batch: 64,
            training_share: 0.7,
            cleaning: Cleaning::Zscore,
            seed: 1,
        }
    }
}

/// Mean squared and mean absolute error on scaled values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Mean squared error.
    pub mse: f32,
    /// Mean absolute error.
    pub mae: f32,
}

/// What the recipe reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// On the windows that were trained on.
    pub training: Errors,
    /// On those that follow.
    pub test: Errors,
    /// The last value's on the same.
    pub last_value: Errors,
}

/// A trained network of one subject.
#[derive(Clone, Debug)]
pub struct PaperModel {
    parameters: Parameters,
    activation: Activation,
    /// Least value and range of each resource.
    scales: Vec<(f32, f32)>,
}

impl Recipe {
    /// Trains on the resources of one subject, which must have equal grids; the shortest decides how much is used.
    ///
    /// # Errors
    /// If there is no training or no test window, or the training diverges.
    pub fn train(
        &self,
        resources: &[History<'_>],
        observer: &mut Observer<'_>,
    ) -> Result<(PaperModel, Report), ModelError> {
        let cleaned: Vec<TimeSeries> = resources.iter().map(|history| self.cleaned(*history)).collect();
        let length = cleaned.iter().map(TimeSeries::len).min().unwrap_or(0);
        let split = (length as f64 * self.training_share) as usize;
        let cells: Vec<&[f32]> = cleaned.iter().map(|series| series.until(length).cells()).collect();
        let scales: Vec<(f32, f32)> = cells.iter().map(|cells| range(&cells[..split])).collect();
        let (training, test) = (cut(&cells, &scales, 0..split), cut(&cells, &scales, split..length));
        if training.truth.is_empty() || test.truth.is_empty() {
            return Err(ModelError::NoWindow { series: resources.len(), lags: LAGS, horizons: HORIZONS });
        }
        let shape = Shape { inputs: cells.len(), hidden: self.hidden, outputs: cells.len() * HORIZONS };
        let mut parameters = Parameters::random(shape, self.seed);
        self.training().run(&mut parameters, &training, observer)?;
        let model = PaperModel { parameters, activation: self.activation, scales };
        let (training, test, last_value) = (model.errors(&training), model.errors(&test), last_value(&test));
        Ok((model, Report { training, test, last_value }))
    }

    const fn training(&self) -> Training {
        let Self { epochs, batch, activation, seed, .. } = *self;
        let (rate, clip) = (1e-3, f32::INFINITY);
        Training { epochs, batch, rate, decay: false, clip, loss: Loss::MeanSquared, activation, seed }
    }

    fn cleaned(&self, history: History<'_>) -> TimeSeries {
        let mut series = TimeSeries::from_history(history);
        series.clean(self.cleaning);
        series
    }
}

impl PaperModel {
    /// The network, without the scales of its inputs.
    #[must_use]
    pub fn network(&self) -> Network {
        Network { parameters: self.parameters.clone(), activation: self.activation }
    }

    /// Least value and range of each resource in the training part: what 0 and 1 stand for.
    #[must_use]
    pub fn scales(&self) -> &[(f32, f32)] {
        &self.scales
    }

    /// The next values of each resource, from its newest [`LAGS`] values in the order of training; none if a window has
    /// another length, or there are more or fewer resources.
    #[must_use]
    pub fn forecast(&self, windows: &[&[f32]]) -> Option<Vec<[f32; HORIZONS]>> {
        if windows.len() != self.scales.len() || windows.iter().any(|window| window.len() != LAGS) {
            return None;
        }
        let scaled = |k: usize, value: f32| (value - self.scales[k].0) / self.scales[k].1;
        let input = Array3::from_shape_fn((LAGS, 1, windows.len()), |(step, _, k)| scaled(k, windows[k][step]));
        let outputs = predict(&self.parameters, self.activation, input.view());
        let values = |(k, (least, range)): (usize, &(f32, f32))| {
            std::array::from_fn(|horizon| least + range * outputs[[0, horizon * windows.len() + k]])
        };
        Some(self.scales.iter().enumerate().map(values).collect())
    }

    fn errors(&self, windows: &Windows) -> Errors {
        let rows: Vec<usize> = (0..windows.truth.nrows()).collect();
        let (input, truth) = windows.batch(&rows);
        errors(&(predict(&self.parameters, self.activation, input.view()) - truth))
    }
}

/// Least value and range; a range of 1 where there is none.
fn range(cells: &[f32]) -> (f32, f32) {
    let known = || cells.iter().copied().filter(|value| !value.is_nan());
    let (least, most) = (known().fold(f32::INFINITY, f32::min), known().fold(f32::NEG_INFINITY, f32::max));
    if least < most { (least, most - least) } else { (if least.is_finite() { least } else { 0.0 }, 1.0) }
}

/// Windows of all resources whose inputs and truth lie in a part of the cells.
fn cut(cells: &[&[f32]], scales: &[(f32, f32)], part: std::ops::Range<usize>) -> Windows {
    let scaled = |k: usize, cell: usize| (cells[k][cell] - scales[k].0) / scales[k].1;
    // A cell that is a gap in one resource is one for all.
    let together: Vec<f32> = part.clone().map(|cell| cells.iter().map(|cells| cells[cell]).sum()).collect();
    let ends: Vec<usize> = windows(&together).map(|end| part.start + end).collect();
    let (width, count) = (cells.len(), ends.len());
    let inputs =
        Array2::from_shape_fn((count, LAGS * width), |(row, k)| scaled(k % width, ends[row] - LAGS + k / width));
    let truth = Array2::from_shape_fn((count, HORIZONS * width), |(row, k)| scaled(k % width, ends[row] + k / width));
    Windows { inputs, truth, features: width }
}

fn last_value(windows: &Windows) -> Errors {
    let last = windows.inputs.slice_axis(Axis(1), ndarray::Slice::from(-(windows.features as isize)..));
    let mut difference = windows.truth.clone();
    difference.indexed_iter_mut().for_each(|((row, k), value)| *value = last[[row, k % windows.features]] - *value);
    errors(&difference)
}

fn errors(differences: &Array2<f32>) -> Errors {
    let mean = |of: fn(f64) -> f64| {
        (differences.iter().map(|value| of(f64::from(*value))).sum::<f64>() / differences.len() as f64) as f32
    };
    Errors { mse: mean(|value| value * value), mae: mean(f64::abs) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::unobserved;
    use crate::{Sample, SeriesName};

    fn wave(resource: &str, phase: f64, count: usize) -> TimeSeries {
        let value = |k: usize| 50.0 + 30.0 * (k as f64 * 0.2 + phase).sin();
        let samples: Vec<Sample> = (0..count).map(|k| Sample { at: k as i64 * 60, value: value(k) }).collect();
        let until = samples[count - 1].at;
        TimeSeries::resample(SeriesName::new("n", resource), &samples, 60, 100.0, until).0
    }

    #[test]
    fn the_recipe_learns_waves_of_two_resources_and_beats_the_last_value() {
        let (cpu, memory) = (wave("cpu", 0.0, 600), wave("memory", 2.0, 600));
        let recipe = Recipe { hidden: 8, epochs: 30, batch: 16, ..Recipe::default() };
        let (model, report) = recipe.train(&[cpu.history(), memory.history()], &mut unobserved).unwrap();
        assert!(report.test.mae < 0.5 * report.last_value.mae, "{report:?}");
        assert!(report.test.mse.sqrt() >= report.test.mae, "{report:?}");

        let (past, truth) = ((cpu.until(500), memory.until(500)), cpu.history().cells()[504]);
        let forecast = model.forecast(&[past.0.window().unwrap(), past.1.window().unwrap()]).unwrap();
        assert!((forecast[0][4] - truth).abs() < 10.0, "{} {truth}", forecast[0][4]);
        assert_eq!(model.forecast(&[past.0.window().unwrap()]), None);
    }

    #[test]
    fn a_series_without_test_windows_is_refused() {
        let short = wave("cpu", 0.0, 20);
        let error = Recipe::default().train(&[short.history()], &mut unobserved).unwrap_err();
        assert_eq!(error.reason(), "no_window");
    }
}
