//! `plugin`: what the author of a plugin does with it, from a template to a component that may be trusted.
//!
//! ```text
//!  scaffold ─► the language's build ─► (Rust: pack) ─► inspect ─► validate ─► run, bench
//! ```
//!
//! Promises to run a plugin only as the extender does: in the sandbox, within limits, every answer checked. Wherever a
//! component is asked for, `builtin:gantry` and a core module straight from the compiler will do.

mod bench;
mod inspect;
mod run;
mod sample;
mod scaffold;
pub(crate) mod source;
mod template;
mod validate;

use std::io::Write;

use clap::Subcommand;

use crate::CliError;

/// What to do with a plugin.
#[derive(Clone, Debug, Subcommand)]
pub enum PluginCommand {
    /// Say what a plugin is: contract, imports, exports, digest, settings.
    Inspect(inspect::InspectArgs),
    /// Check that a plugin keeps the contract.
    Validate(validate::ValidateArgs),
    /// Ask a plugin about the pods of a recorded cluster: those that wait, one that is named, or a made-up one.
    Run(run::RunArgs),
    /// Measure a plugin beside the built-in one.
    Bench(bench::BenchArgs),
    /// Wrap the module that a compiler left as a component.
    Pack(scaffold::PackArgs),
    /// Write the beginning of a plugin in Rust, JavaScript or Python.
    Scaffold(scaffold::ScaffoldArgs),
}

/// Runs the command.
pub(crate) fn run(command: &PluginCommand, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        PluginCommand::Inspect(args) => inspect::run(args, out),
        PluginCommand::Validate(args) => validate::run(args, out),
        PluginCommand::Run(args) => run::run(args, out),
        PluginCommand::Bench(args) => bench::run(args, out),
        PluginCommand::Pack(args) => scaffold::pack(args, out),
        PluginCommand::Scaffold(args) => scaffold::run(args, out),
    }
}
