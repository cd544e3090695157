//! Whose word is shown, of several replicas that have answered.
//!
//! One replica leads: it plans, and sees what becomes of its plans. kube-scheduler may ask another one, which then has
//! the decisions. So of a pod two may be shown: where it stands by the one, what was decided by the other. Must not know
//! the way to a replica, nor more of an answer than whose it is, and of when.

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// What a replica has answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The way to the replica.
    pub(super) replica: String,
    /// Its words.
    pub(super) body: String,
    /// What they say; null where they are no JSON.
    document: Value,
}

impl Answer {
    pub(super) fn new(replica: &str, body: String) -> Self {
        let document = serde_json::from_str(&body).unwrap_or_default();
        Self { replica: replica.to_owned(), body, document }
    }

    /// The same document with the decisions of another one.
    pub(super) fn with_decisions_of(&self, other: &Self) -> Value {
        let mut document = self.document.clone();
        for key in ["decisions", "time"] {
            document[key] = other.document[key].clone();
        }
        document
    }

    fn time(&self, pointer: &str) -> Option<Timestamp> {
        self.document.pointer(pointer)?.as_str()?.parse().ok()
    }

    /// The profiles that a list of plans tells of.
    fn profiles(&self) -> impl Iterator<Item = &Value> {
        self.document.as_array().into_iter().flatten()
    }

    /// The pod that is explained; none: the replica is of an earlier release, which does not say.
    fn uid(&self) -> Option<&str> {
        self.document["uid"].as_str()
    }

    /// How much is known of where a pod stands: 2: it waits, landed, or is in a plan that stands; 1: a plan had it.
    fn knowledge(&self) -> u8 {
        let is_known = |key: &str| !self.document[key].is_null();
        if is_known("waiting") || is_known("landed") || self.document["plan"]["stands"] == true {
            2
        } else {
            u8::from(is_known("plan"))
        }
    }

    /// When a pod was last heard of.
    fn last_heard(&self) -> Option<Timestamp> {
        ["/time", "/landed/time", "/plan/time"].into_iter().filter_map(|pointer| self.time(pointer)).max()
    }
}

/// The newest record.
pub(super) fn newest(answers: &[Answer]) -> Option<&Answer> {
    best(answers, |answer| answer.time("/time"))
}

/// The plans of the replica that leads; where none or several say so, the newest.
pub(super) fn of_leader(answers: &[Answer]) -> Option<&Answer> {
    best(answers, |answer| {
        let led = answer.profiles().filter(|profile| profile["leads"] == true).count();
        let made = answer.profiles().filter_map(|profile| profile["made"].as_str()?.parse::<Timestamp>().ok());
        (led, made.max())
    })
}

/// Who tells best where a pod stands, and who has the decisions about it, where another replica has newer ones.
///
/// A pod may have had a namesake before it: whoever knows of that one only is not heard.
pub(super) fn of_pod(answers: &[Answer]) -> Option<(&Answer, Option<&Answer>)> {
    let present = best(answers, |answer| {
        let [is_seen, waits] = [answer.document["state"] != "unknown", !answer.document["waiting"].is_null()];
        (is_seen, waits, answer.last_heard())
    })?;
    let same: Vec<&Answer> = answers.iter().filter(|answer| answer.uid() == present.uid()).collect();
    let standing = best(same.iter().copied(), |answer| {
        (answer.knowledge(), answer.document["leads"] == true, answer.last_heard())
    })?;
    let asked = best(same, |answer| answer.time("/time")).filter(|asked| asked.time("/time") > standing.time("/time"));
    // Only who says whose decisions they are can be asked for them alone.
    Some((standing, asked.filter(|asked| asked.uid().is_some())))
}

/// The first of the best.
fn best<'a, K: PartialOrd>(
    answers: impl IntoIterator<Item = &'a Answer>,
    key: impl Fn(&Answer) -> K,
) -> Option<&'a Answer> {
    answers.into_iter().reduce(|best, next| if key(next) > key(best) { next } else { best })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EARLY: &str = "2026-11-22T08:00:00Z";
    const LATE: &str = "2026-11-22T08:00:00.5Z";

    fn answers(documents: &[Value]) -> Vec<Answer> {
        let answer = |(number, document): (usize, &Value)| Answer::new(&number.to_string(), document.to_string());
        documents.iter().enumerate().map(answer).collect()
    }

    /// The replicas that are chosen for a pod.
    fn chosen(documents: &[Value]) -> (String, Option<String>) {
        let answers = answers(documents);
        let (standing, asked) = of_pod(&answers).unwrap();
        (standing.replica.clone(), asked.map(|asked| asked.replica.clone()))
    }

    fn both(standing: &str, asked: &str) -> (String, Option<String>) {
        (standing.to_owned(), Some(asked.to_owned()))
    }

    fn one(replica: &str) -> (String, Option<String>) {
        (replica.to_owned(), None)
    }

    #[test]
    fn plans_are_the_leaders_and_without_a_leader_the_newest() {
        let plans = |leads: bool, made: &str| json!([{"schedulerName": "s", "leads": leads, "made": made}]);
        for (documents, replica) in [
            ([plans(false, LATE), plans(true, EARLY)], "1"),
            ([plans(true, EARLY), plans(false, LATE)], "0"),
            ([plans(false, EARLY), plans(false, LATE)], "1"),
            ([plans(true, LATE), plans(true, EARLY)], "0"),
            ([json!([]), plans(true, EARLY)], "1"),
            ([json!([]), json!([])], "0"),
        ] {
            assert_eq!(of_leader(&answers(&documents)).unwrap().replica, replica, "{documents:?}");
        }
    }

    #[test]
    fn where_a_pod_stands_is_the_leaders_to_say_and_what_was_answered_whoever_was_asked_last() {
        let landed = json!({"uid": "u", "state": "bound", "leads": true, "landed": {"time": LATE}});
        let over = json!({"stands": false, "time": EARLY});
        let asked = |time: &str| json!({"uid": "u", "state": "bound", "leads": false, "plan": over, "time": time});
        assert_eq!(chosen(&[asked(EARLY), landed.clone()]), both("1", "0"));
        assert_eq!(chosen(&[asked(EARLY), landed.clone(), asked(LATE)]), both("1", "2"));
        let gated = |leads: bool| json!({"uid": "u", "state": "waiting", "leads": leads, "waiting": {}});
        assert_eq!(chosen(&[gated(false), gated(true)]), one("1"));
        assert_eq!(chosen(&[asked(LATE)]), one("0"));
        let led_before = json!({"uid": "u", "state": "bound", "leads": false, "landed": {"time": EARLY}});
        let leads_now = json!({"uid": "u", "state": "bound", "leads": true, "plan": over});
        assert_eq!(chosen(&[leads_now, led_before]), one("1"), "only it saw the pod land");
    }

    #[test]
    fn a_replica_that_knows_only_a_former_namesake_is_not_heard() {
        let gone = json!({"uid": "old", "state": "unknown", "leads": true, "landed": {}, "time": LATE});
        let new = json!({"uid": "new", "state": "bound", "leads": false, "landed": {"time": EARLY}});
        assert_eq!(chosen(&[gone.clone(), new]), one("1"));
        let waits = json!({"uid": "new", "state": "waiting", "leads": false, "waiting": {}});
        let stale = json!({"uid": "old", "state": "bound", "leads": true, "time": LATE});
        assert_eq!(chosen(&[stale, waits, gone]), one("1"));
    }

    #[test]
    fn of_replicas_that_do_not_say_whose_decisions_they_have_one_is_shown_alone() {
        let waits = json!({"state": "waiting", "waiting": {}, "time": EARLY});
        assert_eq!(chosen(&[json!({"state": "waiting", "time": LATE}), waits]), one("1"));
        assert_eq!(chosen(&[json!({"time": EARLY}), json!({"time": LATE})]), one("1"));
    }

    #[test]
    fn decisions_are_taken_over_with_their_time() {
        let answers = answers(&[json!({"node": "a", "time": EARLY}), json!({"time": LATE, "decisions": [1]})]);
        let merged = answers[0].with_decisions_of(&answers[1]);
        assert_eq!(merged, json!({"node": "a", "time": LATE, "decisions": [1]}));
    }
}
