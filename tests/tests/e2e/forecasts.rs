//! Forecasts all the way: a real Prometheus, the real sidecar, the real extender, kube-scheduler, and the nodes that are
//! chosen.

mod usage;

use std::collections::BTreeMap;
use std::time::Duration;

use gantry_tests::extender::ExtenderSettings;
use gantry_tests::metrics::sum_of;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::workload::{create, node, pod};
use gantry_tests::{ControlPlane, Extender, Forecaster, Prometheus, Scheduler};
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::{Api, ListParams};
use usage::Usage;

/// By the cpu that pods ask for, `hot` is the emptiest node and `warm` the fullest.
const NODES: [(&str, i64); 4] = [("hot", 0), ("cool-1", 200), ("cool-2", 400), ("warm", 600)];
const NAMES: [&str; 4] = ["hot", "cool-1", "cool-2", "warm"];
/// What they really use, as shares. `hotShare` is 0.9.
const SHARES: [(&str, f64); 4] = [("hot", 0.95), ("cool-1", 0.3), ("cool-2", 0.35), ("warm", 0.75)];

/// A minute has to close before a change of usage is seen, and rates are means over some seconds.
const A_MINUTE_CLOSES: Duration = Duration::from_mins(3);
/// The extender asks the sidecar every second.
const SOON: Duration = Duration::from_secs(30);

const OVERLOADED: &str = "node(s) forecast to be overloaded soon";

/// A cluster of [`NODES`] and an extender that follows a sidecar, which does not run yet.
struct Bench {
    plane: ControlPlane,
    forecaster: Forecaster,
    extender: Extender,
}

impl Bench {
    async fn start() -> Self {
        let plane = ControlPlane::start().await.unwrap();
        let nodes = NODES.map(|(name, _)| node(name, &[16_000, 64 << 10, 100, 100]));
        create(&Api::<Node>::all(plane.client()), nodes.into_iter()).await.unwrap();
        let residents = NODES.into_iter().filter(|(_, cpu)| *cpu > 0).map(|(name, cpu)| {
            let mut resident = pod(&format!("resident-of-{name}"), &[cpu, 64, 0, 0]);
            resident.spec.get_or_insert_default().node_name = Some(name.to_owned());
            resident
        });
        create(&Api::<Pod>::default_namespaced(plane.client()), residents).await.unwrap();
        let forecaster = Forecaster::stopped(plane.folder()).unwrap();
        let settings = ExtenderSettings { forecasts: forecaster.section(), ..ExtenderSettings::default() };
        let extender = Extender::start(&plane, &settings).await.unwrap();
        Self { plane, forecaster, extender }
    }

    /// Which of the nodes filter refuses, and why.
    async fn refused(&self, nodes: &[&str]) -> anyhow::Result<BTreeMap<String, String>> {
        let answer = self.extender.ask("filter", &asked(), nodes).await?;
        Ok(serde_json::from_value(answer["FailedNodes"].clone()).unwrap_or_default())
    }

    /// The priorities of [`NAMES`], in their order.
    async fn priorities(&self) -> anyhow::Result<[u64; 4]> {
        let answer = self.extender.ask("prioritize", &asked(), &NAMES).await?;
        let of = |name: &str| answer.as_array()?.iter().find(|entry| entry["Host"] == name)?["Score"].as_u64();
        // Who has 0 is not named.
        Ok(NAMES.map(|name| of(name).unwrap_or(0)))
    }

    async fn until_hot_is(&self, refused: bool, limit: Duration) {
        let what = if refused { "`hot` to be refused" } else { "`hot` to pass" };
        let asked =
            until(what, limit, async || Ok((self.refused(&NAMES).await?.contains_key("hot") == refused).then_some(())));
        asked.await.unwrap_or_else(|error| panic!("{error:#}\n{}", self.forecaster.log_end(20)));
    }

    async fn forecasts(&self, state: &str) -> f64 {
        sum_of(&self.extender.metrics().await.unwrap(), "gantry_forecast_entries", &[("state", state)])
    }

    async fn left_out(&self, reason: &str) -> f64 {
        sum_of(&self.extender.metrics().await.unwrap(), "gantry_forecast_left_out_total", &[("reason", reason)])
    }

    async fn polls(&self, outcome: &str) -> f64 {
        sum_of(&self.extender.metrics().await.unwrap(), "gantry_forecast_polls_total", &[("outcome", outcome)])
    }

    /// Lets kube-scheduler place pods with these names; the nodes where they went.
    async fn placed(&self, names: &[String]) -> Vec<String> {
        let stanza = ExtenderStanza::new(self.extender.url());
        let _scheduler = Scheduler::start(&self.plane, &SchedulerSettings::with_extender(stanza)).await.unwrap();
        let pods = Api::<Pod>::default_namespaced(self.plane.client());
        create(&pods, names.iter().map(|name| pod(name, &[10, 16, 0, 0]))).await.unwrap();
        let node_of = |pod: Pod| names.contains(pod.metadata.name.as_ref()?).then_some(pod.spec?.node_name?);
        until("the pods to be bound", Duration::from_mins(1), async || {
            let bound: Vec<String> =
                pods.list(&ListParams::default()).await?.items.into_iter().filter_map(node_of).collect();
            Ok((bound.len() == names.len()).then_some(bound))
        })
        .await
        .unwrap()
    }
}

/// A pod that nobody creates: small enough to change nothing.
fn asked() -> Pod {
    let mut pod = pod("asked", &[10, 16, 0, 0]);
    pod.metadata.namespace = Some("default".to_owned());
    pod.metadata.uid = Some("9b1d7a52-0f0e-4a57-b5a5-6a3a3b7c9f01".to_owned());
    pod.spec.get_or_insert_default().scheduler_name = Some("default-scheduler".to_owned());
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_will_run_hot_is_avoided_until_it_cools_down() {
    let mut bench = Bench::start().await;
    // Without a sidecar requests decide.
    assert_eq!(bench.refused(&NAMES).await.unwrap(), BTreeMap::new());
    assert_eq!(bench.priorities().await.unwrap(), [10, 9, 4, 0]);

    let (usage, past) = Usage::with_past(&SHARES, usage::now());
    let (exporter, _serving) = usage.serve().await;
    let mut prometheus = Prometheus::start(bench.plane.folder(), &past, Some(&exporter)).await.unwrap();
    bench.forecaster.start(&prometheus.url()).await.unwrap();

    bench.until_hot_is(true, SOON).await;
    let refused = bench.refused(&NAMES).await.unwrap();
    assert_eq!(refused, BTreeMap::from([("hot".to_owned(), OVERLOADED.to_owned())]));
    assert_eq!(bench.priorities().await.unwrap(), [0, 10, 9, 4]);
    assert_eq!(bench.refused(&["hot"]).await.unwrap(), BTreeMap::new(), "nothing else is left");
    assert!(bench.forecasts("fresh").await >= 8.0, "cpu and memory of four nodes");
    let nodes = bench.placed(&["first", "second", "third"].map(str::to_owned)).await;
    assert!(!nodes.contains(&"hot".to_owned()), "{nodes:?}");

    sidecar_dies_and_returns(&mut bench, &mut prometheus, &usage).await;

    bench.until_hot_is(false, A_MINUTE_CLOSES).await;
    until("`hot` to be the best node again", A_MINUTE_CLOSES, async || {
        Ok((bench.priorities().await? == [10, 9, 4, 0]).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(bench.placed(&["last".to_owned()]).await, ["hot"]);
    assert_eq!(bench.extender.fallbacks().await.unwrap(), 0.0);
}

/// The sidecar is killed and the extender restarted, Prometheus is killed and the sidecar restarted: the file has what
/// was forecast. Meanwhile `hot` cools down, which nobody but Prometheus sees.
async fn sidecar_dies_and_returns(bench: &mut Bench, prometheus: &mut Prometheus, usage: &Usage) {
    let failures = bench.polls("unreachable").await;
    bench.forecaster.kill();
    usage.set("hot", 0.05);
    until("a poll that fails", SOON, async || Ok((bench.polls("unreachable").await > failures).then_some(())))
        .await
        .unwrap();
    assert!(bench.refused(&NAMES).await.unwrap().contains_key("hot"), "what was read is not forgotten");
    bench.extender.restart().await.unwrap();
    bench.until_hot_is(true, SOON).await;
    assert_eq!(bench.polls("changed").await, 0.0, "it came from the file");

    prometheus.kill();
    bench.forecaster.restart().await.unwrap();
    until("the sidecar's own snapshot", SOON, async || Ok((bench.polls("changed").await > 0.0).then_some(())))
        .await
        .unwrap();
    assert!(bench.refused(&NAMES).await.unwrap().contains_key("hot"));
    prometheus.restart().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn forecasts_that_grow_too_old_are_left_out_and_pods_are_placed_by_requests() {
    // They expire after 180 s: a minute for all to start on a busy machine, and then there is nothing to wait for but that.
    const AGE: f64 = 115.0;
    let mut bench = Bench::start().await;
    let (_, past) = Usage::with_past(&SHARES, usage::now() - AGE);
    let prometheus = Prometheus::start(bench.plane.folder(), &past, None).await.unwrap();
    bench.forecaster.start(&prometheus.url()).await.unwrap();
    bench.until_hot_is(true, SOON).await;
    assert!(bench.forecasts("stale").await >= 4.0);

    bench.forecaster.kill();
    bench.until_hot_is(false, Duration::from_mins(2)).await;
    assert!(bench.forecasts("expired").await >= 4.0, "cpu of four nodes");
    assert!(bench.left_out("expired").await >= 4.0);
    assert_eq!(bench.priorities().await.unwrap(), [10, 9, 4, 0]);
    assert!(bench.extender.is_ready().await);
    let events = Api::<Event>::default_namespaced(bench.plane.client());
    let on_hot = ListParams::default().fields("reason=ForecastLeftOut,involvedObject.name=hot");
    let event = until("an Event on the node", SOON, async || Ok(events.list(&on_hot).await?.items.into_iter().next()));
    assert!(event.await.unwrap().message.unwrap_or_default().contains("(expired)"));
    assert_eq!(bench.placed(&["placed-by-requests".to_owned()]).await, ["hot"]);
}
