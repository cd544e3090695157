//! All series with their scores and choices: a state machine, fed with samples and told the time.
//!
//! Promises: a series that is silent has no forecast once its newest cell is a gap, and is forgotten after an hour; a
//! cell is scored once; memory is bounded by the history that the schedule allows. Must not know: where samples come
//! from.

mod figures;
mod held;

use std::collections::BTreeMap;
use std::time::Duration;

pub use figures::Figure;
use held::Held;

use super::ensemble::Ensemble;
use super::subjects::Subject;
use super::training::{Board, Sampled};
use crate::config::valid::{Query, Schedule};
use crate::series::{Dropped, LAGS};
use crate::snapshot::{Entry, Kind, ResourceForecast, STEP_SECONDS};
use crate::{HORIZONS, History, Sample};

/// Seconds of a cell.
pub(super) const CELL: i64 = STEP_SECONDS as i64;

/// The least history that the LSTM has a window in, in seconds.
pub(super) const TRAINABLE: i64 = (LAGS + HORIZONS) as i64 * CELL;

/// The least history, however many series there are: a third of a day to learn from. Scores reach back a day without it.
/// Half a day made what is served 1 % better and took 20 MB more for 5,000 nodes.
pub(super) const LEAST_HISTORY: Duration = Duration::from_hours(8);

/// A node that restarts is back before, with its history; one that is gone takes no memory for long.
const FORGET: i64 = 3_600;
/// How often the models of single series learn again, in seconds.
const REFIT: i64 = 30 * 60;
/// Series that learn again in one tick, where there are few; among many, a tick takes its share of all.
const REFITS_A_TICK: usize = 64;
/// Series of one query that the LSTM and the fleet's quantiles are learnt from. The windows of a training are limited
/// anyway; this limits the copy that the training works on.
const SAMPLE: usize = 256;
/// Series that are forecast at once: bounds the memory of a batch.
const BATCH: usize = 1_024;

/// All series, their scores, and the models that are served for them.
#[derive(Debug)]
pub struct Fleet {
    queries: Vec<Query>,
    /// By query, by subject; boxed, because a map that grew in order is half empty.
    held: Vec<BTreeMap<Subject, Box<Held>>>,
    schedule: Schedule,
    /// Series that were announced for the reading that goes on.
    expected: usize,
}

/// The history that the memory for all series holds, at most the configured one.
fn affordable(schedule: Schedule, series: usize) -> Duration {
    let cells = schedule.history_memory / size_of::<f32>() / series.max(1);
    Duration::from_secs(cells as u64 * CELL as u64).max(LEAST_HISTORY).min(schedule.history)
}

impl Fleet {
    /// A fleet without series.
    #[must_use]
    pub fn new(queries: Vec<Query>, schedule: Schedule) -> Self {
        let held = queries.iter().map(|_| BTreeMap::new()).collect();
        Self { queries, held, schedule, expected: 0 }
    }

    /// What is read.
    #[must_use]
    pub fn queries(&self) -> &[Query] {
        &self.queries
    }

    /// Number of series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.iter().map(BTreeMap::len).sum()
    }

    /// Whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of series of a query.
    pub(super) fn series(&self, query: usize) -> usize {
        self.held[query].len()
    }

    /// Announces how many series the reading that begins will find, and says how much history there is memory for.
    pub(super) fn expect(&mut self, series: usize) -> Duration {
        self.expected = series;
        self.history()
    }

    /// The history that each series has room for.
    fn history(&self) -> Duration {
        affordable(self.schedule, self.len().max(self.expected))
    }

    /// That in cells.
    fn room(&self) -> usize {
        (self.history().as_secs() / CELL as u64) as usize
    }

    /// Takes samples of a query that reach a time, Unix time in seconds; later ones belong to the next call.
    pub fn take(&mut self, query: usize, by_subject: BTreeMap<Subject, Vec<Sample>>, until: i64) -> Dropped {
        let (Query { name, capacity, .. }, room) = (&self.queries[query], self.room());
        let mut all = Dropped::default();
        for (subject, samples) in by_subject {
            let dropped = if let Some(held) = self.held[query].get_mut(&subject) {
                held.append(&samples, until)
            } else {
                let (held, dropped) = Held::new(subject.series(name), &samples, *capacity, until, room);
                self.held[query].insert(subject, Box::new(held));
                dropped
            };
            all.not_finite += dropped.not_finite;
            all.negative += dropped.negative;
            all.above_capacity += dropped.above_capacity;
        }
        all
    }

    /// Closes the cells of a query whose reading is complete: what was not heard of is silent. Says whether a series was
    /// heard within the last cells.
    pub fn close(&mut self, query: usize, until: i64) -> bool {
        let cells = self.room();
        let held = &mut self.held[query];
        for held in held.values_mut() {
            held.close(until, cells);
        }
        held.retain(|_, held| held.measured_until >= until - FORGET);
        held.values().any(|held| held.measured_until > until - CELL)
    }

    /// Scores the new cells and forecasts every series that has some; says whether there were any.
    pub fn forecast(&mut self, ensemble: &mut Ensemble, now: i64) -> bool {
        self.expected = 0;
        self.refit(ensemble, now);
        let mut is_new = false;
        for (query, held) in self.queries.iter().zip(&mut self.held) {
            is_new |= held.values().any(|held| held.new_cells() > 0);
            let mut due: Vec<&mut Held> = held.values_mut().filter_map(|held| held.score_new_cells()).collect();
            for batch in due.chunks_mut(BATCH) {
                let histories: Vec<History> = batch.iter().map(|held| held.history()).collect();
                let forecasts = ensemble.forecast_all(&histories);
                for (held, forecasts) in batch.iter_mut().zip(forecasts) {
                    held.choose(query.unit, forecasts, |model| ensemble.trained_at(model));
                }
            }
        }
        is_new
    }

    /// Lets the models of some series learn again, those that waited longest by their turn.
    fn refit(&mut self, ensemble: &mut Ensemble, now: i64) {
        let most = REFITS_A_TICK.max(self.len() / 60);
        let due = self.held.iter_mut().flat_map(BTreeMap::values_mut).filter(|held| held.is_due(now, REFIT));
        for held in due.take(most) {
            ensemble.refit(held.history());
            held.refitted = Some(now);
        }
        let known = |name: &crate::SeriesName| {
            let of_query = self.queries.iter().position(|query| query.name == name.resource);
            of_query.is_some_and(|query| {
                let (namespace, own) = name.subject.split_once('/').unwrap_or_default();
                self.held[query].contains_key(&Subject { namespace: namespace.to_owned(), name: own.to_owned() })
            })
        };
        ensemble.retain(known);
    }

    /// Seconds of the longest series, if it is long enough for quantiles of its own last value.
    #[must_use]
    pub fn known_history(&self) -> Option<i64> {
        let cells = self.held.iter().flat_map(BTreeMap::values).map(|held| held.history().cells().len()).max()?;
        (cells > HORIZONS).then_some(cells as i64 * CELL)
    }

    /// Copies of some series of every query, evenly spread over the names.
    pub(super) fn sample(&self) -> Vec<Sampled> {
        let of_query = |(query, held): (usize, &BTreeMap<Subject, Box<Held>>)| {
            let stride = held.len().div_ceil(SAMPLE).max(1);
            let some = held.iter().step_by(stride);
            some.map(|(subject, held)| Sampled { query, subject: subject.clone(), series: held.series.clone() })
                .collect::<Vec<_>>()
        };
        self.held.iter().enumerate().flat_map(of_query).collect()
    }

    /// Takes scores from a replay, for series that have none of their own yet.
    pub(super) fn adopt(&mut self, boards: Vec<Board>) {
        for (query, subject, board) in boards {
            if let Some(held) = self.held[query].get_mut(&subject) {
                held.adopt(board);
            }
        }
    }

    /// The forecasts that are served, in the order of kind, namespace and name.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let mut served = BTreeMap::<(Kind, &Subject), Vec<(&String, &ResourceForecast)>>::new();
        for (query, held) in self.queries.iter().zip(&self.held) {
            for (subject, held) in held {
                if let Some(forecast) = &held.served {
                    served.entry((query.kind, subject)).or_default().push((&query.resource, forecast));
                }
            }
        }
        served.into_iter().map(|((kind, subject), resources)| Entry {
            kind,
            namespace: subject.namespace.clone(),
            name: subject.name.clone(),
            resources: resources.into_iter().map(|(name, forecast)| (name.clone(), forecast.clone())).collect(),
        })
    }

    /// What the series have in common, for metrics: one figure for each query and model.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        self.queries
            .iter()
            .zip(&self.held)
            .flat_map(|(query, held)| figures::figures(query, held.values().map(Box::as_ref)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
