//! The two sockets, and serving on them until the end.
//!
//! Promises: a socket file that an earlier process left is replaced, one that somebody answers on is not; requests that
//! are being answered at the end are answered. Must not know: paths of requests.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::Context;
use crate::config::valid::{Listen, Server};
use crate::error::RunError;

/// Where forecasts are served.
#[derive(Debug)]
enum Forecasts {
    Loopback(TcpListener),
    Unix(UnixListener),
}

/// The two sockets, bound: their addresses are known before anything is served.
#[derive(Debug)]
pub struct Sockets {
    forecasts: Forecasts,
    admin: TcpListener,
}

impl Sockets {
    /// Binds both. The log line tells the ports where 0 was asked for.
    ///
    /// # Errors
    /// If one cannot be bound.
    pub async fn listen(config: &Server) -> Result<Self, RunError> {
        let forecasts = match &config.listen {
            Listen::Loopback(address) => Forecasts::Loopback(tcp(*address, "server.listen").await?),
            Listen::Unix(path) => Forecasts::Unix(unix(path)?),
        };
        let sockets = Self { forecasts, admin: tcp(config.admin, "server.admin").await? };
        let admin = address(&sockets.admin, config.admin);
        match &sockets.forecasts {
            Forecasts::Loopback(listener) => {
                tracing::info!(forecasts = %address(listener, config.admin), %admin, "listening");
            }
            Forecasts::Unix(_) => tracing::info!(forecasts = ?config.listen, %admin, "listening"),
        }
        Ok(sockets)
    }

    /// Serves until `is_over` turns true.
    pub async fn serve(self, context: Arc<Context>, is_over: watch::Receiver<bool>) {
        let (forecasts, admin) = (super::forecasts(Arc::clone(&context)), super::admin(context));
        let forecasts = async {
            match self.forecasts {
                Forecasts::Loopback(listener) => serve(listener, forecasts, is_over.clone()).await,
                Forecasts::Unix(listener) => serve(listener, forecasts, is_over.clone()).await,
            }
        };
        tokio::join!(forecasts, serve(self.admin, admin, is_over.clone()));
    }
}

async fn serve<L>(listener: L, router: Router, mut is_over: watch::Receiver<bool>)
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    // The sender's end counts as the end too.
    let end = async move { drop(is_over.wait_for(|is_over| *is_over).await) };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(end).await {
        tracing::error!(%error, "the server ended unexpectedly");
    }
}

/// The address of a socket, with its port where 0 was asked for.
fn address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

async fn tcp(address: SocketAddr, key: &'static str) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, key, source })
}

fn unix(path: &Path) -> Result<UnixListener, RunError> {
    let failed = |source| RunError::Socket { path: path.to_owned(), source };
    match UnixStream::connect(path) {
        Ok(_) => return Err(failed(ErrorKind::AddrInUse.into())),
        // Nobody answers: the file is what a killed process left.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(failed)?,
        Err(_) => {}
    }
    UnixListener::bind(path).map_err(failed)
}
