//! Nominations on a real kube-scheduler: what happens to gated pods when things go another way than planned.

use std::time::Duration;

use anyhow::Result;
use gantry_tests::extender::ExtenderSettings;
use gantry_tests::kubectl::{kubectl, manifests};
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::trial::{Outcome, compare, place};
use gantry_tests::workload::{GATE, Workload, create, node, pod, typed};
use gantry_tests::{ControlPlane, Extender, Scheduler};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// A minute: a busy machine is slow, and nothing here waits for anything longer than seconds.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);
const FOREIGN_GATE: &str = "example.com/quota";

pub(crate) async fn nominating(plane: &ControlPlane) -> Result<Extender> {
    Extender::start(plane, &ExtenderSettings { plan: json!({"nominate": true}), ..ExtenderSettings::default() }).await
}

/// The workload with every pod scored for itself.
async fn pod_by_pod(plane: &ControlPlane, workload: &Workload) -> Result<Outcome> {
    plane.clear().await?;
    let extender = Extender::start(plane, &ExtenderSettings::default()).await?;
    let settings = SchedulerSettings::with_extender(ExtenderStanza::new(extender.url()));
    place(plane, &Scheduler::start(plane, &settings).await?, workload).await
}

pub(crate) fn pods_of(client: &Client) -> Api<Pod> {
    Api::default_namespaced(client.clone())
}

/// A node for four pods of [`quarter`].
pub(crate) fn roomy(name: &str) -> Node {
    node(name, &[8000, 32768, 500, 2000])
}

/// A pod that takes a quarter of [`roomy`], with the gates named.
pub(crate) fn quarter(name: &str, gates: &[&str]) -> Pod {
    let mut pod = pod(name, &[2000, 8192, 100, 400]);
    let gates: Vec<Value> = gates.iter().map(|gate| json!({ "name": gate })).collect();
    pod.spec.get_or_insert_default().scheduling_gates = Some(typed(json!(gates)));
    pod
}

pub(crate) async fn gates(client: &Client, name: &str) -> Result<Vec<String>> {
    let spec = pods_of(client).get(name).await?.spec.unwrap_or_default();
    Ok(spec.scheduling_gates.into_iter().flatten().map(|gate| gate.name).collect())
}

pub(crate) async fn node_of(client: &Client, name: &str) -> Result<String> {
    until(&format!("{name} to be bound"), LIMIT, || async {
        Ok(pods_of(client).get(name).await?.spec.and_then(|spec| spec.node_name))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_gated_over_a_restart_of_kube_scheduler_still_go_where_they_are_planned() {
    let plane = ControlPlane::start().await.unwrap();
    let workload = Workload::generated(100, 20, 1).gated();
    let first = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    workload.create_nodes(&plane.client()).await.unwrap();
    first.wait_for_nodes(workload.nodes()).await.unwrap();
    workload.create_pods(&plane.client(), 0..workload.pods()).await.unwrap();
    drop(first);
    let _second = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    until("every pod to be bound as planned", LIMIT, || async {
        Ok((extender.nominations("kept").await? == workload.pods() as f64).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(extender.nominations("fell-through").await.unwrap(), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_gate_is_left_alone_and_waited_for() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let _extender = nominating(&plane).await.unwrap();
    create(&Api::all(client.clone()), std::iter::once(roomy("only"))).await.unwrap();
    let both = [quarter("held", &[FOREIGN_GATE, GATE]), quarter("free", &[GATE])];
    create(&pods_of(&client), both.into_iter()).await.unwrap();
    // That this one is bound shows that a batch was released since both were there.
    assert_eq!(node_of(&client, "free").await.unwrap(), "only");
    assert_eq!(gates(&client, "held").await.unwrap(), [FOREIGN_GATE, GATE]);

    let patch = json!({"spec": {"schedulingGates": [{"$patch": "delete", "name": FOREIGN_GATE}]}});
    pods_of(&client).patch("held", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    assert_eq!(node_of(&client, "held").await.unwrap(), "only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nomination_without_room_is_taken_back_so_that_it_holds_none() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let never: PriorityClass = typed(json!({"metadata": {"name": "never"}, "value": 100, "preemptionPolicy": "Never"}));
    create(&Api::all(client.clone()), std::iter::once(never)).await.unwrap();
    create(&Api::all(client.clone()), std::iter::once(roomy("only"))).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    let mut planned = quarter("planned", &[GATE]);
    planned.spec.get_or_insert_default().priority_class_name = Some("never".to_owned());
    create(&pods_of(&client), std::iter::once(planned)).await.unwrap();
    until("the pod to be nominated and released", LIMIT, || async {
        let pod = pods_of(&client).get("planned").await?;
        let nominated = pod.status.and_then(|status| status.nominated_node_name);
        Ok((nominated.as_deref() == Some("only") && gates(&client, "planned").await?.is_empty()).then_some(()))
    })
    .await
    .unwrap();

    // Nobody schedules yet: pods that were bound by hand take the room.
    let squatters = (0..4).map(|index| {
        let mut squatter = quarter(&format!("squatter-{index}"), &[]);
        squatter.spec.get_or_insert_default().node_name = Some("only".to_owned());
        squatter
    });
    create(&pods_of(&client), squatters).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    until("the nomination to be taken back", LIMIT, || async {
        let status = pods_of(&client).get("planned").await?.status.unwrap_or_default();
        Ok(status.nominated_node_name.is_none().then_some(()))
    })
    .await
    .unwrap();
    until("the count of it", LIMIT, || async { Ok((extender.nominations("cleared").await? == 1.0).then_some(())) })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pod_in_ten_from_outside_the_plan_does_not_spoil_it() {
    let plane = ControlPlane::start().await.unwrap();
    let scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let workload = Workload::generated(300, 50, 1);
    let alone = place(&plane, &scheduler, &workload).await.unwrap();
    drop(scheduler);
    let pod_by_pod = pod_by_pod(&plane, &workload).await.unwrap();
    plane.clear().await.unwrap();
    let scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    let mixed = place(&plane, &scheduler, &workload.gated_but_every(10)).await.unwrap();
    compare(
        "300 pods on 50 nodes, one in ten of them from outside the plan",
        &[
            ("default", std::slice::from_ref(&alone)),
            ("Gantry, pod by pod", std::slice::from_ref(&pod_by_pod)),
            ("Gantry, nominate", std::slice::from_ref(&mixed)),
        ],
    );
    assert_eq!(mixed.violations, Vec::<String>::new());
    assert!(mixed.sigma <= 2.0 / 3.0 * alone.sigma, "{} of {}", mixed.sigma, alone.sigma);
    assert!(mixed.sigma <= pod_by_pod.sigma, "{} with a plan, {} without", mixed.sigma, pod_by_pod.sigma);
    assert_eq!(extender.nominations("refused").await.unwrap(), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_outsider_goes_first_and_no_pod_is_lost() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let urgent: PriorityClass = typed(json!({"metadata": {"name": "urgent-outsider"}, "value": 1000}));
    create(&Api::all(client.clone()), std::iter::once(urgent)).await.unwrap();
    create(&Api::all(client.clone()), ["one", "two"].map(roomy).into_iter()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    let planned = (0..8).map(|index| quarter(&format!("planned-{index}"), &[GATE]));
    create(&pods_of(&client), planned).await.unwrap();
    until("all to be released", LIMIT, || async {
        let pods = pods_of(&client).list(&ListParams::default()).await?;
        let gated = pods.iter().any(|pod| pod.spec.as_ref().is_some_and(|spec| spec.scheduling_gates.is_some()));
        Ok((!gated).then_some(()))
    })
    .await
    .unwrap();
    let mut outsider = quarter("outsider", &[]);
    outsider.spec.get_or_insert_default().priority_class_name = Some("urgent-outsider".to_owned());
    create(&pods_of(&client), std::iter::once(outsider)).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    node_of(&client, "outsider").await.unwrap();
    until("seven of eight to be bound", LIMIT, || async {
        let pods = pods_of(&client).list(&ListParams::default()).await?;
        let bound = pods.iter().filter(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()));
        Ok((bound.count() == 8).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(extender.nominations("refused").await.unwrap(), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admission_policy_gates_pods_of_namespaces_that_opt_in() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    kubectl(&plane, &["apply", "-f"], &manifests().join("components/nominate/admission-policy.yaml")).unwrap();
    let opted_in: Namespace = typed(json!({"metadata": {"name": "batch", "labels": {"gantry.dev/plan": "enabled"}}}));
    create(&Api::all(client.clone()), std::iter::once(opted_in)).await.unwrap();
    let (inside, outside) = (Api::<Pod>::namespaced(client.clone(), "batch"), pods_of(&client));
    let account = json!({"metadata": {"name": "default"}});
    create(
        &Api::namespaced(client.clone(), "batch"),
        std::iter::once(typed::<k8s_openapi::api::core::v1::ServiceAccount>(account)),
    )
    .await
    .unwrap();
    // The API server takes a moment to know a new policy.
    let attempts = std::sync::atomic::AtomicUsize::new(0);
    until("a pod to be gated", LIMIT, || async {
        let name = format!("inside-{}", attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        create(&inside, std::iter::once(quarter(&name, &[FOREIGN_GATE]))).await?;
        let spec = inside.get(&name).await?.spec.unwrap_or_default();
        let gates: Vec<String> = spec.scheduling_gates.into_iter().flatten().map(|gate| gate.name).collect();
        Ok((gates == [FOREIGN_GATE, GATE]).then_some(()))
    })
    .await
    .unwrap();
    create(&outside, std::iter::once(quarter("outside", &[]))).await.unwrap();
    assert_eq!(gates(&client, "outside").await.unwrap(), [""; 0]);
}
