//! From what was typed to what is used.
//!
//! Promises to report everything that is wrong at once, each with key, value and
//! remedy. Looks at the file system (do the named files exist?) and at nothing else;
//! what the process' surroundings say comes in as an argument.

mod estimates;
mod forecasts;
mod plan;
mod plugins;
mod profiles;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gantry_cluster::{LabelColumn, MAX_NAMED};
use gantry_host::CompileLimits;

use super::file::{API_VERSION, CacheFile, ClusterFile, CompileFile, ConfigFile, KIND, ServerFile, TlsFile};
use super::units;
use super::valid::{Cluster, ClusterSource, Config, Profile, Server, Tls};
use super::{ConfigError, Problem};

/// kube-scheduler's `httpTimeout` where an admin sets none.
const DEFAULT_HTTP_TIMEOUT: Duration = Duration::from_secs(5);
/// kube-scheduler keeps idle connections for 90 s; who closes first loses the request that crosses the closing.
const KEEP_ALIVE: RangeInclusive<Duration> = Duration::from_secs(91)..=Duration::from_hours(1);
/// Below it no request with whole nodes fits; above it one request would be a tenth of a large machine's memory.
const BODY_LIMIT: RangeInclusive<u64> = (64 << 10)..=(1 << 30);
/// From what a small component takes to what an admin waits for at a start.
const COMPILE_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);
/// From what a small component takes to a large machine's.
const COMPILE_MEMORY: RangeInclusive<u64> = (64 << 20)..=(16 << 30);
/// What to do about half a pair of files.
const NO_TLS_FILE: &str = "name a PEM file; certificate and key are both needed, or leave out server.tls";
/// The four resources that Gantry balances unless told otherwise.
pub(super) const DEFAULT_RESOURCES: [&str; 4] = ["cpu", "memory", "gantry.dev/disk-io", "gantry.dev/network"];

/// What the process' surroundings say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings {
    /// Whether this runs as a pod: Kubernetes sets `KUBERNETES_SERVICE_HOST`.
    pub is_in_cluster: bool,
}

impl Surroundings {
    /// Looks at the process' environment.
    #[must_use]
    pub fn of_process() -> Self {
        Self { is_in_cluster: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() }
    }
}

/// Checks a configuration as typed.
///
/// # Errors
/// [`ConfigError::Refused`] with everything that is wrong.
pub fn check(file: ConfigFile, surroundings: Surroundings) -> Result<Config, ConfigError> {
    let mut checker = Checker::default();
    checker.constant("apiVersion", file.api_version.as_deref(), API_VERSION);
    checker.constant("kind", file.kind.as_deref(), KIND);
    let server = checker.server(file.server);
    let cluster = checker.cluster(file.cluster, surroundings);
    checker.binding(&server, &cluster);
    let forecasts = file.forecasts.map(|file| checker.forecasts(file));
    let resources = checker.resources(file.resources);
    let estimates = file.estimates.map(|file| checker.estimates(file, &resources));
    let cache = file.cache.and_then(|file| checker.cache(file));
    let compile = checker.compile(file.compile);
    let (profiles, dictionary) = checker.profiles(file.profiles, objective(&resources), server.deadline);
    checker.planning(&profiles, &cluster);
    if checker.problems.is_empty() {
        Ok(Config { server, cluster, forecasts, estimates, resources, cache, compile, profiles, dictionary })
    } else {
        Err(ConfigError::Refused(checker.problems))
    }
}

/// Collects problems. Where a value is refused its method yields the default, so that the rest is checked too.
#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn refuse(&mut self, key: impl Into<String>, value: impl std::fmt::Display, remedy: impl Into<String>) {
        self.problems.push(Problem::new(key, value, remedy));
    }

    fn constant(&mut self, key: &str, value: Option<&str>, expected: &str) {
        if value != Some(expected) {
            self.refuse(key, value.unwrap_or_default(), format!("write `{key}: {expected}`"));
        }
    }

    fn server(&mut self, file: ServerFile) -> Server {
        let listen = self.address("server.listen", file.listen, 8888);
        let admin = self.address("server.admin", file.admin, 8889);
        if listen == admin && listen.port() != 0 {
            self.refuse("server.admin", admin, "use another port than server.listen: the two are served apart");
        }
        Server {
            listen,
            admin,
            deadline: self.deadline(file.deadline),
            body_limit: self.body_limit(file.body_limit),
            keep_alive: self.duration("server.keepAlive", file.keep_alive, Duration::from_mins(2), KEEP_ALIVE),
            bind: file.bind.unwrap_or(false),
            tls: file.tls.map(|tls| self.tls(tls)),
        }
    }

    fn address(&mut self, key: &str, value: Option<String>, port: u16) -> SocketAddr {
        let default = SocketAddr::from(([127, 0, 0, 1], port));
        let Some(text) = value else { return default };
        text.parse().unwrap_or_else(|_| {
            self.refuse(key, &text, format!("use an IP address with a port, such as {default} or 0.0.0.0:{port}"));
            default
        })
    }

    fn deadline(&mut self, value: Option<String>) -> Duration {
        let range =
            Duration::from_millis(10)..=DEFAULT_HTTP_TIMEOUT.checked_sub(Duration::from_millis(1)).unwrap_or_default();
        self.duration("server.deadline", value, Duration::from_millis(500), range)
    }

    fn duration(
        &mut self,
        key: impl Into<String>,
        value: Option<String>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = value else { return default };
        let in_range = units::duration(&text).filter(|duration| range.contains(duration));
        in_range.unwrap_or_else(|| {
            let (low, high) = (range.start(), range.end());
            let remedy = format!("use a duration from {low:?} to {high:?} with its unit, such as {default:?}");
            self.refuse(key, text, remedy);
            default
        })
    }

    fn bytes(
        &mut self,
        key: impl Into<String>,
        value: Option<String>,
        default: &str,
        range: RangeInclusive<u64>,
    ) -> usize {
        let text = value.unwrap_or_else(|| default.to_owned());
        let in_range = units::bytes(&text).filter(|bytes| range.contains(bytes));
        in_range.map_or_else(
            || {
                let (low, high) = (range.start() >> 10, range.end() >> 10);
                self.refuse(key, text, format!("use a size from {low}Ki to {high}Ki, such as {default}"));
                0
            },
            |bytes| bytes as usize,
        )
    }

    fn body_limit(&mut self, value: Option<String>) -> usize {
        self.bytes("server.bodyLimit", value, "128Mi", BODY_LIMIT)
    }

    fn tls(&mut self, file: TlsFile) -> Tls {
        Tls {
            cert_file: self.required_file("server.tls.certFile", file.cert_file, NO_TLS_FILE),
            key_file: self.required_file("server.tls.keyFile", file.key_file, NO_TLS_FILE),
            client_ca_file: file.client_ca_file.map(|path| self.file("server.tls.clientCaFile", path)),
        }
    }

    fn required_file(&mut self, key: &str, path: Option<PathBuf>, remedy: &str) -> PathBuf {
        if let Some(path) = path {
            return self.file(key, path);
        }
        self.refuse(key, "", remedy);
        PathBuf::new()
    }

    fn file(&mut self, key: impl Into<String>, path: PathBuf) -> PathBuf {
        if !Path::is_file(&path) {
            self.refuse(key, path.display(), "name a file that exists");
        }
        path
    }

    /// A folder that cannot be used is a warning at the start, not a refusal: without it everything works, slower.
    fn cache(&mut self, file: CacheFile) -> Option<PathBuf> {
        let dir = file.dir.unwrap_or_default();
        if !dir.is_absolute() {
            self.refuse(
                "cache.dir",
                dir.display(),
                "name a folder by its absolute path, or leave out the section cache",
            );
            return None;
        }
        Some(dir)
    }

    fn compile(&mut self, file: CompileFile) -> CompileLimits {
        let default = CompileLimits::default();
        CompileLimits {
            time: self.duration("compile.timeout", file.timeout, default.time, COMPILE_TIME),
            memory: self.bytes("compile.memory", file.memory, "512Mi", COMPILE_MEMORY),
        }
    }

    fn cluster(&mut self, file: ClusterFile, surroundings: Surroundings) -> Cluster {
        let ttl = Duration::from_secs(1)..=Duration::from_mins(10);
        let stale = Duration::from_secs(10)..=Duration::from_hours(1);
        Cluster {
            assumed_ttl: self.duration("cluster.assumedTtl", file.assumed_ttl, Duration::from_secs(30), ttl),
            stale_after: self.duration("cluster.staleAfter", file.stale_after, Duration::from_mins(1), stale),
            source: self.source(file.mode.as_deref().unwrap_or("auto"), file.kubeconfig, surroundings),
        }
    }

    fn source(&mut self, mode: &str, kubeconfig: Option<PathBuf>, surroundings: Surroundings) -> ClusterSource {
        match (mode, kubeconfig) {
            ("auto", Some(path)) => ClusterSource::Kubeconfig(self.file("cluster.kubeconfig", path)),
            ("auto", None) if surroundings.is_in_cluster => ClusterSource::InCluster,
            ("auto", None) => {
                self.refuse(
                    "cluster.kubeconfig",
                    "",
                    "name a kubeconfig, as this does not run in a pod, or set cluster.mode to none",
                );
                ClusterSource::Requests
            }
            ("none", None) => ClusterSource::Requests,
            ("none", Some(path)) => {
                self.refuse("cluster.kubeconfig", path.display(), "leave it out, or set cluster.mode to auto");
                ClusterSource::Requests
            }
            (other, _) => {
                self.refuse(
                    "cluster.mode",
                    other,
                    "use auto (watch the API server) or none (nodes come with the requests)",
                );
                ClusterSource::Requests
            }
        }
    }

    fn binding(&mut self, server: &Server, cluster: &Cluster) {
        if server.bind && cluster.source == ClusterSource::Requests {
            self.refuse(
                "server.bind",
                "true",
                "binding needs an API server: set cluster.mode to auto, or leave server.bind out",
            );
        }
    }

    fn planning(&mut self, profiles: &[Profile], cluster: &Cluster) {
        for (position, profile) in profiles.iter().enumerate() {
            if profile.plan.is_some() && cluster.source == ClusterSource::Requests {
                let remedy = "planning needs to see the pods that wait: set cluster.mode to auto, or leave plan out";
                self.refuse(format!("profiles[{position}].plan"), "", remedy);
            }
        }
    }

    fn resources(&mut self, names: Option<Vec<String>>) -> Vec<String> {
        let names = names.unwrap_or_else(|| DEFAULT_RESOURCES.map(str::to_owned).to_vec());
        let objective = objective(&names).len();
        if objective == 0 || names.len() > MAX_NAMED {
            self.refuse(
                "resources",
                format!("{} names", names.len()),
                format!("name 1 to {MAX_NAMED} resources, labels behind them"),
            );
        }
        for (position, name) in names.iter().enumerate() {
            if names[..position].contains(name) {
                self.refuse(format!("resources[{position}]"), name, "name every resource once");
            }
            let remedy = match (LabelColumn::is_named(name), position < objective) {
                (false, true) if !is_resource_name(name) => {
                    "use a resource's name as in a pod's requests, such as cpu or example.com/gpu"
                }
                (true, _) if LabelColumn::parse(name).is_none() => {
                    "write label:KEY or label:KEY=VALUE, with a label as on a node"
                }
                (false, false) => "name the resources first and the labels behind them",
                _ => continue,
            };
            self.refuse(format!("resources[{position}]"), name, remedy);
        }
        names
    }
}

/// The resources that are balanced: those before the first label.
fn objective(names: &[String]) -> &[String] {
    let labels = names.iter().position(|name| LabelColumn::is_named(name));
    &names[..labels.unwrap_or(names.len())]
}

fn is_resource_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && part.len() <= 253 && part.bytes().all(is_allowed)
    };
    match name.split_once('/') {
        Some((domain, rest)) => is_part(domain) && is_part(rest),
        None => is_part(name),
    }
}
