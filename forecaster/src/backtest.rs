//! What the models would have forecast: trained on the past, scored after it.
//!
//! The LSTM is trained once, on the first part of all series but its last day; the others learn each series again as its
//! past grows. From that day on every model forecasts at each step and the selection serves one; the raw values that
//! follow the training part score them.
//!
//! Promises: no forecast sees a value later than its own time; every model is scored on the same steps. Equal series
//! and configuration give equal tables. Must not know: where series come from.

mod table;

use std::time::Duration;

use crate::models::lstm::LstmConfig;
use crate::models::{Candidates, Forecasts, Model as _, Observer};
use crate::score::{ErrorSums, Score};
use crate::select::{Served, Track};
use crate::series::windows;
use crate::{Forecast, HORIZONS, ModelError, ModelKind, QUANTILES, TimeSeries};

pub use table::Table;

/// How much of the training part is kept for the selection's first scores: as much as scores reach back.
const TRIAL: Duration = Duration::from_hours(24);

/// How a backtest is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BacktestConfig {
    /// Share of each series that models are trained on. Default 0.7.
    pub training_share: f64,
    /// How often the models of single series learn again. Default one hour.
    pub refit: Duration,
    /// How much of a series' past the models see at a time: `serve` keeps less of each, the more there are. Default 7
    /// days.
    pub history: Duration,
    /// The LSTM.
    pub lstm: LstmConfig,
}

impl Default for BacktestConfig {
    fn default() -> Self {
        Self {
            training_share: 0.7,
            refit: Duration::from_hours(1),
            history: Duration::from_hours(7 * 24),
            lstm: LstmConfig::default(),
        }
    }
}

/// A served forecast beside its truth, for plots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandPoint {
    /// Unix time in seconds that the forecast was for.
    pub at: i64,
    /// What came; NaN if it is not known.
    pub truth: f32,
    /// The median.
    pub p50: f32,
    /// The 0.9 quantile.
    pub p90: f32,
    /// The 0.95 quantile.
    pub p95: f32,
}

/// One series' results.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesResult {
    /// The series' name.
    pub name: crate::SeriesName,
    /// The last value, taken for every quantile.
    pub last_value: Score,
    /// Each model's figures, in the order of [`ModelKind::ALL`].
    pub scores: [Score; ModelKind::ALL.len()],
    /// What the selection served.
    pub served: Score,
    /// Share of steps at which each model was served, in the order of [`ModelKind::ALL`].
    pub shares: [f32; ModelKind::ALL.len()],
    /// What was served [`HORIZONS`] steps ahead, in order of time.
    pub bands: Vec<BandPoint>,
}

impl SeriesResult {
    /// The newest of the served forecasts.
    #[must_use]
    pub fn last(&self, span: Duration) -> &[BandPoint] {
        let end = self.bands.last().map_or(0, |point| point.at);
        let first = self.bands.partition_point(|point| point.at <= end - span.as_secs() as i64);
        &self.bands[first..]
    }
}

/// The results of all series that were long enough.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backtest {
    /// By series, in the order given.
    pub series: Vec<SeriesResult>,
}

/// Runs a backtest; `observer` follows the training, `scored` is told after every series how many of all are done.
///
/// # Errors
/// If there is nothing to learn, or the LSTM's training diverges.
pub fn run(
    series: &[TimeSeries],
    config: &BacktestConfig,
    observer: &mut Observer<'_>,
    mut scored: impl FnMut(usize, usize),
) -> Result<Backtest, ModelError> {
    let splits: Vec<Split> = series.iter().map(|series| Split::of(series, config.training_share)).collect();
    let past: Vec<_> =
        series.iter().zip(&splits).map(|(series, split)| series.until(split.trial).recent(config.history)).collect();
    let mut candidates = Candidates::new(config.lstm);
    candidates.train(&past, observer)?;
    candidates.fit_baselines(&past)?;
    let mut results = Vec::new();
    for (k, (series, split)) in series.iter().zip(splits).enumerate() {
        let (mut track, mut tally) = (Track::default(), Tally::default());
        replay(series, split.trial, &mut candidates, config, &mut track, |step, forecasts, served| {
            if step >= split.test {
                tally.add(series, step, forecasts, served);
            }
        });
        results.extend(tally.result(series));
        scored(k + 1, past.len());
    }
    Ok(Backtest { series: results })
}

/// Where a series' parts begin.
#[derive(Clone, Copy)]
struct Split {
    /// The trial: a day that the LSTM is not trained on, so that the selection has scores when the test begins.
    trial: usize,
    /// The test.
    test: usize,
}

impl Split {
    fn of(series: &TimeSeries, training_share: f64) -> Self {
        let test = ((series.len() as f64 * training_share) as usize).min(series.len());
        let day = series.until(test).recent(TRIAL).cells().len();
        // A short series is for training first.
        Self { trial: test - day.min(test / 4), test }
    }
}

/// Goes through the steps of a series from one on, as if they were happening: forecasts, scores, chooses. `seen` is told
/// every step with a window, what was forecast there and what the track served. A service that starts warms its tracks
/// up so, on a day that its LSTM was not trained on.
pub fn replay(
    series: &TimeSeries,
    from: usize,
    candidates: &mut Candidates,
    config: &BacktestConfig,
    track: &mut Track,
    mut seen: impl FnMut(usize, &Forecasts, &Served),
) {
    let steps: Vec<usize> = windows(series.history().cells()).filter(|step| *step >= from).collect();
    let histories: Vec<_> = steps.iter().map(|step| series.until(*step).recent(config.history)).collect();
    let by_lstm = candidates.lstm.forecast_all(&histories);
    let mut refitted: Option<i64> = None;
    for ((step, history), lstm) in steps.into_iter().zip(histories).zip(by_lstm) {
        let now = history.data_until();
        if refitted.is_none_or(|at| now - at >= config.refit.as_secs() as i64) {
            candidates.refit(history);
            refitted = Some(now);
        }
        let forecasts = candidates.with_lstm(history, lstm);
        if let Some(served) = track.advance(history, forecasts) {
            seen(step, &forecasts, &served);
        }
    }
}

/// Running sums of one series.
#[derive(Default)]
struct Tally {
    last_value: ErrorSums,
    models: [ErrorSums; ModelKind::ALL.len()],
    served: ErrorSums,
    counts: [u32; ModelKind::ALL.len()],
    bands: Vec<BandPoint>,
}

fn band(series: &TimeSeries, cell: usize, served: &Forecast) -> BandPoint {
    let (far, truth) = (HORIZONS - 1, series.history().cells()[cell]);
    let at = series.until(cell + 1).data_until();
    BandPoint { at, truth, p50: served.p50(far), p90: served.p90(far), p95: served.p95(far) }
}

impl Tally {
    fn add(&mut self, series: &TimeSeries, step: usize, forecasts: &Forecasts, served: &Served) {
        // A step that one model cannot forecast would be scored for the others only.
        let (Some(last), [Some(lstm), Some(ridge), Some(peak), Some(naive)]) = (series.until(step).last(), forecasts)
        else {
            return;
        };
        let truth = &series.history().cells()[step..step + HORIZONS];
        for (sums, forecast) in self.models.iter_mut().zip([lstm, ridge, peak, naive]) {
            sums.add_all(forecast, last, truth);
        }
        let unchanged = Forecast { quantiles: [[last; QUANTILES.len()]; HORIZONS] };
        self.last_value.add_all(&unchanged, last, truth);
        self.served.add_all(&served.forecast, last, truth);
        self.counts[served.model as usize] += 1;
        self.bands.push(band(series, step + HORIZONS - 1, &served.forecast));
    }

    fn result(self, series: &TimeSeries) -> Option<SeriesResult> {
        let [lstm, ridge, peak, naive] = self.models.map(|sums| sums.score());
        Some(SeriesResult {
            name: series.name().clone(),
            last_value: self.last_value.score()?,
            scores: [lstm?, ridge?, peak?, naive?],
            served: self.served.score()?,
            shares: self.counts.map(|count| count as f32 / self.served.steps as f32),
            bands: self.bands,
        })
    }
}

#[cfg(test)]
mod tests;
