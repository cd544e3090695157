//! What stands behind the commands of `kubectl-gantry`.
//!
//! ```text
//!  dump files, API server ─► recording ─► Index ─► simulate: rules beside each other ─► table, JSON, SVG
//!  extender's admin port ──► admin: explain, plan, nodes
//!  API server ─────────────► ungate
//!  record (explain, plan) ─► replay: the same component asked the same
//!  component, module ──────► plugin: inspect, validate, run, bench, pack, scaffold
//! ```
//!
//! Every command is a function from its arguments to text on a writer and an exit code: 0 done, 1 failed, 2 bad input,
//! named by key and value with a remedy. Nothing but `ungate` writes to a cluster, and `scaffold`, `pack`, `--svg` and
//! `--record` alone write files. The crate must not link the solver: what decides is the component, in the sandbox, as in the
//! extender.
#![forbid(unsafe_code)]

mod admin;
mod api;
mod args;
mod columns;
mod error;
mod forecasts;
mod output;
mod plugin;
mod recording;
mod replay;
mod simulate;
mod ungate;

use std::io::Write;

pub use args::{Args, Command};
pub use error::CliError;
pub use plugin::source::{COMPILE_PLUGIN, compile_apart};

/// Does what the command line says, and writes what it found to `out`.
///
/// # Errors
/// What went wrong; [`CliError::exit_code`] says whose fault it is.
pub fn run(args: Args, out: &mut dyn Write) -> Result<(), CliError> {
    match args.command {
        Command::Simulate(args) => simulate::run(&args, out),
        Command::Ungate(args) => ungate::run(&args, out),
        Command::Explain(args) => admin::explain(&args, out),
        Command::Plan(args) => admin::plan(&args, out),
        Command::Nodes(args) => admin::nodes(&args, out),
        Command::Replay(args) => replay::run(&args, out),
        Command::Plugin { command } => plugin::run(&command, out),
    }
}
