//! What goes wrong around a planner on a real control plane: scheduling goes on, and the record says what happened.
//!
//! What needs no control plane lies in the extender's own tests, `planning` and `forecasts`.

use gantry_tests::extender::{ExtenderSettings, fallback_event};
use gantry_tests::placement::Assignment;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::trial::place;
use gantry_tests::workload::{GATE, Workload, create, pod_name};
use gantry_tests::{ControlPlane, Extender, Scheduler};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::failures::component;
use crate::nominations::{LIMIT, gates, node_of, nominating, pods_of, quarter, roomy};

const LEASE: &str = "gantry-planner";

fn leases(client: &Client) -> Api<Lease> {
    Api::namespaced(client.clone(), "gantry-system")
}

async fn until_it_leads(extender: &Extender) {
    until("the replica to lead", LIMIT, || async { Ok(extender.leads().await?.then_some(())) }).await.unwrap();
}

/// Waits until every pod of the workload is bound, all of them where they may be.
async fn all_are_bound(client: &Client, workload: &Workload) {
    let assignment = Assignment::settled(client, workload, 2 * LIMIT).await.unwrap();
    assert_eq!((assignment.unplaced(), assignment.violations(workload)), (0, Vec::new()));
}

/// Waits until that many nominations have ended at a node, and returns how many of them as nominated.
async fn kept(extender: &Extender, pods: usize) -> f64 {
    until("the end of all nominations", LIMIT, || async {
        let (kept, fell) = (extender.nominations("kept").await?, extender.nominations("fell-through").await?);
        Ok((kept + fell == pods as f64).then_some(kept))
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_killed_and_forgets_what_was_watched_is_listed_anew() {
    let mut plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let workload = Workload::light(40, 10, 1).gated();
    workload.create_nodes(&client).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    workload.create_pods(&client, 0..20).await.unwrap();
    kept(&extender, 20).await;

    plane.kill_apiserver();
    plane.forget_history().await.unwrap();
    until("the broken watches", LIMIT, || async {
        Ok((extender.watch_failures("unreachable").await? > 0.0).then_some(()))
    })
    .await
    .unwrap();
    assert!(extender.is_ready().await, "it goes on with what it knows");
    plane.restart_apiserver().await.unwrap();
    workload.create_pods(&client, 20..40).await.unwrap();
    all_are_bound(&client, &workload).await;
    kept(&extender, 40).await;
    assert!(extender.watch_failures("gone").await.unwrap() > 0.0, "{}", extender.log_end(50));
    until("the recovery of both watches", LIMIT, || async {
        Ok(extender.page("/status").await?.contains("\"lastError\": null").then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_events_at_once_are_taken_in_and_their_pods_planned() {
    const PODS: usize = 1000;
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let workload = Workload::light(PODS, 50, 1).gated();
    workload.create_nodes(&client).await.unwrap();
    let scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    scheduler.wait_for_nodes(50).await.unwrap();
    let plan = json!({"nominate": true, "window": "500ms", "evaluations": 500_000});
    let settings = ExtenderSettings { plan, ..ExtenderSettings::default() };
    let extender = Extender::start(&plane, &settings).await.unwrap();

    // It stands still while they happen, and hears of them all in one.
    extender.process().pause().unwrap();
    workload.create_pods(&client, 0..PODS).await.unwrap();
    extender.process().resume().unwrap();
    all_are_bound(&client, &workload).await;
    let kept = kept(&extender, PODS).await;
    assert!(kept >= 0.99 * PODS as f64, "{kept}");
    assert_eq!(extender.nominations("refused").await.unwrap(), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_replica_goes_on_where_the_leader_was_killed() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let workload = Workload::light(200, 20, 1).gated();
    workload.create_nodes(&client).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let mut leader = nominating(&plane).await.unwrap();
    until_it_leads(&leader).await;
    let settings = ExtenderSettings { plan: json!({"nominate": true}), ..ExtenderSettings::default() };
    let next = Extender::replica(&plane, &settings, "gantry-extender-1").await.unwrap();

    workload.create_pods(&client, 0..180).await.unwrap();
    until("the first nominations", LIMIT, || async {
        let pods = pods_of(&client).list(&ListParams::default()).await?;
        let mut statuses = pods.iter().filter_map(|pod| pod.status.as_ref());
        Ok(statuses.any(|status| status.nominated_node_name.is_some()).then_some(()))
    })
    .await
    .unwrap();
    leader.kill();
    assert!(!next.leads().await.unwrap());
    // These are the next one's in any case.
    workload.create_pods(&client, 180..200).await.unwrap();
    all_are_bound(&client, &workload).await;

    assert!(next.leads().await.unwrap());
    assert!(next.nominations("kept").await.unwrap() >= 20.0, "{}", next.log_end(30));
    let lease = leases(&client).get(LEASE).await.unwrap().spec.unwrap();
    assert_eq!((lease.holder_identity.as_deref(), lease.lease_transitions), (Some("gantry-extender-1"), Some(1)));
    assert!(next.log_end(1000).contains("leadership changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_lease_nominates_nobody_until_it_is_free_again() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    create(&Api::all(client.clone()), std::iter::once(roomy("only"))).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    let extender = nominating(&plane).await.unwrap();
    until_it_leads(&extender).await;

    let taken = json!({"spec": {"holderIdentity": "somebody-else", "leaseDurationSeconds": 3600}});
    leases(&client).patch(LEASE, &PatchParams::default(), &Patch::Merge(taken)).await.unwrap();
    until("the loss to be noticed", LIMIT, || async { Ok((!extender.leads().await?).then_some(())) }).await.unwrap();
    create(&pods_of(&client), [quarter("held", &[GATE]), quarter("free", &[])].into_iter()).await.unwrap();
    assert_eq!(node_of(&client, "free").await.unwrap(), "only");
    until("the word on the gated pod", LIMIT, || async {
        let text = extender.page("/explain/default/held?format=text").await?;
        Ok(text.contains("held back by gantry.dev/plan (planner: not-leading)").then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(gates(&client, "held").await.unwrap(), [GATE]);

    leases(&client).delete(LEASE, &DeleteParams::default()).await.unwrap();
    assert_eq!(node_of(&client, "held").await.unwrap(), "only");
    assert_eq!(kept(&extender, 1).await, 1.0);
    let log = extender.log_end(1000);
    assert!(log.contains("held by another") && extender.leads().await.unwrap(), "{log}");
    a_bound_pod_is_not_nominated(&client, "held").await;
}

/// What Gantry's nominator takes for "bound meanwhile".
async fn a_bound_pod_is_not_nominated(client: &Client, bound: &str) {
    let patch = json!({"status": {"nominatedNodeName": "other"}});
    let refused = pods_of(client).patch_status(bound, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 422), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_component_fails_in_planning_pods_are_released_and_scheduled_one_by_one() {
    let plane = ControlPlane::start().await.unwrap();
    // One batch: a single pod would be planned.
    let mut extender = nominating(&plane).await.unwrap();
    let stanza = ExtenderStanza::new(extender.url());
    let scheduler = Scheduler::start(&plane, &SchedulerSettings::with_extender(stanza)).await.unwrap();
    for (guest, reason) in [("trap_in_plan", "trap"), ("loop_in_plan", "deadline")] {
        let limits = json!({"deadline": "500ms", "planDeadline": "200ms"});
        let plugin = json!({"name": "gantry", "component": component(&plane, guest), "limits": limits});
        extender.rewrite(|config| config["profiles"][0]["plugins"] = json!([plugin])).unwrap();
        extender.restart().await.unwrap();

        let outcome = place(&plane, &scheduler, &Workload::light(20, 5, 1).gated()).await.unwrap();
        assert_eq!((outcome.unplaced, &outcome.violations), (0, &Vec::new()), "{guest}");
        until("the count of the released", LIMIT, || async {
            Ok((extender.nominations("unplanned").await? == 20.0).then_some(()))
        })
        .await
        .unwrap();
        assert!(extender.searches(reason).await.unwrap() >= 1.0, "{guest}");
        assert!(extender.requests("prioritize").await.unwrap() >= 20.0, "{guest}: kube-scheduler asked all the same");
        let plan = extender.page("/plan?format=text").await.unwrap();
        assert!(plan.contains(&format!("s ago: {reason}")), "{guest}: {plan}");
        let mut told = 0;
        for index in 0..20 {
            let page = format!("/explain/default/{}?format=text", pod_name(index));
            told += usize::from(extender.page(&page).await.unwrap().contains("not by plan: search-failed"));
        }
        assert!(told > 0, "{guest}: {plan}");
        let event = fallback_event(&plane, reason).await;
        event.unwrap_or_else(|error| panic!("{guest}: {error:#}"));
    }
}
