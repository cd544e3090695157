//! What the plugin holds between calls: settings, the snapshot's columns, the domain classes.
//!
//! A refused call leaves everything as it was: every check comes before the first change.

use std::collections::BTreeMap;

use crate::{
    filter::{Limits, Trial},
    plan,
    score::{self, Scorer},
    settings::{SCHEMA, Settings},
    types::{Budget, ConfigError, Delta, DomainClass, Error, ExtensionPoints, Plan, PluginInfo, Pod, Pods, Snapshot},
};

/// Amounts are whole numbers which an `f64` holds exactly.
pub(crate) const LARGEST_AMOUNT: f64 = 9_007_199_254_740_992.0;
/// Weights are of the order of 1; past this they would drown the others in rounding.
const LARGEST_WEIGHT: f64 = 1000.0;
const MOST_ROWS: u32 = 1_000_000;
const MOST_RESOURCES: u32 = 64;

/// One plugin instance, as the world `gantry:scheduling/plugin` describes it.
#[derive(Default)]
pub struct Plugin {
    settings: Settings,
    cluster: Option<Cluster>,
}

/// The snapshot held, and what is computed from it once instead of in every call.
pub(crate) struct Cluster {
    pub(crate) snapshot: Snapshot,
    pub(crate) class_by_id: BTreeMap<u32, DomainClass>,
    pub(crate) scorer: Scorer,
    pub(crate) limits: Limits,
}

impl Plugin {
    /// Name, version, extension points and the schema of the settings.
    #[must_use]
    pub fn describe() -> PluginInfo {
        PluginInfo {
            name: "gantry".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extension_points: ExtensionPoints::FILTER | ExtensionPoints::SCORE | ExtensionPoints::PLAN,
            settings_schema: SCHEMA.to_owned(),
        }
    }

    /// Takes settings; the snapshot held is kept and seen with the new ones.
    ///
    /// # Errors
    /// Names the key and its value; the former settings stay.
    pub fn configure(&mut self, settings: &str) -> Result<(), ConfigError> {
        self.settings = Settings::parse(settings)?;
        if let Some(cluster) = &mut self.cluster {
            cluster.scorer = Scorer::new(&cluster.snapshot, self.settings.objective);
            cluster.limits = Limits::new(&cluster.snapshot, self.settings.hot_share);
        }
        Ok(())
    }

    /// Takes the whole cluster.
    ///
    /// # Errors
    /// [`Error::BadShape`] or [`Error::BadNumber`]; what was held before stays.
    pub fn push_snapshot(&mut self, mut snapshot: Snapshot) -> Result<(), Error> {
        check_snapshot(&snapshot)?;
        let classes = std::mem::take(&mut snapshot.classes);
        let scorer = Scorer::new(&snapshot, self.settings.objective);
        let limits = Limits::new(&snapshot, self.settings.hot_share);
        let mut cluster = Cluster { snapshot, class_by_id: BTreeMap::new(), scorer, limits };
        cluster.take(classes);
        self.cluster = Some(cluster);
        Ok(())
    }

    /// Takes what changed since the generation held.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`], [`Error::WrongGeneration`], [`Error::BadShape`] or [`Error::BadNumber`].
    pub fn apply_delta(&mut self, delta: Delta) -> Result<(), Error> {
        let cluster = self.cluster.as_mut().ok_or(Error::NoSnapshot)?;
        check_delta(&cluster.snapshot, &delta)?;
        cluster.apply(delta, self.settings.hot_share);
        Ok(())
    }

    /// One verdict a row; see the contract for the codes.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`], [`Error::UnknownClass`], [`Error::BadShape`] or [`Error::BadNumber`].
    pub fn filter(&mut self, pod: &Pod) -> Result<Vec<u8>, Error> {
        let cluster = self.cluster.as_ref().ok_or(Error::NoSnapshot)?;
        Ok(Trial::new(cluster, cluster.class_of(pod)?, pod).verdicts(cluster.rows()))
    }

    /// One score a row, 0 to 100.
    ///
    /// # Errors
    /// As [`Plugin::filter`].
    pub fn score(&mut self, pod: &Pod) -> Result<Vec<f64>, Error> {
        let cluster = self.cluster.as_mut().ok_or(Error::NoSnapshot)?;
        cluster.class_of(pod)?;
        Ok(cluster
            .without(pod, |cluster| score::scores(cluster, &cluster.class_by_id[&pod.class], pod, &self.settings)))
    }

    /// A joint assignment of all `pods`.
    ///
    /// # Errors
    /// As [`Plugin::filter`].
    pub fn plan(&mut self, pods: &Pods, budget: Budget, seed: u64) -> Result<Plan, Error> {
        let cluster = self.cluster.as_ref().ok_or(Error::NoSnapshot)?;
        check_pods(cluster, pods)?;
        plan::plan(cluster, pods, budget, seed, &self.settings)
    }
}

impl Cluster {
    /// The rows, as a length.
    pub(crate) fn rows(&self) -> usize {
        self.snapshot.rows as usize
    }

    /// The resources a node has, as a length.
    pub(crate) fn resources(&self) -> usize {
        self.snapshot.resources as usize
    }

    /// The pod's class, after the pod's own numbers were checked.
    fn class_of(&self, pod: &Pod) -> Result<&DomainClass, Error> {
        same_length(&pod.request, self.resources())?;
        empty_or_length(&pod.estimate, self.resources())?;
        amounts(&pod.request)?;
        amounts(&pod.estimate)?;
        row_or_none(pod.planned_row, self.snapshot.rows)?;
        self.class_by_id.get(&pod.class).ok_or(Error::UnknownClass)
    }

    /// Answers with a pod taken off the row that it is planned on. Afterwards everything is as before, bit for bit.
    fn without<T>(&mut self, pod: &Pod, answer: impl FnOnce(&Self) -> T) -> T {
        let row = usize::try_from(pod.planned_row).ok();
        let Some(row) = row.filter(|_| !self.snapshot.planned.is_empty()) else { return answer(self) };
        let first = row * self.resources();
        let cells = first..first + self.resources();
        let planned = self.snapshot.planned[cells.clone()].to_vec();
        for (planned, amount) in self.snapshot.planned[cells.clone()].iter_mut().zip(&pod.request) {
            *planned = (*planned - amount).max(0.0);
        }
        self.scorer.update(&self.snapshot, row);
        self.limits.open(&self.snapshot, row);
        let answer = answer(self);
        self.snapshot.planned[cells].copy_from_slice(&planned);
        self.scorer.update(&self.snapshot, row);
        self.limits.close(&self.snapshot, row);
        answer
    }

    fn apply(&mut self, delta: Delta, hot_share: f64) {
        let r = self.resources();
        let held = &mut self.snapshot;
        for (column, changed) in [
            (&mut held.allocatable, &delta.allocatable),
            (&mut held.requested, &delta.requested),
            (&mut held.used_p50, &delta.used_p50),
            (&mut held.used_p90, &delta.used_p90),
            (&mut held.planned, &delta.planned),
            (&mut held.weights, &delta.weights),
        ] {
            for (values, &row) in changed.chunks_exact(r).zip(&delta.changed) {
                let at = row as usize * r;
                column[at..at + r].copy_from_slice(values);
            }
        }
        held.generation = delta.generation;
        self.take(delta.classes);
        for &row in &delta.changed {
            self.scorer.update(&self.snapshot, row as usize);
            self.limits.update(&self.snapshot, hot_share, row as usize);
        }
    }

    /// Takes classes; bits past the last row mean nothing and are cleared.
    fn take(&mut self, classes: Vec<DomainClass>) {
        for mut class in classes {
            for bitmap in [&mut class.possible, &mut class.permitted] {
                if let (Some(last), spare @ 1..) = (bitmap.last_mut(), self.snapshot.rows % 64) {
                    *last &= (1 << spare) - 1;
                }
            }
            self.class_by_id.insert(class.id, class);
        }
    }
}

fn check_snapshot(snapshot: &Snapshot) -> Result<(), Error> {
    if snapshot.rows > MOST_ROWS || !(1..=MOST_RESOURCES).contains(&snapshot.resources) {
        return Err(Error::BadShape);
    }
    let cells = snapshot.rows as usize * snapshot.resources as usize;
    for column in [&snapshot.allocatable, &snapshot.requested, &snapshot.weights] {
        same_length(column, cells)?;
    }
    for column in [&snapshot.used_p50, &snapshot.used_p90, &snapshot.planned] {
        empty_or_length(column, cells)?;
    }
    for column in
        [&snapshot.allocatable, &snapshot.requested, &snapshot.used_p50, &snapshot.used_p90, &snapshot.planned]
    {
        amounts(column)?;
    }
    all_within(&snapshot.weights, LARGEST_WEIGHT)?;
    snapshot.classes.iter().try_for_each(|class| check_class(class, snapshot.rows as usize))
}

fn check_delta(held: &Snapshot, delta: &Delta) -> Result<(), Error> {
    if delta.base != held.generation {
        return Err(Error::WrongGeneration);
    }
    let ascending = delta.changed.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || delta.changed.last().is_some_and(|&row| row >= held.rows) {
        return Err(Error::BadShape);
    }
    let cells = delta.changed.len() * held.resources as usize;
    for column in [&delta.allocatable, &delta.requested, &delta.weights] {
        same_length(column, cells)?;
    }
    for (column, held) in
        [(&delta.used_p50, &held.used_p50), (&delta.used_p90, &held.used_p90), (&delta.planned, &held.planned)]
    {
        same_length(column, if held.is_empty() { 0 } else { cells })?;
    }
    for column in [&delta.allocatable, &delta.requested, &delta.used_p50, &delta.used_p90, &delta.planned] {
        amounts(column)?;
    }
    all_within(&delta.weights, LARGEST_WEIGHT)?;
    delta.classes.iter().try_for_each(|class| check_class(class, held.rows as usize))
}

fn check_class(class: &DomainClass, rows: usize) -> Result<(), Error> {
    same_length(&class.possible, rows.div_ceil(64))?;
    same_length(&class.permitted, rows.div_ceil(64))?;
    empty_or_length(&class.preference, rows)?;
    all_within(&class.preference, 1.0)
}

fn check_pods(cluster: &Cluster, pods: &Pods) -> Result<(), Error> {
    same_length(&pods.requests, pods.classes.len() * cluster.resources())?;
    empty_or_length(&pods.estimates, pods.requests.len())?;
    empty_or_length(&pods.warm_start, pods.classes.len())?;
    amounts(&pods.requests)?;
    amounts(&pods.estimates)?;
    pods.warm_start.iter().try_for_each(|&row| row_or_none(row, cluster.snapshot.rows))?;
    let known = pods.classes.iter().all(|id| cluster.class_by_id.contains_key(id));
    if known { Ok(()) } else { Err(Error::UnknownClass) }
}

/// A row, or -1.
fn row_or_none(row: i32, rows: u32) -> Result<(), Error> {
    if row == -1 || u32::try_from(row).is_ok_and(|row| row < rows) { Ok(()) } else { Err(Error::BadShape) }
}

fn same_length<T>(list: &[T], length: usize) -> Result<(), Error> {
    if list.len() == length { Ok(()) } else { Err(Error::BadShape) }
}

fn empty_or_length<T>(list: &[T], length: usize) -> Result<(), Error> {
    if list.is_empty() { Ok(()) } else { same_length(list, length) }
}

fn amounts(list: &[f64]) -> Result<(), Error> {
    all_within(list, LARGEST_AMOUNT)
}

/// NaN is in no range, so it is refused too.
fn all_within(list: &[f64], largest: f64) -> Result<(), Error> {
    let good = list.iter().fold(true, |good, value| good & (0.0..=largest).contains(value));
    if good { Ok(()) } else { Err(Error::BadNumber) }
}
