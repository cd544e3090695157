//! The configurations in the manifests, as an admin gets them.
//!
//! Tests change addresses, credentials and what they are about, and take all else from here: what they prove holds for
//! what is shipped. It must not know what the files hold.

use std::path::Path;

use serde_json::Value;

use crate::kubectl::manifests;

/// Gantry's own configuration, where the cluster's default scheduler calls it.
pub const GANTRY: &str = "base/gantry.yaml";
/// The same where a second scheduler does.
pub const GANTRY_BESIDE: &str = "overlays/second-scheduler/gantry.yaml";
/// Every configuration of Gantry that an overlay or a component brings.
pub const CONFIGURATIONS: [&str; 4] =
    [GANTRY, GANTRY_BESIDE, "components/nominate/gantry.yaml", "overlays/plugins/gantry.yaml"];
/// kube-scheduler's where it is the cluster's default.
pub const DEFAULT_SCHEDULER: &str = "overlays/default-scheduler/kube-scheduler-config.yaml";
/// kube-scheduler's where it is a second one.
pub const SECOND_SCHEDULER: &str = "overlays/second-scheduler/scheduler.yaml";

/// The document in a file of the manifests' folder.
///
/// # Panics
/// It cannot be read, or is no YAML.
#[must_use]
pub fn configuration(file: impl AsRef<Path>) -> Value {
    let text = std::fs::read_to_string(manifests().join(file)).expect("invariant: the manifests lie beside the tests");
    serde_saphyr::from_str(&text).expect("invariant: the manifests are YAML")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Those that take the place of the base's say what it says, but for whom it is said of.
    #[test]
    fn the_configurations_differ_by_profiles_and_cache_only() {
        let rest = |file: &str| {
            let mut configuration = configuration(file);
            let keys = configuration.as_object_mut().unwrap();
            keys.retain(|key, _| key != "profiles" && key != "cache");
            configuration
        };
        for file in CONFIGURATIONS {
            assert_eq!(rest(file), rest(GANTRY), "{file}");
        }
    }

    /// The component takes the place of an overlay's configuration.
    #[test]
    fn with_nominations_no_pod_loses_its_profile() {
        let names = |file: &str| {
            let configuration = configuration(file);
            let profiles = configuration["profiles"].as_array().unwrap().iter();
            profiles.map(|profile| profile["schedulerName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let kept = names("components/nominate/gantry.yaml");
        assert!([GANTRY, GANTRY_BESIDE].map(names).concat().iter().all(|name| kept.contains(name)), "{kept:?}");
    }

    /// What the sentences beside these numbers promise.
    #[test]
    fn gantry_answers_within_half_of_what_kube_scheduler_waits_for() {
        assert_eq!(configuration(GANTRY)["server"]["deadline"], json!("500ms"));
        for file in [DEFAULT_SCHEDULER, SECOND_SCHEDULER] {
            assert_eq!(configuration(file)["extenders"][0]["httpTimeout"], json!("1s"), "{file}");
        }
    }

    #[test]
    fn both_schedulers_ask_in_the_same_way() {
        let stanza = |file| {
            let mut stanza = configuration(file)["extenders"][0].clone();
            stanza["urlPrefix"] = Value::Null;
            stanza
        };
        assert_eq!(stanza(DEFAULT_SCHEDULER), stanza(SECOND_SCHEDULER));
    }
}
