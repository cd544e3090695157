//! The generator: nodes, pods, their dictionary, and a hidden assignment.
//!
//! Promises: draws come in a fixed order (nodes, then pods); rounding is half to even. Must not know: who uses it.

use std::collections::BTreeMap;

use super::draws::Draws;
use super::{Amounts, Instance, RESOURCES, add, fits};

/// Capacities of the four hardware kinds at size 1: general, compute, memory, io.
const HARDWARE: [Amounts; 4] = [
    [8_000, 32_768, 500, 2_000],
    [16_000, 32_768, 400, 2_000],
    [8_000, 65_536, 500, 2_000],
    [8_000, 32_768, 2_000, 4_000],
];

/// Sizes of nodes, and how often each is drawn.
const SIZES: [i64; 3] = [1, 2, 4];
const SIZE_WEIGHTS: [f64; 3] = [5.0, 3.0, 2.0];

/// Requests of the nine pod shapes before scaling, and how often each is drawn.
const SHAPES: [[f64; RESOURCES]; 9] = [
    [250.0, 512.0, 5.0, 20.0],
    [500.0, 1_024.0, 10.0, 50.0],
    [1_000.0, 2_048.0, 20.0, 100.0],
    [2_000.0, 2_048.0, 10.0, 100.0],
    [500.0, 4_096.0, 10.0, 50.0],
    [1_000.0, 8_192.0, 20.0, 50.0],
    [500.0, 1_024.0, 120.0, 200.0],
    [250.0, 512.0, 40.0, 400.0],
    [4_000.0, 8_192.0, 40.0, 200.0],
];
const SHAPE_WEIGHTS: [f64; 9] = [20.0, 20.0, 15.0, 10.0, 10.0, 8.0, 6.0, 6.0, 5.0];

/// How often the generator lowers the fill before it gives up, and by what factor.
const ATTEMPTS: u32 = 20;
const FILL_STEP: f64 = 0.97;

/// The knobs of an instance family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GenerateOptions {
    /// Requested share of the total capacity, per resource. Default 0.5.
    pub fill: f64,
    /// Chance that a node (from the fifth on) belongs to a tainted pool. Default 0.2.
    pub taint: f64,
    /// Chance that a pod tolerates one of the pools. Default 0.3.
    pub tol: f64,
    /// Chance that a pod requires a hardware kind. Default 0.1.
    pub aff: f64,
    /// Dedicated pools: a fifth of the tolerating pods, so that the pools stay under-used, perfect balance is
    /// impossible and the convex bound is above 0. Default false.
    pub pools: bool,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { fill: 0.5, taint: 0.2, tol: 0.3, aff: 0.1, pools: false }
    }
}

/// Why there is no such instance.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GenerateError {
    /// Neither zero nodes nor zero pods make an instance.
    #[error("an instance needs at least one pod and one node, got {pods} pods and {nodes} nodes")]
    Empty {
        /// Pods asked for.
        pods: usize,
        /// Nodes asked for.
        nodes: usize,
    },
    /// Even the lowest fill left a pod without a row or without room.
    #[error("no feasible instance found, the last fill tried was {fill}")]
    Infeasible {
        /// The last fill tried.
        fill: f64,
    },
}

/// Generates an instance of `pods` pods and `nodes` nodes.
///
/// # Errors
/// [`GenerateError::Empty`] without pods or nodes; [`GenerateError::Infeasible`] if no assignment was found even at
/// about half of the fill.
pub fn generate(pods: usize, nodes: usize, seed: u64, options: &GenerateOptions) -> Result<Instance, GenerateError> {
    if pods == 0 || nodes == 0 {
        return Err(GenerateError::Empty { pods, nodes });
    }
    let mut draws = Draws::new(seed);
    let pools = (nodes / 5).clamp(1, 4) as u32;
    let cluster = Cluster::draw(nodes, pools, options.taint, &mut draws);
    let mut wishes = Wishes::draw(pods, pools, options, &mut draws);
    let mut fill = options.fill;
    for _ in 0..ATTEMPTS {
        let requests = wishes.scaled(fill, &cluster.capacities);
        if let Some(dictionary) = Dictionary::compile(&requests, &mut wishes, &cluster)
            && let Some(hidden) = assign(&requests, &dictionary, &cluster.capacities)
        {
            return Ok(instance(seed, fill, requests, hidden, cluster, wishes, dictionary));
        }
        fill *= FILL_STEP;
    }
    Err(GenerateError::Infeasible { fill })
}

fn instance(
    seed: u64,
    fill: f64,
    requests: Vec<Amounts>,
    hidden: Vec<u32>,
    cluster: Cluster,
    wishes: Wishes,
    dictionary: Dictionary,
) -> Instance {
    Instance {
        seed,
        fill,
        capacities: cluster.capacities,
        requests,
        taint_by_node: cluster.taints,
        hardware_by_node: cluster.hardware,
        zone_by_node: cluster.zones,
        tolerations_by_pod: wishes.tolerations,
        affinity_by_pod: wishes.affinities,
        class_by_pod: dictionary.class_by_pod,
        allowed_by_class: dictionary.allowed_by_class,
        hidden,
    }
}

/// The nodes.
struct Cluster {
    capacities: Vec<Amounts>,
    hardware: Vec<u8>,
    zones: Vec<u8>,
    taints: Vec<Option<u8>>,
}

impl Cluster {
    fn draw(nodes: usize, pools: u32, taint: f64, draws: &mut Draws) -> Self {
        let mut cluster = Self { capacities: vec![], hardware: vec![], zones: vec![], taints: vec![] };
        for node in 0..nodes {
            // The first four nodes are one of each kind, untainted, so that every pod has somewhere to go.
            let kind = if node < HARDWARE.len() { node } else { draws.below(4) as usize };
            let size = SIZES[draws.pick(&SIZE_WEIGHTS)];
            cluster.hardware.push(kind as u8);
            cluster.zones.push(draws.below(3) as u8);
            cluster.capacities.push(HARDWARE[kind].map(|amount| amount * size));
            let tainted = node >= HARDWARE.len() && draws.unit() < taint;
            cluster.taints.push(tainted.then(|| draws.below(pools) as u8));
        }
        cluster
    }
}

/// What the pods want, before their requests are scaled to the cluster.
struct Wishes {
    raw: Vec<[f64; RESOURCES]>,
    tolerations: Vec<u8>,
    affinities: Vec<Option<u8>>,
}

impl Wishes {
    fn draw(pods: usize, pools: u32, options: &GenerateOptions, draws: &mut Draws) -> Self {
        let tolerant = options.tol * if options.pools { 0.2 } else { 1.0 };
        let mut wishes = Self { raw: vec![], tolerations: vec![], affinities: vec![] };
        for _ in 0..pods {
            let shape = SHAPES[draws.pick(&SHAPE_WEIGHTS)];
            // Skewed towards small pods, in [0.5, 2).
            let size = 0.5 + 1.5 * draws.unit() * draws.unit();
            wishes.raw.push(shape.map(|amount| amount * size * (0.8 + 0.4 * draws.unit())));
            let toleration = if draws.unit() < tolerant { 1 << draws.below(pools) } else { 0 };
            wishes.tolerations.push(toleration);
            wishes.affinities.push((draws.unit() < options.aff).then(|| draws.below(4) as u8));
        }
        wishes
    }

    /// Requests such that each resource's total is `fill` of its total capacity, up to rounding; never below 1.
    fn scaled(&self, fill: f64, capacities: &[Amounts]) -> Vec<Amounts> {
        let scale: [f64; RESOURCES] = std::array::from_fn(|r| {
            let capacity: i64 = capacities.iter().map(|amounts| amounts[r]).sum();
            fill * capacity as f64 / self.raw.iter().map(|amounts| amounts[r]).sum::<f64>()
        });
        let request =
            |raw: &[f64; RESOURCES]| std::array::from_fn(|r| (raw[r] * scale[r]).round_ties_even().max(1.0) as i64);
        self.raw.iter().map(request).collect()
    }
}

/// The validation dictionary: allowed rows, pods with equal rows sharing one list.
struct Dictionary {
    class_by_pod: Vec<u32>,
    allowed_by_class: Vec<Vec<u32>>,
}

impl Dictionary {
    /// Compiles the dictionary. If a pod has no row at all, its required hardware is dropped, so that the next attempt
    /// may succeed, and there is no dictionary this time.
    fn compile(requests: &[Amounts], wishes: &mut Wishes, cluster: &Cluster) -> Option<Self> {
        let mut class_by_rows = BTreeMap::new();
        let mut class_by_pod = Vec::with_capacity(requests.len());
        let mut complete = true;
        for (pod, request) in requests.iter().enumerate() {
            let rows = cluster.rows_for(request, wishes.tolerations[pod], wishes.affinities[pod]);
            if rows.is_empty() {
                wishes.affinities[pod] = None;
                complete = false;
            }
            let next = class_by_rows.len() as u32;
            class_by_pod.push(*class_by_rows.entry(rows).or_insert(next));
        }
        let mut allowed_by_class = vec![vec![]; class_by_rows.len()];
        for (rows, class) in class_by_rows {
            allowed_by_class[class as usize] = rows;
        }
        complete.then_some(Self { class_by_pod, allowed_by_class })
    }

    fn allowed(&self, pod: usize) -> &[u32] {
        &self.allowed_by_class[self.class_by_pod[pod] as usize]
    }
}

impl Cluster {
    fn rows_for(&self, request: &Amounts, tolerations: u8, affinity: Option<u8>) -> Vec<u32> {
        let allowed = |row: usize| {
            self.taints[row].is_none_or(|taint| tolerations >> taint & 1 == 1)
                && affinity.is_none_or(|kind| kind == self.hardware[row])
                && fits(request, &self.capacities[row])
        };
        (0..self.capacities.len()).filter(|&row| allowed(row)).map(|row| row as u32).collect()
    }
}

/// Best fit, most constrained and largest pods first; `None` if a pod finds no room.
fn assign(requests: &[Amounts], dictionary: &Dictionary, capacities: &[Amounts]) -> Option<Vec<u32>> {
    let mut free = capacities.to_vec();
    let mut hidden = vec![0; requests.len()];
    for pod in constrained_first(requests, dictionary, capacities) {
        let request = &requests[pod];
        let mut best: Option<(u32, f64)> = None;
        for &row in dictionary.allowed(pod) {
            let (free, capacity) = (&free[row as usize], &capacities[row as usize]);
            if !fits(request, free) {
                continue;
            }
            let spare =
                (0..RESOURCES).map(|r| (free[r] - request[r]) as f64 / capacity[r] as f64).fold(f64::MAX, f64::min);
            if best.is_none_or(|(_, most)| spare > most) {
                best = Some((row, spare));
            }
        }
        let (row, _) = best?;
        add(&mut free[row as usize], &request.map(|amount| -amount));
        hidden[pod] = row;
    }
    Some(hidden)
}

/// Pods by the number of their rows, then by decreasing size in units of the mean node.
fn constrained_first(requests: &[Amounts], dictionary: &Dictionary, capacities: &[Amounts]) -> Vec<usize> {
    let mean: [f64; RESOURCES] = std::array::from_fn(|r| {
        capacities.iter().map(|amounts| amounts[r]).sum::<i64>() as f64 / capacities.len() as f64
    });
    let size = |pod: &usize| (0..RESOURCES).map(|r| requests[*pod][r] as f64 / mean[r]).sum::<f64>();
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by(|a, b| {
        dictionary.allowed(*a).len().cmp(&dictionary.allowed(*b).len()).then(size(b).total_cmp(&size(a)))
    });
    order
}

#[cfg(test)]
mod tests;
