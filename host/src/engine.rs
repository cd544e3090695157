//! The one engine of the process, and the clock that deadlines are counted in.
//!
//! It promises that every component compiled by it can be interrupted, has no threads, no 64-bit memories and no
//! nondeterministic instructions. It must not know any plugin.
//!
//! Instances are allocated on demand and not from a pool: a pool of slots was no faster with one thread or with four
//! (8.5 µs against 10 µs for store and instance), and what it caps (memory size, tables, instances) is capped here for
//! each store by [`crate::limits`], while the number of stores is that of the workers.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::{Config, EngineWeak, OptLevel};

use crate::error::LoadError;

/// How often the epoch grows. Deadlines are met to within one or two of these; each costs a few nanoseconds.
const TICK: Duration = Duration::from_millis(1);

/// How many ticks without anybody inside a component it takes until there are no more.
const IDLE: u32 = 100;

/// How often a clock at rest looks whether its engine is gone.
const REST: Duration = Duration::from_secs(10);

/// How deep the calls of a component may go, in bytes of native stack. The engine's default, named because the threads
/// that call in must have more than it.
const STACK: usize = 512 << 10;

/// Compiles and runs components. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    clock: Arc<Clock>,
}

/// How far the epoch has come, and how far it should have. While nobody is inside a component it rests: a thread that wakes
/// a thousand times a second for nobody costs a machine two hundredths of a core.
struct Clock {
    start: Instant,
    /// Nanoseconds at rest, all in all.
    rested: AtomicU64,
    ticks: AtomicU64,
    inside: AtomicUsize,
    is_resting: AtomicBool,
    /// Since when; held while `is_resting` changes.
    rest: Mutex<Option<Instant>>,
    over: Condvar,
}

impl Clock {
    fn new(start: Instant) -> Self {
        Self {
            start,
            rested: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            inside: AtomicUsize::new(0),
            is_resting: AtomicBool::new(false),
            rest: Mutex::default(),
            over: Condvar::new(),
        }
    }

    /// The ticks that are due by now; no sense is to be made of it while the clock rests.
    fn due(&self) -> u64 {
        let rested = Duration::from_nanos(self.rested.load(Ordering::Acquire));
        let awake = self.start.elapsed().saturating_sub(rested);
        u64::try_from(awake.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Somebody goes in: from now on the clock ticks. Either this sees that it rests, or it sees this.
    fn enter(&self) {
        self.inside.fetch_add(1, Ordering::SeqCst);
        if self.is_resting.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        let mut rest = self.rest();
        if let Some(since) = rest.take() {
            let rested = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.rested.fetch_add(rested, Ordering::Release);
            self.is_resting.store(false, Ordering::SeqCst);
            self.over.notify_one();
        }
    }

    /// Rests until somebody goes in, or for a while.
    fn rest_a_while(&self) {
        let mut rest = self.rest();
        *rest = Some(Instant::now());
        self.is_resting.store(true, Ordering::SeqCst);
        let is_needed = self.inside.load(Ordering::SeqCst) > 0;
        if !is_needed {
            let waited = self.over.wait_timeout_while(rest, REST, |rest| rest.is_some());
            rest = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(rest);
        self.wake();
    }

    /// A panic while the lock is held cannot leave it half changed.
    fn rest(&self) -> MutexGuard<'_, Option<Instant>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody is inside a component; ends when it is dropped.
pub(crate) struct Inside(Arc<Clock>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Release);
    }
}

impl Engine {
    /// Makes an engine and starts its clock, which ends when the last clone, component and instance is gone.
    ///
    /// # Errors
    /// When the machine cannot run what the engine compiles, or has no thread left.
    pub fn new() -> Result<Self, LoadError> {
        let inner = wasmtime::Engine::new(&config()).map_err(|error| LoadError::Engine(error.into()))?;
        let clock = Arc::new(Clock::new(Instant::now()));
        start_clock(inner.weak(), Arc::clone(&clock)).map_err(LoadError::Ticker)?;
        Ok(Self { inner, clock })
    }

    pub(crate) fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }

    /// To be held while somebody is inside a component: the clock ticks until it is dropped.
    pub(crate) fn enter(&self) -> Inside {
        self.clock.enter();
        Inside(Arc::clone(&self.clock))
    }

    /// The epochs from now until a time has passed, for somebody who is [`Inside`]. Those that the clock has yet to catch up with come on top, and one
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
        let mut idle = 0;
        while let Some(engine) = engine.upgrade() {
            let due = clock.due();
            (clock.ticks.load(Ordering::Relaxed)..due).for_each(|_| engine.increment_epoch());
            clock.ticks.store(due, Ordering::Release);
            drop(engine);
            idle = if clock.inside.load(Ordering::Relaxed) > 0 { 0 } else { idle + 1 };
            if idle < IDLE {
                thread::sleep(TICK);
            } else {
                clock.rest_a_while();
                idle = 0;
            }
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
        let clock = Arc::new(Clock { ticks: AtomicU64::new(400), ..Clock::new(start) });
        let engine = Engine { inner: wasmtime::Engine::new(&config()).unwrap(), clock };
        assert!(engine.epochs(Duration::from_millis(10)) > 600 + 10);
        assert!(engine.epochs(Duration::MAX) < u64::MAX);
    }

    fn wait_until(is_so: impl Fn() -> bool) {
        while !is_so() {
            thread::yield_now();
        }
    }

    #[test]
    fn the_clock_rests_while_nobody_is_inside_and_goes_on_where_it_was() {
        let engine = Engine::new().unwrap();
        let clock = &engine.clock;
        for _ in 0..2 {
            wait_until(|| clock.is_resting.load(Ordering::SeqCst));
            let before = clock.ticks.load(Ordering::Acquire);
            // What would be a hundred ticks, did it not rest.
            let rested = Duration::from_millis(100);
            *clock.rest() = Some(Instant::now().checked_sub(rested).unwrap());
            let _inside = engine.enter();
            assert!(!clock.is_resting.load(Ordering::SeqCst));
            wait_until(|| clock.ticks.load(Ordering::Acquire) > before);
        }
        let awake = clock.start.elapsed().as_nanos() / TICK.as_nanos();
        assert!(u128::from(clock.due()) + 200 <= awake + 1, "{} of {awake}", clock.due());
    }

    #[test]
    fn the_clock_never_rests_while_somebody_is_inside() {
        let engine = Engine::new().unwrap();
        let inside = engine.enter();
        let ticks = || engine.clock.ticks.load(Ordering::Acquire);
        wait_until(|| ticks() > 2 * u64::from(IDLE));
        assert!(!engine.clock.is_resting.load(Ordering::SeqCst));
        drop(inside);
        wait_until(|| engine.clock.is_resting.load(Ordering::SeqCst));
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
