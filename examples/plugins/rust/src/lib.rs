//! by-label: prefers the nodes whose label says most.

wit_bindgen::generate!({ path: "wit", world: "plugin" });
use exports::gantry::scheduling::scheduler::Guest;
use gantry::scheduling::types::*;

/// The label's column, from 0: the first behind Gantry's four default resources.
const COLUMN: usize = 4;
thread_local!(static CLUSTER: std::cell::RefCell<Option<Snapshot>> = const { std::cell::RefCell::new(None) });
struct Plugin;

impl Guest for Plugin {
    fn describe() -> PluginInfo {
        PluginInfo {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            extension_points: ExtensionPoints::SCORE,
            settings_schema: r#"{"type": "object", "additionalProperties": false}"#.into(),
        }
    }

    fn configure(settings: String) -> Result<(), ConfigError> {
        let refusal = ConfigError { key: String::new(), value: settings, message: "there are no settings".into() };
        matches!(refusal.value.trim(), "" | "{}").then_some(()).ok_or(refusal)
    }

    fn push_snapshot(snapshot: Snapshot) -> Result<(), Error> {
        CLUSTER.set(Some(snapshot));
        Ok(())
    }

    /// Refusing a change is allowed: the host pushes the whole then. In Rust that is cheap.
    fn apply_delta(_: Delta) -> Result<(), Error> {
        Err(Error::WrongGeneration)
    }

    fn score(pod: Pod) -> Result<Vec<f64>, Error> {
        CLUSTER.with_borrow(|cluster| {
            let cluster = cluster.as_ref().ok_or(Error::NoSnapshot)?;
            cluster.classes.iter().find(|class| class.id == pod.class).ok_or(Error::UnknownClass)?;
            let rows = cluster.allocatable.chunks(cluster.resources as usize);
            let labels: Vec<f64> = rows.map(|row| row.get(COLUMN).copied().unwrap_or(0.0)).collect();
            let most = labels.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            Ok(labels.iter().map(|label| label / most * 100.0).collect())
        })
    }

    // Not among the extension points of `describe`, so never called.
    fn filter(_: Pod) -> Result<Vec<u8>, Error> {
        Err(Error::NoSnapshot)
    }
    fn plan(_: Pods, _: Budget, _: u64) -> Result<Plan, Error> {
        Err(Error::NoSnapshot)
    }
}

export!(Plugin);
