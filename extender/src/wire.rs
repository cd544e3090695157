//! The words that kube-scheduler and an extender exchange.
//!
//! Hand-made types that borrow from the request's bytes: pods and nodes stay raw
//! slices until somebody needs a field of them, so a request that carries names
//! costs microseconds and one that carries nodes is written back untouched.
//!
//! The rules are those of Go's `encoding/json` on structs without tags: keys match
//! whatever their case (schedulers before 1.17 wrote them in lower case), unknown
//! keys are ignored, and `null` is the zero value. Nothing below this module sees JSON.

pub mod args;
pub mod bind;
pub mod filter;
pub mod go;
pub mod preempt;
pub mod prioritize;

use serde::Deserialize;

/// The longest name, and the longest UID, that the API server takes, in bytes.
const LONGEST_NAME: usize = 253;
/// What of a text that may quote a request is logged, kept and answered, in bytes; the API's limit of an Event's note.
const BRIEF: usize = 1000;

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The body is no JSON, or a value has the wrong type. Nothing is known of the candidates then.
    #[error("malformed request at {path}: {source}")]
    Malformed {
        /// The path of the value at fault, `.` for the document.
        path: String,
        /// What the parser says, with line and column.
        source: serde_json::Error,
    },
    /// A name is longer than any that the API server takes. Names are kept when the body is gone.
    #[error("malformed request at {path}: {length} bytes, and names have {LONGEST_NAME} at most")]
    TooLong {
        /// The path of the value.
        path: String,
        /// Its length, in bytes.
        length: usize,
    },
    /// A value without which no answer is possible is missing or empty.
    #[error("malformed request at {path}: {missing}")]
    Missing {
        /// The path of the value.
        path: String,
        /// What was expected there.
        missing: &'static str,
    },
}

/// Reads one document.
///
/// The path of an error is found by a second reading: tracking it all the time would slow every good request down.
///
/// # Errors
/// [`WireError::Malformed`] with the path of the value at fault.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WireError> {
    serde_json::from_slice(body).map_err(|source| WireError::Malformed { path: path_of_error::<T>(body), source })
}

/// Reads a part that was kept as a raw slice; `at` is its own path in the request.
///
/// # Errors
/// [`WireError::Malformed`] with the path of the value at fault.
pub fn parse_part<'a, T: Deserialize<'a>>(part: &'a str, at: impl FnOnce() -> String) -> Result<T, WireError> {
    serde_json::from_str(part).map_err(|source| {
        let inner = path_of_error::<T>(part.as_bytes());
        let path = if inner == "." { at() } else { format!("{}.{inner}", at()) };
        WireError::Malformed { path, source }
    })
}

fn path_of_error<'a, T: Deserialize<'a>>(body: &'a [u8]) -> String {
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => ".".to_owned(),
        Err(error) => error.path().to_string(),
    }
}

/// Refuses a name that is too long; `path` is where it stands.
fn check_name(name: &str, path: impl FnOnce() -> String) -> Result<(), WireError> {
    let length = name.len();
    if length > LONGEST_NAME { Err(WireError::TooLong { path: path(), length }) } else { Ok(()) }
}

/// The beginning of a text, 1000 bytes at most.
#[must_use]
pub fn brief(text: &str) -> &str {
    &text[..text.floor_char_boundary(BRIEF)]
}
