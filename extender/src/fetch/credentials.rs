//! Credentials as docker keeps them: a `config.json` with one entry a registry.
//!
//! Programs that would hand secrets out (`credHelpers`, `credsStore`) are not run.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::FetchError;

/// What the file holds. Keys that docker has besides are none of ours.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Credentials {
    auths: BTreeMap<String, Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    /// `user:password` in base64.
    auth: String,
    username: String,
    password: String,
}

impl Credentials {
    pub(super) fn read(path: &Path) -> Result<Self, FetchError> {
        let failed = |source: super::Source| FetchError::File { path: path.to_owned(), source };
        let text = std::fs::read(path).map_err(|error| failed(error.into()))?;
        serde_json::from_slice(&text).map_err(|error| failed(error.into()))
    }

    /// What `Authorization` holds for a host, with its port if it has one.
    pub(super) fn basic(&self, host: &str) -> Option<String> {
        let is_for = |key: &str| {
            let key = key.trim_start_matches("https://").trim_start_matches("http://");
            key.split('/').next() == Some(host)
        };
        let (_, entry) = self.auths.iter().find(|(key, _)| is_for(key))?;
        let encoded = match entry.auth.as_str() {
            // What docker leaves where the secret is with a helper.
            "" if entry.username.is_empty() => return None,
            "" => STANDARD.encode(format!("{}:{}", entry.username, entry.password)),
            encoded => encoded.to_owned(),
        };
        Some(format!("Basic {encoded}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_for_its_host_and_port_however_docker_wrote_it() {
        let text = r#"{"credsStore": "x", "auths": {"r.example": {"auth": "YTpi"},
            "https://q.example:5000/v2/": {"username": "a", "password": "b"}, "kept.example": {}}}"#;
        let credentials: Credentials = serde_json::from_str(text).unwrap();
        assert_eq!(credentials.basic("r.example").as_deref(), Some("Basic YTpi"));
        assert_eq!(credentials.basic("q.example:5000").as_deref(), Some("Basic YTpi"));
        for host in ["kept.example", "q.example", "r.example.evil", "", "example"] {
            assert_eq!(credentials.basic(host), None, "{host}");
        }
    }
}
