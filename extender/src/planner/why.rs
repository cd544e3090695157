//! Why a pod went elsewhere than it was planned.
//!
//! Read off the records of what was answered: from a closed set, and unknown where no
//! record tells. Must not know who wants to know.

use serde::Serialize;

use crate::decision::{DecisionRecord, NOT_OFFERED};
use crate::verb::Verb;

/// Why a pod is not where it was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
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

impl Why {
    /// Every reason there is.
    pub const ALL: [Self; 6] =
        [Self::NotOffered, Self::Refused, Self::Outvoted, Self::OtherPlan, Self::Scored, Self::Unknown];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotOffered => "not-offered",
            Self::Refused => "refused",
            Self::Outvoted => "outvoted",
            Self::OtherPlan => "other-plan",
            Self::Scored => "scored",
            Self::Unknown => "unknown",
        }
    }

    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotOffered => "kube-scheduler did not offer that node",
            Self::Refused => "Filter refused that node",
            Self::Outvoted => "kube-scheduler's other scores outvoted the plan",
            Self::OtherPlan => "when kube-scheduler asked, the plan had another node for it, or none",
            Self::Scored => "the profile's mode is guide, and another node scored better",
            Self::Unknown => "no record of this replica tells why",
        }
    }

    /// What the records of a pod say, newest first, that was `planned` for a node.
    #[must_use]
    pub fn of<'a, I: Iterator<Item = &'a DecisionRecord>>(planned: &str, records: impl Fn() -> I) -> Self {
        let last = |verb: Verb| records().find(|record| record.verb == verb.as_str());
        let (filter, prioritize) = (last(Verb::Filter), last(Verb::Prioritize));
        let Some(asked) = prioritize.or(filter) else { return Self::Unknown };
        if asked.trace.planned.as_deref() != Some(planned) {
            return Self::OtherPlan;
        }
        match filter.and_then(|record| record.trace.against_plan) {
            Some(NOT_OFFERED) => Self::NotOffered,
            Some(_) => Self::Refused,
            None => match prioritize {
                Some(record) if record.trace.follows_plan => Self::Outvoted,
                Some(record) if record.unplanned == Some(NOT_OFFERED) => Self::NotOffered,
                Some(record) if record.unplanned.is_none() => Self::Scored,
                _ => Self::Unknown,
            },
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
    fn a_reason_reads_the_same_in_a_label_and_in_a_document() {
        for why in Why::ALL {
            assert_eq!(serde_json::to_value(why).unwrap(), why.as_str());
        }
    }
}
