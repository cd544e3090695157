//! The exact bytes, and the laws that kube-scheduler does not check for us.

use proptest::prelude::*;

use super::*;
use crate::wire::go::Text;

fn names<'a>(names: &'a [&str]) -> Candidates<'a> {
    Candidates::Names(names.iter().map(|name| Text::from(*name)).collect())
}

#[test]
fn the_answer_is_an_array_of_whole_numbers_above_0() {
    let priorities = [Priority::MAX, Priority::saturating(9), Priority::MIN];
    assert_eq!(
        String::from_utf8(answer(&names(&["a", "b\"", "c"]), &priorities)).unwrap(),
        r#"[{"Host":"a","Score":10},{"Host":"b\"","Score":9}]"#
    );
}

#[test]
fn equal_scores_name_every_candidate() {
    assert_eq!(equal(&names(&["a", "b"])), br#"[{"Host":"a","Score":0},{"Host":"b","Score":0}]"#);
    assert_eq!(equal(&names(&[])), b"[]");
}

#[test]
fn a_name_sent_twice_is_scored_once() {
    let candidates = names(&["a", "a"]);
    assert_eq!(answer(&candidates, &[Priority::MAX, Priority::MAX]), br#"[{"Host":"a","Score":10}]"#);
}

#[test]
fn a_planned_node_is_named_alone() {
    assert_eq!(only("a\""), br#"[{"Host":"a\"","Score":10}]"#);
}

proptest! {
    #[test]
    fn whatever_the_number_the_score_is_a_whole_number_from_0_to_10(number in any::<usize>(), name in ".*") {
        let candidates = Candidates::Names(vec![Text::from(name.as_str())]);
        let bytes = answer(&candidates, &[Priority::saturating(number)]);
        let list: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(list.is_empty(), number == 0);
        for entry in list {
            prop_assert_eq!(entry["Host"].as_str(), Some(name.as_str()));
            prop_assert!((1..=10).contains(&entry["Score"].as_u64().unwrap()));
        }
    }
}
