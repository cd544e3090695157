//! What an admin reads of the configuration in use, of the change that is tried, and of the last one that was refused.

use std::path::PathBuf;
use std::time::SystemTime;

use gantry_host::Digest;
use serde_json::{Value, json};

use crate::config::{ConfigError, Problem};

/// The configuration in use, the change that is being tried, and what became of the last one.
#[derive(Debug)]
pub struct Configuration {
    file: Option<PathBuf>,
    digest: Option<Digest>,
    since: SystemTime,
    tried: Option<Tried>,
    refused: Option<Refused>,
}

/// A change that is being tried.
#[derive(Debug)]
struct Tried {
    digest: Option<Digest>,
    since: SystemTime,
    /// What it waits for, as far as is known.
    awaits: Vec<String>,
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
        Self { file, digest, since, tried: None, refused: None }
    }

    pub(super) fn tries(&mut self, digest: Option<Digest>, since: SystemTime) {
        self.tried = Some(Tried { digest, since, awaits: Vec::new() });
    }

    /// Says what is waited for, if it is for a change.
    pub(super) fn awaits(&mut self, what: &[String]) {
        if let Some(tried) = &mut self.tried {
            tried.awaits = what.to_vec();
        }
    }

    pub(super) fn tries_no_more(&mut self) {
        self.tried = None;
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
        let tried = self.tried.as_ref().map(|tried| {
            json!({
                "digest": tried.digest.map(|digest| digest.to_string()),
                "forSeconds": age(tried.since),
                "waitsFor": tried.awaits,
            })
        });
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
            "trying": tried,
            "lastError": refused,
        })
    }
}
