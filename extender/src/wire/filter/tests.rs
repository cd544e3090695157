//! The exact bytes of every form of the answer.

use super::*;
use crate::wire::args::Request;

const POD: &str = r#""Pod":{"metadata":{"name":"p"}}"#;

fn refused(ground: Ground, by: Option<&str>) -> Refusal<'_> {
    Refusal { ground, by }
}

#[test]
fn a_plugin_that_is_not_ours_answers_for_its_refusals_by_name() {
    let body = format!(r#"{{{POD},"Nodes":null,"NodeNames":["a","b"]}}"#);
    let request = Request::parse(body.as_bytes()).unwrap();
    let refusals =
        [Some(refused(Ground::Forbidden, Some("zones"))), Some(refused(Ground::OverloadedSoon, Some("heat")))];
    assert_eq!(
        String::from_utf8(answer(&request.candidates, &refusals)).unwrap(),
        concat!(
            r#"{"Nodes":null,"NodeNames":[],"FailedNodes":{"b":"node(s) that plugin heat expects to be overloaded soon"},"#,
            r#""FailedAndUnresolvableNodes":{"a":"node(s) refused by plugin zones"},"Error":""}"#
        )
    );
}

#[test]
fn names_are_answered_with_names() {
    let body = format!(r#"{{{POD},"Nodes":null,"NodeNames":["a","b","c","d"]}}"#);
    let request = Request::parse(body.as_bytes()).unwrap();
    let refusals = [None, Some(refused(Ground::Forbidden, None)), Some(refused(Ground::OverloadedSoon, None)), None];
    assert_eq!(
        String::from_utf8(answer(&request.candidates, &refusals)).unwrap(),
        concat!(
            r#"{"Nodes":null,"NodeNames":["a","d"],"FailedNodes":{"c":"node(s) forecast to be overloaded soon"},"#,
            r#""FailedAndUnresolvableNodes":{"b":"node(s) forbidden by Gantry's dictionary"},"Error":""}"#
        )
    );
}

#[test]
fn nodes_are_answered_with_the_same_bytes_of_nodes() {
    let node = r#"{"metadata": {"name":"a"},  "x":"\u003c"}"#;
    let body = format!(
        r#"{{{POD},"Nodes":{{"metadata":{{}},"items":[{node},{{"metadata":{{"name":"b"}}}}]}},"NodeNames":null}}"#
    );
    let request = Request::parse(body.as_bytes()).unwrap();
    assert_eq!(
        String::from_utf8(answer(&request.candidates, &[None, Some(refused(Ground::Forbidden, None))])).unwrap(),
        format!(
            r#"{{"Nodes":{{"metadata":{{}},"items":[{node}]}},"NodeNames":null,"FailedNodes":{{}},"FailedAndUnresolvableNodes":{{"b":"node(s) forbidden by Gantry's dictionary"}},"Error":""}}"#
        )
    );
}

#[test]
fn no_candidates_in_means_no_candidates_out_and_still_a_list() {
    let body = format!(r#"{{{POD},"NodeNames":[]}}"#);
    let request = Request::parse(body.as_bytes()).unwrap();
    assert_eq!(
        pass_all(&request.candidates),
        br#"{"Nodes":null,"NodeNames":[],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}"#
    );
}

#[test]
fn an_error_names_no_nodes() {
    assert_eq!(
        String::from_utf8(error("no \"pod\"")).unwrap(),
        r#"{"Nodes":null,"NodeNames":null,"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":"no \"pod\""}"#
    );
}
