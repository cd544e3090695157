//! The control plane alone, without Gantry: the harness works, nodes and pods live, and what kube-scheduler reaches by
//! itself.

use std::time::{Duration, Instant};

use anyhow::Result;
use gantry_tests::placement::Assignment;
use gantry_tests::poll::until;
use gantry_tests::scheduler::SchedulerSettings;
use gantry_tests::trial::{Outcome, compare};
use gantry_tests::workload::Workload;
use gantry_tests::{ControlPlane, Scheduler};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams};

#[tokio::test(flavor = "multi_thread")]
async fn kube_scheduler_alone_binds_every_pod_that_can_be_bound() {
    let started = Instant::now();
    let plane = ControlPlane::start().await.unwrap();
    let workload = Workload::generated(300, 50, 1).with_groups();
    workload.create_nodes(&plane.client()).await.unwrap();
    let scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let healthy = started.elapsed();

    workload.create_pods(&plane.client(), 0..300).await.unwrap();
    let assignment = Assignment::settled(&plane.client(), &workload, Duration::from_mins(2)).await.unwrap();

    assert_eq!(assignment.violations(&workload), Vec::<String>::new());
    let outcome = Outcome::of(&assignment, &workload);
    assert!((5.0..25.0).contains(&outcome.sigma), "σ {} is not what kube-scheduler reaches", outcome.sigma);
    let time = scheduler.scheduling_time().await.unwrap();
    assert!(time.count >= 300.0 && time.mean > Duration::ZERO, "{time:?}");
    let title = format!("300 pods on 50 nodes, alone: healthy after {healthy:.1?}, {:.2?} a decision", time.mean);
    compare(&title, &[("default", &[outcome])]);

    all_run(&plane, 300).await.unwrap();
    let pods = Api::<Pod>::default_namespaced(plane.client());
    pods.delete("pod-00000", &DeleteParams::default()).await.unwrap();
    all_run(&plane, 299).await.unwrap();
    plane.clear().await.unwrap();
}

/// Waits until there are so many pods, and all of them run: kwok plays the kubelets.
async fn all_run(plane: &ControlPlane, count: usize) -> Result<()> {
    let pods = Api::<Pod>::default_namespaced(plane.client());
    until("the kubelets to do as they are told", Duration::from_mins(1), async || {
        let phases = pods.list(&ListParams::default()).await?.items.into_iter().map(|pod| pod.status?.phase);
        let phases: Vec<_> = phases.collect();
        Ok((phases.len() == count && phases.iter().all(|phase| phase.as_deref() == Some("Running"))).then_some(()))
    })
    .await
}
