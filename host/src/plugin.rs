//! A plugin as the extender sees it: questions in, checked answers or a reason out.
//!
//! It promises to answer or to fail within a known time, never to hang and never to panic, whatever the component does.
//! It must not know pods, nodes or scores' meaning, nor what the extender answers after a failure.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::blueprint::Blueprint;
use crate::component::{Component, Digest};
use crate::error::{CallError, Entry, Failure};
use crate::imports::log::Logbook;
use crate::instance::{self, Instance};
use crate::limits::Limits;
use crate::pool::{Lease, Pool};
use crate::source::SnapshotSource;
use crate::types::{Budget, ExtensionPoints, Plan, PluginInfo, Pod, Pods};
use crate::worker::{Tally, Worker};

/// The longest name that a plugin may give itself.
const NAME_BYTES: usize = 63;

/// A configured component with its warm instances.
///
/// Instances are kept because a call into a warm one costs a fraction of making one and pushing the snapshot again
/// (8 µs against 50 µs at 1000 rows). Between pods that is safe: all that an instance has seen is one cluster's columns,
/// which every pod's decision may depend on anyway. Between plugins nothing is shared but the compiled code.
///
/// All calls block the calling thread: for at most the deadline while every instance is busy, then for the entries
/// themselves, each with a deadline of its own. A call `until` an instant is over then, to within a tick or two.
pub struct Plugin {
    blueprint: Arc<Blueprint>,
    info: PluginInfo,
    workers: Pool<Worker>,
    /// The one that plans, so that no question about a pod ever waits for a search. None plans where none is offered.
    planner: Pool<Worker>,
    tally: Arc<Tally>,
}

/// What a plugin says of a pod on one snapshot.
#[derive(Debug)]
pub struct Decision {
    /// The answer of `filter`.
    pub verdicts: Result<Vec<u8>, CallError>,
    /// The answer of `score`.
    pub scores: Result<Vec<f64>, CallError>,
}

impl Plugin {
    /// Starts and configures the plugin's instances, and asks what it is.
    ///
    /// `name` is the plugin's name in the configuration; `settings` is a JSON document, or empty for all defaults.
    ///
    /// # Errors
    /// When the component fails before its first question, refuses its settings, or describes itself in a way that the
    /// contract does not allow.
    pub fn new(name: &str, component: &Component, settings: &str, limits: Limits) -> Result<Self, CallError> {
        let workers = limits.workers.max(1);
        let queue = limits.queue;
        let blueprint = blueprint(name, component, settings, limits);
        let info = describe(&blueprint)?;
        let tally = Arc::default();
        let start = |count: usize| -> Result<_, CallError> {
            let workers = (0..count).map(|_| Worker::start(&blueprint, &tally)).collect::<Result<_, _>>()?;
            Ok(Pool::new(workers, queue))
        };
        let (workers, planner) =
            (start(workers)?, start(info.extension_points.contains(ExtensionPoints::PLAN).into())?);
        Ok(Self { blueprint, info, workers, planner, tally })
    }

    /// What a component says of itself, without settings: also of one that refuses to do without.
    ///
    /// # Errors
    /// When the component fails before it has said so, or describes itself in a way that the contract does not allow.
    pub fn describe(name: &str, component: &Component, limits: Limits) -> Result<PluginInfo, CallError> {
        describe(&blueprint(name, component, "", limits))
    }

    /// The plugin's name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.blueprint.name
    }

    /// What the plugin says of itself.
    #[must_use]
    pub fn info(&self) -> &PluginInfo {
        &self.info
    }

    /// The digest of its component.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.blueprint.component.digest()
    }

    /// What it is made of: for another plugin of the very same.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.blueprint.component
    }

    /// What it may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.blueprint.limits
    }

    /// How many instances were made to replace lost ones.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.tally.restarts.load(Ordering::Relaxed)
    }

    /// The most bytes of memory that one of its instances was seen to hold after a call.
    #[must_use]
    pub fn memory_high_water(&self) -> usize {
        self.tally.memory.load(Ordering::Relaxed)
    }

    /// How many lines of its log were dropped, as they came faster than its limits allow.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.blueprint.logbook.dropped()
    }

    /// How many calls it takes at a time, a search for a plan not counted: it has an instance of its own.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.workers.size()
    }

    /// Whether it answers at all of these extension points.
    #[must_use]
    pub fn offers(&self, points: ExtensionPoints) -> bool {
        self.info.extension_points.contains(points)
    }

    /// One verdict a row, 0..=4. A plugin without this extension point lets every row pass and is not called.
    ///
    /// # Errors
    /// The component failed, answered nonsense, or was too busy.
    pub fn filter(&self, source: &dyn SnapshotSource, pod: &Pod<'_>) -> Result<Vec<u8>, CallError> {
        self.verdicts(source, pod, None)
    }

    /// [`Plugin::filter`] in what is left until `end`, where its own limits leave more.
    ///
    /// # Errors
    /// As there.
    pub fn filter_until(&self, source: &dyn SnapshotSource, pod: &Pod<'_>, end: Instant) -> Result<Vec<u8>, CallError> {
        self.verdicts(source, pod, Some(end))
    }

    fn verdicts(&self, source: &dyn SnapshotSource, pod: &Pod<'_>, end: Option<Instant>) -> Result<Vec<u8>, CallError> {
        if !self.offers(ExtensionPoints::FILTER) {
            return Ok(vec![0; source.rows()]);
        }
        self.acquire(Entry::Filter, end)?.call(end, |instance| instance.filter(source, pod))
    }

    /// One score a row, 0..=100. A plugin without this extension point scores every row 0 and is not called.
    ///
    /// # Errors
    /// As [`Plugin::filter`].
    pub fn score(&self, source: &dyn SnapshotSource, pod: &Pod<'_>) -> Result<Vec<f64>, CallError> {
        self.scores(source, pod, None)
    }

    /// [`Plugin::score`] in what is left until `end`, where its own limits leave more.
    ///
    /// # Errors
    /// As [`Plugin::filter`].
    pub fn score_until(&self, source: &dyn SnapshotSource, pod: &Pod<'_>, end: Instant) -> Result<Vec<f64>, CallError> {
        self.scores(source, pod, Some(end))
    }

    fn scores(&self, source: &dyn SnapshotSource, pod: &Pod<'_>, end: Option<Instant>) -> Result<Vec<f64>, CallError> {
        if !self.offers(ExtensionPoints::SCORE) {
            return Ok(vec![0.0; source.rows()]);
        }
        self.acquire(Entry::Score, end)?.call(end, |instance| instance.score(source, pod))
    }

    /// Verdicts and scores from one instance, which takes the snapshot once. One may fail without the other.
    ///
    /// # Errors
    /// All instances were busy.
    pub fn decide(&self, source: &dyn SnapshotSource, pod: &Pod<'_>) -> Result<Decision, CallError> {
        self.decision(source, pod, None)
    }

    /// [`Plugin::decide`] in what is left until `end`, where its own limits leave more.
    ///
    /// # Errors
    /// As there.
    pub fn decide_until(
        &self,
        source: &dyn SnapshotSource,
        pod: &Pod<'_>,
        end: Instant,
    ) -> Result<Decision, CallError> {
        self.decision(source, pod, Some(end))
    }

    fn decision(
        &self,
        source: &dyn SnapshotSource,
        pod: &Pod<'_>,
        end: Option<Instant>,
    ) -> Result<Decision, CallError> {
        let mut worker = self.acquire(Entry::Filter, end)?;
        let verdicts = if self.offers(ExtensionPoints::FILTER) {
            worker.call(end, |instance| instance.filter(source, pod))
        } else {
            Ok(vec![0; source.rows()])
        };
        let scores = if self.offers(ExtensionPoints::SCORE) {
            worker.call(end, |instance| instance.score(source, pod))
        } else {
            Ok(vec![0.0; source.rows()])
        };
        Ok(Decision { verdicts, scores })
    }

    /// A joint assignment of all the pods.
    ///
    /// # Errors
    /// As [`Plugin::filter`]; [`Failure::NotOffered`] when the plugin has no such extension point.
    pub fn plan(
        &self,
        source: &dyn SnapshotSource,
        pods: &Pods<'_>,
        budget: Budget,
        seed: u64,
    ) -> Result<Plan, CallError> {
        if !self.offers(ExtensionPoints::PLAN) {
            return Err(self.blueprint.error(Entry::Plan, Failure::NotOffered));
        }
        let mut planner = self.acquire_from(&self.planner, Entry::Plan, self.limits().deadline)?;
        planner.call(None, |instance| instance.plan(source, pods, budget, seed))
    }

    fn acquire(&self, entry: Entry, end: Option<Instant>) -> Result<Lease<'_, Worker>, CallError> {
        self.acquire_from(&self.workers, entry, instance::until(end, self.limits().deadline_of(entry)))
    }

    fn acquire_from<'a>(
        &self,
        pool: &'a Pool<Worker>,
        entry: Entry,
        patience: Duration,
    ) -> Result<Lease<'a, Worker>, CallError> {
        pool.acquire(patience).map_err(|overloaded| {
            let failure = Failure::Overloaded { workers: pool.size(), waiting: overloaded.waiting };
            self.blueprint.error(entry, failure)
        })
    }
}

fn blueprint(name: &str, component: &Component, settings: &str, limits: Limits) -> Arc<Blueprint> {
    let name: Arc<str> = name.into();
    let logbook = Arc::new(Logbook::new(&name, limits.log_bytes));
    let (component, settings) = (component.clone(), settings.into());
    Arc::new(Blueprint { name, component, settings, limits, logbook })
}

fn describe(blueprint: &Arc<Blueprint>) -> Result<PluginInfo, CallError> {
    let info = Instance::instantiate(blueprint, None)?.describe()?;
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if info.name.is_empty() || info.name.len() > NAME_BYTES || !info.name.bytes().all(is_name) {
        let failure = Failure::Description { field: "name", value: info.name, allowed: "1 to 63 of a-z, 0-9 and -" };
        return Err(blueprint.error(Entry::Describe, failure));
    }
    Ok(info)
}
