//! A pipeline in this process, whose clock is the test.

use std::path::Path;
use std::sync::Arc;

use gantry_forecaster::config::{self, Config, Place};
use gantry_forecaster::metrics::Metrics;
use gantry_forecaster::pipeline::{Pipeline, Role};
use gantry_forecaster::publication::Publication;
use gantry_forecaster::snapshot::{Encoded, Entry, Kind, ResourceForecast, Snapshot};
use gantry_forecaster::store::{Memory, Stores};
use tokio::runtime::Runtime;

/// 2026-11-22T04:00:00Z.
pub const NOW: i64 = 1_795_320_000;

/// A checked configuration: a head, the address, and more.
pub fn config(url: &str, more: &str) -> Config {
    let text = format!(
        "apiVersion: gantry.dev/v1alpha1\nkind: ForecasterConfiguration\nprometheus: {{url: '{url}', timeout: 300ms}}\n{more}"
    );
    config::check::check(config::parse(&text, Path::new("test.yaml")).unwrap(), Place::Here).unwrap()
}

/// Two queries, a short history, no LSTM: nothing that takes time.
pub const SMALL: &str = "defaultQueries: []\nqueries:
  node_cpu: {kind: Node, resource: cpu, query: cpu, unit: share}
  node_memory: {kind: Node, resource: memory, query: memory, unit: share}
schedule: {history: 1h}\nmodel: {lstm: false}\n";

/// A pipeline and what it publishes.
pub struct Bench {
    pub pipeline: Pipeline,
    pub publication: Arc<Publication>,
    pub metrics: Arc<Metrics>,
    _runtime: Runtime,
}

impl Bench {
    pub fn new(config: &Config) -> Self {
        Self::with_stores(config, Stores::new(Box::new(Memory::default()), None))
    }

    pub fn with_stores(config: &Config, stores: Stores) -> Self {
        let runtime = Runtime::new().unwrap();
        let (publication, metrics) = (Arc::new(Publication::default()), Arc::new(Metrics::new()));
        let (shared, measured) = (Arc::clone(&publication), Arc::clone(&metrics));
        let pipeline = Pipeline::new(config, runtime.handle().clone(), stores, shared, measured).unwrap();
        Self { pipeline, publication, metrics, _runtime: runtime }
    }

    pub fn tick(&mut self, now: i64) -> Role {
        self.pipeline.tick(now)
    }

    /// What is published, decoded from the bytes that are served.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.publication.current().map(|encoded| Encoded::decode(&encoded.body()).unwrap().1)
    }

    pub fn entry(&self, name: &str) -> Option<Entry> {
        self.snapshot()?.entries.into_iter().find(|entry| entry.kind == Kind::Node && entry.name == name)
    }

    pub fn forecast(&self, name: &str, resource: &str) -> Option<ResourceForecast> {
        self.entry(name)?.resources.remove(resource)
    }

    /// The value of a metric's line, 0 if there is none.
    pub fn metric(&self, line: &str) -> f64 {
        let text = self.metrics.text(std::time::Duration::ZERO, 0);
        let found = text.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(' '));
        found.map_or(0.0, |value| value.parse().unwrap())
    }

    pub fn fetches(&self, query: &str, outcome: &str) -> f64 {
        self.metric(&format!("gantry_forecaster_fetches_total{{query=\"{query}\",outcome=\"{outcome}\"}}"))
    }
}
