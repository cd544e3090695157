//! What a forecast is worth at its age.
//!
//! | age of the newest data | what happens |
//! |---|---|
//! | up to 60 s | used as it is: two collection intervals of 30 s |
//! | 60 s to 180 s | the 0.9 quantile grows linearly, to 1.5 times |
//! | above 180 s | left out |
//! | more than 30 s ahead of our clock | left out: one of the clocks is wrong |
//!
//! Age counts from the data and not from the fetch: a sidecar that goes on serving what it has must not look fresh.

use std::collections::BTreeMap;
use std::sync::Arc;

use gantry_cluster::{NodeForecast, Use, WorkloadForecast};

use super::document::{Document, Entry};

const FRESH: i64 = 60;
const EXPIRED: i64 = 180;
/// The most that data may be ahead of our clock, as an age.
const SKEW: i64 = -30;
const WIDEST: f64 = 1.5;
/// Ages count in whole steps of this many seconds, so that stale forecasts do not change every row at every poll.
const STEP: i64 = 10;

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Used as it is.
    Fresh,
    /// Used with a wider quantile.
    Stale,
    /// Too old to be used.
    Expired,
    /// From the future.
    Skewed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Fresh, Self::Stale, Self::Expired, Self::Skewed];

    /// The label in metrics and Events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::Skewed => "clock-skew",
        }
    }

    fn at(age: i64) -> Self {
        if age < SKEW {
            Self::Skewed
        } else if age <= FRESH {
            Self::Fresh
        } else if age <= EXPIRED {
            Self::Stale
        } else {
            Self::Expired
        }
    }

    const fn is_usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale)
    }
}

/// How many entries are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([usize; State::ALL.len()]);

impl Tally {
    /// How many are in one state.
    #[must_use]
    pub const fn of(&self, state: State) -> usize {
        self.0[state as usize]
    }
}

/// What may be used now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usable {
    /// One a node that has a usable entry.
    pub forecasts: Vec<NodeForecast>,
    /// One a workload that has a usable entry.
    pub workloads: Vec<WorkloadForecast>,
    /// Entries by state.
    pub tally: Tally,
    /// Nodes with an entry that was left out, and why; the worst reason of a node.
    pub left_out: Vec<(Arc<str>, State)>,
    /// Age of the oldest entry in use, in seconds; 0 if there is none.
    pub age: i64,
}

/// Judges a document at a time, in seconds since 1970.
#[must_use]
pub fn usable(document: &Document, now: i64) -> Usable {
    let mut usable = Usable::default();
    let mut forecast_by_node: BTreeMap<&Arc<str>, NodeForecast> = BTreeMap::new();
    let mut left_out: BTreeMap<&Arc<str>, State> = BTreeMap::new();
    for entry in &document.entries {
        let age = now.saturating_sub(entry.data_until);
        let state = State::at(age);
        usable.tally.0[state as usize] += 1;
        if state.is_usable() {
            usable.age = usable.age.max(age);
            add(forecast_by_node.entry(&entry.node).or_insert_with(|| empty(entry)), entry, age);
        } else {
            let worst = left_out.entry(&entry.node).or_insert(state);
            *worst = (*worst).max(state);
        }
    }
    usable.forecasts = forecast_by_node.into_values().collect();
    usable.workloads = workloads(document, now);
    usable.left_out = left_out.into_iter().map(|(node, state)| (Arc::clone(node), state)).collect();
    usable
}

/// What is too old or from the future is left out: then requests say what a pod uses.
fn workloads(document: &Document, now: i64) -> Vec<WorkloadForecast> {
    let mut forecast_by_workload: BTreeMap<(&str, &str), WorkloadForecast> = BTreeMap::new();
    for workload in &document.workloads {
        let (namespace, entry) = (&workload.namespace, &workload.entry);
        if !State::at(now.saturating_sub(entry.data_until)).is_usable() {
            continue;
        }
        let forecast = forecast_by_workload.entry((&**namespace, &*entry.node)).or_insert_with(|| WorkloadForecast {
            namespace: Arc::clone(namespace),
            name: Arc::clone(&entry.node),
            uses: Vec::new(),
            data_until: entry.data_until,
        });
        forecast.uses.push((Arc::clone(&entry.resource), entry.expected));
        forecast.data_until = forecast.data_until.min(entry.data_until);
    }
    forecast_by_workload.into_values().collect()
}

fn empty(entry: &Entry) -> NodeForecast {
    NodeForecast { node: Arc::clone(&entry.node), uses: Vec::new(), data_until: entry.data_until }
}

fn add(forecast: &mut NodeForecast, entry: &Entry, age: i64) {
    let widened = Use { p90: entry.expected.p90 * widening(age), ..entry.expected };
    forecast.uses.push((Arc::clone(&entry.resource), widened));
    forecast.data_until = forecast.data_until.min(entry.data_until);
}

/// 1 up to the end of freshness, then linearly up to [`WIDEST`].
fn widening(age: i64) -> f64 {
    let past = ((age - FRESH).max(0) + STEP - 1) / STEP * STEP;
    1.0 + (WIDEST - 1.0) * past as f64 / (EXPIRED - FRESH) as f64
}

#[cfg(test)]
mod tests {
    use gantry_cluster::UseUnit;

    use super::super::document::WorkloadEntry;

    use super::*;

    fn entry(node: &str, resource: &str, data_until: i64) -> Entry {
        let expected = Use { unit: UseUnit::Share, p50: 0.2, p90: 0.4 };
        Entry { node: node.into(), resource: resource.into(), expected, data_until }
    }

    fn at(age: i64) -> Usable {
        let entries = vec![entry("a", "cpu", 1_000)];
        usable(&Document { entries, ..Document::default() }, 1_000 + age)
    }

    #[test]
    fn forecasts_are_used_for_three_minutes_and_grow_wider_in_the_last_two() {
        for (age, p90) in [(-30, 0.4), (0, 0.4), (60, 0.4), (120, 0.5), (180, 0.6)] {
            let found = at(age).forecasts[0].uses[0].1;
            assert!((found.p90 - p90).abs() < 1e-12 && found.p50 == 0.2, "{age} s: {found:?}");
        }
        assert!(at(181).forecasts.is_empty() && at(-31).forecasts.is_empty());
    }

    #[test]
    fn what_is_left_out_is_named_and_counted() {
        for (age, state) in [(181, State::Expired), (-31, State::Skewed)] {
            let usable = at(age);
            assert_eq!((usable.left_out, usable.tally.of(state)), (vec![("a".into(), state)], 1));
        }
    }

    #[test]
    fn a_node_keeps_its_usable_resources_and_its_oldest_data_counts() {
        let entries = vec![entry("a", "cpu", 1_000), entry("a", "memory", 990), entry("a", "gantry.dev/network", 0)];
        let usable = usable(&Document { entries, ..Document::default() }, 1_000);
        let [forecast] = &usable.forecasts[..] else { panic!("{usable:?}") };
        assert_eq!((forecast.uses.len(), forecast.data_until, usable.age), (2, 990, 10));
        assert_eq!(usable.left_out, [("a".into(), State::Expired)]);
    }

    #[test]
    fn a_workload_has_its_usable_resources_unwidened() {
        let namespace: Arc<str> = "shop".into();
        let workload = |resource, data_until| WorkloadEntry {
            namespace: Arc::clone(&namespace),
            entry: entry("web", resource, data_until),
        };
        let workloads = vec![workload("cpu", 1_000), workload("memory", 880), workload("gantry.dev/network", 0)];
        let usable = usable(&Document { workloads, ..Document::default() }, 1_000);
        let expected = Use { unit: UseUnit::Share, p50: 0.2, p90: 0.4 };
        let uses = vec![("cpu".into(), expected), ("memory".into(), expected)];
        let (name, data_until) = ("web".into(), 880);
        assert_eq!(usable.workloads, [WorkloadForecast { namespace, name, uses, data_until }]);
        assert!(usable.forecasts.is_empty() && usable.left_out.is_empty());
    }

    #[test]
    fn between_two_steps_of_age_nothing_changes() {
        assert_eq!(at(71).forecasts, at(80).forecasts);
        assert_ne!(at(71).forecasts, at(81).forecasts);
    }
}
