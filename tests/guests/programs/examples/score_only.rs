//! Answers for scores and for nothing else, as most plugins of others do.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Budget, Error, ExtensionPoints, Guest, Plan, PluginInfo, Pod, Pods, guest};

struct Plugin;

impl Guest for Plugin {
    fn describe() -> PluginInfo {
        PluginInfo {
            name: "guest".into(),
            version: "0.1.0".into(),
            extension_points: ExtensionPoints::SCORE,
            settings_schema: "{}".into(),
        }
    }

    fn filter(_pod: Pod) -> Result<Vec<u8>, Error> {
        unreachable!("not offered, so not called")
    }

    fn plan(_pods: Pods, _budget: Budget, _seed: u64) -> Result<Plan, Error> {
        unreachable!("not offered, so not called")
    }
}

guest!(Plugin);
