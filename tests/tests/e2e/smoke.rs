//! The control plane alone, without Gantry: the harness works, and what kube-scheduler reaches by itself.

use std::time::{Duration, Instant};

use gantry_tests::placement::Assignment;
use gantry_tests::scheduler::SchedulerSettings;
use gantry_tests::trial::{Outcome, compare};
use gantry_tests::workload::Workload;
use gantry_tests::{ControlPlane, Scheduler};

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

    plane.clear().await.unwrap();
}
