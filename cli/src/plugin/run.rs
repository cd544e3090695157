//! `plugin run`: what a plugin says of the pods of a recorded cluster, node by node.
//!
//! Promises an answer for every cluster: where no pod waits it asks for a made-up one, and a pod that was named may be on
//! a node already. What is not as in the dump is told on standard error. What a plugin does not offer is
//! left out.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use gantry_cluster::{Index, PodRow, Snapshot};
use gantry_host::Plugin;
use gantry_host::types::ExtensionPoints;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::source::PluginArgs;
use crate::CliError;
use crate::columns::{Columns, pod as lend};
use crate::output::{Format, Table, json};
use crate::recording::Recording;

/// The verdicts of the contract, by number.
const VERDICTS: [&str; 5] = ["pass", "forbidden", "mismatch", "insufficient", "overloaded-soon"];

/// In the table, in place of what the plugin does not offer.
const NOT_OFFERED: &str = "-";

/// Name and UID of the made-up pod.
const MADE_UP: &str = "made-up";
/// What it asks for: little, so that it fits wherever there is room.
const ASKED: [(&str, &str); 2] = [("cpu", "100m"), ("memory", "128Mi")];

/// Flags of `plugin run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The plugin.
    #[command(flatten)]
    pub plugin: PluginArgs,
    /// A dump as printed by `kubectl get nodes,pods -A -o json`, `-` for standard input.
    #[arg(long, value_name = "DUMP")]
    pub cluster: PathBuf,
    /// Only this pod. One that is on a node is asked about as if it waited, and takes nothing there.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub pod: Option<String>,
    /// The resources that count, and behind them labels, as in the configuration.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "cpu,memory,gantry.dev/disk-io,gantry.dev/network"
    )]
    pub resources: Vec<String>,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Format,
}

/// Which of the two answers the plugin gives. For the other one the host has a neutral value of its own.
#[derive(Clone, Copy, Debug)]
struct Offered {
    filter: bool,
    score: bool,
}

impl Offered {
    fn of(plugin: &str, points: ExtensionPoints) -> Result<Self, CliError> {
        let [filter, score] = [ExtensionPoints::FILTER, ExtensionPoints::SCORE].map(|point| points.contains(point));
        if !filter && !score {
            let remedy = "it offers neither filter nor score, and nothing else is asked for: name a plugin that does";
            return Err(CliError::refused("PLUGIN", plugin, remedy));
        }
        Ok(Self { filter, score })
    }
}

/// What a plugin says of one pod.
#[derive(Serialize)]
struct Answer {
    pod: String,
    nodes: Vec<NodeAnswer>,
}

#[derive(Serialize)]
struct NodeAnswer {
    node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

/// Runs the command.
pub(super) fn run(args: &RunArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let recording = Recording::read(std::slice::from_ref(&args.cluster))?;
    let mut index = recording.index(&args.resources)?;
    let pods = match &args.pod {
        Some(named) => vec![one(&mut index, &recording, named)?],
        None => pending(&mut index)?,
    };
    // Taken now, it has the classes of pods that the dump does not show as waiting.
    let snapshot = index.snapshot();
    let plugin = args.plugin.start_patiently()?;
    let offered = Offered::of(&args.plugin.plugin, plugin.info().extension_points)?;
    let answers: Result<Vec<_>, _> = pods.iter().map(|pod| answer(&plugin, offered, &snapshot, pod)).collect();
    match args.output {
        Format::Json => json(out, &answers?),
        Format::Table => Ok(write!(out, "{}", table(&answers?))?),
    }
}

/// The pending pods by name, or a made-up one where there are none: in a healthy cluster none waits for long.
fn pending(index: &mut Index) -> Result<Vec<Arc<PodRow>>, CliError> {
    let mut pods: Vec<_> = index.snapshot().pending().cloned().collect();
    if pods.is_empty() {
        let made_up = index.row_of(&made_up())?;
        let asked = ASKED.map(|(resource, amount)| format!("{resource} {amount}")).join(", ");
        note(&format!("no pod waits in the dump; {} is a made-up one that asks for {asked}", name(&made_up)));
        return Ok(vec![made_up]);
    }
    pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    Ok(pods)
}

fn made_up() -> Pod {
    let requests = ASKED.map(|(resource, amount)| (resource.to_owned(), Quantity(amount.to_owned())));
    let resources = ResourceRequirements { requests: Some(requests.into()), ..ResourceRequirements::default() };
    let container = Container { name: MADE_UP.to_owned(), resources: Some(resources), ..Container::default() };
    let metadata = ObjectMeta {
        namespace: Some("default".to_owned()),
        name: Some(MADE_UP.to_owned()),
        uid: Some(MADE_UP.to_owned()),
        ..ObjectMeta::default()
    };
    Pod { metadata, spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }), status: None }
}

/// The pod that was named, as if it waited: what it takes on its node is free again.
fn one(index: &mut Index, recording: &Recording, named: &str) -> Result<Arc<PodRow>, CliError> {
    let Some(pod) = recording.pods.iter().find(|pod| is_named(pod, named) && !is_over(pod)) else {
        let remedy = "there is no such pod in the dump, or it is over: write NAMESPACE/NAME of one that waits or runs";
        return Err(CliError::refused("--pod", named, remedy));
    };
    let mut pod = pod.clone();
    if let Some(node) = leave(&mut pod) {
        note(&format!("{named} is on {node}; it is asked about as if it waited and took nothing there"));
    }
    index.apply_pod(&pod)?;
    Ok(index.row_of(&pod)?)
}

fn is_named(pod: &Pod, named: &str) -> bool {
    let (namespace, name) = (pod.metadata.namespace.as_deref(), pod.metadata.name.as_deref());
    named.split_once('/').is_some_and(|(first, second)| namespace == Some(first) && name == Some(second))
}

fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Makes it a pod that waits; tells the node that it was on.
fn leave(pod: &mut Pod) -> Option<String> {
    // A pod that was told to go and has no node is none that could be asked about.
    pod.metadata.deletion_timestamp = None;
    pod.spec.as_mut()?.node_name.take().filter(|node| !node.is_empty())
}

/// Standard output is for the answers, and they are worth something without this.
fn note(text: &str) {
    drop(writeln!(io::stderr(), "kubectl-gantry: {text}"));
}

fn answer(plugin: &Plugin, offered: Offered, snapshot: &Snapshot, pod: &PodRow) -> Result<Answer, CliError> {
    let estimate = snapshot.estimate(pod);
    let decision = plugin.decide(&Columns::of(snapshot, 0), &lend(pod, &estimate))?;
    let (verdicts, scores) = (decision.verdicts?, decision.scores?);
    let mut nodes: Vec<NodeAnswer> = snapshot
        .names()
        .iter()
        .zip(verdicts.into_iter().zip(scores))
        .filter_map(|(node, (verdict, score))| {
            Some(NodeAnswer {
                node: node.as_ref()?.to_string(),
                verdict: offered.filter.then_some(VERDICTS[usize::from(verdict)]),
                score: offered.score.then_some(score),
            })
        })
        .collect();
    nodes.sort_by(|one, other| {
        let [first, second] = [one, other].map(|node| node.score.unwrap_or_default());
        second.total_cmp(&first).then_with(|| one.node.cmp(&other.node))
    });
    Ok(Answer { pod: name(pod), nodes })
}

fn table(answers: &[Answer]) -> String {
    let mut table = Table::new(["pod", "node", "verdict", "score"], &[1, 2]);
    for answer in answers {
        for node in &answer.nodes {
            let score = node.score.map_or_else(|| NOT_OFFERED.to_owned(), |score| format!("{score:.1}"));
            table.row([answer.pod.as_str(), node.node.as_str(), node.verdict.unwrap_or(NOT_OFFERED), score.as_str()]);
        }
    }
    table.render()
}

fn name(pod: &PodRow) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, cpu: &str, phase: &str) -> Value {
        json!({
            "metadata": {"namespace": "ns", "name": name, "uid": name},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]},
            "status": {"phase": phase},
        })
    }

    /// One node of four cores, with two pods on it and one that is over.
    fn healthy() -> Recording {
        let allocatable = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
        let node = json!({"metadata": {"name": "n"}, "status": {"allocatable": allocatable}});
        let pods = json!([pod("a", "3", "Running"), pod("b", "500m", "Running"), pod("over", "1", "Succeeded")]);
        Recording { nodes: vec![serde_json::from_value(node).unwrap()], pods: serde_json::from_value(pods).unwrap() }
    }

    #[test]
    fn a_pod_on_a_node_is_asked_about_as_if_it_waited_and_takes_nothing_there() {
        let recording = healthy();
        let mut index = recording.index(&["cpu".to_owned()]).unwrap();
        assert_eq!(index.snapshot().requested()[0], 3_500.0);
        let asked = one(&mut index, &recording, "ns/a").unwrap();
        let snapshot = index.snapshot();
        assert_eq!((name(&asked).as_str(), asked.request[0], snapshot.requested()[0]), ("ns/a", 3_000.0, 500.0));
        assert!(snapshot.class(asked.class).is_some());
    }

    #[test]
    fn a_pod_that_is_over_or_not_there_is_refused_by_its_name() {
        let recording = healthy();
        let mut index = recording.index(&["cpu".to_owned()]).unwrap();
        for named in ["ns/over", "ns/c", "other/a", "a"] {
            let error = one(&mut index, &recording, named).unwrap_err();
            assert!(error.exit_code() == 2 && error.chain().contains(named), "{}", error.chain());
        }
    }

    #[test]
    fn where_no_pod_waits_a_small_one_is_made_up_that_takes_nothing_from_the_cluster() {
        let mut index = healthy().index(&["cpu".to_owned()]).unwrap();
        let asked = pending(&mut index).unwrap();
        let [made_up] = &asked[..] else { panic!("{asked:?}") };
        let snapshot = index.snapshot();
        assert_eq!((made_up.request[0], snapshot.requested()[0]), (100.0, 3_500.0));
        assert!(snapshot.class(made_up.class).is_some() && snapshot.pending().next().is_none());
    }

    #[test]
    fn a_plugin_that_only_plans_is_refused_instead_of_letting_every_node_pass() {
        let error = Offered::of("plans.wasm", ExtensionPoints::PLAN).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.chain().contains("PLUGIN: `plans.wasm`"), "{}", error.chain());
        assert!(error.chain().contains("neither filter nor score"), "{}", error.chain());
        let offered = Offered::of("p", ExtensionPoints::FILTER | ExtensionPoints::PLAN).unwrap();
        assert!(offered.filter && !offered.score);
    }

    #[test]
    fn a_score_that_is_not_offered_is_neither_in_the_table_nor_in_the_document() {
        let node = NodeAnswer { node: "n".to_owned(), verdict: Some(VERDICTS[1]), score: None };
        let answer = Answer { pod: "ns/a".to_owned(), nodes: vec![node] };
        let document = serde_json::to_value(&answer).unwrap();
        assert_eq!(document, json!({"pod": "ns/a", "nodes": [{"node": "n", "verdict": "forbidden"}]}));
        let text = table(&[answer]);
        let cells: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells, ["ns/a", "n", "forbidden", "-"]);
    }
}
