//! A replay of load tests: users, queues, pods on four nodes, and a scaler that looks every 15 s.
//!
//! Promises: the same load, scaler and seed give the same figures; the load is the same for every scaler, except that
//! users who wait call less often. Must not know: which scaler it runs.
//!
//! Every user thinks, calls one service, and waits for the answer (a closed loop, as load testers run it). A call goes to
//! one of the service's ready pods at random; a pod is a first-come queue with exponential work, served at the speed of
//! its cpu quota: M/M/1 as long as nothing changes, whose mean answer takes as long as under processor sharing. Pods
//! take 30 s to start; quotas change in place; memory follows the work, and a pod beyond its memory quota is killed. No
//! node gives more quota than it has. Kept simple: an answer that is under way keeps its time when a quota changes, and
//! a pod that is removed ends its calls outside the count.

pub mod load;
mod pod;
mod record;
pub mod scaler;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use gantry_solver::problems::quota_tuning::{Amounts, RESOURCES};
use gantry_solver::rng::Rng;

pub use load::{Load, WARM_UP};
pub use record::{Measured, Moment};
pub use scaler::{Foresight, Predictive, Reactive, Scaler, Tuner};

use load::{SERVICES, THINK};
use pod::{Pod, START, peak_memory};
use record::Record;
use scaler::{LEAST_REPLICAS, PerService, PodView, Seen};

/// The source's cluster \[P\]: four nodes of 4 cores and 16 GB.
pub const NODES: usize = 4;
/// See [`NODES`].
pub const NODE: Amounts = [4.0, 16.0];

/// The quota that pods are deployed with \[I\]: half a core, and what a pod at that limit needs of memory with the 15 %
/// on top that a vertical autoscaler recommends.
pub const NOMINAL: Amounts = [0.5, 1.15 * peak_memory(0.5)];

/// Seconds between two looks of a scaler.
const LOOK: u32 = 15;

/// Replays a load.
pub fn replay(load: Load, scaler: &mut dyn Scaler, seed: u64) -> Measured {
    let mut cluster = Cluster::new(load, seed);
    for second in 0..load.seconds() {
        cluster.admit(second);
        cluster.answer_until(f64::from(second + 1));
        cluster.end_second(second);
        if (second + 1) % LOOK == 0 {
            cluster.scale(scaler);
        }
    }
    cluster.record.measured()
}

/// Everything that is simulated.
struct Cluster {
    load: Load,
    rng: Rng,
    now: f64,
    pods: Vec<Pod>,
    /// The next call of every user who is there: microsecond, user.
    calls: BinaryHeap<Reverse<(u64, u32)>>,
    /// How many users there should be, and who is there.
    wanted: u32,
    present: Vec<bool>,
    record: Record,
}

impl Cluster {
    /// A cluster with the replicas that the first load needs at the default target, all ready.
    fn new(load: Load, seed: u64) -> Self {
        let mut cluster = Self {
            load,
            rng: Rng::new(seed),
            now: 0.0,
            pods: Vec::new(),
            calls: BinaryHeap::new(),
            wanted: 0,
            present: Vec::new(),
            record: Record::new(load.seconds()),
        };
        let calls = f64::from(load.users(0)) / THINK;
        let replicas = SERVICES.map(|service| {
            let cores = calls * service.share * service.cost;
            ((cores / (0.8 * NOMINAL[0])).ceil() as usize).max(LEAST_REPLICAS)
        });
        cluster.resize(replicas, 0.0);
        cluster
    }

    /// Lets users in until there are as many as the load wants; those in excess leave when they would call next.
    fn admit(&mut self, second: u32) {
        self.wanted = self.load.users(second);
        self.present.resize(self.present.len().max(self.wanted as usize), false);
        for user in 0..self.wanted {
            if !self.present[user as usize] {
                self.present[user as usize] = true;
                self.call_after(f64::from(second), user);
            }
        }
    }

    /// The user thinks, then calls.
    fn call_after(&mut self, time: f64, user: u32) {
        let at = time + THINK * exponential(&mut self.rng);
        self.calls.push(Reverse(((at * 1e6) as u64, user)));
    }

    fn answer_until(&mut self, end: f64) {
        while let Some(&Reverse((micros, user))) = self.calls.peek() {
            let time = micros as f64 / 1e6;
            if time >= end {
                break;
            }
            self.calls.pop();
            if user >= self.wanted {
                self.present[user as usize] = false;
                continue;
            }
            let response = self.answer(time);
            self.record.call(time, response);
            self.call_after(time + response, user);
        }
        self.now = end;
    }

    /// The seconds that a call takes.
    fn answer(&mut self, time: f64) -> f64 {
        let service = pick_service(&mut self.rng);
        let work = SERVICES[service].cost * exponential(&mut self.rng);
        let serves = |pod: &Pod| pod.service == service && pod.is_ready(time);
        let ready = self.pods.iter().filter(|pod| serves(pod)).count();
        let of_service = self.pods.iter_mut().filter(|pod| pod.service == service);
        // Without a ready pod the call waits for one that starts.
        let pod = match ready {
            0 => of_service.min_by(|a, b| a.ready_at.total_cmp(&b.ready_at)),
            _ => of_service.filter(|pod| pod.is_ready(time)).nth(self.rng.below(ready as u32) as usize),
        };
        pod.expect("invariant: a service has at least its least replicas").take(time, work)
    }

    fn end_second(&mut self, second: u32) {
        let (mut used, mut quota, mut killed) = ([0.0; RESOURCES], [0.0; RESOURCES], 0);
        for pod in &mut self.pods {
            used[0] += pod.end_second(self.now);
            used[1] += pod.memory();
            (0..RESOURCES).for_each(|r| quota[r] += pod.quota[r]);
            killed += usize::from(pod.is_killed(self.now));
        }
        self.record.second(second, used, quota, self.pods.len(), killed);
    }

    fn scale(&mut self, scaler: &mut dyn Scaler) {
        let replicas = scaler.replicas(&self.seen());
        self.resize(replicas, self.now + START);
        let view = |pod: &Pod| {
            let &Pod { service, node, quota, .. } = pod;
            PodView { service, node, quota, ready: pod.is_ready(self.now) }
        };
        let quotas = scaler.quotas(&self.pods.iter().map(view).collect::<Vec<_>>());
        self.pods.iter_mut().zip(quotas).for_each(|(pod, quota)| pod.quota = quota);
        self.keep_to_capacity();
    }

    fn seen(&mut self) -> PerService<Seen> {
        let mut seen = [Seen::default(); SERVICES.len()];
        for pod in &mut self.pods {
            let of = &mut seen[pod.service];
            of.replicas += 1;
            of.cores += std::mem::take(&mut pod.done_since_look) / f64::from(LOOK);
            of.quota += pod.quota[0];
            of.memory = of.memory.max(pod.memory());
        }
        seen
    }

    /// Removes the newest pods in excess; adds missing ones, one service after the other, as long as a node has room.
    fn resize(&mut self, replicas: PerService<usize>, ready_at: f64) {
        let mut kept = [0; SERVICES.len()];
        self.pods.retain(|pod| {
            kept[pod.service] += 1;
            kept[pod.service] <= replicas[pod.service]
        });
        let mut missing: PerService<usize> = std::array::from_fn(|s| replicas[s].saturating_sub(kept[s]));
        while missing.iter().any(|&missing| missing > 0) {
            for (service, missing) in missing.iter_mut().enumerate().filter(|(_, missing)| **missing > 0) {
                let Some(node) = self.roomiest_node() else { return };
                self.pods.push(Pod::new(service, node, NOMINAL, ready_at));
                *missing -= 1;
            }
        }
    }

    /// The node with most cpu to give, if a new pod fits there.
    fn roomiest_node(&self) -> Option<usize> {
        let room = |node: usize, resource: usize| NODE[resource] - self.given(node, resource);
        let fits = |&node: &usize| (0..RESOURCES).all(|r| room(node, r) >= NOMINAL[r] - 1e-9);
        (0..NODES).filter(fits).max_by(|&a, &b| room(a, 0).total_cmp(&room(b, 0)).then(b.cmp(&a)))
    }

    fn given(&self, node: usize, resource: usize) -> f64 {
        self.pods.iter().filter(|pod| pod.node == node).map(|pod| pod.quota[resource]).sum()
    }

    /// A node that is asked for more than it has gives every pod the same part of what it asks for.
    fn keep_to_capacity(&mut self) {
        for (node, resource) in (0..NODES).flat_map(|node| (0..RESOURCES).map(move |resource| (node, resource))) {
            let share = NODE[resource] / self.given(node, resource);
            if share < 1.0 {
                let pods = self.pods.iter_mut().filter(|pod| pod.node == node);
                pods.for_each(|pod| pod.quota[resource] *= share);
            }
        }
    }
}

fn pick_service(rng: &mut Rng) -> usize {
    let mut left = rng.unit();
    for (index, service) in SERVICES.iter().enumerate() {
        left -= service.share;
        if left < 0.0 {
            return index;
        }
    }
    SERVICES.len() - 1
}

/// Exponential with mean 1, by comparing uniform numbers only (von Neumann 1951), so that every machine draws the same.
fn exponential(rng: &mut Rng) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = rng.unit();
        let (mut last, mut falls) = (first, 1);
        loop {
            let next = rng.unit();
            if next >= last {
                break;
            }
            (last, falls) = (next, falls + 1);
        }
        if falls % 2 == 1 {
            return whole + first;
        }
        whole += 1.0;
    }
}

#[cfg(test)]
mod tests;
