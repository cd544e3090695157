//! Nominations on a real kube-scheduler: what happens to gated pods when things go another way than planned.

use std::time::Duration;

use anyhow::Result;
use gantry_tests::extender::ExtenderSettings;
use gantry_tests::kubectl::{kubectl, manifests};
use gantry_tests::metrics::sum_of;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::trial::{Outcome, compare, place};
use gantry_tests::workload::{GATE, Workload, create, node, pod, typed};
use gantry_tests::{ControlPlane, Extender, Scheduler};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// A minute: a busy machine is slow, and nothing here waits for anything longer than seconds.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);
const FOREIGN_GATE: &str = "example.com/quota";

pub(crate) async fn nominating(plane: &ControlPlane) -> Result<Extender> {
    Extender::start(
        plane,
        &ExtenderSettings { plan: json!({"nominate": true, "window": "1s"}), ..ExtenderSettings::default() },
    )
    .await
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

fn nominated_node(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.nominated_node_name.as_deref()
}

fn is_gated(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.scheduling_gates.is_some())
}

pub(crate) async fn all_released(client: &Client) -> Result<()> {
    until("every pod to be released", LIMIT, || async {
        Ok((!pods_of(client).list(&ListParams::default()).await?.iter().any(is_gated)).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_nominated_over_a_restart_of_kube_scheduler_still_go_where_they_are_planned() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let workload = Workload::generated(100, 20, 1).gated();
    let first = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    workload.create_nodes(&client).await.unwrap();
    first.wait_for_nodes(workload.nodes()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    // Gantry may nominate, and may not release: what kube-scheduler keeps of nominations is lost with its memory.
    let status_only = json!({"rules": [{"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]}]});
    let roles = Api::<ClusterRole>::all(client.clone());
    roles.patch("gantry-nominate", &PatchParams::default(), &Patch::Merge(status_only)).await.unwrap();
    workload.create_pods(&client, 0..workload.pods()).await.unwrap();
    until("every pod to be nominated and gated", LIMIT, || async {
        let pods = pods_of(&client).list(&ListParams::default()).await?;
        Ok(pods.iter().all(|pod| is_gated(pod) && nominated_node(pod).is_some()).then_some(()))
    })
    .await
    .unwrap();
    drop(first);
    let _second = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    kubectl(&plane, &["apply", "-f"], &manifests().join("components/nominate/rbac.yaml")).unwrap();
    until("every pod to be bound as planned", LIMIT, || async {
        Ok((extender.nominations("kept").await? == workload.pods() as f64).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(extender.nominations("fell-through").await.unwrap(), 0.0);
    crate::planning::are_explained(&extender, (0..workload.pods()).map(gantry_tests::workload::pod_name))
        .await
        .unwrap();
}

/// What Gantry's nominator relies on: of a pod that is not gated as it thinks the real server changes nothing.
async fn is_not_nominated(client: &Client, name: &str) {
    let operations = json!([
        {"op": "test", "path": "/spec/schedulingGates", "value": [{"name": GATE}]},
        {"op": "add", "path": "/status/nominatedNodeName", "value": "only"},
    ]);
    let patch = Patch::<()>::Json(serde_json::from_value(operations).unwrap());
    let refused = pods_of(client).patch_status(name, &PatchParams::default(), &patch).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 422), "{name}: {refused}");
    assert_eq!(nominated_node(&pods_of(client).get(name).await.unwrap()), None, "{name}");
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
    let mut released = quarter("released", &[]);
    released.spec.get_or_insert_default().scheduler_name = Some("nobody".to_owned());
    create(&pods_of(&client), std::iter::once(released)).await.unwrap();
    for name in ["held", "released"] {
        is_not_nominated(&client, name).await;
    }

    let patch = json!({"spec": {"schedulingGates": [{"$patch": "delete", "name": FOREIGN_GATE}]}});
    pods_of(&client).patch("held", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    assert_eq!(node_of(&client, "held").await.unwrap(), "only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nomination_without_room_is_taken_back_so_that_it_holds_none() {
    is_taken_back(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nomination_without_room_is_taken_back_also_by_a_planner_that_did_not_make_it() {
    is_taken_back(true).await;
}

async fn is_taken_back(by_another_planner: bool) {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let never: PriorityClass = typed(json!({"metadata": {"name": "never"}, "value": 100, "preemptionPolicy": "Never"}));
    create(&Api::all(client.clone()), std::iter::once(never)).await.unwrap();
    create(&Api::all(client.clone()), std::iter::once(roomy("only"))).await.unwrap();
    let mut extender = nominating(&plane).await.unwrap();
    let mut planned = quarter("planned", &[GATE]);
    planned.spec.get_or_insert_default().priority_class_name = Some("never".to_owned());
    create(&pods_of(&client), std::iter::once(planned)).await.unwrap();
    until("the pod to be nominated and released", LIMIT, || async {
        let pod = pods_of(&client).get("planned").await?;
        Ok((nominated_node(&pod) == Some("only") && !is_gated(&pod)).then_some(()))
    })
    .await
    .unwrap();
    if by_another_planner {
        extender.restart().await.unwrap();
    }

    // Nobody schedules yet: pods that were bound by hand take the room.
    let squatters = (0..4).map(|index| {
        let mut squatter = quarter(&format!("squatter-{index}"), &[]);
        squatter.spec.get_or_insert_default().node_name = Some("only".to_owned());
        squatter
    });
    create(&pods_of(&client), squatters).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    until("the nomination to be taken back", LIMIT, || async {
        Ok(nominated_node(&pods_of(&client).get("planned").await?).is_none().then_some(()))
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
async fn what_an_outsider_takes_is_planned_around_and_costs_no_nomination_where_room_is_left() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    create(&Api::all(client.clone()), ["one", "two", "three"].map(roomy).into_iter()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    // One of the nine was never gated, so it has no nomination and its place in the plan can change.
    let planned = (0..8).map(|index| quarter(&format!("planned-{index}"), &[GATE]));
    create(&pods_of(&client), std::iter::once(quarter("free", &[])).chain(planned)).await.unwrap();
    all_released(&client).await.unwrap();
    assert_eq!(plans(&extender, "load").await, 0.0, "nothing is bound");
    let pods = pods_of(&client).list(&ListParams::default()).await.unwrap();
    let on_one = pods.iter().filter(|pod| nominated_node(pod) == Some("one")).count();
    assert!(on_one <= 3, "{on_one} of eight nominated for one of three nodes");

    // Nobody schedules yet: they wait while a pod that no plan counts on is bound by hand to the node's fourth place.
    let mut outsider = quarter("outsider", &[]);
    outsider.spec.get_or_insert_default().node_name = Some("one".to_owned());
    create(&pods_of(&client), std::iter::once(outsider)).await.unwrap();
    until("the plan to be made anew around the outsider", LIMIT, || async {
        Ok((plans(&extender, "load").await > 0.0).then_some(()))
    })
    .await
    .unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    until("all eight to be bound as planned", LIMIT, || async {
        Ok((extender.nominations("kept").await? == 8.0).then_some(()))
    })
    .await
    .unwrap();
    node_of(&client, "free").await.unwrap();
}

/// Plans made for this reason.
async fn plans(extender: &Extender, outcome: &str) -> f64 {
    sum_of(&extender.metrics().await.unwrap(), "gantry_plans_total", &[("outcome", outcome)])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_outsider_goes_first_and_costs_one_pod_its_nomination() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let urgent: PriorityClass = typed(json!({"metadata": {"name": "urgent-outsider"}, "value": 1000}));
    create(&Api::all(client.clone()), std::iter::once(urgent)).await.unwrap();
    create(&Api::all(client.clone()), ["one", "two"].map(roomy).into_iter()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    let planned = (0..8).map(|index| quarter(&format!("planned-{index}"), &[GATE]));
    create(&pods_of(&client), planned).await.unwrap();
    all_released(&client).await.unwrap();
    let mut outsider = quarter("outsider", &[]);
    outsider.spec.get_or_insert_default().priority_class_name = Some("urgent-outsider".to_owned());
    create(&pods_of(&client), std::iter::once(outsider)).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    node_of(&client, "outsider").await.unwrap();
    until("seven of eight to be bound as planned, and the end of the other's nomination", LIMIT, || async {
        let (kept, cleared) = (extender.nominations("kept").await?, extender.nominations("cleared").await?);
        Ok((kept + cleared == 8.0).then_some(()))
    })
    .await
    .unwrap();
    for (outcome, count) in [("kept", 7.0), ("cleared", 1.0), ("refused", 0.0)] {
        assert_eq!(extender.nominations(outcome).await.unwrap(), count, "{outcome}");
    }
    let pods = pods_of(&client).list(&ListParams::default()).await.unwrap();
    let waits = |pod: &&Pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none());
    let waiting: Vec<Option<&str>> = pods.iter().filter(waits).map(nominated_node).collect();
    assert_eq!(waiting, [None], "one pod waits, and holds no room");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admission_policy_gates_pods_of_namespaces_that_opt_in() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    kubectl(&plane, &["apply", "-f"], &manifests().join("components/nominate/admission-policy.yaml")).unwrap();
    for namespace in ["batch", "gantry-system"] {
        let opted_in = json!({"metadata": {"name": namespace, "labels": {"gantry.dev/plan": "enabled"}}});
        create(&Api::all(client.clone()), std::iter::once(typed::<Namespace>(opted_in))).await.unwrap();
        let account = json!({"metadata": {"name": "default"}});
        create(
            &Api::namespaced(client.clone(), namespace),
            std::iter::once(typed::<k8s_openapi::api::core::v1::ServiceAccount>(account)),
        )
        .await
        .unwrap();
    }
    let (inside, outside) = (Api::<Pod>::namespaced(client.clone(), "batch"), pods_of(&client));
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
    // Nobody would release Gantry's own pods, whoever labels its namespace too.
    let own = Api::<Pod>::namespaced(client.clone(), "gantry-system");
    create(&own, std::iter::once(quarter("own", &[]))).await.unwrap();
    let own = own.get("own").await.unwrap();
    assert!(!is_gated(&own), "{own:?}");
}
