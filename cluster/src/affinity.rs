//! Node selectors and node affinity: where pods must go and would like to go.
//!
//! Follows kube-scheduler's `component-helpers/scheduling/corev1/nodeaffinity`: terms are alternatives, what a term
//! demands must all hold, an empty term or one with an invalid requirement matches nothing, an empty list of terms
//! matches nothing, no list at all matches everything.

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, PodSpec};

use crate::node::NodeRow;
use crate::selector::{Labels, Requirement};

/// What a pod's `nodeSelector` and `nodeAffinity` say, in a canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct NodeAffinity {
    selector: Labels,
    required: Option<Vec<Term>>,
    preferred: Vec<(u32, Term)>,
}

/// One term: every requirement must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Term {
    names: Vec<NameRequirement>,
    labels: Vec<Requirement>,
}

/// A requirement on `metadata.name`, the only field that can be matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct NameRequirement {
    name: String,
    equal: bool,
}

impl NodeAffinity {
    pub(crate) fn of(spec: &PodSpec) -> Self {
        let selector = spec.node_selector.clone().unwrap_or_default();
        let Some(affinity) = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref()) else {
            return Self { selector, ..Self::default() };
        };
        let required = affinity.required_during_scheduling_ignored_during_execution.as_ref();
        let preferred = affinity.preferred_during_scheduling_ignored_during_execution.iter().flatten();
        let mut preferred: Vec<(u32, Term)> = preferred
            .filter_map(|term| Some((u32::try_from(term.weight).ok()?, Term::compile(&term.preference)?)))
            .filter(|(weight, _)| *weight > 0)
            .collect();
        preferred.sort_unstable();
        Self { selector, required: required.map(|r| compile_terms(&r.node_selector_terms)), preferred }
    }

    /// Whether the pod may run on the node.
    pub(crate) fn matches(&self, node: &NodeRow) -> bool {
        self.required.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(node)))
            && self.selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
    }

    /// The weight of the preferred terms that the node matches, as a share of the weight of all, 0 to 1; 1 for a pod
    /// without preferences.
    pub(crate) fn preferred_share(&self, node: &NodeRow) -> f64 {
        if self.preferred.is_empty() {
            return 1.0;
        }
        let sum =
            |terms: &mut dyn Iterator<Item = &(u32, Term)>| terms.map(|(weight, _)| f64::from(*weight)).sum::<f64>();
        sum(&mut self.preferred.iter().filter(|(_, term)| term.matches(node))) / sum(&mut self.preferred.iter())
    }

    /// Whether the pod prefers some nodes over others.
    pub(crate) fn has_preferences(&self) -> bool {
        !self.preferred.is_empty()
    }
}

/// Terms that can match, sorted so that equal demands compare equal.
fn compile_terms(terms: &[NodeSelectorTerm]) -> Vec<Term> {
    let mut terms: Vec<Term> = terms.iter().filter_map(Term::compile).collect();
    terms.sort_unstable();
    terms.dedup();
    terms
}

impl Term {
    /// `None` for a term that matches nothing: an empty or an invalid one.
    fn compile(term: &NodeSelectorTerm) -> Option<Self> {
        let label = |r: &NodeSelectorRequirement| {
            Requirement::new(&r.key, &r.operator, r.values.as_deref().unwrap_or_default()).ok()
        };
        let mut labels: Vec<Requirement> = term.match_expressions.iter().flatten().map(label).collect::<Option<_>>()?;
        let mut names: Vec<NameRequirement> =
            term.match_fields.iter().flatten().map(NameRequirement::compile).collect::<Option<_>>()?;
        labels.sort_unstable();
        names.sort_unstable();
        (!labels.is_empty() || !names.is_empty()).then_some(Self { names, labels })
    }

    fn matches(&self, node: &NodeRow) -> bool {
        self.names.iter().all(|required| (*required.name == *node.name) == required.equal)
            && self.labels.iter().all(|required| required.matches(&node.labels))
    }
}

impl NameRequirement {
    fn compile(requirement: &NodeSelectorRequirement) -> Option<Self> {
        let equal = match requirement.operator.as_str() {
            "In" => true,
            "NotIn" => false,
            _ => return None,
        };
        match requirement.values.as_deref() {
            Some([name]) if requirement.key == "metadata.name" => Some(Self { name: name.clone(), equal }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn affinity(spec: Value) -> NodeAffinity {
        NodeAffinity::of(&serde_json::from_value(spec).unwrap())
    }

    fn required(terms: &Value) -> NodeAffinity {
        affinity(json!({"affinity": {"nodeAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}))
    }

    fn preferred(terms: &Value) -> NodeAffinity {
        affinity(json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}}))
    }

    fn node(name: &str, labels: &[(&str, &str)]) -> NodeRow {
        NodeRow {
            name: name.into(),
            labels: labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            ..NodeRow::default()
        }
    }

    #[test]
    fn a_pod_without_demands_goes_anywhere() {
        assert!(affinity(json!({})).matches(&node("a", &[])));
    }

    #[test]
    fn a_node_selector_and_the_affinity_must_both_match() {
        let both = affinity(json!({"nodeSelector": {"disk": "ssd"}, "affinity": {"nodeAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms":
                [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]}}}}));
        assert!(both.matches(&node("a", &[("disk", "ssd"), ("zone", "")])));
        assert!(!both.matches(&node("a", &[("disk", "ssd")])));
        assert!(!both.matches(&node("a", &[("disk", "hdd"), ("zone", "")])));
    }

    #[test]
    fn terms_are_ored_and_their_requirements_anded() {
        let either = required(&json!([
            {"matchExpressions": [
                {"key": "disk", "operator": "In", "values": ["ssd"]},
                {"key": "cores", "operator": "Gt", "values": ["8"]},
            ]},
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["special"]}]},
        ]));
        assert!(either.matches(&node("a", &[("disk", "ssd"), ("cores", "16")])));
        assert!(!either.matches(&node("a", &[("disk", "ssd"), ("cores", "8")])));
        assert!(either.matches(&node("special", &[])));
    }

    #[test]
    fn empty_terms_and_empty_lists_of_terms_match_nothing() {
        assert!(!required(&json!([])).matches(&node("a", &[])));
        assert!(!required(&json!([{}])).matches(&node("a", &[])));
        assert!(
            required(&json!([{}, {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}]))
                .matches(&node("a", &[]))
        );
    }

    #[test]
    fn an_invalid_term_matches_nothing_and_leaves_the_others_be() {
        let invalid = json!({"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["two words"]}]});
        assert!(!required(&json!([invalid])).matches(&node("a", &[])));
        let valid = json!({"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["hdd"]}]});
        assert!(required(&json!([invalid, valid])).matches(&node("a", &[])));
    }

    #[test]
    fn match_fields_know_the_name_only() {
        let not = required(&json!([{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["a"]}]}]));
        assert!(!not.matches(&node("a", &[])));
        assert!(not.matches(&node("b", &[])));
        for field in [
            json!({"key": "metadata.uid", "operator": "In", "values": ["a"]}),
            json!({"key": "metadata.name", "operator": "In", "values": ["a", "b"]}),
            json!({"key": "metadata.name", "operator": "Exists"}),
        ] {
            assert!(!required(&json!([{"matchFields": [field]}])).matches(&node("a", &[])));
        }
    }

    #[test]
    fn preferences_are_shares_of_the_whole_weight() {
        let wishes = preferred(&json!([
            {"weight": 30, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}},
            {"weight": 10, "preference": {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}},
            {"weight": 60, "preference": {}},
        ]));
        assert!(wishes.has_preferences());
        assert_eq!(wishes.preferred_share(&node("a", &[("disk", "ssd")])), 0.75);
        assert_eq!(wishes.preferred_share(&node("a", &[("disk", "ssd"), ("zone", "x")])), 1.0);
        assert_eq!(wishes.preferred_share(&node("a", &[])), 0.0);
        assert_eq!(preferred(&json!([])).preferred_share(&node("a", &[])), 1.0);
    }

    #[test]
    fn the_order_of_terms_does_not_make_another_affinity() {
        let either = |values: [&str; 2]| json!({"key": "a", "operator": "In", "values": values});
        let exists = json!({"key": "b", "operator": "Exists"});
        let a = json!({"matchExpressions": [either(["1", "2"]), exists]});
        let same = json!({"matchExpressions": [exists, either(["2", "1"])]});
        let c = json!({"matchExpressions": [{"key": "c", "operator": "Exists"}]});
        assert_eq!(required(&json!([a, c])), required(&json!([c, same])));
    }
}
