//! The component's face: one [`Plugin`] per instance, and panics told to the host's log before they trap.
#![allow(unsafe_code, reason = "the export macro writes the canonical ABI's entry points")]

use std::{
    cell::RefCell,
    panic::{PanicHookInfo, set_hook},
    sync::Once,
};

use crate::{
    Plugin,
    bindings::gantry::scheduling::log,
    scheduler::Guest,
    types::{Budget, ConfigError, Delta, Error, Plan, PluginInfo, Pod, Pods, Snapshot},
};

thread_local! {
    static PLUGIN: RefCell<Plugin> = RefCell::default();
}

static HOOK: Once = Once::new();

struct Component;

impl Guest for Component {
    fn describe() -> PluginInfo {
        Plugin::describe()
    }

    fn configure(settings: String) -> Result<(), ConfigError> {
        HOOK.call_once(|| set_hook(Box::new(report)));
        with(|plugin| plugin.configure(&settings))
    }

    fn push_snapshot(snapshot: Snapshot) -> Result<(), Error> {
        with(|plugin| plugin.push_snapshot(snapshot))
    }

    fn apply_delta(delta: Delta) -> Result<(), Error> {
        with(|plugin| plugin.apply_delta(delta))
    }

    fn filter(pod: Pod) -> Result<Vec<u8>, Error> {
        with(|plugin| plugin.filter(&pod))
    }

    fn score(pod: Pod) -> Result<Vec<f64>, Error> {
        with(|plugin| plugin.score(&pod))
    }

    fn plan(pods: Pods, budget: Budget, seed: u64) -> Result<Plan, Error> {
        with(|plugin| plugin.plan(&pods, budget, seed))
    }
}

/// Runs `call` on the instance's plugin; calls never nest, since the plugin calls nothing that calls it.
fn with<T>(call: impl FnOnce(&mut Plugin) -> T) -> T {
    PLUGIN.with_borrow_mut(call)
}

/// Without this a panic is a bare `unreachable` to the host.
fn report(panic: &PanicHookInfo<'_>) {
    log::log(log::Level::Error, &panic.to_string());
}

crate::bindings::export!(Component with_types_in crate::bindings);
