//! Credentials as docker, podman and Kubernetes keep them: a `config.json` with one entry a registry, or a part of one.
//!
//! Programs that would hand secrets out (`credHelpers`, `credsStore`) are not run, and
//! tokens in a password's place (`identitytoken`) are not used.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::FetchError;

/// What is sent to a server, and what to look at where that does not do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Login {
    /// What `Authorization` holds.
    pub(super) basic: Option<String>,
    /// Goes on after the answer's status.
    pub(super) hint: String,
}

impl Login {
    /// For a host, with its port if it has one, and a path there; `auth_file`: where to look.
    pub(super) fn read(auth_file: Option<&Path>, host: &str, path: &str) -> Result<Self, FetchError> {
        match auth_file {
            Some(file) => Ok(Credentials::read(file)?.login(host, path)),
            None => Ok(Self { basic: None, hint: "; fetch.authFile names the credentials".to_owned() }),
        }
    }
}

/// What the file holds. Keys that docker has besides are none of ours.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Credentials {
    auths: BTreeMap<String, Entry>,
    creds_store: Value,
    cred_helpers: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    /// `user:password` in base64.
    auth: String,
    username: String,
    password: String,
    identitytoken: Value,
}

impl Credentials {
    fn read(path: &Path) -> Result<Self, FetchError> {
        let failed = |source: super::Source| FetchError::File { path: path.to_owned(), source };
        let text = std::fs::read(path).map_err(|error| failed(error.into()))?;
        serde_json::from_slice(&text).map_err(|error| failed(error.into()))
    }

    fn login(&self, host: &str, path: &str) -> Login {
        let entry = self.entry(host, path);
        let basic = entry.and_then(Entry::basic);
        let remedy = "write user and password there";
        let hint = match entry {
            Some(entry) if is_filled(&entry.identitytoken) => {
                format!("; fetch.authFile has an identitytoken for {host}, which is not used: {remedy}")
            }
            Some(_) if basic.is_some() => {
                format!("; the user and password that fetch.authFile has for {host} do not suffice")
            }
            _ if self.is_with_a_helper(host, entry) => {
                format!("; its secret is kept by a helper of fetch.authFile, which is not run: {remedy}")
            }
            Some(_) => format!("; fetch.authFile has no user and password for {host}: {remedy}"),
            None => format!("; fetch.authFile has no entry for {host}/{path}"),
        };
        Login { basic, hint }
    }

    /// The entry for the longest part of the path; of two for the same, one with a secret in it.
    fn entry(&self, host: &str, path: &str) -> Option<&Entry> {
        let fitting = self.auths.iter().filter_map(|(key, entry)| {
            let (of_host, part) = place(key);
            let rest = path.strip_prefix(part).filter(|_| of_host == host)?;
            let is_around = part.is_empty() || rest.is_empty() || rest.starts_with('/');
            is_around.then_some((part.len(), entry))
        });
        fitting.max_by_key(|(length, entry)| (*length, entry.basic().is_some())).map(|(_, entry)| entry)
    }

    /// Docker leaves an empty entry where the secret is with `credsStore`.
    fn is_with_a_helper(&self, host: &str, entry: Option<&Entry>) -> bool {
        self.cred_helpers.get(host).is_some() || (entry.is_some() && is_filled(&self.creds_store))
    }
}

impl Entry {
    fn basic(&self) -> Option<String> {
        let encoded = match self.auth.as_str() {
            "" if self.username.is_empty() => return None,
            "" => STANDARD.encode(format!("{}:{}", self.username, self.password)),
            encoded => encoded.to_owned(),
        };
        Some(format!("Basic {encoded}"))
    }
}

fn is_filled(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// What an entry's key means: a host, with its port if it has one, and the part of its paths.
fn place(key: &str) -> (&str, &str) {
    let address = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let text = address.unwrap_or(key);
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    // Docker names the interface (`https://HOST/v1/`) and means the host.
    let part = match path.split_once('/') {
        Some(("v1" | "v2", part)) => part,
        None if address.is_some() && matches!(path, "v1" | "v2") => "",
        _ => path,
    };
    (host, part.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn login(file: Value, host: &str, path: &str) -> Login {
        serde_json::from_value::<Credentials>(file).unwrap().login(host, path)
    }

    #[test]
    fn an_entry_is_for_its_host_and_port_however_docker_wrote_it() {
        let file = json!({"credsStore": "x", "auths": {
            "r.example": {"auth": "YTpi"}, "https://q.example:5000/v2/": {"username": "a", "password": "b"},
            "https://p.example/v1": {"auth": "YTpi"}, "kept.example": {},
        }});
        let basic = |host| login(file.clone(), host, "team/p").basic;
        for host in ["r.example", "q.example:5000", "p.example"] {
            assert_eq!(basic(host).as_deref(), Some("Basic YTpi"), "{host}");
        }
        for host in ["kept.example", "q.example", "r.example.evil", "", "example"] {
            assert_eq!(basic(host), None, "{host}");
        }
    }

    #[test]
    fn each_part_of_a_registry_has_its_own_secret_and_the_longest_part_counts() {
        let file = json!({"auths": {
            "r.example": {"auth": "all"}, "r.example/team-a": {"auth": "a"}, "r.example/team-b/": {"auth": "b"},
            "https://r.example/team-b/p": {"auth": "bp"}, "q.example/team-a": {"auth": "q"},
        }});
        for (path, secret) in [
            ("team-a/p", "a"),
            ("team-a", "a"),
            ("team-b/q", "b"),
            ("team-b/p", "bp"),
            ("team-b/p/q", "bp"),
            ("team-bb/p", "all"),
            ("team", "all"),
        ] {
            assert_eq!(login(file.clone(), "r.example", path).basic, Some(format!("Basic {secret}")), "{path}");
        }
        assert_eq!(login(file, "q.example", "team-b/p").basic, None, "another part's secret");
    }

    #[test]
    fn an_entry_with_a_secret_counts_before_an_empty_one_for_the_same_host() {
        let file = json!({"auths": {"https://r.example/v1/": {"auth": "YTpi"}, "r.example": {}}});
        assert!(login(file, "r.example", "p").basic.is_some());
    }

    #[test]
    fn who_is_not_let_in_hears_which_part_of_the_file_is_at_fault() {
        let auths = |entry: Value| json!({"auths": {"r.example": entry}});
        for (file, words) in [
            (json!({}), "fetch.authFile has no entry for r.example/team/p"),
            (json!({"credsStore": "x"}), "fetch.authFile has no entry for r.example/team/p"),
            (auths(json!({})), "has no user and password for r.example"),
            (auths(json!({"auth": "YTpi"})), "do not suffice"),
            (auths(json!({"auth": "YTo=", "identitytoken": "t"})), "has an identitytoken for r.example"),
            (json!({"auths": {"r.example": {}}, "credsStore": "x"}), "kept by a helper"),
            (json!({"credHelpers": {"r.example": "x"}}), "kept by a helper"),
            (json!({"credHelpers": {"q.example": "x"}}), "has no entry for"),
        ] {
            let hint = login(file, "r.example", "team/p").hint;
            assert!(hint.contains(words), "{words}: {hint}");
        }
        let unset = Login::read(None, "r.example", "p").unwrap();
        assert_eq!(unset, Login { basic: None, hint: "; fetch.authFile names the credentials".to_owned() });
    }
}
