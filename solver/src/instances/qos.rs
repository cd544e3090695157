//! Instances of service composition: services, replicas and their network.
//!
//! Promises: the same arguments give the same draws on every machine; what is computed from them is the same but for
//! the last bit of logarithms and exponentials. Must not know: the solvers.

use super::draws::Draws;
use crate::problems::qos_composition::attributes::{Replica, quality};
use crate::problems::qos_composition::{Bound, Edge, QosComposition, QosError};

/// Weight of an attribute: all four count alike.
const WEIGHTS: [f64; 4] = [0.25; 4];

/// What the ways between hosts may count beside the attributes, which count 1 altogether.
const WAYS: f64 = 0.5;

/// Services with their replicas.
#[derive(Clone, Debug, PartialEq)]
pub struct Services {
    /// What the replicas of each service offer.
    pub replicas: Vec<Vec<Replica>>,
    /// Where they run.
    pub host_by_replica: Vec<Vec<u32>>,
    /// How many hosts there are.
    pub hosts: u32,
    /// Latency between two hosts, 0 to 1, row-major; 0 on a host itself.
    pub latency: Vec<f64>,
}

/// Draws an instance: price `LogNormal(0, 0.5)`, time `LogNormal(0, 0.6)`, reliability `U[0.9, 1]`, availability
/// `U[0.85, 1]`; hosts are half as many as the replicas of a service, latencies `U[0, 1]` and the same both ways.
#[must_use]
pub fn generate(services: usize, replicas: usize, seed: u64) -> Services {
    let mut draws = Draws::new(seed);
    let hosts = (replicas as u32 / 2).max(1);
    let latency = draw_latencies(&mut draws, hosts as usize);
    let mut generated = Services { replicas: Vec::new(), host_by_replica: Vec::new(), hosts, latency };
    for _ in 0..services {
        generated.replicas.push((0..replicas).map(|_| draw_replica(&mut draws)).collect());
        generated.host_by_replica.push((0..replicas).map(|_| draws.below(hosts)).collect());
    }
    generated
}

fn draw_latencies(draws: &mut Draws, hosts: usize) -> Vec<f64> {
    let mut latency = vec![0.0; hosts * hosts];
    for one in 0..hosts {
        for other in 0..one {
            let drawn = draws.unit();
            (latency[one * hosts + other], latency[other * hosts + one]) = (drawn, drawn);
        }
    }
    latency
}

fn draw_replica(draws: &mut Draws) -> Replica {
    Replica {
        price: (0.5 * draw_normal(draws)).exp(),
        time: (0.6 * draw_normal(draws)).exp(),
        reliability: 0.9 + 0.1 * draws.unit(),
        availability: 0.85 + 0.15 * draws.unit(),
    }
}

/// Standard normal (Box, Muller 1958, doi:10.1214/aoms/1177706645).
fn draw_normal(draws: &mut Draws) -> f64 {
    let radius = (-2.0 * (1.0 - draws.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * draws.unit()).cos()
}

impl Services {
    /// The services as a chain.
    ///
    /// # Errors
    /// [`QosError`] for an instance that was changed so that its parts no longer fit together.
    pub fn chain(&self, bounds: &[Bound]) -> Result<QosComposition, QosError> {
        let pairs: Vec<(usize, usize)> = (1..self.replicas.len()).map(|service| (service - 1, service)).collect();
        self.graph(&pairs, bounds)
    }

    /// The services with these callers and called: an edge is worth `0.5 (1 - latency) / m`.
    ///
    /// # Errors
    /// As [`chain`](Self::chain), and if a pair does not lead to a later service.
    pub fn graph(&self, pairs: &[(usize, usize)], bounds: &[Bound]) -> Result<QosComposition, QosError> {
        let edges: Vec<Edge> = pairs.iter().map(|&(from, to)| self.edge(from, to)).collect();
        QosComposition::new(&quality(&self.replicas, WEIGHTS), &edges, bounds)
    }

    fn edge(&self, from: usize, to: usize) -> Edge {
        let hosts = |service: usize| self.host_by_replica.get(service).map_or(&[][..], Vec::as_slice);
        let worth = |one: u32, other: u32| {
            WAYS * (1.0 - self.latency[(one * self.hosts + other) as usize]) / self.replicas.len() as f64
        };
        let row = |&one: &u32| hosts(to).iter().map(move |&other| worth(one, other));
        Edge { from, to, quality: hosts(from).iter().flat_map(row).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    #[test]
    fn an_instance_is_within_the_ranges_of_its_draws_and_always_the_same() {
        let services = generate(30, 40, 1);
        let replicas: Vec<&Replica> = services.replicas.iter().flatten().collect();
        assert_eq!((replicas.len(), services.hosts), (1_200, 20));
        assert!(replicas.iter().all(|r| (0.9..1.0).contains(&r.reliability) && (0.85..1.0).contains(&r.availability)));
        let mean_log = |value: fn(&Replica) -> f64| replicas.iter().map(|r| value(r).ln()).sum::<f64>() / 1_200.0;
        assert!(mean_log(|r| r.price).abs() < 0.05 && mean_log(|r| r.time).abs() < 0.05);
        assert_eq!(services, generate(30, 40, 1));
        assert_ne!(services, generate(30, 40, 2));
    }

    #[test]
    fn a_chain_ties_each_service_to_the_one_before() {
        let problem = generate(5, 6, 1).chain(&[]).unwrap();
        let contexts: Vec<_> = (0..5).map(|service| problem.context(service)).collect();
        assert_eq!(contexts, [None, Some(0), Some(1), Some(2), Some(3)]);
        assert!(problem.edges().iter().flat_map(|edge| &edge.quality).all(|&w| (0.0..0.1 + 1e-9).contains(&w)));
    }

    #[test]
    fn a_pair_that_leads_backwards_is_refused() {
        let error = generate(3, 2, 1).graph(&[(2, 1)], &[]).unwrap_err();
        assert_eq!(error, QosError::EdgeOrder { from: 2, to: 1, services: 3 });
    }
}
