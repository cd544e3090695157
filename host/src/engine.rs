//! The one engine of the process, and the clock that deadlines are counted in.
//!
//! It promises that every component compiled by it can be interrupted, has no threads, no 64-bit memories and no
//! nondeterministic instructions. It must not know any plugin.
//!
//! Instances are allocated on demand and not from a pool: a pool of slots was no faster with one thread or with four
//! (8.5 µs against 10 µs for store and instance), and what it caps (memory size, tables, instances) is capped here for
//! each store by [`crate::limits`], while the number of stores is that of the workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::{Config, EngineWeak, OptLevel};

use crate::error::LoadError;

/// How often the epoch grows. Deadlines are met to within one or two of these; each costs a few nanoseconds.
const TICK: Duration = Duration::from_millis(1);

/// How deep the calls of a component may go, in bytes of native stack. The engine's default, named because the threads
/// that call in must have more than it.
const STACK: usize = 512 << 10;

/// Compiles and runs components. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    clock: Arc<Clock>,
}

/// How far the epoch has come, and how far it should have.
struct Clock {
    start: Instant,
    ticks: AtomicU64,
}

impl Clock {
    /// The ticks that are due by now.
    fn due(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Engine {
    /// Makes an engine and starts its clock, which ends when the last clone, component and instance is gone.
    ///
    /// # Errors
    /// When the machine cannot run what the engine compiles, or has no thread left.
    pub fn new() -> Result<Self, LoadError> {
        let inner = wasmtime::Engine::new(&config()).map_err(|error| LoadError::Engine(error.into()))?;
        let clock = Arc::new(Clock { start: Instant::now(), ticks: AtomicU64::new(0) });
        start_clock(inner.weak(), Arc::clone(&clock)).map_err(LoadError::Ticker)?;
        Ok(Self { inner, clock })
    }

    pub(crate) fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }

    /// The epochs from now until a time has passed. Those that the clock has yet to catch up with come on top, and one
    /// more, because the next one may be due at once: nobody is stopped too soon.
    pub(crate) fn epochs(&self, time: Duration) -> u64 {
        let behind = self.clock.due().saturating_sub(self.clock.ticks.load(Ordering::Acquire));
        ticks(time) + behind + 1
    }
}

/// The ticks that a time takes, as far as they can be counted on with.
pub(crate) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX).min(u64::MAX / 2)
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    config
}

/// A thread of its own and no timer of a runtime: a runtime whose threads are all busy would not tick, and busy is when
/// deadlines matter. Each look catches up with the time that has passed: a sleep takes longer than it was asked to, by a
/// tenth and more on a busy machine, and a deadline of a second would be late by as much.
fn start_clock(engine: EngineWeak, clock: Arc<Clock>) -> std::io::Result<()> {
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            let due = clock.due();
            (clock.ticks.load(Ordering::Relaxed)..due).for_each(|_| engine.increment_epoch());
            clock.ticks.store(due, Ordering::Release);
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("gantry-epoch".into()).spawn(tick).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_behind_stops_nobody_too_soon() {
        let start = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let clock = Arc::new(Clock { start, ticks: AtomicU64::new(400) });
        let engine = Engine { inner: wasmtime::Engine::new(&config()).unwrap(), clock };
        assert!(engine.epochs(Duration::from_millis(10)) > 600 + 10);
        assert!(engine.epochs(Duration::MAX) < u64::MAX);
    }

    #[test]
    fn the_clock_ends_with_the_engine() {
        let engine = Engine::new().unwrap();
        let weak = engine.inner().weak();
        drop(engine);
        while weak.upgrade().is_some() {
            thread::yield_now();
        }
    }
}
