//! The configuration that runs. Only `check` makes one.
//!
//! Plain values with their units in their types: whoever reads a field never has to
//! check it again.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gantry_cluster::Dictionary;
use gantry_host::{Digest, Limits};

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to be reached.
    pub server: Server,
    /// Where the cluster is.
    pub cluster: Cluster,
    /// Where forecasts of use come from, if from anywhere.
    pub forecasts: Option<Forecasts>,
    /// The objective's resources, 1 to 64, no two alike; the order is the order of columns.
    pub resources: Vec<String>,
    /// At least one, no two for the same scheduler.
    pub profiles: Vec<Profile>,
    /// The admins' validation dictionaries of all profiles.
    pub dictionary: Dictionary,
}

/// How to be reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address of the extender's endpoints.
    pub listen: SocketAddr,
    /// Address of the admin's endpoints; another one than `listen`, unless both ports are 0.
    pub admin: SocketAddr,
    /// A request's deadline, below kube-scheduler's default `httpTimeout` of 5 s.
    pub deadline: Duration,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// How long an idle connection stays open, above the 90 s that kube-scheduler keeps its own.
    pub keep_alive: Duration,
    /// Whether `/bind` is served.
    pub bind: bool,
    /// Serve https instead of http.
    pub tls: Option<Tls>,
}

/// The files of TLS; they existed when they were checked.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM file with the server's certificate chain.
    pub cert_file: PathBuf,
    /// PEM file with its key.
    pub key_file: PathBuf,
    /// PEM file with the authorities whose client certificates are required.
    pub client_ca_file: Option<PathBuf>,
}

/// Where the cluster is.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// What to watch.
    pub source: ClusterSource,
    /// How long an answer counts as placed before the watch confirms it.
    pub assumed_ttl: Duration,
}

/// What to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterSource {
    /// Nothing: nodes come with the requests.
    Requests,
    /// The API server of the cluster that this runs in, by the pod's service account.
    InCluster,
    /// The API server that a kubeconfig file names.
    Kubeconfig(PathBuf),
}

/// Where forecasts of use come from.
#[derive(Clone, Debug)]
pub struct Forecasts {
    /// The sidecar.
    pub source: ForecastSource,
    /// The file of its last snapshot. It need not exist (yet).
    pub file: Option<PathBuf>,
    /// How often the sidecar is asked.
    pub poll: Duration,
}

/// How the sidecar is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForecastSource {
    /// HTTP over TCP.
    Tcp(SocketAddr),
    /// HTTP over a unix socket. It need not exist (yet).
    Unix(PathBuf),
}

impl fmt::Display for ForecastSource {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "http://{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// What to do for the pods of one scheduler.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Whose pods: their `spec.schedulerName`.
    pub scheduler_name: String,
    /// The objective's weights, one a resource, finite, 0 to 1000, not all 0.
    pub weights: Vec<f64>,
    /// The plugin that filters and scores.
    pub plugin: Plugin,
    /// How waiting pods are planned together, if they are.
    pub plan: Option<Plan>,
}

/// How waiting pods are planned together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How scores keep to the plan.
    pub mode: PlanMode,
    /// Whether gated pods are planned, nominated and released.
    pub nominate: bool,
    /// How long no new gated pod must have come before a batch is planned.
    pub window: Duration,
    /// The most candidate changes that one search evaluates.
    pub evaluations: u64,
    /// How long a plan holds though nothing contradicts it.
    pub ttl: Duration,
}

/// How scores keep to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanMode {
    /// Scores are those of the objective, given where the plan puts the others; the best node alone has 10.
    Guide,
    /// The planned node has 10 and every other 0.
    Follow,
}

/// A plugin to load.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Where it stands in the configuration, for messages: `profiles[0].plugins[0]`.
    pub key: String,
    /// Its name in metrics and logs.
    pub name: String,
    /// Where its bytes are.
    pub component: ComponentSource,
    /// The SHA-256 that the bytes must have.
    pub digest: Option<Digest>,
    /// Its settings, a JSON document; empty for all defaults.
    pub settings: String,
    /// What it may use up.
    pub limits: Limits,
}

/// Where a component's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComponentSource {
    /// In this program.
    Builtin,
    /// In a file, which existed when it was checked.
    File(PathBuf),
}
