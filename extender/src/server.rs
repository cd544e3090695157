//! Serving a router on a socket: HTTP/1.1, keep-alive, TLS, and a graceful end.
//!
//! Promises that an idle connection outlives kube-scheduler's own 90 s, and that a
//! request which is being answered when the end comes is answered. Where each connection
//! has a thread of its own, a request is read, decided and written without a change of
//! threads, and keeps nobody waiting but its own client; one that made its thread step
//! back is the last of its connection, so that nobody inherits a place behind all
//! others. Knows no paths.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use gantry_host::turn::has_stepped_back;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::rt::Timer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tower::ServiceExt as _;

use crate::tls::Handshakes;

/// A handshake takes milliseconds; who needs longer keeps a socket from others.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The longest deadline of a request and as much again for its body.
const GRACE: Duration = Duration::from_secs(10);
/// Where no socket can be opened there is nothing to do but wait for others to be closed.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);
/// Connections at once that have a thread each; who comes then waits until one ends. kube-scheduler keeps two.
const MOST: usize = 512;

/// Where connections are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// All on those of the runtime that the server runs on: handlers must not block.
    Shared,
    /// Each on one of its own: handlers may block.
    OneEach,
}

/// One socket and what is served on it.
pub struct Server {
    /// Bound already: its address is known before anything is served.
    pub listener: TcpListener,
    /// What is served.
    pub router: Router,
    /// https instead of http.
    pub tls: Option<Handshakes>,
    /// How long a connection may lie idle, and how long a request's head may take.
    pub keep_alive: Duration,
    /// Where its connections are served.
    pub threads: Threads,
}

/// What every connection of a server shares.
#[derive(Clone)]
struct Connections {
    router: Router,
    tls: Option<Handshakes>,
    http: http1::Builder,
}

impl Server {
    /// Serves until `shutdown` turns true, then stops accepting and lets requests finish.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        self.run_with(MOST, shutdown).await;
    }

    async fn run_with(self, most: usize, mut shutdown: watch::Receiver<bool>) {
        let http = http(self.keep_alive, TokioTimer::new());
        let connections = Connections { router: self.router, tls: self.tls, http };
        let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(most)));
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &places) => accepted,
                () = until_over(&mut shutdown) => break,
            };
            let (connections, watcher) = (connections.clone(), graceful.watcher());
            let served = accepted.and_then(|(stream, peer, place)| match self.threads {
                Threads::Shared => {
                    drop(tokio::spawn(connections.serve(stream, peer, watcher)));
                    Ok(())
                }
                Threads::OneEach => connections.serve_apart(stream.into_std()?, peer, watcher, place),
            });
            if let Err(error) = served {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(OUT_OF_SOCKETS).await;
            }
        }
        drop(self.listener);
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::warn!(grace = ?GRACE, "connections cut: requests did not finish");
        }
    }
}

/// The next connection, once there is a place for it.
///
/// # Panics
/// Never: nobody closes the semaphore.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.expect("invariant: the semaphore is never closed");
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Does `work` on a thread of its own, as a connection's is done, and gives its result to whoever waits for it; nobody
/// gets one if `work` panics.
///
/// # Errors
/// The system has no thread left, or no socket to wait on.
pub fn apart<T: Send + 'static, F: Future<Output = T>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // Nobody may wait for it any longer.
    let work = move || drop(done.send(runtime.block_on(async { work().await })));
    thread::Builder::new().name("gantry-requests".to_owned()).spawn(work)?;
    Ok(result)
}

/// The sender's end counts as the end too.
async fn until_over(shutdown: &mut watch::Receiver<bool>) {
    drop(shutdown.wait_for(|is_over| *is_over).await);
}

/// hyper's timeout for a request's head runs from the moment the connection is idle, so it is the idle timeout too.
fn http(keep_alive: Duration, timer: impl Timer + Send + Sync + 'static) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(timer).header_read_timeout(keep_alive).keep_alive(true);
    http
}

impl Connections {
    fn serve_apart(
        self,
        stream: std::net::TcpStream,
        peer: SocketAddr,
        watcher: Watcher,
        place: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        let serving = async move || {
            match TcpStream::from_std(stream) {
                Ok(stream) => self.serve(stream, peer, watcher).await,
                Err(error) => tracing::warn!(%peer, %error, "connection not served"),
            }
            drop(place);
        };
        apart(serving).map(drop)
    }

    async fn serve(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Answers are small and written at once; waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        match self.tls.as_ref().map(Handshakes::acceptor) {
            None => self.talk(stream, peer, watcher).await,
            Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.talk(stream, peer, watcher).await,
                Ok(Err(error)) => tracing::warn!(%peer, %error, "TLS handshake failed"),
                Err(_elapsed) => tracing::warn!(%peer, "TLS handshake took too long"),
            },
        }
    }

    async fn talk(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, peer: SocketAddr, watcher: Watcher) {
        let answer = service_fn(|request: hyper::Request<Incoming>| {
            let answering = self.router.clone().oneshot(request);
            async move {
                let mut response = answering.await?;
                if has_stepped_back() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), answer);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net;
    use std::pin::Pin;
    use std::sync::{Barrier, Mutex, mpsc};
    use std::task::{Context, Poll, Waker};
    use std::time::Instant;

    use axum::routing::get;
    use gantry_host::turn::step_back;
    use hyper::rt::Sleep;
    use hyper_util::service::TowerToHyperService;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    /// A clock that is put forward by hand.
    #[derive(Clone)]
    struct HandClock(Arc<Mutex<(Instant, Vec<Waker>)>>);

    impl HandClock {
        fn new() -> Self {
            Self(Arc::new(Mutex::new((Instant::now(), Vec::new()))))
        }

        /// Puts the clock forward, and lets whoever waits for that time run.
        async fn forward(&self, duration: Duration) {
            self.0.lock().unwrap().0 += duration;
            std::mem::take(&mut self.0.lock().unwrap().1).into_iter().for_each(Waker::wake);
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        }
    }

    impl Timer for HandClock {
        fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
            self.sleep_until(self.now() + duration)
        }

        fn sleep_until(&self, until: Instant) -> Pin<Box<dyn Sleep>> {
            Box::pin(Nap { clock: self.clone(), until })
        }

        fn now(&self) -> Instant {
            self.0.lock().unwrap().0
        }
    }

    struct Nap {
        clock: HandClock,
        until: Instant,
    }

    impl Sleep for Nap {}

    impl Future for Nap {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            let mut clock = self.clock.0.lock().unwrap();
            if clock.0 >= self.until {
                return Poll::Ready(());
            }
            clock.1.push(context.waker().clone());
            Poll::Pending
        }
    }

    /// Whether a request on this connection is answered.
    async fn is_answered(client: &mut DuplexStream) -> bool {
        let mut answer = [0; 1024];
        let sent = client.write_all(b"GET / HTTP/1.1\r\nhost: gantry\r\n\r\n").await;
        let read = if sent.is_ok() { client.read(&mut answer).await.unwrap_or(0) } else { 0 };
        answer[..read].starts_with(b"HTTP/1.1 200 OK")
    }

    #[tokio::test]
    async fn a_connection_idle_for_longer_than_kube_scheduler_keeps_its_own_is_served_and_closed_in_the_end() {
        let (clock, (mut client, server)) = (HandClock::new(), tokio::io::duplex(4096));
        let router = Router::new().route("/", get(|| async { "here" }));
        let http = http(Duration::from_mins(2), clock.clone());
        tokio::spawn(http.serve_connection(TokioIo::new(server), TowerToHyperService::new(router)));
        assert!(is_answered(&mut client).await);
        clock.forward(Duration::from_secs(91)).await;
        assert!(is_answered(&mut client).await, "kube-scheduler keeps idle connections for 90 s");
        clock.forward(Duration::from_secs(121)).await;
        assert!(!is_answered(&mut client).await);
    }

    /// A server that blocks its threads, for as long as this lives.
    struct Blocking {
        address: SocketAddr,
        _over: watch::Sender<bool>,
    }

    impl Blocking {
        async fn start(most: usize, handler: impl Fn() + Clone + Send + Sync + 'static) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let handler = async move || handler();
            let (router, keep_alive) = (Router::new().route("/", get(handler)), Duration::from_mins(2));
            let (over, is_over) = watch::channel(false);
            let server = Server { listener, router, tls: None, keep_alive, threads: Threads::OneEach };
            tokio::spawn(server.run_with(most, is_over));
            Self { address, _over: over }
        }

        /// The head of an answer, once there is one.
        fn ask(&self) -> thread::JoinHandle<String> {
            let address = self.address;
            thread::spawn(move || {
                let (mut stream, mut head) = (net::TcpStream::connect(address).unwrap(), vec![0; 1024]);
                stream.write_all(b"GET / HTTP/1.1\r\nhost: gantry\r\n\r\n").unwrap();
                let read = stream.read(&mut head).unwrap();
                String::from_utf8(head[..read].to_vec()).unwrap()
            })
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn nobody_waits_for_somebody_elses_handler() {
        let all_are_there = Arc::new(Barrier::new(20));
        let wait = move || {
            all_are_there.wait();
        };
        let server = Blocking::start(MOST, wait).await;
        let asking: Vec<_> = (0..20).map(|_| server.ask()).collect();
        assert!(asking.into_iter().all(|asking| asking.join().unwrap().starts_with("HTTP/1.1 200 OK")));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_connection_for_which_there_is_no_thread_waits_until_another_one_ends() {
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let released = Arc::new(Mutex::new(released));
        let handler = move || {
            begun.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        };
        let server = Blocking::start(1, handler).await;
        let asking = [server.ask(), server.ask()];
        begins.recv().unwrap();
        assert!(begins.recv_timeout(Duration::from_millis(50)).is_err(), "two at once");
        for _ in &asking {
            release.send(()).unwrap();
        }
        assert!(asking.into_iter().all(|asking| asking.join().unwrap().starts_with("HTTP/1.1 200 OK")));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_connection_ends_with_the_request_that_made_its_thread_step_back() {
        let is_closed = |head: String| head.contains("\r\nconnection: close\r\n");
        let server = Blocking::start(MOST, || ()).await;
        assert!(!is_closed(server.ask().join().unwrap()));
        let server = Blocking::start(MOST, step_back).await;
        assert!(is_closed(server.ask().join().unwrap()));
    }
}
