//! With Services, preferred affinities and `PreferNoSchedule` in the mix: kube-scheduler's own scores pull elsewhere.

use gantry_tests::ControlPlane;
use gantry_tests::scheduler::SchedulerSettings;
use gantry_tests::trial::{compare, mean_sigma, seeds, sigma_by_resource};
use gantry_tests::workload::{RESOURCES, Workload};

use super::{alone, assert_at_most, assert_legal, follow, nominate, pod_by_pod_of_tables, workloads};

/// What pods prefer, and what their Services would.
fn preferring(pods: usize, nodes: usize, seed: u64) -> Workload {
    Workload::generated(pods, nodes, seed).with_preferences()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_kept_to_where_pods_and_services_prefer_other_nodes() {
    let plane = ControlPlane::start().await.unwrap();
    let workloads = workloads(preferring, (300, 50), seeds(1));
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let best_alone = alone(&plane, &SchedulerSettings::k4(&RESOURCES), &workloads).await.unwrap();
    let (follow, followed) = follow(&plane, 0, &workloads).await.unwrap();
    let (nominate, kept) = nominate(&plane, &workloads).await.unwrap();
    let pod_by_pod = pod_by_pod_of_tables(&plane, &workloads, 1).await.unwrap();
    compare(
        &format!(
            "300 pods on 50 nodes with Services, preferred affinities and PreferNoSchedule; adherence: \
             follow (weight 13) {followed:.4}, nominate {kept:.4}"
        ),
        &[
            ("default", &default),
            ("K4", &best_alone),
            ("Gantry, pod by pod", &pod_by_pod),
            ("Gantry, follow, a queue", &follow),
            ("Gantry, nominate", &nominate),
        ],
    );
    for (ours, adherence) in [(&follow, followed), (&nominate, kept)] {
        assert_legal(ours);
        assert!(adherence >= 0.995, "adherence {adherence}");
        assert_at_most(1.0 / 3.1, mean_sigma(ours), mean_sigma(&default));
        assert_at_most(1.0, mean_sigma(ours), mean_sigma(&best_alone));
        for (ours, theirs) in sigma_by_resource(ours).into_iter().zip(sigma_by_resource(&best_alone)) {
            assert_at_most(1.0, ours, theirs);
        }
    }
}
