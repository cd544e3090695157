//! What an admin reads of the configuration in use and of the last change.

use std::path::PathBuf;
use std::time::SystemTime;

use gantry_host::Digest;
use serde_json::{Value, json};

use crate::config::{ConfigError, Problem};

/// The configuration in use, and what became of the last change.
#[derive(Debug)]
pub struct Configuration {
    file: Option<PathBuf>,
    digest: Option<Digest>,
    since: SystemTime,
    refused: Option<Refused>,
}

/// A change that is not used. A later one that is takes its place.
#[derive(Debug)]
struct Refused {
    digest: Option<Digest>,
    at: SystemTime,
    message: String,
    problems: Vec<Problem>,
}

impl Configuration {
    /// In use from the start on. `file`: where it is from, if from a file.
    #[must_use]
    pub fn new(file: Option<PathBuf>, digest: Option<Digest>, since: SystemTime) -> Self {
        Self { file, digest, since, refused: None }
    }

    pub(super) fn apply(&mut self, digest: Option<Digest>, now: SystemTime) {
        (self.digest, self.since, self.refused) = (digest, now, None);
    }

    pub(super) fn refuse(&mut self, digest: Option<Digest>, error: &ConfigError, at: SystemTime) {
        self.refused = Some(Refused { digest, at, message: error.to_string(), problems: error.problems() });
    }

    /// As `/profiles` shows it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let age = |at: SystemTime| at.elapsed().unwrap_or_default().as_secs();
        let problem = |problem: &Problem| json!({"key": problem.key, "value": problem.value, "remedy": problem.remedy});
        let refused = self.refused.as_ref().map(|refused| {
            json!({
                "digest": refused.digest.map(|digest| digest.to_string()),
                "secondsAgo": age(refused.at),
                "message": refused.message,
                "problems": refused.problems.iter().map(problem).collect::<Vec<_>>(),
            })
        });
        json!({
            "file": self.file,
            "digest": self.digest.map(|digest| digest.to_string()),
            "inUseForSeconds": age(self.since),
            "lastError": refused,
        })
    }
}
