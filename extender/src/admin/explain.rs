//! Why a pod is where it is, or why it waits: the answers to `/explain`.
//!
//! Everything is put together when somebody asks, from the records of what was
//! answered, the plan, and the cluster as it is now; nothing is computed for it in the
//! request path.

use std::sync::Arc;
use std::time::SystemTime;

use gantry_cluster::{PodRow, Snapshot, Whereabouts};
use k8s_openapi::jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::decision::{DecisionRecord, unix_seconds};
use crate::handlers::Context;
use crate::planner::{GATE, PlanState, Post, Remembered};
use crate::standing::Standing;

/// All that is known of one pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explanation {
    /// When the newest answer was given: with several replicas the newest explanation is the one to read.
    time: Option<String>,
    namespace: String,
    pod: String,
    /// bound, assumed, waiting or unknown.
    state: &'static str,
    /// The node it is bound to or assumed on.
    node: Option<String>,
    waiting: Option<Waiting>,
    plan: Option<InPlan>,
    landed: Option<Landed>,
    /// The newest answer of each verb, newest first.
    #[serde(serialize_with = "records")]
    decisions: Vec<Arc<DecisionRecord>>,
    #[serde(skip)]
    now: SystemTime,
}

fn records<S: Serializer>(records: &[Arc<DecisionRecord>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(records.iter().map(AsRef::as_ref))
}

/// What a waiting pod could have.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    /// The names of its scheduling gates.
    gates: Vec<String>,
    /// Whether this replica plans it, of a pod that waits for that: leads, not-leading, shadow or off.
    planner: Option<&'static str>,
    nominated: Option<String>,
    /// Why no plan of its profile counts, where the profile plans.
    no_plan: Option<NoPlan>,
    #[serde(flatten)]
    standing: Standing,
}

/// Why no plan counts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NoPlan {
    state: &'static str,
    /// What the component said, where the search failed.
    failure: Option<String>,
}

impl NoPlan {
    /// `None`: the profile's plan counts.
    fn of(post: &Post) -> Option<Self> {
        let has_failed = post.state == PlanState::SearchFailed;
        let failure = post.failure.as_ref().filter(|_| has_failed);
        let failure = failure.map(|failure| format!("{}: {}", failure.reason, failure.detail));
        (post.state != PlanState::Stands).then(|| Self { state: post.state.as_str(), failure })
    }
}

/// What the profile's plan says of the pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InPlan {
    serial: u64,
    /// The node; none: the plan has no room for it.
    node: Option<String>,
    made_seconds_ago: f64,
    /// Whether the plan still counts.
    stands: bool,
    pods: usize,
}

/// What became of a pod's place in a plan that is over.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Landed {
    /// The plan.
    serial: u64,
    /// The node it had there.
    planned: String,
    /// planned, elsewhere or gone.
    landing: &'static str,
    seconds_ago: f64,
}

impl Landed {
    fn of(remembered: &Remembered, now: SystemTime) -> Self {
        Self {
            serial: remembered.serial,
            planned: remembered.node.to_string(),
            landing: remembered.landing.as_str(),
            seconds_ago: (unix_seconds(now) - unix_seconds(remembered.at)).max(0.0),
        }
    }

    fn text(&self) -> String {
        let Self { serial, planned, landing, seconds_ago } = self;
        let fate = match *landing {
            "planned" => "landed there",
            "elsewhere" => "landed elsewhere",
            _ => "deleted while it waited",
        };
        format!("  planned: {planned} in plan {serial}; {fate} {seconds_ago:.1} s ago")
    }
}

/// What is known of the pod; `None`: nothing is.
pub(super) fn explain(
    context: &Context,
    snapshot: &Snapshot,
    namespace: &str,
    pod: &str,
    now: SystemTime,
) -> Option<Explanation> {
    let decisions = context.decisions.of(namespace, pod);
    let waits = snapshot.pending().find(|row| *row.namespace == *namespace && *row.name == *pod);
    let planned = context.board.all().into_iter().find_map(|(_, post)| in_plan(&post, namespace, pod, now));
    let (planned, planned_uid) = planned.unzip();
    let uid = waits.map(|row| row.uid.to_string()).or_else(|| decisions.first().map(|record| record.uid.clone()));
    let remembered = context.board.remembered(namespace, pod);
    let uid = uid.or(planned_uid).or_else(|| remembered.as_ref().map(|landed| landed.pod.uid.to_string()))?;
    let landed = remembered.filter(|landed| *landed.pod.uid == *uid).map(|landed| Landed::of(&landed, now));
    let (state, node) = context.cluster.whereabouts(&uid, |whereabouts| match whereabouts {
        Whereabouts::Bound(node) => ("bound", Some(node.to_string())),
        Whereabouts::Assumed(node) => ("assumed", Some(node.to_string())),
        Whereabouts::Waiting => ("waiting", None),
        Whereabouts::Unknown => ("unknown", None),
    });
    let waiting = waits.map(|row| waiting(context, snapshot, row));
    let (namespace, pod) = (namespace.to_owned(), pod.to_owned());
    let time = decisions.first().and_then(|record| Timestamp::from_millisecond((record.at * 1e3) as i64).ok());
    let time = time.map(|time| time.to_string());
    Some(Explanation { time, namespace, pod, state, node, waiting, plan: planned, landed, decisions, now })
}

fn waiting(context: &Context, snapshot: &Snapshot, pod: &PodRow) -> Waiting {
    let post = context.board.post(&pod.scheduler_name);
    let is_gated = pod.gates.iter().any(|gate| **gate == *GATE);
    Waiting {
        gates: pod.gates.iter().map(ToString::to_string).collect(),
        planner: post.as_ref().filter(|_| is_gated).map(|post| post.duty.as_str()),
        nominated: pod.nominated_node.as_deref().map(str::to_owned),
        no_plan: post.as_ref().and_then(NoPlan::of),
        standing: Standing::of(snapshot, pod),
    }
}

/// What a plan says of the pod, and the pod's UID.
fn in_plan(post: &Post, namespace: &str, pod: &str, now: SystemTime) -> Option<(InPlan, String)> {
    let plan = post.plan.as_ref()?;
    let planned = plan.pods.iter().find(|planned| *planned.namespace == *namespace && *planned.name == *pod)?;
    let in_plan = InPlan {
        serial: plan.serial,
        node: planned.node.as_deref().map(str::to_owned),
        made_seconds_ago: (unix_seconds(now) - unix_seconds(plan.made)).max(0.0),
        stands: post.state == PlanState::Stands,
        pods: plan.pods.len(),
    };
    Some((in_plan, planned.uid.to_string()))
}

impl Explanation {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let node = self.node.as_ref().map(|node| format!(" to {node}")).unwrap_or_default();
        line(&mut out, &format!("pod {}/{}: {}{node}", self.namespace, self.pod, self.state));
        if let Some(waiting) = &self.waiting {
            line(&mut out, &waiting.text());
        }
        if let Some(plan) = &self.plan {
            line(&mut out, &plan.text());
        } else if let Some(landed) = &self.landed {
            line(&mut out, &landed.text());
        }
        for record in &self.decisions {
            line(&mut out, &decision(record, self.now));
        }
        out
    }
}

impl Waiting {
    fn text(&self) -> String {
        let gates =
            if self.gates.is_empty() { String::new() } else { format!("; held back by {}", self.gates.join(", ")) };
        let planner = self.planner.map(|duty| format!(" (planner: {duty})")).unwrap_or_default();
        let nominated = self.nominated.as_ref().map(|node| format!("; nominated for {node}")).unwrap_or_default();
        let no_plan = self.no_plan.as_ref().map(NoPlan::text).unwrap_or_default();
        format!("  {}{gates}{planner}{nominated}{no_plan}", self.standing)
    }
}

impl NoPlan {
    fn text(&self) -> String {
        let failure = self.failure.as_ref().map(|failure| format!(" ({failure})")).unwrap_or_default();
        format!("; no plan: {}{failure}", self.state)
    }
}

impl InPlan {
    fn text(&self) -> String {
        let state = if self.stands { "" } else { ", which is over" };
        let node = self.node.as_ref().map_or_else(|| "no room in".to_owned(), |node| format!("{node} in"));
        format!(
            "  planned: {node} plan {} of {} pods, made {:.1} s ago{state}",
            self.serial, self.pods, self.made_seconds_ago
        )
    }
}

fn decision(record: &DecisionRecord, now: SystemTime) -> String {
    let DecisionRecord { verb, outcome, seconds, trace, .. } = record;
    let (age, candidates) = (record.age(now), trace.candidates);
    let mut parts =
        vec![format!("  {verb} {age:.1} s ago: {outcome} in {:.2} ms, {candidates} candidates", seconds * 1e3)];
    parts.extend(trace.refused.iter().map(|(reason, count)| format!("{count} {reason}")));
    if trace.follows_plan {
        parts.push(format!("as planned: {}", trace.planned.as_deref().unwrap_or_default()));
    } else if !trace.best.is_empty() {
        let best: Vec<String> =
            trace.best.iter().map(|choice| format!("{} {:.1}", choice.node, choice.score)).collect();
        parts.push(format!("best: {}", best.join(", ")));
    }
    parts.extend(record.unplanned.map(|why| format!("not by plan: {why}")));
    parts.extend(record.fallbacks.iter().map(|fallback| format!("no answer from {fallback}")));
    parts.join("; ")
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::decision::{Choice, Trace};

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1000)
    }

    fn record(trace: Trace) -> Arc<DecisionRecord> {
        Arc::new(DecisionRecord {
            at: 998.0,
            verb: "prioritize",
            namespace: "default".to_owned(),
            pod: "web".to_owned(),
            uid: "u".to_owned(),
            profile: "default-scheduler".to_owned(),
            outcome: "ok",
            fallbacks: Vec::new(),
            seconds: 0.0012,
            unplanned: None,
            trace,
        })
    }

    #[test]
    fn a_bound_pod_reads_from_where_it_is_to_why() {
        let best = vec![Choice { node: "n7".into(), score: 100.0 }, Choice { node: "n9".into(), score: 97.25 }];
        let trace = Trace { generation: 5, candidates: 50, best, ..Trace::default() };
        let plan = InPlan { serial: 3, node: Some("n7".into()), made_seconds_ago: 4.0, stands: true, pods: 300 };
        let explanation = Explanation {
            time: None,
            namespace: "default".to_owned(),
            pod: "web".to_owned(),
            state: "bound",
            node: Some("n7".into()),
            waiting: None,
            plan: Some(plan),
            landed: None,
            decisions: vec![record(trace)],
            now: now(),
        };
        assert_eq!(
            explanation.text(),
            "pod default/web: bound to n7\n  planned: n7 in plan 3 of 300 pods, made 4.0 s ago\n  prioritize 2.0 s ago: ok in \
             1.20 ms, 50 candidates; best: n7 100.0, n9 97.2\n"
        );
    }

    #[test]
    fn a_pod_of_a_plan_that_is_over_reads_as_where_it_went() {
        let landed = Landed { serial: 2, planned: "n7".into(), landing: "planned", seconds_ago: 4.0 };
        assert_eq!(landed.text(), "  planned: n7 in plan 2; landed there 4.0 s ago");
    }

    #[test]
    fn a_waiting_pod_reads_as_what_it_could_have() {
        let standing = Standing { nodes: 50, possible: 20, permitted: 12, with_room: 0 };
        let gates = vec!["g".into()];
        let waiting = Waiting { gates, planner: None, nominated: None, no_plan: None, standing };
        let text = "  50 nodes: its constraints allow 20, the dictionary permits 12 of them, 0 of those have room; held back by g";
        assert_eq!(waiting.text(), text);
        let no_plan = Some(NoPlan { state: "search-failed", failure: Some("trap: a bug".to_owned()) });
        let waiting = Waiting { planner: Some("leads"), no_plan, ..waiting };
        let more = " (planner: leads); no plan: search-failed (trap: a bug)";
        assert_eq!(waiting.text(), format!("{text}{more}"));
    }
}
