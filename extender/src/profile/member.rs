//! One plugin of a profile: asked, measured, and left alone while it keeps failing.
//!
//! A plugin that could not be loaded is data, not an outage: it remembers why and
//! every cycle leaves it out, visibly. Knows nothing of the profile's other plugins.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gantry_host::types::ExtensionPoints;
use gantry_host::{Breaker, BreakerState, CallError, Digest, Plugin, Reason, Report};

use crate::config::valid;
use crate::cycle::{Cause, Fallback};
use crate::metrics::Metrics;

/// Failures in a row of one extension point after which it is left alone.
const FAILURES: u32 = 5;
/// How long it is left alone before one cycle tries it again.
const PAUSE: Duration = Duration::from_secs(10);

/// What a plugin is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Verdicts.
    Filter,
    /// Scores.
    Score,
    /// A joint assignment.
    Plan,
}

impl Point {
    /// Every extension point there is.
    pub const ALL: [Self; 3] = [Self::Filter, Self::Score, Self::Plan];

    /// The word in the configuration and the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Score => "score",
            Self::Plan => "plan",
        }
    }

    pub(super) fn flag(self) -> ExtensionPoints {
        match self {
            Self::Filter => ExtensionPoints::FILTER,
            Self::Score => ExtensionPoints::SCORE,
            Self::Plan => ExtensionPoints::PLAN,
        }
    }
}

/// A plugin in its place in a profile.
#[derive(Debug)]
pub struct Member {
    config: valid::Plugin,
    plugin: Result<Arc<Loaded>, Unloaded>,
}

/// A plugin with what is remembered of it. It outlives a change of the configuration that does not concern it.
pub(super) struct Loaded {
    pub(super) plugin: Plugin,
    /// One an extension point: who cannot score may still filter.
    breakers: [Breaker; Point::ALL.len()],
    restarts_told: AtomicU64,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Loaded").field("digest", &self.plugin.digest()).finish_non_exhaustive()
    }
}

impl Loaded {
    pub(super) fn new(plugin: Plugin) -> Self {
        let breakers = Point::ALL.map(|_| Breaker::new(FAILURES, PAUSE));
        Self { plugin, breakers, restarts_told: AtomicU64::new(0) }
    }
}

/// Why there is no plugin.
#[derive(Clone, Debug)]
pub(super) struct Unloaded {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Member {
    pub(super) fn new(config: valid::Plugin, plugin: Result<Arc<Loaded>, Unloaded>) -> Self {
        Self { config, plugin }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// How it is configured.
    #[must_use]
    pub fn config(&self) -> &valid::Plugin {
        &self.config
    }

    /// How much its scores count.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.config.weight
    }

    /// Why there is no plugin, or `None` where there is one.
    #[must_use]
    pub fn failure(&self) -> Option<(Reason, &str)> {
        self.plugin.as_ref().err().map(|unloaded| (unloaded.reason, unloaded.detail.as_str()))
    }

    /// The digest of its component, where it is loaded.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.plugin.as_ref().ok().map(|loaded| loaded.plugin.digest())
    }

    /// How many of its instances were replaced after they failed.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.plugin.as_ref().map_or(0, |loaded| loaded.plugin.restarts())
    }

    /// Restarts since this was last asked: for a counter.
    pub fn new_restarts(&self) -> u64 {
        let Ok(loaded) = &self.plugin else { return 0 };
        let now = loaded.plugin.restarts();
        now.saturating_sub(loaded.restarts_told.swap(now, Ordering::Relaxed))
    }

    /// The most bytes of memory that one of its instances was seen to hold.
    #[must_use]
    pub fn memory_high_water(&self) -> usize {
        self.plugin.as_ref().map_or(0, |loaded| loaded.plugin.memory_high_water())
    }

    /// How many calls it takes at a time.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.plugin.as_ref().map_or(0, |loaded| loaded.plugin.instances())
    }

    /// Whether it is asked at an extension point. One that could not be loaded would be, as far as anybody knows.
    #[must_use]
    pub fn is_asked(&self, point: Point) -> bool {
        let is_wanted = self.config.extension_points.is_none_or(|points| points.contains(point.flag()));
        is_wanted && self.loaded().is_none_or(|loaded| loaded.plugin.offers(point.flag()))
    }

    /// The breaker's state at an extension point that it is asked at.
    #[must_use]
    pub fn breaker(&self, point: Point, now: Instant) -> Option<BreakerState> {
        let loaded = self.plugin.as_ref().ok().filter(|_| self.is_asked(point))?;
        Some(loaded.breakers[point as usize].state(now))
    }

    /// Asks, unless it has failed too often of late.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) fn call<T>(
        &self,
        point: Point,
        metrics: &Metrics,
        call: impl FnOnce(&Plugin) -> Result<T, CallError>,
    ) -> Result<T, Fallback> {
        let unloaded = |why: &Unloaded| self.fallback(Cause::Plugin(why.reason), &why.detail);
        let loaded = self.plugin.as_ref().map_err(unloaded)?;
        let breaker = &loaded.breakers[point as usize];
        let start = Instant::now();
        if !breaker.admits(start) {
            let detail = format!("{} failed {FAILURES} times in a row; tried again every {PAUSE:?}", point.as_str());
            return Err(self.fallback(Cause::BreakerOpen, &detail));
        }
        let result = call(&loaded.plugin);
        let end = Instant::now();
        if let Some(state) = breaker.report(report(&result), end) {
            tracing::warn!(plugin = self.name(), extension_point = point.as_str(), breaker = state.as_str(), "breaker");
        }
        let failure = result.as_ref().err().map(CallError::reason);
        metrics.call(self.name(), point.as_str(), failure, end - start);
        result.map_err(|error| self.fallback(Cause::Plugin(error.reason()), &chain(&error)))
    }

    pub(super) fn loaded(&self) -> Option<&Arc<Loaded>> {
        self.plugin.as_ref().ok()
    }

    fn fallback(&self, cause: Cause, detail: &str) -> Fallback {
        Fallback::new(self.name(), cause, detail)
    }
}

/// A plugin that is busy is not broken, and whoever is turned away has waited no longer than its deadline.
fn report<T>(result: &Result<T, CallError>) -> Report {
    match result {
        Ok(_) => Report::Success,
        Err(error) if error.reason() == Reason::Overloaded => Report::Nothing,
        Err(_) => Report::Failure,
    }
}

/// An error with the errors behind it, in one line: an Event's note and a log's field hold no more.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let line = error.to_string();
        text.push_str(": ");
        text.push_str(line.lines().next().unwrap_or_default());
        source = error.source();
    }
    text
}
