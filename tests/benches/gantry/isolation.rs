//! What a hostile plugin of one profile costs the pods of another.
//!
//! Every attack is made by 1 and by 16 pods at once, on an extender of its own each time, so that no breaker keeps the
//! attacker away. While their requests are under way, a healthy profile's come one after the other. Of each pod Filter is
//! asked and then Score, as kube-scheduler does, over loopback of the real binary. Target: the healthy ones' latency at most
//! doubles. As many harmless requests cost something too where cores are few, so the same is told beside those.

use std::{
    path::Path,
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures::future::{join_all, poll_immediate};
use gantry_host::turn::step_back;
use gantry_tests::report;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Handle};

use crate::platform::client::{Connection, Server, request};

/// Healthy requests measured for a figure, and how long at most.
const SAMPLES: usize = 300;
const PATIENCE: Duration = Duration::from_secs(6);
/// The guest that does no harm, for comparison.
const HARMLESS: &str = "well_behaved";
const VERBS: [&str; 2] = ["/filter", "/prioritize"];
/// Healthy pods before an attack: the first ones find cold instances.
const WARM_UP: usize = 5;
const NODES: usize = 100;
const FULL: &str = include_str!("../../fixtures/kube-scheduler/filter_full_nodes.json");

/// How long answers took, by verb.
type Times = [Vec<Duration>; VERBS.len()];

pub(crate) fn measure() -> Result<()> {
    // A runtime each, and the attackers' behind all others: the healthy client, or the server, would wait for what the
    // attackers' clients have to do, who would have a machine of their own.
    let attackers = Builder::new_multi_thread().enable_all().on_thread_start(step_back).build()?;
    Builder::new_current_thread().enable_all().build()?.block_on(measure_all(attackers.handle()))
}

async fn measure_all(attackers: &Handle) -> Result<()> {
    report::headline(
        "A healthy profile's requests while another profile's plugin attacks",
        "make bench ONLY=isolation",
    );
    let folder = tempfile::tempdir()?;
    let mut trials = Vec::new();
    // What the machine's other load does to two measurements of one thing, and what 16 harmless requests do.
    for attack in [HARMLESS].into_iter().chain(attacks()) {
        let path = folder.path().join(attack).with_extension("wasm");
        std::fs::write(&path, gantry_guests::bytes(attack))?;
        for parallel in [1, 16] {
            trials.extend(trials_of(attack, &path, parallel, attackers).await?);
        }
    }
    let rows: Vec<Vec<String>> = trials.iter().map(|trial| trial.row(&trials)).collect();
    report::table(
        &[
            "plugin",
            "pods at once",
            "healthy",
            "alone: p50",
            "p99",
            "under attack: p50",
            "p99",
            "× p50",
            "× p99",
            "× harmless p50",
            "× harmless p99",
        ],
        &rows,
    );
    Ok(())
}

/// What one verb of the healthy profile's took beside one attack: p50 and p99.
struct Trial {
    attack: &'static str,
    parallel: usize,
    verb: &'static str,
    alone: [Duration; 2],
    attacked: [Duration; 2],
}

impl Trial {
    /// The times, as multiples of those alone, and of those beside as many harmless requests, which `trials` has.
    fn row(&self, trials: &[Self]) -> Vec<String> {
        let is_harmless =
            |trial: &&Self| (trial.attack, trial.parallel, trial.verb) == (HARMLESS, self.parallel, self.verb);
        let harmless = trials.iter().find(is_harmless).map_or([1.0; 2], Self::ratios);
        let mut row = vec![self.attack.to_owned(), self.parallel.to_string(), self.verb.to_owned()];
        row.extend(self.alone.into_iter().chain(self.attacked).map(report::short));
        row.extend(self.ratios().map(|ratio| format!("{ratio:.2}")));
        row.extend((0..2).map(|quantile| format!("{:.2}", self.ratios()[quantile] / harmless[quantile])));
        row
    }

    fn ratios(&self) -> [f64; 2] {
        [0, 1].map(|quantile| self.attacked[quantile].as_secs_f64() / self.alone[quantile].as_secs_f64())
    }
}

/// The guests that start and do harm: some are refused before anybody asks them, some do it in plans alone or not at all.
fn attacks() -> impl Iterator<Item = &'static str> {
    let refused = ["aliased_strings", "bad_configure", "foreign_import", "trap_in_init"];
    let harmless =
        ["counts_calls", "every_verdict", "loop_in_plan", "score_only", "trap_in_plan", HARMLESS, "wrong_generation"];
    gantry_guests::names().filter(move |name| !refused.contains(name) && !harmless.contains(name))
}

/// One for each verb of the healthy profile's.
async fn trials_of(attack: &'static str, component: &Path, parallel: usize, runtime: &Handle) -> Result<Vec<Trial>> {
    let (mut alone, mut attacked) = (Times::default(), Times::default());
    let start = Instant::now();
    while attacked[0].len() < SAMPLES && start.elapsed() < PATIENCE {
        let server = extender(component)?;
        let mut healthy = Client::of(&server, "default-scheduler", "healthy")?;
        healthy.show_nodes().await?;
        let attackers = (0..parallel).map(|number| Client::of(&server, "attacked", &format!("attacked-{number}")));
        // Who has a connection keeps it: a thread that the server starts for one is no plugin's doing.
        let connected = attackers.map(|attacker| Ok(runtime.spawn(attacker?.connected())));
        let connected = join_all(connected.collect::<Result<Vec<_>>>()?).await;
        let attackers = connected.into_iter().map(|attacker| attacker?).collect::<Result<Vec<_>>>()?;
        for _ in 0..WARM_UP {
            healthy.ask_both(&mut Times::default()).await?;
        }
        let before = alone[0].len();
        under_attack(&mut healthy, attackers, runtime, &mut attacked).await?;
        // As many without: what else the machine does is the same.
        let seen = attacked[0].len() - before;
        for _ in 0..seen {
            healthy.ask_both(&mut alone).await?;
        }
    }
    let times = alone.into_iter().zip(attacked);
    let trial = |(verb, (mut alone, mut attacked)): (&&'static str, (Vec<Duration>, Vec<Duration>))| {
        let [alone, attacked] =
            [&mut alone, &mut attacked].map(|times| [0.5, 0.99].map(|share| report::quantile(times, share)));
        Trial { attack, parallel, verb, alone, attacked }
    };
    Ok(VERBS.iter().zip(times).map(trial).collect())
}

/// Healthy requests, one after the other, from the moment the attack begins until all of it is answered.
async fn under_attack(healthy: &mut Client, attackers: Vec<Client>, runtime: &Handle, times: &mut Times) -> Result<()> {
    let attack = |mut attacker: Client| runtime.spawn(async move { attacker.ask_both(&mut Times::default()).await });
    let mut attack = pin!(join_all(attackers.into_iter().map(attack)));
    loop {
        let over = poll_immediate(attack.as_mut()).await;
        if let Some(answers) = over {
            return answers.into_iter().try_for_each(|answer| answer.context("a client panicked")?);
        }
        healthy.ask_both(times).await?;
    }
}

/// Two profiles: the built-in plugin's, and the attacker's.
fn extender(attacker: &Path) -> Result<Server> {
    let folder = attacker.parent().context("it lies in a folder")?;
    let component = format!("file:{}", attacker.display());
    // A start leaves out who fails the recorded request, which has three nodes.
    let attacker = json!({"name": "bad", "component": component, "settings": {"behavesOnRows": 3}});
    let document = json!({
        "apiVersion": "gantry.dev/v1alpha1", "kind": "GantryConfiguration",
        "cluster": {"mode": "none"}, "cache": {"dir": folder.join("cache")},
        "server": {"deadline": "1s", "listen": "127.0.0.1:0", "admin": "127.0.0.1:0"},
        "profiles": [
            {"schedulerName": "default-scheduler", "plugins": [{"name": "good", "component": "builtin:gantry"}]},
            {"schedulerName": "attacked", "plugins": [attacker]},
        ],
    });
    Server::start(folder, &document)
}

/// What kube-scheduler asks of one pod.
struct Client {
    connection: Connection,
    nodes: Vec<u8>,
    requests: [Vec<u8>; VERBS.len()],
}

impl Client {
    fn of(server: &Server, scheduler: &str, pod: &str) -> Result<Self> {
        let mut document: Value = serde_json::from_str(FULL)?;
        document["Pod"]["spec"]["schedulerName"] = json!(scheduler);
        document["Pod"]["metadata"]["uid"] = json!(pod);
        let model = document["Nodes"]["items"][0].clone();
        let node = |row| {
            let mut node = model.clone();
            node["metadata"]["name"] = json!(format!("node-{row}"));
            node
        };
        document["Nodes"]["items"] = (0..NODES).map(node).collect();
        let nodes = request(VERBS[0], document.to_string().as_bytes());
        document["Nodes"] = Value::Null;
        document["NodeNames"] = (0..NODES).map(|row| json!(format!("node-{row}"))).collect();
        let body = document.to_string();
        let requests = VERBS.map(|verb| request(verb, body.as_bytes()));
        Ok(Self { connection: Connection::to(server.extender), nodes, requests })
    }

    /// The same, with its connection open.
    async fn connected(mut self) -> Result<Self> {
        self.connection.connect().await?;
        Ok(self)
    }

    /// From then on names are enough.
    async fn show_nodes(&mut self) -> Result<()> {
        self.connection.ask(&self.nodes).await.map(drop)
    }

    /// Filter and Score; notes how long each answer took.
    async fn ask_both(&mut self, times: &mut Times) -> Result<()> {
        for (request, times) in self.requests.iter().zip(times) {
            let start = Instant::now();
            let answer = self.connection.ask(request).await?;
            times.push(start.elapsed());
            anyhow::ensure!(answer.len() > NODES, "an answer without nodes: {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }
}
