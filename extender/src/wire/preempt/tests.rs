//! The exact bytes, and the law that saves kube-scheduler: never a null.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const POD: &str = r#""Pod":{"metadata":{"name":"p"}}"#;

#[test]
fn uids_come_back_as_they_came() {
    let map = r#"{"node-a":{"Pods":[{"UID":"u1"},{"UID":"u2"}],"NumPDBViolations":1},"node-b":{"Pods":[{"UID":"u3"}],"NumPDBViolations":0}}"#;
    let body = format!(r#"{{{POD},"NodeNameToVictims":null,"NodeNameToMetaVictims":{map}}}"#);
    let request = Request::parse(body.as_bytes()).unwrap();
    assert_eq!(
        String::from_utf8(answer(&request.candidates)).unwrap(),
        format!(r#"{{"NodeNameToMetaVictims":{map}}}"#)
    );
}

#[test]
fn whole_pods_come_back_as_uids() {
    let body = format!(
        r#"{{{POD},"NodeNameToVictims":{{"node-a":{{"Pods":[{{"metadata":{{"uid":"u1","name":"x"}},"spec":{{}}}}],"NumPDBViolations":2}}}}}}"#
    );
    let request = Request::parse(body.as_bytes()).unwrap();
    assert_eq!(
        answer(&request.candidates),
        br#"{"NodeNameToMetaVictims":{"node-a":{"Pods":[{"UID":"u1"}],"NumPDBViolations":2}}}"#
    );
}

#[test]
fn lower_case_keys_of_older_schedulers_are_read() {
    let body = r#"{"pod":{},"nodeNameToMetaVictims":{"a":{"pods":[{"uid":"u"}],"numPDBViolations":0}}}"#;
    assert_eq!(Request::parse(body.as_bytes()).unwrap().candidates[0].victims, [Text::from("u")]);
}

#[test]
fn no_candidates_are_an_empty_map() {
    let body = format!(r#"{{{POD},"NodeNameToVictims":null,"NodeNameToMetaVictims":null}}"#);
    assert_eq!(answer(&Request::parse(body.as_bytes()).unwrap().candidates), br#"{"NodeNameToMetaVictims":{}}"#);
}

#[test]
fn a_candidate_with_a_nameless_victim_is_left_out_whole() {
    for victims in
        ["null", r#"{"Pods":null}"#, r#"{"Pods":[]}"#, r#"{"Pods":[null,{"UID":"u"}]}"#, r#"{"Pods":[{"UID":""}]}"#]
    {
        let body = format!(r#"{{{POD},"NodeNameToMetaVictims":{{"a":{victims}}}}}"#);
        assert!(Request::parse(body.as_bytes()).unwrap().candidates.is_empty(), "{victims}");
    }
    let body = format!(r#"{{{POD},"NodeNameToVictims":{{"a":{{"Pods":[null]}}}}}}"#);
    assert!(Request::parse(body.as_bytes()).unwrap().candidates.is_empty());
}

#[test]
fn an_error_names_the_path() {
    let cases = [
        (r#""NodeNameToMetaVictims":{"a":{"Pods":[{"UID":5}]}}"#, "NodeNameToMetaVictims.a.Pods[0].UID"),
        (r#""NodeNameToMetaVictims":{"a":{"NumPDBViolations":1.5}}"#, "NodeNameToMetaVictims.a.NumPDBViolations"),
        (r#""NodeNameToVictims":{"a":{"Pods":[{"metadata":{"uid":1}}]}}"#, "NodeNameToVictims.a.Pods[0].metadata.uid"),
        (r#""NodeNameToVictims":[]"#, "NodeNameToVictims"),
    ];
    for (rest, path) in cases {
        let error = Request::parse(format!("{{{POD},{rest}}}").as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("malformed request at {path}: ")), "{error}");
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        _ => false,
    }
}

fn any_pod() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!({"UID": null})),
        ".{0,4}".prop_map(|uid| json!({ "UID": uid }))
    ]
}

fn any_victims() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!({"Pods": null, "NumPDBViolations": null})),
        (prop::collection::vec(any_pod(), 0..4), any::<i64>())
            .prop_map(|(pods, violations)| json!({"Pods": pods, "NumPDBViolations": violations})),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_in_no_null_goes_out(map in prop::collection::btree_map(".{0,6}", any_victims(), 0..6)) {
        let body = json!({"Pod": {}, "NodeNameToVictims": null, "NodeNameToMetaVictims": map}).to_string();
        let request = Request::parse(body.as_bytes()).unwrap();
        let written: Value = serde_json::from_slice(&answer(&request.candidates)).unwrap();
        prop_assert!(!holds_null(&written), "{}", written);
        let by_node = written["NodeNameToMetaVictims"].as_object().unwrap();
        prop_assert!(by_node.values().all(|victims| !victims["Pods"].as_array().unwrap().is_empty()));
        prop_assert!(by_node.keys().all(|node| map.contains_key(node)));
    }
}
