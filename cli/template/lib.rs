//! {name}: prefers the nodes that would have the largest share of one resource free.

wit_bindgen::generate!({ path: "wit", world: "plugin" });
use exports::gantry::scheduling::scheduler::Guest;
use gantry::scheduling::types::*;

/// The column that counts. With Gantry's default resources: 0 cpu, 1 memory, 2 disk I/O, 3 network.
const RESOURCE: usize = 0;
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

    /// Refusing a change is allowed: the host pushes the whole then.
    fn apply_delta(_: Delta) -> Result<(), Error> {
        Err(Error::WrongGeneration)
    }

    fn score(pod: Pod) -> Result<Vec<f64>, Error> {
        CLUSTER.with_borrow(|cluster| {
            let cluster = cluster.as_ref().ok_or(Error::NoSnapshot)?;
            cluster.classes.iter().find(|class| class.id == pod.class).ok_or(Error::UnknownClass)?;
            let score = |row: usize| {
                let cell = row * cluster.resources as usize + RESOURCE;
                let free = cluster.allocatable[cell] - cluster.requested[cell] - pod.request[RESOURCE];
                (100.0 * free / cluster.allocatable[cell].max(1.0)).clamp(0.0, 100.0)
            };
            Ok((0..cluster.rows as usize).map(score).collect())
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
