//! HTTP GET with a bound: TLS, redirects, size.
//!
//! Promises that a secret is sent to the host that it is for, and to no other that this
//! one leads to, that no query is told, and that nothing is fetched in plain text but
//! from this machine.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::FetchError;
use crate::config::valid::without_query;

/// As many as browsers would find strange; a registry needs one.
const REDIRECTS: usize = 5;

/// An answer that was read whole.
pub(super) struct Answer {
    pub(super) address: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What to look at where the server lets nobody in.
    pub(super) login: String,
}

impl Answer {
    /// The answer, if it is what was asked for.
    pub(super) fn ok(self) -> Result<Self, FetchError> {
        if self.status == StatusCode::OK { Ok(self) } else { Err(self.refused()) }
    }

    /// That it is not what was asked for.
    pub(super) fn refused(self) -> FetchError {
        let hint = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.login,
            StatusCode::NOT_FOUND => "; is the component's name right?".to_owned(),
            _ => String::new(),
        };
        FetchError::Status { address: self.address, status: self.status, hint }
    }
}

/// Asks servers.
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    pub(super) is_plain: bool,
    login: String,
}

impl Client {
    /// Trusts the authorities of `ca_file`, or else those of the system; `is_plain`: speaks HTTP where it may; `login`:
    /// what to look at where a server lets nobody in.
    pub(super) fn new(ca_file: Option<&Path>, is_plain: bool, login: String) -> Result<Self, FetchError> {
        let roots = roots(ca_file)?;
        if roots.is_empty() && !is_plain {
            return Err(FetchError::NoAuthorities);
        }
        let tls = |source: rustls::Error| FetchError::Connect { address: "TLS".to_owned(), source: source.into() };
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        Ok(Self { http: legacy::Client::builder(TokioExecutor::new()).build(connector), is_plain, login })
    }

    /// The answer to a GET, wherever the server leads, if it has at most `limit` bytes.
    pub(super) async fn get(
        &self,
        address: &Uri,
        accept: &str,
        authorization: Option<&str>,
        limit: usize,
    ) -> Result<Answer, FetchError> {
        let mut at = address.clone();
        for _ in 0..=REDIRECTS {
            let is_there = at.authority() == address.authority();
            let secret = authorization.filter(|_| is_there);
            let response = self.request(&at, accept, secret).await?;
            if !response.status().is_redirection() {
                // What is said of one host's credentials is not true of another that it leads to.
                let login = if is_there { self.login.clone() } else { String::new() };
                return read(&at, response, limit, login).await;
            }
            at = target(&at, response.headers(), self.is_plain)?;
        }
        let why = "that is one redirect too many";
        Err(FetchError::Redirect { address: shown(address), target: shown(&at), why })
    }

    async fn request(&self, at: &Uri, accept: &str, secret: Option<&str>) -> Result<Response<Incoming>, FetchError> {
        let failed = |source: super::Source| FetchError::Connect { address: shown(at), source };
        let agent = concat!("gantry-extender/", env!("CARGO_PKG_VERSION"));
        let mut request = Request::get(at).header(ACCEPT, accept).header(USER_AGENT, agent);
        if let Some(secret) = secret {
            request = request.header(AUTHORIZATION, secret);
        }
        let request = request.body(Empty::new()).map_err(|error| failed(error.into()))?;
        self.http.request(request).await.map_err(|error| failed(error.into()))
    }
}

async fn read(at: &Uri, response: Response<Incoming>, limit: usize, login: String) -> Result<Answer, FetchError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        let address = shown(at);
        if error.is::<LengthLimitError>() {
            FetchError::TooLarge { address, limit }
        } else {
            FetchError::CutOff { address, source: error }
        }
    })?;
    Ok(Answer { address: shown(at), status: head.status, headers: head.headers, body: body.to_bytes(), login })
}

fn target(at: &Uri, headers: &HeaderMap, is_plain: bool) -> Result<Uri, FetchError> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refused = |why| FetchError::Redirect { address: shown(at), target: without_query(location).to_owned(), why };
    let whole = if location.starts_with('/') {
        let host = at.authority().map_or("", |authority| authority.as_str());
        format!("{}://{host}{location}", at.scheme_str().unwrap_or("https"))
    } else {
        location.to_owned()
    };
    let target: Uri = whole.parse().map_err(|_| refused("that is no address"))?;
    let is_same_host = target.authority() == at.authority();
    match target.scheme_str() {
        Some("https") => Ok(target),
        Some("http") if is_plain && is_same_host => Ok(target),
        _ => Err(refused("only https is followed")),
    }
}

fn shown(address: &Uri) -> String {
    without_query(&address.to_string()).to_owned()
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, FetchError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        let (_, refused) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        tracing::debug!(authorities = roots.len(), refused, "authorities of the system");
        return Ok(roots);
    };
    let failed = |source: super::Source| FetchError::File { path: path.to_owned(), source };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for certificate in read.map_err(|error| failed(error.into()))? {
        roots.add(certificate).map_err(|error| failed(error.into()))?;
    }
    if roots.is_empty() { Err(failed("no certificate in it".into())) } else { Ok(roots) }
}
