//! One series of the fleet: its cells, its scores, what is served for it.
//!
//! Promises: the time of the newest sample is that of a measured one, never of a carried value. Must not know: other
//! series.

use super::super::ensemble::Forecasts;
use super::CELL;
use crate::select::{FEWEST_STEPS, Scoreboard, Selection};
use crate::series::Dropped;
use crate::snapshot::{ErrorFigures, ResourceForecast, STEP_SECONDS, Unit};
use crate::{History, ModelKind, Sample, SeriesName, TimeSeries};

/// One series.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) series: TimeSeries,
    /// Unix time in seconds of the newest sample that is a number.
    pub(super) measured_until: i64,
    /// Unix time in seconds of the newest cell that was scored.
    scored_until: i64,
    board: Scoreboard,
    selection: Selection,
    /// When the models learnt it again, Unix time in seconds.
    pub(super) refitted: Option<i64>,
    pub(super) served: Option<ResourceForecast>,
}

impl Held {
    /// A series from its first samples on, with room for so many cells: lists that grow side by side leave holes
    /// everywhere.
    pub(super) fn new(name: SeriesName, samples: &[Sample], capacity: f64, until: i64, room: usize) -> (Self, Dropped) {
        let mut series = TimeSeries::starting(name, samples, STEP_SECONDS, capacity, until);
        series.make_room(room);
        let dropped = series.append(samples, until);
        let held = Self {
            measured_until: newest(samples).unwrap_or(i64::MIN / 2),
            scored_until: series.history().data_until(),
            series,
            board: Scoreboard::default(),
            selection: Selection::default(),
            refitted: None,
            served: None,
        };
        // A series that was just seen has nothing to score, but something to forecast.
        (Self { scored_until: held.scored_until - CELL, ..held }, dropped)
    }

    pub(super) fn append(&mut self, samples: &[Sample], until: i64) -> Dropped {
        self.measured_until = newest(samples).map_or(self.measured_until, |at| at.max(self.measured_until));
        self.series.append(samples, until)
    }

    /// Closes cells without samples, and forgets the oldest beyond `cells`.
    pub(super) fn close(&mut self, until: i64, cells: usize) {
        self.series.append(&[], until);
        self.series.keep(cells);
    }

    pub(super) fn history(&self) -> History<'_> {
        self.series.history()
    }

    /// Whether its models should learn it again.
    pub(super) fn is_due(&self, now: i64, every: i64) -> bool {
        self.refitted.is_none_or(|at| now - at >= every)
    }

    /// How many cells closed since they were scored last.
    pub(super) fn new_cells(&self) -> usize {
        let until = self.history().data_until();
        usize::try_from((until - self.scored_until) / CELL).unwrap_or(0).min(self.series.len())
    }

    /// Scores what was forecast for cells that closed since the last call. Itself, if there were some and there is
    /// something to forecast from.
    pub(super) fn score_new_cells(&mut self) -> Option<&mut Self> {
        let new = self.new_cells();
        if new == 0 {
            return None;
        }
        for cells in self.series.len() - new + 1..=self.series.len() {
            let history = self.series.until(cells);
            self.board.observe(history.data_until(), history.last());
        }
        self.scored_until = self.history().data_until();
        if self.history().last().is_none() {
            self.served = None;
            return None;
        }
        Some(self)
    }

    /// Remembers what all models forecast, and chooses what is served.
    pub(super) fn choose(&mut self, unit: Unit, forecasts: Forecasts, trained_at: impl Fn(ModelKind) -> Option<i64>) {
        let Some(last) = self.history().last() else { return };
        let at = self.history().data_until();
        self.board.record(at, last, forecasts, STEP_SECONDS);
        self.selection.choose(at, &self.board, &forecasts);
        self.served = self.selection.serve(&forecasts).and_then(|(model, forecast)| {
            let error = self.error(model);
            ResourceForecast::new(unit, (model, forecast), error, trained_at(model), self.measured_until.min(at))
        });
    }

    /// A model's figures, if they rest on enough steps.
    pub(super) fn error(&self, model: ModelKind) -> ErrorFigures {
        let score = self.board.score(model).filter(|score| score.steps >= FEWEST_STEPS);
        score.map(ErrorFigures::from).unwrap_or_default()
    }

    /// Takes a replay's scores, unless it has enough of its own.
    pub(super) fn adopt(&mut self, board: Scoreboard) {
        let own = self.board.score(ModelKind::Naive).map_or(0, |score| score.steps);
        if own < FEWEST_STEPS {
            self.board = board;
        }
    }
}

fn newest(samples: &[Sample]) -> Option<i64> {
    samples.iter().filter(|sample| sample.value.is_finite()).map(|sample| sample.at).max()
}
