//! From Prometheus to snapshots, tick by tick.
//!
//! ```text
//! tick(now): Prometheus ──► fleet (series, scores, choices) ──► snapshot ──► published, stored
//!                              ▲ │
//!                              │ └─ a sample of series ──► training thread ──┐
//!                              └──────────── the newer LSTM ◄────────────────┘
//! ```
//!
//! Promises: a query that fails leaves what others and it brought before; training never delays a tick; without news
//! nothing is published. Must not know: the clock (each tick is told the time), HTTP servers.

mod ensemble;
mod fleet;
mod reader;
mod replay;
mod subjects;
mod training;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

pub use ensemble::Ensemble;
pub use fleet::{Figure, Fleet};
pub use subjects::{Subject, Subjects};

use crate::config::Config;
use crate::metrics::Metrics;
use crate::models::lstm::{Lstm, Network};
use crate::publication::Publication;
use crate::snapshot::{Encoded, Snapshot};
use crate::source::{Prometheus, SourceError};
use crate::store::{Store, StoreError, Stores};
use fleet::TRAINABLE;
use reader::Reader;
use training::{Job, Training, TrainingError};

/// What a replica did in a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It read Prometheus and forecast.
    Forecaster,
    /// It took over what another replica forecast.
    Follower,
}

/// From Prometheus to snapshots.
#[derive(Debug)]
pub struct Pipeline {
    reader: Reader,
    fleet: Fleet,
    ensemble: Ensemble,
    training: Option<Training>,
    /// When the newest training was started, Unix time in seconds, and how many seconds of history it had.
    training_at: Option<(i64, i64)>,
    retrain: Duration,
    stores: Stores,
    publication: Arc<Publication>,
    metrics: Arc<Metrics>,
}

impl Pipeline {
    /// A pipeline that has read nothing; what an earlier process stored is published at once. `runtime` does the
    /// network's work, so ticks must not be called from its own threads.
    ///
    /// # Errors
    /// If a certificate cannot be used.
    pub fn new(
        config: &Config,
        runtime: Handle,
        stores: Stores,
        publication: Arc<Publication>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, SourceError> {
        let prometheus = Arc::new(Prometheus::new(config.prometheus.clone())?);
        let subjects = Subjects::new(config.nodes.clone());
        let mut pipeline = Self {
            reader: Reader::new(prometheus, runtime, subjects, config.queries.clone(), config.schedule),
            fleet: Fleet::new(config.queries.clone(), config.schedule),
            ensemble: Ensemble::new(config.lstm),
            training: None,
            training_at: None,
            retrain: config.schedule.retrain,
            stores,
            publication,
            metrics,
        };
        pipeline.resume();
        Ok(pipeline)
    }

    /// Publishes the stored snapshot and takes the stored weights. What cannot be used is logged and counted only.
    fn resume(&mut self) {
        let Some((encoded, snapshot)) = self.stored(|store| store.load_snapshot()) else { return };
        let newest = |snapshot: &Snapshot| {
            let forecasts = snapshot.entries.iter().flat_map(|entry| entry.resources.values());
            forecasts.filter_map(|forecast| forecast.trained_at).max()
        };
        tracing::info!(generation = encoded.generation(), entries = encoded.len(), "stored snapshot published");
        self.publication.publish(encoded);
        let names: Vec<String> = self.fleet.queries().iter().map(|query| query.name.clone()).collect();
        for name in names {
            let Some(bytes) = self.stored(|store| store.load_weights(&name)) else { continue };
            let taken = Network::from_safetensors(&bytes)
                .and_then(|network| self.ensemble.insert(&name, network, newest(&snapshot)));
            if let Err(error) = taken {
                tracing::warn!(query = name, %error, "stored weights not used");
                self.metrics.store_failed("weights", "damaged");
            }
        }
    }

    /// The first store's item that can be used.
    fn stored<T>(&self, load: impl Fn(&dyn Store) -> Result<Option<T>, StoreError>) -> Option<T> {
        self.stores.all().find_map(|store| {
            load(store).unwrap_or_else(|error| {
                self.store_failed(store, &error);
                None
            })
        })
    }

    fn store_failed(&self, store: &dyn Store, error: &StoreError) {
        tracing::warn!(store = store.name(), error = %crate::error::chain(error), "store not used");
        self.metrics.store_failed(store.name(), error.reason());
    }

    /// Reads, forecasts and publishes what is new at a time, Unix time in seconds.
    pub fn tick(&mut self, now: i64) -> Role {
        let role = self.role();
        self.metrics.role(role);
        if role == Role::Follower {
            self.follow();
            return role;
        }
        self.finish_training();
        let is_read = self.reader.read(now, &mut self.fleet, &self.metrics);
        self.start_training(now);
        let is_new = self.fleet.forecast(&mut self.ensemble, now);
        if is_read && is_new {
            self.publish(now);
        }
        role
    }

    /// Without a shared store each replica forecasts; so does one that cannot reach it: forecasts survive a lost Redis.
    fn role(&self) -> Role {
        match self.stores.shared().map(|store| (store, store.lead())) {
            None | Some((_, Ok(true))) => Role::Forecaster,
            Some((_, Ok(false))) => Role::Follower,
            Some((store, Err(error))) => {
                self.store_failed(store, &error);
                Role::Forecaster
            }
        }
    }

    /// Publishes what the writer among the replicas stored, if it is new.
    pub fn follow(&self) {
        let Some(shared) = self.stores.shared() else { return };
        let own = self.publication.current().map(|encoded| encoded.generation().to_owned());
        match shared.newer(own.as_deref()) {
            Ok(Some((encoded, _))) => {
                self.save(self.stores.local(), |store| store.save_snapshot(&encoded));
                self.publication.publish(encoded);
            }
            Ok(None) => {}
            Err(error) => self.store_failed(shared, &error),
        }
    }

    /// Waits until another replica stored something, at most for a time; false where there is nobody to wait for.
    #[must_use]
    pub fn wait_for_news(&self, limit: Duration) -> bool {
        self.stores.shared().is_some_and(|store| store.wait(limit).unwrap_or(false))
    }

    fn publish(&mut self, now: i64) {
        let figures = self.fleet.figures();
        self.metrics.figures(&figures);
        match Encoded::of(now, self.fleet.entries()) {
            Ok(encoded) => {
                for store in self.stores.all() {
                    self.save(store, |store| store.save_snapshot(&encoded));
                }
                self.publication.publish(encoded);
            }
            Err(error) => tracing::error!(%error, "no snapshot"),
        }
    }

    fn save(&self, store: &dyn Store, save: impl FnOnce(&dyn Store) -> Result<(), StoreError>) {
        if let Err(error) = save(store) {
            self.store_failed(store, &error);
        }
    }

    /// Whether a training runs now.
    #[must_use]
    pub const fn is_training(&self) -> bool {
        self.training.is_some()
    }

    /// Waits for a training that runs, for tests and for commands; the next tick uses it.
    pub fn await_training(&mut self) {
        if let Some(training) = &mut self.training {
            training.wait();
        }
    }

    fn start_training(&mut self, now: i64) {
        let Some(history) = self.fleet.known_history().filter(|_| self.training.is_none()) else { return };
        // A young cluster learns again whenever its past has doubled, and once the LSTM has a first window.
        let is_due = |(at, had): (i64, i64)| {
            now - at >= had.min(self.retrain.as_secs() as i64) || (had < TRAINABLE && history >= TRAINABLE)
        };
        if !self.training_at.is_none_or(is_due) {
            return;
        }
        self.training_at = Some((now, history));
        let sample = self.fleet.sample();
        self.ensemble.fit(&sample);
        let Some(config) = self.ensemble.config().filter(|_| history >= TRAINABLE) else { return };
        let first = !self.ensemble.has_been_trained();
        let lstm = if first { Lstm::new(config) } else { self.ensemble.lstm() };
        tracing::info!(series = sample.len(), first, "training started");
        self.training = Some(Training::start(Job { lstm, sample, replay: first, at: now }));
    }

    fn finish_training(&mut self) {
        let Some(outcome) = self.training.as_mut().and_then(Training::outcome) else { return };
        self.training = None;
        self.metrics.trained(outcome.as_ref().map_or_else(TrainingError::reason, |_| "ok"));
        match outcome {
            Ok(trained) => {
                tracing::info!(seconds = trained.duration.as_secs_f64(), "training finished");
                self.metrics.training_took(trained.duration);
                self.fleet.adopt(trained.boards);
                self.ensemble.adopt(trained.lstm, trained.at);
                self.save_weights();
            }
            Err(error) => tracing::warn!(%error, "training failed, the older weights stay"),
        }
    }

    fn save_weights(&self) {
        let lstm = self.ensemble.lstm();
        for (name, network) in lstm.networks() {
            match network.to_safetensors() {
                Ok(bytes) => {
                    for store in self.stores.all() {
                        self.save(store, |store| store.save_weights(name, &bytes));
                    }
                }
                Err(error) => tracing::warn!(query = name, %error, "weights not stored"),
            }
        }
    }
}
