//! Taints and tolerations.
//!
//! Follows kube-scheduler's plugins `TaintToleration` and `NodeUnschedulable`: untolerated `NoSchedule` and `NoExecute`
//! taints and an unschedulable node keep a pod away, untolerated `PreferNoSchedule` taints only lower its preference.
//! The operators `Gt` and `Lt` are those of KEP-5471.

use k8s_openapi::api::core::v1::{Taint as ApiTaint, Toleration as ApiToleration};

/// What an unschedulable node carries in kube-scheduler's eyes, whether or not the taint is there.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// A node's taint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taint {
    key: String,
    value: String,
    effect: Effect,
}

/// What an untolerated taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Effect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

/// A pod's toleration. How long it lasts does not matter for scheduling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Toleration {
    /// `None`: every key.
    key: Option<String>,
    /// `None`: every effect.
    effect: Option<Effect>,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Test {
    Exists,
    Equal(String),
    Above(i64),
    Below(i64),
}

impl Effect {
    fn read(text: &str) -> Option<Self> {
        match text {
            "NoSchedule" => Some(Self::NoSchedule),
            "PreferNoSchedule" => Some(Self::PreferNoSchedule),
            "NoExecute" => Some(Self::NoExecute),
            _ => None,
        }
    }
}

impl Taint {
    /// `None` for an effect that does not exist: such a taint does nothing.
    pub(crate) fn read(taint: &ApiTaint) -> Option<Self> {
        let effect = Effect::read(&taint.effect)?;
        Some(Self { key: taint.key.clone(), value: taint.value.clone().unwrap_or_default(), effect })
    }

    /// The taint that an unschedulable node is treated as having.
    pub(crate) fn unschedulable() -> Self {
        Self { key: UNSCHEDULABLE.to_owned(), value: String::new(), effect: Effect::NoSchedule }
    }
}

impl Toleration {
    /// `None` for a toleration that tolerates nothing: an unknown operator or effect, or no number for `Gt`, `Lt`.
    fn read(toleration: &ApiToleration) -> Option<Self> {
        let value = toleration.value.as_deref().unwrap_or_default();
        let test = match toleration.operator.as_deref().unwrap_or_default() {
            "" | "Equal" => Test::Equal(value.to_owned()),
            "Exists" => Test::Exists,
            "Gt" => Test::Above(value.parse().ok()?),
            "Lt" => Test::Below(value.parse().ok()?),
            _ => return None,
        };
        let effect = match toleration.effect.as_deref() {
            None | Some("") => None,
            Some(effect) => Some(Effect::read(effect)?),
        };
        Some(Self { key: toleration.key.clone().filter(|key| !key.is_empty()), effect, test })
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        let number = || taint.value.parse::<i64>();
        self.effect.is_none_or(|effect| effect == taint.effect)
            && self.key.as_ref().is_none_or(|key| *key == taint.key)
            && match &self.test {
                Test::Exists => true,
                Test::Equal(value) => *value == taint.value,
                Test::Above(bound) => number().is_ok_and(|number| number > *bound),
                Test::Below(bound) => number().is_ok_and(|number| number < *bound),
            }
    }
}

/// A pod's tolerations, sorted and without repetition, so that equal ones compare equal.
pub(crate) fn read_tolerations(tolerations: Option<&Vec<ApiToleration>>) -> Vec<Toleration> {
    let mut read: Vec<Toleration> = tolerations.into_iter().flatten().filter_map(Toleration::read).collect();
    read.sort_unstable();
    read.dedup();
    read
}

/// Whether no taint keeps the pod away.
pub(crate) fn admits(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    taints.iter().all(|taint| taint.effect == Effect::PreferNoSchedule || tolerated(taint, tolerations))
}

/// How many taints would rather not have the pod.
pub(crate) fn reluctance(taints: &[Taint], tolerations: &[Toleration]) -> usize {
    taints.iter().filter(|taint| taint.effect == Effect::PreferNoSchedule && !tolerated(taint, tolerations)).count()
}

fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| toleration.tolerates(taint))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn taint(key: &str, value: &str, effect: &str) -> Taint {
        Taint::read(&serde_json::from_value(json!({"key": key, "value": value, "effect": effect})).unwrap()).unwrap()
    }

    fn tolerations(list: Value) -> Vec<Toleration> {
        read_tolerations(Some(&serde_json::from_value(list).unwrap()))
    }

    #[test]
    fn hard_effects_keep_a_pod_away_until_tolerated() {
        for effect in ["NoSchedule", "NoExecute"] {
            let taints = [taint("dedicated", "gpu", effect)];
            assert!(!admits(&taints, &[]), "{effect}");
            assert!(admits(&taints, &tolerations(json!([{"key": "dedicated", "value": "gpu", "effect": effect}]))));
            assert!(admits(&taints, &tolerations(json!([{"key": "dedicated", "operator": "Equal", "value": "gpu"}]))));
            assert!(!admits(&taints, &tolerations(json!([{"key": "dedicated", "value": "cpu"}]))));
        }
    }

    #[test]
    fn a_toleration_of_another_effect_does_not_count() {
        let other = tolerations(json!([{"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}]));
        assert!(!admits(&[taint("dedicated", "gpu", "NoSchedule")], &other));
    }

    #[test]
    fn exists_takes_every_value_and_without_a_key_every_taint() {
        let taints = [taint("a", "1", "NoSchedule"), taint("b", "2", "NoExecute")];
        assert!(!admits(&taints, &tolerations(json!([{"key": "a", "operator": "Exists"}]))));
        assert!(admits(&taints, &tolerations(json!([{"operator": "Exists"}]))));
    }

    #[test]
    fn prefer_no_schedule_never_keeps_a_pod_away_but_counts() {
        let taints = [taint("a", "", "PreferNoSchedule"), taint("b", "", "PreferNoSchedule")];
        assert!(admits(&taints, &[]));
        assert_eq!(reluctance(&taints, &[]), 2);
        assert_eq!(reluctance(&taints, &tolerations(json!([{"key": "a", "operator": "Exists"}]))), 1);
    }

    #[test]
    fn an_unschedulable_node_is_a_taint_that_can_be_tolerated() {
        let taints = [Taint::unschedulable()];
        assert!(!admits(&taints, &[]));
        assert!(admits(
            &taints,
            &tolerations(json!([{"key": UNSCHEDULABLE, "operator": "Exists", "effect": "NoSchedule"}]))
        ));
    }

    #[test]
    fn numeric_operators_compare_the_taint_with_the_toleration() {
        let taints = [taint("sla", "950", "NoSchedule")];
        let with =
            |operator: &str, value: &str| tolerations(json!([{"key": "sla", "operator": operator, "value": value}]));
        assert!(admits(&taints, &with("Gt", "900")));
        assert!(!admits(&taints, &with("Gt", "950")));
        assert!(admits(&taints, &with("Lt", "1000")));
        assert!(!admits(&taints, &with("Lt", "many")));
        assert!(!admits(&[taint("sla", "high", "NoSchedule")], &with("Gt", "1")));
    }

    #[test]
    fn unknown_operators_tolerate_nothing_and_unknown_effects_taint_nothing() {
        assert!(tolerations(json!([{"operator": "Sometimes"}])).is_empty());
        let unknown = serde_json::from_value(json!({"key": "a", "effect": "Sometimes"})).unwrap();
        assert_eq!(Taint::read(&unknown), None);
    }
}
