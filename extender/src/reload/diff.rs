//! What differs between two documents, key by key.
//!
//! Pure. Entries of lists are told apart by their position. Promises that no query of an
//! address is told: signed addresses carry secrets there.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::config::secrets::shown;

/// One key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key's path, as in messages: `profiles[0].plugins[1].weight`.
    pub key: String,
    /// The value before, as JSON; `None`: there was none.
    pub old: Option<String>,
    /// The value now, as JSON; `None`: there is none.
    pub new: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "(absent)".to_owned());
        write!(formatter, "{}: {} → {}", self.key, text(&self.old), text(&self.new))
    }
}

/// The leaves that differ, in the order of their keys. A whole branch that comes or goes is told leaf by leaf.
#[must_use]
pub fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    walk(String::new(), Some(old), Some(new), &mut changes);
    changes
}

fn walk(key: String, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let sides = [old, new];
    let is_filled = |is_filled: fn(&Value) -> Option<bool>| {
        let sides: Option<Vec<bool>> = sides.iter().flatten().map(|side| is_filled(side)).collect();
        sides.is_some_and(|sides| sides.contains(&true))
    };
    if is_filled(|side| side.as_object().map(|object| !object.is_empty())) {
        for name in names(sides) {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let [old, new] = sides.map(|side| side.and_then(|side| side.get(name)));
            walk(key, old, new, changes);
        }
    } else if is_filled(|side| side.as_array().map(|list| !list.is_empty())) {
        let length = sides.iter().flatten().filter_map(|side| side.as_array()).map(Vec::len).max().unwrap_or(0);
        for position in 0..length {
            let [old, new] = sides.map(|side| side.and_then(|side| side.get(position)));
            walk(format!("{key}[{position}]"), old, new, changes);
        }
    } else {
        let [old, new] = sides.map(|side| side.map(|side| shown(side).to_string()));
        changes.push(Change { key, old, new });
    }
}

fn names(sides: [Option<&Value>; 2]) -> BTreeSet<&String> {
    let objects = sides.into_iter().flatten().filter_map(Value::as_object);
    objects.flat_map(|object| object.keys()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(old: &Value, new: &Value) -> Vec<String> {
        changes(old, new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_leaves_that_differ_are_told_with_both_values() {
        let old = json!({"a": 1, "profiles": [{"weight": 1, "mode": "serve"}]});
        let new = json!({"a": 1, "profiles": [{"weight": 5, "mode": "serve"}, {"weight": 2}]});
        assert_eq!(lines(&old, &new), ["profiles[0].weight: 1 → 5", "profiles[1].weight: (absent) → 2"]);
        assert_eq!(lines(&old, &old), [""; 0]);
    }

    #[test]
    fn a_secret_in_an_address_is_not_told_and_that_it_differs_is() {
        let component = |query: &str| json!({"component": format!("https://r.example/p.wasm{query}")});
        let (old, new) = (component("?sig=secret"), component("?sig=other"));
        let masked = "\"https://r.example/p.wasm?…\"";
        assert_eq!(lines(&old, &new), [format!("component: {masked} → {masked}")]);
        assert_eq!(lines(&component(""), &new), [format!("component: \"https://r.example/p.wasm\" → {masked}")]);
        let deep = lines(&json!({"component": [old, "why?"]}), &json!({"component": 1}));
        assert_eq!(deep, [format!("component: [{{\"component\":{masked}}},\"why?\"] → 1")]);
    }

    #[test]
    fn what_comes_or_goes_or_changes_its_type_is_told() {
        assert_eq!(lines(&json!({"a": {"b": 1}}), &json!({})), ["a.b: 1 → (absent)"]);
        assert_eq!(lines(&json!({}), &json!({"a": [1], "c": {}})), ["a[0]: (absent) → 1", "c: (absent) → {}"]);
        assert_eq!(lines(&json!({"x": 0, "a": [1]}), &json!({"x": 0, "a": "1"})), ["a: [1] → \"1\""]);
    }
}
