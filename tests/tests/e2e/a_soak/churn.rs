//! Random changes of the cluster, one at a time: what users, admins, autoscalers and the controllers of nodes do.
//!
//! Drawn from a seed; what a draw meets depends on how far kube-scheduler has come, so a run is repeated in kind, not in
//! detail. It never overfills a node by itself, for no kubelet is there to refuse that: pods grow and nodes shrink where
//! nobody has been able to bind for a while.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use gantry_solver::rng::Rng;
use gantry_tests::workload::create;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::census::{
    Amounts, COLUMNS, Census, fits, gates, is_leaving, is_over, is_running, node_of, offered, plus, request,
};
use super::follow::Estate;
use super::kubelets::Kubelets;
use super::shapes::{self, CAPACITY, FOREIGN_GATE};

/// Nodes that there are on average.
const NODES: usize = 64;
/// How many nodes more or fewer.
const NODES_EITHER_WAY: usize = 6;
/// Pods that there are on average: they ask for about as much as the nodes that are open to them offer.
const PODS: usize = 220;
/// Nodes that are cordoned at a time, and as many tainted, at most.
const MOST_CLOSED: usize = 5;
/// kube-scheduler has heard of a cordon within milliseconds, and bound what it had decided before.
const QUIET_AFTER: Duration = Duration::from_secs(3);
/// Pods that are deleted at a time, at most.
const MOST_DELETED: u32 = 6;
const DRAINED: &str = "soak.gantry.dev/drained";

/// A kind of change.
#[derive(Clone, Copy)]
enum Change {
    /// Pods come or go, whichever brings their number nearer to [`PODS`].
    Population,
    Finish,
    Resize,
    Ungate,
    /// A node comes or goes.
    Scale,
    Cordon,
    Taint,
    ResizeNode,
}

/// How often each kind is drawn, of a hundred.
const SHARES: [(Change, u32); 8] = [
    (Change::Population, 50),
    (Change::Finish, 5),
    (Change::Resize, 18),
    (Change::Ungate, 8),
    (Change::Scale, 5),
    (Change::Cordon, 6),
    (Change::Taint, 3),
    (Change::ResizeNode, 5),
];

/// Who changes the cluster.
pub(super) struct Churn {
    client: Client,
    estate: Estate,
    _kubelets: Kubelets,
    rng: Rng,
    made_pods: u32,
    made_nodes: u32,
    /// Names of nodes that are gone: some come back.
    gone: Vec<String>,
    cordoned: BTreeMap<String, Instant>,
    /// How often each thing was done.
    pub(super) done: BTreeMap<&'static str, u32>,
}

impl Churn {
    /// Makes the nodes and the first pods.
    pub(super) async fn begin(client: Client, seed: u64) -> Result<Self> {
        let estate = Estate::follow(&client).await?;
        let kubelets = Kubelets::play(&client, estate.clone());
        create(&Api::all(client.clone()), std::iter::once(shapes::priority_class())).await?;
        create(&Api::all(client.clone()), (0..NODES as u32).map(shapes::a_node)).await?;
        let (rng, gone, cordoned, done) = (Rng::new(seed), Vec::new(), BTreeMap::new(), BTreeMap::new());
        let made_nodes = NODES as u32;
        let mut churn =
            Self { client, estate, _kubelets: kubelets, rng, made_pods: 0, made_nodes, gone, cordoned, done };
        while churn.made_pods < PODS as u32 {
            churn.create_pods().await?;
        }
        Ok(churn)
    }

    /// One change.
    pub(super) async fn step(&mut self) -> Result<()> {
        let census = self.estate.census();
        match self.draw() {
            Change::Population => {
                let surplus = census.pods.len() as f64 / PODS as f64 - 1.0;
                if self.rng.chance(0.5 - 2.0 * surplus) {
                    self.create_pods().await
                } else {
                    self.delete_pods(&census).await
                }
            }
            Change::Finish => self.finish(&census).await,
            Change::Resize => self.resize(&census).await,
            Change::Ungate => self.ungate(&census).await,
            Change::Scale => self.scale(&census).await,
            Change::Cordon => self.cordon(&census).await,
            Change::Taint => self.taint(&census).await,
            Change::ResizeNode => self.resize_node(&census).await,
        }
    }

    /// Removes the gates of others, which would keep pods waiting for us.
    pub(super) async fn calm(&mut self) -> Result<()> {
        let census = Census::listed(&self.client).await?;
        for pod in census.pods.iter().filter(|pod| gates(pod).contains(&FOREIGN_GATE)) {
            self.ungate_one(pod).await?;
        }
        Ok(())
    }

    /// How the followed objects look now.
    pub(super) fn census(&self) -> Census {
        self.estate.census()
    }

    fn draw(&mut self) -> Change {
        let mut draw = self.rng.below(SHARES.iter().map(|(_, share)| share).sum());
        for (change, share) in SHARES {
            match draw.checked_sub(share) {
                None => return change,
                Some(rest) => draw = rest,
            }
        }
        Change::Population
    }

    async fn create_pods(&mut self) -> Result<()> {
        let pods = shapes::some_pods(&mut self.rng, self.made_pods);
        self.made_pods += pods.len() as u32;
        self.count("pods created", pods.len() as u32);
        create(&self.pods(), pods.into_iter()).await
    }

    async fn delete_pods(&mut self, census: &Census) -> Result<()> {
        // Those that are over go as well: somebody tidies up.
        let over = self.estate.pods().into_iter().filter(|pod| is_over(pod));
        let mut pods: Vec<Arc<Pod>> = census.pods.iter().filter(|pod| !is_leaving(pod)).cloned().chain(over).collect();
        for _ in 0..=self.rng.below(MOST_DELETED) {
            let Some(pod) = take(&mut self.rng, &mut pods) else { return Ok(()) };
            let deleted = self.pods().delete(&pod.name_any(), &DeleteParams::default()).await;
            self.note("pods deleted", deleted)?;
        }
        Ok(())
    }

    async fn finish(&mut self, census: &Census) -> Result<()> {
        let runs = |pod: &&Arc<Pod>| is_running(pod) && !is_leaving(pod);
        let mut pods: Vec<_> = census.pods.iter().filter(runs).cloned().collect();
        let Some(pod) = take(&mut self.rng, &mut pods) else { return Ok(()) };
        let patch = Patch::Merge(json!({"status": {"phase": "Succeeded"}}));
        let finished = self.pods().patch_status(&pod.name_any(), &PatchParams::default(), &patch).await;
        self.note("pods finished", finished)
    }

    /// Another amount of cpu and memory in place, larger ones only for pods that wait or lie where nobody else comes.
    async fn resize(&mut self, census: &Census) -> Result<()> {
        let is_there = |pod: &Pod| node_of(pod).is_none_or(|node| census.nodes.contains_key(node));
        let stays = |pod: &&Arc<Pod>| !is_leaving(pod) && is_there(pod);
        let mut pods: Vec<_> = census.pods.iter().filter(stays).cloned().collect();
        let Some(pod) = take(&mut self.rng, &mut pods) else { return Ok(()) };
        let (old, mut new) = (request(&pod), request(&pod));
        (new[0], new[1]) = (shapes::cpu(&mut self.rng), shapes::memory(&mut self.rng) << 20);
        if let Some(name) = node_of(&pod) {
            let difference: Amounts = std::array::from_fn(|column| new[column] - old[column]);
            let after = plus(Some(&census.used(name)), &difference);
            let is_room = || census.nodes.get(name).is_some_and(|node| fits(&after, &offered(node)));
            if !(self.is_quiet(name) && is_room()) {
                new = std::array::from_fn(|column| new[column].min(old[column]));
            }
        }
        let requests = json!({"cpu": format!("{}m", new[0]), "memory": new[1].to_string()});
        let patch = json!({"spec": {"containers": [{"name": "main", "resources": {"requests": requests}}]}});
        let resized =
            self.pods().patch_resize(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(patch)).await;
        self.note(if node_of(&pod).is_some() { "pods resized in place" } else { "waiting pods resized" }, resized)
    }

    async fn ungate(&mut self, census: &Census) -> Result<()> {
        let mut pods: Vec<_> = census.pods.iter().filter(|pod| gates(pod).contains(&FOREIGN_GATE)).cloned().collect();
        let Some(pod) = take(&mut self.rng, &mut pods) else { return Ok(()) };
        self.ungate_one(&pod).await
    }

    async fn ungate_one(&mut self, pod: &Pod) -> Result<()> {
        let patch = json!({"spec": {"schedulingGates": [{"$patch": "delete", "name": FOREIGN_GATE}]}});
        let ungated = self.pods().patch(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(patch)).await;
        self.note("foreign gates removed", ungated)
    }

    /// A node goes, or one comes: a new one, or one of the same name as one before.
    async fn scale(&mut self, census: &Census) -> Result<()> {
        let surplus = (census.nodes.len() as f64 - NODES as f64) / NODES_EITHER_WAY as f64;
        if self.rng.chance(0.5 + 0.5 * surplus) {
            let Some(name) = self.pick_node(census) else { return Ok(()) };
            self.cordoned.remove(&name);
            let deleted = self.nodes().delete(&name, &DeleteParams::default()).await;
            self.gone.push(name);
            return self.note("nodes deleted", deleted);
        }
        let back = if self.rng.chance(0.5) { take(&mut self.rng, &mut self.gone) } else { None };
        let mut node = shapes::a_node(self.made_nodes);
        // Pods that still lie there count again.
        match back.filter(|name| fits(&census.used(name), &offered(&node))) {
            Some(name) => node = renamed(node, name),
            None => self.made_nodes += 1,
        }
        let created = self.nodes().create(&PostParams::default(), &node).await;
        self.note("nodes created", created)
    }

    async fn cordon(&mut self, census: &Census) -> Result<()> {
        let closes = self.cordoned.len() < MOST_CLOSED && self.rng.chance(0.5);
        let name = if closes { self.pick_node(census) } else { self.cordoned.keys().next().cloned() };
        let Some(name) = name else { return Ok(()) };
        if closes {
            self.cordoned.entry(name.clone()).or_insert_with(Instant::now);
        } else {
            self.cordoned.remove(&name);
        }
        let patch = json!({"spec": {"unschedulable": closes}});
        self.patch_node(if closes { "nodes cordoned" } else { "nodes uncordoned" }, &name, patch).await
    }

    /// The taint goes from a node that has it, or comes on another beside a pool's.
    async fn taint(&mut self, census: &Census) -> Result<()> {
        let tainted = census.nodes.iter().find(|(_, node)| taints(node).iter().any(|taint| taint["key"] == DRAINED));
        let count =
            census.nodes.values().filter(|node| taints(node).iter().any(|taint| taint["key"] == DRAINED)).count();
        if let Some((name, node)) = tainted.filter(|_| count >= MOST_CLOSED || self.rng.chance(0.5)) {
            let left: Vec<Value> = taints(node).into_iter().filter(|taint| taint["key"] != DRAINED).collect();
            return self.patch_node("taints removed", &name.clone(), json!({"spec": {"taints": left}})).await;
        }
        let Some(name) = self.pick_node(census) else { return Ok(()) };
        let mut all = taints(&census.nodes[&name]);
        if all.iter().all(|taint| taint["key"] != DRAINED) {
            all.push(json!({"key": DRAINED, "effect": "NoSchedule"}));
        }
        self.patch_node("taints added", &name, json!({"spec": {"taints": all}})).await
    }

    /// Another amount of everything, a smaller one only where nobody comes.
    async fn resize_node(&mut self, census: &Census) -> Result<()> {
        let Some(name) = self.pick_node(census) else { return Ok(()) };
        let quarters = i64::from(3 + self.rng.below(3));
        let [cpu, memory, disk, network] = CAPACITY.map(|amount| amount * quarters / 4);
        let (new, old) = ([cpu, memory << 20, disk, network, 500], offered(&census.nodes[&name]));
        let may_shrink = self.is_quiet(&name) && fits(&census.used(&name), &new);
        if !may_shrink && !fits(&old, &new) {
            return Ok(());
        }
        let unit = |column: &str| if column == "cpu" { "m" } else { "" };
        let quantity = |(column, amount): (&str, i64)| (column.to_owned(), json!(format!("{amount}{}", unit(column))));
        let amounts: serde_json::Map<String, Value> = std::iter::zip(COLUMNS, new).map(quantity).collect();
        let patch = Patch::Merge(json!({"status": {"allocatable": amounts, "capacity": amounts}}));
        let patched = self.nodes().patch_status(&name, &PatchParams::default(), &patch).await;
        self.note("nodes resized", patched)
    }

    async fn patch_node(&mut self, what: &'static str, name: &str, patch: Value) -> Result<()> {
        let patched = self.nodes().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        self.note(what, patched)
    }

    fn pick_node(&mut self, census: &Census) -> Option<String> {
        take(&mut self.rng, &mut census.nodes.keys().cloned().collect())
    }

    /// Whether no pod has been able to come to the node for a while.
    fn is_quiet(&self, node: &str) -> bool {
        self.cordoned.get(node).is_some_and(|since| since.elapsed() >= QUIET_AFTER)
    }

    /// Counts a change; one that came too late, because the object was gone or changed meanwhile, is counted as that.
    fn note<T>(&mut self, what: &'static str, result: kube::Result<T>) -> Result<()> {
        match result {
            Ok(_) => self.count(what, 1),
            Err(kube::Error::Api(status)) if is_late(&status) => self.count("came too late", 1),
            Err(error) => return Err(anyhow::Error::new(error).context(what)),
        }
        Ok(())
    }

    fn count(&mut self, what: &'static str, times: u32) {
        *self.done.entry(what).or_default() += times;
    }

    fn pods(&self) -> Api<Pod> {
        Api::default_namespaced(self.client.clone())
    }

    fn nodes(&self) -> Api<Node> {
        Api::all(self.client.clone())
    }
}

/// Takes one out at random.
fn take<T>(rng: &mut Rng, all: &mut Vec<T>) -> Option<T> {
    let position = rng.below(all.len() as u32) as usize;
    (!all.is_empty()).then(|| all.swap_remove(position))
}

/// Whether the object is gone or has changed; a pod may not be resized once its node is gone.
fn is_late(status: &Status) -> bool {
    matches!(status.code, 404 | 409) || status.code == 403 && status.message.ends_with("not found")
}

fn renamed(mut node: Node, name: String) -> Node {
    node.labels_mut().insert("kubernetes.io/hostname".to_owned(), name.clone());
    node.metadata.name = Some(name);
    node
}

fn taints(node: &Node) -> Vec<Value> {
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints.map(|taint| json!(taint)).collect()
}
