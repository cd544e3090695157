//! Every search that the settings can name plans a gated burst on a real kube-scheduler, in the sandbox.

use std::time::Duration;

use gantry_tests::extender::ExtenderSettings;
use gantry_tests::poll::until;
use gantry_tests::scheduler::SchedulerSettings;
use gantry_tests::trial::{compare, place};
use gantry_tests::workload::Workload;
use gantry_tests::{ControlPlane, Extender, SEARCHES, Scheduler};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_lands_where_each_of_the_ten_searches_planned_it() {
    let plane = ControlPlane::start().await.unwrap();
    let scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    // Half full, the searches that only punish overflow leave a pod without a node in half of the runs.
    let workload = Workload::sparse(30, 8, 1).gated();
    let mut outcomes = Vec::new();
    for search in SEARCHES {
        let settings = ExtenderSettings {
            settings: json!({ "search": search }),
            plan: json!({ "nominate": true, "evaluations": 20_000, "window": "1s" }),
            ..ExtenderSettings::default()
        };
        plane.clear().await.unwrap();
        let extender = Extender::start(&plane, &settings).await.unwrap();
        let outcome = place(&plane, &scheduler, &workload).await.unwrap();
        assert_eq!(outcome.violations, Vec::<String>::new(), "{search}");
        assert_eq!(outcome.unplaced, 0, "{search}");
        let landed = async || Ok((extender.landings("planned").await? == workload.pods() as f64).then_some(()));
        until(&format!("every pod to be where {search} planned it"), LIMIT, landed).await.unwrap();
        outcomes.push((search, vec![outcome]));
    }
    let rows: Vec<_> = outcomes.iter().map(|(search, outcome)| (*search, outcome.as_slice())).collect();
    compare("30 gated pods on 8 nodes, planned with 20,000 evaluations", &rows);
}
