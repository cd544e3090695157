//! `simulate`: the pending pods placed on paper, by kube-scheduler's rule and by Gantry, beside each other.
//!
//! ```text
//!  recording ─► Cluster (index, pods in order) ─► play(rule) for each rule ─► Report ─► table, JSON, SVG
//!                                                   assume, pod by pod
//! ```
//!
//! Promises that every rule sees the same cluster and the same pods in the same order, and that equal input gives equal
//! output. It binds nothing and evicts nobody: preemption is left out, for every rule alike.

mod chart;
mod cluster;
mod gantry;
mod kube_scheduler;
mod load;
mod report;
mod trial;
mod weights;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::{self, ClusterArgs};
use crate::output::{Format, json};
use crate::plugin::source;
use crate::recording::{Recording, read_file, write_file};
use crate::{CliError, forecasts};

use cluster::Cluster;
use gantry::{Planned, PodByPod};
use kube_scheduler::LeastAllocated;
use load::Loads;
use report::Report;
use trial::{Outcome, Rule, play};

/// Flags of `simulate`.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulateArgs {
    /// Dumps as printed by `kubectl get nodes,pods -A -o json`, `-` for standard input; none: the live cluster.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the live cluster is.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Forecasts of the nodes' use, as the sidecar serves them.
    #[arg(long, value_name = "FILE")]
    pub forecasts: Option<PathBuf>,
    /// The plugin: builtin:gantry, or a component's file.
    #[arg(long, value_name = "PLUGIN", default_value = source::BUILTIN)]
    pub plugin: String,
    /// The plugin's settings, as in a profile.
    #[arg(long, value_name = "JSON", default_value = "", hide_default_value = true)]
    pub settings: String,
    /// The resources that count, as in the configuration.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "cpu,memory,gantry.dev/disk-io,gantry.dev/network"
    )]
    pub resources: Vec<String>,
    /// How much each resource counts for Gantry, as in a profile: cpu=2,memory=0.5; 1 where nothing is said.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub weights: Vec<String>,
    /// Only pods that ask for this scheduler.
    #[arg(long, value_name = "NAME")]
    pub scheduler_name: Option<String>,
    /// How many changes of the joint plan may be tried.
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000_000)]
    pub evaluations: u64,
    /// What ties are broken by.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Draw the load of each node, now and afterwards, into this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Format,
}

/// Runs the command.
pub(crate) fn run(args: &SimulateArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let recording = recording(args)?;
    let mut cluster = Cluster::new(&recording, &args.resources, args.scheduler_name.as_deref())?;
    if let Some(path) = &args.forecasts {
        let (nodes, workloads) = forecasts::parse(&read_file("--forecasts", path)?)?;
        cluster.index.set_workloads(workloads);
        cluster.index.set_forecasts(nodes);
    }
    let before = Loads::of(&cluster.index.snapshot());
    let outcomes = outcomes(args, &mut cluster)?;
    if let (Some(path), [default, .., plan]) = (&args.svg, &outcomes[..]) {
        let series = [("now", &before), (default.rule, &default.loads), (plan.rule, &plan.loads)];
        write_file("--svg", path, chart::svg(&series))?;
    }
    let report = Report::new(&cluster, &before, outcomes);
    match args.output {
        Format::Table => Ok(write!(out, "{}", report.table())?),
        Format::Json => json(out, &report),
    }
}

fn recording(args: &SimulateArgs) -> Result<Recording, CliError> {
    if !args.files.is_empty() {
        return Recording::read(&args.files);
    }
    api::block_on(async { Recording::list(&args.cluster.connect().await?).await })
}

/// What each rule makes of the cluster: kube-scheduler's default first, the joint plan last.
fn outcomes(args: &SimulateArgs, cluster: &mut Cluster) -> Result<Vec<Outcome>, CliError> {
    let weights = weights::parse(&args.weights, &args.resources)?;
    let plugin = source::patient_plugin(&args.plugin, &args.settings)?;
    let snapshot = cluster.index.snapshot();
    let all = &snapshot.resources()[..snapshot.objective_resources()];
    let default = kube_scheduler::DEFAULT.map(Arc::from);
    let mut rules: [Box<dyn Rule + '_>; 4] = [
        Box::new(LeastAllocated::new("kube-scheduler", cluster, &default, args.seed)),
        Box::new(LeastAllocated::new("kube-scheduler, all resources", cluster, all, args.seed)),
        Box::new(PodByPod::new(&plugin, &weights, args.seed)),
        Box::new(Planned::new(&plugin, &weights, args.evaluations, args.seed)),
    ];
    rules.iter_mut().map(|rule| play(cluster, rule.as_mut())).collect()
}
