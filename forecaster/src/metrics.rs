//! Metrics for Prometheus.
//!
//! Promises: every label's values are a closed set (kinds, resources, models, names of queries, reasons), so the number
//! of series does not grow with the cluster. Must not know: what the figures are made of.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::pipeline::{Figure, Role};
use crate::source::Outcome;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    kind: &'static str,
    resource: String,
    model: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FetchLabels {
    query: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabels {
    query: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreLabels {
    store: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

type Real = Gauge<f64, std::sync::atomic::AtomicU64>;

/// Everything that is measured.
#[derive(Debug, Default)]
pub struct Metrics {
    registry: Registry,
    age: Real,
    entries: Gauge,
    mae: Family<ModelLabels, Real>,
    mase: Family<ModelLabels, Real>,
    pinball90: Family<ModelLabels, Real>,
    coverage: Family<ModelLabels, Real>,
    selected: Family<ModelLabels, Gauge>,
    training: Real,
    trainings: Family<OutcomeLabels, Counter>,
    fetches: Family<FetchLabels, Counter>,
    dropped: Family<DropLabels, Counter>,
    store_failures: Family<StoreLabels, Counter>,
    writer: Gauge,
}

impl Metrics {
    /// All metrics, at 0.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self::default();
        metrics.register_forecasts();
        metrics.register_operation();
        metrics
    }

    fn register_forecasts(&mut self) {
        let registry = &mut self.registry;
        let help = "Time since the newest sample that a served forecast rests on; 0 before the first";
        registry.register_with_unit("gantry_forecaster_age", help, Unit::Seconds, self.age.clone());
        let help = "Nodes and workloads with a forecast";
        registry.register("gantry_forecaster_entries", help, self.entries.clone());
        let help = "Mean absolute error of the median over the last 24 h, in the resource's unit; mean over series";
        registry.register("gantry_forecaster_mae", help, self.mae.clone());
        let help = "That error over the last value's; mean over series";
        registry.register("gantry_forecaster_mase", help, self.mase.clone());
        let help = "Pinball loss of the 0.9 quantile over the last 24 h, in the resource's unit; mean over series";
        registry.register("gantry_forecaster_pinball90", help, self.pinball90.clone());
        let help = "Share of values at or below the 0.9 quantile over the last 24 h; mean over series";
        registry.register("gantry_forecaster_coverage", help, self.coverage.clone());
        let help = "Series that a model is served for; labels: kind, resource, model";
        registry.register("gantry_forecaster_selected_model", help, self.selected.clone());
    }

    fn register_operation(&mut self) {
        let registry = &mut self.registry;
        let help = "Duration of the newest training of the LSTM";
        registry.register_with_unit("gantry_forecaster_training", help, Unit::Seconds, self.training.clone());
        let help = "Trainings of the LSTM; labels: outcome (ok or a reason)";
        registry.register("gantry_forecaster_trainings", help, self.trainings.clone());
        let help = "Readings of a query; labels: query, outcome (ok, empty or a reason)";
        registry.register("gantry_forecaster_fetches", help, self.fetches.clone());
        let help = "Samples that were impossible, and series of no known node or workload; labels: query, reason";
        registry.register("gantry_forecaster_dropped_samples", help, self.dropped.clone());
        let help = "Uses of a store that failed; labels: store, reason";
        registry.register("gantry_forecaster_store_failures", help, self.store_failures.clone());
        let help = "1 while this replica forecasts, 0 while it takes over another replica's forecasts";
        registry.register("gantry_forecaster_writer", help, self.writer.clone());
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("gantry_forecaster_build", "Versions; labels: version", Info::new(version));
    }

    /// The error figures of all queries and models.
    pub fn figures(&self, figures: &[Figure]) {
        for figure in figures {
            let labels =
                ModelLabels { kind: figure.kind.name(), resource: figure.resource.clone(), model: figure.model.name() };
            self.selected.get_or_create(&labels).set(figure.selected as i64);
            let known = [
                (&self.mae, figure.error.mae),
                (&self.mase, figure.error.mase),
                (&self.pinball90, figure.error.pinball90),
                (&self.coverage, figure.error.coverage90),
            ];
            for (family, value) in known {
                // A figure that is not known is absent: 0 would look like a perfect forecast.
                match value {
                    Some(value) => drop(family.get_or_create(&labels).set(value.into())),
                    None => drop(family.remove(&labels)),
                }
            }
        }
    }

    /// A query was read.
    pub fn fetched(&self, query: &str, outcome: Outcome) {
        let labels = FetchLabels { query: query.to_owned(), outcome: outcome.name() };
        self.fetches.get_or_create(&labels).inc();
    }

    /// Samples of a query were left out.
    pub fn dropped(&self, query: &str, reason: &'static str, samples: usize) {
        if samples > 0 {
            self.dropped.get_or_create(&DropLabels { query: query.to_owned(), reason }).inc_by(samples as u64);
        }
    }

    /// A store could not be used.
    pub fn store_failed(&self, store: &'static str, reason: &'static str) {
        self.store_failures.get_or_create(&StoreLabels { store, reason }).inc();
    }

    /// A training ended.
    pub fn trained(&self, outcome: &'static str) {
        self.trainings.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// How long a training that succeeded took.
    pub fn training_took(&self, duration: Duration) {
        self.training.set(duration.as_secs_f64());
    }

    /// What this replica does.
    pub fn role(&self, role: Role) {
        self.writer.set(i64::from(role == Role::Forecaster));
    }

    /// The text for Prometheus, with what is only known when it asks.
    ///
    /// # Panics
    /// Never: memory can always be written to.
    #[must_use]
    pub fn text(&self, age: Duration, entries: usize) -> String {
        self.age.set(age.as_secs_f64());
        self.entries.set(entries as i64);
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("invariant: writing to memory cannot fail");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelKind;
    use crate::snapshot::{ErrorFigures, Kind};

    fn figure(mae: Option<f32>) -> Figure {
        let error = ErrorFigures { mae, coverage90: Some(0.5), ..ErrorFigures::default() };
        Figure { kind: Kind::Node, resource: "cpu".to_owned(), model: ModelKind::Lstm, selected: 3, error }
    }

    #[test]
    fn the_names_are_those_that_alerts_are_written_against() {
        let metrics = Metrics::new();
        metrics.figures(&[figure(Some(0.25))]);
        metrics.fetched("node_cpu", Outcome::Failed("timeout"));
        metrics.dropped("node_cpu", "not_finite", 2);
        metrics.store_failed("file", "write");
        metrics.trained("ok");
        metrics.training_took(Duration::from_millis(1_500));
        metrics.role(Role::Forecaster);
        let text = metrics.text(Duration::from_secs(40), 7);
        for line in [
            "gantry_forecaster_age_seconds 40.0",
            "gantry_forecaster_entries 7",
            "gantry_forecaster_mae{kind=\"Node\",resource=\"cpu\",model=\"lstm\"} 0.25",
            "gantry_forecaster_coverage{kind=\"Node\",resource=\"cpu\",model=\"lstm\"} 0.5",
            "gantry_forecaster_selected_model{kind=\"Node\",resource=\"cpu\",model=\"lstm\"} 3",
            "gantry_forecaster_training_seconds 1.5",
            "gantry_forecaster_trainings_total{outcome=\"ok\"} 1",
            "gantry_forecaster_fetches_total{query=\"node_cpu\",outcome=\"timeout\"} 1",
            "gantry_forecaster_dropped_samples_total{query=\"node_cpu\",reason=\"not_finite\"} 2",
            "gantry_forecaster_store_failures_total{store=\"file\",reason=\"write\"} 1",
            "gantry_forecaster_writer 1",
            "gantry_forecaster_build_info{version=\"0.1.0\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_figure_that_is_not_known_any_more_is_absent_and_not_zero() {
        let metrics = Metrics::new();
        metrics.figures(&[figure(Some(0.25))]);
        metrics.figures(&[figure(None)]);
        assert!(!metrics.text(Duration::ZERO, 0).contains("gantry_forecaster_mae{"));
    }
}
