//! What the rules made of the cluster, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gantry_cluster::PodRow;
use serde::Serialize;

use super::cluster::Cluster;
use super::load::Loads;
use super::trial::{Outcome, shorten};
use crate::output::Table;

/// The whole comparison. Loads and σ are percentage points of what a node offers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    nodes: usize,
    pending_pods: usize,
    running_pods: usize,
    /// Pods that wait, but for another scheduler or behind somebody else's gate.
    left_out_pods: usize,
    /// Pending pods with constraints between pods, which the joint plan alone looks at; also those that it leaves.
    pods_with_constraints_between_pods: usize,
    resources: Vec<String>,
    before: Evenness,
    rules: Vec<Line>,
}

/// How even the load is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Evenness {
    sigma: f64,
    sigma_by_resource: BTreeMap<String, f64>,
    hottest_node: Option<HottestNode>,
}

#[derive(Clone, Debug, Serialize)]
struct HottestNode {
    name: String,
    load: f64,
}

/// One rule.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    rule: String,
    placed: usize,
    #[serde(flatten)]
    evenness: Evenness,
    /// Pods on another node than kube-scheduler's rule put them on.
    moves: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluations: Option<u64>,
    /// Pods that it left to kube-scheduler, by name: for what.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    left_to_kube_scheduler: BTreeMap<String, &'static str>,
    /// How many of these have constraints between pods.
    #[serde(skip)]
    left_between_pods: usize,
    /// Why, by pod.
    unplaced: BTreeMap<String, String>,
    /// Node by pod.
    assignment: BTreeMap<String, String>,
}

impl Evenness {
    fn of(loads: &Loads) -> Self {
        let names = loads.resources.iter().map(ToString::to_string);
        Self {
            sigma: loads.sigma(),
            sigma_by_resource: names.zip(loads.sigma_by_resource()).collect(),
            hottest_node: loads
                .hottest()
                .map(|hottest| HottestNode { name: hottest.node.to_string(), load: hottest.mean }),
        }
    }

    /// σ, then σ of each resource in the order of `resources`.
    fn cells(&self, resources: &[String]) -> Vec<String> {
        let each = resources.iter().map(|resource| self.sigma_by_resource.get(resource).copied().unwrap_or_default());
        std::iter::once(self.sigma).chain(each).map(|sigma| format!("{sigma:.2}")).collect()
    }

    fn hottest(&self) -> String {
        self.hottest_node.as_ref().map_or_else(String::new, |node| format!("{} {:.1}", node.name, node.load))
    }
}

impl Line {
    /// How many pods it left to kube-scheduler, and for what.
    fn left(&self) -> String {
        let mut count_by_need: BTreeMap<&str, usize> = BTreeMap::new();
        for need in self.left_to_kube_scheduler.values().copied() {
            *count_by_need.entry(need).or_default() += 1;
        }
        let counts: Vec<String> = count_by_need.iter().map(|(need, count)| format!("{need}: {count}")).collect();
        let unseen = match self.left_between_pods {
            0 => String::new(),
            count => format!("; the constraints between pods that {count} of these have are not looked at"),
        };
        format!(
            "{} pods are left to kube-scheduler ({}): \"{}\" places them one by one, after the others{unseen}",
            self.left_to_kube_scheduler.len(),
            counts.join(", "),
            self.rule
        )
    }
}

impl Report {
    /// The report; the first outcome is the one that moves are counted against.
    pub(super) fn new(cluster: &Cluster, before: &Loads, outcomes: Vec<Outcome>) -> Self {
        let between_pods = cluster.waiting.iter().filter(|pod| cluster.between_pods.contains(&pod.uid));
        let baseline = outcomes.first().map(|outcome| outcome.nodes.clone()).unwrap_or_default();
        let line = |outcome: Outcome| {
            let moves = outcome.nodes.iter().zip(&baseline).filter(|(node, base)| node.is_some() && node != base);
            let pods = || cluster.waiting.iter().map(|pod| name(pod));
            let assignment = pods().zip(&outcome.nodes);
            let left = || cluster.waiting.iter().zip(&outcome.left).filter(|(_, is_left)| **is_left);
            Line {
                placed: outcome.nodes.iter().flatten().count(),
                evenness: Evenness::of(&outcome.loads),
                moves: moves.count(),
                evaluations: outcome.evaluations,
                left_to_kube_scheduler: left().map(|(pod, _)| (name(pod), need(cluster, pod))).collect(),
                left_between_pods: left().filter(|(pod, _)| cluster.between_pods.contains(&pod.uid)).count(),
                unplaced: pods().zip(outcome.reasons).filter_map(|(pod, reason)| Some((pod, reason?))).collect(),
                assignment: assignment.filter_map(|(pod, node)| Some((pod, node.as_ref()?.to_string()))).collect(),
                rule: outcome.rule.to_owned(),
            }
        };
        Self {
            nodes: before.nodes.len(),
            pending_pods: cluster.waiting.len(),
            running_pods: cluster.running,
            left_out_pods: cluster.left_out,
            pods_with_constraints_between_pods: between_pods.count(),
            resources: before.resources.iter().map(ToString::to_string).collect(),
            before: Evenness::of(before),
            rules: outcomes.into_iter().map(line).collect(),
        }
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let head = ["rule", "placed", "unplaced", "σ"].map(str::to_owned).into_iter();
        let resources = self.resources.iter().map(|name| format!("σ {}", shorten(name)));
        let tail = ["hottest node", "moves", "evaluations"].map(str::to_owned);
        let words = [4 + self.resources.len()];
        let mut table = Table::new(head.chain(resources).chain(tail), &words);
        let before = ["as it is now", "", ""].map(str::to_owned).into_iter();
        table.row(before.chain(self.before.cells(&self.resources)).chain([self.before.hottest()]));
        for line in &self.rules {
            let first = [line.rule.clone(), line.placed.to_string(), line.unplaced.len().to_string()].into_iter();
            let evaluations = line.evaluations.map_or_else(String::new, |evaluations| evaluations.to_string());
            let last = [line.evenness.hottest(), line.moves.to_string(), evaluations];
            table.row(first.chain(line.evenness.cells(&self.resources)).chain(last));
        }
        format!("{}\n{}{}{}", self.headline(), table.render(), LEGEND, self.unplaced())
    }

    fn headline(&self) -> String {
        let mut text =
            format!("{} nodes, {} pods on them, {} pods to place", self.nodes, self.running_pods, self.pending_pods);
        if self.left_out_pods > 0 {
            write!(text, "; {} left out (another scheduler, or a foreign gate)", self.left_out_pods).expect(INFALLIBLE);
        }
        text.push('\n');
        // One rule leaves pods, the plan.
        let left = self.rules.iter().map(|line| line.left_between_pods).max().unwrap_or(0);
        let count = self.pods_with_constraints_between_pods - left;
        if count > 0 {
            writeln!(
                text,
                "{count} of them have affinity or spread constraints between pods, which only the joint plan keeps here"
            )
            .expect(INFALLIBLE);
        }
        for line in self.rules.iter().filter(|line| !line.left_to_kube_scheduler.is_empty()) {
            writeln!(text, "{}", line.left()).expect(INFALLIBLE);
        }
        text
    }

    /// The pods that found no node, each once: under which rules, and why under the last of them.
    fn unplaced(&self) -> String {
        let mut line_by_pod: BTreeMap<&String, (Vec<&str>, &String)> = BTreeMap::new();
        for line in &self.rules {
            for (pod, reason) in &line.unplaced {
                let entry = line_by_pod.entry(pod).or_insert((Vec::new(), reason));
                entry.0.push(&line.rule);
                entry.1 = reason;
            }
        }
        let mut text = String::new();
        if !line_by_pod.is_empty() {
            text.push_str("\nwithout a node:\n");
        }
        for (pod, (rules, reason)) in line_by_pod.iter().take(SHOWN) {
            let rules = if rules.len() == self.rules.len() { "every rule".to_owned() } else { rules.join("; ") };
            writeln!(text, "  {pod} ({rules}): {reason}").expect(INFALLIBLE);
        }
        if line_by_pod.len() > SHOWN {
            writeln!(text, "  and {} more, which --output json names", line_by_pod.len() - SHOWN).expect(INFALLIBLE);
        }
        text
    }
}

/// Pods named in the table, so that what matters is not scrolled away.
const SHOWN: usize = 20;

const INFALLIBLE: &str = "invariant: a String takes all that is written to it";

const LEGEND: &str = "\n\
    σ: standard deviation over the nodes of their load (and of one resource's), in percentage points; less is more even.\n\
    moves: pods on another node than kube-scheduler's rule puts them on. kube-scheduler: LeastAllocated and\n\
    BalancedAllocation on cpu and memory, as by default; all resources: the same told of every resource in the table.\n";

/// Why a pod cannot be planned.
fn need(cluster: &Cluster, pod: &PodRow) -> &'static str {
    cluster.need_by_pod.get(&pod.uid).copied().unwrap_or("affinity or spread that no plan expresses")
}

fn name(pod: &PodRow) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}
