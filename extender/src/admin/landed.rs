//! What became of a pod's place in a plan that is over, and why.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::plan::written;
use crate::decision::{DecisionRecord, unix_seconds};
use crate::planner::{Landing, Remembered, Why};

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

#[cfg(test)]
mod tests {
    use super::*;

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
