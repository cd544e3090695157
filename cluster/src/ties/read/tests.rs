//! Ties read from hand-made pods.

use serde_json::{Value, json};

use super::*;

fn pod(labels: &Value, mut spec: Value) -> Pod {
    spec["containers"] = json!([]);
    serde_json::from_value(json!({"metadata": {"namespace": "shop", "labels": labels}, "spec": spec})).unwrap()
}

fn apart(term: &Value) -> Value {
    json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}})
}

fn other(namespace: &str, labels: &[(&str, &str)]) -> Ties {
    let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Ties { namespace: namespace.into(), labels, ..Ties::default() }
}

#[test]
fn a_term_means_its_own_namespace_unless_it_lists_others_or_all() {
    let web = json!({"matchLabels": {"app": "web"}});
    let term = |rest: Value| {
        let mut term = json!({"topologyKey": "zone", "labelSelector": web});
        term.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        pending(&pod(&json!({}), apart(&term))).apart.remove(0)
    };
    let means = |term: &Term| ["shop", "bank"].map(|namespace| term.selects(&other(namespace, &[("app", "web")])));
    assert_eq!(means(&term(json!({}))), [true, false]);
    assert_eq!(means(&term(json!({"namespaces": ["bank"]}))), [false, true]);
    assert_eq!(means(&term(json!({"namespaceSelector": {}}))), [true, true]);
    assert!(!term(json!({})).selects(&other("shop", &[("app", "db")])));
}

#[test]
fn a_term_without_a_selector_means_nobody() {
    let ties = pending(&pod(&json!({}), apart(&json!({"topologyKey": "zone"}))));
    assert!(!ties.apart[0].selects(&other("shop", &[])));
}

#[test]
fn namespaces_selected_by_labels_are_too_much_for_a_plan_and_all_of_them_for_a_pod_that_is_there() {
    let selector = json!({"matchLabels": {"team": "a"}});
    let written = apart(&json!({"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": selector}));
    assert!(pending(&pod(&json!({}), written.clone())).unplannable);
    assert!(bound(&pod(&json!({}), written)).apart[0].selects(&other("bank", &[])));
}

#[test]
fn match_label_keys_mean_pods_with_the_pods_own_values() {
    let spread = json!({"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1, "labelSelector": {},
        "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["revision", "absent"]}]});
    let ties = pending(&pod(&json!({"revision": "2"}), spread));
    assert!(ties.spread[0].selects(&other("shop", &[("revision", "2")])));
    assert!(!ties.spread[0].selects(&other("shop", &[("revision", "1")])));
    assert!(!ties.spread[0].selects(&other("bank", &[("revision", "2")])));
}

#[test]
fn volumes_by_claim_and_devices_by_claim_are_left_to_kube_scheduler() {
    for spec in [
        json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}),
        json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "g"}]}),
    ] {
        assert!(pending(&pod(&json!({}), spec)).unplannable);
    }
    assert!(!pending(&pod(&json!({}), json!({"volumes": [{"name": "v", "emptyDir": {}}]}))).unplannable);
}
