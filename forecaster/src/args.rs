//! The command line, as typed.
//!
//! Must not know: what commands do.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::units;
use crate::telemetry::LogFormat;

/// Forecasts usage of nodes and workloads from Prometheus, and serves the forecasts.
#[derive(Clone, Debug, Parser)]
#[command(name = "gantry-forecaster", version)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Read Prometheus, forecast and serve until interrupted.
    Serve(ConfigArgs),
    /// Check a configuration file, and say everything that is wrong.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Read the history of all queries from Prometheus and write it as CSV, one file a query.
    Fetch {
        /// The configuration.
        #[command(flatten)]
        config: ConfigArgs,
        /// The folder to write to; it must exist.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Train the LSTM on CSV files, and write its weights, one file a resource (profile `paper`: a subject).
    Train {
        /// A CSV file, or a folder of them.
        series: PathBuf,
        /// The folder to write to; it must exist.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Training and grid.
        #[command(flatten)]
        training: TrainingArgs,
    },
    /// Forecast the last part of CSV files with models trained on the first, and print how good that was.
    Backtest {
        /// A CSV file, or a folder of them.
        series: PathBuf,
        /// Write plots of forecast bands over the truth to this folder, one SVG a series.
        #[arg(long, value_name = "FOLDER")]
        plots: Option<PathBuf>,
        /// How much of its past is known of a series at a time; a large cluster's sidecar has memory for less.
        #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = duration)]
        history: Duration,
        /// Training and grid.
        #[command(flatten)]
        training: TrainingArgs,
    },
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "GANTRY_FORECASTER_CONFIG")]
    pub config: PathBuf,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// How the LSTM is trained, and on which grid.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainingArgs {
    /// What is trained.
    #[arg(long, value_enum, default_value_t)]
    pub profile: Profile,
    /// Passes over the training windows: 6 if left out, with the profile `paper` 50.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub epochs: Option<u16>,
    /// Decides the first weights and the order of windows.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seconds between two values; 0 takes the most common distance between samples, at least 60.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub step: u32,
}

/// What is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// What `serve` uses: one LSTM a resource, with quantiles.
    #[default]
    Served,
    /// The source's recipe, for the record: ten steps of a subject's resources, min-max scaling, 2 × 64 ReLU, mean
    /// squared error, 70 % for training. Reports MSE and MAE, and draws no plots.
    Paper,
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "a number and ms, s, m, h or d, such as 12h".to_owned())
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
