//! The replay against theory: what a queue must show.

use super::*;

/// Leaves everything as it is.
struct Idle(PerService<usize>);

impl Scaler for Idle {
    fn replicas(&mut self, _seen: &PerService<Seen>) -> PerService<usize> {
        self.0
    }

    fn quotas(&mut self, pods: &[PodView]) -> Vec<Amounts> {
        pods.iter().map(|pod| pod.quota).collect()
    }
}

#[test]
fn exponential_numbers_have_mean_1_and_variance_1() {
    let mut rng = Rng::new(2);
    let drawn: Vec<f64> = (0..100_000).map(|_| exponential(&mut rng)).collect();
    let mean = drawn.iter().sum::<f64>() / 1e5;
    let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
    assert!((mean - 1.0).abs() < 0.02 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
}

/// With fixed replicas the services are M/M/1 queues: `1 / (μ - λ)` each.
#[test]
fn without_a_scaler_responses_are_those_of_queueing_theory() {
    let replicas = [4, 4, 4, 4];
    let measured = replay(Load::Low, &mut Idle(replicas), 1);
    // The load rises and falls evenly from 75 to 300 users: the mean of the theory over it, weighted with the calls.
    let (mut calls, mut time) = (0.0, 0.0);
    for second in WARM_UP..Load::Low.seconds() {
        let mut response = 0.05;
        for _ in 0..50 {
            let rate = f64::from(Load::Low.users(second)) / (THINK + response);
            let of_service = |s: usize| {
                let served = NOMINAL[0] / SERVICES[s].cost;
                SERVICES[s].share / (served - rate * SERVICES[s].share / replicas[s] as f64)
            };
            response = (0..SERVICES.len()).map(of_service).sum();
        }
        let rate = f64::from(Load::Low.users(second)) / (THINK + response);
        (calls, time) = (calls + rate, time + rate * response);
    }
    let expected = 1e3 * time / calls;
    assert!((measured.response / expected - 1.0).abs() < 0.05, "{} {expected}", measured.response);
    assert!((measured.throughput / (calls / 1_200.0) - 1.0).abs() < 0.02, "{}", measured.throughput);
}

#[test]
fn no_node_ever_gives_more_than_it_has() {
    struct Greedy;
    impl Scaler for Greedy {
        fn replicas(&mut self, _seen: &PerService<Seen>) -> PerService<usize> {
            [50; SERVICES.len()]
        }
        fn quotas(&mut self, pods: &[PodView]) -> Vec<Amounts> {
            pods.iter().map(|_| [3.0, 9.0]).collect()
        }
    }
    let mut cluster = Cluster::new(Load::Low, 1);
    for _ in 0..5 {
        cluster.scale(&mut Greedy);
        assert!((0..NODES).all(|node| (0..RESOURCES).all(|r| cluster.given(node, r) <= NODE[r] + 1e-9)));
    }
    assert!(cluster.pods.len() <= 32, "{} pods of half a core", cluster.pods.len());
}

#[test]
fn the_same_seed_replays_the_same() {
    let run = |seed| replay(Load::Burst, &mut Reactive::new(0.8), seed);
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).response, run(2).response);
}
