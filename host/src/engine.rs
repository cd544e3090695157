//! The one engine of the process, and the clock that deadlines are counted in.
//!
//! It promises that every component compiled by it can be interrupted, has no threads, no 64-bit memories and no
//! nondeterministic instructions. It must not know any plugin.
//!
//! Instances are allocated on demand and not from a pool: a pool of slots was no faster with one thread or with four
//! (8.5 µs against 10 µs for store and instance), and what it caps (memory size, tables, instances) is capped here for
//! each store by [`crate::limits`], while the number of stores is that of the workers.

use std::thread;
use std::time::Duration;

use wasmtime::{Config, EngineWeak, OptLevel};

use crate::error::LoadError;

/// How often the epoch grows. Deadlines are met to within one or two of these; each costs a few nanoseconds.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// How deep the calls of a component may go, in bytes of native stack. The engine's default, named because the threads
/// that call in must have more than it.
const STACK: usize = 512 << 10;

/// Compiles and runs components. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
}

impl Engine {
    /// Makes an engine and starts its clock, which ends when the last clone, component and instance is gone.
    ///
    /// # Errors
    /// When the machine cannot run what the engine compiles, or has no thread left.
    pub fn new() -> Result<Self, LoadError> {
        let inner = wasmtime::Engine::new(&config()).map_err(|error| LoadError::Engine(error.into()))?;
        start_clock(inner.weak()).map_err(LoadError::Ticker)?;
        Ok(Self { inner })
    }

    pub(crate) fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }
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
/// deadlines matter.
fn start_clock(engine: EngineWeak) -> std::io::Result<()> {
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
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
    fn the_clock_ends_with_the_engine() {
        let engine = Engine::new().unwrap();
        let weak = engine.inner().weak();
        drop(engine);
        while weak.upgrade().is_some() {
            thread::yield_now();
        }
    }
}
