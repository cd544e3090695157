//! Connections: plain, or TLS with the authorities and the certificate of the configuration.
//!
//! Promises: certificates are those of the files at the time of the call. Must not know: HTTP.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::SourceError;
use crate::config::valid::Prometheus;

/// What opens connections.
pub(super) type Connector = HttpsConnector<HttpConnector>;

/// What opens connections as the configuration says.
///
/// # Errors
/// If a certificate cannot be used.
pub(super) fn connector(config: &Prometheus) -> Result<Connector, SourceError> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(client(config)?);
    let builder = if config.url.scheme_str() == Some("https") { builder.https_only() } else { builder.https_or_http() };
    Ok(builder.enable_http1().build())
}

fn client(config: &Prometheus) -> Result<ClientConfig, SourceError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::Tls(error.into()))?
        .with_root_certificates(roots(config)?);
    match &config.client_cert {
        None => Ok(builder.with_no_client_auth()),
        Some((cert, key)) => {
            let failed = |source: rustls::pki_types::pem::Error| file(key, source);
            let own = PrivateKeyDer::from_pem_file(key).map_err(failed)?;
            builder.with_client_auth_cert(certificates(cert)?, own).map_err(|error| file(key, error))
        }
    }
}

fn roots(config: &Prometheus) -> Result<RootCertStore, SourceError> {
    let mut roots = RootCertStore::empty();
    match &config.ca_file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| file(path, error))?;
            }
        }
        // Nothing is looked up for a plain connection. A machine without authorities trusts nobody, and says so.
        None if config.url.scheme_str() == Some("https") => {
            let (_, refused) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            tracing::debug!(authorities = roots.len(), refused, "authorities of the system");
        }
        None => {}
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| file(path, error))?;
    if certificates.is_empty() { Err(file(path, "no certificate in it")) } else { Ok(certificates) }
}

fn file(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SourceError {
    SourceError::File { path: path.to_owned(), source: source.into() }
}
