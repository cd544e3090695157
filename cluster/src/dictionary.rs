//! The admin's validation dictionary: which pods may go to which nodes.
//!
//! An entry names pods and nodes by their labels. `Forbid` keeps the pods off the nodes. Where at least one `Affine`
//! entry speaks of a pod, it may go to the `Affine` nodes only; `Forbid` wins. Entries belong to a profile, that is to
//! the pods of one `schedulerName`. The idea, a list of (pod, node, type), is the validation dictionary of the
//! dictionary GA.

use serde::Deserialize;
use thiserror::Error;

use crate::selector::{LabelSelector, Labels, Selector, SelectorError};

/// An entry as written in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DictionaryEntry {
    /// The pods it speaks of, by their labels; the empty selector: all.
    pub pods: LabelSelector,
    /// The nodes it speaks of, by their labels; the empty selector: all.
    pub nodes: LabelSelector,
    /// What it says of them.
    #[serde(rename = "type")]
    pub effect: DictionaryEffect,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum DictionaryEffect {
    /// The pods never go to the nodes.
    Forbid,
    /// The pods go to the nodes of their `Affine` entries only.
    Affine,
}

/// An entry that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("dictionary[{entry}].{side}: {source}")]
pub struct DictionaryError {
    /// The entry's position in the profile's list, from 0.
    pub entry: usize,
    /// `pods` or `nodes`.
    pub side: &'static str,
    /// What is wrong with the selector.
    pub source: SelectorError,
}

/// The compiled entries of all profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    scheduler_name: String,
    pods: Selector,
    nodes: Selector,
    effect: DictionaryEffect,
}

/// Which rules speak of a pod: part of its domain class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rulings {
    forbid: Vec<u32>,
    affine: Vec<u32>,
}

impl Dictionary {
    /// Adds the entries of the profile that serves `scheduler_name`.
    ///
    /// # Errors
    /// The first entry whose selector is not valid; nothing is added then.
    pub fn add_profile(&mut self, scheduler_name: &str, entries: &[DictionaryEntry]) -> Result<(), DictionaryError> {
        let compile = |(number, entry): (usize, &DictionaryEntry)| {
            let refused = |side| move |source| DictionaryError { entry: number, side, source };
            Ok(Rule {
                scheduler_name: scheduler_name.to_owned(),
                pods: Selector::compile(&entry.pods).map_err(refused("pods"))?,
                nodes: Selector::compile(&entry.nodes).map_err(refused("nodes"))?,
                effect: entry.effect,
            })
        };
        let rules: Vec<Rule> = entries.iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        self.rules.extend(rules);
        Ok(())
    }

    /// The rules that speak of a pod.
    pub(crate) fn rulings(&self, scheduler_name: &str, pod_labels: &Labels) -> Rulings {
        let mut rulings = Rulings::default();
        for (number, rule) in self.rules.iter().enumerate() {
            if rule.scheduler_name == scheduler_name && rule.pods.matches(pod_labels) {
                match rule.effect {
                    DictionaryEffect::Forbid => rulings.forbid.push(number as u32),
                    DictionaryEffect::Affine => rulings.affine.push(number as u32),
                }
            }
        }
        rulings
    }

    /// Whether the rules let their pods go to a node.
    pub(crate) fn permits(&self, rulings: &Rulings, node_labels: &Labels) -> bool {
        let speaks_of = |number: &u32| self.rules[*number as usize].nodes.matches(node_labels);
        !rulings.forbid.iter().any(speaks_of) && (rulings.affine.is_empty() || rulings.affine.iter().any(speaks_of))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn dictionary(entries: Value) -> Dictionary {
        let mut dictionary = Dictionary::default();
        dictionary.add_profile("gantry", &serde_json::from_value::<Vec<_>>(entries).unwrap()).unwrap();
        dictionary
    }

    fn labels(key: &str, value: &str) -> Labels {
        Labels::from([(key.into(), value.into())])
    }

    fn entry(app: &str, tier: &str, effect: &str) -> Value {
        json!({"pods": {"matchLabels": {"app": app}}, "nodes": {"matchLabels": {"tier": tier}}, "type": effect})
    }

    #[test]
    fn forbid_removes_nodes_from_matching_pods_only() {
        let dictionary = dictionary(json!([entry("db", "edge", "Forbid")]));
        let db = dictionary.rulings("gantry", &labels("app", "db"));
        assert!(!dictionary.permits(&db, &labels("tier", "edge")));
        assert!(dictionary.permits(&db, &labels("tier", "core")));
        let web = dictionary.rulings("gantry", &labels("app", "web"));
        assert!(dictionary.permits(&web, &labels("tier", "edge")));
    }

    #[test]
    fn affine_entries_permit_their_union_without_the_forbidden() {
        let dictionary =
            dictionary(json!([entry("db", "a", "Affine"), entry("db", "b", "Affine"), entry("db", "b", "Forbid"),]));
        let db = dictionary.rulings("gantry", &labels("app", "db"));
        let permitted: Vec<bool> = ["a", "b", "c"].map(|tier| dictionary.permits(&db, &labels("tier", tier))).into();
        assert_eq!(permitted, [true, false, false]);
    }

    #[test]
    fn entries_speak_of_their_own_profile_only() {
        let dictionary = dictionary(json!([entry("db", "edge", "Forbid")]));
        assert_eq!(dictionary.rulings("default-scheduler", &labels("app", "db")), Rulings::default());
    }

    #[test]
    fn a_bad_entry_is_named_by_position_and_side() {
        let entries: Vec<DictionaryEntry> =
            serde_json::from_value(json!([entry("db", "edge", "Forbid"), entry("db", "two words", "Forbid"),]))
                .unwrap();
        let mut dictionary = Dictionary::default();
        let error = dictionary.add_profile("gantry", &entries).unwrap_err();
        assert_eq!(error.to_string(), "dictionary[1].nodes: \"two words\" is not a value of label \"tier\"");
        assert!(dictionary.rules.is_empty());
    }

    #[test]
    fn unknown_keys_and_types_are_refused_when_read() {
        for written in [
            json!({"pods": {}, "nodes": {}, "type": "Forbid", "weight": 1}),
            json!({"pods": {}, "nodes": {}, "type": "Prefer"}),
            json!({"pods": {}, "type": "Forbid"}),
        ] {
            assert!(serde_json::from_value::<DictionaryEntry>(written).is_err());
        }
    }
}
