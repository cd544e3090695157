//! Why a command did not do what it was asked, and with which exit code.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use gantry_cluster::dump::DumpError;
use gantry_cluster::{ObjectError, ResourcesError};
use gantry_host::{CallError, Failure, LoadError};

use crate::forecasts::ForecastsError;
use crate::output::visible;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Something that was typed is at fault.
    #[error("{key}: `{value}` is refused: {remedy}")]
    Refused {
        /// The flag or argument, or the path of the key inside it.
        key: String,
        /// What it was.
        value: String,
        /// What to do instead.
        remedy: String,
    },
    /// A file that was named cannot be read or written.
    #[error("{key}: `{}` cannot be {what}: check the path and its permissions", path.display())]
    File {
        /// The flag or argument that named it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A file that was named is no dump of a cluster.
    #[error("`{}` is no dump of a cluster: use the output of `kubectl get nodes,pods -A -o json`", path.display())]
    Dump {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DumpError,
    },
    /// A node or pod that cannot be turned into numbers.
    #[error("the cluster holds what cannot be counted")]
    Object(#[from] ObjectError),
    /// A list of resources that makes no columns.
    #[error("--resources: refused: name 1 to 32 different resources, separated by commas")]
    Resources(#[from] ResourcesError),
    /// Forecasts that cannot be used.
    #[error("--forecasts: refused: use what the sidecar serves at /v1/forecasts")]
    Forecasts(#[from] ForecastsError),
    /// No way to an API server.
    #[error("no API server: name a kubeconfig file by --kubeconfig or KUBECONFIG, or give dump files")]
    NoCluster(#[source] Box<kube::Error>),
    /// The API server, or the extender, did not do what was asked.
    #[error("{what} failed")]
    Api {
        /// What was asked.
        what: String,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// A component that the host does not take.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A plugin that gave no usable answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The command has said on its output what failed; this is the sum of it.
    #[error("{0}")]
    Failed(String),
    /// The text could not be written.
    #[error("the output could not be written")]
    Output(#[from] io::Error),
}

impl CliError {
    /// Something that was typed is at fault.
    pub(crate) fn refused(key: impl Into<String>, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Refused { key: key.into(), value: value.into(), remedy: remedy.into() }
    }

    /// A call of an API that failed.
    pub(crate) fn api(what: impl Into<String>, source: kube::Error) -> Self {
        Self::Api { what: what.into(), source: Box::new(source) }
    }

    /// 2 where what was typed is at fault, 1 where the world is; 0 where the reader of the output has gone away.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Refused { .. }
            | Self::File { .. }
            | Self::Dump { .. }
            | Self::Object(_)
            | Self::Resources(_)
            | Self::Forecasts(_)
            | Self::NoCluster(_)
            | Self::Load(_) => 2,
            Self::Call(error) if matches!(error.failure(), Failure::Settings { .. }) => 2,
            Self::Api { .. } | Self::Call(_) | Self::Failed(_) | Self::Output(_) => 1,
        }
    }

    /// The error with the errors behind it. What a plugin has put into it is nothing that a terminal obeys.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self).lines().map(visible).collect::<Vec<_>>().join("\n")
    }
}

/// An error with the errors behind it, in one line; a cause that the text before it quotes already is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let line = error.to_string();
        let line = line.lines().next().unwrap_or_default();
        if !text.ends_with(line) {
            text = format!("{text}: {line}");
        }
        source = error.source();
    }
    text
}
