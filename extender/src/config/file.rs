//! The configuration file as an admin types it.
//!
//! Every key is optional here and every value is as written; meaning, ranges and
//! defaults are the business of `check`. Unknown keys are refused by each type.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gantry_cluster::DictionaryEntry;
use serde::{Deserialize, Deserializer};

/// The API version that this build reads.
pub const API_VERSION: &str = "gantry.dev/v1alpha1";
/// The kind of the document.
pub const KIND: &str = "GantryConfiguration";

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
    /// Where the cluster is.
    pub cluster: ClusterFile,
    /// Where forecasts of use come from. Absent: there are none.
    pub forecasts: Option<ForecastsFile>,
    /// How pods' use is estimated. Absent: they use what they ask for, unless their workload's use is forecast.
    pub estimates: Option<EstimatesFile>,
    /// The objective's resources, and behind them the node labels that plugins are told, as `label:KEY` or
    /// `label:KEY=VALUE`. Default: cpu, memory, `gantry.dev/disk-io`, `gantry.dev/network`.
    pub resources: Option<Vec<String>>,
    /// Where compiled plugins are kept. Absent: nowhere, they are compiled at every start.
    pub cache: Option<CacheFile>,
    /// What compiling one plugin may use up.
    pub compile: CompileFile,
    /// What to do for whose pods. Default: one profile for `default-scheduler` with the built-in plugin.
    pub profiles: Option<Vec<ProfileFile>>,
}

/// The section `server`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ServerFile {
    /// Address of the extender's endpoints. Default 127.0.0.1:8888.
    pub listen: Option<String>,
    /// Address of the admin's endpoints. Default 127.0.0.1:8889.
    pub admin: Option<String>,
    /// A request's deadline. Default 500ms, from 10ms to below 5s.
    #[serde(deserialize_with = "scalar")]
    pub deadline: Option<String>,
    /// The largest body. Default 128Mi, from 64Ki to 1Gi.
    #[serde(deserialize_with = "scalar")]
    pub body_limit: Option<String>,
    /// How long an idle connection stays open. Default 120s, from 91s to 1h.
    #[serde(deserialize_with = "scalar")]
    pub keep_alive: Option<String>,
    /// Whether `/bind` is served. Default false.
    pub bind: Option<bool>,
    /// Serve https instead of http.
    pub tls: Option<TlsFile>,
}

/// The section `server.tls`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct TlsFile {
    /// PEM file with the server's certificate chain.
    pub cert_file: Option<PathBuf>,
    /// PEM file with its key.
    pub key_file: Option<PathBuf>,
    /// PEM file with the authorities whose client certificates are required. Absent: none is asked for.
    pub client_ca_file: Option<PathBuf>,
}

/// The section `cluster`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ClusterFile {
    /// A kubeconfig file. Absent: the service account of the pod that this runs in.
    pub kubeconfig: Option<PathBuf>,
    /// `auto` watches the API server; `none` takes the nodes from the requests. Default auto.
    pub mode: Option<String>,
    /// How long an answer counts as placed before the watch confirms it. Default 30s, from 1s to 10m.
    #[serde(deserialize_with = "scalar")]
    pub assumed_ttl: Option<String>,
}

/// The section `forecasts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ForecastsFile {
    /// The sidecar: `unix:` and the path of its socket, or `http://` and an IP address with a port.
    pub from: Option<String>,
    /// A file in which the sidecar keeps its last snapshot; read once at the start. Absent: none.
    pub file: Option<PathBuf>,
    /// How often the sidecar is asked. Default 5s, from 1s to 60s.
    #[serde(deserialize_with = "scalar")]
    pub poll: Option<String>,
}

/// The section `estimates`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct EstimatesFile {
    /// What a pod uses of what it asks for. Default 1, above 0 to 10.
    pub factor: Option<f64>,
    /// The same by resource, where it differs.
    pub factors: BTreeMap<String, f64>,
}

/// The section `cache`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CacheFile {
    /// A folder that this user alone may write to; it is made if it is missing.
    pub dir: Option<PathBuf>,
}

/// The section `compile`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CompileFile {
    /// Time for one plugin. Default 60s, from 1s to 10m.
    #[serde(deserialize_with = "scalar")]
    pub timeout: Option<String>,
    /// Memory of the process that compiles it. Default 512Mi, from 64Mi to 16Gi.
    #[serde(deserialize_with = "scalar")]
    pub memory: Option<String>,
}

/// One entry of `profiles`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ProfileFile {
    /// Whose pods: the pods' `spec.schedulerName`.
    pub scheduler_name: Option<String>,
    /// `serve`, or `shadow`: asked and measured, never answered. Default serve.
    pub mode: Option<String>,
    /// At least one, asked in this order.
    pub plugins: Vec<PluginFile>,
    /// Objective weight by resource, 0 to 1000; 1 for what is not named.
    pub weights: BTreeMap<String, f64>,
    /// The admins' validation dictionary.
    pub dictionary: Vec<DictionaryEntry>,
    /// Plan waiting pods together. Absent: every pod is scored for itself.
    pub plan: Option<PlanFile>,
}

/// The section `plan` of a profile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PlanFile {
    /// How scores keep to the plan: `guide` or `follow`. Default follow.
    pub mode: Option<String>,
    /// Whether pods that carry the gate `gantry.dev/plan` are planned, nominated and released. Default false.
    pub nominate: Option<bool>,
    /// How long no new gated pod must have come before a batch is planned. Default 200ms, from 10ms to 10s.
    #[serde(deserialize_with = "scalar")]
    pub window: Option<String>,
    /// The most candidate changes that one search evaluates. Default 10000000, from 0 to 10^12.
    pub evaluations: Option<u64>,
    /// How long a plan holds though nothing contradicts it. Default 60s, from 1s to 1h.
    #[serde(deserialize_with = "scalar")]
    pub ttl: Option<String>,
}

/// One entry of `profiles[].plugins`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PluginFile {
    /// A name for metrics and logs, its own within the profile.
    pub name: Option<String>,
    /// `builtin:gantry`, `file:` and a path, an `https://` address, or `oci://` and an artifact's reference.
    pub component: Option<String>,
    /// `sha256:` and 64 hexadecimal digits; enforced where given.
    pub digest: Option<String>,
    /// How a component from `https://` or `oci://` is fetched.
    pub fetch: Option<FetchFile>,
    /// Who must have signed an artifact from `oci://`. Absent: nobody.
    pub signature: Option<SignatureFile>,
    /// How much its scores count beside those of the profile's other plugins. Default 1, above 0 to 1000.
    pub weight: Option<f64>,
    /// What it is asked for: `filter`, `score`, `plan`. Default: all that it offers.
    pub extension_points: Option<Vec<String>>,
    /// The plugin's own settings.
    pub settings: Option<serde_json::Map<String, serde_json::Value>>,
    /// What it may use up.
    pub limits: LimitsFile,
}

/// The section `fetch` of a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FetchFile {
    /// PEM file with the authorities of the server. Absent: those of the system.
    pub ca_file: Option<PathBuf>,
    /// A docker configuration file (`config.json`) with the registry's credentials. Absent: anonymous.
    pub auth_file: Option<PathBuf>,
    /// Time for the whole of it. Default 30s, from 1s to 10m.
    #[serde(deserialize_with = "scalar")]
    pub timeout: Option<String>,
}

/// The section `signature` of a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct SignatureFile {
    /// PEM file with an ECDSA P-256 public key, such as cosign's `cosign.pub`.
    pub public_key: Option<PathBuf>,
}

/// The section `limits` of a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct LimitsFile {
    /// Memory of one instance. Default 64Mi, from 1Mi to 4Gi.
    #[serde(deserialize_with = "scalar")]
    pub memory: Option<String>,
    /// Time of one call. Default 100ms, from 1ms to the server's deadline.
    #[serde(deserialize_with = "scalar")]
    pub deadline: Option<String>,
    /// Time of one search for a plan. Default 10s, from 1ms to 5m.
    #[serde(deserialize_with = "scalar")]
    pub plan_deadline: Option<String>,
    /// Warm instances, 1 to 64. Default: half of the cores, at least 1.
    pub workers: Option<u32>,
}

impl ConfigFile {
    /// What runs where no file is given: all defaults, no API server.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(KIND.to_owned()),
            cluster: ClusterFile { mode: Some("none".to_owned()), ..ClusterFile::default() },
            ..Self::default()
        }
    }
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
