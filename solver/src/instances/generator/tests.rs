//! The generator against the published values and samples.

use serde_json::Value;

use super::*;

fn sum(rows: &[Amounts]) -> i64 {
    rows.iter().flatten().sum()
}

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

fn amounts(value: &Value) -> Vec<Amounts> {
    value.as_array().unwrap().iter().map(|row| numbers(row).try_into().unwrap()).collect()
}

/// -1 stands for nothing in the samples.
fn signed(values: &[Option<u8>]) -> Vec<i64> {
    values.iter().map(|value| value.map_or(-1, i64::from)).collect()
}

fn assert_equals_sample(instance: &Instance, text: &str) {
    let sample: Value = serde_json::from_str(text).unwrap();
    assert_eq!(instance.capacities, amounts(&sample["cap"]));
    assert_eq!(instance.requests, amounts(&sample["req"]));
    assert_eq!(signed(&instance.taint_by_node), numbers(&sample["taint"]));
    assert_eq!(signed(&instance.affinity_by_pod), numbers(&sample["aff"]));
    let widened = |values: &[u8]| values.iter().map(|&v| i64::from(v)).collect::<Vec<_>>();
    assert_eq!(widened(&instance.hardware_by_node), numbers(&sample["cls"]));
    assert_eq!(widened(&instance.zone_by_node), numbers(&sample["zone"]));
    assert_eq!(widened(&instance.tolerations_by_pod), numbers(&sample["tol"]));
    for (pod, allowed) in sample["allowed"].as_array().unwrap().iter().enumerate() {
        let rows: Vec<i64> = instance.allowed(pod).iter().map(|&row| i64::from(row)).collect();
        assert_eq!(rows, numbers(allowed), "allowed rows of pod {pod}");
    }
    let hidden: Vec<i64> = instance.hidden.iter().map(|&row| i64::from(row)).collect();
    assert_eq!(hidden, numbers(&sample["hidden"]));
    assert!((instance.fill - sample["fill"].as_f64().unwrap()).abs() < 1e-4);
}

#[test]
fn twenty_pods_on_five_nodes_have_the_published_values() {
    let instance = generate(20, 5, 1, &GenerateOptions::default()).unwrap();
    assert_eq!(instance.capacities[0], [8_000, 32_768, 500, 2_000]);
    assert_eq!(instance.requests[0], [706, 2_270, 41, 111]);
    assert_eq!(instance.allowed(0), [0, 1, 2, 3, 4]);
    assert_eq!((sum(&instance.requests), sum(&instance.capacities)), (356_426, 712_856));
}

#[test]
fn a_hundred_pods_on_ten_nodes_have_the_published_values() {
    let instance = generate(100, 10, 1, &GenerateOptions::default()).unwrap();
    assert_eq!(instance.requests[0], [527, 1_522, 45, 145]);
    assert_eq!((sum(&instance.requests), sum(&instance.capacities)), (574_122, 1_148_236));
}

#[test]
fn the_published_samples_come_out_value_by_value() {
    let pools = GenerateOptions { pools: true, ..GenerateOptions::default() };
    let plain = GenerateOptions::default();
    let samples = [
        (20, 5, plain, include_str!("../../../tests/fixtures/placement_20x5_s1_pools0.json")),
        (100, 10, plain, include_str!("../../../tests/fixtures/placement_100x10_s1_pools0.json")),
        (100, 10, pools, include_str!("../../../tests/fixtures/placement_100x10_s1_pools1.json")),
    ];
    for (pods, nodes, options, text) in samples {
        assert_equals_sample(&generate(pods, nodes, 1, &options).unwrap(), text);
    }
}

#[test]
fn the_hidden_assignment_proves_that_all_pods_can_be_placed() {
    for seed in 1..20 {
        let instance = generate(60, 12, seed, &GenerateOptions { fill: 0.6, ..GenerateOptions::default() }).unwrap();
        assert!(instance.is_feasible(&instance.hidden), "seed {seed}");
    }
}

#[test]
fn an_instance_without_pods_or_without_nodes_is_refused() {
    let options = GenerateOptions::default();
    assert_eq!(generate(0, 5, 1, &options), Err(GenerateError::Empty { pods: 0, nodes: 5 }));
    assert_eq!(generate(5, 0, 1, &options), Err(GenerateError::Empty { pods: 5, nodes: 0 }));
}

#[test]
fn a_fill_beyond_capacity_is_infeasible_and_says_so() {
    let options = GenerateOptions { fill: 3.0, ..GenerateOptions::default() };
    assert!(matches!(generate(20, 5, 1, &options), Err(GenerateError::Infeasible { .. })));
}
