//! `plugin run`: what a plugin says of the pending pods of a recorded cluster, node by node.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::Plugin;
use serde::Serialize;

use super::source::PluginArgs;
use crate::CliError;
use crate::columns::{Columns, pod as lend};
use crate::output::{Format, Table, json};
use crate::recording::Recording;

/// The verdicts of the contract, by number.
const VERDICTS: [&str; 5] = ["pass", "forbidden", "mismatch", "insufficient", "overloaded-soon"];

/// Flags of `plugin run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The plugin.
    #[command(flatten)]
    pub plugin: PluginArgs,
    /// A dump as printed by `kubectl get nodes,pods -A -o json`, `-` for standard input.
    #[arg(long, value_name = "DUMP")]
    pub cluster: PathBuf,
    /// Only this pending pod.
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

/// What a plugin says of one pod.
#[derive(Serialize)]
struct Answer {
    pod: String,
    nodes: Vec<NodeAnswer>,
}

#[derive(Serialize)]
struct NodeAnswer {
    node: String,
    verdict: &'static str,
    score: f64,
}

/// Runs the command.
pub(super) fn run(args: &RunArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let mut index = Recording::read(std::slice::from_ref(&args.cluster))?.index(&args.resources)?;
    let snapshot = index.snapshot();
    let pods = pods(&snapshot, args.pod.as_deref())?;
    let plugin = args.plugin.start_patiently()?;
    let answers: Result<Vec<_>, _> = pods.iter().map(|pod| answer(&plugin, &snapshot, pod)).collect();
    match args.output {
        Format::Json => json(out, &answers?),
        Format::Table => Ok(write!(out, "{}", table(&answers?))?),
    }
}

/// The pending pods by name, or the one that was named.
fn pods(snapshot: &Snapshot, named: Option<&str>) -> Result<Vec<Arc<PodRow>>, CliError> {
    let mut pods: Vec<_> = snapshot.pending().cloned().collect();
    pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    let Some(named) = named else { return Ok(pods) };
    pods.retain(|pod| name(pod) == named);
    if pods.is_empty() {
        let remedy = "there is no such pod without a node in the dump: write NAMESPACE/NAME of a pending one";
        return Err(CliError::refused("--pod", named, remedy));
    }
    Ok(pods)
}

fn answer(plugin: &Plugin, snapshot: &Snapshot, pod: &PodRow) -> Result<Answer, CliError> {
    let estimate = snapshot.estimate(pod);
    let decision = plugin.decide(&Columns::of(snapshot, 0), &lend(pod, &estimate))?;
    let (verdicts, scores) = (decision.verdicts?, decision.scores?);
    let mut nodes: Vec<NodeAnswer> = snapshot
        .names()
        .iter()
        .zip(verdicts.into_iter().zip(scores))
        .filter_map(|(node, (verdict, score))| {
            Some(NodeAnswer { node: node.as_ref()?.to_string(), verdict: VERDICTS[usize::from(verdict)], score })
        })
        .collect();
    nodes.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.node.cmp(&other.node)));
    Ok(Answer { pod: name(pod), nodes })
}

fn table(answers: &[Answer]) -> String {
    let mut table = Table::new(["pod", "node", "verdict", "score"], &[1, 2]);
    for answer in answers {
        for node in &answer.nodes {
            table.row([&answer.pod, &node.node, node.verdict, &format!("{:.1}", node.score)]);
        }
    }
    table.render()
}

fn name(pod: &PodRow) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}
