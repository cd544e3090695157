//! What a model is: it learns from many series and forecasts one.
//!
//! Promises: every forecast has sorted quantiles within [0, capacity] for the next [`HORIZONS`] steps. Equal histories,
//! configuration and seed give equal forecasts. Must not know: where series come from, which model is served.

mod candidates;
mod conformal;
pub mod lstm;
mod naive;
pub mod paper;
mod peak;
mod ridge;

use std::ops::ControlFlow;

pub use candidates::{Candidates, Forecasts};
pub use conformal::{Conformal, PointForecast};
pub use lstm::Lstm;
pub use naive::LastValue;
pub use peak::Peak;
pub use ridge::Ridge;

use crate::History;
use lstm::WeightsError;

/// How many steps ahead a forecast reaches; the first is the next step.
pub const HORIZONS: usize = 5;

/// The probabilities that a forecast has quantiles for.
pub const QUANTILES: [f32; 3] = [0.5, 0.9, 0.95];

/// The last value, with conformal quantiles.
pub type Naive = Conformal<LastValue>;

/// The maximum of the last ten values, with conformal quantiles.
pub type MaxOf10 = Conformal<Peak>;

/// Ridge regression on ten lags, with conformal quantiles.
pub type RidgeAr10 = Conformal<Ridge>;

/// Quantiles of the next steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// By horizon (0 is the next step) and, in the order of [`QUANTILES`], by probability; in the series' unit.
    pub quantiles: [[f32; QUANTILES.len()]; HORIZONS],
}

impl Forecast {
    /// A forecast from raw quantiles: sorted, so that none cross, and clamped to [0, capacity].
    #[must_use]
    pub fn new(mut quantiles: [[f32; QUANTILES.len()]; HORIZONS], capacity: f32) -> Self {
        for row in &mut quantiles {
            row.sort_by(f32::total_cmp);
            for value in row {
                *value = value.max(0.0).min(capacity);
            }
        }
        Self { quantiles }
    }

    /// The median at a horizon below [`HORIZONS`].
    #[must_use]
    pub const fn p50(&self, horizon: usize) -> f32 {
        self.quantiles[horizon][0]
    }

    /// The 0.9 quantile at a horizon below [`HORIZONS`].
    #[must_use]
    pub const fn p90(&self, horizon: usize) -> f32 {
        self.quantiles[horizon][1]
    }

    /// The 0.95 quantile at a horizon below [`HORIZONS`].
    #[must_use]
    pub const fn p95(&self, horizon: usize) -> f32 {
        self.quantiles[horizon][2]
    }

    /// The greatest 0.9 quantile over all horizons: what a Filter needs.
    #[must_use]
    pub fn peak_p90(&self) -> f32 {
        self.quantiles.iter().map(|row| row[1]).fold(0.0, f32::max)
    }
}

/// The models there are, in the order in which ties are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelKind {
    /// [`Lstm`].
    Lstm,
    /// [`RidgeAr10`].
    Ridge,
    /// [`MaxOf10`].
    MaxOf10,
    /// [`Naive`].
    Naive,
}

impl ModelKind {
    /// Every model.
    pub const ALL: [Self; 4] = [Self::Lstm, Self::Ridge, Self::MaxOf10, Self::Naive];

    /// The name in configuration, metrics and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Ridge => "ridge",
            Self::MaxOf10 => "max_of_10",
            Self::Naive => "naive",
        }
    }
}

/// One pass over the training windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub number: usize,
    /// How many there will be.
    pub of: usize,
    /// Mean training loss over the epoch, in the loss's own unit.
    pub loss: f32,
}

/// Follows a training; called after every epoch. `Break` ends the training with what is learnt so far.
pub type Observer<'a> = dyn FnMut(Epoch) -> ControlFlow<()> + 'a;

/// An observer that looks at nothing.
pub fn unobserved(_: Epoch) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Why a model could not learn, be saved or be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No series is long enough, or all have gaps. The model keeps what it knew.
    #[error("no training window of {lags} + {horizons} known steps in {series} series")]
    NoWindow {
        /// How many series were offered.
        series: usize,
        /// Steps that a model sees.
        lags: usize,
        /// Steps that it forecasts.
        horizons: usize,
    },
    /// The loss became no number. The model keeps what it knew.
    #[error("training diverged in epoch {epoch}: loss {loss}")]
    Diverged {
        /// Counted from 1.
        epoch: usize,
        /// The loss.
        loss: f32,
    },
    /// The weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl ModelError {
    /// A name from a closed set, for metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoWindow { .. } => "no_window",
            Self::Diverged { .. } => "diverged",
            Self::Weights(_) => "weights",
        }
    }
}

/// A model of many series.
///
/// Laws: a forecast depends on the history given and on what was learnt, never on the order of calls; quantiles are
/// sorted and within [0, capacity]; a history whose newest cell is a gap has no forecast.
pub trait Model: Send + Sync {
    /// Which model it is.
    fn kind(&self) -> ModelKind;

    /// Learns from the histories. A model that has learnt before may start from there.
    ///
    /// # Errors
    /// If nothing could be learnt; the model then forecasts as before.
    fn fit(&mut self, histories: &[History<'_>], observer: &mut Observer<'_>) -> Result<(), ModelError>;

    /// Forecasts of several histories, in their order; none where the model cannot tell.
    fn forecast_all(&self, histories: &[History<'_>]) -> Vec<Option<Forecast>>;

    /// The forecast of one history.
    fn forecast(&self, history: History<'_>) -> Option<Forecast> {
        self.forecast_all(&[history]).pop().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_never_cross_and_stay_within_the_capacity() {
        let forecast = Forecast::new([[5.0, 3.0, 120.0], [-1.0, 0.0, 2.0], [1.0; 3], [1.0; 3], [1.0; 3]], 100.0);
        assert_eq!(forecast.quantiles[0], [3.0, 5.0, 100.0]);
        assert_eq!((forecast.p50(1), forecast.p90(1), forecast.p95(1)), (0.0, 0.0, 2.0));
        assert_eq!(forecast.peak_p90(), 5.0);
    }

    #[test]
    fn an_unknown_capacity_is_no_upper_bound() {
        assert_eq!(Forecast::new([[1e9; 3]; HORIZONS], f32::INFINITY).p95(4), 1e9);
    }
}
