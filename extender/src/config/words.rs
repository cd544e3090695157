//! What a parser says of a value of the wrong type, in an admin's words.
//!
//! Promises that a remedy names what may be written and what the key means, with its
//! range: the words of the schema in `docs/`, which is made of the types in `file`. Must
//! not decide whether a value is right.

use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// The schema that admins have.
const SCHEMA: &str = include_str!("../../../docs/gantry-configuration.schema.json");

/// What to write at a path in place of what the parser complains about. What it says of unknown keys, missing keys and
/// unknown words lists what is allowed; what it says of types are names of this language.
pub(super) fn remedy(path: &Path, complaint: &str) -> String {
    let is_of_type = complaint.starts_with("invalid type") || complaint.starts_with("invalid value");
    let Some((_, expected)) = complaint.rsplit_once(", expected ").filter(|_| is_of_type) else {
        return complaint.to_owned();
    };
    match meaning(path) {
        Some(meaning) => format!("use {}: {}", in_words(expected), meaning.trim_end_matches('.')),
        None => format!("use {}", in_words(expected)),
    }
}

fn in_words(expected: &str) -> &str {
    match expected {
        "f64" => "a number",
        "u32" | "u64" | "usize" => "a whole number, not below 0",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a string" => "text",
        "path string" => "a path",
        "a map" => "a section of keys with values",
        kind if kind.starts_with("struct ") => "a section of keys with values",
        other => other,
    }
}

/// What the schema says of the key at a path, or of what it is a part of.
fn meaning(path: &Path) -> Option<String> {
    let schema: Value = serde_json::from_str(SCHEMA).ok()?;
    let mut part = &schema;
    let mut meaning = None;
    for segment in path {
        let Some(next) = step(resolved(&schema, part), segment) else { break };
        part = next;
        let said = |part: &Value| part["description"].as_str().map(str::to_owned);
        meaning = said(part).or_else(|| said(resolved(&schema, part))).or(meaning);
    }
    meaning
}

fn step<'a>(part: &'a Value, segment: &Segment) -> Option<&'a Value> {
    match segment {
        Segment::Map { key } => part["properties"].get(key).or_else(|| part.get("additionalProperties")),
        Segment::Seq { .. } => part.get("items"),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

fn resolved<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    let reference = part["$ref"].as_str().and_then(|reference| schema.pointer(reference.trim_start_matches('#')));
    reference.unwrap_or(part)
}
