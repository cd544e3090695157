//! An extender without a cluster, and the requests to send to it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use gantry_cluster::SharedIndex;
use gantry_extender::app::App;
use gantry_extender::args::ServeArgs;
use gantry_extender::config::{self, Config, Surroundings};
use gantry_extender::handlers::Context;
use gantry_extender::reload::Reloader;
use gantry_extender::server::apart;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::{DefaultGuard, set_default};

/// An extender with its two routers.
pub(crate) struct Extender {
    pub(crate) context: Arc<Context>,
    pub(crate) index: Arc<SharedIndex>,
    endpoints: Router,
    admin: Router,
}

/// Where components compiled by tests are kept.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/components");

/// A status and a body.
pub(crate) type Answer = (StatusCode, Vec<u8>);

impl Extender {
    /// An extender with the built-in plugin and the sections given, besides a `cluster` of mode none.
    ///
    /// What an earlier test compiled is taken from a cache: a second and more of both cores for every test.
    pub(crate) fn new(sections: &str) -> Self {
        let mut config = configuration(sections);
        config.cache.get_or_insert_with(|| CACHE.into());
        Self::of(&App::without_cluster(&config).expect("a good configuration"))
    }

    /// The routers of an extender that is put together already.
    pub(crate) fn of(app: &App) -> Self {
        Self { context: Arc::clone(&app.context), index: app.index(), endpoints: app.extender(), admin: app.admin() }
    }

    /// An extender whose plugin is one of the guests.
    pub(crate) fn with_guest(guest: &str, sections: &str) -> (Self, tempfile::TempDir) {
        Self::with_component(gantry_guests::bytes(guest), "400ms", sections)
    }

    /// An extender whose plugin is made of these bytes and may take this long for a call.
    pub(crate) fn with_component(bytes: &[u8], deadline: &str, sections: &str) -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guest.wasm");
        std::fs::write(&path, bytes).unwrap();
        let component = format!("component: 'file:{}'", path.display());
        let plugin = format!("{{name: guest, {component}, limits: {{deadline: {deadline}}}}}");
        let profiles = format!("profiles: [{{schedulerName: default-scheduler, plugins: [{plugin}]}}]\n{sections}");
        (Self::new(&profiles), folder)
    }

    /// An extender that follows a configuration file, and what looks at the file when told to.
    pub(crate) fn reloading(file: &Path) -> (Self, Reloader) {
        let flags = ServeArgs { config: Some(file.to_owned()), ..ServeArgs::default() };
        let (app, reloader) = App::reloading(&flags).expect("a good configuration");
        (Self::of(&app), reloader.expect("there is a file"))
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send("POST", path, body).await
    }

    /// On a thread of its own, as the server does it.
    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
        let answering = self.endpoints.clone().oneshot(request).with_current_subscriber();
        apart(async move || read(answering.await.unwrap()).await).unwrap().await.unwrap()
    }

    pub(crate) async fn admin(&self, path: &str) -> (StatusCode, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let (status, body) = read(self.admin.clone().oneshot(request).await.unwrap()).await;
        (status, String::from_utf8(body).unwrap())
    }

    /// How an admin's page is answered to somebody who has the document of this tag.
    pub(crate) async fn admin_if_none_match(&self, path: &str, tag: &str) -> StatusCode {
        let request = Request::builder().uri(path).header("if-none-match", tag).body(Body::empty()).unwrap();
        self.admin.clone().oneshot(request).await.unwrap().status()
    }

    /// The sum of the lines of `/metrics` that have a name and begin with these labels; `None` where there is none.
    pub(crate) async fn metric(&self, name_and_labels: &str) -> Option<f64> {
        let (_, text) = self.admin("/metrics").await;
        let start = name_and_labels.strip_suffix('}');
        let ends: &[char] = if start.is_some() { &['}', ','] } else { &[' '] };
        let start = start.unwrap_or(name_and_labels);
        let value = |line: &str| {
            let rest = line.strip_prefix(start).filter(|rest| rest.starts_with(ends))?;
            rest.rsplit_once(' ')?.1.parse::<f64>().ok()
        };
        text.lines().filter_map(value).reduce(|sum, value| sum + value)
    }

    /// How many pods count as placed by our own answers.
    pub(crate) async fn assumed(&self) -> f64 {
        self.metric("gantry_assumed_pods").await.unwrap()
    }
}

/// A component as a file in a folder, and how a configuration names it.
pub(crate) fn component(folder: &Path, guest: &str) -> String {
    let path = folder.join(format!("{guest}.wasm"));
    std::fs::write(&path, gantry_guests::bytes(guest)).unwrap();
    format!("'file:{}'", path.display())
}

/// The head that every test's configuration begins with.
pub(crate) const HEAD: &str = "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: none}\n";

pub(crate) fn configuration(sections: &str) -> Config {
    checked(&format!("{HEAD}{sections}"))
}

pub(crate) fn checked(text: &str) -> Config {
    let file = config::parse(text, Path::new("test.yaml")).expect("a good configuration");
    config::check::check(file, Surroundings::default()).expect("a good configuration")
}

/// Writes what is logged into a file, for as long as what is returned is kept.
pub(crate) fn log_to(file: &Path) -> DefaultGuard {
    let writer = Mutex::new(std::fs::File::create(file).unwrap());
    set_default(tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish())
}

pub(crate) async fn read(response: Response<Body>) -> Answer {
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/kube-scheduler")
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// The scores of a prioritize answer, by host.
pub(crate) fn scores(bytes: &[u8]) -> Vec<(String, u64)> {
    let list = json(bytes);
    let entry = |entry: &Value| (entry["Host"].as_str().unwrap().to_owned(), entry["Score"].as_u64().unwrap());
    list.as_array().unwrap().iter().map(entry).collect()
}

/// A request with whole nodes, made by hand: nodes `n0`, `n1`… with the given labels.
pub(crate) fn full_request(pod_uid: &str, pod_labels: &str, node_labels: &[&str]) -> String {
    let node = |(number, labels): (usize, &&str)| {
        format!(
            r#"{{"metadata":{{"name":"n{number}","resourceVersion":"1","labels":{labels}}},"status":{{"allocatable":{{"cpu":"8","memory":"32Gi","pods":"110"}}}}}}"#
        )
    };
    let nodes: Vec<String> = node_labels.iter().enumerate().map(node).collect();
    format!(
        r#"{{"Pod":{},"Nodes":{{"metadata":{{}},"items":[{}]}},"NodeNames":null}}"#,
        pod(pod_uid, pod_labels, "500m"),
        nodes.join(",")
    )
}

/// The same with nodes that grow, so that the built-in plugin finds no two of them equally good.
pub(crate) fn uneven_request(pod_uid: &str, nodes: usize) -> String {
    let request = full_request(pod_uid, "{}", &vec!["{}"; nodes]);
    let mut size = 0;
    let parts = request.split(r#""cpu":"8""#).map(str::to_owned);
    let grown = parts.reduce(|before, after| {
        size += 2;
        format!(r#"{before}"cpu":"{size}"{after}"#)
    });
    grown.unwrap_or_default()
}

pub(crate) fn pod(uid: &str, labels: &str, cpu: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"p-{uid}","namespace":"default","uid":"{uid}","labels":{labels}}},"spec":{{"schedulerName":"default-scheduler","containers":[{{"name":"c","resources":{{"requests":{{"cpu":"{cpu}"}}}}}}]}}}}"#
    )
}
