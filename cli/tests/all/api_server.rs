//! A server on loopback that answers as an API server, or an extender, would: from a table of routes.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// A request as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

/// An answer: status and body.
pub(crate) type Answer = (u16, String);

/// What answers, given the requests that came before and this one.
type Handler = dyn Fn(&[Request], &Request) -> Answer + Send + Sync;

struct Shared {
    requests: Mutex<Vec<Request>>,
    handler: Box<Handler>,
}

/// A server; it ends with the process.
pub(crate) struct Server {
    shared: Arc<Shared>,
    pub(crate) url: String,
    kubeconfig: tempfile::NamedTempFile,
}

impl Server {
    /// A server that answers by `handler`.
    pub(crate) fn start(handler: impl Fn(&[Request], &Request) -> Answer + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { requests: Mutex::default(), handler: Box::new(handler) });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await.unwrap();
            });
        });
        let mut kubeconfig = tempfile::NamedTempFile::new().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": url}}], "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        });
        kubeconfig.write_all(config.to_string().as_bytes()).unwrap();
        Self { shared, url, kubeconfig }
    }

    /// The file that leads here.
    pub(crate) fn kubeconfig(&self) -> String {
        self.kubeconfig.path().to_string_lossy().into_owned()
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
    let request = Request {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        content_type: content_type.unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let mut requests = shared.requests.lock().unwrap();
    let (status, body) = (shared.handler)(&requests, &request);
    requests.push(request);
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// A list of pods, with the token of the next page, if there is one.
pub(crate) fn pod_list(pods: &[Value], next: &str) -> Answer {
    let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": {"continue": next}, "items": pods});
    (200, list.to_string())
}

/// A refusal in the API server's words.
pub(crate) fn status(code: u16, message: &str) -> Answer {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": message, "reason": "Conflict", "code": code,
    });
    (code, status.to_string())
}
