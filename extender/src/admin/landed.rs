//! What became of a pod's place in a plan that is over, and why.
//!
//! The reason is read off the records of what was answered: from a closed set, and
//! unknown where no record tells.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::plan::written;
use crate::decision::{DecisionRecord, unix_seconds};
use crate::planner::{Landing, Remembered};
use crate::verb::Verb;

/// What became of a pod's place in a plan that is over.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Landed {
    /// The plan.
    serial: u64,
    /// The node it had there.
    pub(super) planned: String,
    /// planned, elsewhere or gone.
    landing: &'static str,
    /// Why it landed elsewhere.
    why: Option<Why>,
    /// When that was seen.
    time: Option<String>,
    seconds_ago: f64,
}

/// Why a pod is not where it was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Why {
    /// kube-scheduler did not offer the node: its own filters, a nomination of its own, or the sample above 100 nodes.
    NotOffered,
    /// Filter refused the node: the dictionary, or the forecast.
    Refused,
    /// The node had the best mark of Gantry's, and kube-scheduler's other scores outweighed it.
    Outvoted,
    /// When kube-scheduler asked, the plan had another node for it, or none.
    OtherPlan,
    /// The node was offered; the profile's mode is guide, which scores and does not insist.
    Scored,
    /// No record tells.
    Unknown,
}

impl Landed {
    pub(super) fn of(remembered: &Remembered, decisions: &[Arc<DecisionRecord>], now: SystemTime) -> Self {
        let own = || decisions.iter().filter(|record| *record.uid == *remembered.pod.uid).map(AsRef::as_ref);
        Self {
            serial: remembered.serial,
            planned: remembered.node.to_string(),
            landing: remembered.landing.as_str(),
            why: (remembered.landing == Landing::Elsewhere).then(|| Why::of(&remembered.node, own)),
            time: written(unix_seconds(remembered.at)),
            seconds_ago: (unix_seconds(now) - unix_seconds(remembered.at)).max(0.0),
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { serial, planned, landing, why, seconds_ago, .. } = self;
        let fate = match *landing {
            "planned" => "landed there",
            "elsewhere" => "landed elsewhere",
            _ => "deleted while it waited",
        };
        let why = why.map(|why| format!(": {}", why.text())).unwrap_or_default();
        format!("  planned: {planned} in plan {serial}; {fate} {seconds_ago:.1} s ago{why}")
    }
}

impl Why {
    fn of<'a, I: Iterator<Item = &'a DecisionRecord>>(planned: &str, records: impl Fn() -> I) -> Self {
        let last = |verb: Verb| records().find(|record| record.verb == verb.as_str());
        let (filter, prioritize) = (last(Verb::Filter), last(Verb::Prioritize));
        let Some(asked) = prioritize.or(filter) else { return Self::Unknown };
        if asked.trace.planned.as_deref() != Some(planned) {
            return Self::OtherPlan;
        }
        match filter.and_then(|record| record.trace.against_plan) {
            Some("not-offered") => Self::NotOffered,
            Some(_) => Self::Refused,
            None => match prioritize {
                Some(record) if record.trace.follows_plan => Self::Outvoted,
                Some(record) if record.unplanned == Some("not-offered") => Self::NotOffered,
                Some(record) if record.unplanned.is_none() => Self::Scored,
                _ => Self::Unknown,
            },
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NotOffered => "kube-scheduler did not offer that node",
            Self::Refused => "Filter refused that node",
            Self::Outvoted => "kube-scheduler's other scores outvoted the plan",
            Self::OtherPlan => "when kube-scheduler asked, the plan had another node for it, or none",
            Self::Scored => "the profile's mode is guide, and another node scored better",
            Self::Unknown => "no record of this replica tells why",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Trace;

    fn record(verb: Verb, unplanned: Option<&'static str>, trace: Trace) -> DecisionRecord {
        DecisionRecord { unplanned, trace, ..DecisionRecord::sample("web", verb) }
    }

    #[test]
    fn the_records_tell_why_a_pod_is_elsewhere() {
        let planned = || Trace { planned: Some("n1".into()), ..Trace::default() };
        let against = |why| Trace { against_plan: Some(why), ..planned() };
        let follows = || Trace { follows_plan: true, ..planned() };
        let (filter, prioritize) = (Verb::Filter, Verb::Prioritize);
        for (records, why) in [
            (vec![], Why::Unknown),
            (vec![record(filter, None, planned())], Why::Unknown),
            (vec![record(filter, None, against("not-offered"))], Why::NotOffered),
            (vec![record(prioritize, Some("not-offered"), planned())], Why::NotOffered),
            (vec![record(filter, None, against("refused"))], Why::Refused),
            (vec![record(filter, None, planned()), record(prioritize, None, follows())], Why::Outvoted),
            (vec![record(prioritize, None, planned())], Why::Scored),
            (vec![record(prioritize, Some("searching"), Trace::default())], Why::OtherPlan),
        ] {
            assert_eq!(Why::of("n1", || records.iter()), why, "{records:?}");
        }
    }

    #[test]
    fn a_pod_of_a_plan_that_is_over_reads_as_where_it_went() {
        let there =
            Landed { serial: 2, planned: "n7".into(), landing: "planned", why: None, time: None, seconds_ago: 4.0 };
        assert_eq!(there.text(), "  planned: n7 in plan 2; landed there 4.0 s ago");
        let elsewhere = Landed { landing: "elsewhere", why: Some(Why::NotOffered), ..there };
        let text = "  planned: n7 in plan 2; landed elsewhere 4.0 s ago: kube-scheduler did not offer that node";
        assert_eq!(elsewhere.text(), text);
    }
}
