//! The configuration file as an admin types it.
//!
//! Every key is optional here and every value is as written; meaning, ranges and
//! defaults are the business of `check`. Unknown keys are refused by each type. The
//! JSON schema is made of these types and their comments, which are read by admins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gantry_cluster::DictionaryEntry;
use serde::{Deserialize, Deserializer};

#[cfg(test)]
use super::{check::DEFAULT_RESOURCES, schema};

/// The API version that this build reads.
pub const API_VERSION: &str = "gantry.dev/v1alpha1";
/// The kind of the document.
pub const KIND: &str = "GantryConfiguration";

/// The file given to gantry-extender by `--config`. Every key but `apiVersion` and `kind` may be left out.
/// `gantry-extender check-config FILE` checks more than this can: that files exist, that plugins load and take their
/// settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "GantryConfiguration", extend("required" = ["apiVersion", "kind"])))]
pub struct ConfigFile {
    /// Always `gantry.dev/v1alpha1`.
    #[cfg_attr(test, schemars(extend("const" = API_VERSION)))]
    pub api_version: Option<String>,
    /// Always `GantryConfiguration`.
    #[cfg_attr(test, schemars(extend("const" = KIND)))]
    pub kind: Option<String>,
    /// How to be reached. A change needs a restart.
    pub server: ServerFile,
    /// Where the cluster is. A change needs a restart.
    pub cluster: ClusterFile,
    /// Where forecasts of use come from. Absent: there are none. A change needs a restart.
    pub forecasts: Option<ForecastsFile>,
    /// How pods' use is estimated where nothing is forecast of their workload. Absent: they use what they ask for.
    /// Capacities always go by requests. A change needs a restart.
    pub estimates: Option<EstimatesFile>,
    /// The objective's resources, and behind them the node labels that plugins are told: `label:KEY` is its value as an
    /// amount, `label:KEY=VALUE` is 1 where it has that value. At most 32. Default: cpu, memory, `gantry.dev/disk-io`,
    /// `gantry.dev/network`. A change needs a restart.
    #[cfg_attr(test, schemars(length(min = 1, max = 32), extend("uniqueItems" = true, "default" = DEFAULT_RESOURCES)))]
    pub resources: Option<Vec<String>>,
    /// Where compiled plugins are kept. Absent: nowhere, they are compiled at every start. A change needs a restart.
    pub cache: Option<CacheFile>,
    /// What compiling one plugin may use up; it happens in a process of its own, which is ended past that. A change
    /// needs a restart.
    pub compile: CompileFile,
    /// What to do for whose pods. Default: one profile for `default-scheduler` with the built-in plugin. Changes take
    /// effect while Gantry runs.
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub profiles: Option<Vec<ProfileFile>>,
}

/// The section `server`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub struct ServerFile {
    /// Address of the extender's endpoints. Default 127.0.0.1:8888.
    #[cfg_attr(test, schemars(extend("default" = "127.0.0.1:8888")))]
    pub listen: Option<String>,
    /// Address of the admin's endpoints. Default 127.0.0.1:8889.
    #[cfg_attr(test, schemars(extend("default" = "127.0.0.1:8889")))]
    pub admin: Option<String>,
    /// A request's deadline. Default 500ms, from 10ms to below 5s.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "500ms")))]
    pub deadline: Option<String>,
    /// The largest body. Default 128Mi, from 64Ki to 1Gi.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Size", extend("default" = "128Mi")))]
    pub body_limit: Option<String>,
    /// How long an idle connection stays open. Default 120s, from 91s to 1h.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "120s")))]
    pub keep_alive: Option<String>,
    /// Whether `/bind` is served. Default false.
    #[cfg_attr(test, schemars(extend("default" = false)))]
    pub bind: Option<bool>,
    /// Serve https instead of http.
    pub tls: Option<TlsFile>,
}

/// The section `server.tls`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline, extend("required" = ["certFile", "keyFile"])))]
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
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub struct ClusterFile {
    /// A kubeconfig file. Absent: the service account of the pod that this runs in.
    pub kubeconfig: Option<PathBuf>,
    /// `auto` watches the API server. `none` takes the nodes from the requests and is for trials: it is blind to the
    /// load there is, of which only our own answers of the last `assumedTtl` count. Where kube-scheduler sends whole
    /// nodes, keep `auto`. Default auto.
    #[cfg_attr(test, schemars(extend("enum" = ["auto", "none"], "default" = "auto")))]
    pub mode: Option<String>,
    /// How long an answer counts as placed before the watch confirms it. Default 30s, from 1s to 10m.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "30s")))]
    pub assumed_ttl: Option<String>,
    /// How long a broken watch is answered from; past that answers are neutral until it works again. A watch that is
    /// quiet is not broken. Default 60s, from 10s to 1h.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "60s")))]
    pub stale_after: Option<String>,
}

/// The section `forecasts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline, extend("required" = ["from"])))]
pub struct ForecastsFile {
    /// The sidecar: `unix:` and the absolute path of its socket, or `http://` and an IP address with a port.
    pub from: Option<String>,
    /// A file in which the sidecar keeps its last snapshot; read once at the start. Absent: none.
    pub file: Option<PathBuf>,
    /// How often the sidecar is asked. Default 5s, from 1s to 60s.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "5s")))]
    pub poll: Option<String>,
}

/// The section `estimates`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub struct EstimatesFile {
    /// What a pod uses of what it asks for; a container that does not ask counts as 100m and 200Mi. Default 1, above 0
    /// to 10.
    #[cfg_attr(test, schemars(extend("exclusiveMinimum" = 0, "maximum" = 10, "default" = 1)))]
    pub factor: Option<f64>,
    /// The same by resource, where it differs.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, schema::Factor>"))]
    pub factors: BTreeMap<String, f64>,
}

/// The section `cache`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline, extend("required" = ["dir"])))]
pub struct CacheFile {
    /// A folder, by its absolute path, that this user alone may write to; it is made if it is missing.
    #[cfg_attr(test, schemars(regex(pattern = "^/")))]
    pub dir: Option<PathBuf>,
}

/// The section `compile`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub struct CompileFile {
    /// Time for one plugin. Default 60s, from 1s to 10m.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "60s")))]
    pub timeout: Option<String>,
    /// Memory of the process that compiles it, on top of the server's own. Default 512Mi, from 64Mi to 16Gi.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Size", extend("default" = "512Mi")))]
    pub memory: Option<String>,
}

/// One entry of `profiles`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "profile", extend("required" = ["schedulerName", "plugins"])))]
pub struct ProfileFile {
    /// Whose pods: the pods' `spec.schedulerName`. No two profiles have one.
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub scheduler_name: Option<String>,
    /// `serve`, or `shadow`: plugins are asked and measured, and the answer is neutral. Default serve.
    #[cfg_attr(test, schemars(extend("enum" = ["serve", "shadow"], "default" = "serve")))]
    pub mode: Option<String>,
    /// 1 to 16. Where several refuse a node for equal reasons, the first is named.
    #[cfg_attr(test, schemars(length(min = 1, max = 16)))]
    pub plugins: Vec<PluginFile>,
    /// The objective's weight by resource, 0 to 1000, not all 0; 1 for what is not named.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, schema::Weight>"))]
    pub weights: BTreeMap<String, f64>,
    /// The admins' validation dictionary.
    #[cfg_attr(test, schemars(with = "Vec<schema::Entry>"))]
    pub dictionary: Vec<DictionaryEntry>,
    /// Plan waiting pods together. Absent: every pod is scored for itself. Needs `cluster.mode: auto`.
    pub plan: Option<PlanFile>,
}

/// The section `plan` of a profile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub struct PlanFile {
    /// How scores keep to the plan. `follow`: the planned node has 10, every other 0. `guide`: the best node given the
    /// plan for the others has 10, the rest go by rank. Default follow.
    #[cfg_attr(test, schemars(extend("enum" = ["follow", "guide"], "default" = "follow")))]
    pub mode: Option<String>,
    /// Whether pods that carry the gate `gantry.dev/plan` are planned, nominated and released; with mode `shadow` they are
    /// only released. Default false.
    #[cfg_attr(test, schemars(extend("default" = false)))]
    pub nominate: Option<bool>,
    /// How long no new gated pod must have come before a batch is planned. Default 200ms, from 10ms to 10s.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "200ms")))]
    pub window: Option<String>,
    /// The most candidate changes that one search evaluates; 0: construct only. Default 8000000, from 0 to 10^12; at most 3 million
    /// for each second of the shortest `planDeadline`.
    #[cfg_attr(test, schemars(range(max = 1_000_000_000_000_u64), extend("default" = 8_000_000)))]
    pub evaluations: Option<u64>,
    /// How long a plan holds though nothing contradicts it. Default 60s, from 1s to 1h.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "60s")))]
    pub ttl: Option<String>,
}

/// One entry of `profiles[].plugins`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "plugin", extend("required" = ["name", "component"])))]
#[cfg_attr(test, schemars(extend("if" = schema::is_builtin(), "then" = schema::has_own_settings())))]
pub struct PluginFile {
    /// A name for metrics and logs, its own within the profile.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z0-9-]{1,63}$")))]
    pub name: Option<String>,
    /// `builtin:gantry`, `file:` and a path, an `https://` address, or `oci://` with registry, repository and tag or
    /// digest.
    #[cfg_attr(test, schemars(regex(pattern = "^(builtin:gantry$|file:|https://|oci:)")))]
    pub component: Option<String>,
    /// The SHA-256 of the component's bytes: `sha256:` and 64 hexadecimal digits. Enforced where given.
    #[cfg_attr(test, schemars(regex(pattern = "^sha256:[0-9a-fA-F]{64}$")))]
    pub digest: Option<String>,
    /// How a component from `https://` or `oci://` is fetched.
    pub fetch: Option<FetchFile>,
    /// Who must have signed an artifact from `oci://`. Absent: nobody.
    pub signature: Option<SignatureFile>,
    /// How much its scores count beside those of the profile's other plugins, which all use the scale 0 to 100. Default
    /// 1, above 0 to 1000.
    #[cfg_attr(test, schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000, "default" = 1)))]
    pub weight: Option<f64>,
    /// Whether its scores are stretched for each pod, so that the worst candidate has 0 and the best 100: for a plugin that
    /// does not use the whole scale. Where it finds all equally good it prefers none. Default false.
    #[cfg_attr(test, schemars(extend("default" = false)))]
    pub normalize: Option<bool>,
    /// What it is asked for: `filter`, `score`, `plan`. Default: all that it offers.
    #[cfg_attr(test, schemars(length(min = 1)))]
    #[cfg_attr(test, schemars(extend("items" = {"type": "string", "enum": ["filter", "score", "plan"]})))]
    pub extension_points: Option<Vec<String>>,
    /// The plugin's own settings.
    pub settings: Option<serde_json::Map<String, serde_json::Value>>,
    /// What it may use up.
    pub limits: LimitsFile,
}

/// The section `fetch` of a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub struct FetchFile {
    /// PEM file with the authorities of the server. Absent: those of the system.
    pub ca_file: Option<PathBuf>,
    /// A docker configuration file (`config.json`) with the registry's credentials. Absent: anonymous.
    pub auth_file: Option<PathBuf>,
    /// Time for the whole of it. Default 30s, from 1s to 10m.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "30s")))]
    pub timeout: Option<String>,
}

/// The section `signature` of a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline, extend("required" = ["publicKey"])))]
pub struct SignatureFile {
    /// PEM file with an ECDSA P-256 public key, such as cosign's `cosign.pub`.
    pub public_key: Option<PathBuf>,
}

/// The section `limits` of a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub struct LimitsFile {
    /// Memory of one instance. Default 64Mi, from 1Mi to 4Gi.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Size", extend("default" = "64Mi")))]
    pub memory: Option<String>,
    /// Time of one call, within what the profile's other plugins leave of the server's deadline. Default 100ms, from 1ms to
    /// the server's deadline.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "100ms")))]
    pub deadline: Option<String>,
    /// Time of one Filter in its place. Default: as deadline, from 1ms to the server's deadline.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration"))]
    pub filter_deadline: Option<String>,
    /// Time of one Score in its place. Default: as deadline, from 1ms to the server's deadline.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration"))]
    pub score_deadline: Option<String>,
    /// Time of one search for a plan. Default 10s, from 1ms to 5m.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Duration", extend("default" = "10s")))]
    pub plan_deadline: Option<String>,
    /// Warm instances, 1 to 64. Default: half of the cores, 1 to 8.
    #[cfg_attr(test, schemars(range(min = 1, max = 64)))]
    pub workers: Option<u32>,
    /// Calls that may wait for an instance; one more is answered without this plugin at once. Default 32, from 0 to 1024.
    #[cfg_attr(test, schemars(range(max = 1024), extend("default" = 32)))]
    pub queue: Option<u32>,
    /// What it may write to the log: in one call, which ends past it, and in a second, past which lines are dropped and
    /// counted. Default 64Ki, from 1Ki to 1Mi.
    #[serde(deserialize_with = "scalar")]
    #[cfg_attr(test, schemars(with = "schema::Size", extend("default" = "64Ki")))]
    pub log_bytes: Option<String>,
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
