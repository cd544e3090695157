//! Reading what is new of every query, part by part, into the fleet.
//!
//! The first reading of a query reaches back over the history, those after it over a quarter of an hour: enough for a
//! new node to have a full window at once. A query that failed goes on where it was.
//!
//! Promises: all queries are read side by side, few at a time and in small parts, so memory is bounded by a few answers;
//! a query that fails changes nothing of the others. Must not know: forecasts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{LocalSet, spawn_local};

use super::fleet::{CELL, Fleet, LEAST_HISTORY};
use super::subjects::Subjects;
use crate::config::valid::{Query, Schedule};
use crate::metrics::Metrics;
use crate::source::{Labelled, Outcome, Part, Prometheus, Reading, SourceError, Span};

/// What every reading after the first reaches back.
const OVERLAP: i64 = 15 * 60;
/// Answers in memory at once.
const SIDE_BY_SIDE: usize = 2;

/// What a task that reads a query tells.
enum News {
    Part(usize, Part),
    End(usize, Result<(), SourceError>),
}

/// Reads what is new.
#[derive(Debug)]
pub(super) struct Reader {
    prometheus: Arc<Prometheus>,
    runtime: Handle,
    subjects: Subjects,
    queries: Vec<Query>,
    schedule: Schedule,
    /// How far each query was read, Unix time in seconds.
    read_until: Vec<Option<i64>>,
}

impl Reader {
    pub(super) fn new(
        prometheus: Arc<Prometheus>,
        runtime: Handle,
        subjects: Subjects,
        queries: Vec<Query>,
        schedule: Schedule,
    ) -> Self {
        let read_until = vec![None; queries.len()];
        Self { prometheus, runtime, subjects, queries, schedule, read_until }
    }

    /// Reads every query that has a cell to close; says whether one of them had an answer.
    pub(super) fn read(&mut self, now: i64, fleet: &mut Fleet, metrics: &Metrics) -> bool {
        let end = now.div_euclid(CELL) * CELL;
        let due: Vec<usize> =
            (0..self.queries.len()).filter(|k| self.read_until[*k].is_none_or(|until| until < end)).collect();
        if due.is_empty() {
            return false;
        }
        self.learn_names(end, metrics);
        let series = self.series(end, &due, fleet);
        let history = fleet.expect(series.iter().sum());
        let runtime = self.runtime.clone();
        // On this thread, all of it: what a thread frees is of use to itself first.
        runtime.block_on(LocalSet::new().run_until(async {
            let news = self.start(&due, end, history, &series);
            self.take_all(news, end, fleet, metrics).await
        }))
    }

    /// Takes what the readings bring; says whether one of them had an answer.
    async fn take_all(
        &mut self,
        mut news: mpsc::Receiver<News>,
        end: i64,
        fleet: &mut Fleet,
        metrics: &Metrics,
    ) -> bool {
        let (mut is_read, mut refused) = (false, BTreeMap::new());
        while let Some(item) = news.recv().await {
            match item {
                // After a part that is no answer, later ones would hide the gap.
                News::Part(query, _) if refused.contains_key(&query) => {}
                News::Part(query, part) => match part.series() {
                    Ok(answer) => self.take(query, answer, part.until, fleet, metrics),
                    Err(error) => drop(refused.insert(query, error)),
                },
                News::End(query, result) => {
                    let result = refused.remove(&query).map_or(result, Err);
                    is_read |= self.end(query, end, result, fleet, metrics);
                }
            }
        }
        is_read
    }

    /// How many series each query has: as many as before, or as Prometheus counts before the first reading.
    fn series(&self, end: i64, due: &[usize], fleet: &Fleet) -> Vec<usize> {
        let mut series: Vec<usize> = (0..self.queries.len()).map(|query| fleet.series(query)).collect();
        // A short history is kept of however many series there are.
        if self.schedule.history > LEAST_HISTORY {
            for &query in due.iter().filter(|query| self.read_until[**query].is_none()) {
                let count = self.prometheus.count(&self.queries[query].promql, end);
                // A query that fails here fails below too, and is counted there.
                series[query] = self.runtime.block_on(count).unwrap_or(0);
            }
        }
        series
    }

    fn learn_names(&mut self, end: i64, metrics: &Metrics) {
        let Some(join) = self.subjects.join() else { return };
        match self.runtime.block_on(self.prometheus.instant(&join.query, end)) {
            Ok(answer) => {
                metrics.fetched("nodes_join", if answer.is_empty() { Outcome::Empty } else { Outcome::Ok });
                self.subjects.learn(&answer);
            }
            Err(error) => {
                tracing::warn!(error = %crate::error::chain(&error), "names of nodes not read, the older ones stay");
                metrics.fetched("nodes_join", Outcome::Failed(error.reason()));
            }
        }
    }

    fn start(&self, due: &[usize], end: i64, history: Duration, series: &[usize]) -> mpsc::Receiver<News> {
        let (sender, news) = mpsc::channel(1);
        let gate = Arc::new(Semaphore::new(SIDE_BY_SIDE));
        for &query in due {
            let (sender, gate, prometheus) = (sender.clone(), Arc::clone(&gate), Arc::clone(&self.prometheus));
            let (promql, span) = (self.queries[query].promql.clone(), self.span(query, end, history));
            let series = series[query];
            spawn_local(async move {
                // The gate is never closed.
                let _permit = gate.acquire().await;
                let result = pass_on(query, prometheus.read_many(&promql, span, series), &sender).await;
                drop(sender.send(News::End(query, result)).await);
            });
        }
        news
    }

    fn span(&self, query: usize, end: i64, history: Duration) -> Span {
        let step = self.schedule.resolution;
        let oldest = end - history.as_secs() as i64;
        let start = self.read_until[query].map_or(oldest, |until| (until - OVERLAP).max(oldest));
        Span { start: start.div_euclid(CELL) * CELL + i64::from(step), end, step }
    }

    fn take(&self, query: usize, answer: Vec<Labelled>, until: i64, fleet: &mut Fleet, metrics: &Metrics) {
        let (by_subject, unknown) = self.subjects.sort(self.queries[query].kind, answer);
        let name = &self.queries[query].name;
        if unknown > 0 {
            metrics.dropped(name, "unknown_subject", unknown);
        }
        let dropped = fleet.take(query, by_subject, until);
        metrics.dropped(name, "not_finite", dropped.not_finite);
        metrics.dropped(name, "negative", dropped.negative);
        metrics.dropped(name, "above_capacity", dropped.above_capacity);
    }

    fn end(
        &mut self,
        query: usize,
        end: i64,
        result: Result<(), SourceError>,
        fleet: &mut Fleet,
        metrics: &Metrics,
    ) -> bool {
        let name = &self.queries[query].name;
        if let Err(error) = result {
            tracing::warn!(query = name, error = %crate::error::chain(&error), "query failed");
            metrics.fetched(name, Outcome::Failed(error.reason()));
            return false;
        }
        let is_empty = !fleet.close(query, end);
        metrics.fetched(name, if is_empty { Outcome::Empty } else { Outcome::Ok });
        self.read_until[query] = Some(end);
        true
    }
}

/// Sends the parts of a query one by one.
async fn pass_on(query: usize, mut reading: Reading<'_>, sender: &mpsc::Sender<News>) -> Result<(), SourceError> {
    while let Some(part) = reading.next().await? {
        if sender.send(News::Part(query, part)).await.is_err() {
            break;
        }
    }
    Ok(())
}
