//! What the guest programs share: the bindings, and an honest answer to every call.
//!
//! A guest implements [`Guest`] with the one answer in which it misbehaves and hands its type to [`guest!`]. It keeps
//! the snapshot it was given, as a real plugin does. Compiled for anything but Wasm, the crate is empty.

#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    clippy::needless_pass_by_value,
    reason = "the signatures are the contract's, which documents them"
)]

pub mod bindings;
pub mod state;

pub use crate::bindings::gantry::scheduling::log;
pub use crate::bindings::gantry::scheduling::types::{
    Budget, ConfigError, Delta, Error, ExtensionPoints, Plan, PluginInfo, Pod, Pods, Snapshot, TerminationReason,
};

/// A plugin's answers; by default those of a plugin that behaves.
pub trait Guest {
    /// The plugin's name and extension points.
    fn describe() -> PluginInfo {
        PluginInfo {
            name: "guest".into(),
            version: "0.1.0".into(),
            extension_points: ExtensionPoints::FILTER | ExtensionPoints::SCORE | ExtensionPoints::PLAN,
            settings_schema: "{}".into(),
        }
    }

    /// Takes any settings.
    fn configure(_settings: String) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Takes a delta for the generation held.
    fn apply_delta(delta: Delta) -> Result<(), Error> {
        state::apply(delta)
    }

    /// Lets every row pass.
    fn filter(_pod: Pod) -> Result<Vec<u8>, Error> {
        state::with(|snapshot| vec![0; snapshot.rows as usize])
    }

    /// Scores that depend on every number held, so that two instances agree only if they hold the same state.
    fn score(pod: Pod) -> Result<Vec<f64>, Error> {
        state::with(|snapshot| (0..snapshot.rows).map(|row| state::fingerprint(snapshot, &pod, row)).collect())
    }

    /// Puts every pod into row 0, or nowhere when there is none.
    fn plan(pods: Pods, _budget: Budget, _seed: u64) -> Result<Plan, Error> {
        honest_plan(&pods)
    }
}

/// The plan of a guest that behaves: all in row 0, or nowhere when there is none.
pub fn honest_plan(pods: &Pods) -> Result<Plan, Error> {
    state::with(|snapshot| Plan {
        rows: vec![if snapshot.rows == 0 { -1 } else { 0 }; pods.classes.len()],
        objective: vec![0.0],
        violation: 0.0,
        evaluations: 0,
        generations: 0,
        reason: TerminationReason::Trivial,
    })
}

/// Answers in the place of a guest that behaves for once.
struct Honest;

impl Guest for Honest {}

impl<T: Guest> bindings::exports::gantry::scheduling::scheduler::Guest for Exported<T> {
    fn describe() -> PluginInfo {
        T::describe()
    }

    fn configure(settings: String) -> Result<(), ConfigError> {
        state::spare(&settings);
        T::configure(settings)
    }

    fn push_snapshot(snapshot: Snapshot) -> Result<(), Error> {
        state::push(snapshot);
        Ok(())
    }

    fn apply_delta(delta: Delta) -> Result<(), Error> {
        T::apply_delta(delta)
    }

    fn filter(pod: Pod) -> Result<Vec<u8>, Error> {
        if state::is_spared() { Honest::filter(pod) } else { T::filter(pod) }
    }

    fn score(pod: Pod) -> Result<Vec<f64>, Error> {
        if state::is_spared() { Honest::score(pod) } else { T::score(pod) }
    }

    fn plan(pods: Pods, budget: Budget, seed: u64) -> Result<Plan, Error> {
        T::plan(pods, budget, seed)
    }
}

/// The component's exports of a [`Guest`]; a type of this crate, as the bindings' trait may only be given to one.
pub struct Exported<T>(core::marker::PhantomData<T>);

/// Makes a type that implements [`Guest`] the component's exports.
#[macro_export]
macro_rules! guest {
    ($guest:ty) => {
        type Exports = $crate::Exported<$guest>;
        $crate::bindings::export!(Exports with_types_in $crate::bindings);
    };
}
