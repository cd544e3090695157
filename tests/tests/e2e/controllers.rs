//! Pods with owners: the controllers of a real kube-controller-manager make them from templates that carry the gate, and
//! make another where one is gone; Gantry plans and nominates them all.

use std::collections::BTreeMap;

use anyhow::Result;
use gantry_tests::poll::until;
use gantry_tests::scheduler::SchedulerSettings;
use gantry_tests::workload::{GATE, create, typed};
use gantry_tests::{ControlPlane, Controllers, Extender, Scheduler};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::nominations::{LIMIT, nominating, pods_of, quarter, roomy};

const NODES: [&str; 3] = ["one", "two", "three"];
const REPLICAS: usize = 4;
const COMPLETIONS: usize = 2;

/// A template of gated pods with the label `app`, as an admin without the admission policy writes it.
fn template(app: &str, restart: &str) -> Value {
    let mut spec = json!(quarter(app, &[GATE]).spec);
    spec["restartPolicy"] = json!(restart);
    json!({"metadata": {"labels": {"app": app}}, "spec": spec})
}

async fn create_owners(client: &Client) -> Result<()> {
    let deployment: Deployment = typed(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", "Always"),
        },
    }));
    let job: Job = typed(json!({
        "metadata": {"name": "batch"},
        "spec": {"parallelism": COMPLETIONS, "completions": COMPLETIONS, "template": template("batch", "Never")},
    }));
    create(&Api::default_namespaced(client.clone()), std::iter::once(deployment)).await?;
    create(&Api::default_namespaced(client.clone()), std::iter::once(job)).await
}

/// Waits until that many nominations in all have ended as nominated; none may have ended otherwise.
async fn kept(extender: &Extender, controllers: &Controllers, count: usize) {
    let ended = until("the nominations to be kept", LIMIT, || async {
        Ok((extender.nominations("kept").await? == count as f64).then_some(()))
    });
    ended.await.unwrap_or_else(|error| panic!("{error:#}\n{}", controllers.log_end(30)));
    assert_eq!(extender.nominations("fell-through").await.unwrap(), 0.0);
}

/// The pods that stay: bound, and not about to go.
async fn bound(client: &Client) -> Vec<Pod> {
    let pods = pods_of(client).list(&ListParams::default()).await.unwrap().items;
    let stays = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
    pods.into_iter()
        .filter(|pod| stays(pod) && pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()))
        .collect()
}

fn counted(words: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    words.for_each(|word| *count.entry(word).or_default() += 1);
    count
}

fn owner(pod: &Pod) -> String {
    pod.owner_references().iter().map(|owner| owner.kind.clone()).collect()
}

fn node(pod: &Pod) -> String {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_controllers_make_are_nominated_and_so_is_the_one_that_replaces_another() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    create(&Api::all(client.clone()), NODES.map(roomy).into_iter()).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    let controllers = Controllers::start(&plane).await.unwrap();

    create_owners(&client).await.unwrap();
    kept(&extender, &controllers, REPLICAS + COMPLETIONS).await;
    let pods = bound(&client).await;
    let owners = BTreeMap::from([("Job".to_owned(), COMPLETIONS), ("ReplicaSet".to_owned(), REPLICAS)]);
    assert_eq!(counted(pods.iter().map(owner)), owners);
    assert_eq!(counted(pods.iter().map(node)).into_values().collect::<Vec<_>>(), [2, 2, 2], "as even as can be");

    let gone = pods.iter().find(|pod| owner(pod) == "ReplicaSet").unwrap();
    pods_of(&client).delete(&gone.name_any(), &DeleteParams::default()).await.unwrap();
    kept(&extender, &controllers, REPLICAS + COMPLETIONS + 1).await;
    assert_eq!(counted(bound(&client).await.iter().map(owner)), owners);
}
