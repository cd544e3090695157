//! A planner step by step, beside an API server that takes whatever is written.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Request, Response};
use kube::Client;
use serde_json::{Value, json};

use super::*;
use crate::app::App;
use crate::config::{self, Surroundings};
use crate::decision::{DecisionRecord, Trace};
use crate::profile::loader::{Loader, Occasion};
use crate::verb::Verb;

const WINDOW: Duration = Duration::from_millis(200);

/// What was written, one path after the other.
type Writes = Arc<Mutex<Vec<String>>>;

/// The planner of the profile `s`, and what it works with.
struct Trial {
    app: App,
    planner: Planner,
    writes: Writes,
    now: Instant,
}

impl Trial {
    fn of(plan: &str) -> Self {
        let profile = "schedulerName: s, plugins: [{name: gantry, component: 'builtin:gantry'}]";
        let head = "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: auto}\n";
        let text = format!("{head}profiles: [{{{profile}, plan: {plan}}}]\n");
        let file = config::parse(&text, Path::new("test.yaml")).unwrap();
        let config = config::check::check(file, Surroundings { is_in_cluster: true }).unwrap();
        let profiles = Loader::new(None, None).load(&config.profiles, &[], Occasion::Change).unwrap();
        let writes = Writes::default();
        let mut app = App::assemble(&config, Some(client(&writes)), profiles).unwrap();
        let planner = app.planners().pop().unwrap();
        let trial = Self { app, planner, writes, now: Instant::now() };
        let node = json!({"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "4", "pods": "9"}}});
        let index = trial.app.index();
        let mut index = index.lock();
        index.begin_nodes();
        index.apply_node(&serde_json::from_value(node).unwrap()).unwrap();
        index.finish_nodes();
        index.begin_pods();
        index.finish_pods();
        drop(index);
        trial
    }

    /// A gated pod of one core comes.
    fn create(&self, name: &str) -> Arc<PodRow> {
        let containers = json!([{"name": "c", "resources": {"requests": {"cpu": "1"}}}]);
        let spec = json!({"schedulerName": "s", "containers": containers, "schedulingGates": [{"name": GATE}]});
        let metadata = json!({"name": name, "namespace": "default", "uid": format!("uid-{name}")});
        let pod = serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
        let index = self.app.index();
        let mut index = index.lock();
        assert!(index.apply_pod(&pod).unwrap());
        index.row_of(&pod).unwrap()
    }

    /// Looks, and once more when a batch is complete; what was written meanwhile.
    async fn gather(&mut self) -> Vec<String> {
        for _ in 0..2 {
            Box::pin(self.planner.step(self.now)).await;
            self.now += WINDOW;
        }
        std::mem::take(&mut *self.writes.lock().unwrap())
    }
}

/// Every write is answered with a pod.
fn client(writes: &Writes) -> Client {
    let writes = Arc::clone(writes);
    let answer = move |request: Request<kube::client::Body>| {
        writes.lock().unwrap().push(request.uri().path().to_owned());
        let pod: Value = json!({"metadata": {"name": "any", "resourceVersion": "2"}});
        async move { Ok::<_, Infallible>(Response::new(Body::from(pod.to_string()))) }
    };
    Client::new(tower::service_fn(answer), "default")
}

#[tokio::test]
async fn after_a_panic_what_was_gated_is_released_as_it_is_and_the_next_batch_is_planned() {
    let mut trial = Trial::of("{nominate: true}");
    let path = |name: &str| format!("/api/v1/namespaces/default/pods/{name}");
    trial.create("first");
    trial.planner.start_over();
    assert_eq!(trial.gather().await, [path("first")], "no status is written");

    assert!(trial.app.index().lock().delete_pod("uid-first"));
    trial.create("second");
    assert_eq!(trial.gather().await, [path("second") + "/status", path("second")]);
}

#[tokio::test]
async fn a_panic_before_anybody_was_gated_is_nobodys() {
    let mut trial = Trial::of("{nominate: true}");
    trial.planner.start_over();
    assert_eq!(trial.gather().await, [""; 0]);
    trial.create("later");
    assert_eq!(trial.gather().await.len(), 2, "it is nominated before it is released");
}

#[tokio::test]
async fn a_pod_is_where_it_was_planned_by_chance_unless_somebody_was_told() {
    let trial = Trial::of("{nominate: true}");
    let pod = trial.create("web");
    assert!(!trial.planner.was_led(&pod, "n1", None));
    assert!(trial.planner.was_led(&pod, "n1", Some(Nomination::Kept)));
    let trace = Trace { planned: Some("n1".into()), ..Trace::default() };
    trial.app.context.decisions.keep(DecisionRecord { trace, ..DecisionRecord::sample("web", Verb::Prioritize) });
    assert!(trial.planner.was_led(&pod, "n1", None));
    assert!(!trial.planner.was_led(&pod, "n2", None), "another node was told");
    let follows = Trial::of("{}");
    assert!(follows.planner.was_led(&pod, "n1", None), "another replica may have been asked");
}

#[test]
fn looks_take_a_fiftieth_of_a_core_at_most() {
    for (look, pause) in [(0, 20_000), (400, 20_000), (1_000, 50_000), (10_000, 500_000), (90_000, 1_000_000)] {
        assert_eq!(rest(Duration::from_micros(look)), Duration::from_micros(pause));
    }
}
