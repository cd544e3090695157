//! Why the process ends, and with which exit code.
//!
//! Must not know: what was being done beyond its name.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::ModelError;
use crate::config::{ConfigError, Problem};
use crate::csv::CsvError;
use crate::plot::PlotError;
use crate::source::SourceError;
use crate::store::StoreError;

/// Why the process ends before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration is at fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; end what listens there, or choose another {key}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The key that changes it.
        key: &'static str,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A socket in the file system cannot be listened on.
    #[error("cannot listen on {}; choose another server.listen, in a folder that can be written to", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The runtime, a handler of signals or a thread could not be made.
    #[error("the process cannot start")]
    Runtime(#[source] std::io::Error),
    /// The thread that forecasts ended. A process that went on would serve ever older forecasts.
    #[error("the thread that forecasts ended unexpectedly; its last words are in the log")]
    Ticks,
    /// Prometheus gave no answer, or a certificate cannot be used.
    #[error("query {query} failed")]
    Source {
        /// The query; empty before the first.
        query: String,
        /// Why.
        #[source]
        source: SourceError,
    },
    /// The store's address is none.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// A series file is at fault.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// Nothing could be learnt.
    #[error("no model could be trained")]
    Model(#[from] ModelError),
    /// A plot could not be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A result cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl From<Problem> for RunError {
    fn from(problem: Problem) -> Self {
        Self::Config(problem.into())
    }
}

impl RunError {
    /// 2 where the configuration is at fault, as for a wrong command line; 1 otherwise.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            _ => 1,
        }
    }
}

/// An error and everything that led to it, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let cause = source.to_string();
        // Some errors repeat their source in their own message.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        next = source.source();
    }
    text
}
