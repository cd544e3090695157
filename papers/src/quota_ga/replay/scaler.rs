//! Who decides on replicas and quotas: the reactive scaler, and forecasts with the genetic algorithm.
//!
//! Promises: a scaler sees what a cluster's metrics show, every 15 s, and nothing of the load to come. Must not know: how
//! the load is made.

use gantry_solver::budget::Budget;
use gantry_solver::observer::Unobserved;
use gantry_solver::problems::quota_tuning::{Amounts, NodeLimits, QuotaObjective, QuotaRange, QuotaTuning};
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::quota_ga::QuotaGa;

use super::load::SERVICES;
use super::{NODE, NODES, NOMINAL};
use crate::baselines::threshold::{Stabiliser, Threshold};
use crate::baselines::trend::Trend;

/// Fewest replicas of a service.
pub const LEAST_REPLICAS: usize = 2;

/// \[P\] Ten steps of one minute are looked at, for the next five; in looks of 15 s.
const WINDOW: usize = 40;
const HORIZON: usize = 20;

/// The part of past errors that the head-room covers.
const QUANTILE: f64 = 0.9;

/// One number a service.
pub type PerService<T> = [T; SERVICES.len()];

/// What the metrics of the last 15 s show of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Its pods, starting ones included.
    pub replicas: usize,
    /// Cores in use, of all its pods.
    pub cores: f64,
    /// The sum of its pods' cpu quotas.
    pub quota: f64,
    /// GiB in use, of the pod that uses most.
    pub memory: f64,
}

/// What a scaler sees of a pod when it sets quotas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodView {
    /// Its service.
    pub service: usize,
    /// Its node.
    pub node: usize,
    /// Whether it serves.
    pub ready: bool,
    /// Its quota so far.
    pub quota: Amounts,
}

/// Decides every 15 s.
pub trait Scaler {
    /// How many pods each service shall have.
    fn replicas(&mut self, seen: &PerService<Seen>) -> PerService<usize>;

    /// The quotas of the pods that there are now, new ones included, in their order.
    fn quotas(&mut self, pods: &[PodView]) -> Vec<Amounts>;
}

/// Replicas by threshold; quotas stay as deployed.
#[derive(Clone, Debug)]
pub struct Reactive(PerService<Threshold>);

impl Reactive {
    /// All services with one target utilisation; the horizontal pod autoscaler's default is 0.8.
    #[must_use]
    pub fn new(target: f64) -> Self {
        Self(std::array::from_fn(|_| Threshold::new(target, LEAST_REPLICAS)))
    }
}

impl Scaler for Reactive {
    fn replicas(&mut self, seen: &PerService<Seen>) -> PerService<usize> {
        std::array::from_fn(|s| self.0[s].replicas(seen[s].replicas, seen[s].cores / seen[s].quota))
    }

    fn quotas(&mut self, pods: &[PodView]) -> Vec<Amounts> {
        pods.iter().map(|pod| pod.quota).collect()
    }
}

/// What the use of the next minutes is taken to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foresight {
    /// The forecast of [`Trend`].
    Forecast,
    /// What was last seen.
    LastSeen,
}

/// How quotas follow from the use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuner {
    /// The source's genetic algorithm, started anew each time.
    Genetic,
    /// The optimum in closed form: the use over `u*`.
    Division,
}

/// Replicas and quotas from what will be used.
#[derive(Clone, Debug)]
pub struct Predictive {
    foresight: Foresight,
    tuner: Tuner,
    objective: QuotaObjective,
    cores: PerService<Trend>,
    memory: PerService<Trend>,
    stabilisers: PerService<Stabiliser>,
    /// Cores of each service and GiB of its largest pod, as they will be.
    ahead: PerService<Amounts>,
    rng: Rng,
}

impl Predictive {
    /// A scaler with its own random stream.
    #[must_use]
    pub fn new(foresight: Foresight, tuner: Tuner, objective: QuotaObjective, seed: u64) -> Self {
        let trends = || std::array::from_fn(|_| Trend::new(WINDOW, HORIZON, QUANTILE));
        Self {
            foresight,
            tuner,
            objective,
            cores: trends(),
            memory: trends(),
            stabilisers: std::array::from_fn(|_| Stabiliser::default()),
            ahead: [[0.0; 2]; SERVICES.len()],
            rng: Rng::stream(seed, 1),
        }
    }

    fn look_ahead(&mut self, seen: &PerService<Seen>) {
        for (s, seen) in seen.iter().enumerate() {
            let forecast = [self.cores[s].observe(seen.cores), self.memory[s].observe(seen.memory)];
            let ahead = if self.foresight == Foresight::Forecast { forecast } else { [seen.cores, seen.memory] };
            // Nothing in use is no quota of nothing.
            self.ahead[s] = ahead.map(|amount| amount.max(0.01));
        }
        // More than the cluster has is shared out evenly.
        let wanted: f64 = self.ahead.iter().map(|ahead| ahead[0] / self.peak()).sum();
        let share = (NODES as f64 * NODE[0] / wanted).min(1.0);
        self.ahead.iter_mut().for_each(|ahead| ahead[0] *= share);
    }

    fn peak(&self) -> f64 {
        self.objective.peak(0)
    }

    /// What each pod will use: ready ones share the load of their service evenly.
    fn used(&self, pods: &[PodView]) -> Vec<Amounts> {
        let serving = |s: usize| pods.iter().filter(|pod| pod.service == s && pod.ready).count().max(1);
        let serving: PerService<usize> = std::array::from_fn(serving);
        pods.iter()
            .map(|pod| [self.ahead[pod.service][0] / serving[pod.service] as f64, self.ahead[pod.service][1]])
            .collect()
    }

    fn tune(&mut self, used: &[Amounts], pods: &[PodView]) -> Vec<Amounts> {
        let node_by_pod: Vec<u32> = pods.iter().map(|pod| pod.node as u32).collect();
        let nodes = NodeLimits { capacities: &[NODE; NODES], node_by_pod: &node_by_pod };
        let problem = QuotaTuning::new(used, QuotaRange::default(), self.objective)
            .and_then(|problem| problem.with_nodes(&nodes))
            .expect("invariant: forecasts are above 0 and no larger than the cluster");
        let found = QuotaGa::default()
            .solve(&problem, &[], Budget::evaluations(u64::MAX), &mut self.rng, &mut Unobserved)
            .expect("invariant: the default parameters are in range");
        problem.quotas(&found.best.genome)
    }
}

impl Scaler for Predictive {
    /// The fewest pods of the deployed size that hold what will be used at the utilisation `u*`.
    fn replicas(&mut self, seen: &PerService<Seen>) -> PerService<usize> {
        self.look_ahead(seen);
        let one = NOMINAL[0] * self.peak();
        std::array::from_fn(|s| {
            let wanted = (self.ahead[s][0] / one).ceil() as usize;
            self.stabilisers[s].stabilise(wanted.max(LEAST_REPLICAS))
        })
    }

    fn quotas(&mut self, pods: &[PodView]) -> Vec<Amounts> {
        let used = self.used(pods);
        match self.tuner {
            Tuner::Genetic => self.tune(&used, pods),
            Tuner::Division => {
                let peaks = [self.objective.peak(0), self.objective.peak(1)];
                used.iter().map(|used| std::array::from_fn(|r| used[r] / peaks[r])).collect()
            }
        }
    }
}
