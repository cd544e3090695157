//! Label selectors, and the requirements that all selectors are made of.
//!
//! A [`LabelSelector`] is what an admin writes, a `Selector` what was compiled from it. Requirements are validated as
//! apimachinery's `labels.NewRequirement` does: one that it would refuse is refused here, as it changes what matches.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as ApiLabelSelector;
use serde::Deserialize;
use thiserror::Error;

/// Labels of a node or a pod.
pub(crate) type Labels = BTreeMap<String, String>;

/// A label selector as written in a configuration file; everything in it must hold, the empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels that must be there with exactly these values.
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    pub match_expressions: Vec<LabelExpression>,
}

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelExpression {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: LabelOperator,
    /// The values: at least one for `In` and `NotIn`, none for `Exists` and `DoesNotExist`.
    #[serde(default)]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum LabelOperator {
    /// The label is there with one of the values.
    In,
    /// The label is missing, or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is missing.
    DoesNotExist,
}

/// Why a selector was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// Not `[prefix/]name` as labels are named.
    #[error("\"{0}\" is not a label key")]
    Key(String),
    /// More than 63 characters, or others than letters, digits, `-`, `_` and `.`.
    #[error("\"{value}\" is not a value of label \"{key}\"")]
    Value {
        /// The label.
        key: String,
        /// The value at fault.
        value: String,
    },
    /// The operator wants another number of values.
    #[error("label \"{key}\": {expected}, {given} given")]
    ValueCount {
        /// The label.
        key: String,
        /// What the operator wants.
        expected: &'static str,
        /// How many there are.
        given: usize,
    },
    /// `Gt` and `Lt` compare whole numbers.
    #[error("label \"{key}\": \"{value}\" is not a whole number")]
    NotANumber {
        /// The label.
        key: String,
        /// The value at fault.
        value: String,
    },
    /// No such operator.
    #[error("label \"{key}\": unknown operator \"{operator}\"")]
    Operator {
        /// The label.
        key: String,
        /// The operator at fault.
        operator: String,
    },
}

/// What a label has to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    Gt(i64),
    Lt(i64),
}

impl Requirement {
    /// A requirement by the operator's name, as node selectors write it.
    pub(crate) fn new(key: &str, operator: &str, values: &[String]) -> Result<Self, SelectorError> {
        if !is_label_key(key) {
            return Err(SelectorError::Key(key.to_owned()));
        }
        if let Some(value) = values.iter().find(|value| !is_label_value(value)) {
            return Err(SelectorError::Value { key: key.to_owned(), value: value.clone() });
        }
        let count = |expected| SelectorError::ValueCount { key: key.to_owned(), expected, given: values.len() };
        let test = match operator {
            "In" | "NotIn" if values.is_empty() => return Err(count("at least one value is needed")),
            "In" => Test::In(sorted(values)),
            "NotIn" => Test::NotIn(sorted(values)),
            "Exists" | "DoesNotExist" if !values.is_empty() => return Err(count("no value is allowed")),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::DoesNotExist,
            "Gt" | "Lt" if values.len() != 1 => return Err(count("exactly one value is needed")),
            "Gt" => Test::Gt(whole_number(key, &values[0])?),
            "Lt" => Test::Lt(whole_number(key, &values[0])?),
            _ => return Err(SelectorError::Operator { key: key.to_owned(), operator: operator.to_owned() }),
        };
        Ok(Self { key: key.to_owned(), test })
    }

    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.binary_search(value).is_ok()),
            Test::NotIn(values) => value.is_none_or(|value| values.binary_search(value).is_err()),
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
            Test::Gt(bound) => number().is_some_and(|number| number > *bound),
            Test::Lt(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// A compiled label selector: every requirement must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Selector(Vec<Requirement>);

impl Selector {
    pub(crate) fn compile(written: &LabelSelector) -> Result<Self, SelectorError> {
        let labels =
            written.match_labels.iter().map(|(key, value)| Requirement::new(key, "In", std::slice::from_ref(value)));
        let expressions =
            written.match_expressions.iter().map(|e| Requirement::new(&e.key, e.operator.name(), &e.values));
        labels.chain(expressions).collect::<Result<_, _>>().map(Self)
    }

    /// From the API's selector and further requirements, in canonical order.
    pub(crate) fn read(written: &ApiLabelSelector, further: Vec<Requirement>) -> Result<Self, SelectorError> {
        let labels = written.match_labels.iter().flatten();
        let labels = labels.map(|(key, value)| Requirement::new(key, "In", std::slice::from_ref(value)));
        let expressions = written.match_expressions.iter().flatten();
        let expressions = expressions
            .map(|e| Requirement::new(&e.key, &e.operator, e.values.as_deref().unwrap_or_default()))
            .chain(labels);
        let mut requirements = expressions.collect::<Result<Vec<_>, _>>()?;
        requirements.extend(further);
        requirements.sort_unstable();
        requirements.dedup();
        Ok(Self(requirements))
    }

    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }
}

impl LabelOperator {
    fn name(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
        }
    }
}

fn sorted(values: &[String]) -> Vec<String> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    values
}

fn whole_number(key: &str, value: &str) -> Result<i64, SelectorError> {
    value.parse().map_err(|_| SelectorError::NotANumber { key: key.to_owned(), value: value.to_owned() })
}

/// Letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit, 1 to 63 characters.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

pub(crate) fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name(text),
        Some((prefix, name)) => is_name(name) && prefix.len() <= 253 && prefix.split('.').all(is_dns_label),
    }
}

fn is_dns_label(text: &str) -> bool {
    is_name(text) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn requirement(key: &str, operator: &str, values: &[&str]) -> Result<Requirement, SelectorError> {
        Requirement::new(key, operator, &values.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn every_operator_follows_apimachinery() {
        let node = labels(&[("disk", "ssd"), ("cores", "16"), ("empty", "")]);
        let cases = [
            ("disk", "In", &["hdd", "ssd"][..], true),
            ("disk", "In", &["hdd"], false),
            ("gone", "In", &["ssd"], false),
            ("disk", "NotIn", &["hdd"], true),
            ("disk", "NotIn", &["ssd"], false),
            ("gone", "NotIn", &["ssd"], true),
            ("empty", "Exists", &[], true),
            ("gone", "Exists", &[], false),
            ("gone", "DoesNotExist", &[], true),
            ("disk", "DoesNotExist", &[], false),
            ("cores", "Gt", &["15"], true),
            ("cores", "Gt", &["16"], false),
            ("cores", "Lt", &["17"], true),
            ("disk", "Gt", &["1"], false),
            ("gone", "Lt", &["1"], false),
        ];
        for (key, operator, values, expected) in cases {
            let matched = requirement(key, operator, values).unwrap().matches(&node);
            assert_eq!(matched, expected, "{key} {operator} {values:?}");
        }
    }

    #[test]
    fn requirements_that_apimachinery_refuses_are_refused() {
        for (key, operator, values) in [
            ("disk", "In", &[][..]),
            ("disk", "Exists", &["x"]),
            ("disk", "Gt", &["1", "2"]),
            ("disk", "Gt", &["many"]),
            ("disk", "Gt", &["-5"]),
            ("disk", "Like", &["x"]),
            ("disk", "NotIn", &["two words"]),
            ("not a key", "Exists", &[]),
            ("Upper.case/name", "Exists", &[]),
            ("a/b/c", "Exists", &[]),
            ("", "Exists", &[]),
        ] {
            assert!(requirement(key, operator, values).is_err(), "{key} {operator} {values:?}");
        }
        assert!(requirement("node-role.kubernetes.io/worker", "Exists", &[]).is_ok());
    }

    #[test]
    fn a_written_selector_must_match_in_every_part() {
        let written = r#"{"matchLabels":{"app":"db"},"matchExpressions":[{"key":"tier","operator":"Exists"}]}"#;
        let selector = Selector::compile(&serde_json::from_str(written).unwrap()).unwrap();
        assert!(selector.matches(&labels(&[("app", "db"), ("tier", "edge")])));
        assert!(!selector.matches(&labels(&[("app", "db")])));
        assert!(!selector.matches(&labels(&[("app", "web"), ("tier", "edge")])));
    }

    #[test]
    fn the_empty_selector_selects_everything() {
        assert!(Selector::compile(&LabelSelector::default()).unwrap().matches(&labels(&[])));
    }

    #[test]
    fn unknown_keys_and_operators_are_refused_when_read() {
        for written in [r#"{"matchLabel":{}}"#, r#"{"matchExpressions":[{"key":"a","operator":"Gt","values":["1"]}]}"#]
        {
            assert!(serde_json::from_str::<LabelSelector>(written).is_err(), "{written}");
        }
    }
}
