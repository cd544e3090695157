//! TLS: the server's certificate, and client certificates if wanted.
//!
//! Offers HTTP/1.1 only: a server that agreed to h2 in the handshake and then spoke
//! 1.1 would keep kube-scheduler from scheduling anything. Promises that files which
//! change are used without a restart, and that what they held before stays in use where
//! they cannot be. Connections that stand keep what they began with.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use std::{fs, io};

use gantry_host::Digest;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::background;
use crate::config::Problem;
use crate::config::valid::Tls;

/// How often the files are read; a change takes effect after two looks that agree, for certificate and key are written
/// one after the other.
const POLL: Duration = Duration::from_secs(2);

/// What handshakes are made with: always what the files held when they could be used last.
#[derive(Clone)]
pub struct Handshakes(Arc<RwLock<TlsAcceptor>>);

/// The files of TLS, and what handshakes are made with in consequence.
pub struct Certificates {
    files: Tls,
    handshakes: Handshakes,
    /// What the files held when they were looked at last, and what was decided on last.
    looked: Content,
    decided: Content,
}

/// Certificate, key and authorities; `None`: there is no such file.
type Content = [Option<Digest>; 3];

/// The files as they are now.
struct Files<'a> {
    chain: File<'a>,
    key: File<'a>,
    client_ca: Option<File<'a>>,
}

/// One of them, and the key that names it in the configuration.
struct File<'a> {
    key: &'static str,
    path: &'a Path,
    bytes: io::Result<Vec<u8>>,
}

impl Handshakes {
    /// For the next handshake.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, acceptor: TlsAcceptor) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// The key of the file at fault, and what is wrong with it.
    pub fn read(tls: &Tls) -> Result<Self, Problem> {
        let files = Files::read(tls);
        let handshakes = Handshakes(Arc::new(RwLock::new(files.acceptor()?)));
        let content = files.content();
        Ok(Self { files: tls.clone(), handshakes, looked: content, decided: content })
    }

    /// What handshakes are made with, now and after every change.
    #[must_use]
    pub fn handshakes(&self) -> Handshakes {
        self.handshakes.clone()
    }

    /// Looks at the files for ever.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(POLL).await;
            // A volume in the network may take its time.
            let look = tokio::task::spawn_blocking(move || {
                if let Err(panic) = background::caught(|| self.look()) {
                    tracing::error!(%panic, "reading the files of server.tls panicked; it goes on with the next look");
                }
                self
            });
            // A panic is caught there: only the end of the process is left to end this.
            let Ok(certificates) = look.await else { return };
            self = certificates;
        }
    }

    /// Looks at the files once; says what became of a change that two looks agree on.
    pub fn look(&mut self) -> Option<Result<(), Problem>> {
        let files = Files::read(&self.files);
        let content = files.content();
        let is_settled = std::mem::replace(&mut self.looked, content) == content;
        if !is_settled || content == self.decided {
            return None;
        }
        self.decided = content;
        let outcome = files.acceptor().map(|acceptor| self.handshakes.replace(acceptor));
        match &outcome {
            Ok(()) => tracing::info!("the files of server.tls have changed: new connections use them"),
            Err(problem) => {
                tracing::error!(%problem, "the changed files of server.tls are not used; what they held before stays");
            }
        }
        Some(outcome)
    }
}

impl<'a> Files<'a> {
    fn read(tls: &'a Tls) -> Self {
        let client_ca = tls.client_ca_file.as_deref();
        Self {
            chain: File::read("server.tls.certFile", &tls.cert_file),
            key: File::read("server.tls.keyFile", &tls.key_file),
            client_ca: client_ca.map(|path| File::read("server.tls.clientCaFile", path)),
        }
    }

    fn content(&self) -> Content {
        [Some(&self.chain), Some(&self.key), self.client_ca.as_ref()].map(|file| file?.digest())
    }

    fn acceptor(&self) -> Result<TlsAcceptor, Problem> {
        let (chain, key) = (self.chain.certificates()?, self.key.private_key()?);
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Problem::new("server.tls", "", format!("TLS cannot be set up: {error}")))?;
        let builder = match &self.client_ca {
            Some(file) => builder.with_client_cert_verifier(file.verifier()?),
            None => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| self.key.refused("the key of server.tls.certFile", &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl<'a> File<'a> {
    fn read(key: &'static str, path: &'a Path) -> Self {
        Self { key, path, bytes: fs::read(path) }
    }

    fn digest(&self) -> Option<Digest> {
        self.bytes.as_ref().ok().map(|bytes| Digest::of(bytes))
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Problem> {
        let expected = "a PEM file with at least one certificate";
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.bytes(expected)?).collect();
        let certificates = read.map_err(|error| self.refused(expected, &error))?;
        if certificates.is_empty() {
            return Err(Problem::new(self.key, self.path.display(), format!("name {expected}")));
        }
        Ok(certificates)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, Problem> {
        let expected = "a PEM file with a private key";
        PrivateKeyDer::from_pem_slice(self.bytes(expected)?).map_err(|error| self.refused(expected, &error))
    }

    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
        let expected = "certificates of authorities";
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.refused(expected, &error))?;
        }
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| self.refused(expected, &error))
    }

    fn bytes(&self, expected: &str) -> Result<&[u8], Problem> {
        self.bytes.as_deref().map_err(|error| self.refused(expected, error))
    }

    fn refused(&self, expected: &str, error: &dyn std::fmt::Display) -> Problem {
        Problem::new(self.key, self.path.display(), format!("name {expected} ({error})"))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
