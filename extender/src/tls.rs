//! TLS: the server's certificate, and client certificates if wanted.
//!
//! Offers HTTP/1.1 only: a server that agreed to h2 in the handshake and then spoke
//! 1.1 would keep kube-scheduler from scheduling anything.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::config::Problem;
use crate::config::valid::Tls;

/// Loads the files.
///
/// # Errors
/// The key of the file at fault, and what is wrong with it.
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor, Problem> {
    let chain = certificates("server.tls.certFile", &tls.cert_file)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)
        .map_err(|error| refused("server.tls.keyFile", &tls.key_file, "a PEM file with a private key", &error))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::new("server.tls", "", format!("TLS cannot be set up: {error}")))?;
    let builder = match &tls.client_ca_file {
        Some(path) => builder.with_client_cert_verifier(verifier(path)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| refused("server.tls.keyFile", &tls.key_file, "the key of server.tls.certFile", &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let key = "server.tls.clientCaFile";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(key, path)? {
        roots.add(certificate).map_err(|error| refused(key, path, "certificates of authorities", &error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| refused(key, path, "certificates of authorities", &error))
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let expected = "a PEM file with at least one certificate";
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| refused(key, path, expected, &error))?;
    if certificates.is_empty() {
        return Err(Problem::new(key, path.display(), format!("name {expected}")));
    }
    Ok(certificates)
}

fn refused(key: &str, path: &Path, expected: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(key, path.display(), format!("name {expected} ({error})"))
}
