//! What the host keeps beside a running instance: the meters of the current entry.

use std::sync::Arc;

use crate::imports::log::{Log, Logbook};
use crate::limits::{Limits, Meter};
use crate::turn::Turn;

/// The data of one store. It holds nothing of the cluster and no handle to anything: a component that could read it
/// would learn its own name.
pub(crate) struct State {
    pub(crate) meter: Meter,
    pub(crate) log: Log,
    pub(crate) turn: Turn,
}

impl State {
    pub(crate) fn new(logbook: &Arc<Logbook>, limits: &Limits) -> Self {
        Self { meter: Meter::new(limits), log: Log::new(logbook, limits), turn: Turn::none() }
    }

    /// A new entry has its full budgets.
    pub(crate) fn begin_entry(&mut self, turn: Turn) {
        self.turn = turn;
        self.meter.begin_entry();
        self.log.begin_entry();
    }
}
