//! The configuration file as an admin types it.
//!
//! Every key is optional here and every value is as written; meaning, ranges and defaults are the business of `check`.
//! Unknown keys are refused by each type.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// The API version that this build reads.
pub const API_VERSION: &str = "gantry.dev/v1alpha1";
/// The kind of the document.
pub const KIND: &str = "ForecasterConfiguration";

/// The document.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ConfigFile {
    /// Always [`API_VERSION`].
    pub api_version: Option<String>,
    /// Always [`KIND`].
    pub kind: Option<String>,
    /// How to be reached.
    pub server: ServerFile,
    /// Where usage is read.
    pub prometheus: PrometheusFile,
    /// Which node a series belongs to.
    pub nodes: NodesFile,
    /// What is read, by name. Absent: the defaults for `node_exporter` and cAdvisor; a name that a default has replaces it.
    pub queries: BTreeMap<String, QueryFile>,
    /// Which default queries are used. Default: all.
    pub default_queries: Option<Vec<String>>,
    /// Values for `$name` in queries. Defaults: `window: 2m`, `job: .+`.
    pub variables: BTreeMap<String, String>,
    /// When to read, and how much.
    pub schedule: ScheduleFile,
    /// How forecasts are made.
    pub model: ModelFile,
    /// Where forecasts outlive the process.
    pub store: StoreFile,
}

/// The section `server`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ServerFile {
    /// Where forecasts are served: a loopback address with a port, or `unix:` and a path. Default 127.0.0.1:8890.
    pub listen: Option<String>,
    /// Address of the admin's endpoints. Default 127.0.0.1:8891.
    pub admin: Option<String>,
}

/// The section `prometheus`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PrometheusFile {
    /// Its address, up to but without `/api/v1`. Needed.
    pub url: Option<String>,
    /// How long one attempt may take. Default 10s, from 100ms to 2m.
    #[serde(deserialize_with = "scalar")]
    pub timeout: Option<String>,
    /// The largest answer, unpacked; a longer span of time is then asked for in parts. Default 8Mi, from 64Ki to 1Gi.
    #[serde(deserialize_with = "scalar")]
    pub response_limit: Option<String>,
    /// The tenant: header `X-Scope-OrgID`.
    pub tenant: Option<String>,
    /// File with a bearer token, read again for each request.
    pub bearer_token_file: Option<PathBuf>,
    /// Name and password.
    pub basic: Option<BasicFile>,
    /// Certificates.
    pub tls: TlsFile,
}

/// The section `prometheus.basic`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct BasicFile {
    /// The name.
    pub username: Option<String>,
    /// File with the password, read again for each request.
    pub password_file: Option<PathBuf>,
}

/// The section `prometheus.tls`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct TlsFile {
    /// PEM file with the authorities that are trusted. Absent: those of the system.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client's certificate chain.
    pub cert_file: Option<PathBuf>,
    /// PEM file with its key.
    pub key_file: Option<PathBuf>,
}

/// The section `nodes`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NodesFile {
    /// The label that tells the node. Default `instance`.
    pub label: Option<String>,
    /// Regular expression whose first group is kept of the label. Default: without a port at the end.
    pub pattern: Option<String>,
    /// How what was kept becomes a node's name. Absent: it is the name.
    pub join: Option<JoinFile>,
}

/// The section `nodes.join`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct JoinFile {
    /// An instant query with one series for each node. Default `kube_node_info`.
    pub query: Option<String>,
    /// Its label with what was kept. Default `internal_ip`.
    pub key: Option<String>,
    /// Its label with the node's name. Default `node`.
    pub name: Option<String>,
}

/// One entry of `queries`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct QueryFile {
    /// `Node` or `Workload`.
    pub kind: Option<String>,
    /// The Kubernetes name of the resource: cpu, memory, gantry.dev/disk-io, …
    pub resource: Option<String>,
    /// `PromQL`; `$name` is replaced from `variables`.
    pub query: Option<String>,
    /// `share` (1 = all that the node can give) or `base` (cores, bytes, bytes per second). Default base.
    pub unit: Option<String>,
    /// The greatest possible value. Default 1 for shares, none otherwise.
    pub capacity: Option<f64>,
}

/// The section `schedule`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ScheduleFile {
    /// How often new samples are read. Default 30s, from 1s to 5m.
    #[serde(deserialize_with = "scalar")]
    pub tick: Option<String>,
    /// The step between samples asked for. Default 30s, from 1s to 60s; a divisor of 60s.
    #[serde(deserialize_with = "scalar")]
    pub resolution: Option<String>,
    /// How far back the first reading reaches. Default 7d, from 1h to 30d.
    #[serde(deserialize_with = "scalar")]
    pub history: Option<String>,
    /// Memory for all series; where it is short, history is, down to 8 hours. Default 32Mi, from 1Mi to 16Gi.
    #[serde(deserialize_with = "scalar")]
    pub history_memory: Option<String>,
    /// How often the LSTM is trained again. Default 6h, from 1m to 7d.
    #[serde(deserialize_with = "scalar")]
    pub retrain: Option<String>,
}

/// The section `model`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ModelFile {
    /// Whether the LSTM is trained and served at all. Default true.
    pub lstm: Option<bool>,
    /// `tanh` or `relu`. Default tanh.
    pub activation: Option<String>,
    /// `off` or `zscore`: what happens to outliers in training windows. Default off.
    pub cleaning: Option<String>,
    /// Passes of the first training. Default 6, from 1 to 200.
    pub epochs: Option<usize>,
    /// Passes of a retraining. Default 3, from 1 to 200.
    pub retraining_epochs: Option<usize>,
    /// Training windows over all queries. Default 100000, from 1000 to 10000000.
    pub windows: Option<usize>,
    /// Decides the first weights and the order of windows. Default 1.
    pub seed: Option<u64>,
}

/// The section `store`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct StoreFile {
    /// Folder for `forecasts.json` and the LSTM's weights; it must exist. Absent: nothing outlives the process.
    pub folder: Option<PathBuf>,
    /// Where several replicas share one snapshot.
    pub redis: Option<RedisFile>,
}

/// The section `store.redis`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct RedisFile {
    /// `redis://host:port/database` or `redis+unix:///path`. Needed.
    pub url: Option<String>,
    /// File with the password, read again for each connection.
    pub password_file: Option<PathBuf>,
    /// Part of every key, so that clusters can share a Redis. Default `default`.
    pub cluster: Option<String>,
    /// How long a snapshot is kept. Default 5m, from 1s to 1h.
    #[serde(deserialize_with = "scalar")]
    pub ttl: Option<String>,
    /// How long a writer that is silent stays the writer. Default 90s, from 1s to 10m; more than two ticks.
    #[serde(deserialize_with = "scalar")]
    pub lease: Option<String>,
}

/// A value that YAML may read as a number where the admin meant text: `1000` bytes.
fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number with its unit, such as 500ms or 128Mi")]
    enum Scalar {
        Text(String),
        Number(serde_json::Number),
    }
    Ok(Option::deserialize(deserializer)?.map(|value| match value {
        Scalar::Text(text) => text,
        Scalar::Number(number) => number.to_string(),
    }))
}
