//! Five bursts one after another on the same nodes: what is bound stays where it is, and no plan knows the next burst.

use anyhow::Result;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::trial::{Outcome, compare, mean_sigma, seeds, unplaced};
use gantry_tests::workload::{Workload, pod_name};
use gantry_tests::{ControlPlane, Extender};
use serde_json::json;

use super::{
    are_explained, assert_at_most, assert_legal, every_pod_has_landed, extender, in_bursts, k4_of_tables,
    pod_by_pod_of_tables, workloads,
};

const BURSTS: usize = 5;

async fn alone(plane: &ControlPlane, settings: &SchedulerSettings, workloads: &[Workload]) -> Result<Vec<Outcome>> {
    in_bursts(plane, settings, workloads, BURSTS).await
}

async fn nominate(plane: &ControlPlane, workloads: &[Workload]) -> Result<Vec<Outcome>> {
    let _extender = extender(plane, json!({"nominate": true}), workloads).await?;
    let gated: Vec<Workload> = workloads.iter().cloned().map(Workload::gated).collect();
    alone(plane, &SchedulerSettings::default(), &gated).await
}

async fn follow(plane: &ControlPlane, workloads: &[Workload]) -> Result<Vec<Outcome>> {
    let extender = extender(plane, json!({"mode": "follow"}), workloads).await?;
    let settings = SchedulerSettings::with_extender(ExtenderStanza::new(extender.url()));
    let outcomes = alone(plane, &settings, workloads).await?;
    the_last_are_explained(&extender, workloads).await?;
    Ok(outcomes)
}

/// The pods of the last workload are still there, those of its first burst among them.
async fn the_last_are_explained(extender: &Extender, workloads: &[Workload]) -> Result<()> {
    every_pod_has_landed(extender).await?;
    are_explained(extender, (0..workloads.last().map_or(0, Workload::pods)).map(pod_name)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn five_planned_bursts_leave_at_most_two_thirds_of_the_imbalance() {
    let plane = ControlPlane::start().await.unwrap();
    let workloads = workloads(Workload::generated, (300, 50), seeds(2));
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let follow = follow(&plane, &workloads).await.unwrap();
    let nominate = nominate(&plane, &workloads).await.unwrap();
    let best_alone = k4_of_tables(&plane, &workloads, BURSTS).await.unwrap();
    let pod_by_pod = pod_by_pod_of_tables(&plane, &workloads, BURSTS).await.unwrap();
    compare(
        "300 pods on 50 nodes in five bursts",
        &[
            ("default", &default),
            ("K4", &best_alone),
            ("Gantry, pod by pod", &pod_by_pod),
            ("Gantry, follow, scheduled as they come", &follow),
            ("Gantry, nominate", &nominate),
        ],
    );
    assert_legal(&follow);
    assert_legal(&nominate);
    // Pods that are scheduled as they come leave plans little to do: .62 of the default is usual, .68 pod by pod.
    assert_at_most(0.85, mean_sigma(&follow), mean_sigma(&default));
    assert_at_most(2.0 / 3.0, mean_sigma(&nominate), mean_sigma(&default));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_planned_bursts_on_tight_nodes_strand_at_most_half_as_many_pods() {
    let plane = ControlPlane::start().await.unwrap();
    let workloads = workloads(Workload::tight, (300, 50), seeds(2));
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let nominate = nominate(&plane, &workloads).await.unwrap();
    let best_alone = k4_of_tables(&plane, &workloads, BURSTS).await.unwrap();
    let pod_by_pod = pod_by_pod_of_tables(&plane, &workloads, BURSTS).await.unwrap();
    compare(
        "300 pods on 50 tight nodes in five bursts",
        &[
            ("default", &default),
            ("K4", &best_alone),
            ("Gantry, pod by pod", &pod_by_pod),
            ("Gantry, nominate", &nominate),
        ],
    );
    assert_legal(&nominate);
    assert!(unplaced(&default) > 0, "the instances are not tight");
    assert!(2 * unplaced(&nominate) <= unplaced(&default), "{} of {}", unplaced(&nominate), unplaced(&default));
}
