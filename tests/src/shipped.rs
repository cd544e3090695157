//! The configurations in the manifests, as an admin gets them.
//!
//! Tests change addresses, credentials and what they are about, and take all else from here: what they prove holds for
//! what is shipped. It must not know what the files hold.

use serde_json::Value;

use crate::kubectl::manifests;

/// Gantry's own configuration.
pub const GANTRY: &str = "base/gantry.yaml";
/// kube-scheduler's where it is the cluster's default.
pub const DEFAULT_SCHEDULER: &str = "overlays/default-scheduler/kube-scheduler-config.yaml";
/// kube-scheduler's where it is a second one.
pub const SECOND_SCHEDULER: &str = "overlays/second-scheduler/scheduler.yaml";

/// The document in a file of the manifests' folder.
///
/// # Panics
/// It cannot be read, or is no YAML.
#[must_use]
pub fn configuration(file: &str) -> Value {
    let text = std::fs::read_to_string(manifests().join(file)).expect("invariant: the manifests lie beside the tests");
    serde_saphyr::from_str(&text).expect("invariant: the manifests are YAML")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
