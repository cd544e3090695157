//! A recorded cluster: nodes and pods of the openb trace, scaled to a hundred nodes.

use gantry_tests::ControlPlane;
use gantry_tests::scheduler::SchedulerSettings;
use gantry_tests::trial::{compare, mean_sigma, mean_sigma_of_resources, seeds, unplaced};
use gantry_tests::workload::Workload;

use super::{alone, assert_at_most, assert_legal, nominate, pod_by_pod_of_tables};

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_burst_is_placed_more_evenly_and_whole() {
    let plane = ControlPlane::start().await.unwrap();
    // The trace is always the same; kube-scheduler's ties are not.
    let workloads: Vec<_> = seeds(1).map(|_| Workload::recorded(400, 100)).collect();
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let best_alone = alone(&plane, &SchedulerSettings::k4(workloads[0].resources), &workloads).await.unwrap();
    let (nominate, kept) = nominate(&plane, &workloads).await.unwrap();
    let pod_by_pod = pod_by_pod_of_tables(&plane, &workloads, 1).await.unwrap();
    compare(
        &format!("The openb trace, 400 of its pods on 100 of its nodes, one burst; adherence: nominate {kept:.4}"),
        &[
            ("default", &default),
            ("K4", &best_alone),
            ("Gantry, pod by pod", &pod_by_pod),
            ("Gantry, nominate", &nominate),
        ],
    );
    assert_legal(&nominate);
    assert!(kept >= 0.995, "adherence {kept}");
    assert!(unplaced(&nominate) <= unplaced(&default).min(unplaced(&best_alone)));
    assert_at_most(1.0, mean_sigma(&nominate), mean_sigma(&best_alone));
    assert_at_most(1.0, mean_sigma_of_resources(&nominate), mean_sigma_of_resources(&best_alone));
}
