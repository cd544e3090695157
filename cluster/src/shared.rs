//! The index behind a lock, with the health of the watch that feeds it.
//!
//! What the request path holds. A snapshot is taken under the lock, which nobody keeps for longer than one event, and
//! read without it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::index::Index;
use crate::snapshot::Snapshot;

/// An index that a watch writes and requests read.
#[derive(Debug)]
pub struct SharedIndex {
    index: Mutex<Index>,
    watches: Mutex<BTreeMap<&'static str, WatchRecord>>,
}

/// How the watches are doing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WatchHealth {
    /// Whether the first complete lists are in.
    pub synced: bool,
    /// When the API server last said anything of the kind that it has been silent about for longest, an opened watch
    /// among it; `None` before it has said something of both.
    pub last_word: Option<Instant>,
    /// Since when a watch has been failing without a success; `None`: none fails. A quiet watch does not.
    pub failing_since: Option<Instant>,
    /// The failure of a watch that has not recovered since.
    pub last_error: Option<String>,
    /// Failed lists and watches so far; each was tried again.
    pub failures: u64,
    /// The same by what was wrong.
    pub failures_by_cause: BTreeMap<WatchFailure, u64>,
    /// Objects that could not be turned into numbers so far.
    pub refused_objects: u64,
}

/// What is wrong with a list or a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchFailure {
    /// The API server has forgotten the version that the watch knows (410): everything is listed anew.
    Gone,
    /// The API server refuses, for want of rights or in trouble of its own.
    Refused,
    /// There is no connection to it, or it broke.
    Unreachable,
    /// What it answers is no list.
    Unreadable,
}

impl WatchFailure {
    /// Every cause there is.
    pub const ALL: [Self; 4] = [Self::Gone, Self::Refused, Self::Unreachable, Self::Unreadable];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How the watch of one kind is doing.
#[derive(Debug, Default)]
pub(crate) struct WatchRecord {
    last_word: Option<Instant>,
    last_error: Option<String>,
    failing_since: Option<Instant>,
    failures_by_cause: BTreeMap<WatchFailure, u64>,
    refused_objects: u64,
}

impl WatchRecord {
    /// The API server has said something of use.
    pub(crate) fn succeed(&mut self, now: Instant) {
        *self = Self { last_word: Some(now), last_error: None, failing_since: None, ..std::mem::take(self) };
    }

    /// A list or a watch has failed.
    pub(crate) fn fail(&mut self, cause: WatchFailure, error: String, now: Instant) {
        *self.failures_by_cause.entry(cause).or_default() += 1;
        self.last_error = Some(error);
        self.failing_since.get_or_insert(now);
    }

    /// An object could not be turned into numbers.
    pub(crate) fn refuse(&mut self) {
        self.refused_objects += 1;
    }
}

/// The kinds that are watched.
pub(crate) const KINDS: [&str; 2] = ["Node", "Pod"];

impl SharedIndex {
    /// Shares an index.
    #[must_use]
    pub fn new(index: Index) -> Self {
        Self { index: Mutex::new(index), watches: Mutex::default() }
    }

    /// The index itself, for events and assumptions. Keep it for one change, never across an await.
    ///
    /// A panic elsewhere while it was held does not make it unusable.
    pub fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state at `now`: assumptions whose time is up no longer count.
    pub fn snapshot(&self, now: Instant) -> Arc<Snapshot> {
        let mut index = self.lock();
        index.expire(now);
        index.snapshot()
    }

    /// How the watches are doing.
    pub fn health(&self) -> WatchHealth {
        let synced = self.lock().has_synced();
        let watches = self.watches();
        let mut failures_by_cause = BTreeMap::new();
        for (cause, count) in watches.values().flat_map(|watch| &watch.failures_by_cause) {
            *failures_by_cause.entry(*cause).or_default() += count;
        }
        WatchHealth {
            synced,
            last_word: KINDS.iter().map(|kind| watches.get(kind)?.last_word).min().flatten(),
            failing_since: failing_since(&watches),
            last_error: watches.values().find_map(|watch| watch.last_error.clone()),
            failures: failures_by_cause.values().sum(),
            failures_by_cause,
            refused_objects: watches.values().map(|watch| watch.refused_objects).sum(),
        }
    }

    /// Since when a watch has been failing; cheap enough for every request.
    pub fn failing_since(&self) -> Option<Instant> {
        failing_since(&self.watches())
    }

    /// Writes down how the watch of one kind fared.
    pub(crate) fn record(&self, kind: &'static str, write: impl FnOnce(&mut WatchRecord)) {
        write(self.watches().entry(kind).or_default());
    }

    fn watches(&self) -> MutexGuard<'_, BTreeMap<&'static str, WatchRecord>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failing_since(watches: &BTreeMap<&'static str, WatchRecord>) -> Option<Instant> {
    watches.values().filter_map(|watch| watch.failing_since).min()
}
