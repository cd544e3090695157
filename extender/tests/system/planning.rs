//! Planners at work beside an API server's double: what becomes of pods when planning fails, and what is told of it.

mod deviations;
mod shadow;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gantry_extender::app::App;
use gantry_extender::config::valid::{Config, ForecastSource, Forecasts};
use gantry_extender::events::Events;
use gantry_extender::forecasts::Feed;
use gantry_extender::lease::{Candidate, Role};
use gantry_extender::profile::Profiles;
use gantry_extender::profile::loader::{Loader, Occasion};
use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api_server::ApiServer;
use crate::harness::{Extender, checked, component, json as parsed, scores};

pub(crate) const BUILTIN: &str = "builtin:gantry";
pub(crate) const NODES: usize = 8;

/// An extender whose planners run, on a cluster of [`NODES`] nodes.
pub(crate) struct Trial {
    extender: Extender,
    pub(crate) server: ApiServer,
    pub(crate) app: App,
    _planners: JoinSet<()>,
}

impl Trial {
    /// The plugin is named as in a configuration; a search may take so long.
    pub(crate) fn start(folder: &Path, component: &str, plan_deadline: &str) -> Self {
        let limits = format!("{{deadline: 1500ms, planDeadline: {plan_deadline}}}");
        let plugin = format!("{{name: guest, component: {component}, limits: {limits}}}");
        Self::of_profiles(folder, &[profile("default-scheduler", &[&plugin], "{nominate: true, window: 10ms}")])
    }

    fn of_profiles(folder: &Path, profiles: &[String]) -> Self {
        let config = configuration(folder, profiles);
        let profiles = loaded(&config);
        let server = ApiServer::default();
        let mut app = App::assemble(&config, Some(server.client()), profiles).unwrap();
        server.tell(app.index());
        list(&app);
        let mut planners = JoinSet::new();
        for planner in app.planners() {
            planners.spawn(planner.run());
        }
        Self { extender: Extender::of(&app), server, app, _planners: planners }
    }

    pub(crate) async fn metric(&self, name: &str, label: &str, value: &str) -> f64 {
        let line = format!("{name}{{profile=\"default-scheduler\",{label}=\"{value}\"}}");
        self.extender.metric(&line).await.unwrap_or(0.0)
    }

    pub(crate) async fn nominations(&self, outcome: &str) -> f64 {
        self.metric("gantry_nominations_total", "outcome", outcome).await
    }

    async fn searches(&self, outcome: &str) -> f64 {
        self.metric("gantry_plan_search_duration_seconds_count", "outcome", outcome).await
    }

    async fn is(&self, state: &str) -> bool {
        self.metric("gantry_plan_state", "state", state).await == 1.0
    }

    /// What `/plan` tells of the profile.
    async fn plan(&self) -> Value {
        parsed(self.extender.admin("/plan").await.1.as_bytes())[0].clone()
    }

    pub(crate) async fn explanation(&self, pod: &str) -> Value {
        parsed(self.extender.admin(&format!("/explain/default/{pod}")).await.1.as_bytes())
    }

    /// How the nodes score for a pod.
    async fn scores(&self, pod: &str) -> Vec<(String, u64)> {
        scores(&self.ask("/prioritize", pod, "").await)
    }

    /// What is answered about a pod and all nodes but one.
    async fn ask(&self, path: &str, pod: &str, without: &str) -> Vec<u8> {
        let nodes: Vec<String> = (0..NODES).map(|number| format!("n{number}")).filter(|node| node != without).collect();
        let request = json!({"Pod": self.server.pod(pod), "Nodes": null, "NodeNames": nodes});
        self.extender.post(path, request.to_string()).await.1
    }

    /// Waits until it is known what became of a pod's place in its plan.
    async fn landed(&self, pod: &str) -> Value {
        until("the landing", async || self.explanation(pod).await["landed"].is_object()).await;
        self.explanation(pod).await
    }
}

fn configuration(folder: &Path, profiles: &[String]) -> Config {
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, "").unwrap();
    checked(&format!(
        "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\nserver: {{deadline: 4s}}\n\
         cluster: {{mode: auto, kubeconfig: '{}'}}\nprofiles: [{}]\n",
        kubeconfig.display(),
        profiles.join(", ")
    ))
}

fn loaded(config: &Config) -> Profiles {
    Loader::new(None, None).load(&config.profiles, &[], Occasion::Change).unwrap()
}

/// A profile as a configuration has it.
fn profile(scheduler: &str, plugins: &[&str], plan: &str) -> String {
    format!("{{schedulerName: {scheduler}, plugins: [{}], plan: {plan}}}", plugins.join(", "))
}

/// A node of eight cores; the nodes lie in three zones in turn.
fn node(number: usize) -> Node {
    let metadata = json!({"name": format!("n{number}"), "labels": {"zone": (number % 3).to_string()}});
    let amounts = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
    serde_json::from_value(json!({"metadata": metadata, "status": {"allocatable": amounts}})).unwrap()
}

/// As the watch does when its first lists are complete.
fn list(app: &App) {
    let index = app.index();
    let mut index = index.lock();
    index.begin_nodes();
    for number in 0..NODES {
        index.apply_node(&node(number)).unwrap();
    }
    index.finish_nodes();
    index.begin_pods();
    index.finish_pods();
}

pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn pods_whose_plan_fails_are_released_scored_one_by_one_and_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let [traps, loops] = ["trap_in_plan", "loop_in_plan"].map(|guest| component(folder.path(), guest));
    for (component, pods, deadline, reason) in [(&*traps, 2, "2s", "trap"), (&*loops, 2, "100ms", "deadline")] {
        let trial = Trial::start(folder.path(), component, deadline);
        (0..pods).for_each(|number| trial.server.create(&format!("p{number}"), true));
        until("the release of all", async || trial.server.has_released_all()).await;
        until("the count of it", async || trial.nominations("unplanned").await == f64::from(pods)).await;
        let nominated = trial.server.writes().iter().any(|write| write.starts_with("nominate"));
        assert!(!nominated, "{component}: there is no plan to nominate by");

        let plan = trial.plan().await;
        assert_eq!((&plan["stands"], &plan["state"]), (&json!(false), &json!("search-failed")), "{component}: {plan}");
        assert_eq!(plan["lastFailure"]["reason"], json!(reason), "{component}: {plan}");
        assert!(trial.is("search-failed").await && trial.searches(reason).await >= 1.0, "{component}");
        let line = format!("gantry_plugin_fallback_total{{plugin=\"guest\",reason=\"{reason}\"}}");
        assert!(trial.extender.metric(&line).await >= Some(1.0), "{component}");

        assert!(trial.scores("p0").await.iter().any(|(_, score)| *score == 10), "{component}: a plain score");
        let explanation = trial.explanation("p0").await;
        assert_eq!(explanation["decisions"][0]["unplanned"], json!("search-failed"), "{component}: {explanation}");
        let waits = trial.explanation("p1").await;
        let failure = waits["waiting"]["noPlan"]["failure"].as_str().unwrap_or_default();
        assert!(failure.starts_with(reason), "{component}: {waits}");
        let (_, text) = trial.extender.admin("/plan?format=text").await;
        assert!(text.contains("(search-failed)") && text.contains(&format!("s ago: {reason}")), "{component}: {text}");
    }
}

#[tokio::test]
async fn a_plan_that_no_search_can_renew_counts_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), &component(folder.path(), "trap_in_plan"), "2s");
    assert!(trial.is("not-synced").await || trial.is("nothing-waits").await);
    trial.server.create("first", false);
    until("a plan of the first", async || trial.is("stands").await).await;
    let planned = || trial.app.index().snapshot(Instant::now()).planned_row("first");
    assert!(planned().is_some());
    trial.server.create("second", false);
    until("the failure", async || trial.is("search-failed").await).await;
    assert_eq!(planned(), None, "the plan did not know the second pod");
    assert!(trial.scores("first").await.iter().any(|(_, score)| *score == 10));
    let serial = &trial.plan().await["serial"];
    assert_eq!(*serial, json!(1), "what was planned can still be read");
}

#[tokio::test]
async fn where_one_plugin_fails_to_plan_the_next_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let traps = format!("{{name: guest, component: {}}}", component(folder.path(), "trap_in_plan"));
    let plugins = [&*traps, "{name: behind, component: builtin:gantry}"];
    let trial = Trial::of_profiles(folder.path(), &[profile("default-scheduler", &plugins, "{nominate: true}")]);
    (0..4).for_each(|number| trial.server.create(&format!("p{number}"), true));
    until("the release of all", async || trial.server.has_released_all()).await;
    let nominated = trial.server.writes().iter().filter(|write| write.starts_with("nominate")).count();
    assert_eq!((nominated, trial.searches("ok").await), (4, 1.0));
    let line = "gantry_plugin_fallback_total{plugin=\"guest\",reason=\"trap\"}";
    assert_eq!(trial.extender.metric(line).await, Some(1.0), "it is named all the same");
}

#[tokio::test]
async fn without_the_forecasts_that_are_configured_a_plan_is_made_of_requests() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), BUILTIN, "10s");
    let source = ForecastSource::Unix(folder.path().join("nobody.sock"));
    let settings = Forecasts { source, file: None, poll: Duration::from_millis(20) };
    let feed = Feed::new(settings, trial.app.index(), trial.app.context.metrics.clone());
    let mut feeding = JoinSet::new();
    feeding.spawn(feed.run(Events::disabled().into()));
    let polls = "gantry_forecast_polls_total{outcome=\"unreachable\"}";
    until("a poll that fails", async || trial.extender.metric(polls).await >= Some(1.0)).await;

    (0..8).for_each(|number| trial.server.create(&format!("p{number}"), true));
    until("the release of all", async || trial.server.has_released_all()).await;
    let nominated = trial.server.writes().iter().filter(|write| write.starts_with("nominate")).count();
    assert_eq!(nominated, 8);
    assert_eq!(trial.plan().await["lastFailure"], Value::Null);
}

#[tokio::test]
async fn a_bound_pod_and_one_that_is_refused_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), BUILTIN, "10s");
    trial.app.lead(false);
    for (name, code) in [("bound", 422), ("refused", 500), ("free", 0)] {
        trial.server.create(name, true);
        if code > 0 {
            trial.server.refuse(name, code);
        }
    }
    trial.app.lead(true);
    until("the release of all", async || trial.server.has_released_all()).await;
    until("the counts", async || trial.nominations("unplanned").await == 2.0).await;
    for outcome in ["lost-race", "refused"] {
        assert_eq!(trial.nominations(outcome).await, 1.0, "{outcome}");
    }
    assert!(trial.server.pod("free")["status"]["nominatedNodeName"].is_string());
}

#[tokio::test]
async fn a_replica_that_does_not_lead_writes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), BUILTIN, "10s");
    trial.app.lead(false);
    until("the word of it", async || trial.plan().await["gatedPods"] == json!("not-leading")).await;
    trial.server.create("gated", true);
    // An open pod's plan shows that the planner has seen both.
    trial.server.create("open", false);
    until("a plan", async || trial.is("stands").await).await;
    assert_eq!(trial.server.writes(), [""; 0]);
    assert_eq!(trial.explanation("gated").await["waiting"]["planner"], json!("not-leading"));
    let leads = "gantry_planner_leads{profile=\"default-scheduler\"}";
    assert_eq!(trial.extender.metric(leads).await, Some(0.0));

    trial.app.lead(true);
    until("the release of all", async || trial.server.has_released_all()).await;
    assert_eq!(trial.extender.metric(leads).await, Some(1.0));
    assert_eq!(trial.server.writes(), ["nominate gated", "release gated"]);
}

#[tokio::test]
async fn a_replica_that_loses_its_lease_while_it_searches_leaves_the_batch_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), &component(folder.path(), "loop_in_plan"), "500ms");
    trial.server.create("gated", true);
    until("the search", async || trial.is("searching").await).await;
    trial.app.lead(false);
    until("its end", async || trial.searches("deadline").await == 1.0).await;
    until("the word of it", async || trial.plan().await["gatedPods"] == json!("not-leading")).await;
    assert_eq!(trial.server.writes(), [""; 0]);
    trial.app.lead(true);
    until("the release of all", async || trial.server.has_released_all()).await;
}

#[tokio::test]
async fn requests_are_answered_while_a_search_does_not_end() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), &component(folder.path(), "loop_in_plan"), "3s");
    trial.server.create("gated", true);
    until("the search", async || trial.is("searching").await).await;
    for _ in 0..10 {
        assert!(trial.scores("gated").await.iter().any(|(_, score)| *score == 10), "a plain score");
    }
    assert!(trial.is("searching").await, "they have waited for its end");
}

/// The only node of a comparison of which `key` holds.
fn the_node<'a>(explanation: &'a Value, key: &str) -> &'a Value {
    let nodes = explanation["comparison"]["nodes"].as_array().unwrap_or_else(|| panic!("{explanation:#}"));
    let mut found = nodes.iter().filter(|node| node[key] == json!(true));
    let node = found.next().unwrap_or_else(|| panic!("{explanation:#}"));
    assert!(found.next().is_none(), "{explanation:#}");
    node
}

#[tokio::test]
async fn a_nominated_pod_that_nobody_asked_about_is_compared_while_it_waits_and_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), BUILTIN, "10s");
    trial.server.create("gated", true);
    until("the release of all", async || trial.server.has_released_all()).await;
    until("the plan of it", async || trial.explanation("gated").await["plan"].is_object()).await;
    let node = trial.server.pod("gated")["status"]["nominatedNodeName"].clone();
    let waits = trial.explanation("gated").await;
    assert_eq!((&waits["state"], &waits["decisions"]), (&json!("waiting"), &json!([])));
    assert_eq!(the_node(&waits, "isPlanned")["node"], node);
    assert_eq!(waits["comparison"]["candidates"], json!(NODES));

    trial.server.bind("gated", node.as_str().unwrap());
    let bound = trial.landed("gated").await;
    assert_eq!((&bound["landed"]["landing"], &bound["landed"]["why"]), (&json!("planned"), &Value::Null));
    let own = the_node(&bound, "isItsNode");
    assert_eq!((&own["node"], &own["rank"], &own["isPlanned"]), (&node, &json!(1), &json!(true)), "{bound:#}");
    assert_eq!(own["loads"][0]["before"], json!(0.0), "it is not its own neighbour: {bound:#}");
    assert!(bound["comparison"]["nodes"].as_array().unwrap().len() >= 2, "and there is a next best: {bound:#}");
}

#[tokio::test]
async fn a_pod_that_landed_elsewhere_says_why_where_a_record_tells() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(folder.path(), BUILTIN, "10s");
    for (pod, is_asked, why) in [("offered-others", true, "not-offered"), ("unasked", false, "unknown")] {
        trial.server.create(pod, false);
        until("a plan of it", async || trial.explanation(pod).await["plan"]["stands"] == json!(true)).await;
        let planned = trial.explanation(pod).await["plan"]["node"].as_str().unwrap().to_owned();
        let other = if planned == "n0" { "n1" } else { "n0" };
        if is_asked {
            trial.ask("/filter", pod, &planned).await;
        }
        assert_eq!(trial.metric("gantry_plan_elsewhere_total", "reason", why).await, 0.0, "{why}");
        trial.server.bind(pod, other);
        let landed = trial.landed(pod).await;
        assert_eq!(landed["landed"]["why"], json!(why), "{landed:#}");
        assert_eq!(trial.metric("gantry_plan_elsewhere_total", "reason", why).await, 1.0, "{why}");
        assert_eq!(the_node(&landed, "isItsNode")["node"], json!(other));
        assert_eq!(the_node(&landed, "isPlanned")["node"], json!(planned));
    }
}

/// The lease holds for 10 s from the last renewal that anybody saw; the holder must be quiet before.
#[tokio::test]
async fn a_holder_whose_api_server_hangs_stops_leading_before_anybody_else_may_begin() {
    let server = ApiServer::default();
    let (role, mut now) = watch::channel(Role::Alone);
    let candidate = Candidate { namespace: "default".to_owned(), identity: "a".to_owned(), address: None };
    let mut tasks = JoinSet::new();
    tasks.spawn(candidate.run(server.client(), role, || true));
    now.wait_for(|role| *role == Role::Leads).await.unwrap();
    server.hang();
    let heard = Instant::now();
    now.wait_for(|role| *role != Role::Leads).await.unwrap();
    assert!(heard.elapsed() < Duration::from_secs(10), "{:?}", heard.elapsed());
}

/// Whoever takes the lease may hear of it before the answer is with the one who gave it away.
#[tokio::test]
async fn a_holder_that_sees_the_cluster_no_longer_stops_leading_though_the_api_server_hangs() {
    let server = ApiServer::default();
    let (role, mut now) = watch::channel(Role::Alone);
    let candidate = Candidate { namespace: "default".to_owned(), identity: "a".to_owned(), address: None };
    let sees = Arc::new(AtomicBool::new(true));
    let mut tasks = JoinSet::new();
    let seen = Arc::clone(&sees);
    tasks.spawn(candidate.run(server.client(), role, move || seen.load(Ordering::Relaxed)));
    now.wait_for(|role| *role == Role::Leads).await.unwrap();
    let start = Instant::now();
    sees.store(false, Ordering::Relaxed);
    server.hang();
    now.wait_for(|role| *role != Role::Leads).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "it did not wait for an answer: {:?}", start.elapsed());
}

#[tokio::test]
async fn a_holder_that_sees_the_cluster_no_longer_or_ends_makes_room_for_the_next_at_once() {
    let server = ApiServer::default();
    let start = Instant::now();
    let candidate = |identity: &str| {
        let (namespace, identity) = ("default".to_owned(), identity.to_owned());
        Candidate { namespace, identity, address: None }
    };
    let sees: [Arc<AtomicBool>; 3] = [true, true, true].map(|sees| Arc::new(AtomicBool::new(sees)));
    let mut tasks = JoinSet::new();
    let mut roles = Vec::new();
    for (identity, sees) in ["a", "b", "c"].into_iter().zip(&sees) {
        let ((role, mut now), sees) = (watch::channel(Role::Alone), Arc::clone(sees));
        let is_first = roles.is_empty();
        let task = tasks.spawn(candidate(identity).run(server.client(), role, move || sees.load(Ordering::Relaxed)));
        if is_first {
            now.wait_for(|role| *role == Role::Leads).await.unwrap();
        }
        roles.push((now, task));
    }
    sees[0].store(false, Ordering::Relaxed);
    sees[2].store(false, Ordering::Relaxed);
    roles[1].0.wait_for(|role| *role == Role::Leads).await.unwrap();
    assert_eq!(*roles[0].0.borrow(), Role::Alone);

    roles[1].1.abort();
    candidate("b").give_back(server.client()).await;
    sees[2].store(true, Ordering::Relaxed);
    roles[2].0.wait_for(|role| *role == Role::Leads).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "nobody waited for a lease to end: {:?}", start.elapsed());
}
