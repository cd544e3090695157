//! Why this node and not the next best: a pod's nodes, scored as of now.
//!
//! Asked when somebody wants to know, whatever the request was answered by: a plan, a
//! nomination, scores. A pod that is placed already is thought away from its node first.
//! One comparison at a time asks, on a thread of its own a step behind those of requests,
//! with a deadline, so that who explains cannot crowd out who schedules. Must not know
//! kube-scheduler's rules between pods: a node that they forbid is compared all the same.

mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gantry_cluster::{DomainClass, PodRow, Snapshot};
use gantry_host::{Full, SnapshotSource};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::vacated::Vacated;
use crate::background;
use crate::columns::{self, Columns};
use crate::cycle::policy;
use crate::handlers::Context;
use crate::profile::{Opinion, Profile, Verdict};
use crate::rank;

/// A plugin's own deadline is 100 ms unless somebody gives it more; who waits in line for this long asks again.
const PATIENCE: Duration = Duration::from_secs(3);

/// The pod that is asked about.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) pod: Arc<PodRow>,
    /// The node that it is bound to or assumed on.
    pub(super) on: Option<String>,
    /// The node that a plan has or had for it.
    pub(super) planned: Option<String>,
}

/// The nodes that matter, compared.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comparison {
    /// How many nodes would take the pod now.
    candidates: usize,
    /// The two best, its own and the planned one, best first; those that would not take it come last.
    nodes: Vec<Compared>,
    /// What loads are made of: requests, or expected-use.
    loads_of: &'static str,
    /// The plugins that did not answer, and why.
    failures: Vec<String>,
    /// Why there is no comparison.
    absent: Option<String>,
}

/// One node as the pod would find it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Compared {
    node: String,
    is_its_node: bool,
    is_planned: bool,
    /// From 1, among the nodes that would take the pod.
    rank: Option<usize>,
    /// Why it would not take the pod.
    refusal: Option<&'static str>,
    /// The plugins' score together, 0 to 100.
    score: f64,
    plugins: Vec<Part>,
    loads: Vec<Load>,
}

/// One plugin's part in a score, stretched where its configuration says so.
#[derive(Debug, Serialize)]
struct Part {
    plugin: String,
    weight: f64,
    score: f64,
}

/// How full a node would be of a resource, with what is planned for others, in per cent of what it offers.
#[derive(Debug, Serialize)]
struct Load {
    resource: String,
    before: f64,
    after: f64,
}

/// Asks the plugins about the pod. `asking` admits one at a time.
pub(super) async fn compare(
    context: &Arc<Context>,
    asking: &Arc<Semaphore>,
    snapshot: Arc<Snapshot>,
    question: Question,
) -> Comparison {
    let end = Instant::now() + PATIENCE;
    let work = async {
        let permit = Arc::clone(asking).acquire_owned().await;
        let context = Arc::clone(context);
        let ask = move || {
            let comparison = question.answer(&context, &snapshot, end);
            drop(permit);
            comparison
        };
        match background::run("gantry-explain", ask) {
            Ok(asked) => asked.await.unwrap_or_else(|_| Comparison::absent("the comparison ended unexpectedly")),
            Err(error) => Comparison::absent(&format!("no thread to compare on: {error}")),
        }
    };
    let asked = tokio::time::timeout(PATIENCE, work).await;
    asked.unwrap_or_else(|_elapsed| Comparison::absent(&format!("no answer within {PATIENCE:?}")))
}

impl Comparison {
    /// No comparison, and why.
    pub(super) fn absent(why: &str) -> Self {
        Self { absent: Some(why.to_owned()), ..Self::default() }
    }
}

impl Question {
    fn answer(self, context: &Context, snapshot: &Snapshot, end: Instant) -> Comparison {
        let Some(profile) = context.cycles.profile_of(&self.pod.scheduler_name) else {
            return Comparison::absent(&context.cycles.no_profile_for(&self.pod.scheduler_name));
        };
        let Some(class) = snapshot.class(self.pod.class) else {
            return Comparison::absent("its constraints are not known any more");
        };
        let row = |node: &Option<String>| node.as_deref().and_then(|node| snapshot.row(node));
        let (on, planned) = (row(&self.on), row(&self.planned));
        let columns = Columns::new(snapshot, profile.weights());
        let mut pod = (*self.pod).clone();
        pod.request = padded(&pod.request, snapshot.resources().len());
        let trial = |source: &dyn SnapshotSource| {
            Trial { snapshot, profile: &profile, class, pod: &pod, on, planned, full: source.full() }.run(source, end)
        };
        match on {
            Some(row) => trial(&Vacated::new(columns, snapshot, &pod, row)),
            None => trial(&columns),
        }
    }
}

/// A resource that was seen after the pod was read is none that it asks for.
fn padded(request: &[f64], width: usize) -> Box<[f64]> {
    request.iter().copied().chain(std::iter::repeat(0.0)).take(width).collect()
}

/// A pod put on every row in turn, on paper.
struct Trial<'a> {
    snapshot: &'a Snapshot,
    profile: &'a Profile,
    class: &'a DomainClass,
    pod: &'a PodRow,
    on: Option<u32>,
    planned: Option<u32>,
    full: Full<'a>,
}

impl Trial<'_> {
    fn run(&self, source: &dyn SnapshotSource, end: Instant) -> Comparison {
        let estimate = self.snapshot.estimate(self.pod);
        let pod = columns::pod(self.pod, &estimate, self.snapshot.planned_row(&self.pod.uid));
        let mut opinions = self.profile.opinions(source, &pod, end);
        let said = |opinion: &Opinion| Some(format!("{}: {}", opinion.plugin, opinion.failure.as_ref()?));
        let failures = opinions.iter().filter_map(said).collect();
        let kept = self.kept(&Opinion::joint_verdicts(&opinions, self.snapshot.rows()));
        let Some(scores) = Opinion::joint_scores(&mut opinions, &kept) else {
            return Comparison { failures, ..Comparison::absent("no plugin of its profile gives a score") };
        };
        let takers = self.takers(&kept, &scores);
        let nodes = self.named(&takers).into_iter().filter_map(|row| {
            let rank = takers.iter().position(|taker| *taker == row).map(|position| position + 1);
            let refusal = self.obstacle(row).or_else(|| rank.is_none().then_some("refused by Filter"));
            Some(Compared {
                node: self.snapshot.name(row)?.to_string(),
                is_its_node: self.on == Some(row),
                is_planned: self.planned == Some(row),
                rank,
                refusal,
                score: scores[row as usize],
                plugins: parts(&opinions, row),
                loads: self.loads(row, &estimate),
            })
        });
        let loads_of = if self.full.used_p50.is_empty() { "requests" } else { "expected-use" };
        Comparison { candidates: takers.len(), nodes: nodes.collect(), loads_of, failures, absent: None }
    }

    /// The rows that would take the pod.
    fn kept(&self, verdicts: &[Verdict]) -> Vec<u32> {
        let rows = (0..self.snapshot.rows() as u32).filter(|row| self.snapshot.name(*row).is_some());
        let open: Vec<Option<u32>> = rows.filter(|row| self.obstacle(*row).is_none()).map(Some).collect();
        // What the dictionary forbids is not open.
        let refusals = policy::judge(&open, verdicts, |_| true, |verdict| self.profile.stranger(verdict)).refusals;
        let kept = open.into_iter().zip(refusals).filter(|(_, refusal)| refusal.is_none());
        kept.filter_map(|(row, _)| row).collect()
    }

    /// The same, best first.
    fn takers(&self, kept: &[u32], scores: &[f64]) -> Vec<u32> {
        let own: Vec<f64> = kept.iter().map(|row| scores[*row as usize]).collect();
        let seed = rank::seed(&self.pod.uid, self.profile.scheduler_name());
        let mut takers: Vec<u32> = rank::order(&own, seed).into_iter().map(|position| kept[position]).collect();
        // How a tie fell depended on what kube-scheduler offered: its own node is as good as any equal one.
        let is_other = |row: &u32| (self.on != Some(*row), self.planned != Some(*row));
        takers.sort_by(|one, other| {
            let by_score = scores[*other as usize].total_cmp(&scores[*one as usize]);
            by_score.then_with(|| is_other(one).cmp(&is_other(other)))
        });
        takers
    }

    /// The rows to be shown: the two best, and what somebody who asks has in mind.
    fn named(&self, takers: &[u32]) -> Vec<u32> {
        let place = |row: &u32| takers.iter().position(|taker| taker == row).unwrap_or(usize::MAX);
        let mut named: Vec<u32> = takers.iter().take(2).copied().chain(self.on).chain(self.planned).collect();
        named.sort_by_key(|row| (place(row), *row));
        named.dedup();
        named
    }

    /// What keeps the pod off a row, by Kubernetes' rules for one pod and by the dictionary.
    fn obstacle(&self, row: u32) -> Option<&'static str> {
        // Where the pod is, its own ports are taken.
        if !self.class.is_possible(row) && self.on != Some(row) {
            Some("its constraints forbid it")
        } else if !self.class.is_permitted(row) {
            Some("the dictionary forbids it")
        } else if !self.has_room(row) {
            Some("no room")
        } else {
            None
        }
    }

    fn has_room(&self, row: u32) -> bool {
        let cells = self.cells(row);
        let (taken, offered) = (&self.full.requested[cells.clone()], &self.full.allocatable[cells]);
        let columns = self.pod.request.iter().zip(taken).zip(offered);
        columns.into_iter().all(|((asked, taken), offered)| *asked == 0.0 || taken + asked <= *offered)
    }

    fn loads(&self, row: u32, estimate: &[f64]) -> Vec<Load> {
        let Full { used_p50, requested, planned, allocatable, .. } = &self.full;
        let used = if used_p50.is_empty() { requested } else { used_p50 };
        let amounts = if used_p50.is_empty() || estimate.is_empty() { &*self.pod.request } else { estimate };
        // What is planned on its row holds the pod itself, by request.
        let counts_itself = self.snapshot.planned_row(&self.pod.uid) == Some(row);
        let load = |(column, resource): (usize, &Arc<str>)| {
            let cell = self.cells(row).start + column;
            let own = if counts_itself { self.pod.request[column] } else { 0.0 };
            let before = used[cell] + (planned.get(cell).copied().unwrap_or(0.0) - own).max(0.0);
            let percent = |amount: f64| 100.0 * amount / allocatable[cell];
            let after = percent(before + amounts[column]);
            (self.full.weights[cell] > 0.0).then(|| Load {
                resource: resource.to_string(),
                before: percent(before),
                after,
            })
        };
        let objective = &self.snapshot.resources()[..self.snapshot.objective_resources()];
        objective.iter().enumerate().filter_map(load).collect()
    }

    fn cells(&self, row: u32) -> std::ops::Range<usize> {
        let width = self.snapshot.resources().len();
        row as usize * width..(row as usize + 1) * width
    }
}

fn parts(opinions: &[Opinion], row: u32) -> Vec<Part> {
    let part = |opinion: &Opinion| {
        let score = *opinion.scores.as_ref()?.get(row as usize)?;
        Some(Part { plugin: opinion.plugin.to_string(), weight: opinion.weight, score })
    };
    opinions.iter().filter_map(part).collect()
}
