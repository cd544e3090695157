//! Every key spelling that schedulers use, and the paths of what is wrong.

use super::*;

fn body(pod: &str, rest: &str) -> String {
    format!(r#"{{{pod}:{{"metadata":{{"name":"p","namespace":"n","uid":"u"}}}},{rest}}}"#)
}

fn names(candidates: &Candidates) -> Vec<String> {
    candidates.names().map(str::to_owned).collect()
}

#[test]
fn keys_match_in_every_case() {
    for (pod, node_names) in [("Pod", "NodeNames"), ("pod", "nodenames"), ("pod", "nodeNames"), ("POD", "NODENAMES")] {
        let body = body(&format!("\"{pod}\""), &format!(r#""{node_names}":["a","b"]"#));
        let request = Request::parse(body.as_bytes()).unwrap();
        assert_eq!(names(&request.candidates), ["a", "b"], "{pod} {node_names}");
        assert_eq!(&*request.pod.head.metadata.uid, "u");
    }
}

#[test]
fn a_pod_that_names_no_scheduler_is_the_default_ones() {
    for (spec, scheduler) in [
        ("{}", "default-scheduler"),
        (r#"{"spec":{}}"#, "default-scheduler"),
        (r#"{"spec":{"schedulerName":""}}"#, "default-scheduler"),
        (r#"{"spec":{"schedulerName":"batch"}}"#, "batch"),
    ] {
        let body = format!(r#"{{"Pod":{spec},"NodeNames":["a"]}}"#);
        let request = Request::parse(body.as_bytes()).unwrap();
        assert_eq!(&*request.pod.head.spec.scheduler_name, scheduler, "{spec}");
    }
}

#[test]
fn the_unused_form_may_be_null_and_unknown_keys_are_ignored() {
    let body = body("\"Pod\"", r#""Nodes":null,"NodeNames":["a"],"Future":{"x":[1]}"#);
    assert!(
        matches!(Request::parse(body.as_bytes()).unwrap().candidates, Candidates::Names(names) if names.len() == 1)
    );
}

#[test]
fn whole_nodes_keep_their_bytes() {
    let node = r#"{ "metadata": {"name":"a","resourceVersion":"7"}, "x": 1.50 }"#;
    let body = body("\"Pod\"", &format!(r#""Nodes":{{"metadata":{{}},"items":[{node}]}},"NodeNames":null"#));
    let request = Request::parse(body.as_bytes()).unwrap();
    let Candidates::Nodes(nodes) = &request.candidates else { panic!("names, though nodes were sent") };
    assert_eq!(nodes[0].raw.get(), node);
    assert_eq!((&*nodes[0].metadata.name, &*nodes[0].metadata.resource_version), ("a", "7"));
}

#[test]
fn the_names_count_where_both_forms_are_given() {
    let body = body("\"Pod\"", r#""Nodes":{"items":[]},"NodeNames":["a"]"#);
    assert_eq!(names(&Request::parse(body.as_bytes()).unwrap().candidates), ["a"]);
}

#[test]
fn names_with_escapes_are_read() {
    let body = body("\"Pod\"", r#""NodeNames":["a\u002db"]"#);
    assert_eq!(names(&Request::parse(body.as_bytes()).unwrap().candidates), ["a-b"]);
}

#[test]
fn an_error_names_the_path_of_the_value_at_fault() {
    let pod = r#"{"metadata":{"name":"p"}}"#;
    let cases = [
        (String::new(), "malformed request at .: EOF"),
        ("[]".to_owned(), "malformed request at .: invalid type: sequence"),
        ("<html>".to_owned(), "malformed request at .: expected value"),
        ("\u{feff}{}".to_owned(), "malformed request at .: expected value"),
        ("{}".to_owned(), "malformed request at Pod: a pod is required"),
        (format!(r#"{{"Pod":{pod}}}"#), "malformed request at NodeNames: neither"),
        (format!(r#"{{"Pod":{pod},"NodeNames":"a"}}"#), "malformed request at NodeNames: invalid type: string"),
        (format!(r#"{{"Pod":{pod},"NodeNames":["a",5]}}"#), "malformed request at NodeNames[1]: invalid type: integer"),
        (format!(r#"{{"Pod":{pod},"NodeNames":["a"]"#), "malformed request at ?: EOF"),
        (format!(r#"{{"Pod":{pod},"NodeNames":["a"]}} x"#), "malformed request at .: trailing characters"),
        (r#"{"Pod":7,"NodeNames":[]}"#.to_owned(), "malformed request at Pod: invalid type: integer"),
        (
            r#"{"Pod":{"metadata":{"uid":[]}},"NodeNames":[]}"#.to_owned(),
            "malformed request at Pod.metadata.uid: invalid",
        ),
        (
            format!(r#"{{"Pod":{pod},"Nodes":{{"items":[{{}}]}}}}"#),
            "malformed request at Nodes.items[0]: missing field",
        ),
        (
            format!(r#"{{"Pod":{pod},"Nodes":{{"items":[null]}}}}"#),
            "malformed request at Nodes.items[0]: invalid type: null",
        ),
        (
            format!(r#"{{"Pod":{pod},"Nodes":{{"items":[{{"metadata":{{"name":""}}}}]}}}}"#),
            "malformed request at Nodes.items[0].metadata.name: a node has no name",
        ),
        (
            format!(r#"{{"Pod":{pod},"Nodes":{{"items":[{{"metadata":{{"name":1}}}}]}}}}"#),
            "malformed request at Nodes.items[0].metadata.name: invalid type: integer",
        ),
    ];
    for (body, expected) in cases {
        let error = Request::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{body}\n  got  {error}\n  want {expected}");
    }
}

#[test]
fn a_name_longer_than_kubernetes_takes_is_refused_by_its_path() {
    let (fits, long) = ("n".repeat(253), "n".repeat(254));
    let pod = |key: &str, name: &str| format!(r#"{{"Pod":{{"metadata":{{"{key}":"{name}"}}}},"NodeNames":["a"]}}"#);
    let scheduler = |name: &str| format!(r#"{{"Pod":{{"spec":{{"schedulerName":"{name}"}}}},"NodeNames":["a"]}}"#);
    let node = |name: &str| format!(r#"{{"Pod":{{}},"NodeNames":["a","{name}"]}}"#);
    let whole = |name: &str| format!(r#"{{"Pod":{{}},"Nodes":{{"items":[{{"metadata":{{"name":"{name}"}}}}]}}}}"#);
    let mut cases: Vec<(String, String, String)> = ["name", "namespace", "uid", "resourceVersion"]
        .map(|key| (pod(key, &fits), pod(key, &long), format!("Pod.metadata.{key}")))
        .into();
    cases.push((scheduler(&fits), scheduler(&long), "Pod.spec.schedulerName".to_owned()));
    cases.push((node(&fits), node(&long), "NodeNames[1]".to_owned()));
    cases.push((whole(&fits), whole(&long), "Nodes.items[0].metadata.name".to_owned()));
    for (good, bad, path) in cases {
        assert!(Request::parse(good.as_bytes()).is_ok(), "{path}");
        let error = Request::parse(bad.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, format!("malformed request at {path}: 254 bytes, and names have 253 at most"));
    }
}

#[test]
fn bytes_that_are_no_utf_8_are_malformed() {
    let mut body = body("\"Pod\"", r#""NodeNames":["a"]"#).into_bytes();
    let position = body.iter().rposition(|byte| *byte == b'a').unwrap();
    body[position] = 0xff;
    let error = Request::parse(&body).unwrap_err().to_string();
    assert!(error.starts_with("malformed request at NodeNames[0]: invalid unicode"), "{error}");
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let deep = "[".repeat(200_000);
    assert!(Request::parse(format!(r#"{{"Pod":{deep}"#).as_bytes()).is_err());
    let closed = format!("{deep}{}", "]".repeat(200_000));
    assert!(Request::parse(format!(r#"{{"Pod":{closed},"NodeNames":[]}}"#).as_bytes()).is_err());
}
