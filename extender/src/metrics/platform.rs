//! Metrics of plugins as things that live, and of the configuration that they come from.
//!
//! Plugins are labelled by their profile and their name in it: names are a profile's own.

use std::sync::atomic::AtomicU64;
use std::time::{Instant, SystemTime};

use gantry_host::{BreakerState, Digest};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::OutcomeLabels;
use crate::profile::{Member, Point, Profile};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PluginLabels {
    pub(super) plugin: String,
    pub(super) profile: String,
}

impl PluginLabels {
    pub(super) fn of(profile: &str, plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), profile: profile.to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BreakerLabels {
    plugin: String,
    state: &'static str,
    profile: String,
}

/// How a changed configuration fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// It is in use.
    Applied,
    /// The one before it stays in use.
    Refused,
}

impl Reload {
    /// Every way there is.
    pub const ALL: [Self; 2] = [Self::Applied, Self::Refused];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

#[derive(Default)]
pub(super) struct Platform {
    breakers: Family<BreakerLabels, Gauge>,
    memory: Family<PluginLabels, Gauge>,
    instances: Family<PluginLabels, Gauge>,
    restarts: Family<PluginLabels, Counter>,
    dropped_lines: Family<PluginLabels, Counter>,
    reloads: Family<OutcomeLabels, Counter>,
    config_hash: Gauge,
    config_applied: Gauge<f64, AtomicU64>,
}

impl Platform {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Breakers of a plugin, one an extension point; labels: plugin, state (closed, open, half-open), \
                    profile";
        registry.register("gantry_plugin_breaker", help, self.breakers.clone());
        let help = "The most memory that one instance of a plugin was seen to hold; labels: plugin, profile";
        registry.register("gantry_plugin_memory_high_water_bytes", help, self.memory.clone());
        let help = "Warm instances of a plugin; labels: plugin, profile";
        registry.register("gantry_plugin_instances", help, self.instances.clone());
        let help = "Instances made to replace lost ones; labels: plugin, profile";
        registry.register("gantry_plugin_restarts", help, self.restarts.clone());
        let help = "Lines of a plugin's log dropped because it wrote too many; labels: plugin, profile";
        registry.register("gantry_plugin_log_dropped_lines", help, self.dropped_lines.clone());
        let help = "Changes of the configuration file; labels: outcome (applied, refused)";
        registry.register("gantry_config_reloads", help, self.reloads.clone());
        let help = "The first 48 bits of the SHA-256 of the configuration in use; 0 without a file";
        registry.register("gantry_config_hash", help, self.config_hash.clone());
        let help = "When the configuration in use was put in place, in seconds since 1970";
        registry.register("gantry_config_applied_timestamp_seconds", help, self.config_applied.clone());
        for reload in Reload::ALL {
            drop(self.reloads.get_or_create(&OutcomeLabels { outcome: reload.as_str() }));
        }
    }

    pub(super) fn reload(&self, reload: Reload) {
        self.reloads.get_or_create(&OutcomeLabels { outcome: reload.as_str() }).inc();
    }

    pub(super) fn configuration(&self, digest: Option<Digest>, since: SystemTime) {
        self.config_hash.set(digest.map_or(0, head));
        let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.config_applied.set(since.as_secs_f64());
    }

    /// Brings the gauges up to date; plugins that are gone go from them.
    pub(super) fn observe(&self, profiles: &[&Profile], now: Instant) {
        self.breakers.clear();
        self.memory.clear();
        self.instances.clear();
        for profile in profiles {
            for member in profile.members() {
                self.observe_member(profile.scheduler_name(), member, now);
            }
        }
    }

    fn observe_member(&self, profile: &str, member: &Member, now: Instant) {
        let labels = PluginLabels::of(profile, member.name());
        self.restarts.get_or_create(&labels).inc_by(member.new_restarts());
        self.dropped_lines.get_or_create(&labels).inc_by(member.new_dropped_lines());
        self.instances.get_or_create(&labels).set(member.instances() as i64);
        self.memory.get_or_create(&labels).set(member.memory_high_water() as i64);
        for state in BreakerState::ALL {
            let is_in = |point: &&Point| member.breaker(**point, now) == Some(state);
            let count = Point::ALL.iter().filter(is_in).count() as i64;
            let PluginLabels { plugin, profile } = labels.clone();
            let labels = BreakerLabels { plugin, state: state.as_str(), profile };
            self.breakers.get_or_create(&labels).set(count);
        }
    }

    /// Counters go as well: gauges are made anew each time.
    pub(super) fn forget(&self, plugin: &PluginLabels) {
        self.restarts.remove(plugin);
        self.dropped_lines.remove(plugin);
    }
}

/// Small enough to be a number that Prometheus keeps exactly.
fn head(digest: Digest) -> i64 {
    let text = digest.to_string();
    i64::from_str_radix(&text["sha256:".len()..][..12], 16).unwrap_or_default()
}
