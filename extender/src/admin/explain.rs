//! Why a pod is where it is, or why it waits: the answers to `/explain`.
//!
//! Everything is put together when somebody asks, from the records of what was
//! answered, the plan, the cluster as it is now, and what the plugins say of it now;
//! nothing is computed for it in the request path.

mod namesakes;

use std::sync::Arc;
use std::time::SystemTime;

use gantry_cluster::{PodRow, Snapshot};
use serde::{Serialize, Serializer};

use super::comparison::{Comparison, Question};
use super::landed::Landed;
use super::plan::{in_words, written};
use crate::decision::{DecisionRecord, PluginCall, unix_seconds};
use crate::handlers::Context;
use crate::planner::{GATE, PlanState, Post, PublishedPlan};
use crate::standing::Standing;
use namesakes::Sources;

/// All that is known of one pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explanation {
    /// When the newest answer was given: of several replicas' decisions the newest are the ones to read.
    time: Option<String>,
    namespace: String,
    pod: String,
    uid: String,
    /// Whether this replica leads the pod's profile, where that plans: of several replicas the one to ask for the rest.
    leads: Option<bool>,
    /// bound, assumed, waiting or unknown.
    state: &'static str,
    /// The node it is bound to or assumed on.
    node: Option<String>,
    waiting: Option<Waiting>,
    plan: Option<InPlan>,
    landed: Option<Landed>,
    /// Its nodes, as the plugins score them now, or why not; none of a pod that is gone, unless no profile is for it.
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
    /// Whether the replica that this one follows does.
    another_leads: bool,
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
    /// The node; none: the plan has no room for it, or leaves it.
    node: Option<String>,
    /// Why it is left to kube-scheduler, if it is.
    left: Option<&'static str>,
    /// When the plan was made.
    time: Option<String>,
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
    let sources = Sources::of(context, snapshot, namespace, pod, now);
    let uid = sources.newest()?;
    let sources = sources.only(&uid);
    let leads = sources.scheduler().and_then(|scheduler| context.board.post(scheduler)).map(|post| post.leads());
    let (state, node) = context.cluster.whereabouts(&uid, in_words);
    let node = node.map(|node| node.to_string());
    let row = sources.row(snapshot, &uid).filter(|_| state != "unknown");
    let unserved = sources.scheduler().and_then(|scheduler| unserved(context, scheduler));
    let Sources { waits, decisions, planned, remembered } = sources;
    let landed = remembered.as_ref().map(|landed| Landed::of(landed, &decisions, now));
    let plan = planned.into_iter().next().map(|planned| planned.plan);
    let in_plan = plan.as_ref().and_then(|plan| plan.node.clone());
    let in_plan = in_plan.or_else(|| landed.as_ref().map(|landed| landed.planned.clone()));
    let nothing_kept = row.is_none() && state != "unknown";
    let comparison =
        unserved.or_else(|| nothing_kept.then(|| Comparison::absent("nothing is kept of what it asks for")));
    let question = row.map(|pod| Question { pod, on: node.clone(), planned: in_plan });
    Some(Explanation {
        time: decisions.first().and_then(|record| written(record.at)),
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        uid,
        leads,
        state,
        node,
        waiting: waits.map(|row| waiting(context, snapshot, &row)),
        plan,
        landed,
        comparison,
        decisions,
        now,
        question,
    })
}

/// Why the nodes of a pod are not compared that no profile is for, if none is.
fn unserved(context: &Context, scheduler: &str) -> Option<Comparison> {
    let is_served = context.cycles.profile_of(scheduler).is_some();
    (!is_served).then(|| Comparison::absent(&context.cycles.no_profile_for(scheduler)))
}

fn waiting(context: &Context, snapshot: &Snapshot, pod: &PodRow) -> Waiting {
    let post = context.board.post(&pod.scheduler_name);
    let is_gated = pod.gates.iter().any(|gate| **gate == *GATE);
    Waiting {
        gates: pod.gates.iter().map(ToString::to_string).collect(),
        planner: post.as_ref().filter(|_| is_gated).map(|post| post.duty.as_str()),
        another_leads: is_gated && post.as_ref().is_some_and(|post| post.is_led),
        nominated: pod.nominated_node.as_deref().map(str::to_owned),
        no_plan: post.as_ref().and_then(NoPlan::of),
        standing: Standing::of(snapshot, pod),
    }
}

/// Which part of the text is asked for: of several replicas one may know the plan, and another one the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    All,
    /// Where the pod stands: all but the answers.
    Standing,
    /// The answers alone.
    Decisions,
}

impl Explanation {
    /// For people.
    pub(super) fn text(&self, part: Part) -> String {
        let mut out = String::new();
        if part != Part::Decisions {
            self.say_where_it_stands(&mut out);
        }
        for record in self.decisions.iter().filter(|_| part != Part::Standing) {
            line(&mut out, &decision(record, self.now));
        }
        out
    }

    fn say_where_it_stands(&self, out: &mut String) {
        let node = self.node.as_ref().map(|node| format!(" to {node}")).unwrap_or_default();
        line(out, &format!("pod {}/{}: {}{node}", self.namespace, self.pod, self.state));
        if let Some(waiting) = &self.waiting {
            line(out, &waiting.text());
        }
        if let Some(plan) = &self.plan {
            line(out, &plan.text());
        } else if let Some(landed) = &self.landed {
            line(out, &landed.text());
        }
        for text in self.comparison.iter().flat_map(Comparison::lines) {
            line(out, &text);
        }
    }
}

impl Waiting {
    fn text(&self) -> String {
        let gates =
            if self.gates.is_empty() { String::new() } else { format!("; held back by {}", self.gates.join(", ")) };
        let another = if self.another_leads { ", another replica leads" } else { "" };
        let planner = self.planner.map(|duty| format!(" (planner: {duty}{another})")).unwrap_or_default();
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
    fn of(plan: &PublishedPlan, node: Option<&str>, stands: bool, now: SystemTime) -> Self {
        let made = unix_seconds(plan.made);
        Self {
            serial: plan.serial,
            node: node.map(str::to_owned),
            left: None,
            time: written(made),
            made_seconds_ago: (unix_seconds(now) - made).max(0.0),
            stands,
            pods: plan.pods.len(),
        }
    }

    fn text(&self) -> String {
        let state = if self.stands { "" } else { ", which is over" };
        let node = self.node.as_deref().unwrap_or("no room");
        let of = format!("plan {} of {} pods, made {:.1} s ago{state}", self.serial, self.pods, self.made_seconds_ago);
        match self.left {
            Some(why) => format!("  left to kube-scheduler: {why} ({of})"),
            None => format!("  planned: {node} in {of}"),
        }
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
    } else if let Some(first) = trace.best.first() {
        let best: Vec<String> =
            trace.best.iter().map(|choice| format!("{} {:.1}", choice.node, choice.score)).collect();
        let what = if first.score > 0.0 { "best" } else { "none preferred" };
        parts.push(format!("{what}: {}", best.join(", ")));
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

    fn in_plan(node: Option<&str>, left: Option<&'static str>) -> InPlan {
        let node = node.map(str::to_owned);
        InPlan { serial: 3, node, left, time: None, made_seconds_ago: 4.0, stands: true, pods: 300 }
    }

    #[test]
    fn a_bound_pod_reads_from_where_it_is_to_why() {
        let best = vec![Choice { node: "n7".into(), score: 100.0 }, Choice { node: "n9".into(), score: 97.25 }];
        let plugins = vec![PluginCall { name: "gantry".into(), seconds: 0.0008, answered: true }];
        let trace = Trace { generation: 5, candidates: 50, best, plugins, seed: Some(0xbeef), ..Trace::default() };
        let plan = in_plan(Some("n7"), None);
        let explanation = Explanation {
            time: None,
            namespace: "default".to_owned(),
            pod: "web".to_owned(),
            uid: "uid-web".to_owned(),
            leads: None,
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
        let standing = "pod default/web: bound to n7\n  planned: n7 in plan 3 of 300 pods, made 4.0 s ago\n";
        let decisions = "  prioritize 2.0 s ago: ok in 1.20 ms (waited 0.20, gantry 0.80), 50 candidates; \
                         best: n7 100.0, n9 97.2; ties by seed 000000000000beef; forecasts 12 s old\n";
        assert_eq!(explanation.text(Part::All), format!("{standing}{decisions}"));
        assert_eq!(explanation.text(Part::Standing), standing);
        assert_eq!(explanation.text(Part::Decisions), decisions);
    }

    #[test]
    fn a_pod_that_a_plan_leaves_does_not_read_as_one_without_room() {
        let of = "plan 3 of 300 pods, made 4.0 s ago";
        assert_eq!(in_plan(None, None).text(), format!("  planned: no room in {of}"));
        let left = InPlan { stands: false, ..in_plan(None, Some("a claim")) };
        assert_eq!(left.text(), format!("  left to kube-scheduler: a claim ({of}, which is over)"));
    }

    #[test]
    fn a_waiting_pod_reads_as_what_it_could_have() {
        let standing = Standing { nodes: 50, possible: 20, permitted: 12, with_room: 0 };
        let gates = vec!["g".into()];
        let waiting = Waiting { gates, planner: None, another_leads: false, nominated: None, no_plan: None, standing };
        let text = "  50 nodes: its constraints allow 20, the dictionary permits 12 of them, 0 of those have room; held back by g";
        assert_eq!(waiting.text(), text);
        let no_plan = Some(NoPlan { state: "search-failed", failure: Some("trap: a bug".to_owned()) });
        let waiting = Waiting { planner: Some("leads"), no_plan, ..waiting };
        let more = " (planner: leads); no plan: search-failed (trap: a bug)";
        assert_eq!(waiting.text(), format!("{text}{more}"));
        let waiting = Waiting { planner: Some("not-leading"), another_leads: true, no_plan: None, ..waiting };
        assert_eq!(waiting.text(), format!("{text} (planner: not-leading, another replica leads)"));
    }
}
