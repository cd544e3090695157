//! The configuration that runs. Only `check` makes one.
//!
//! Plain values with their units in their types: whoever reads a field never has to check it again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderValue, Uri};
use regex::Regex;

use crate::models::lstm::LstmConfig;
use crate::snapshot::{Kind, Unit};

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to be reached.
    pub server: Server,
    /// Where usage is read.
    pub prometheus: Prometheus,
    /// Which node a series belongs to.
    pub nodes: Nodes,
    /// What is read; at least one, no two of the same kind and resource.
    pub queries: Vec<Query>,
    /// When to read, and how much.
    pub schedule: Schedule,
    /// How the LSTM is made; none where it is not.
    pub lstm: Option<LstmConfig>,
    /// Where forecasts outlive the process.
    pub store: Store,
}

/// How to be reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where forecasts are served.
    pub listen: Listen,
    /// Address of the admin's endpoints.
    pub admin: SocketAddr,
}

/// Where forecasts are served: never beyond this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A loopback address.
    Loopback(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Where usage is read.
#[derive(Clone, Debug)]
pub struct Prometheus {
    /// Its address without `/api/v1` and without a slash at the end; http or https, with a host.
    pub url: Uri,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The largest answer, unpacked, in bytes.
    pub response_limit: usize,
    /// Value of `X-Scope-OrgID`.
    pub tenant: Option<HeaderValue>,
    /// How to say who asks.
    pub auth: Auth,
    /// PEM file with the authorities that are trusted.
    pub ca_file: Option<PathBuf>,
    /// PEM files with the client's certificate chain and its key.
    pub client_cert: Option<(PathBuf, PathBuf)>,
}

/// How to say who asks. Files are read for each request, so a rotated secret needs no restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    Anonymous,
    /// By the token in a file.
    Bearer(PathBuf),
    /// By name and the password in a file.
    Basic {
        /// The name, without a colon.
        username: String,
        /// The file.
        password_file: PathBuf,
    },
}

/// Which node a series belongs to.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// The label that tells the node.
    pub label: String,
    /// Its first group is kept of the label.
    pub pattern: Regex,
    /// How what was kept becomes a node's name; none where it is the name.
    pub join: Option<Join>,
}

/// How a part of a label becomes a node's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// An instant query with one series for each node.
    pub query: String,
    /// Its label with what was kept.
    pub key: String,
    /// Its label with the node's name.
    pub name: String,
}

/// What is read of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Its name in metrics, logs and weights.
    pub name: String,
    /// Whose usage.
    pub kind: Kind,
    /// The Kubernetes name of the resource.
    pub resource: String,
    /// `PromQL`, variables replaced.
    pub promql: String,
    /// What a value counts.
    pub unit: Unit,
    /// The greatest possible value; infinite where there is none.
    pub capacity: f64,
}

/// When to read, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How often new samples are read.
    pub tick: Duration,
    /// Step between samples, in seconds; a divisor of 60.
    pub resolution: u32,
    /// How far back the first reading reaches.
    pub history: Duration,
    /// Bytes that all series may take together.
    pub history_memory: usize,
    /// How often the LSTM is trained again.
    pub retrain: Duration,
}

/// Where forecasts outlive the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// A folder that existed when it was checked.
    pub folder: Option<PathBuf>,
    /// Where several replicas share one snapshot.
    pub redis: Option<Redis>,
}

/// Where several replicas share one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    /// Its address, without a password.
    pub url: String,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// Part of every key.
    pub cluster: String,
    /// How long a snapshot is kept.
    pub ttl: Duration,
    /// How long a writer that is silent stays the writer.
    pub lease: Duration,
}
