//! Forecasts from the sidecar: fetched, judged by their age, and given to the index.
//!
//! ```text
//!  sidecar ──GET, ETag──► fetch ──► document ──► freshness ──► Index::set_forecasts, set_workloads
//!                          file ──►    (parsed once)  (every poll: they age)
//! ```
//!
//! Promises that no request waits for a forecast or fails for the lack of one: all of this happens in a task of its own.
//! What is too old, from the future or unreadable is left out, counted, logged and told in an Event on the node; then
//! nodes count by what their pods ask for, as without a sidecar. Must not know how forecasts are made.

pub mod document;
pub mod fetch;
pub mod freshness;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gantry_cluster::SharedIndex;
use tokio::time::MissedTickBehavior;

use crate::config::valid;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::profile::chain;
use document::Document;
use fetch::{FetchError, Fetched};
use freshness::{State, Tally};

/// What is known of the sidecar, for `/status`.
#[derive(Clone, Debug, Default)]
pub struct FeedStatus {
    /// The generation in use; `None` before the first.
    pub generation: Option<String>,
    /// Entries by state.
    pub tally: Tally,
    /// Age of the oldest data in use, in seconds; `None`: none is in use.
    pub age: Option<i64>,
    /// Why the last poll failed, if it did.
    pub last_error: Option<String>,
    /// When the sidecar last answered.
    pub last_answer: Option<Instant>,
}

/// Follows a sidecar.
#[derive(Debug)]
pub struct Feed {
    settings: valid::Forecasts,
    index: Arc<SharedIndex>,
    metrics: Arc<Metrics>,
    status: Arc<Mutex<FeedStatus>>,
    document: Option<Arc<Document>>,
    etag: Option<String>,
}

impl Feed {
    /// A feed that has asked for nothing yet.
    #[must_use]
    pub fn new(settings: valid::Forecasts, index: Arc<SharedIndex>, metrics: Arc<Metrics>) -> Self {
        Self { settings, index, metrics, status: Arc::default(), document: None, etag: None }
    }

    /// Where to read how the feed is doing.
    #[must_use]
    pub fn status(&self) -> Arc<Mutex<FeedStatus>> {
        Arc::clone(&self.status)
    }

    /// Polls until it is aborted. The file of the warm start comes first.
    pub async fn run(mut self, events: Arc<Events>) {
        if let Some(path) = self.settings.file.clone() {
            self.warm_up(&path).await;
        }
        let mut ticks = tokio::time::interval(self.settings.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.apply(&events, seconds_since_1970());
            ticks.tick().await;
            self.poll().await;
        }
    }

    async fn warm_up(&mut self, path: &Path) {
        // Once, before the first poll: a blocking read of a file in memory.
        match std::fs::read(path) {
            Ok(bytes) => self.take(bytes, None).await,
            Err(error) => tracing::info!(path = %path.display(), %error, "no forecasts to start from"),
        }
    }

    async fn poll(&mut self) {
        let fetched = fetch::fetch(&self.settings.source, fetch::FORECASTS, self.etag.as_deref()).await;
        self.metrics.forecast_poll(fetched.as_ref().map_or_else(FetchError::reason, Fetched::outcome));
        match fetched {
            Ok(Fetched::Unchanged) => self.note(FeedStatus::answered),
            Ok(Fetched::Changed { body, etag }) => self.take(body, etag).await,
            Err(error) => self.fail(&chain(&error)),
        }
    }

    /// Parses what came, away from the threads that serve requests.
    async fn take(&mut self, body: Vec<u8>, etag: Option<String>) {
        let parsed = tokio::task::spawn_blocking(move || Document::parse(&body)).await;
        match parsed {
            Ok(Ok(document)) => {
                let generation = Some(document.generation.clone());
                self.document = Some(Arc::new(document));
                self.etag = etag;
                self.note(|status| {
                    status.answered();
                    status.generation = generation;
                });
            }
            Ok(Err(error)) => {
                self.metrics.forecast_poll(error.reason());
                self.fail(&chain(&error));
            }
            Err(panicked) => self.fail(&panicked.to_string()),
        }
    }

    /// Judges every entry by its age and hands the index what may be used.
    fn apply(&self, events: &Events, now: i64) {
        let Some(document) = &self.document else { return };
        let usable = freshness::usable(document, now);
        let before = self.note(|status| {
            status.age = (!usable.forecasts.is_empty()).then_some(usable.age);
            std::mem::replace(&mut status.tally, usable.tally)
        });
        self.metrics.forecasts(&usable.tally, usable.age);
        for state in [State::Expired, State::Skewed] {
            let (now, before) = (usable.tally.of(state), before.of(state));
            self.metrics.forecasts_left_out(state.as_str(), now.saturating_sub(before));
            if now > before {
                tracing::warn!(entries = now, why = state.as_str(), "forecasts are left out");
            }
        }
        for (node, state) in &usable.left_out {
            events.forecast_left_out(node, state.as_str(), Instant::now());
        }
        let mut index = self.index.lock();
        // First what pods use, by which rows without a forecast go.
        index.set_workloads(usable.workloads);
        index.set_forecasts(usable.forecasts);
    }

    fn fail(&self, error: &str) {
        let before = self.note(|status| status.last_error.replace(error.to_owned()));
        if before.as_deref() != Some(error) {
            tracing::warn!(source = %self.settings.source, error, "no forecasts from the sidecar");
        }
    }

    fn note<T>(&self, write: impl FnOnce(&mut FeedStatus) -> T) -> T {
        write(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FeedStatus {
    fn answered(&mut self) {
        self.last_answer = Some(Instant::now());
        self.last_error = None;
    }
}

fn seconds_since_1970() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gantry_cluster::{Index, IndexSettings, Use, UseUnit};
    use serde_json::json;

    use super::*;
    use document::Entry;

    const HOUR: i64 = 3_600;

    #[test]
    fn a_clock_that_jumps_takes_the_forecasts_away_and_one_that_is_put_right_gives_them_back() {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        let node = json!({"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "4"}}});
        index.apply_node(&serde_json::from_value(node).unwrap()).unwrap();
        let settings = valid::Forecasts {
            source: valid::ForecastSource::Unix("nobody.sock".into()),
            file: None,
            poll: Duration::from_secs(1),
        };
        let mut feed = Feed::new(settings, Arc::new(SharedIndex::new(index)), Arc::new(Metrics::new([])));
        let now = 100 * HOUR;
        let expected = Use { unit: UseUnit::Share, p50: 0.25, p90: 0.5 };
        let entry = Entry { node: "a".into(), resource: "cpu".into(), expected, data_until: now };
        let generation = "1".to_owned();
        feed.document =
            Some(Arc::new(Document { generation, entries: vec![entry], workloads: Vec::new(), refused: 0 }));
        let p90 = |feed: &Feed| feed.index.snapshot(Instant::now()).used_p90().first().copied();
        let age = |feed: &Feed| feed.status.lock().unwrap().age;

        for (jump, state) in [(HOUR, State::Expired), (-HOUR, State::Skewed)] {
            feed.apply(&Events::disabled(), now);
            assert_eq!((p90(&feed), age(&feed)), (Some(2_000.0), Some(0)));
            feed.apply(&Events::disabled(), now + jump);
            assert_eq!((p90(&feed), age(&feed)), (None, None), "nodes count by what pods ask for");
            let line = format!("gantry_forecast_left_out_total{{reason=\"{}\"}} 1", state.as_str());
            let text = feed.metrics.text(Duration::ZERO, &feed.index.snapshot(Instant::now()));
            assert!(text.contains(&line), "{text}");
        }
        feed.apply(&Events::disabled(), now);
        assert_eq!(p90(&feed), Some(2_000.0));
    }
}
