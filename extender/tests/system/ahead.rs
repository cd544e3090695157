//! What is done behind an answer, on the connection that it was sent on.

use std::time::Duration;

use gantry_extender::server::{Server, Threads};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::{Extender, scores, uneven_request};

const SCORE_CALLS: &str =
    "gantry_plugin_call_duration_seconds_count{plugin=\"gantry\",extension_point=\"score\",outcome=\"ok\"}";

/// A connection that is kept, as kube-scheduler keeps its own.
struct Kept {
    extender: Extender,
    requests: SendRequest<String>,
    _over: watch::Sender<bool>,
}

impl Kept {
    async fn open() -> Self {
        let extender = Extender::new("");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (over, is_over) = watch::channel(false);
        let (router, keep_alive) = (extender.endpoints.clone(), Duration::from_mins(2));
        let server = Server { listener, router, tls: None, keep_alive, threads: Threads::OneEach };
        tokio::spawn(server.run(is_over));
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (requests, connection) = handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { extender, requests, _over: over }
    }

    async fn ask(&mut self, path: &str, pod: &str, nodes: usize) -> Vec<u8> {
        let request = hyper::Request::post(path).header("host", "gantry");
        let request = request.body(uneven_request(pod, nodes)).unwrap();
        self.requests.ready().await.unwrap();
        let answer = self.requests.send_request(request).await.unwrap();
        answer.into_body().collect().await.unwrap().to_bytes().into()
    }

    async fn calls(&self) -> f64 {
        self.extender.metric(SCORE_CALLS).await.unwrap_or(0.0)
    }

    /// Asks for Filter, and how often plugins were asked for scores when the connection's next request was answered.
    async fn filter(&mut self, pod: &str) -> f64 {
        self.ask("/filter", pod, 3).await;
        self.ask("/nowhere", pod, 0).await;
        self.calls().await
    }

    /// How often plugins were asked for scores after this request for them, and which node is best.
    async fn prioritize(&mut self, pod: &str, nodes: usize) -> (f64, String) {
        let answer = self.ask("/prioritize", pod, nodes).await;
        let best = scores(&answer).into_iter().max_by_key(|(_, score)| *score);
        (self.calls().await, best.unwrap().0)
    }

    /// A pod whose scores are there before anybody asks for them, and how often plugins were asked by then. A busy machine
    /// may make a plugin look slow now and then, of which nothing is asked ahead.
    async fn filter_ahead(&mut self, name: &str) -> (String, f64) {
        for attempt in 0..100 {
            let pod = format!("{name}-{attempt}");
            let (before, _) = self.prioritize(&pod, 3).await;
            let calls = self.filter(&pod).await;
            if calls > before {
                assert_eq!(calls, before + 1.0);
                return (pod, calls);
            }
        }
        panic!("nothing is asked ahead");
    }
}

#[tokio::test]
async fn where_scores_are_wanted_they_are_there_before_they_are_asked_for_and_anew_where_something_has_changed() {
    let mut kept = Kept::open().await;
    assert_eq!([kept.filter("u0").await, kept.filter("u1").await], [0.0; 2], "nobody has wanted scores");

    let (pod, calls) = kept.filter_ahead("there").await;
    let (then, best) = kept.prioritize(&pod, 3).await;
    assert_eq!(then, calls, "they were there");
    assert_eq!(kept.prioritize(&pod, 3).await, (calls + 1.0, best), "they count once, and are the same");

    let (pod, calls) = kept.filter_ahead("changed").await;
    assert_eq!(kept.prioritize(&pod, 4).await.0, calls + 1.0, "a node has come since");

    let (_, calls) = kept.filter_ahead("in-vain").await;
    assert_eq!([kept.filter("u2").await, kept.filter("u3").await], [calls; 2], "the last ones were asked for in vain");
}
