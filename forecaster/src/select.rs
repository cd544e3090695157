//! Which model is served: the LSTM, unless another was clearly better lately; without an LSTM the last value, unless.
//!
//! Each minute the forecasts of all models are recorded; each later minute's truth scores those that were made for it.
//! Scores are kept by four hours and forgotten after a day.
//!
//! Promises: bounded memory (less than 1.4 kB a series, which after the history is most of what a large cluster takes);
//! no model is served on fewer than [`FEWEST_STEPS`] scored steps unless it is the only one; a choice stands for
//! [`HYSTERESIS`]. Must not know: a clock: times are those of the data.

use crate::models::Forecasts;
use crate::score::{ErrorSums, Score};
use crate::{Forecast, HORIZONS, History, ModelKind};

/// How far back scores reach, in seconds.
pub const SPAN: i64 = 24 * 3_600;

/// Fewest scored steps for a verdict on a model.
pub const FEWEST_STEPS: u32 = 200;

/// What share of the favourite's loss a challenger may have at most to be served instead.
pub const CHALLENGE: f32 = 0.95;

/// How long a choice stands, in seconds.
pub const HYSTERESIS: i64 = 30 * 60;

/// Seconds of a bucket of scores: a divisor of [`SPAN`].
const BUCKET: i64 = 4 * 3_600;

const MODELS: usize = ModelKind::ALL.len();

/// What is due where there is one forecast a step: 5 for the next cell, 4 for the one after it, …
const MOST_DUE: usize = HORIZONS * (HORIZONS + 1) / 2;

/// What is scored of the forecasts of all models for one cell, made at one time.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// When the cell closes.
    at: i64,
    /// The last value when they were made.
    last: f32,
    /// Median and 0.9 quantile by model; NaN where a model had none.
    quantiles: [[f32; 2]; MODELS],
}

/// One series' recent scores, by model.
#[derive(Clone, Debug, Default)]
pub struct Scoreboard {
    /// What was forecast for cells that have not closed; at most [`MOST_DUE`].
    due: Vec<Due>,
    /// By bucket since 1970, oldest first.
    buckets: Vec<(i64, [ErrorSums; MODELS])>,
}

impl Scoreboard {
    /// Scores what was forecast for a cell that has closed; a gap (none) scores nothing. Cells come in order of time.
    pub fn observe(&mut self, at: i64, truth: Option<f32>) {
        if let Some(truth) = truth {
            self.add(at, self.scored(at, truth));
        }
        self.due.retain(|due| due.at > at);
    }

    fn scored(&self, at: i64, truth: f32) -> [ErrorSums; MODELS] {
        let mut sums = [ErrorSums::default(); MODELS];
        for due in self.due.iter().filter(|due| due.at == at) {
            for (sums, quantiles) in sums.iter_mut().zip(&due.quantiles).filter(|(_, [p50, _])| !p50.is_nan()) {
                sums.steps = 1;
                sums.add(*quantiles, due.last, truth);
            }
        }
        sums
    }

    fn add(&mut self, at: i64, sums: [ErrorSums; MODELS]) {
        let newest = at.div_euclid(BUCKET);
        self.buckets.retain(|(bucket, _)| *bucket > newest - SPAN / BUCKET);
        if self.buckets.last().is_none_or(|(bucket, _)| *bucket != newest) {
            // Room for all from the start, here and below: there are as many lists as series, and growing them leaves holes.
            self.buckets.reserve_exact(((SPAN / BUCKET) as usize).saturating_sub(self.buckets.len()));
            self.buckets.push((newest, [ErrorSums::default(); MODELS]));
        }
        if let Some((_, all)) = self.buckets.last_mut() {
            all.iter_mut().zip(sums).for_each(|(all, sums)| *all += sums);
        }
    }

    /// Remembers forecasts until their truth is known: made when the cell at `at` had closed with the value `last`, in
    /// the order of [`ModelKind::ALL`]; `step` is the grid's, in seconds.
    pub fn record(&mut self, at: i64, last: f32, forecasts: Forecasts, step: u32) {
        let scored = |horizon: usize, forecast: &Option<Forecast>| {
            forecast.map_or([f32::NAN; 2], |forecast| [forecast.p50(horizon), forecast.p90(horizon)])
        };
        let due = |horizon: usize| Due {
            at: at + (horizon as i64 + 1) * i64::from(step),
            last,
            quantiles: std::array::from_fn(|model| scored(horizon, &forecasts[model])),
        };
        self.due.reserve_exact(MOST_DUE.saturating_sub(self.due.len()));
        self.due.extend((0..HORIZONS).map(due));
    }

    /// The error figures of a model over the last day; none if it was not scored.
    #[must_use]
    pub fn score(&self, model: ModelKind) -> Option<Score> {
        let mut sums = ErrorSums::default();
        self.buckets.iter().for_each(|(_, bucket)| sums += bucket[model as usize]);
        sums.score()
    }

    /// The loss that models are compared by, if there is enough of it.
    fn loss(&self, model: ModelKind) -> Option<f32> {
        self.score(model).filter(|score| score.steps >= FEWEST_STEPS).map(|score| score.pinball90)
    }
}

/// The model that a series is served by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    served: ModelKind,
    favourite: ModelKind,
    since: Option<i64>,
}

impl Default for Selection {
    fn default() -> Self {
        Self { served: ModelKind::Lstm, favourite: ModelKind::Lstm, since: None }
    }
}

impl Selection {
    /// The model that the scores of a series call for at a time, when these are the forecasts of all models; the choice
    /// before it stands for [`HYSTERESIS`], unless the LSTM came or went.
    pub fn choose(&mut self, at: i64, scores: &Scoreboard, forecasts: &Forecasts) -> ModelKind {
        let favourite = favourite(forecasts);
        if favourite != self.favourite {
            *self = Self { served: favourite, favourite, since: None };
        }
        let best = best(scores, favourite);
        let may_change = self.since.is_none_or(|since| at - since >= HYSTERESIS);
        if best != self.served && may_change {
            *self = Self { served: best, since: Some(at), ..*self };
        }
        self.served
    }

    /// The forecast to serve among those of all models, in the order of [`ModelKind::ALL`]: the chosen model's, or, if
    /// that has none, the first there is from the least demanding model on.
    #[must_use]
    pub fn serve(self, forecasts: &Forecasts) -> Option<(ModelKind, Forecast)> {
        let fallback = ModelKind::ALL.into_iter().rev();
        std::iter::once(self.served).chain(fallback).find_map(|model| Some((model, forecasts[model as usize]?)))
    }
}

/// The model that others have to beat: the LSTM where there is one.
fn favourite(forecasts: &Forecasts) -> ModelKind {
    if forecasts[ModelKind::Lstm as usize].is_some() { ModelKind::Lstm } else { ModelKind::Naive }
}

/// The favourite, or the best challenger that beats it by the margin.
fn best(scores: &Scoreboard, favourite: ModelKind) -> ModelKind {
    let Some(bar) = scores.loss(favourite) else { return favourite };
    let challengers = ModelKind::ALL.into_iter().filter_map(|model| Some((model, scores.loss(model)?)));
    let best = challengers.min_by(|one, two| one.1.total_cmp(&two.1));
    best.filter(|(_, loss)| *loss < CHALLENGE * bar).map_or(favourite, |(model, _)| model)
}

/// What is served for a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// Unix time in seconds of the newest data that it rests on.
    pub data_until: i64,
    /// Whose forecast it is.
    pub model: ModelKind,
    /// The forecast.
    pub forecast: Forecast,
    /// How good that model was over the last day; none as long as it was not scored.
    pub score: Option<Score>,
}

/// One series' scores and choice through time.
#[derive(Clone, Debug, Default)]
pub struct Track {
    scores: Scoreboard,
    selection: Selection,
    seen: Option<i64>,
}

impl Track {
    /// Scores the cells that closed since the last call, chooses a model, and serves one of the forecasts that were made
    /// from this history. None if no model has one. A call for a history that is not newer scores and records nothing.
    pub fn advance(&mut self, history: History<'_>, forecasts: Forecasts) -> Option<Served> {
        let now = history.data_until();
        if self.seen.is_none_or(|seen| seen < now) {
            self.observe(history);
            self.selection.choose(now, &self.scores, &forecasts);
            if let Some(last) = history.last() {
                self.scores.record(now, last, forecasts, history.step());
            }
        }
        let (model, forecast) = self.selection.serve(&forecasts)?;
        Some(Served { data_until: now, model, forecast, score: self.scores.score(model) })
    }

    fn observe(&mut self, history: History<'_>) {
        let (now, step) = (history.data_until(), i64::from(history.step()));
        let new = self.seen.map_or(0, |seen| ((now - seen) / step) as usize).min(history.cells().len());
        let cells = &history.cells()[history.cells().len() - new..];
        for (age, cell) in (0..new as i64).rev().zip(cells) {
            self.scores.observe(now - age * step, Some(*cell).filter(|value| !value.is_nan()));
        }
        self.seen = Some(now);
    }

    /// The scores of all models.
    #[must_use]
    pub const fn scores(&self) -> &Scoreboard {
        &self.scores
    }
}

#[cfg(test)]
mod tests;
