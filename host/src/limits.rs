//! What one plugin may use, and the store's bookkeeping of what one call has used.
//!
//! It promises that a component never holds more memory than its limit, whatever it asks for, and that the reason of a
//! later trap can still be told. It must not know what is called.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::error::Entry;

/// Core instances, and with them the adapters between modules, that one component may be made of. Components of other
/// languages' runtimes have about a dozen.
const INSTANCES: usize = 64;

/// Linear memories that one component may have; all of them and the tables together keep to [`Limits::memory`].
const MEMORIES: usize = 16;

/// Tables that one component may have.
const TABLES: usize = 64;

/// Entries of one table: four times what a JavaScript engine compiled to WebAssembly has functions.
const TABLE_ENTRIES: usize = 1 << 17;

/// What the host sets aside for one of them, whose bytes count as the component's memory.
const ENTRY_BYTES: usize = size_of::<usize>();

/// The most warm instances that a plugin has unasked. Each is started at once and may hold its whole memory: eight at
/// 64 MiB are half of the 1 GiB that the manifests give the container, however many cores the node has.
const MOST_WORKERS: usize = 8;

/// What a guest may hand to the host in one call besides the answer that was asked for: descriptions and log lines.
const TRANSFER_FLOOR: usize = 64 << 10;

/// What one plugin may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one instance's linear memories and tables (8 an entry). Default 64 MiB.
    pub memory: usize,
    /// Time for each entry that has none of its own: to start, to be configured, to take a snapshot. Default 100 ms.
    pub deadline: Duration,
    /// Time for `filter`. Default: `deadline`.
    pub filter_deadline: Option<Duration>,
    /// Time for `score`. Default: `deadline`.
    pub score_deadline: Option<Duration>,
    /// Time for one search, whose length its budget of evaluations decides. Default 10 s.
    pub plan_deadline: Duration,
    /// Bytes of log lines in one entry; what all instances write together is as much in a second, counted with the head
    /// that each line gets. Default 64 KiB.
    pub log_bytes: usize,
    /// Log lines in one entry. Default 1000.
    pub log_calls: usize,
    /// Warm instances, hence calls at a time; at least 1; one more plans, where the plugin does. Default half of the
    /// cores, 1 to 8: a plugin that uses its whole deadline at every call leaves the others' calls a core to run on.
    pub workers: usize,
    /// Callers that may wait for an instance; one more is turned away at once. Default 32.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            deadline: Duration::from_millis(100),
            filter_deadline: None,
            score_deadline: None,
            plan_deadline: Duration::from_secs(10),
            log_bytes: 64 << 10,
            log_calls: 1000,
            workers: default_workers(cores()),
            queue: 32,
        }
    }
}

impl Limits {
    /// How long one entry may take.
    #[must_use]
    pub fn deadline_of(&self, entry: Entry) -> Duration {
        match entry {
            Entry::Filter => self.filter_deadline.unwrap_or(self.deadline),
            Entry::Score => self.score_deadline.unwrap_or(self.deadline),
            Entry::Plan => self.plan_deadline,
            _ => self.deadline,
        }
    }
}

/// At least one.
pub(crate) fn half_of_the_cores() -> usize {
    half_of(cores())
}

/// Those that this process may use; one where the system does not tell.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn half_of(cores: usize) -> usize {
    (cores / 2).max(1)
}

fn default_workers(cores: usize) -> usize {
    half_of(cores).min(MOST_WORKERS)
}

/// Bytes that the host is willing to copy out of a guest for an answer of `entries` numbers: twice what an honest
/// answer takes, so that one that is somewhat too long is seen and reported as such, and one that is huge never copied.
pub(crate) fn transfer(entries: usize) -> usize {
    TRANSFER_FLOOR + 2 * size_of::<f64>() * entries
}

/// What one instance holds, and whether it was refused more since the current entry began.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_limit: usize,
    memory: usize,
    refused: bool,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory_limit: limits.memory, memory: 0, refused: false }
    }

    /// Forgets earlier refusals: they did not stop the component, so they explain nothing that comes after.
    pub(crate) fn begin_entry(&mut self) {
        self.refused = false;
    }

    /// True when memory or a table was refused since the entry began.
    pub(crate) fn has_refused(&self) -> bool {
        self.refused
    }

    /// The bytes of memories and tables granted so far; they are never given back.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Takes down what something that held `current` bytes will hold, if it may.
    fn grant(&mut self, current: usize, desired: usize, is_allowed: bool) -> bool {
        let total = self.memory.saturating_sub(current).saturating_add(desired);
        let is_granted = is_allowed && total <= self.memory_limit;
        if is_granted {
            self.memory = total;
        }
        self.refused |= !is_granted;
        is_granted
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grant(current, desired, true))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = |entries: usize| entries.saturating_mul(ENTRY_BYTES);
        Ok(self.grant(bytes(current), bytes(desired), desired <= TABLE_ENTRIES))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(memory: usize) -> Meter {
        Meter::new(&Limits { memory, ..Limits::default() })
    }

    #[test]
    fn each_extension_point_has_its_own_time_and_everything_else_the_common_one() {
        let [common, filter, score, plan] = [1, 2, 3, 4].map(Duration::from_millis);
        let shared = Limits { deadline: common, plan_deadline: plan, ..Limits::default() };
        let apart = Limits { filter_deadline: Some(filter), score_deadline: Some(score), ..shared.clone() };
        for entry in Entry::ALL {
            let (own, default) = match entry {
                Entry::Filter => (filter, common),
                Entry::Score => (score, common),
                Entry::Plan => (plan, plan),
                _ => (common, common),
            };
            assert_eq!((apart.deadline_of(*entry), shared.deadline_of(*entry)), (own, default), "{entry}");
        }
    }

    #[test]
    fn a_large_machine_starts_no_more_instances_unasked_than_a_container_has_room_for() {
        for (cores, workers) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (16, 8), (18, 8), (64, 8), (256, 8)] {
            assert_eq!(default_workers(cores), workers, "{cores} cores");
        }
        assert!((1..=MOST_WORKERS).contains(&Limits::default().workers));
        assert!(MOST_WORKERS * Limits::default().memory <= 512 << 20);
        assert_eq!(half_of(256), 128, "a compiler holds no instances");
    }

    #[test]
    fn several_memories_share_one_limit() {
        let mut meter = meter(100);
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(0, 60, None).unwrap());
        assert!(meter.memory_growing(60, 100, None).unwrap());
        assert!(!meter.memory_growing(0, 1, None).unwrap());
    }

    #[test]
    fn a_refusal_is_remembered_until_the_next_entry() {
        let mut meter = meter(1);
        assert!(!meter.has_refused());
        assert!(!meter.memory_growing(0, usize::MAX, None).unwrap());
        assert!(meter.has_refused());
        meter.begin_entry();
        assert!(!meter.has_refused());
    }

    #[test]
    fn tables_count_as_memory() {
        let mut meter = meter(100);
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.table_growing(0, 6, None).unwrap(), "48 bytes");
        assert!(meter.table_growing(0, 3, None).unwrap());
        assert!(meter.table_growing(3, 5, None).unwrap());
        assert_eq!(meter.memory(), 100);
        assert!(!meter.memory_growing(60, 61, None).unwrap());
    }

    #[test]
    fn a_table_of_a_million_entries_is_refused() {
        let mut meter = meter(usize::MAX);
        assert!(!meter.table_growing(0, 1_000_000, None).unwrap());
        assert!(meter.has_refused());
    }
}
