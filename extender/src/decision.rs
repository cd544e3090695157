//! What was decided and why, kept for whoever asks: one record a request.
//!
//! Promises a bounded memory, and names instead of snapshots: a record that held a
//! snapshot would make every later change of the cluster copy its columns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use crate::verb::Verb;

/// Records kept: about 1000 pods' worth, under 2 MB.
const CAPACITY: usize = 2048;
/// The best candidates that a record names.
pub const NAMED: usize = 5;

/// How an answer came about, as far as the cycle knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The generation of the snapshot that was read; 0: none was.
    pub generation: u64,
    /// Candidates that kube-scheduler offered.
    pub candidates: usize,
    /// Candidates that were refused, by reason.
    pub refused: Vec<(&'static str, usize)>,
    /// The best candidates, best first, with the plugin's score.
    pub best: Vec<Choice>,
    /// The node that the plan has for the pod.
    #[serde(serialize_with = "text")]
    pub planned: Option<Arc<str>>,
    /// Whether the answer is the plan's rather than the scores'.
    pub follows_plan: bool,
}

#[allow(clippy::ref_option, reason = "serde gives a field as it is")]
fn text<S: Serializer>(value: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_deref().serialize(serializer)
}

/// A candidate and what it scored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// The node.
    pub node: String,
    /// The plugin's score, 0 to 100.
    pub score: f64,
}

/// One answered request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// When it was answered, in seconds since 1970.
    pub at: f64,
    /// filter, prioritize or preempt.
    pub verb: &'static str,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID.
    pub uid: String,
    /// The pod's scheduler, which names the profile.
    pub profile: String,
    /// ok, neutral or refused.
    pub outcome: &'static str,
    /// The plugins that failed, and why.
    pub fallbacks: Vec<String>,
    /// From the request's head to its answer, in seconds.
    pub seconds: f64,
    /// Why scores do not follow a plan though the profile plans: a state of planning, not-in-plan or not-offered.
    pub unplanned: Option<&'static str>,
    /// What the cycle saw.
    #[serde(flatten)]
    pub trace: Trace,
}

impl DecisionRecord {
    /// Seconds since it was answered.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> f64 {
        (unix_seconds(now) - self.at).max(0.0)
    }
}

/// Seconds since 1970.
#[must_use]
pub fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

/// The last records.
#[derive(Debug, Default)]
pub struct Decisions {
    records: Mutex<VecDeque<Arc<DecisionRecord>>>,
}

impl Decisions {
    /// Keeps a record; the oldest goes where there are too many.
    pub fn keep(&self, record: DecisionRecord) {
        let mut records = self.records();
        if records.len() == CAPACITY {
            records.pop_front();
        }
        records.push_back(Arc::new(record));
    }

    /// The newest record of each verb for a pod, newest first.
    #[must_use]
    pub fn of(&self, namespace: &str, pod: &str) -> Vec<Arc<DecisionRecord>> {
        let records = self.records();
        let own = records.iter().rev().filter(|record| record.namespace == namespace && record.pod == pod);
        let mut newest: Vec<Arc<DecisionRecord>> = Vec::new();
        for record in own {
            if newest.iter().all(|known| known.verb != record.verb) {
                newest.push(Arc::clone(record));
            }
            if newest.len() == Verb::ALL.len() {
                break;
            }
        }
        newest
    }

    fn records(&self) -> MutexGuard<'_, VecDeque<Arc<DecisionRecord>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pod: &str, verb: Verb, at: f64) -> DecisionRecord {
        DecisionRecord {
            at,
            verb: verb.as_str(),
            namespace: "default".to_owned(),
            pod: pod.to_owned(),
            uid: format!("uid-{pod}"),
            profile: "default-scheduler".to_owned(),
            outcome: "ok",
            fallbacks: Vec::new(),
            seconds: 0.001,
            unplanned: None,
            trace: Trace::default(),
        }
    }

    #[test]
    fn a_pods_newest_record_of_each_verb_is_found() {
        let decisions = Decisions::default();
        for (pod, verb, at) in
            [("a", Verb::Filter, 1.0), ("a", Verb::Prioritize, 2.0), ("b", Verb::Filter, 3.0), ("a", Verb::Filter, 4.0)]
        {
            decisions.keep(record(pod, verb, at));
        }
        let found: Vec<f64> = decisions.of("default", "a").iter().map(|record| record.at).collect();
        assert_eq!(found, [4.0, 2.0]);
        assert!(decisions.of("other", "a").is_empty());
    }

    #[test]
    fn old_records_make_room_for_new_ones() {
        let decisions = Decisions::default();
        decisions.keep(record("first", Verb::Filter, 0.0));
        for at in 0..CAPACITY {
            decisions.keep(record("other", Verb::Filter, at as f64));
        }
        assert!(decisions.of("default", "first").is_empty());
        assert_eq!(decisions.records().len(), CAPACITY);
    }
}
