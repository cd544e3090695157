//! Planning ahead on a real kube-scheduler: `follow` by scores and `nominate` by gates, beside kube-scheduler alone.
//!
//! A plan is made of a whole batch. A batch comes about in two ways: pods queue up while nobody schedules (a
//! kube-scheduler that starts, a rollout that was held), and pods that carry Gantry's gate.

mod bursts;
mod mixed;
mod trace;

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Result, ensure};
use gantry_tests::extender::ExtenderSettings;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::trial::{
    Outcome, compare, is_full, mean_sigma, place, place_in_bursts, place_queue, seeds, sigma_by_resource,
};
use gantry_tests::workload::{RESOURCES, Workload, create, node, pod, pod_name};
use gantry_tests::{ControlPlane, Extender, Scheduler, metrics};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

async fn extender(plane: &ControlPlane, plan: Value, workloads: &[Workload]) -> Result<Extender> {
    plane.clear().await?;
    let resources = workloads.first().map_or(&RESOURCES[..], |workload| workload.resources);
    Extender::start(plane, &ExtenderSettings { plan, resources, ..ExtenderSettings::default() }).await
}

fn workloads(
    make: fn(usize, usize, u64) -> Workload,
    (pods, nodes): (usize, usize),
    seeds: RangeInclusive<u64>,
) -> Vec<Workload> {
    seeds.map(|seed| make(pods, nodes, seed)).collect()
}

/// With groups: what kube-scheduler's own filters forbid, a plan must not want.
fn grouped(pods: usize, nodes: usize, seed: u64) -> Workload {
    Workload::generated(pods, nodes, seed).with_large_groups()
}

/// One burst a workload under one kube-scheduler.
async fn alone(plane: &ControlPlane, settings: &SchedulerSettings, workloads: &[Workload]) -> Result<Vec<Outcome>> {
    in_bursts(plane, settings, workloads, 1).await
}

/// K4 in as many bursts, for README's tables: nothing where the environment asks for none.
async fn k4_of_tables(plane: &ControlPlane, workloads: &[Workload], bursts: usize) -> Result<Vec<Outcome>> {
    let resources = workloads.first().map_or(&RESOURCES[..], |workload| workload.resources);
    if is_full() {
        in_bursts(plane, &SchedulerSettings::k4(resources), workloads, bursts).await
    } else {
        Ok(Vec::new())
    }
}

/// Gantry without a plan, for the same.
async fn pod_by_pod_of_tables(plane: &ControlPlane, workloads: &[Workload], bursts: usize) -> Result<Vec<Outcome>> {
    if !is_full() {
        return Ok(Vec::new());
    }
    let extender = extender(plane, Value::Null, workloads).await?;
    let settings = SchedulerSettings::with_extender(ExtenderStanza::new(extender.url()));
    in_bursts(plane, &settings, workloads, bursts).await
}

/// Each burst begins when every pod before it has a node or a refusal.
async fn in_bursts(
    plane: &ControlPlane,
    settings: &SchedulerSettings,
    workloads: &[Workload],
    bursts: usize,
) -> Result<Vec<Outcome>> {
    plane.clear().await?;
    let scheduler = Scheduler::start(plane, settings).await?;
    let mut outcomes = Vec::new();
    for workload in workloads {
        outcomes.push(place_in_bursts(plane, &scheduler, workload, bursts).await?);
    }
    Ok(outcomes)
}

/// Pods queue up, Gantry plans, kube-scheduler starts and asks Gantry.
async fn follow(plane: &ControlPlane, percentage: u32, workloads: &[Workload]) -> Result<(Vec<Outcome>, f64)> {
    let (outcomes, adherence, _) = follow_in_groups(plane, percentage, workloads).await?;
    Ok((outcomes, adherence))
}

/// The same with the adherence of the pods in groups alone after that of all.
async fn follow_in_groups(
    plane: &ControlPlane,
    percentage: u32,
    workloads: &[Workload],
) -> Result<(Vec<Outcome>, f64, f64)> {
    let extender = extender(plane, json!({"mode": "follow"}), workloads).await?;
    let stanza = SchedulerSettings::with_extender(ExtenderStanza::new(extender.url()));
    let settings = SchedulerSettings { percentage_of_nodes_to_score: percentage, ..stanza };
    let (mut outcomes, mut groups) = (Vec::new(), Landings::default());
    for workload in workloads {
        outcomes.push(place_queue(plane, &extender, &settings, workload).await?);
        every_pod_has_landed(&extender).await?;
        are_explained(&extender, (0..workload.pods()).map(pod_name)).await?;
        groups.count(&extender, workload.grouped()).await?;
    }
    let adherence = adherence(&extender, bound(&outcomes, workloads)).await?;
    Ok((outcomes, adherence, groups.adherence()))
}

/// Pods are scheduled while they are created; Gantry plans whoever waits at the moment.
async fn live(plane: &ControlPlane, mode: &str, workloads: &[Workload]) -> Result<Vec<Outcome>> {
    let extender = extender(plane, json!({ "mode": mode }), workloads).await?;
    alone(plane, &SchedulerSettings::with_extender(ExtenderStanza::new(extender.url())), workloads).await
}

/// Gated pods are planned, nominated and released; kube-scheduler has no extender. A burst is what comes with less than a
/// second between: on a busy machine the API server takes its time over a thousand pods.
async fn nominate(plane: &ControlPlane, workloads: &[Workload]) -> Result<(Vec<Outcome>, f64)> {
    let (outcomes, adherence, _) = nominate_in_groups(plane, workloads).await?;
    Ok((outcomes, adherence))
}

/// The same with the adherence of the pods in groups alone after that of all.
async fn nominate_in_groups(plane: &ControlPlane, workloads: &[Workload]) -> Result<(Vec<Outcome>, f64, f64)> {
    let extender = extender(plane, json!({"nominate": true, "window": "1s"}), workloads).await?;
    let scheduler = Scheduler::start(plane, &SchedulerSettings::default()).await?;
    let (mut outcomes, mut groups) = (Vec::new(), Landings::default());
    for workload in workloads {
        outcomes.push(place(plane, &scheduler, &workload.clone().gated()).await?);
        every_pod_has_landed(&extender).await?;
        are_explained(&extender, (0..workload.pods()).map(pod_name)).await?;
        groups.count(&extender, workload.grouped()).await?;
    }
    let adherence = adherence(&extender, bound(&outcomes, workloads)).await?;
    Ok((outcomes, adherence, groups.adherence()))
}

fn bound(outcomes: &[Outcome], workloads: &[Workload]) -> usize {
    let pods: usize = workloads.iter().map(Workload::pods).sum();
    pods - outcomes.iter().map(|outcome| outcome.unplaced).sum::<usize>()
}

/// The share of the bound pods that lie where they were planned.
async fn adherence(extender: &Extender, bound: usize) -> Result<f64> {
    Ok(extender.landings("planned").await? / bound as f64)
}

/// Some bound pods, and how many of them lie where they were planned.
#[derive(Debug, Default)]
struct Landings {
    bound: usize,
    as_planned: usize,
}

impl Landings {
    /// Counts those of the pods that are bound, by what Gantry says of each.
    async fn count(&mut self, extender: &Extender, pods: impl IntoIterator<Item = usize>) -> Result<()> {
        for pod in pods {
            let page = extender.page(&format!("/explain/default/{}", pod_name(pod))).await?;
            let page: Value = serde_json::from_str(&page)?;
            // The last plan of all has those alone who waited when it was made.
            let planned = page["plan"]["node"].as_str().or(page["landed"]["planned"].as_str());
            if let Some(node) = page["node"].as_str() {
                self.bound += 1;
                self.as_planned += usize::from(planned == Some(node));
            }
        }
        Ok(())
    }

    fn adherence(&self) -> f64 {
        self.as_planned as f64 / self.bound as f64
    }
}

/// Waits until Gantry has seen every binding.
pub(crate) async fn every_pod_has_landed(extender: &Extender) -> Result<()> {
    let landed = async || {
        let text = extender.metrics().await?;
        let open = metrics::sum_of(&text, "gantry_plan_pods", &[("outcome", "open")]);
        let assumed = metrics::sum_of(&text, "gantry_assumed_pods", &[]);
        Ok((open + assumed == 0.0).then_some(()))
    };
    until("Gantry to see every binding", Duration::from_secs(30), landed).await
}

/// `kubectl gantry explain` has an answer for each of the pods: where it is, the plan it was in or what it was asked about,
/// and how its node compares with the next best. Of a pod that no plan had room for only the first two are known. Where
/// nobody plans, and kube-scheduler has found no node and so has asked nobody, it is how many nodes the pod could have.
pub(crate) async fn are_explained(extender: &Extender, pods: impl IntoIterator<Item = String>) -> Result<()> {
    let nobody_plans = extender.page("/plan?format=text").await? == "no profile plans\n";
    let says_by_what = |text: &str| {
        ["planned: ", "left to kube-scheduler: ", "candidates"].iter().any(|words| text.contains(words))
            || nobody_plans && text.contains("nodes: its constraints allow")
    };
    for pod in pods {
        let page = format!("/explain/default/{pod}?format=text");
        // A pod whose nomination was taken back is in no plan before the next one.
        let text = until(&format!("what {pod} goes by"), Duration::from_secs(30), || async {
            let text = extender.page(&page).await?;
            ensure!(says_by_what(&text), "{text}");
            Ok(Some(text))
        })
        .await?;
        let says_where = text.contains(": bound to node-") || text.contains(": waiting");
        let compares = text.contains("as the cluster is now, ")
            && (text.contains(" -> ") || text.contains("no node would take it"))
            || text.contains("planned: no room in");
        let mut elsewhere = text.lines().filter(|line| line.contains("landed elsewhere"));
        ensure!(says_where && compares && elsewhere.all(|line| line.contains(" s ago: ")), "{text}");
    }
    Ok(())
}

/// Waits for an Event with this reason on a pod, and returns what it says.
async fn told(plane: &ControlPlane, reason: &str) -> Result<String> {
    let events = Api::<Event>::default_namespaced(plane.client());
    let on_pods = ListParams::default().fields(&format!("reason={reason},involvedObject.kind=Pod"));
    until(&format!("an Event {reason} on a pod"), Duration::from_secs(30), || async {
        Ok(events.list(&on_pods).await?.items.into_iter().find_map(|event| event.message))
    })
    .await
}

/// A pod that is larger than any node hears so from the planner.
async fn who_has_no_room_is_told(plane: &ControlPlane) -> Result<()> {
    let _extender = extender(plane, json!({"mode": "follow"}), &[]).await?;
    let client = plane.client();
    create(&Api::all(client.clone()), std::iter::once(node("only", &[8000, 32768, 500, 2000]))).await?;
    create(&Api::<Pod>::default_namespaced(client), std::iter::once(pod("giant", &[9000, 1024, 1, 1]))).await?;
    let note = told(plane, "NoFeasibleNode").await?;
    ensure!(note.contains("1 nodes: its constraints allow 1") && note.contains("0 of those have room"), "{note}");
    Ok(())
}

fn assert_legal(outcomes: &[Outcome]) {
    for outcome in outcomes {
        assert_eq!(outcome.violations, Vec::<String>::new());
    }
}

fn assert_at_most(share: f64, ours: f64, theirs: f64) {
    assert!(ours <= share * theirs, "{ours:.3} is more than {share:.3} of {theirs:.3}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_burst_on_50_nodes_leaves_less_than_a_third_of_the_imbalance() {
    let plane = ControlPlane::start().await.unwrap();
    let workloads = workloads(Workload::generated, (300, 50), seeds(3));
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let best_alone = alone(&plane, &SchedulerSettings::k4(&RESOURCES), &workloads).await.unwrap();
    let live_follow = live(&plane, "follow", &workloads).await.unwrap();
    let live_guide = live(&plane, "guide", &workloads).await.unwrap();
    let (follow, followed) = follow(&plane, 0, &workloads).await.unwrap();
    let (nominate, kept) = nominate(&plane, &workloads).await.unwrap();
    let pod_by_pod = pod_by_pod_of_tables(&plane, &workloads, 1).await.unwrap();

    compare(
        &format!(
            "300 pods on 50 nodes, one burst, {} seeds; adherence: follow {followed:.4}, nominate {kept:.4}",
            workloads.len()
        ),
        &[
            ("default", &default),
            ("K4", &best_alone),
            ("Gantry, pod by pod", &pod_by_pod),
            ("Gantry, follow, scheduled as they come", &live_follow),
            ("Gantry, guide, scheduled as they come", &live_guide),
            ("Gantry, follow, a queue", &follow),
            ("Gantry, nominate", &nominate),
        ],
    );
    for live in [&live_follow, &live_guide] {
        assert_legal(live);
        // Two thirds are usual; chance leaves one run in several far above.
        assert_at_most(0.85, mean_sigma(live), mean_sigma(&default));
    }
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

/// One burst on a cluster of a size at which kube-scheduler may show an extender a sample of the nodes only: nominated, and
/// from a queue that follows, it leaves at most `share` of the default's imbalance.
async fn one_burst(plane: &ControlPlane, (pods, nodes): (usize, usize), seeds: RangeInclusive<u64>, share: f64) {
    let workloads = workloads(Workload::generated, (pods, nodes), seeds);
    let default = alone(plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let best_alone = alone(plane, &SchedulerSettings::k4(&RESOURCES), &workloads).await.unwrap();
    let (follow, followed) = follow(plane, 100, &workloads).await.unwrap();
    let (nominate, kept) = nominate(plane, &workloads).await.unwrap();
    let pod_by_pod = pod_by_pod_of_tables(plane, &workloads, 1).await.unwrap();

    compare(
        &format!(
            "{pods} pods on {nodes} nodes, one burst; adherence: follow (all nodes) {followed:.4}, nominate {kept:.4}"
        ),
        &[
            ("default", &default),
            ("K4", &best_alone),
            ("Gantry, pod by pod, sampled nodes", &pod_by_pod),
            ("Gantry, follow, percentageOfNodesToScore 100", &follow),
            ("Gantry, nominate, sampled nodes", &nominate),
        ],
    );
    for (ours, adherence) in [(&follow, followed), (&nominate, kept)] {
        assert_legal(ours);
        assert!(adherence >= 0.995, "adherence {adherence}");
        assert_at_most(share, mean_sigma(ours), mean_sigma(&default));
        assert_at_most(1.0, mean_sigma(ours), mean_sigma(&best_alone));
        for (ours, theirs) in sigma_by_resource(ours).into_iter().zip(sigma_by_resource(&best_alone)) {
            assert_at_most(1.0, ours, theirs);
        }
    }
}

/// Five pods a node, which two seeds have to do with, even out less well than ten: the first seed was seen at .42 to .52 of
/// the default, the second at a twelfth.
#[tokio::test(flavor = "multi_thread")]
async fn a_planned_burst_on_100_nodes_leaves_less_than_half_of_the_imbalance() {
    let (pods, share) = if is_full() { (1000, 1.0 / 3.1) } else { (500, 0.5) };
    one_burst(&ControlPlane::start().await.unwrap(), (pods, 100), seeds(2), share).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nominations_do_not_care_for_node_sampling_on_200_nodes() {
    one_burst(&ControlPlane::start().await.unwrap(), (1000, 200), seeds(1), 1.0 / 3.1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_places_what_kube_scheduler_alone_strands() {
    let plane = ControlPlane::start().await.unwrap();
    let workloads = workloads(Workload::tight, (300, 50), seeds(2));
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let best_alone = k4_of_tables(&plane, &workloads, 1).await.unwrap();
    let pod_by_pod = pod_by_pod_of_tables(&plane, &workloads, 1).await.unwrap();
    let (nominate, kept) = nominate(&plane, &workloads).await.unwrap();
    compare(
        &format!("300 pods on 50 tight nodes; adherence: nominate {kept:.4}"),
        &[
            ("default", &default),
            ("K4", &best_alone),
            ("Gantry, pod by pod", &pod_by_pod),
            ("Gantry, nominate", &nominate),
        ],
    );
    assert_legal(&nominate);
    assert_eq!(nominate.iter().map(|outcome| outcome.unplaced).sum::<usize>(), 0);
    assert!(default.iter().any(|outcome| outcome.unplaced > 0), "the instances are not tight");
    let note = told(&plane, "GantryPlaced").await.unwrap();
    assert!(note.starts_with("bound to node-"), "{note}");
    who_has_no_room_is_told(&plane).await.unwrap();
}

/// A third of the pods are in groups. A spread holds or not by the order in which kube-scheduler takes the pods. Released
/// pods come in the order that we release them in; a kube-scheduler that starts on a queue takes equal priorities in no order
/// at all, so that many pods of a spread group are refused their planned node, and each makes a new plan for the others.
#[tokio::test(flavor = "multi_thread")]
async fn plans_keep_to_anti_affinity_and_spread() {
    let plane = ControlPlane::start().await.unwrap();
    let workloads = workloads(grouped, (300, 50), seeds(2));
    let default = alone(&plane, &SchedulerSettings::default(), &workloads).await.unwrap();
    let (follow, followed, followed_in_groups) = follow_in_groups(&plane, 0, &workloads).await.unwrap();
    let (nominate, kept, kept_in_groups) = nominate_in_groups(&plane, &workloads).await.unwrap();
    let best_alone = k4_of_tables(&plane, &workloads, 1).await.unwrap();
    let pod_by_pod = pod_by_pod_of_tables(&plane, &workloads, 1).await.unwrap();
    compare(
        &format!(
            "300 pods on 50 nodes, 100 of them with anti-affinity or topology spread; adherence of all and of those: \
             follow {followed:.4}, {followed_in_groups:.4}, nominate {kept:.4}, {kept_in_groups:.4}"
        ),
        &[
            ("default", &default),
            ("K4", &best_alone),
            ("Gantry, pod by pod", &pod_by_pod),
            ("Gantry, follow, a queue", &follow),
            ("Gantry, nominate", &nominate),
        ],
    );
    // Half is usual for both; a heavy pod that is refused its place costs a point and more.
    for (ours, share) in [(&follow, 0.8), (&nominate, 0.75)] {
        assert_legal(ours);
        assert_at_most(share, mean_sigma(ours), mean_sigma(&default));
    }
    // On a busy machine kube-scheduler lags behind the releases, and one pod that is refused moves the next ones.
    for (kept, least) in [(kept, 0.96), (kept_in_groups, 0.88)] {
        assert!(kept >= least, "adherence {kept}");
    }
}
