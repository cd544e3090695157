//! The configuration that runs. Only `check` makes one.
//!
//! Plain values with their units in their types: whoever reads a field never has to
//! check it again.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gantry_cluster::{Dictionary, EstimateSettings};
use gantry_host::types::ExtensionPoints;
use gantry_host::{CompileLimits, Digest, Limits};
use hyper::Uri;

/// Under a second of one core in the sandbox, whatever the size: `make bench ONLY=plan`.
const EVALUATIONS: u64 = 8_000_000;
/// A quarter of what the sandbox makes of one core: `make bench ONLY=component`.
const EVALUATIONS_PER_MILLISECOND: u64 = 3_000;
/// Candidate changes that are worth evaluating for one pod.
const EVALUATIONS_PER_POD: u64 = 20_000;

/// A checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How to be reached.
    pub server: Server,
    /// Where the cluster is.
    pub cluster: Cluster,
    /// Where forecasts of use come from, if from anywhere.
    pub forecasts: Option<Forecasts>,
    /// How pods' use is estimated where nothing is forecast of it; `None`: they use what they ask for.
    pub estimates: Option<EstimateSettings>,
    /// The objective's resources and behind them labels, 1 to 32, no two alike; the order is the order of columns.
    pub resources: Vec<String>,
    /// The folder where compiled plugins are kept, if anywhere. It need not exist (yet).
    pub cache: Option<PathBuf>,
    /// What compiling one plugin may use up.
    pub compile: CompileLimits,
    /// At least one, no two for the same scheduler.
    pub profiles: Vec<Profile>,
    /// The admins' validation dictionaries of all profiles.
    pub dictionary: Dictionary,
}

/// How to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the server's certificate chain.
    pub cert_file: PathBuf,
    /// PEM file with its key.
    pub key_file: PathBuf,
    /// PEM file with the authorities whose client certificates are required.
    pub client_ca_file: Option<PathBuf>,
}

/// Where the cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// What to watch.
    pub source: ClusterSource,
    /// How long an answer counts as placed before the watch confirms it.
    pub assumed_ttl: Duration,
    /// How long a broken watch is answered from.
    pub stale_after: Duration,
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Whose pods: their `spec.schedulerName`.
    pub scheduler_name: String,
    /// Whether what the plugins say is answered.
    pub mode: Mode,
    /// The objective's weights, one a resource, finite, 0 to 1000, not all 0.
    pub weights: Vec<f64>,
    /// At least one, no two of one name; the order is the order of asking.
    pub plugins: Vec<Plugin>,
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
    /// The most candidate changes that one search evaluates; no more than `planDeadline` has time for.
    pub evaluations: u64,
    /// How long a plan holds though nothing contradicts it.
    pub ttl: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            mode: PlanMode::Follow,
            nominate: false,
            window: Duration::from_millis(200),
            evaluations: EVALUATIONS,
            ttl: Duration::from_mins(1),
        }
    }
}

impl Plan {
    /// The same with no more evaluations than a search makes in this time on a slow machine: one that met its deadline
    /// would lose what it had found, and so would the next.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        let most = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX).saturating_mul(EVALUATIONS_PER_MILLISECOND);
        Self { evaluations: self.evaluations.min(most), ..self }
    }

    /// How many candidate changes one search may evaluate for so many pods.
    #[must_use]
    pub fn budget(&self, pods: usize) -> u64 {
        self.evaluations.min(EVALUATIONS_PER_POD * pods as u64)
    }
}

/// How scores keep to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanMode {
    /// Scores are those of the objective, given where the plan puts the others; the best node alone has 10.
    Guide,
    /// The planned node has 10 and every other 0.
    Follow,
}

/// Whether what a profile's plugins say is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    #[default]
    Serve,
    /// Plugins are asked and measured, and the answer is neutral.
    Shadow,
}

impl Mode {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Shadow => "shadow",
        }
    }
}

/// A plugin to load.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Where it stands in the configuration, for messages: `profiles[0].plugins[0]`.
    pub key: String,
    /// Its name in metrics and logs.
    pub name: String,
    /// Where its bytes are.
    pub component: ComponentSource,
    /// The SHA-256 that the bytes must have.
    pub digest: Option<Digest>,
    /// How they are fetched.
    pub fetch: Fetch,
    /// How much its scores count, finite, above 0 to 1000.
    pub weight: f64,
    /// Whether its scores are stretched over the candidates.
    pub normalize: bool,
    /// What it is asked for; `None`: all that it offers.
    pub extension_points: Option<ExtensionPoints>,
    /// Its settings, a JSON document; empty for all defaults.
    pub settings: String,
    /// What it may use up.
    pub limits: Limits,
}

/// Where a component's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ComponentSource {
    /// In this program.
    Builtin,
    /// In a file, which existed when it was checked.
    File(PathBuf),
    /// On an HTTPS server.
    Https(Uri),
    /// In an OCI registry.
    Oci(Image),
}

/// As it may be shown to anybody: not for fetching.
impl fmt::Display for ComponentSource {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Builtin => formatter.write_str("builtin:gantry"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Https(address) => formatter.write_str(without_query(&address.to_string())),
            Self::Oci(image) => write!(formatter, "{image}"),
        }
    }
}

/// How a component's bytes are fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetch {
    /// PEM file with the authorities of the server; `None`: those of the system.
    pub ca_file: Option<PathBuf>,
    /// A docker configuration file with credentials; `None`: anonymous.
    pub auth_file: Option<PathBuf>,
    /// PEM file with the key that must have signed an artifact; `None`: nobody must.
    pub public_key: Option<PathBuf>,
    /// Time for the whole of it.
    pub timeout: Duration,
}

/// An artifact in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// Host, and port where it is not that of the scheme.
    pub registry: String,
    /// The name of the repository there.
    pub repository: String,
    /// A tag, or a manifest's digest.
    pub reference: String,
}

impl Image {
    /// Reads `REGISTRY/REPOSITORY`, followed by `:TAG`, by `@sha256:DIGEST`, or by nothing for the tag `latest`. The
    /// registry is never left out: whose default it would be is not for Gantry to say.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (registry, rest) = text.split_once('/')?;
        let (name, digest) = rest.split_once('@').map_or((rest, None), |(name, digest)| (name, Some(digest)));
        let (repository, tag) = name.split_once(':').map_or((name, None), |(name, tag)| (name, Some(tag)));
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte);
        let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_host = |byte: u8| is_tag(byte) || b":[]".contains(&byte);
        let fits = !registry.is_empty()
            && registry.bytes().all(is_host)
            && repository.bytes().all(is_name)
            && repository.split('/').all(|part| part.starts_with(|first: char| first.is_ascii_alphanumeric()))
            && tag.is_none_or(|tag| !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(is_tag))
            && digest.is_none_or(|digest| digest.parse::<Digest>().is_ok());
        let reference = digest.or(tag).unwrap_or("latest");
        fits.then(|| Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            reference: reference.to_owned(),
        })
    }

    /// Whether the registry is on this machine: only there may it speak plain HTTP.
    #[must_use]
    pub fn is_local(&self) -> bool {
        is_loopback(self.registry.rsplit_once(':').map_or(&*self.registry, |(host, _)| host))
    }
}

/// An address as it may be shown: signed ones carry secrets in their query.
pub(crate) fn without_query(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or_default()
}

/// Whether a host, without its port, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let separator = if self.reference.starts_with("sha256:") { '@' } else { ':' };
        write!(formatter, "oci://{}/{}{separator}{}", self.registry, self.repository, self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_read_as_it_is_written() {
        let digest = Digest::of(b"").to_string();
        for text in ["r.example/a/b:1.0", "127.0.0.1:5000/p:latest", &format!("[::1]:5000/p@{digest}")] {
            assert_eq!(Image::parse(text).unwrap().to_string(), format!("oci://{text}"));
        }
        assert_eq!(Image::parse("r/p").unwrap().reference, "latest");
        assert_eq!(Image::parse(&format!("r/p:1@{digest}")).unwrap().reference, digest);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for text in ["", "p", "/p", "r/", "r/P", "r/../p", "r/p:", "r/p:a b", "r/p@sha256:0", "r/p?x", "a b/p"] {
            assert_eq!(Image::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_component_is_shown_without_the_secret_in_its_address_and_fetched_with_it() {
        let address: Uri = "https://r.example/p.wasm?sig=secret".parse().unwrap();
        let source = ComponentSource::Https(address.clone());
        assert_eq!(source.to_string(), "https://r.example/p.wasm");
        assert_eq!(source, ComponentSource::Https(address));
        let other = ComponentSource::Https("https://r.example/p.wasm?sig=other".parse().unwrap());
        assert!(source != other, "two secrets are two sources");
    }

    #[test]
    fn only_loopback_is_local() {
        for (registry, local) in [
            ("localhost:5000", true),
            ("127.1.2.3", true),
            ("[::1]:5000", true),
            ("10.0.0.1:5000", false),
            ("r", false),
        ] {
            let image = Image { registry: registry.to_owned(), repository: "p".to_owned(), reference: "t".to_owned() };
            assert_eq!(image.is_local(), local, "{registry}");
        }
    }
}
