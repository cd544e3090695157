//! A small cluster for the plugins to look at, and how the tests start a plugin.

use std::sync::OnceLock;
use std::time::Duration;

use gantry_host::types::{DomainClass, Pod, Pods};
use gantry_host::{CallError, Changes, Component, Engine, Entry, Full, Limits, Plugin, Reason, SnapshotSource};

/// Rows and resources of every world.
pub(crate) const ROWS: usize = 5;
const RESOURCES: usize = 2;

/// The pod that all tests ask about.
pub(crate) const POD: Pod<'static> = Pod { class: 1, request: &[100.0, 1.0], estimate: &[], planned_row: -1 };

/// Pods without an earlier plan, priorities or rules.
pub(crate) fn pods<'a>(classes: &'a [u32], requests: &'a [f64]) -> Pods<'a> {
    Pods { classes, requests, estimates: &[], warm_start: &[], priorities: &[], topologies: &[], rules: &[] }
}

/// One state of the cluster, and the rows in which it differs from the one before.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) generation: u64,
    pub(crate) requested: Vec<f64>,
    pub(crate) possible: Vec<u64>,
    allocatable: Vec<f64>,
    weights: Vec<f64>,
    pub(crate) changed: Vec<u32>,
    offers_changes: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            generation: 1,
            requested: (0..ROWS * RESOURCES).map(|index| index as f64).collect(),
            possible: vec![0b11111],
            allocatable: vec![4000.0; ROWS * RESOURCES],
            weights: vec![1.0; ROWS * RESOURCES],
            changed: Vec::new(),
            offers_changes: true,
        }
    }

    /// The next generation, in which something was placed on `row`.
    pub(crate) fn place(&self, row: usize, amount: f64) -> Self {
        let mut next = self.clone();
        next.generation += 1;
        next.requested[row * RESOURCES] += amount;
        next.changed = vec![row as u32];
        next
    }

    /// The same state, only ever lent whole.
    pub(crate) fn whole(&self) -> Self {
        Self { offers_changes: false, ..self.clone() }
    }

    fn rows_of(&self, column: &[f64]) -> Vec<f64> {
        let row = |row: &u32| &column[*row as usize * RESOURCES..(*row as usize + 1) * RESOURCES];
        self.changed.iter().flat_map(row).copied().collect()
    }

    fn classes(&self) -> Vec<DomainClass<'_>> {
        vec![DomainClass { id: 1, possible: &self.possible, permitted: &[0b11111], preference: &[] }]
    }
}

impl SnapshotSource for World {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn rows(&self) -> usize {
        ROWS
    }

    fn full(&self) -> Full<'_> {
        Full {
            rows: ROWS as u32,
            resources: RESOURCES as u32,
            allocatable: &self.allocatable,
            requested: &self.requested,
            weights: &self.weights,
            classes: self.classes(),
            ..Full::default()
        }
    }

    fn changes(&self, base: u64) -> Option<Changes<'_>> {
        (self.offers_changes && base + 1 == self.generation).then(|| Changes {
            changed: self.changed.clone(),
            allocatable: self.rows_of(&self.allocatable),
            requested: self.rows_of(&self.requested),
            weights: self.rows_of(&self.weights),
            classes: self.classes(),
            ..Changes::default()
        })
    }
}

/// One engine for all tests, as in a process.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new().unwrap())
}

pub(crate) fn component(guest: &str) -> Component {
    Component::load(engine(), gantry_guests::bytes(guest), None, None).unwrap()
}

/// One worker, so that a restart is seen by the next call; and a deadline that only an endless loop misses, however busy
/// the machine is.
pub(crate) fn limits() -> Limits {
    Limits { workers: 1, deadline: Duration::from_secs(20), ..Limits::default() }
}

pub(crate) fn start(guest: &str) -> Plugin {
    Plugin::new(guest, &component(guest), "", limits()).unwrap()
}

/// The call failed there, for that reason, and says whose fault it is.
#[track_caller]
pub(crate) fn assert_failed<T>(answer: Result<T, CallError>, entry: Entry, reason: Reason) -> CallError {
    let error = answer.err().expect("the call should have failed");
    assert_eq!((error.entry(), error.reason()), (entry, reason), "{error}");
    assert!(error.to_string().contains(error.plugin()), "{error}");
    error
}
