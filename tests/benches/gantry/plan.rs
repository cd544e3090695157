//! What a large plan costs, and what it costs the requests beside it: 5,000 pending pods, 1,000 nodes.
//!
//! Targets: at most 1 s of CPU for the plan, in the sandbox, with the default settings; p99 of Filter and Prioritize
//! while plans are made at most 1.5 × that of a process that makes none, where there is a core for each. They come over
//! loopback and are answered by the server of the process, on threads that sleep between them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use gantry_extender::{
    app::App,
    background,
    config::valid,
    server::{Server, Threads},
};
use gantry_host::{Component, Engine, Limits, Plugin, types};
use gantry_tests::{columns::Columns, report};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};

use crate::{
    handler,
    platform::client::{Connection, request},
};

const NODES: usize = 1_000;
const PENDING: usize = 5_000;
/// Rounds of requests, each without a plan beside it and with one: what disturbs one disturbs the other.
const ROUNDS: usize = 4;

pub(crate) fn measure() -> Result<()> {
    report::headline("A plan of 5,000 pods for 1,000 nodes", "make bench ONLY=plan");
    cost()?;
    tokio::runtime::Runtime::new()?.block_on(beside_requests())
}

/// Pods as columns, to be lent to several calls.
struct Pending {
    classes: Vec<u32>,
    requests: Vec<f64>,
}

impl Pending {
    fn random(columns: &Columns, pods: usize) -> Self {
        let pods: Vec<_> = (0..pods as u64).map(|seed| columns.pod(seed)).collect();
        Self {
            classes: pods.iter().map(|pod| pod.class).collect(),
            requests: pods.iter().flat_map(|pod| pod.request.clone()).collect(),
        }
    }

    fn lent<'a>(&'a self, warm_start: &'a [i32]) -> types::Pods<'a> {
        types::Pods {
            classes: &self.classes,
            requests: &self.requests,
            estimates: &[],
            warm_start,
            priorities: &[],
            topologies: &[],
            rules: &[],
        }
    }
}

fn cost() -> Result<()> {
    let component = Component::load(&Engine::new()?, gantry_component::BYTES, None, None)?;
    let plugin =
        Plugin::new("gantry", &component, "", Limits { plan_deadline: Duration::from_mins(1), ..Limits::default() })?;
    let columns = Columns::random(NODES, false, 7);
    let (pending, nobody) = (Pending::random(&columns, PENDING), Pending::random(&columns, 0));
    let budget = |pods: usize| types::Budget { evaluations: valid::Plan::default().budget(pods) };
    let before = plugin.plan(&columns, &nobody.lent(&[]), budget(0), 1)?;
    let mut rows = Vec::new();
    let mut warm_start = Vec::new();
    for (what, budget) in [
        ("constructed only", types::Budget { evaluations: 0 }),
        ("planned", budget(PENDING)),
        ("planned again, from the plan", budget(PENDING)),
        ("planned again, an eighth of the budget", types::Budget { evaluations: budget(PENDING).evaluations / 8 }),
    ] {
        let (start, used) = (Instant::now(), cpu()?);
        let plan = plugin.plan(&columns, &pending.lent(&warm_start), budget, 1)?;
        let (used, took) = (cpu()?.saturating_sub(used), start.elapsed());
        rows.push(vec![
            what.to_owned(),
            report::short(used),
            report::short(took),
            format!("{:.2} M of {:.2} M", plan.evaluations as f64 / 1e6, budget.evaluations as f64 / 1e6),
            plan.rows.iter().filter(|row| **row >= 0).count().to_string(),
            format!("{:.3}", before.objective[1]),
            format!("{:.3}", plan.objective[1]),
            format!("{:.3}", plan.objective[0]),
        ]);
        warm_start = if budget.evaluations > 0 { plan.rows } else { warm_start };
    }
    let columns = ["", "CPU", "time", "evaluations", "placed", "σ before", "σ after", "objective after"];
    report::table(&columns, &rows);
    Ok(())
}

/// CPU time of this thread, on which a call into the sandbox runs.
fn cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().context("the kernel tells what a thread used")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

async fn beside_requests() -> Result<()> {
    let app = handler::app()?;
    handler::show_nodes(&app.extender(), NODES).await?;
    let (listener, (_over, is_over)) = (TcpListener::bind("127.0.0.1:0").await?, watch::channel(false));
    let mut connection = Connection::to(listener.local_addr()?);
    let (router, keep_alive, threads) = (app.extender(), Duration::from_mins(2), Threads::OneEach);
    tokio::spawn(Server { listener, router, tls: None, keep_alive, threads }.run(is_over));
    let (mut alone, mut beside) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut plans = 0;
    for round in 0..ROUNDS {
        for (times, name) in [(&mut alone, "alone"), (&mut beside, "beside")] {
            let planning = (name == "beside").then(|| Planning::start(&app)).transpose()?;
            let ask = async |path: &str, body: Vec<u8>| {
                let request = request(path, &body);
                let start = Instant::now();
                connection.ask(&request).await?;
                Ok(start.elapsed())
            };
            let asked = handler::names(ask, NODES, &format!("{name}-{round}")).await?;
            for (times, asked) in times.iter_mut().zip(asked.times) {
                times.extend(asked);
            }
            if let Some(planning) = planning {
                plans += planning.stop().await?;
            }
        }
    }
    let rows = ["filter", "prioritize"].iter().zip(alone.iter_mut().zip(&mut beside)).map(|(verb, (alone, beside))| {
        let [alone, beside] = [alone, beside].map(|times| [0.5, 0.99].map(|share| report::quantile(times, share)));
        let ratios = [report::ratio(beside[0], alone[0]), report::ratio(beside[1], alone[1])];
        let cells = [alone[0], beside[0], alone[1], beside[1]].map(report::short);
        let [p50, p50_beside, p99, p99_beside] = cells;
        let [ratio, ratio_99] = ratios;
        vec![(*verb).to_owned(), p50, p50_beside, ratio, p99, p99_beside, ratio_99]
    });
    report::section(&format!("Requests with {NODES} names beside planning without a rest ({plans} plans)"));
    let columns = ["request", "p50 alone", "p50 beside", "ratio", "p99 alone", "p99 beside", "ratio"];
    report::table(&columns, &rows.collect::<Vec<_>>());
    Ok(())
}

/// Plans one after the other where a planner does, through the profile that answers requests.
struct Planning {
    is_over: Arc<AtomicBool>,
    plans: oneshot::Receiver<Result<usize>>,
}

impl Planning {
    fn start(app: &App) -> Result<Self> {
        let (context, snapshot) = (Arc::clone(&app.context), app.index().snapshot(Instant::now()));
        let is_over = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&is_over);
        let plans = background::run("planning", move || {
            let profile = context.cycles.profile_of("default-scheduler").context("the default profile")?;
            let columns = Columns::random(NODES, false, 7);
            let pending = Pending::random(&columns, PENDING);
            let budget = types::Budget { evaluations: valid::Plan::default().budget(PENDING) };
            let mut plans = 0;
            while !heard.load(Ordering::Relaxed) {
                let plan =
                    profile.plan(&snapshot, &columns, &pending.lent(&[]), budget, plans as u64, &context.metrics);
                plan.map_err(|failures| anyhow::anyhow!("no plan: {failures:?}"))?;
                plans += 1;
            }
            Ok(plans)
        })?;
        Ok(Self { is_over, plans })
    }

    async fn stop(self) -> Result<usize> {
        self.is_over.store(true, Ordering::Relaxed);
        self.plans.await.context("the planning thread panicked")?
    }
}
