//! One conditional GET to the sidecar or to another replica, over TCP or a unix socket.
//!
//! Promises an end: each fetch has a deadline and a bound on the body. A connection a fetch, no pool: one every few
//! seconds, mostly answered by 304. Must not know what is in the body.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::config::valid::ForecastSource;

/// The path of the forecasts.
pub const FORECASTS: &str = "/v1/forecasts";
/// Who takes longer is not well.
const DEADLINE: Duration = Duration::from_secs(2);
/// Fifty times what 5,000 nodes with four resources take.
const BODY_LIMIT: usize = 256 << 20;

/// What a fetch brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The document of that tag still stands.
    Unchanged,
    /// Another document.
    Changed {
        /// Its JSON.
        body: Vec<u8>,
        /// Its tag, for the next fetch.
        etag: Option<String>,
    },
}

impl Fetched {
    /// A label for the counter.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed { .. } => "changed",
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody listens there.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// The connection broke, or what came is no HTTP.
    #[error("the exchange failed")]
    Exchange(#[from] hyper::Error),
    /// Neither 200 nor 304. 503: the sidecar has no forecasts yet.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// Larger than any cluster's.
    #[error("the document is larger than {BODY_LIMIT} bytes, or broke off: {0}")]
    Body(String),
    /// Too slow.
    #[error("no answer within {DEADLINE:?}")]
    TooSlow,
}

impl FetchError {
    /// A label for the counter.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "unreachable",
            Self::Exchange(_) => "broken",
            Self::Status(_) => "bad-status",
            Self::Body(_) => "bad-body",
            Self::TooSlow => "timeout",
        }
    }
}

/// Fetches the document at `path` unless it still has the tag given.
///
/// # Errors
/// [`FetchError`], within [`DEADLINE`].
pub async fn fetch(source: &ForecastSource, path: &str, etag: Option<&str>) -> Result<Fetched, FetchError> {
    let exchange = async {
        match source {
            ForecastSource::Tcp(address) => {
                get(TcpStream::connect(address).await.map_err(FetchError::Connect)?, path, etag).await
            }
            ForecastSource::Unix(socket) => {
                get(UnixStream::connect(socket).await.map_err(FetchError::Connect)?, path, etag).await
            }
        }
    };
    tokio::time::timeout(DEADLINE, exchange).await.map_err(|_elapsed| FetchError::TooSlow)?
}

async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    path: &str,
    etag: Option<&str>,
) -> Result<Fetched, FetchError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::get(path).header(header::HOST, "localhost");
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| FetchError::Body(error.to_string()))?;
    // The connection is driven beside the request and ends with it; dropping the task's handle would detach it.
    let driver = tokio::spawn(connection);
    let answer = async { read(sender.send_request(request).await?).await }.await;
    driver.abort();
    answer
}

async fn read(response: Response<Incoming>) -> Result<Fetched, FetchError> {
    match response.status() {
        StatusCode::NOT_MODIFIED => return Ok(Fetched::Unchanged),
        StatusCode::OK => {}
        status => return Err(FetchError::Status(status)),
    }
    let etag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let collected = Limited::new(response.into_body(), BODY_LIMIT).collect().await;
    let body = collected.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(limit) => FetchError::Body(limit.to_string()),
        None => FetchError::Body(error.to_string()),
    })?;
    Ok(Fetched::Changed { body: body.to_bytes().to_vec(), etag })
}
