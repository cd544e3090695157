//! `plugin bench`: how long a plugin takes for a node, beside the built-in one, in one run on one machine.
//!
//! Absolute times depend on the machine and on what else it does; the ratio depends on neither, by much. The two are
//! measured in turn, call by call, so that both meet the same disturbances.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use gantry_host::types::ExtensionPoints;
use gantry_host::{CallError, Plugin};
use serde::Serialize;

use super::sample::{EVERYWHERE, Sample};
use super::source::{BUILTIN, PluginArgs, patient_plugin};
use crate::CliError;
use crate::output::{Format, Table, json};

/// Flags of `plugin bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchArgs {
    /// The plugin.
    #[command(flatten)]
    pub plugin: PluginArgs,
    /// Nodes of the cluster that it is asked about.
    #[arg(long, value_name = "NUMBER", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub nodes: u32,
    /// Calls that the median is taken of.
    #[arg(long, value_name = "NUMBER", default_value_t = 201, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub calls: u32,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Format,
}

/// Medians of one call, in nanoseconds a node.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    call: &'static str,
    nanoseconds_per_node: f64,
    builtin_nanoseconds_per_node: f64,
    ratio: f64,
}

/// One question to a plugin.
type Call = fn(&Plugin, &Sample) -> Result<(), CallError>;

const CALLS: [(&str, ExtensionPoints, Call); 2] =
    [("filter", ExtensionPoints::FILTER, filter), ("score", ExtensionPoints::SCORE, score)];

/// Runs the command.
pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let plugin = args.plugin.start_patiently()?;
    let offered = offered(&args.plugin.plugin, plugin.info().extension_points)?;
    let builtin = patient_plugin(BUILTIN, "")?;
    let sample = Sample::new(args.nodes as usize);
    let measured: Result<Vec<_>, CallError> = offered
        .into_iter()
        .map(|(name, call)| {
            let [own, other] = medians([&plugin, &builtin], &sample, call, args.calls)?;
            let per_node = |nanoseconds: f64| nanoseconds / f64::from(args.nodes);
            Ok(Measured {
                call: name,
                nanoseconds_per_node: per_node(own),
                builtin_nanoseconds_per_node: per_node(other),
                ratio: own / other,
            })
        })
        .collect();
    match args.output {
        Format::Json => json(out, &measured?),
        Format::Table => print(args, &measured?, out),
    }
}

/// The calls that the plugin answers.
fn offered(plugin: &str, points: ExtensionPoints) -> Result<Vec<(&'static str, Call)>, CliError> {
    let offered = CALLS.into_iter().filter(|(_, point, _)| points.contains(*point));
    let offered: Vec<_> = offered.map(|(name, _, call)| (name, call)).collect();
    if offered.is_empty() {
        let remedy = "it offers neither filter nor score, and nothing else is measured: name a plugin that does";
        return Err(CliError::refused("PLUGIN", plugin, remedy));
    }
    Ok(offered)
}

fn print(args: &BenchArgs, measured: &[Measured], out: &mut dyn Write) -> Result<(), CliError> {
    let mut table = Table::new(["call", "ns per node", BUILTIN, "ratio"], &[]);
    for line in measured {
        let numbers = [line.nanoseconds_per_node, line.builtin_nanoseconds_per_node, line.ratio];
        let cells = numbers.map(|number| format!("{number:.2}"));
        table.row([line.call.to_owned()].into_iter().chain(cells));
    }
    writeln!(out, "{} nodes, medians of {} calls\n", args.nodes, args.calls)?;
    Ok(write!(out, "{}", table.render())?)
}

fn filter(plugin: &Plugin, sample: &Sample) -> Result<(), CallError> {
    let request = Sample::request();
    plugin.filter(&sample.lend(), &Sample::pod(EVERYWHERE, &request)).map(|verdicts| drop(black_box(verdicts)))
}

fn score(plugin: &Plugin, sample: &Sample) -> Result<(), CallError> {
    let request = Sample::request();
    plugin.score(&sample.lend(), &Sample::pod(EVERYWHERE, &request)).map(|scores| drop(black_box(scores)))
}

/// The median time of each plugin, in nanoseconds. The first call of each pushes the cluster and is not counted.
fn medians(plugins: [&Plugin; 2], sample: &Sample, call: Call, calls: u32) -> Result<[f64; 2], CallError> {
    let mut times = [Vec::new(), Vec::new()];
    for plugin in plugins {
        call(plugin, sample)?;
    }
    for _ in 0..calls {
        for (plugin, times) in plugins.into_iter().zip(&mut times) {
            let start = Instant::now();
            call(plugin, sample)?;
            times.push(start.elapsed().as_nanos() as f64);
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_only_plans_is_refused_instead_of_measured_in_an_empty_table() {
        let Err(error) = offered("plans.wasm", ExtensionPoints::PLAN) else { panic!("there is nothing to measure") };
        assert_eq!(error.exit_code(), 2);
        assert!(error.chain().contains("PLUGIN: `plans.wasm`"), "{}", error.chain());
        assert!(error.chain().contains("neither filter nor score"), "{}", error.chain());
        let both = ExtensionPoints::SCORE | ExtensionPoints::PLAN;
        let names: Vec<&str> = offered("p", both).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["score"]);
    }
}
