//! The wiring: from a checked configuration to a process that serves.
//!
//! Five steps, each a function: connect, load, assemble, listen, serve. What is
//! decided lies elsewhere; here is only who holds whom.

use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use axum::Router;
use gantry_cluster::{Index, IndexSettings, SharedIndex};
use gantry_host::Workshop;
use gantry_host::workshop::compile_for_parent;
use kube::Client;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::args::{Args, COMPILE_PLUGIN, Command, ServeArgs};
use crate::background;
use crate::binding::Binder;
use crate::body::Bodies;
use crate::config::valid::{ClusterSource, Config};
use crate::config::{Draft, Problem, Surroundings};
use crate::cycle::Cycles;
use crate::decision::Decisions;
use crate::demo;
use crate::error::StartError;
use crate::events::{self, Events, Notice};
use crate::forecasts::Feed;
use crate::handlers::{self, Context};
use crate::lease::{Candidate, Role};
use crate::metrics::Metrics;
use crate::planner::{Board, Desk, Follower, Nominator, Planner};
use crate::profile::loader::{Loader, Occasion};
use crate::profile::{Profiles, chain};
use crate::reload::{Configuration, Reloader};
use crate::server::{Server, Threads};
use crate::tls::Certificates;
use crate::verb::LastCalls;
use crate::view::Cluster;
use crate::{admin, golden, reload, telemetry};

/// This very program, also where its file was replaced by a newer one meanwhile.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Does what the command line says, and tells with which exit code the process ends.
///
/// # Errors
/// Why nothing, or nothing more, can be served.
pub fn run(args: Args) -> Result<ExitCode, StartError> {
    match args.command.unwrap_or(Command::Serve(args.serve)) {
        Command::Serve(flags) => {
            let requests = Builder::new_multi_thread().enable_all().build().map_err(StartError::Runtime)?;
            let background = background::runtime().map_err(StartError::Runtime)?;
            let outcome = requests.block_on(serve(&flags, background.handle()));
            background.shutdown_background();
            outcome?;
        }
        Command::CheckConfig { file } => check_config(&ServeArgs { config: Some(file), ..ServeArgs::default() })?,
        Command::CompilePlugin => return Ok(compile_for_parent()),
    }
    Ok(ExitCode::SUCCESS)
}

/// A configuration is good if it would run: plugins are loaded, so that settings are checked by whom they concern. Where
/// it would run is not known here: a configuration for a pod is checked as in a pod.
fn check_config(flags: &ServeArgs) -> Result<(), StartError> {
    // What is no refusal, such as a cache that cannot be used, and what plugins say on trial, is told by the log alone.
    telemetry::start(flags.log_format);
    let config = flags.config(Surroundings { is_in_cluster: true })?;
    let loader = loader(&config);
    let profiles = loader.load(&config.profiles, &[], Occasion::Change)?;
    reload::refuse_failures(&profiles, &[])?;
    golden::try_all(&profiles, &config)?;
    config.server.tls.as_ref().map(Certificates::read).transpose()?;
    // Whoever closed standard output wants the exit code only.
    drop(writeln!(std::io::stdout(), "the configuration is good: profiles: {}, plugins loaded", config.profiles.len()));
    Ok(())
}

/// What this program loads plugins with: it starts itself again to compile them.
fn loader(config: &Config) -> Loader {
    let workshop = Workshop::new(OWN_PROGRAM.into(), COMPILE_PLUGIN, config.compile);
    Loader::new(config.cache.as_deref(), Some(workshop))
}

async fn serve(flags: &ServeArgs, background: &Handle) -> Result<(), StartError> {
    telemetry::start(flags.log_format);
    let surroundings = Surroundings::of_process();
    let draft = flags.draft(surroundings)?;
    let config = draft.config.clone();
    warn_of_blindness(flags, &config);
    let end = interrupted()?;
    // A client reads its answers where it was made.
    let client = background.spawn(connect(config.cluster.source.clone())).await.map_err(StartError::Panic)??;
    let loader = loader(&config);
    let profiles = reload::start(&loader, &config)?;
    let mut app = App::assemble(&config, client, profiles)?;
    app.watch(flags, surroundings, draft, loader);
    let sockets = Sockets::listen(&config).await?;
    let address = flags.demo.then_some(sockets.extender_address);
    app.serve(&config, sockets, end, address, background).await
}

/// Who has a configuration file means a cluster, and one that is not watched looks evener than it is.
fn warn_of_blindness(flags: &ServeArgs, config: &Config) {
    if flags.config.is_some() && !flags.demo && config.cluster.source == ClusterSource::Requests {
        tracing::warn!(
            "cluster.mode is none: the pods on the nodes are not known, but for our own answers of the last \
             cluster.assumedTtl; that is for trials: use auto, with whole nodes too"
        );
    }
}

/// Step 1: the API server, if there is one. It need not answer yet: the watch tries again.
async fn connect(source: ClusterSource) -> Result<Option<Client>, StartError> {
    // kube and our own TLS share one provider of cryptography; an error means that it was set before.
    drop(rustls::crypto::ring::default_provider().install_default());
    let refused = |error: &dyn std::error::Error| {
        let path =
            if let ClusterSource::Kubeconfig(path) = &source { path.display().to_string() } else { String::new() };
        Problem::new("cluster.kubeconfig", path, format!("it leads to no API server: {}", chain(error)))
    };
    let config = match &source {
        ClusterSource::Requests => return Ok(None),
        ClusterSource::InCluster => kube::Config::incluster().map_err(|error| refused(&error))?,
        ClusterSource::Kubeconfig(path) => {
            let file = kube::config::Kubeconfig::read_from(path).map_err(|error| refused(&error))?;
            let options = kube::config::KubeConfigOptions::default();
            kube::Config::from_custom_kubeconfig(file, &options).await.map_err(|error| refused(&error))?
        }
    };
    Ok(Some(Client::try_from(config).map_err(|error| refused(&error))?))
}

/// Everything but the sockets; tests drive its routers directly.
pub struct App {
    /// What handlers reach.
    pub context: Arc<Context>,
    index: Arc<SharedIndex>,
    notices: Option<mpsc::Receiver<Notice>>,
    feed: Option<Feed>,
    reloader: Option<Reloader>,
    client: Option<Client>,
    planners: Vec<Planner>,
    follower: Option<Follower>,
    role: watch::Sender<Role>,
}

impl App {
    /// Step 3: who holds whom.
    ///
    /// # Errors
    /// Where the objective's resources are refused.
    pub fn assemble(config: &Config, client: Option<Client>, profiles: Profiles) -> Result<Self, Problem> {
        let index = Arc::new(SharedIndex::new(index(config)?));
        let cluster = if client.is_some() { Cluster::watched } else { Cluster::mirrored };
        let cluster = Arc::new(cluster(Arc::clone(&index), &config.cluster));
        let metrics = Arc::new(Metrics::new(profiles.iter().flat_map(|profile| profile.names())));
        let (events, notices) = match &client {
            Some(_) => Events::queued(),
            None => (Events::disabled(), None),
        };
        let feed = |settings| Feed::new(settings, Arc::clone(&index), Arc::clone(&metrics));
        let feed = config.forecasts.clone().map(feed);
        let binder = client.clone().filter(|_| config.server.bind);
        let context = Context {
            decisions: Decisions::default(),
            board: Board::new(Arc::clone(&index)),
            cycles: Cycles::new(Arc::clone(&cluster), profiles, Arc::clone(&metrics), config.server.deadline),
            cluster,
            metrics,
            events: Arc::new(events),
            forecasts: feed.as_ref().map(Feed::status),
            configuration: Arc::new(Mutex::new(Configuration::new(None, None, SystemTime::now()))),
            calls: LastCalls::new(Instant::now()),
            bodies: Bodies::new(config.server.body_limit),
            deadline: config.server.deadline,
            binder: binder.map(|client| Binder::new(client, config.server.deadline)),
        };
        let context = Arc::new(context);
        // A process that is no replica among others leads from the start.
        let is_replica = Candidate::of_process(config.server.admin.port()).is_some();
        let (role, is_now) = watch::channel(if is_replica { Role::Alone } else { Role::Leads });
        let (follower, leader) = Follower::new(is_now.clone());
        let desk = |nominator| Desk {
            context: Arc::clone(&context),
            index: Arc::clone(&index),
            nominator,
            role: is_now.clone(),
            leader: leader.clone(),
        };
        let planners = planners(config, &desk, client.as_ref());
        let follower = Some(follower);
        Ok(Self { context, index, notices, feed, reloader: None, client, planners, follower, role })
    }

    /// From now on the configuration is that of a file, and follows it.
    fn watch(&mut self, flags: &ServeArgs, surroundings: Surroundings, draft: Draft, loader: Loader) {
        let now = SystemTime::now();
        self.context.metrics.configuration(draft.digest, now);
        let status = Configuration::new(flags.config.clone(), draft.digest, now);
        *self.context.configuration.lock().unwrap_or_else(PoisonError::into_inner) = status;
        let (context, index) = (Arc::clone(&self.context), Arc::clone(&self.index));
        self.reloader = Reloader::new(flags, surroundings, draft, loader, context, index);
    }

    /// Without an API server and with the plugins of the configuration, which are compiled in this process: it may be
    /// another program than the extender.
    ///
    /// # Errors
    /// As for a start of the process.
    pub fn without_cluster(config: &Config) -> Result<Self, StartError> {
        let profiles = Loader::new(config.cache.as_deref(), None).load(&config.profiles, &[], Occasion::Change)?;
        Ok(Self::assemble(config, None, profiles)?)
    }

    /// The same with a file's configuration, and what follows the file. It follows when it is told to look.
    ///
    /// # Errors
    /// As for a start of the process.
    pub fn reloading(flags: &ServeArgs) -> Result<(Self, Option<Reloader>), StartError> {
        let draft = flags.draft(Surroundings::default())?;
        let loader = Loader::new(draft.config.cache.as_deref(), None);
        let profiles = loader.load(&draft.config.profiles, &[], Occasion::Change)?;
        let mut app = Self::assemble(&draft.config, None, profiles)?;
        app.watch(flags, Surroundings::default(), draft, loader);
        let reloader = app.reloader.take();
        Ok((app, reloader))
    }

    /// The cluster as the watch tells it; without one it is whoever holds this that tells.
    #[must_use]
    pub fn index(&self) -> Arc<SharedIndex> {
        Arc::clone(&self.index)
    }

    /// The planners, to be run by who takes them.
    pub fn planners(&mut self) -> Vec<Planner> {
        std::mem::take(&mut self.planners)
    }

    /// Says whether this replica writes nominations.
    pub fn lead(&self, leads: bool) {
        self.role.send_replace(if leads { Role::Leads } else { Role::Alone });
    }

    /// The extender's endpoints.
    pub fn extender(&self) -> Router {
        handlers::router(Arc::clone(&self.context))
    }

    /// The admin's endpoints.
    pub fn admin(&self) -> Router {
        admin::router(Arc::clone(&self.context))
    }

    /// Step 5: serve until the end, then let requests finish.
    async fn serve(
        mut self,
        config: &Config,
        sockets: Sockets,
        end: impl Future<Output = ()> + Send + 'static,
        demo: Option<SocketAddr>,
        background: &Handle,
    ) -> Result<(), StartError> {
        let (over, is_over) = watch::channel(false);
        let tls = sockets.tls.as_ref().map(Certificates::handshakes);
        let candidate = Candidate::of_process(sockets.admin_port).filter(|_| !self.planners.is_empty());
        let mut tasks = self.background(candidate.clone(), sockets.tls, background);
        let keep_alive = config.server.keep_alive;
        let (router, threads) = (self.extender(), Threads::OneEach);
        let extender = Server { listener: sockets.extender, router, tls, keep_alive, threads };
        let (router, threads) = (self.admin(), Threads::Shared);
        let admin = Server { listener: sockets.admin, router, tls: None, keep_alive, threads };
        let servers = tokio::spawn(async move {
            tokio::join!(extender.run(is_over.clone()), admin.run(is_over));
        });
        if let Some(address) = demo {
            demo::show(address).await.map_err(StartError::Demo)?;
        }
        let outcome = tokio::select! {
            () = end => Ok(()),
            panic = background::first_panic(&mut tasks) => Err(StartError::Panic(panic)),
        };
        tracing::info!("shutting down: no new connections, requests finish");
        over.send_replace(true);
        if let Err(error) = servers.await {
            tracing::error!(%error, "the servers ended unexpectedly");
        }
        tasks.shutdown().await;
        if let (Some(candidate), Some(client)) = (candidate, self.client) {
            candidate.give_back(client).await;
        }
        outcome
    }

    /// What runs beside the requests. A panic there ends the process, to be started anew: without its watch or its feed it
    /// would go on with what it saw last.
    fn background(
        &mut self,
        candidate: Option<Candidate>,
        tls: Option<Certificates>,
        background: &Handle,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if let Some(certificates) = tls {
            tasks.spawn_on(certificates.run(), background);
        }
        if let Some(feed) = self.feed.take() {
            tasks.spawn_on(feed.run(Arc::clone(&self.context.events)), background);
        }
        if let Some(reloader) = self.reloader.take() {
            tasks.spawn_on(reloader.run(), background);
        }
        if let Some(client) = &self.client {
            tasks.spawn_on(gantry_cluster::watch::run(client.clone(), Arc::clone(&self.index)), background);
            if let Some(notices) = self.notices.take() {
                tasks.spawn_on(events::send_all(client.clone(), notices), background);
            }
            if let (Some(candidate), Some(follower)) = (candidate, self.follower.take()) {
                let cluster = Arc::clone(&self.context.cluster);
                let sees = move || cluster.is_ready() && cluster.stale_for(Instant::now()).is_none();
                tasks.spawn_on(candidate.run(client.clone(), self.role.clone(), sees), background);
                tasks.spawn_on(follower.run(), background);
            }
            for planner in self.planners() {
                tasks.spawn_on(planner.run(), background);
            }
        }
        tasks
    }
}

/// One planner for each profile that plans.
fn planners(config: &Config, desk: &dyn Fn(Option<Nominator>) -> Desk, client: Option<&Client>) -> Vec<Planner> {
    let planner = |profile: &crate::config::valid::Profile| {
        let plan = profile.plan.clone()?;
        let desk = desk(client.filter(|_| plan.nominate).cloned().map(Nominator::new));
        desk.context.metrics.plans.start(&profile.scheduler_name);
        Some(Planner::new(&profile.scheduler_name, plan, desk))
    };
    config.profiles.iter().filter_map(planner).collect()
}

fn index(config: &Config) -> Result<Index, Problem> {
    let settings = IndexSettings {
        resources: config.resources.clone(),
        dictionary: config.dictionary.clone(),
        estimates: config.estimates.clone(),
        ..IndexSettings::default()
    };
    Index::new(settings).map_err(|error| Problem::new("resources", config.resources.join(", "), error.to_string()))
}

/// The two sockets, bound.
struct Sockets {
    extender: TcpListener,
    extender_address: SocketAddr,
    admin: TcpListener,
    admin_port: u16,
    tls: Option<Certificates>,
}

impl Sockets {
    /// Step 4: the sockets. The log line tells the ports where 0 was asked for.
    async fn listen(config: &Config) -> Result<Self, StartError> {
        let tls = config.server.tls.as_ref().map(Certificates::read).transpose()?;
        let (extender, extender_address) = bind(config.server.listen, "listen").await?;
        let (admin, admin_address) = bind(config.server.admin, "admin").await?;
        tracing::info!(extender = %extender_address, admin = %admin_address, "listening");
        Ok(Self { extender, extender_address, admin, admin_port: admin_address.port(), tls })
    }
}

async fn bind(address: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, flag, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Ends when the process is told to: SIGTERM by Kubernetes, SIGINT from a keyboard.
fn interrupted() -> Result<impl Future<Output = ()> + Send + 'static, StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Runtime)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
