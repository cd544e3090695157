//! Asking a process's own endpoints (`/readyz`, `/metrics`) over loopback.

use std::path::Path;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

/// A base address, with the identity to use there.
#[derive(Clone)]
pub struct Endpoint {
    client: Client,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

impl Endpoint {
    /// The plain address `http://address`.
    ///
    /// # Errors
    /// The address is none.
    pub fn plain(address: &str) -> Result<Self> {
        let uri = format!("http://{address}").parse().with_context(|| format!("{address} is no address"))?;
        Ok(Self { client: Client::try_from(Config::new(uri))? })
    }

    /// The server of a kubeconfig file, with its identity.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn of_kubeconfig(path: &Path) -> Result<Self> {
        Ok(Self { client: client(path).await? })
    }

    /// The answer to a JSON document that is sent to `path`.
    ///
    /// # Errors
    /// No connection, a status that is no success, or an answer that is no JSON.
    pub async fn post(&self, path: &str, document: &Value) -> Result<Value> {
        let request = http::Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
        let request = request.body(document.to_string().into_bytes())?;
        self.client.request(request).await.with_context(|| format!("POST {path}"))
    }

    /// The body at `path`.
    ///
    /// # Errors
    /// No connection, or a status that is no success.
    pub async fn get(&self, path: &str) -> Result<String> {
        let request = http::Request::get(path).body(Vec::new())?;
        self.client.request_text(request).await.with_context(|| format!("GET {path}"))
    }
}

/// A client for the server of a kubeconfig file; it does not limit its own rate.
///
/// # Errors
/// The file cannot be read.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    Ok(Client::try_from(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?)?)
}
