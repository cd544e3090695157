//! A node label as a column, for plugins that go by labels.
//!
//! `label:KEY` is the label's value read as an amount (`16`, `0.5`, `10Gi`), `label:KEY=VALUE` is 1 on nodes whose label
//! has that value. Promises that no label, however odd, keeps a node out: what is absent or no amount is 0. No resource
//! of Kubernetes can be named like this, so no pod asks for one.

use crate::quantity::Quantity;
use crate::selector::{Labels, is_label_key, is_label_value};

/// What such a column's name begins with.
const PREFIX: &str = "label:";

/// What of a node's labels stands in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelColumn {
    key: String,
    value: Option<String>,
}

impl LabelColumn {
    /// Whether a column's name is that of a label, well written or not.
    #[must_use]
    pub fn is_named(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// Reads `label:KEY` or `label:KEY=VALUE`; `None` where Kubernetes knows no such label.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let label = name.strip_prefix(PREFIX)?;
        let (key, value) = label.split_once('=').map_or((label, None), |(key, value)| (key, Some(value)));
        let is_written = is_label_key(key) && value.is_none_or(is_label_value);
        is_written.then(|| Self { key: key.to_owned(), value: value.map(str::to_owned) })
    }

    /// What stands in the column for a node with these labels.
    pub(crate) fn amount(&self, labels: &Labels) -> f64 {
        let found = labels.get(&self.key);
        match &self.value {
            Some(value) => f64::from(found == Some(value)),
            None => found.and_then(|text| Quantity::parse(text).ok()).map_or(0.0, Quantity::units),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(name: &str, value: &str) -> f64 {
        let labels = Labels::from([("example.com/disk".to_owned(), value.to_owned())]);
        LabelColumn::parse(name).unwrap().amount(&labels)
    }

    #[test]
    fn a_label_is_an_amount_or_says_whether_it_has_a_value() {
        assert_eq!(amount("label:example.com/disk", "16"), 16.0);
        assert_eq!(amount("label:example.com/disk", "2Ki"), 2048.0);
        assert_eq!(amount("label:example.com/disk=ssd", "ssd"), 1.0);
        assert_eq!(amount("label:example.com/disk=ssd", "hdd"), 0.0);
        assert_eq!(amount("label:example.com/disk=", ""), 1.0);
    }

    #[test]
    fn what_is_absent_negative_or_no_amount_is_0() {
        for odd in ["", "ssd", "-1", "1x"] {
            assert_eq!(amount("label:example.com/disk", odd), 0.0, "{odd}");
        }
        assert_eq!(amount("label:another", "16"), 0.0);
        assert_eq!(amount("label:another=", "16"), 0.0, "a label that is not there has no value, not an empty one");
    }

    #[test]
    fn a_name_that_is_no_label_of_kubernetes_is_none() {
        for name in ["cpu", "label:", "label:two words", "label:/x", "label:a=b=c", "label:a/b/c"] {
            assert_eq!(LabelColumn::parse(name), None, "{name}");
        }
    }
}
