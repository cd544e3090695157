//! Why a pod is where it is, or why it waits: the answers to `/explain`.
//!
//! Everything is put together when somebody asks, from the records of what was
//! answered, the plan, the cluster as it is now, and what the plugins say of it now;
//! nothing is computed for it in the request path.

use std::sync::Arc;
use std::time::SystemTime;

use gantry_cluster::{PodRow, Snapshot};
use k8s_openapi::jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::comparison::{Comparison, Question};
use super::landed::Landed;
use super::plan::in_words;
use crate::decision::{DecisionRecord, PluginCall, unix_seconds};
use crate::handlers::Context;
use crate::planner::{GATE, PlanState, Post};
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
    /// Its nodes, as the plugins score them now; none of a pod that is gone.
    pub(super) comparison: Option<Comparison>,
    /// The newest answer of each verb, newest first.
    #[serde(serialize_with = "records")]
    decisions: Vec<Arc<DecisionRecord>>,
    #[serde(skip)]
    now: SystemTime,
    /// What is still to be asked for the comparison.
    #[serde(skip)]
    pub(super) question: Option<Question>,
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
    let remembered = remembered.filter(|landed| *landed.pod.uid == *uid);
    let landed = remembered.as_ref().map(|landed| Landed::of(landed, &decisions, now));
    let (state, node) = context.cluster.whereabouts(&uid, in_words);
    let node = node.map(|node| node.to_string());
    let mut asked = decisions.iter().filter(|record| record.uid == uid);
    let row = waits.cloned().or_else(|| asked.find_map(|record| record.trace.pod.clone()));
    let row = row.or_else(|| snapshot.pod(&uid).cloned());
    let row = row.or_else(|| remembered.map(|landed| landed.pod)).filter(|_| state != "unknown");
    let in_plan = planned.as_ref().and_then(|plan| plan.node.clone());
    let in_plan = in_plan.or_else(|| landed.as_ref().map(|landed| landed.planned.clone()));
    let nothing_kept = row.is_none() && state != "unknown";
    let comparison = nothing_kept.then(|| Comparison::absent("nothing is kept of what it asks for"));
    let question = row.map(|pod| Question { pod, on: node.clone(), planned: in_plan });
    let waiting = waits.map(|row| waiting(context, snapshot, row));
    let (namespace, pod) = (namespace.to_owned(), pod.to_owned());
    let time = decisions.first().and_then(|record| Timestamp::from_millisecond((record.at * 1e3) as i64).ok());
    let time = time.map(|time| time.to_string());
    let plan = planned;
    Some(Explanation { time, namespace, pod, state, node, waiting, plan, landed, comparison, decisions, now, question })
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
        for text in self.comparison.iter().flat_map(Comparison::lines) {
            line(&mut out, &text);
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
    let took = durations(record);
    let mut parts =
        vec![format!("  {verb} {age:.1} s ago: {outcome} in {:.2} ms{took}, {candidates} candidates", seconds * 1e3)];
    parts.extend(trace.refused.iter().map(|(reason, count)| format!("{count} {reason}")));
    if trace.follows_plan {
        parts.push(format!("as planned: {}", trace.planned.as_deref().unwrap_or_default()));
    } else if !trace.best.is_empty() {
        let best: Vec<String> =
            trace.best.iter().map(|choice| format!("{} {:.1}", choice.node, choice.score)).collect();
        parts.push(format!("best: {}", best.join(", ")));
    }
    parts.extend(record.unplanned.map(|why| format!("not by plan: {why}")));
    parts.extend(trace.seed.map(|seed| format!("ties by seed {seed:016x}")));
    parts.extend(record.forecast_age_seconds.map(|age| format!("forecasts {age} s old")));
    parts.extend(record.fallbacks.iter().map(|fallback| format!("no answer from {fallback}")));
    parts.join("; ")
}

/// The parts of a duration that are known, of a cycle that asked somebody.
fn durations(record: &DecisionRecord) -> String {
    let call = |call: &PluginCall| format!("{} {:.2}", call.name, call.seconds * 1e3);
    let calls: Vec<String> = record.trace.plugins.iter().map(call).collect();
    if calls.is_empty() {
        return String::new();
    }
    format!(" (waited {:.2}, {})", record.waited_seconds * 1e3, calls.join(", "))
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::decision::{Choice, PluginCall, Trace};
    use crate::verb::Verb;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1000)
    }

    fn record(trace: Trace) -> Arc<DecisionRecord> {
        let sample = DecisionRecord::sample("web", Verb::Prioritize);
        Arc::new(DecisionRecord { at: 998.0, forecast_age_seconds: Some(12), trace, ..sample })
    }

    #[test]
    fn a_bound_pod_reads_from_where_it_is_to_why() {
        let best = vec![Choice { node: "n7".into(), score: 100.0 }, Choice { node: "n9".into(), score: 97.25 }];
        let plugins = vec![PluginCall { name: "gantry".into(), seconds: 0.0008, answered: true }];
        let trace = Trace { generation: 5, candidates: 50, best, plugins, seed: Some(0xbeef), ..Trace::default() };
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
            comparison: None,
            decisions: vec![record(trace)],
            now: now(),
            question: None,
        };
        assert_eq!(
            explanation.text(),
            "pod default/web: bound to n7\n  planned: n7 in plan 3 of 300 pods, made 4.0 s ago\n  prioritize 2.0 s ago: ok in \
             1.20 ms (waited 0.20, gantry 0.80), 50 candidates; best: n7 100.0, n9 97.2; ties by seed 000000000000beef; \
             forecasts 12 s old\n"
        );
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
