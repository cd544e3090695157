//! Five bursts one after another on the same nodes: what is bound stays where it is, and no plan knows the next burst.

use anyhow::Result;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::trial::{Outcome, compare, mean_sigma, place_in_bursts, seeds, unplaced};
use gantry_tests::workload::Workload;
use gantry_tests::{ControlPlane, Scheduler};
use serde_json::json;

use super::{assert_at_most, assert_legal, extender, workloads};

const BURSTS: usize = 5;

async fn alone(plane: &ControlPlane, settings: &SchedulerSettings, workloads: &[Workload]) -> Result<Vec<Outcome>> {
    let scheduler = Scheduler::start(plane, settings).await?;
    let mut outcomes = Vec::new();
    for workload in workloads {
        outcomes.push(place_in_bursts(plane, &scheduler, workload, BURSTS).await?);
    }
    Ok(outcomes)
}

async fn nominate(plane: &ControlPlane, workloads: &[Workload]) -> Result<Vec<Outcome>> {
    let _extender = extender(plane, json!({"nominate": true}), workloads).await?;
    let gated: Vec<Workload> = workloads.iter().cloned().map(Workload::gated).collect();
    alone(plane, &SchedulerSettings::default(), &gated).await
}

async fn follow(plane: &ControlPlane, workloads: &[Workload]) -> Result<Vec<Outcome>> {
    let extender = extender(plane, json!({"mode": "follow"}), workloads).await?;
    alone(plane, &SchedulerSettings::with_extender(ExtenderStanza::new(extender.url())), workloads).await
}

#[tokio::test(flavor = "multi_thread")]
async fn five_planned_bursts_leave_at_most_two_thirds_of_the_imbalance() {
    let plane = ControlPlane::start().await.unwrap();
    let workloads = workloads(Workload::generated, (300, 50), seeds(3));
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let follow = follow(&plane, &workloads).await.unwrap();
    let nominate = nominate(&plane, &workloads).await.unwrap();
    compare(
        "300 pods on 50 nodes in five bursts",
        &[("default", &default), ("Gantry, follow, scheduled as they come", &follow), ("Gantry, nominate", &nominate)],
    );
    assert_legal(&nominate);
    assert_at_most(2.0 / 3.0, mean_sigma(&nominate), mean_sigma(&default));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_planned_bursts_on_tight_nodes_strand_at_most_half_as_many_pods() {
    let plane = ControlPlane::start().await.unwrap();
    let workloads = workloads(Workload::tight, (300, 50), seeds(2));
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let nominate = nominate(&plane, &workloads).await.unwrap();
    compare("300 pods on 50 tight nodes in five bursts", &[("default", &default), ("Gantry, nominate", &nominate)]);
    assert_legal(&nominate);
    assert!(unplaced(&default) > 0, "the instances are not tight");
    assert!(2 * unplaced(&nominate) <= unplaced(&default), "{} of {}", unplaced(&nominate), unplaced(&default));
}
