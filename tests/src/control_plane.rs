//! An unmodified control plane on loopback: etcd, kube-apiserver, and kwok for the kubelets.
//!
//! Starts in a few seconds with certificates and data of its own, in a folder that is removed at the end (kept, and
//! named on stderr, when the test fails). At most two run at a time in a test binary. kube-scheduler is started
//! apart ([`crate::Scheduler`]), because tests restart it with other configurations.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Event, Namespace, Node, Pod};
use kube::api::{Api, ListParams};
use kube::{Client, Resource};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::binaries;
use crate::certificates::{Authority, Identity, service_account_keys};
use crate::http::{Endpoint, client};
use crate::poll::until;
use crate::process::{Process, free_ports};

/// A control plane waits for much of its life: two share a small machine well, more would only measure each other.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A start takes about 5 s on an idle machine; a build may be running beside the tests.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Go's garbage collector costs a test machine time that it has little of, for memory that it has to spare.
/// kube-scheduler, whose time is measured, is left as it is.
const RARELY_COLLECTED: (&str, &str) = ("GOGC", "500");

/// A running API server with its etcd and kwok.
#[derive(Debug)]
pub struct ControlPlane {
    // Dropped in this order: clients before servers, the folder after all who write into it.
    clients: Vec<Process>,
    apiserver: Process,
    etcd: Process,
    client: DebugClient,
    authority: Authority,
    server: String,
    ports: Ports,
    admin: Identity,
    kubeconfig: PathBuf,
    folder: Folder,
    applied: Mutex<HashSet<&'static str>>,
    _turn: SemaphorePermit<'static>,
}

/// Where servers listen that are started again, or asked directly.
#[derive(Clone, Copy, Debug)]
struct Ports {
    apiserver: u16,
    etcd: u16,
}

impl ControlPlane {
    /// Starts the control plane and waits until it serves the default namespace.
    ///
    /// # Errors
    /// The binaries cannot be had, or a process ends or does not get ready; the message has the end of its log.
    pub async fn start() -> Result<Self> {
        let turn = TURNS.acquire().await?;
        let binaries = binaries::control_plane()?;
        let folder = Folder::new()?;
        let authority = Authority::new(folder.path())?;
        let [etcd, etcd_peer, apiserver, kwok] = free_ports()?;
        let ports = Ports { apiserver, etcd };
        let server = format!("https://127.0.0.1:{apiserver}");
        let admin = authority.client("admin", Some("system:masters"))?;
        let kubeconfig = authority.kubeconfig("admin", &server, &admin)?;
        let etcd = start_etcd(binaries, folder.path(), etcd, etcd_peer)?;
        let apiserver = start_apiserver(binaries, folder.path(), &authority, ports)?;
        let client = DebugClient(client(&kubeconfig).await?);
        let mut plane = Self {
            clients: Vec::new(),
            apiserver,
            etcd,
            client,
            authority,
            server,
            ports,
            admin,
            kubeconfig,
            folder,
            applied: Mutex::default(),
            _turn: turn,
        };
        plane.wait_until_ready().await?;
        plane.clients.push(start_kwok(binaries, plane.folder.path(), &plane.kubeconfig, kwok)?);
        Ok(plane)
    }

    /// Kills kube-apiserver (SIGKILL). etcd keeps what it wrote.
    pub fn kill_apiserver(&mut self) {
        self.apiserver.kill();
    }

    /// Lets the processes that others are measured beside go first; on a cluster these have machines of their own.
    ///
    /// # Errors
    /// As [`Process::step_back`].
    pub fn step_back(&self) -> Result<()> {
        [&self.etcd, &self.apiserver].into_iter().chain(&self.clients).try_for_each(Process::step_back)
    }

    /// Starts kube-apiserver again where it was, and waits until it serves.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn restart_apiserver(&mut self) -> Result<()> {
        self.kill_apiserver();
        self.apiserver = start_apiserver(binaries::control_plane()?, self.folder.path(), &self.authority, self.ports)?;
        self.wait_until_ready().await
    }

    /// Lets time pass in etcd and makes it forget all before: a watch that goes on from there is told 410 Gone.
    ///
    /// # Errors
    /// etcd refuses.
    pub async fn forget_history(&self) -> Result<()> {
        let etcd = self.etcd_endpoint()?;
        // A key beside Kubernetes' own: "other", "1".
        let put = etcd.post("/v3/kv/put", &json!({"key": "b3RoZXI=", "value": "MQ=="})).await?;
        etcd.post("/v3/kv/compaction", &json!({"revision": put["header"]["revision"], "physical": true})).await?;
        Ok(())
    }

    fn etcd_endpoint(&self) -> Result<Endpoint> {
        Endpoint::plain(&format!("127.0.0.1:{}", self.ports.etcd))
    }

    /// A client with all rights.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.0.clone()
    }

    /// The kubeconfig file of the user with all rights.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig file of the Kubernetes user `name`, who has what RBAC grants to that name.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn kubeconfig_of(&self, name: &str) -> Result<PathBuf> {
        self.authority.kubeconfig(name, &self.server, &self.authority.client(name, None)?)
    }

    /// A serving certificate of this run's authority for the process `name` on 127.0.0.1.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn serving_certificate(&self, name: &str) -> Result<Identity> {
        self.authority.server(name)
    }

    /// The endpoints of a process that serves at `https://127.0.0.1:port` with a certificate of this run.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub async fn endpoint(&self, name: &str, port: u16) -> Result<Endpoint> {
        let server = format!("https://127.0.0.1:{port}");
        let kubeconfig = self.authority.kubeconfig(&format!("{name}-endpoint"), &server, &self.admin)?;
        Endpoint::of_kubeconfig(&kubeconfig).await
    }

    /// Where the run's logs, certificates and configurations lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Deletes all pods, nodes and events, and waits until the API server knows of none.
    ///
    /// It does so in etcd. The API server deletes what it is asked to one by one, which takes longer than scheduling it
    /// did; of what goes this way it tells each watcher all the same. A kube-scheduler that was started less than a second
    /// ago must not see it: a watch that breaks so early is begun with a list, and where that has namesakes of deleted pods
    /// kube-scheduler 1.37 thinks that bound pods have moved, and ends.
    ///
    /// # Errors
    /// etcd refuses, or some object stays.
    pub async fn clear(&self) -> Result<()> {
        let (etcd, client) = (self.etcd_endpoint()?, self.client());
        forget_all(&etcd, "/registry/pods/default", &Api::<Pod>::default_namespaced(client.clone())).await?;
        forget_all(&etcd, "/registry/minions", &Api::<Node>::all(client.clone())).await?;
        forget_all(&etcd, "/registry/events/default", &Api::<Event>::default_namespaced(client)).await
    }

    /// Whether this is the first time that something is to be done here.
    pub(crate) fn is_first(&self, what: &'static str) -> bool {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).insert(what)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let client = self.client();
        let namespaces = Api::<Namespace>::all(client.clone());
        let mut servers = [&mut self.etcd, &mut self.apiserver];
        until("kube-apiserver's default namespace", START_LIMIT, || {
            let checked = servers.iter_mut().try_for_each(|server| server.check());
            let (client, namespaces) = (&client, &namespaces);
            async move {
                if let Err(ended) = checked {
                    return Ok(Some(Err(ended)));
                }
                client.request_text(http::Request::get("/readyz").body(Vec::new())?).await?;
                Ok(namespaces.get_opt("default").await?.map(|_| Ok(())))
            }
        })
        .await?
    }
}

fn start_etcd(binaries: &Path, folder: &Path, port: u16, peer: u16) -> Result<Process> {
    let client_url = format!("http://127.0.0.1:{port}");
    let peer_url = format!("http://127.0.0.1:{peer}");
    let arguments = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client_url}"),
        format!("--advertise-client-urls={client_url}"),
        format!("--listen-peer-urls={peer_url}"),
        format!("--initial-advertise-peer-urls={peer_url}"),
        format!("--initial-cluster=default={peer_url}"),
        // The data lives as long as the test; waiting for the disk would only slow it down.
        "--unsafe-no-fsync".to_owned(),
    ];
    Process::start("etcd", &binaries.join("etcd"), arguments, &[RARELY_COLLECTED], folder)
}

fn start_apiserver(binaries: &Path, folder: &Path, authority: &Authority, ports: Ports) -> Result<Process> {
    let Ports { apiserver: port, etcd } = ports;
    let serving = authority.server("kube-apiserver")?;
    let service_accounts = service_account_keys(folder)?;
    let arguments = [
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", serving.certificate.display()),
        format!("--tls-private-key-file={}", serving.key.display()),
        format!("--client-ca-file={}", authority.certificate().display()),
        format!("--service-account-key-file={}", service_accounts.certificate.display()),
        format!("--service-account-signing-key-file={}", service_accounts.key.display()),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        // Their controllers do not run: nobody would lift a new node's not-ready taint or make service accounts.
        "--disable-admission-plugins=TaintNodesByCondition,ServiceAccount".to_owned(),
        // No service points at a loopback address.
        "--endpoint-reconciler-type=none".to_owned(),
        // The test's own burst is the only client: queueing it fairly would slow it down.
        "--enable-priority-and-fairness=false".to_owned(),
        "--max-requests-inflight=0".to_owned(),
        "--max-mutating-requests-inflight=0".to_owned(),
    ];
    Process::start("kube-apiserver", &binaries.join("kube-apiserver"), arguments, &[RARELY_COLLECTED], folder)
}

fn start_kwok(binaries: &Path, folder: &Path, kubeconfig: &Path, port: u16) -> Result<Process> {
    let arguments = [
        format!("--kubeconfig={}", kubeconfig.display()),
        "--manage-all-nodes=true".to_owned(),
        concat!("--config=", env!("CARGO_MANIFEST_DIR"), "/e2e/kwok.yaml").to_owned(),
        format!("--server-address=127.0.0.1:{port}"),
    ];
    // kwok would read its user's own configuration from the home folder.
    let home = folder.to_str().context("the temporary folder's name is not UTF-8")?;
    Process::start("kwok", &binaries.join("kwok"), arguments, &[("HOME", home), RARELY_COLLECTED], folder)
}

/// Deletes what lies in a folder of etcd, and waits until the API server has heard of it.
async fn forget_all<K>(etcd: &Endpoint, folder: &str, objects: &Api<K>) -> Result<()>
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    // '0' is the character after '/'.
    let [first, end] = ["/", "0"].map(|end| ByteString(format!("{folder}{end}").into_bytes()));
    until("the deletion of all objects", Duration::from_mins(1), || async {
        let there = json!({"key": first, "range_end": end, "keys_only": true});
        let there = etcd.post("/v3/kv/range", &there).await?;
        forget_each(etcd, there["kvs"].as_array().map_or(&[][..], Vec::as_slice)).await?;
        let left = objects.list_metadata(&ListParams::default().limit(1)).await?;
        Ok(left.items.is_empty().then_some(()))
    })
    .await
}

/// Each key with a revision of its own: a watch that is cut off in the middle of one goes on after it, and misses the rest.
async fn forget_each(etcd: &Endpoint, found: &[Value]) -> Result<()> {
    const AT_ONCE: usize = 4;
    let forget = async |found: &Value| etcd.post("/v3/kv/deleterange", &json!({"key": found["key"]})).await;
    stream::iter(found).map(forget).buffer_unordered(AT_ONCE).try_for_each(async |_| Ok(())).await
}

/// The client prints nothing worth reading.
struct DebugClient(Client);

impl std::fmt::Debug for DebugClient {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Client")
    }
}

/// The run's folder: removed at the end, kept when the test panics.
#[derive(Debug)]
struct Folder(Option<TempDir>);

impl Folder {
    fn new() -> Result<Self> {
        Ok(Self(Some(tempfile::Builder::new().prefix("gantry-control-plane-").tempdir()?)))
    }

    fn path(&self) -> &Path {
        self.0.as_ref().expect("invariant: only drop takes the folder").path()
    }
}

impl Drop for Folder {
    #[allow(clippy::print_stderr, reason = "the one who reads a failed test's output needs to find the logs")]
    fn drop(&mut self) {
        if let Some(folder) = self.0.take()
            && std::thread::panicking()
        {
            eprintln!("logs of the control plane: {}", folder.keep().display());
        }
    }
}
