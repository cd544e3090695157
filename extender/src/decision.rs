//! What was decided and why, kept for whoever asks: one record a request.
//!
//! Promises a bounded memory, and names instead of snapshots: a record that held a
//! snapshot would make every later change of the cluster copy its columns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gantry_cluster::PodRow;
use serde::{Serialize, Serializer};

use crate::verb::Verb;

/// Records kept: about 1000 pods' worth; with the pods themselves, 1 to 2 kB each, some 4 MB.
const CAPACITY: usize = 2048;
/// The best candidates that a record names.
pub const NAMED: usize = 5;
/// Why a planned node is no choice: kube-scheduler did not offer it.
pub const NOT_OFFERED: &str = "not-offered";
/// Why a planned node is no choice: Filter has refused it.
pub const REFUSED: &str = "refused";

/// How an answer came about, as far as the cycle knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The generation of the snapshot that was read; 0: none was.
    pub generation: u64,
    /// Candidates that kube-scheduler offered.
    pub candidates: usize,
    /// Candidates that were refused, by reason.
    pub refused: Vec<(String, usize)>,
    /// The best candidates, best first, with the plugins' score; none is preferred where that is not above 0.
    pub best: Vec<Choice>,
    /// The node that the plan has for the pod.
    #[serde(serialize_with = "text")]
    pub planned: Option<Arc<str>>,
    /// Whether the answer is the plan's rather than the scores'.
    pub follows_plan: bool,
    /// Why the planned node was no choice: not-offered by kube-scheduler, or refused by Filter, also where the one that is
    /// asked is Prioritize.
    pub against_plan: Option<&'static str>,
    /// What ties between equal scores were broken by, of a ranking; `None` where no candidate was preferred.
    #[serde(serialize_with = "hexadecimal")]
    pub seed: Option<u64>,
    /// The plugins that were asked, in the order of asking.
    pub plugins: Vec<PluginCall>,
    /// The pod that it was about, to be asked about again.
    #[serde(skip)]
    pub pod: Option<Arc<PodRow>>,
}

#[allow(clippy::ref_option, reason = "serde gives a field as it is")]
fn text<S: Serializer>(value: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_deref().serialize(serializer)
}

/// As text: not every reader of JSON has numbers of 64 bits.
#[allow(clippy::ref_option, reason = "serde gives a field as it is")]
fn hexadecimal<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|value| format!("{value:016x}")).serialize(serializer)
}

/// One plugin's part in an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginCall {
    /// Its name in the configuration.
    #[serde(serialize_with = "name")]
    pub name: Arc<str>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it answered; if not, the record's fallbacks say why.
    pub answered: bool,
}

fn name<S: Serializer>(value: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value)
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
    /// ok, neutral, no-profile or shadow.
    pub outcome: &'static str,
    /// The plugins that failed, and why.
    pub fallbacks: Vec<String>,
    /// From the request's head to its answer, in seconds.
    pub seconds: f64,
    /// The part of that before the cycle began: the body, a free thread, parsing.
    pub waited_seconds: f64,
    /// Age of the oldest data of the forecasts in use, in seconds; `None`: there were none.
    pub forecast_age_seconds: Option<i64>,
    /// Why scores do not follow a plan though the profile plans: a state of planning, shadow, not-in-plan, not-offered
    /// or refused.
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

    /// The newest record of a filter request for the pod of this UID. Who asks comes soon after it: few are looked at.
    #[must_use]
    pub fn filtered(&self, uid: &str) -> Option<Arc<DecisionRecord>> {
        let records = self.records();
        let is_it = |record: &&Arc<DecisionRecord>| record.uid == uid && record.verb == Verb::Filter.as_str();
        let newest = records.iter().rev().find(is_it);
        newest.cloned()
    }

    fn records(&self) -> MutexGuard<'_, VecDeque<Arc<DecisionRecord>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl DecisionRecord {
    /// An answer like any other, for tests to change where they look.
    pub(crate) fn sample(pod: &str, verb: Verb) -> Self {
        Self {
            at: 0.0,
            verb: verb.as_str(),
            namespace: "default".to_owned(),
            pod: pod.to_owned(),
            uid: format!("uid-{pod}"),
            profile: "default-scheduler".to_owned(),
            outcome: "ok",
            fallbacks: Vec::new(),
            seconds: 0.0012,
            waited_seconds: 0.0002,
            forecast_age_seconds: None,
            unplanned: None,
            trace: Trace::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pod: &str, verb: Verb, at: f64) -> DecisionRecord {
        DecisionRecord { at, ..DecisionRecord::sample(pod, verb) }
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
        assert_eq!(decisions.filtered("uid-a").map(|record| record.at), Some(4.0));
        assert_eq!(decisions.filtered("uid-b").map(|record| record.at), Some(3.0));
        assert!(decisions.filtered("uid-c").is_none());
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
