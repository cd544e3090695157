//! HTTP to one server: who asks, how long, how much, how often.
//!
//! Promises: an answer holds at most the limit, packed and unpacked; what may pass is tried again with growing pauses,
//! a refusal is not; secrets and certificates are those of their files now. Must not know: queries.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;

use super::tls::{Connector, connector};
use super::{SourceError, answer};
use crate::config::valid::{Auth, Prometheus};

/// How often a question is asked before it counts as failed for this tick.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt; four times as long before each next.
const PAUSE: Duration = Duration::from_millis(250);
/// The tenant's header, as Mimir, Cortex and Loki have it.
const TENANT: &str = "x-scope-orgid";

type Http = legacy::Client<Connector, Full<Bytes>>;

/// When the certificates' files were changed last.
type Modified = Vec<Option<SystemTime>>;

/// HTTP to one server.
#[derive(Debug)]
pub(super) struct Client {
    config: Prometheus,
    http: Mutex<(Http, Modified)>,
}

impl Client {
    pub(super) fn new(config: Prometheus) -> Result<Self, SourceError> {
        let http = Mutex::new((http(&config)?, modified(&config)));
        Ok(Self { config, http })
    }

    /// The body of an answer with status 200.
    pub(super) async fn post(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Bytes, SourceError> {
        let form: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let form = Bytes::from(form);
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt(path, form.clone()).await {
                Err(error) if error.is_transient() => tracing::debug!(%error, ?pause, "trying again"),
                settled => return settled,
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
        self.attempt(path, form).await
    }

    async fn attempt(&self, path: &str, form: Bytes) -> Result<Bytes, SourceError> {
        let (http, request) = (self.http()?, self.request(path, form)?);
        let answer = async {
            let response = http.request(request).await.map_err(|error| SourceError::Connect(error.into()))?;
            self.body(response).await
        };
        let limit = self.config.timeout;
        tokio::time::timeout(limit, answer).await.unwrap_or(Err(SourceError::Timeout(limit)))
    }

    /// The client, made again if a certificate's file changed.
    fn http(&self) -> Result<Http, SourceError> {
        let now = modified(&self.config);
        let mut held = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if held.1 != now {
            *held = (http(&self.config)?, now);
        }
        Ok(held.0.clone())
    }

    fn request(&self, path: &str, form: Bytes) -> Result<Request<Full<Bytes>>, SourceError> {
        let mut request = Request::post(self.uri(path)?)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT_ENCODING, "gzip");
        if let Some(tenant) = &self.config.tenant {
            request = request.header(TENANT, tenant);
        }
        if let Some(authorization) = authorization(&self.config.auth)? {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Full::new(form)).map_err(|error| SourceError::Malformed(error.into()))
    }

    fn uri(&self, path: &str) -> Result<Uri, SourceError> {
        let base = self.config.url.to_string();
        format!("{}{path}", base.trim_end_matches('/'))
            .parse()
            .map_err(|error: http::uri::InvalidUri| SourceError::Malformed(error.into()))
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Bytes, SourceError> {
        let limit = self.config.response_limit;
        let status = response.status();
        let is_packed = response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        let body = whole(Limited::new(response.into_body(), limit)).await.map_err(|error| {
            if error.is::<LengthLimitError>() { SourceError::TooLarge { limit } } else { SourceError::CutOff(error) }
        })?;
        let body = if is_packed { unpacked(&body, limit)? } else { body };
        if status == StatusCode::OK { Ok(body) } else { Err(refusal(status, &body)) }
    }
}

/// A body in one piece, without a list of its frames beside it: answers are megabytes.
async fn whole(mut body: Limited<Incoming>) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let mut whole = Vec::with_capacity(body.size_hint().lower() as usize);
    while let Some(frame) = body.frame().await {
        whole.extend_from_slice(frame?.data_ref().map_or(&[], |data| data));
    }
    Ok(whole.into())
}

fn http(config: &Prometheus) -> Result<Http, SourceError> {
    Ok(legacy::Client::builder(TokioExecutor::new()).build(connector(config)?))
}

fn modified(config: &Prometheus) -> Modified {
    let certificates = config.client_cert.iter().flat_map(|(cert, key)| [cert, key]);
    let files = config.ca_file.iter().chain(certificates);
    files.map(|path| path.metadata().and_then(|metadata| metadata.modified()).ok()).collect()
}

fn unpacked(body: &[u8], limit: usize) -> Result<Bytes, SourceError> {
    let mut unpacked = Vec::new();
    // One byte more than allowed tells too much from just enough.
    let mut reader = GzDecoder::new(body).take(limit as u64 + 1);
    reader.read_to_end(&mut unpacked).map_err(|error| SourceError::CutOff(error.into()))?;
    if unpacked.len() > limit { Err(SourceError::TooLarge { limit }) } else { Ok(unpacked.into()) }
}

fn refusal(status: StatusCode, body: &[u8]) -> SourceError {
    let message = answer::message(body);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SourceError::Unauthorized { status },
        status if status.is_server_error() => SourceError::Unavailable { status, message },
        status => SourceError::Refused { status, message },
    }
}

fn authorization(auth: &Auth) -> Result<Option<HeaderValue>, SourceError> {
    let (path, text) = match auth {
        Auth::Anonymous => return Ok(None),
        Auth::Bearer(path) => (path, format!("Bearer {}", secret(path)?)),
        Auth::Basic { username, password_file } => {
            let pair = format!("{username}:{}", secret(password_file)?);
            (password_file, format!("Basic {}", base64(pair.as_bytes())))
        }
    };
    let mut value =
        HeaderValue::from_str(&text).map_err(|error| SourceError::File { path: path.clone(), source: error.into() })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn secret(path: &PathBuf) -> Result<String, SourceError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SourceError::File { path: path.clone(), source: error.into() })?;
    Ok(text.trim_end().to_owned())
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit = |place: usize| {
            if place <= chunk.len() { char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]) } else { '=' }
        };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    bytes.chunks(3).flat_map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let examples =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("a:ÿ", "YTrDvw==")];
        for (text, expected) in examples {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn a_small_package_that_unpacks_to_much_is_too_large() {
        use std::io::Write as _;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![b' '; 1 << 20]).unwrap();
        let packed = packer.finish().unwrap();
        assert!(packed.len() < 2_000);
        assert_eq!(unpacked(&packed, 1 << 20).unwrap().len(), 1 << 20);
        assert_eq!(unpacked(&packed, (1 << 20) - 1).unwrap_err().reason(), "too_large");
        assert_eq!(unpacked(&packed[..packed.len() / 2], 1 << 20).unwrap_err().reason(), "cut_off");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, reason, again) in [
            (StatusCode::BAD_REQUEST, "refused", false),
            (StatusCode::UNAUTHORIZED, "unauthorized", false),
            (StatusCode::TOO_MANY_REQUESTS, "refused", false),
            (StatusCode::FOUND, "refused", false),
            (StatusCode::BAD_GATEWAY, "unavailable", true),
        ] {
            let error = refusal(status, b"");
            assert_eq!((error.reason(), error.is_transient()), (reason, again), "{status}");
        }
    }
}
