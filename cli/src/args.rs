//! The command line, as typed; each command's flags stand in its own module.

use clap::{Parser, Subcommand};

use crate::admin::{ExplainArgs, LookArgs, PlanArgs};
use crate::plugin::PluginCommand;
use crate::replay::ReplayArgs;
use crate::simulate::SimulateArgs;
use crate::ungate::UngateArgs;

/// Looks at what Gantry does, or would do, with a cluster's pods.
///
/// On the PATH it is a kubectl plugin as well: `kubectl gantry simulate`.
#[derive(Clone, Debug, Parser)]
#[command(name = "kubectl-gantry", version, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Place the pending pods by Gantry and by kube-scheduler's own rule, on paper, and compare.
    ///
    /// It knows nothing of the extender's configuration: no dictionary, no section `plan`, and of weights only what
    /// `--weights` says. The joint plan is followed to the letter: the extender changes places within spread groups, so
    /// that kube-scheduler can bind them one by one, and here nobody refuses a step.
    Simulate(SimulateArgs),
    /// Take the gate `gantry.dev/plan` from pods that have waited too long for a plan.
    Ungate(UngateArgs),
    /// Say why a pod went where it went and not to the next best node, or why it waits.
    Explain(ExplainArgs),
    /// Show the plan that Gantry follows now.
    Plan(PlanArgs),
    /// Show the nodes as Gantry sees them now.
    Nodes(LookArgs),
    /// Ask a plugin again what the extender asked it, and compare the answers bit for bit.
    Replay(ReplayArgs),
    /// Look at, try, measure and start plugins.
    Plugin {
        /// What to do with a plugin.
        #[command(subcommand)]
        command: PluginCommand,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
