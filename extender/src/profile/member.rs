//! One plugin of a profile: asked, measured, and left alone while it keeps failing.
//!
//! A plugin that could not be loaded is data, not an outage: it remembers why and
//! every cycle leaves it out, visibly. Knows nothing of the profile's other plugins.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gantry_host::turn::time_on_core;
use gantry_host::types::ExtensionPoints;
use gantry_host::{Breaker, BreakerState, CallError, Digest, Entry, Limits, Plugin, Reason, Report};

use super::expected::Expected;
use crate::config::{Problem, valid};
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

    fn entry(self) -> Entry {
        match self {
            Self::Filter => Entry::Filter,
            Self::Score => Entry::Score,
            Self::Plan => Entry::Plan,
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
    /// The configuration's, to be shared by records.
    name: Arc<str>,
    config: valid::Plugin,
    plugin: Result<Arc<Loaded>, Unloaded>,
}

/// A plugin with what is remembered of it. It outlives a change of the configuration that does not concern it.
pub(super) struct Loaded {
    pub(super) plugin: Plugin,
    /// One an extension point: who cannot score may still filter.
    breakers: [Breaker; Point::ALL.len()],
    expected: Expected,
    restarts_told: AtomicU64,
    dropped_told: AtomicU64,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Loaded").field("digest", &self.plugin.digest()).finish_non_exhaustive()
    }
}

impl Loaded {
    pub(super) fn new(plugin: Plugin) -> Self {
        let breakers = Point::ALL.map(|_| Breaker::new(FAILURES, PAUSE));
        let expected = Expected::nothing();
        Self { plugin, breakers, expected, restarts_told: AtomicU64::new(0), dropped_told: AtomicU64::new(0) }
    }
}

/// What plugins may take of a request's time.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// All of it, as if nothing had been done yet.
    pub whole: Duration,
    /// When it is over.
    pub end: Instant,
}

impl Allowance {
    /// The same for each of so many plugins. A tenth of the whole may pass before anybody is asked.
    pub(super) fn shared_by(self, plugins: usize) -> Share {
        Share { end: self.end, fair: self.whole / 10 * 9 / plugins.max(1) as u32 }
    }
}

/// What one of a request's plugins may take of its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// When the request's time is over.
    pub(super) end: Instant,
    /// As much as each would have if all took the same.
    fair: Duration,
}

impl Share {
    /// Whether a plugin that may take as long as `limit` is given less than that, and less than its fair share, from
    /// `now` on, as others have had the time.
    fn is_short_of(self, limit: Duration, now: Instant) -> bool {
        self.end.saturating_duration_since(now) < limit.min(self.fair)
    }
}

/// Where the time of a question went that several plugins are asked.
#[derive(Debug, Default)]
pub(super) struct Spent {
    by: Vec<String>,
}

impl Spent {
    /// Lets a plugin answer. Where that fails because the time is over, the failure says who had the time.
    pub(super) fn on<T>(
        &mut self,
        member: &Member,
        end: Instant,
        call: impl FnOnce() -> Result<T, Fallback>,
    ) -> Result<T, Fallback> {
        let start = Instant::now();
        let mut result = call();
        let now = Instant::now();
        self.by.push(format!("{} {:.1?}", member.name(), now - start));
        if let Err(fallback) = &mut result
            && now >= end
        {
            fallback.detail = format!("{} (the time went to: {})", fallback.detail, self.by.join(", "));
        }
        result
    }
}

/// Why there is no plugin.
#[derive(Clone, Debug)]
pub(crate) struct Unloaded {
    pub(super) reason: Reason,
    pub(super) detail: String,
    /// What it offers, where it was there once.
    offers: Option<ExtensionPoints>,
}

impl Unloaded {
    /// Nobody knows what it offers.
    pub(super) fn new(reason: Reason, detail: String) -> Self {
        Self { reason, detail, offers: None }
    }

    /// It asks for, or is asked for, what the other does not take.
    pub(super) fn by(problem: &Problem) -> Self {
        Self::new(Reason::PluginError, problem.to_string())
    }

    /// Nobody looked for it.
    pub(super) fn never_asked_for() -> Self {
        Self::new(Reason::Unavailable, "nobody looked for it".to_owned())
    }

    /// The same with what was known `before`.
    pub(super) fn after(self, before: Option<&Self>) -> Self {
        Self { offers: self.offers.or(before.and_then(|before| before.offers)), ..self }
    }
}

impl Member {
    pub(super) fn new(config: valid::Plugin, plugin: Result<Arc<Loaded>, Unloaded>) -> Self {
        Self { name: config.name.as_str().into(), config, plugin }
    }

    /// The same plugin, left out: it is known what it offers.
    pub(super) fn left_out(&self, reason: Reason, detail: String) -> Self {
        let offers = match &self.plugin {
            Ok(loaded) => Some(loaded.plugin.info().extension_points),
            Err(unloaded) => unloaded.offers,
        };
        Self::new(self.config.clone(), Err(Unloaded { reason, detail, offers }))
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.name
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

    /// Lines of its log that were dropped since this was last asked: for a counter.
    pub fn new_dropped_lines(&self) -> u64 {
        let Ok(loaded) = &self.plugin else { return 0 };
        let now = loaded.plugin.dropped_lines();
        now.saturating_sub(loaded.dropped_told.swap(now, Ordering::Relaxed))
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

    /// Whether it is asked at an extension point. One that was never loaded would be, as far as anybody knows.
    #[must_use]
    pub fn is_asked(&self, point: Point) -> bool {
        let has = |points: ExtensionPoints| points.contains(point.flag());
        let is_offered = match &self.plugin {
            Ok(loaded) => loaded.plugin.offers(point.flag()),
            Err(unloaded) => unloaded.offers.is_none_or(has),
        };
        is_offered && self.config.extension_points.is_none_or(has)
    }

    /// The breaker's state at an extension point that it is asked at.
    #[must_use]
    pub fn breaker(&self, point: Point, now: Instant) -> Option<BreakerState> {
        let loaded = self.plugin.as_ref().ok().filter(|_| self.is_asked(point))?;
        Some(loaded.breakers[point as usize].state(now))
    }

    /// Asks, unless it has failed too often of late, or there is no time left. `profile` is who asks.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) fn call<T>(
        &self,
        point: Point,
        time: Option<Share>,
        profile: &str,
        metrics: &Metrics,
        call: impl FnOnce(&Plugin) -> Result<T, CallError>,
    ) -> Result<T, Fallback> {
        let unloaded = |why: &Unloaded| self.fallback(Cause::Plugin(why.reason), &why.detail);
        let loaded = self.plugin.as_ref().map_err(unloaded)?;
        let breaker = &loaded.breakers[point as usize];
        let start = Instant::now();
        if time.is_some_and(|time| time.end <= start) {
            return Err(self.fallback(Cause::NoTime, "no time was left for it within server.deadline"));
        }
        if !breaker.admits(start) {
            let detail = format!("{} failed {FAILURES} times in a row; tried again every {PAUSE:?}", point.as_str());
            return Err(self.fallback(Cause::BreakerOpen, &detail));
        }
        let limit = loaded.plugin.limits().deadline_of(point.entry());
        let had_less = time.is_some_and(|time| time.is_short_of(limit, start));
        let on_core = time_on_core();
        let result = call(&loaded.plugin);
        let (end, on_core) = (Instant::now(), time_on_core().saturating_sub(on_core));
        let failure = result.as_ref().err().map(CallError::reason);
        if let Some(state) = breaker.report(report(failure, had_less), end) {
            tracing::warn!(plugin = self.name(), extension_point = point.as_str(), breaker = state.as_str(), "breaker");
        }
        loaded.expected.learn(point, failure.map_or(on_core, |_| end - start), failure.is_some());
        metrics.call(profile, self.name(), point, failure, end - start);
        result.map_err(|error| self.fallback(Cause::Plugin(error.reason()), &chain(&error)))
    }

    /// The very same plugin in one instance of its own, for a trial that no cycle notices; `None` where there is none.
    ///
    /// # Errors
    /// Why that instance cannot be had.
    pub(crate) fn trial(&self) -> Option<Result<Plugin, CallError>> {
        let component = self.loaded()?.plugin.component();
        let limits = Limits { workers: 1, ..self.config.limits.clone() };
        Some(Plugin::new(&self.config.name, component, &self.config.settings, limits))
    }

    pub(super) fn unloaded(&self) -> Option<&Unloaded> {
        self.plugin.as_ref().err()
    }

    /// How long a call is expected to take: as long as the last one that was answered, or longer where one failed since.
    /// Who has not answered yet may take all that it is allowed.
    pub(super) fn expected(&self, point: Point) -> Duration {
        let Ok(loaded) = &self.plugin else { return Duration::ZERO };
        loaded.expected.of(point).unwrap_or_else(|| loaded.plugin.limits().deadline_of(point.entry()))
    }

    /// Whether a call is expected to be over before a thread would step back for it.
    pub(super) fn is_quick(&self, point: Point) -> bool {
        self.plugin.as_ref().map_or(true, |loaded| loaded.expected.is_quick(point))
    }

    pub(super) fn loaded(&self) -> Option<&Arc<Loaded>> {
        self.plugin.as_ref().ok()
    }

    fn fallback(&self, cause: Cause, detail: &str) -> Fallback {
        Fallback::new(self.name(), cause, detail)
    }
}

/// A plugin that is busy is not broken, and whoever is turned away has waited no longer than its deadline. One that was
/// cut short as it `had_less` time than its own limits and its fair share give it may be well or not.
fn report(failure: Option<Reason>, had_less: bool) -> Report {
    match failure {
        None => Report::Success,
        Some(Reason::Overloaded) => Report::Nothing,
        Some(Reason::Deadline) if had_less => Report::CutShort,
        Some(_) => Report::Failure,
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gantry_host::turn::GRACE;

    use super::*;
    use crate::args::ServeArgs;
    use crate::config::Surroundings;
    use crate::profile::Profile;
    use crate::profile::loader::{Loader, Occasion};

    /// A profile with a plugin that scores.
    fn profile() -> Arc<Profile> {
        let folder = tempfile::tempdir().unwrap();
        let component = folder.path().join("p.wasm");
        std::fs::write(&component, gantry_guests::bytes("score_only")).unwrap();
        let plugin = format!("{{name: p, component: 'file:{}'}}", component.display());
        let profile = format!("{{schedulerName: default-scheduler, plugins: [{plugin}]}}");
        let head = "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: none}\n";
        let text = format!("{head}profiles: [{profile}]\n");
        let draft = ServeArgs::default().draft_of(text.as_bytes(), Path::new("x"), Surroundings::default()).unwrap();
        Loader::new(None, None).load(&draft.config.profiles, &[], Occasion::Change).unwrap().remove(0)
    }

    /// Keeps a core for longer than honest plugins do.
    fn compute() {
        let start = time_on_core();
        while time_on_core().saturating_sub(start) < 2 * GRACE {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_plugin_whose_thread_has_no_core_for_a_while_stays_quick_and_one_that_keeps_a_core_does_not() {
        let (profile, metrics) = (profile(), Metrics::new([]));
        let member = &profile.members()[0];
        let call = |work: fn()| {
            let answer = member.call(Point::Score, None, "p", &metrics, |_| {
                work();
                Ok(())
            });
            answer.unwrap();
            member.is_quick(Point::Score)
        };
        assert!(call(|| std::thread::scope(|others| others.spawn(compute).join().unwrap())));
        assert!(!call(compute));
    }

    #[test]
    fn a_plugin_that_is_left_out_is_asked_for_what_it_offers_and_for_all_where_nobody_knows() {
        let profile = profile();
        let loaded = &profile.members()[0];
        let asked = |member: &Member| Point::ALL.map(|point| member.is_asked(point));
        let (scores_only, all) = ([false, true, false], [true; 3]);
        assert_eq!(asked(loaded), scores_only);
        let left_out = loaded.left_out(Reason::Trap, "it fails".to_owned());
        assert_eq!((asked(&left_out), left_out.failure()), (scores_only, Some((Reason::Trap, "it fails"))));
        assert_eq!(asked(&left_out.left_out(Reason::Trap, "it still fails".to_owned())), scores_only);

        let unknown = Member::new(loaded.config.clone(), Err(Unloaded::never_asked_for()));
        assert_eq!(asked(&unknown), all);
        let gone = Unloaded::never_asked_for().after(left_out.unloaded());
        assert_eq!(asked(&Member::new(loaded.config.clone(), Err(gone))), scores_only);
    }

    #[test]
    fn a_deadline_that_others_brought_on_is_nobodys_failure() {
        for (failure, had_less, expected) in [
            (None, true, Report::Success),
            (Some(Reason::Deadline), true, Report::CutShort),
            (Some(Reason::Deadline), false, Report::Failure),
            (Some(Reason::Trap), true, Report::Failure),
            (Some(Reason::Overloaded), false, Report::Nothing),
        ] {
            assert_eq!(report(failure, had_less), expected, "{failure:?}, {had_less}");
        }
    }

    #[test]
    fn who_has_its_own_limit_or_its_fair_share_of_a_request_has_enough() {
        let (now, milliseconds) = (Instant::now(), Duration::from_millis);
        let is_short = |left: u64, plugins: usize, limit: u64| {
            let time = Allowance { whole: milliseconds(90), end: now + milliseconds(left) };
            time.shared_by(plugins).is_short_of(milliseconds(limit), now)
        };
        assert!(!is_short(40, 1, 40) && is_short(39, 1, 40));
        // Its own limit is more than a request has.
        assert!(!is_short(81, 1, 100) && is_short(80, 1, 100));
        // Another one is asked as well.
        assert!(!is_short(41, 2, 100) && is_short(40, 2, 100));
        assert!(!is_short(30, 2, 30) && is_short(29, 2, 30));
    }
}
