//! Serving a router on a socket: HTTP/1.1, keep-alive, TLS, and a graceful end.
//!
//! Promises that an idle connection outlives kube-scheduler's own 90 s, and that a
//! request which is being answered when the end comes is answered. Knows no paths.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
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
        let connections = Connections { router: self.router, tls: self.tls, http: http(self.keep_alive) };
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
fn http(keep_alive: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(keep_alive).keep_alive(true);
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
