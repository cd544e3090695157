//! A snapshot's bytes: made once, served many times, in whole or entry by entry.
//!
//! Promises: what is decoded encodes to the same bytes; bytes whose generation is not the hash of the rest are refused.
//! Must not know: sockets, files.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{API_VERSION, Entry, KIND, Kind, STEP_SECONDS, Snapshot, rfc3339};
use crate::QUANTILES;

/// Bytes of the hash that the generation shows: two snapshots of one cluster do not share it by chance.
const GENERATION_BYTES: usize = 8;

/// What an entry is found by: kind, namespace (empty for nodes), name.
pub type Key = (Kind, String, String);

/// Why bytes are no snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// They are no JSON of the right shape: cut off, or written by something else.
    #[error("the bytes are no snapshot")]
    Malformed(#[from] serde_json::Error),
    /// They are a document of another version or kind.
    #[error("the document is {found}, not {API_VERSION} {KIND}")]
    Version {
        /// What its head says.
        found: String,
    },
    /// The content is not what the generation was made of.
    #[error("the snapshot has the generation {found}, its content {expected}")]
    Damaged {
        /// What the head says.
        found: String,
        /// What it should say.
        expected: String,
    },
}

impl SnapshotError {
    /// A name from a closed set, for metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Version { .. } => "version",
            Self::Damaged { .. } => "damaged",
        }
    }
}

/// A snapshot as bytes.
#[derive(Clone, Debug)]
pub struct Encoded {
    generation: String,
    issued_at: i64,
    data_until: Option<i64>,
    body: Bytes,
    ranges: HashMap<Key, Range<usize>>,
}

/// What every version of the document has.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Head {
    api_version: String,
    kind: String,
    generation: String,
}

impl Encoded {
    /// The bytes of a snapshot.
    ///
    /// # Errors
    /// If it cannot be written, which the types do not allow.
    pub fn new(snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        Self::of(snapshot.issued_at, &snapshot.entries)
    }

    /// The bytes of a snapshot whose entries are made one by one: those of a large cluster never lie in memory together.
    ///
    /// # Errors
    /// If it cannot be written, which the types do not allow.
    pub fn of<E: Borrow<Entry>>(issued_at: i64, entries: impl IntoIterator<Item = E>) -> Result<Self, SnapshotError> {
        let quantiles = serde_json::to_string(&QUANTILES)?;
        let time = rfc3339::text(issued_at);
        let head = |generation: &str| {
            format!(r#"{{"apiVersion":"{API_VERSION}","kind":"{KIND}","generation":"{generation}","#).into_bytes()
        };
        // The place of the generation, which is the hash of what follows: the bytes of a large cluster are there once.
        let mut body = head(&"0".repeat(2 * GENERATION_BYTES));
        let hashed = body.len();
        let rest = format!(r#""issuedAt":"{time}","stepSeconds":{STEP_SECONDS},"quantiles":{quantiles},"entries":["#);
        body.extend_from_slice(rest.as_bytes());
        let (mut ranges, mut data_until) = (HashMap::new(), None);
        for entry in entries {
            let entry = entry.borrow();
            body.extend((!ranges.is_empty()).then_some(b','));
            let start = body.len();
            serde_json::to_writer(&mut body, entry)?;
            data_until = data_until.max(newest(entry));
            ranges.insert((entry.kind, entry.namespace.clone(), entry.name.clone()), start..body.len());
        }
        body.extend_from_slice(b"]}");
        let generation = generation(&body[hashed..]);
        body[..hashed].copy_from_slice(&head(&generation));
        Ok(Self { generation, issued_at, data_until, body: body.into(), ranges })
    }

    /// Bytes that were written before, with what they say.
    ///
    /// # Errors
    /// If they are not exactly what this version writes.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Snapshot), SnapshotError> {
        let head: Head = serde_json::from_slice(bytes)?;
        if (head.api_version.as_str(), head.kind.as_str()) != (API_VERSION, KIND) {
            return Err(SnapshotError::Version { found: format!("{} {}", head.api_version, head.kind) });
        }
        let snapshot: Snapshot = serde_json::from_slice(bytes)?;
        let encoded = Self::new(&snapshot)?;
        if encoded.generation != head.generation {
            return Err(SnapshotError::Damaged { found: head.generation, expected: encoded.generation });
        }
        Ok((encoded, snapshot))
    }

    /// Hash of the content, 16 hexadecimal digits.
    #[must_use]
    pub fn generation(&self) -> &str {
        &self.generation
    }

    /// When it was made, Unix time in seconds.
    #[must_use]
    pub const fn issued_at(&self) -> i64 {
        self.issued_at
    }

    /// Time of the newest sample in any entry, Unix time in seconds; none if there is no entry.
    #[must_use]
    pub const fn data_until(&self) -> Option<i64> {
        self.data_until
    }

    /// The whole document; the clone shares its bytes.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// One entry, sharing the document's bytes.
    #[must_use]
    pub fn entry(&self, key: &Key) -> Option<Bytes> {
        self.ranges.get(key).map(|range| self.body.slice(range.clone()))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

fn newest(entry: &Entry) -> Option<i64> {
    entry.resources.values().map(|resource| resource.data_until).max()
}

fn generation(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    hash[..GENERATION_BYTES].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("invariant: writing to memory cannot fail");
        text
    })
}

#[cfg(test)]
mod tests;
