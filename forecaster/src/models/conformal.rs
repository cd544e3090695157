//! Split conformal quantiles around a point forecast.
//!
//! Quantiles are the point plus the empirical quantile of its residuals on the newest part of the history, which the
//! point forecast was not fitted on (Papadopoulos et al. 2002, doi:10.1007/3-540-36755-1_29; rank with the correction
//! ⌈(n + 1)q⌉ of Lei et al. 2018, doi:10.1080/01621459.2017.1307116).
//!
//! Promises: a series that is unknown or too new gets the quantiles of the whole fleet, scaled to its level. Must not
//! know: which point forecast it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Forecast, HORIZONS, Model, ModelError, ModelKind, Observer, QUANTILES};
use crate::{History, SeriesName};

/// How far back residuals count.
const CALIBRATION: Duration = Duration::from_hours(24);

/// The most that calibration takes of a short history where the rest is learnt from, as a divisor.
const LARGEST_SHARE: usize = 3;

/// Fewest residuals for quantiles of a series' own; with fewer the 0.95 quantile would be the maximum.
const FEWEST_RESIDUALS: usize = 40;

/// The most residuals that one series adds to the fleet's, evenly spread: a day of a thousand series would be 30 MB.
const LARGEST_PART: usize = 64;

/// The level below which a series counts as idle, so that its residuals are not divided by nothing.
const IDLE: f32 = 1e-6;

/// A forecast of one value for each horizon.
pub trait PointForecast: Sized + Send + Sync {
    /// The model that it becomes with quantiles.
    const KIND: ModelKind;
    /// How many of the newest values it looks at.
    const LAGS: usize;
    /// Whether it learns from a history at all; if not, all of that is for calibration.
    const LEARNS: bool;

    /// Learns from the cells of one series, NaN being gaps; none if there is too little to learn from.
    fn fit(cells: &[f32]) -> Option<Self>;

    /// The forecast from a window of 1 to [`Self::LAGS`] known values, oldest first.
    fn point(&self, window: &[f32]) -> [f32; HORIZONS];
}

/// What is added to the point, by horizon and quantile.
type Offsets = [[f32; QUANTILES.len()]; HORIZONS];

/// Residuals by horizon.
type Residuals = [Vec<f32>; HORIZONS];

/// A point forecast with conformal quantiles, for each series of its own.
#[derive(Clone, Debug)]
pub struct Conformal<P> {
    known: HashMap<Arc<SeriesName>, (P, Offsets)>,
    /// Offsets of the fleet, as a share of the [`level`].
    fleet: Option<Offsets>,
}

impl<P> Default for Conformal<P> {
    fn default() -> Self {
        Self { known: HashMap::new(), fleet: None }
    }
}

impl<P: PointForecast> Conformal<P> {
    /// Learns one series again, for a caller that spreads the work over time; the fleet's quantiles stay.
    pub fn refit(&mut self, history: History<'_>) {
        if let Some((point, residuals)) = calibrated(history)
            && let Some(offsets) = offsets(residuals, FEWEST_RESIDUALS)
        {
            self.known.insert(history.shared_name(), (point, offsets));
        }
    }

    /// Forgets all series but those that `keep` names.
    pub fn retain(&mut self, mut keep: impl FnMut(&SeriesName) -> bool) {
        self.known.retain(|name, _| keep(name));
    }

    fn forecast_one(&self, history: History<'_>) -> Option<Forecast> {
        let window = newest(history.cells(), P::LAGS)?;
        let (point, offsets) = match self.known.get(history.name()) {
            Some((fitted, offsets)) if window.len() == P::LAGS => (fitted.point(window), *offsets),
            _ => {
                let (fitted, level) = (P::fit(&[])?, level(history));
                (fitted.point(window), self.fleet?.map(|row| row.map(|share| share * level)))
            }
        };
        let mut quantiles = offsets;
        for (row, point) in quantiles.iter_mut().zip(point) {
            for value in row {
                *value += point;
            }
        }
        Some(Forecast::new(quantiles, history.capacity()))
    }
}

impl<P: PointForecast> Model for Conformal<P> {
    fn kind(&self) -> ModelKind {
        P::KIND
    }

    fn fit(&mut self, histories: &[History<'_>], _: &mut Observer<'_>) -> Result<(), ModelError> {
        let mut fleet = Residuals::default();
        for &history in histories {
            let Some((_, residuals)) = calibrated::<P>(history) else { continue };
            let level = level(history);
            for (all, own) in fleet.iter_mut().zip(&residuals) {
                let stride = own.len().div_ceil(LARGEST_PART).max(1);
                all.extend(own.iter().step_by(stride).map(|residual| residual / level));
            }
            self.refit(history);
        }
        let Some(offsets) = offsets(fleet, 1) else {
            return Err(ModelError::NoWindow { series: histories.len(), lags: P::LAGS, horizons: HORIZONS });
        };
        self.fleet = Some(offsets);
        Ok(())
    }

    fn forecast_all(&self, histories: &[History<'_>]) -> Vec<Option<Forecast>> {
        histories.iter().map(|history| self.forecast_one(*history)).collect()
    }
}

/// The newest known values, `most` of them if there are as many; none if the newest cell is a gap.
fn newest(cells: &[f32], most: usize) -> Option<&[f32]> {
    let known = cells.iter().rev().take(most).take_while(|value| !value.is_nan()).count();
    (known > 0).then(|| &cells[cells.len() - known..])
}

/// What residuals of different series are compared by: the capacity, or the mean of the newest day if there is none.
fn level(history: History<'_>) -> f32 {
    if history.capacity().is_finite() {
        return history.capacity();
    }
    let (sum, count) = history
        .recent(CALIBRATION)
        .cells()
        .iter()
        .filter(|value| !value.is_nan())
        .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0_f32));
    (sum / count.max(1.0)).max(IDLE)
}

/// A point forecast fitted on the older part of a history, and its residuals on the newer.
fn calibrated<P: PointForecast>(history: History<'_>) -> Option<(P, Residuals)> {
    let cells = history.cells();
    let spare = if P::LEARNS { cells.len() / LARGEST_SHARE } else { cells.len() };
    let newer = history.recent(CALIBRATION).cells().len().min(spare);
    let point = P::fit(history.before(newer).cells())?;
    let mut residuals = Residuals::default();
    for k in (cells.len() - newer).max(P::LAGS)..cells.len() {
        let Some(window) = newest(&cells[..k], P::LAGS).filter(|window| window.len() == P::LAGS) else { continue };
        for ((residuals, forecast), truth) in residuals.iter_mut().zip(point.point(window)).zip(&cells[k..]) {
            residuals.extend((!truth.is_nan()).then_some(truth - forecast));
        }
    }
    Some((point, residuals))
}

/// The offsets that residuals give; none if a horizon has fewer than `fewest`.
fn offsets(residuals: Residuals, fewest: usize) -> Option<Offsets> {
    if residuals.iter().any(|residuals| residuals.len() < fewest) {
        return None;
    }
    Some(residuals.map(|mut residuals| QUANTILES.map(|probability| quantile(&mut residuals, probability))))
}

/// The value of rank ⌈(n + 1)q⌉ among at least one.
fn quantile(values: &mut [f32], probability: f32) -> f32 {
    let rank = (f64::from(probability) * (values.len() as f64 + 1.0)).ceil() as usize;
    let rank = rank.clamp(1, values.len()) - 1;
    *values.select_nth_unstable_by(rank, f32::total_cmp).1
}

#[cfg(test)]
mod tests;
