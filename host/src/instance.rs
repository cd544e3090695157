//! One running instance: a store, the component in it, and the snapshot that it holds.
//!
//! It promises that no entry into the component is made without a deadline, fresh budgets, and a check of the answer;
//! the start code and `configure` are entries like any other. After an entry that the engine stopped, the component may
//! be in any state, and the engine lets nobody in again: the instance says so and must be dropped.
//!
//! It must not know how many instances there are, nor make another one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, trace};
use wasmtime::{Store, Trap};

use crate::bindings::Plugin;
use crate::bindings::exports::gantry::scheduling::scheduler::Guest;
use crate::blueprint::Blueprint;
use crate::engine::{Engine, Inside};
use crate::error::{CallError, Entry, Failure, Reason};
use crate::limits::transfer;
use crate::source::SnapshotSource;
use crate::state::State;
use crate::turn::Turn;
use crate::types::{self, Budget, Plan, PluginInfo, Pod, Pods};
use crate::validate;

/// A component that was started and configured.
pub(crate) struct Instance {
    blueprint: Arc<Blueprint>,
    store: Store<State>,
    exports: Plugin,
    /// The generation pushed last.
    held: Option<u64>,
    /// When the caller's time is over, whatever an entry may take.
    end: Option<Instant>,
    is_poisoned: bool,
}

/// What one entry may cost.
#[derive(Clone, Copy)]
struct Allowance {
    deadline: Duration,
    /// The numbers in an honest answer.
    answer: usize,
    /// Whether others go first when it takes long: a request's thread may, one that starts the process must not.
    may_step_back: bool,
}

impl Instance {
    /// Instantiates and configures.
    pub(crate) fn start(blueprint: &Arc<Blueprint>, end: Option<Instant>) -> Result<Self, CallError> {
        let mut instance = Self::instantiate(blueprint, end)?;
        instance.configure()?;
        Ok(instance)
    }

    /// Runs the start code, and nothing more: enough for `describe`.
    pub(crate) fn instantiate(blueprint: &Arc<Blueprint>, end: Option<Instant>) -> Result<Self, CallError> {
        let state = State::new(&blueprint.logbook, &blueprint.limits);
        let mut store = Store::new(blueprint.component.engine().inner(), state);
        store.limiter(|state| &mut state.meter);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().turn.look()));
        let deadline = until(end, blueprint.limits.deadline_of(Entry::Instantiate));
        let allowance = Allowance { deadline, answer: 0, may_step_back: end.is_some() };
        let _inside = arm(blueprint.component.engine(), &mut store, allowance);
        match blueprint.component.pre().instantiate(&mut store) {
            Ok(exports) => {
                let blueprint = Arc::clone(blueprint);
                Ok(Self { blueprint, store, exports, held: None, end, is_poisoned: false })
            }
            Err(error) => Err(blueprint.error(Entry::Instantiate, stopped(&store, error))),
        }
    }

    /// From now on no entry takes longer than to `end`, or than its own deadline where there is none.
    pub(crate) fn end_by(&mut self, end: Option<Instant>) {
        self.end = end;
    }

    /// True when the engine stopped the component: nothing but a drop is left.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.is_poisoned
    }

    /// The bytes of linear memory that it holds.
    pub(crate) fn memory(&self) -> usize {
        self.store.data().meter.memory()
    }

    /// What the plugin says of itself.
    pub(crate) fn describe(&mut self) -> Result<PluginInfo, CallError> {
        self.enter(Entry::Describe, 0, |guest, store| guest.call_describe(store))
    }

    fn configure(&mut self) -> Result<(), CallError> {
        let blueprint = Arc::clone(&self.blueprint);
        let answer =
            self.enter(Entry::Configure, 0, |guest, store| guest.call_configure(store, &blueprint.settings))?;
        answer.map_err(|types::ConfigError { key, value, message }| {
            blueprint.error(Entry::Configure, Failure::Settings { key, value, message })
        })
    }

    /// Brings the instance to the source's generation, by whichever push copies less.
    pub(crate) fn sync(&mut self, source: &dyn SnapshotSource) -> Result<(), CallError> {
        let generation = source.generation();
        if self.held == Some(generation) || self.apply_changes(source)? {
            return Ok(());
        }
        let full = source.full();
        trace!(plugin = &*self.blueprint.name, generation, "push-snapshot");
        let answer =
            self.enter(Entry::PushSnapshot, 0, |guest, store| guest.call_push_snapshot(store, full.at(generation)))?;
        self.held = None;
        answer.map_err(|error| self.refused(Entry::PushSnapshot, error))?;
        self.held = Some(generation);
        Ok(())
    }

    /// Says whether a delta did it. The plugin has the last word: one that takes no delta, because it holds another
    /// generation or for whatever reason, is told the whole.
    fn apply_changes(&mut self, source: &dyn SnapshotSource) -> Result<bool, CallError> {
        let Some(base) = self.held else { return Ok(false) };
        let Some(changes) = source.changes(base).filter(|changes| changes.is_smaller_than(&source.full())) else {
            return Ok(false);
        };
        let generation = source.generation();
        trace!(plugin = &*self.blueprint.name, base, generation, rows = changes.changed.len(), "apply-delta");
        let answer = self.enter(Entry::ApplyDelta, 0, |guest, store| {
            guest.call_apply_delta(store, changes.between(base, generation))
        })?;
        if let Err(error) = answer {
            debug!(plugin = &*self.blueprint.name, base, generation, error = error.name(), "delta refused");
            return Ok(false);
        }
        self.held = Some(generation);
        Ok(true)
    }

    /// Verdicts for the snapshot that `source` lends.
    pub(crate) fn filter(&mut self, source: &dyn SnapshotSource, pod: &Pod<'_>) -> Result<Vec<u8>, CallError> {
        self.sync(source)?;
        let rows = source.rows();
        let answer = self.enter(Entry::Filter, rows, |guest, store| guest.call_filter(store, pod.clone()))?;
        self.check(Entry::Filter, answer, |verdicts| validate::verdicts(verdicts, rows))
    }

    /// Scores for the snapshot that `source` lends.
    pub(crate) fn score(&mut self, source: &dyn SnapshotSource, pod: &Pod<'_>) -> Result<Vec<f64>, CallError> {
        self.sync(source)?;
        let rows = source.rows();
        let answer = self.enter(Entry::Score, rows, |guest, store| guest.call_score(store, pod.clone()))?;
        self.check(Entry::Score, answer, |scores| validate::scores(scores, rows))
    }

    /// A joint assignment on the snapshot that `source` lends.
    pub(crate) fn plan(
        &mut self,
        source: &dyn SnapshotSource,
        pods: &Pods<'_>,
        budget: Budget,
        seed: u64,
    ) -> Result<Plan, CallError> {
        self.sync(source)?;
        let (rows, count) = (source.rows(), pods.classes.len());
        let answer =
            self.enter(Entry::Plan, count, |guest, store| guest.call_plan(store, pods.clone(), budget, seed))?;
        self.check(Entry::Plan, answer, |plan| validate::plan(plan, count, rows))
    }

    /// The one way in. `answer` counts the numbers in an honest one.
    fn enter<T>(
        &mut self,
        entry: Entry,
        answer: usize,
        call: impl FnOnce(&Guest, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let deadline = until(self.end, self.blueprint.limits.deadline_of(entry));
        let allowance = Allowance { deadline, answer, may_step_back: self.end.is_some() };
        let _inside = arm(self.blueprint.component.engine(), &mut self.store, allowance);
        call(self.exports.gantry_scheduling_scheduler(), &mut self.store).map_err(|error| {
            self.is_poisoned = true;
            self.blueprint.error(entry, stopped(&self.store, error))
        })
    }

    fn check<T>(
        &self,
        entry: Entry,
        answer: Result<T, types::Error>,
        validate: impl FnOnce(T) -> Result<T, Failure>,
    ) -> Result<T, CallError> {
        let answer = answer.map_err(|error| self.refused(entry, error))?;
        validate(answer).map_err(|failure| self.blueprint.error(entry, failure))
    }

    fn refused(&self, entry: Entry, error: types::Error) -> CallError {
        self.blueprint.error(entry, Failure::Refused(error))
    }
}

/// What is left until `end`, at most `limit`.
pub(crate) fn until(end: Option<Instant>, limit: Duration) -> Duration {
    end.map_or(limit, |end| limit.min(end.saturating_duration_since(Instant::now())))
}

/// Before every entry: a deadline from now on, full budgets, and a bound on what the host copies out. The deadline comes as
/// long as the guard is held.
fn arm(engine: &Engine, store: &mut Store<State>, allowance: Allowance) -> Inside {
    let inside = engine.enter();
    let (turn, epochs) = Turn::begin(engine, allowance.deadline, allowance.may_step_back);
    store.set_epoch_deadline(epochs);
    store.set_hostcall_fuel(transfer(allowance.answer));
    store.data_mut().begin_entry(turn);
    inside
}

fn stopped(store: &Store<State>, error: wasmtime::Error) -> Failure {
    Failure::Stopped { reason: reason(store.data(), &error), source: error.into() }
}

/// Our own meters first: a component that was refused memory ends in whatever trap its language has for that.
fn reason(state: &State, error: &wasmtime::Error) -> Reason {
    match error.downcast_ref::<Trap>() {
        _ if state.log.is_exhausted() => Reason::LogBudget,
        Some(Trap::Interrupt) => Reason::Deadline,
        Some(Trap::StackOverflow) => Reason::Stack,
        _ if state.meter.has_refused() => Reason::Memory,
        None if is_transfer_too_large(error) => Reason::TooLarge,
        _ => Reason::Trap,
    }
}

/// The engine keeps this error's type to itself; the guest `huge_return` would notice other words.
fn is_transfer_too_large(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls has been exhausted"))
}
