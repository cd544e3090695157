//! What Prometheus is told.
//!
//! Promises closed sets of labels: verbs, outcomes, reasons and verdicts are listed
//! in the code, profiles, plugins and nothing else in the configuration. No pod's and no
//! node's name is ever a label.

mod plans;
mod platform;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gantry_cluster::{Snapshot, WatchFailure};
use gantry_host::{Digest, Reason};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use platform::Reload;

use crate::cycle::{Cause, Disagreement, Outcome};
use crate::forecasts::freshness::{State, Tally};
use crate::profile::{Point, Profile};
use crate::verb::Verb;
pub use plans::{PlanMetrics, Source};
use platform::PluginLabels;

/// From the tenth of a cached cycle to kube-scheduler's default `httpTimeout`, three steps a decade.
const SECONDS: [f64; 16] = [5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// The verb of a request that is of none.
const NO_VERB: &str = "unknown";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    plugin: String,
    extension_point: &'static str,
    outcome: &'static str,
    profile: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabels {
    plugin: String,
    reason: &'static str,
    profile: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

type Seconds<Labels> = Family<Labels, Histogram, fn() -> Histogram>;

/// All metrics of the extender.
pub struct Metrics {
    registry: Registry,
    /// Every plugin that ever was in use: a call that outlives its plugin makes a series anew.
    known: Mutex<HashSet<PluginLabels>>,
    requests: Seconds<RequestLabels>,
    calls: Seconds<CallLabels>,
    fallbacks: Family<FallbackLabels, Counter>,
    disagreements: Family<VerdictLabels, Counter>,
    snapshot_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    nodes: Gauge,
    pods: Family<StateLabels, Gauge>,
    assumed_pods: Gauge,
    watch_failures: Family<ReasonLabels, Counter>,
    forecast_polls: Family<OutcomeLabels, Counter>,
    forecast_entries: Family<StateLabels, Gauge>,
    forecasts_left_out: Family<ReasonLabels, Counter>,
    forecast_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    /// What planners do.
    pub plans: PlanMetrics,
    platform: platform::Platform,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Metrics for the plugins named, each behind its profile. Counters that can rise are there from the start, at 0.
    #[must_use]
    pub fn new<'a>(plugins: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let metrics = Self::empty();
        metrics.expect(plugins);
        for disagreement in Disagreement::ALL {
            drop(metrics.disagreements.get_or_create(&VerdictLabels { verdict: disagreement.as_str() }));
        }
        metrics
    }

    /// More plugins: their counters are there from now on, at 0 unless they have risen before.
    pub fn expect<'a>(&self, plugins: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (profile, plugin) in plugins {
            for cause in Cause::all() {
                drop(self.fallbacks.get_or_create(&fallback_labels(profile, plugin, cause)));
            }
            known.insert(PluginLabels::of(profile, plugin));
        }
    }

    fn forget_all_but(&self, used: &HashSet<PluginLabels>) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in known.difference(used) {
            let PluginLabels { plugin, profile } = gone;
            for cause in Cause::all() {
                self.fallbacks.remove(&fallback_labels(profile, plugin, cause));
            }
            for point in Point::ALL.map(Point::as_str) {
                self.calls.remove(&call_labels(profile, plugin, point, None));
                for reason in Reason::ALL {
                    self.calls.remove(&call_labels(profile, plugin, point, Some(*reason)));
                }
            }
            self.platform.forget(gone);
        }
    }

    /// A changed configuration was applied, or refused.
    pub fn reload(&self, reload: Reload) {
        self.platform.reload(reload);
    }

    /// The configuration in use, and since when; `None`: there is no file.
    pub fn configuration(&self, digest: Option<Digest>, since: SystemTime) {
        self.platform.configuration(digest, since);
    }

    /// What is only known when Prometheus asks: breakers, memory, instances and restarts of the plugins in use. Of all
    /// others nothing is told any more.
    pub fn plugins<'a>(&self, profiles: impl Iterator<Item = &'a Profile>, now: Instant) {
        let profiles: Vec<&Profile> = profiles.collect();
        let names = || profiles.iter().flat_map(|profile| profile.names());
        self.forget_all_but(&names().map(|(profile, plugin)| PluginLabels::of(profile, plugin)).collect());
        self.expect(names());
        self.platform.observe(&profiles, now);
    }

    fn empty() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            known: Mutex::default(),
            requests: Family::new_with_constructor(histogram),
            calls: Family::new_with_constructor(histogram),
            fallbacks: Family::default(),
            disagreements: Family::default(),
            snapshot_age: Gauge::default(),
            nodes: Gauge::default(),
            pods: Family::default(),
            assumed_pods: Gauge::default(),
            watch_failures: Family::default(),
            forecast_polls: Family::default(),
            forecast_entries: Family::default(),
            forecasts_left_out: Family::default(),
            forecast_age: Gauge::default(),
            plans: PlanMetrics::default(),
            platform: platform::Platform::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let help = "Time from a request's head to its answer; labels: verb (unknown: wrong path or method), outcome \
                    (ok, neutral, no-profile, shadow, refused)";
        registry.register("gantry_extender_request_duration_seconds", help, self.requests.clone());
        let help = "Time of a plugin's call; labels: plugin, extension_point, outcome (ok or a reason), profile";
        registry.register("gantry_plugin_call_duration_seconds", help, self.calls.clone());
        let help = "Answers given without a plugin that failed; labels: plugin, reason, profile";
        registry.register("gantry_plugin_fallback", help, self.fallbacks.clone());
        let help = "Candidates of kube-scheduler that our view would refuse; labels: verdict";
        registry.register("gantry_filter_disagreement", help, self.disagreements.clone());
        let help = "Time since the API server last said anything of nodes, or of pods: the longer one";
        registry.register("gantry_snapshot_age_seconds", help, self.snapshot_age.clone());
        let help = "Nodes that are known";
        registry.register("gantry_nodes", help, self.nodes.clone());
        let help = "Pods as the API server has shown them; labels: state (bound, waiting)";
        registry.register("gantry_pods", help, self.pods.clone());
        let help = "Pods that count as placed by our own answer only";
        registry.register("gantry_assumed_pods", help, self.assumed_pods.clone());
        let help =
            "Failed lists and watches, each tried again; labels: reason (gone, refused, unreachable, unreadable)";
        registry.register("gantry_watch_failures", help, self.watch_failures.clone());
        let help = "Polls of the forecast sidecar; labels: outcome (changed, unchanged, or why not)";
        registry.register("gantry_forecast_polls", help, self.forecast_polls.clone());
        let help = "Forecasts of one resource of one node; labels: state (fresh, stale, expired, clock-skew)";
        registry.register("gantry_forecast_entries", help, self.forecast_entries.clone());
        let help = "Forecasts that became unusable; labels: reason (expired, clock-skew)";
        registry.register("gantry_forecast_left_out", help, self.forecasts_left_out.clone());
        let help = "Age of the oldest data that a forecast in use rests on";
        registry.register("gantry_forecast_age_seconds", help, self.forecast_age.clone());
        self.plans.register(registry);
        self.platform.register(registry);
        let versions = vec![("version", env!("CARGO_PKG_VERSION")), ("wit", gantry_host::WIT_VERSION)];
        registry.register("gantry_build", "Versions; labels: version, wit", Info::new(versions));
    }

    /// A request was answered.
    pub fn request(&self, verb: Verb, outcome: Outcome, duration: Duration) {
        let labels = RequestLabels { verb: verb.as_str(), outcome: outcome.as_str() };
        self.requests.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// A request was refused that is of no verb: its path or its method is wrong.
    pub fn stray(&self, duration: Duration) {
        let labels = RequestLabels { verb: NO_VERB, outcome: Outcome::Refused.as_str() };
        self.requests.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// A profile's plugin was called; `failure` is why it gave no answer.
    pub fn call(&self, profile: &str, plugin: &str, point: Point, failure: Option<Reason>, duration: Duration) {
        let labels = call_labels(profile, plugin, point.as_str(), failure);
        self.calls.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// A profile's plugin failed, and was left out of an answer.
    pub fn fallback(&self, profile: &str, plugin: &str, cause: Cause) {
        self.fallbacks.get_or_create(&fallback_labels(profile, plugin, cause)).inc();
    }

    /// Candidates passed though our view would refuse them.
    pub fn disagreement(&self, disagreement: Disagreement, candidates: u64) {
        self.disagreements.get_or_create(&VerdictLabels { verdict: disagreement.as_str() }).inc_by(candidates);
    }

    /// How often lists and watches have failed so far.
    pub fn watch_failures(&self, count_by_cause: &BTreeMap<WatchFailure, u64>) {
        for cause in WatchFailure::ALL {
            let count = count_by_cause.get(&cause).copied().unwrap_or(0);
            let counter = self.watch_failures.get_or_create(&ReasonLabels { reason: cause.as_str() });
            counter.inner().store(count, Ordering::Relaxed);
        }
    }

    /// The sidecar was asked for forecasts; `outcome` is changed, unchanged, or why there were none.
    pub fn forecast_poll(&self, outcome: &'static str) {
        self.forecast_polls.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Forecasts became unusable, for a reason that is a state's name.
    pub fn forecasts_left_out(&self, reason: &'static str, forecasts: usize) {
        self.forecasts_left_out.get_or_create(&ReasonLabels { reason }).inc_by(forecasts as u64);
    }

    /// Forecasts by state, and the age of the oldest data in use, in seconds.
    pub fn forecasts(&self, tally: &Tally, age: i64) {
        for state in State::ALL {
            self.forecast_entries.get_or_create(&StateLabels { state: state.as_str() }).set(tally.of(state) as i64);
        }
        self.forecast_age.set(age as f64);
    }

    /// The text for Prometheus, with what is only known when it asks.
    ///
    /// # Panics
    /// Never: memory can always be written to.
    #[must_use]
    pub fn text(&self, snapshot_age: Duration, snapshot: &Snapshot) -> String {
        self.snapshot_age.set(snapshot_age.as_secs_f64());
        self.nodes.set(snapshot.node_count() as i64);
        for (state, pods) in [("bound", snapshot.bound()), ("waiting", snapshot.pending().count())] {
            self.pods.get_or_create(&StateLabels { state }).set(pods as i64);
        }
        self.assumed_pods.set(snapshot.assumed() as i64);
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("invariant: writing to memory cannot fail");
        out
    }
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

fn call_labels(profile: &str, plugin: &str, extension_point: &'static str, failure: Option<Reason>) -> CallLabels {
    let outcome = failure.map_or("ok", Reason::as_str);
    CallLabels { plugin: plugin.to_owned(), extension_point, outcome, profile: profile.to_owned() }
}

fn fallback_labels(profile: &str, plugin: &str, cause: Cause) -> FallbackLabels {
    FallbackLabels { plugin: plugin.to_owned(), reason: cause.as_str(), profile: profile.to_owned() }
}

#[cfg(test)]
mod tests {
    use gantry_cluster::{Index, IndexSettings};
    use serde_json::{Value, json};

    use super::*;

    /// A node with a pod, two pods that wait, and one more that our own answer has put on the node.
    fn snapshot() -> std::sync::Arc<Snapshot> {
        let read = |pod: Value| serde_json::from_value(pod).unwrap();
        let mut index = Index::new(IndexSettings::default()).unwrap();
        index.apply_node(&serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap()).unwrap();
        index
            .apply_pod(&read(json!({"metadata": {"uid": "bound"}, "spec": {"nodeName": "a", "containers": []}})))
            .unwrap();
        for uid in ["one", "other", "assumed"] {
            index.apply_pod(&read(json!({"metadata": {"uid": uid}, "spec": {"containers": []}}))).unwrap();
        }
        let pod = std::sync::Arc::clone(index.snapshot().pod("assumed").unwrap());
        assert!(index.assume(&pod, "a", Instant::now(), Duration::from_mins(1)));
        index.snapshot()
    }

    #[test]
    fn of_a_plugin_that_is_gone_nothing_is_told_also_where_a_call_outlived_it() {
        let metrics = Metrics::new([("batch", "gone"), ("web", "gone")]);
        let call = |profile| {
            for failure in [None, Some(Reason::Trap)] {
                metrics.call(profile, "gone", Point::Plan, failure, Duration::from_millis(1));
            }
            metrics.fallback(profile, "gone", Cause::NoTime);
        };
        let snapshot = snapshot();
        let told = || metrics.text(Duration::ZERO, &snapshot);
        for _ in 0..2 {
            call("batch");
            call("web");
            assert!(told().contains("profile=\"batch\""));
            metrics.forget_all_but(&[PluginLabels::of("web", "gone")].into());
            assert!(!told().contains("profile=\"batch\"") && told().contains("profile=\"web\""), "{}", told());
        }
    }

    #[test]
    fn the_names_are_those_that_alerts_are_written_against() {
        let metrics = Metrics::new([("batch", "gantry")]);
        metrics.request(Verb::Filter, Outcome::Ok, Duration::from_millis(1));
        metrics.request(Verb::Preempt, Outcome::NoProfile, Duration::from_millis(1));
        metrics.stray(Duration::from_millis(1));
        metrics.call("batch", "gantry", Point::Filter, Some(Reason::Trap), Duration::from_millis(1));
        metrics.fallback("batch", "gantry", Cause::Plugin(Reason::Trap));
        metrics.disagreement(Disagreement::Insufficient, 3);
        let text = metrics.text(Duration::from_secs(2), &snapshot());
        for line in [
            "gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"ok\"} 1",
            "gantry_extender_request_duration_seconds_count{verb=\"preempt\",outcome=\"no-profile\"} 1",
            "gantry_extender_request_duration_seconds_count{verb=\"unknown\",outcome=\"refused\"} 1",
            "gantry_plugin_call_duration_seconds_count\
             {plugin=\"gantry\",extension_point=\"filter\",outcome=\"trap\",profile=\"batch\"} 1",
            "gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"trap\",profile=\"batch\"} 1",
            "gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"deadline\",profile=\"batch\"} 0",
            "gantry_filter_disagreement_total{verdict=\"insufficient\"} 3",
            "gantry_filter_disagreement_total{verdict=\"unknown-node\"} 0",
            "gantry_snapshot_age_seconds 2.0",
            "gantry_nodes 1",
            "gantry_pods{state=\"bound\"} 1",
            "gantry_pods{state=\"waiting\"} 2",
            "gantry_assumed_pods 1",
            "gantry_build_info{version=\"0.1.0\",wit=\"0.1.0\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
