//! Why the process ends, and with which exit code.

use std::net::SocketAddr;

use crate::config::{ConfigError, Problem};

/// Why the process ends before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is at fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; end what listens there, or choose another address by --{flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The asynchronous runtime, or a handler of signals, could not be made.
    #[error("the process cannot start: {0}")]
    Runtime(#[source] std::io::Error),
    /// Something panicked that the process is of no use without.
    #[error("a task in the background panicked: {0}; the process ends, to be started anew")]
    Panic(#[source] tokio::task::JoinError),
    /// The demonstration failed.
    #[error("the demonstration failed: {0}")]
    Demo(#[source] std::io::Error),
}

impl From<Problem> for StartError {
    fn from(problem: Problem) -> Self {
        Self::Config(ConfigError::Refused(vec![problem]))
    }
}

impl StartError {
    /// 2 where the configuration is at fault, as for a wrong command line; 1 otherwise.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            _ => 1,
        }
    }
}
