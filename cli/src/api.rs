//! The way to an API server, or straight to an HTTP port.
//!
//! Promises that a list is whole, whatever its size, and that a status other than success is an answer and no error for
//! those who want to look at it. Must not know Gantry's endpoints.

use std::fmt::Debug;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::api::ListParams;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde::de::DeserializeOwned;

use crate::CliError;

/// Objects in one page of a list, as kubectl asks for.
pub(crate) const PAGE: u32 = 500;

/// Where the API server is.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ClusterArgs {
    /// The kubeconfig file; without one KUBECONFIG, then ~/.kube/config, then the pod's service account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

impl ClusterArgs {
    /// A client for the API server, with the namespace of its context.
    pub(crate) async fn connect(&self) -> Result<Client, CliError> {
        let no_cluster = |error: kube::Error| CliError::NoCluster(Box::new(error));
        let config = self.config().await.map_err(no_cluster)?;
        Client::try_from(impatient(config)).map_err(no_cluster)
    }

    async fn config(&self) -> Result<Config, kube::Error> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        match (&self.kubeconfig, &self.context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(config_error)?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(config_error)
            }
            (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(config_error),
            (None, None) => Config::infer().await.map_err(kube::Error::InferConfig),
        }
    }
}

/// Somebody waits: by default the client tries again what is unavailable, for minutes, without a word.
fn impatient(mut config: Config) -> Config {
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.read_timeout = Some(Duration::from_mins(1));
    config
}

fn config_error(error: kube::config::KubeconfigError) -> kube::Error {
    kube::Error::Service(Box::new(error))
}

/// A client for a plain HTTP port, without any identity.
pub(crate) fn plain(url: &str) -> Result<Client, CliError> {
    let refused = || CliError::refused("--server", url, "use http://HOST:PORT, the extender's admin address");
    let uri: http::Uri = url.trim_end_matches('/').parse().map_err(|_| refused())?;
    if uri.scheme_str() != Some("http") || uri.host().is_none() || !matches!(uri.path(), "" | "/") {
        return Err(refused());
    }
    Client::try_from(impatient(Config::new(uri))).map_err(|error| CliError::api("a client for --server", error))
}

/// The answer to a GET, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

/// Asks for a path.
pub(crate) async fn get(client: &Client, path: &str) -> Result<Reply, CliError> {
    let what = || format!("GET {path}");
    let request = Request::get(path).body(Body::empty());
    let request = request.map_err(|error| CliError::api(what(), kube::Error::HttpError(error)))?;
    let response = client.send(request).await.map_err(|error| CliError::api(what(), error))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| CliError::api(what(), error))?;
    Ok(Reply { status, body: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
}

/// All objects of a kind, page by page. A list that has changed too much while it was read is read anew, once.
pub(crate) async fn list_all<K>(api: &Api<K>, wanted: ListParams, what: &str) -> Result<Vec<K>, CliError>
where
    K: Clone + Debug + DeserializeOwned,
{
    let first = pages(api, wanted.clone()).await;
    let listed = match first {
        Err(kube::Error::Api(status)) if status.code == 410 => pages(api, wanted).await,
        other => other,
    };
    listed.map_err(|error| CliError::api(what, error))
}

async fn pages<K>(api: &Api<K>, wanted: ListParams) -> Result<Vec<K>, kube::Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut parameters = wanted.limit(PAGE);
    let mut objects = Vec::new();
    loop {
        let page = api.list(&parameters).await?;
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(objects),
        }
    }
}

/// Runs what waits for a network, on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}
