//! One place of a plugin's pool: a warm instance, made anew whenever it is lost.
//!
//! It promises that a call after a trap finds a fresh instance waiting. A fresh instance costs about 0.1 ms, made by the
//! caller whose call failed, so the next caller does not pay for it, unless the caller has no time left. It must not know what is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use tracing::{debug, warn};

use crate::blueprint::Blueprint;
use crate::error::CallError;
use crate::instance::Instance;

/// What all workers of a plugin have in common to count.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Instances made to replace lost ones.
    pub(crate) restarts: AtomicU64,
    /// The most bytes of memory that one instance was seen to hold after a call.
    pub(crate) memory: AtomicUsize,
}

/// Holds an instance, or none while none can be started.
pub(crate) struct Worker {
    blueprint: Arc<Blueprint>,
    instance: Option<Instance>,
    tally: Arc<Tally>,
}

impl Worker {
    /// Starts the first instance; every later one counts as a restart.
    pub(crate) fn start(blueprint: &Arc<Blueprint>, tally: &Arc<Tally>) -> Result<Self, CallError> {
        let instance = Some(Instance::start(blueprint, None)?);
        Ok(Self { blueprint: Arc::clone(blueprint), instance, tally: Arc::clone(tally) })
    }

    /// Makes one call, which is over at `end` if there is one; when it costs the instance, starts the next one before
    /// returning.
    pub(crate) fn call<T>(
        &mut self,
        end: Option<Instant>,
        call: impl FnOnce(&mut Instance) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.restart(end)?,
        };
        instance.end_by(end);
        let answer = call(&mut instance);
        self.tally.memory.fetch_max(instance.memory(), Ordering::Relaxed);
        if instance.is_poisoned() {
            drop(instance);
            self.replace(end);
        } else {
            self.instance = Some(instance);
        }
        answer
    }

    /// A plugin that cannot even be started is tried again at the next call; so is one that there is no time left for.
    fn replace(&mut self, end: Option<Instant>) {
        if end.is_some_and(|end| end <= Instant::now()) {
            return;
        }
        match self.restart(end) {
            Ok(instance) => self.instance = Some(instance),
            Err(error) => warn!(plugin = &*self.blueprint.name, %error, "the plugin could not be started again"),
        }
    }

    fn restart(&self, end: Option<Instant>) -> Result<Instance, CallError> {
        self.tally.restarts.fetch_add(1, Ordering::Relaxed);
        debug!(plugin = &*self.blueprint.name, "starting the plugin again");
        Instance::start(&self.blueprint, end)
    }
}
