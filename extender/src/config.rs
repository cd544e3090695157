//! The configuration: what was typed → what is checked → what is used.
//!
//! [`mod@file`] holds exactly what an admin may write, [`check`] turns it into
//! [`valid::Config`] or into a list of everything that is wrong, and only the
//! valid type can run. Nothing else in this crate reads a configuration file.

pub mod check;
pub mod file;
pub(crate) mod secrets;
pub mod units;
pub mod valid;
mod words;

use std::fmt::{Display, Formatter, Result as FmtResult};
use std::path::{Path, PathBuf};

use gantry_host::Digest;
use serde_saphyr::NonFiniteFloatPolicy;

pub use check::Surroundings;
pub use file::ConfigFile;
pub use valid::Config;

/// One thing wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the key, dots between its parts; empty for the document as a whole.
    pub key: String,
    /// The value at fault as written, cut at 128 characters.
    pub value: String,
    /// What is wrong, and what to write instead.
    pub remedy: String,
}

impl Problem {
    /// A problem; a long value is cut.
    pub fn new(key: impl Into<String>, value: impl Display, remedy: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string().chars().take(128).collect(), remedy: remedy.into() }
    }
}

impl ConfigError {
    /// What is wrong, one entry a fault; of a file that cannot be read, one entry without a key.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Refused(problems) => problems.clone(),
            Self::Unreadable { .. } | Self::Syntax { .. } => vec![Problem::new("", "", self.to_string())],
        }
    }
}

impl Display for Problem {
    fn fmt(&self, formatter: &mut Formatter) -> FmtResult {
        match (self.key.as_str(), self.value.as_str()) {
            ("", _) => write!(formatter, "{}", self.remedy),
            (key, "") => write!(formatter, "{key}: {}", self.remedy),
            (key, value) => write!(formatter, "{key}: `{value}` is refused: {}", self.remedy),
        }
    }
}

/// Why there is no configuration to run with. The process ends with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}; check the path given to --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no YAML.
    #[error("the configuration file {} is no valid YAML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        message: String,
    },
    /// Values are refused.
    #[error("the configuration is refused:\n{}", list(.0))]
    Refused(Vec<Problem>),
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::Refused(vec![problem])
    }
}

/// A configuration that could run, with what it was read from.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The file's content; `None`: there is no file.
    pub digest: Option<Digest>,
    /// What was typed, key by key.
    pub document: serde_json::Value,
    /// What it means.
    pub config: Config,
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

/// Reads a configuration file, as typed.
///
/// # Errors
/// Where the file cannot be read, is no YAML, or holds an unknown key or a value of the wrong type.
pub fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(&text, path)
}

/// Reads the content of a configuration file, as typed, key by key and with types.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8], path: &Path) -> Result<(serde_json::Value, ConfigFile), ConfigError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() })?;
    let document = document(text, path)?;
    let file = typed(&document)?;
    Ok((document, file))
}

/// Reads a configuration from text; `path` is named in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, path: &Path) -> Result<ConfigFile, ConfigError> {
    typed(&document(text, path)?)
}

/// Reads YAML without a thought of what it means. NaN and infinities stay as text, so that whoever misses a number there
/// can name the key.
fn document(text: &str, path: &Path) -> Result<serde_json::Value, ConfigError> {
    let syntax = |error: serde_saphyr::Error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() };
    // The lines around a mistake may hold an address with a secret.
    let options = serde_saphyr::options! {
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false
    };
    serde_saphyr::from_str_with_options(text, options).map_err(syntax)
}

fn typed(document: &serde_json::Value) -> Result<ConfigFile, ConfigError> {
    serde_path_to_error::deserialize(document).map_err(|error| {
        let key = error.path().to_string();
        let value = value_at(document, error.path());
        let key = if key == "." { String::new() } else { key };
        ConfigError::Refused(vec![Problem::new(key, value, words::remedy(error.path(), &error.inner().to_string()))])
    })
}

/// The value at a path, as JSON; empty where the path leads nowhere.
fn value_at(document: &serde_json::Value, path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |value: &serde_json::Value, segment: &Segment| match segment {
        Segment::Seq { index } => value.get(index).cloned(),
        Segment::Map { key } => value.get(key).cloned(),
        _ => None,
    };
    let value = path.iter().try_fold(document.clone(), |value, segment| step(&value, segment));
    match value {
        Some(serde_json::Value::String(text)) => secrets::shown_text(&text),
        Some(value) => secrets::shown(&value).to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;
