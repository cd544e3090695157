//! Two replicas on a real API server: one plans, the other follows; and plans alone once the first is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gantry_tests::extender::{ExtenderSettings, OWN_POD};
use gantry_tests::metrics;
use gantry_tests::poll::until;
use gantry_tests::workload::{create, node, pod};
use gantry_tests::{ControlPlane, Extender};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);
const NODES: [&str; 4] = ["node-0", "node-1", "node-2", "node-3"];
const PODS: usize = 12;

async fn replica(plane: &ControlPlane, pod: &str) -> Extender {
    let settings = ExtenderSettings { plan: json!({}), ..ExtenderSettings::default() };
    Extender::replica(plane, &settings, pod).await.unwrap()
}

/// Whom the Lease names.
async fn holder(client: &Client) -> Result<Option<String>> {
    let leases = Api::<Lease>::namespaced(client.clone(), "gantry-system");
    Ok(leases.get_opt("gantry-planner").await?.and_then(|lease| lease.spec?.holder_identity))
}

async fn lease_is_held_by(client: &Client, name: &str) -> Result<()> {
    until(&format!("{name} to hold the lease"), LIMIT, || async {
        Ok((holder(client).await?.as_deref() == Some(name)).then_some(()))
    })
    .await
}

fn waiting(name: &str) -> Pod {
    pod(name, &[1000, 4096, 50, 200])
}

async fn plans_made(extender: &Extender) -> Result<f64> {
    Ok(metrics::sum_of(&extender.metrics().await?, "gantry_plans_total", &[]))
}

async fn goes_by(extender: &Extender, source: &str) -> Result<bool> {
    Ok(metrics::sum_of(&extender.metrics().await?, "gantry_plan_source", &[("source", source)]) == 1.0)
}

/// The node of each pod in the plan that stands.
async fn planned(extender: &Extender) -> Result<BTreeMap<String, String>> {
    let plans: Value = serde_json::from_str(&extender.page("/plan").await?)?;
    let pods = plans[0]["pods"].as_array().context("a plan has pods")?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("planned pods have names and nodes");
    pods.iter().map(|entry| Ok((text(&entry["pod"])?, text(&entry["node"])?))).collect()
}

/// The node with the only score above 0.
async fn chosen(extender: &Extender, pod: &Pod) -> Result<String> {
    let scores = extender.ask("prioritize", pod, &NODES).await?;
    let scores = scores.as_array().context("a list of scores")?;
    let best: Vec<&Value> = scores.iter().filter(|entry| entry["Score"] != json!(0)).collect();
    anyhow::ensure!(best.len() == 1 && best[0]["Score"] == json!(10), "{scores:?}");
    best[0]["Host"].as_str().map(str::to_owned).context("a host's name")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_plans_the_other_follows_and_plans_alone_once_the_first_is_gone() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let mut leader = replica(&plane, OWN_POD).await;
    lease_is_held_by(&client, OWN_POD).await.unwrap();
    let follower = replica(&plane, "gantry-extender-1").await;
    until("the second replica to follow", LIMIT, || async { Ok(goes_by(&follower, "leader").await?.then_some(())) })
        .await
        .unwrap();
    assert!(goes_by(&leader, "own").await.unwrap());

    create(&Api::all(client.clone()), NODES.iter().map(|name| node(name, &[8000, 32768, 500, 2000]))).await.unwrap();
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    create(&pods, (0..PODS).map(|index| waiting(&format!("pod-{index}")))).await.unwrap();
    leader.wait_for_plan(PODS).await.unwrap();
    until("both to have the same plan", LIMIT, || async {
        follower.wait_for_plan(PODS).await?;
        Ok((planned(&leader).await? == planned(&follower).await?).then_some(()))
    })
    .await
    .unwrap();
    assert!(plans_made(&leader).await.unwrap() > 0.0);
    assert_eq!(plans_made(&follower).await.unwrap(), 0.0, "who follows makes no plan");
    let plan = planned(&leader).await.unwrap();
    for name in ["pod-0", "pod-7"] {
        let pod = pods.get(name).await.unwrap();
        for replica in [&leader, &follower] {
            assert_eq!(chosen(replica, &pod).await.unwrap(), plan[name], "{name}");
        }
    }

    leader.kill();
    create(&pods, std::iter::once(waiting("late"))).await.unwrap();
    until("the one that is left to plan the new pod", LIMIT, || async {
        Ok(planned(&follower).await?.contains_key("late").then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(holder(&client).await.unwrap().as_deref(), Some(OWN_POD), "it waits for no lease that falls free");
    assert!(goes_by(&follower, "own").await.unwrap());
    assert!(plans_made(&follower).await.unwrap() > 0.0);
}
