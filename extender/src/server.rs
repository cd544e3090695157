//! Serving a router on a socket: HTTP/1.1, keep-alive, TLS, and a graceful end.
//!
//! Promises that an idle connection outlives kube-scheduler's own 90 s, and that a
//! request which is being answered when the end comes is answered. Knows no paths.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::rt::Timer;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// A handshake takes milliseconds; who needs longer keeps a socket from others.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The longest deadline of a request and as much again for its body.
const GRACE: Duration = Duration::from_secs(10);
/// Where no socket can be opened there is nothing to do but wait for others to be closed.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// One socket and what is served on it.
pub struct Server {
    /// Bound already: its address is known before anything is served.
    pub listener: TcpListener,
    /// What is served.
    pub router: Router,
    /// https instead of http.
    pub tls: Option<TlsAcceptor>,
    /// How long a connection may lie idle, and how long a request's head may take.
    pub keep_alive: Duration,
}

/// What every connection of a server shares.
#[derive(Clone)]
struct Connections {
    router: Router,
    tls: Option<TlsAcceptor>,
    http: http1::Builder,
}

impl Server {
    /// Serves until `shutdown` turns true, then stops accepting and lets requests finish.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let http = http(self.keep_alive, TokioTimer::new());
        let connections = Connections { router: self.router, tls: self.tls, http };
        let graceful = GracefulShutdown::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => drop(tokio::spawn(connections.clone().serve(stream, peer, graceful.watcher()))),
                    Err(error) => {
                        tracing::warn!(%error, "connection not accepted");
                        tokio::time::sleep(OUT_OF_SOCKETS).await;
                    }
                },
                () = until_over(&mut shutdown) => break,
            }
        }
        drop(self.listener);
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::warn!(grace = ?GRACE, "connections cut: requests did not finish");
        }
    }
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
    async fn serve(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Answers are small and written at once; waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        match self.tls.clone() {
            None => self.talk(stream, peer, watcher).await,
            Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.talk(stream, peer, watcher).await,
                Ok(Err(error)) => tracing::warn!(%peer, %error, "TLS handshake failed"),
                Err(_elapsed) => tracing::warn!(%peer, "TLS handshake took too long"),
            },
        }
    }

    async fn talk(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, peer: SocketAddr, watcher: Watcher) {
        let connection = self.http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Waker};
    use std::time::Instant;

    use axum::routing::get;
    use hyper::rt::Sleep;
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
}
