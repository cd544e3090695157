//! The command line, as typed.
//!
//! Flags win over the configuration file; everything is checked with it, in one place.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use gantry_host::Digest;

use crate::config::{self, Config, ConfigError, ConfigFile, Draft, Surroundings};
use crate::telemetry::LogFormat;

/// The command that a process is started with to compile a plugin for its parent.
pub const COMPILE_PLUGIN: &str = "compile-plugin";

/// Answers kube-scheduler's extender calls with sandboxed plugins.
#[derive(Clone, Debug, Parser)]
#[command(name = "gantry-extender", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to do; `serve` if left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of `serve`.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve until interrupted.
    Serve(ServeArgs),
    /// Check a configuration file and its plugins, and say everything that is wrong.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Compile the plugin on standard input. Gantry starts itself in this way, so that compiling can be stopped.
    #[command(name = COMPILE_PLUGIN, hide = true)]
    CompilePlugin,
}

/// Flags of `serve`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ServeArgs {
    /// The configuration file; without one: all defaults, and nodes come with the requests.
    #[arg(long, value_name = "FILE", env = "GANTRY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address of the extender's endpoints, in place of server.listen.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Address of the admin's endpoints, in place of server.admin.
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<String>,
    /// Watch the cluster of this kubeconfig file, in place of cluster.kubeconfig.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Where the forecaster serves, in place of forecasts.from.
    #[arg(long, value_name = "ADDRESS")]
    pub forecasts_from: Option<String>,
    /// File with the forecaster's last snapshot, in place of forecasts.file.
    #[arg(long, value_name = "FILE", requires = "forecasts_from")]
    pub forecasts_file: Option<PathBuf>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Print a captured request of kube-scheduler, its answer, and how to send it yourself.
    #[arg(long)]
    pub demo: bool,
}

impl ServeArgs {
    /// The configuration that the flags and the file make together.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn config(&self, surroundings: Surroundings) -> Result<Config, ConfigError> {
        self.draft(surroundings).map(|draft| draft.config)
    }

    /// The same, with what it was read from.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn draft(&self, surroundings: Surroundings) -> Result<Draft, ConfigError> {
        let Some(path) = &self.config else {
            let config = self.check(ConfigFile::embedded(), surroundings)?;
            return Ok(Draft { digest: None, document: serde_json::Value::Null, config });
        };
        let unreadable = |source| ConfigError::Unreadable { path: path.clone(), source };
        self.draft_of(&std::fs::read(path).map_err(unreadable)?, path, surroundings)
    }

    /// The same of a file's content; `path` is named in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn draft_of(&self, bytes: &[u8], path: &Path, surroundings: Surroundings) -> Result<Draft, ConfigError> {
        let (document, file) = config::read_bytes(bytes, path)?;
        let config = self.check(file, surroundings)?;
        Ok(Draft { digest: Some(Digest::of(bytes)), document, config })
    }

    fn check(&self, mut file: ConfigFile, surroundings: Surroundings) -> Result<Config, ConfigError> {
        file.server.listen = self.listen.clone().or(file.server.listen);
        file.server.admin = self.admin.clone().or(file.server.admin);
        if self.kubeconfig.is_some() {
            file.cluster.kubeconfig.clone_from(&self.kubeconfig);
            file.cluster.mode = Some("auto".to_owned());
        }
        if self.forecasts_from.is_some() {
            let forecasts = file.forecasts.get_or_insert_default();
            forecasts.from.clone_from(&self.forecasts_from);
            forecasts.file = self.forecasts_file.clone().or(forecasts.file.take());
        }
        config::check::check(file, surroundings)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::valid::{ClusterSource, ForecastSource};

    fn config(arguments: &[&str]) -> Result<Config, ConfigError> {
        let args = Args::parse_from(["gantry-extender"].iter().chain(arguments));
        let serve = match args.command {
            Some(Command::Serve(serve)) => serve,
            _ => args.serve,
        };
        serve.config(Surroundings::default())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn serve_may_be_left_out() {
        for arguments in [&["--listen", "127.0.0.1:0"][..], &["serve", "--listen", "127.0.0.1:0"][..]] {
            assert_eq!(config(arguments).unwrap().server.listen.port(), 0);
        }
    }

    #[test]
    fn a_kubeconfig_turns_the_watch_on() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let source = config(&["--kubeconfig", manifest]).unwrap().cluster.source;
        assert_eq!(source, ClusterSource::Kubeconfig(manifest.into()));
    }

    #[test]
    fn forecasts_need_no_section_where_a_flag_says_from_where() {
        assert!(config(&[]).unwrap().forecasts.is_none());
        let flags = ["--forecasts-from", "unix:/run/gantry/forecasts.sock", "--forecasts-file", "/run/gantry/f.json"];
        let forecasts = config(&flags).unwrap().forecasts.unwrap();
        assert_eq!(forecasts.source, ForecastSource::Unix("/run/gantry/forecasts.sock".into()));
        assert_eq!(forecasts.file, Some("/run/gantry/f.json".into()));
    }

    #[test]
    fn a_flag_is_checked_like_a_key() {
        let error = config(&["--listen", "nowhere"]).unwrap_err().to_string();
        assert!(error.contains("server.listen: `nowhere` is refused"), "{error}");
    }
}
