//! https, with and without client certificates, against the real binary.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::binary::Running;

/// An authority, a server's and a client's certificate, in a folder.
pub(crate) fn certificates(folder: &Path) {
    certificates_with(folder, |_| ());
}

/// The same, the server's and the client's changed before they are signed.
pub(crate) fn certificates_with(folder: &Path, change: impl Fn(&mut CertificateParams)) {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(folder.join("ca.pem"), authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    for (file, name) in [("server", "localhost"), ("client", "kube-scheduler")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join(format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }
}

fn start(folder: &Path, more: &str) -> Running {
    let at = |file: &str| folder.join(file).display().to_string();
    let tls = format!("tls: {{certFile: {}, keyFile: {}{}}}", at("server.pem"), at("server.key"), more);
    let text = format!(
        "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {{mode: none}}\nserver: {{{tls}}}\n"
    );
    std::fs::write(folder.join("gantry.yaml"), text).unwrap();
    Running::start(&["--config", &at("gantry.yaml")])
}

/// Offers h2 like kube-scheduler, and sends one request.
async fn get(running: &Running, folder: &Path, with_certificate: bool) -> std::io::Result<(Option<Vec<u8>>, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = if with_certificate {
        let chain = vec![CertificateDer::from_pem_file(folder.join("client.pem")).unwrap()];
        builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(folder.join("client.key")).unwrap()).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(running.extender).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    stream.write_all(b"POST /filter HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok((protocol, answer))
}

#[tokio::test]
async fn https_speaks_http_1_1_whatever_the_client_offers() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let running = start(folder.path(), "");
    let (protocol, answer) = get(&running, folder.path(), false).await.unwrap();
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn where_client_certificates_are_asked_for_nobody_gets_in_without_one() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let running = start(folder.path(), &format!(", clientCaFile: {}", folder.path().join("ca.pem").display()));
    assert!(get(&running, folder.path(), false).await.is_err());
    assert!(get(&running, folder.path(), true).await.unwrap().1.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_certificate_file_without_a_certificate_is_refused_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let tls = gantry_extender::config::valid::Tls {
        cert_file: folder.path().join("server.key"),
        key_file: folder.path().join("server.key"),
        client_ca_file: None,
    };
    let Err(problem) = gantry_extender::tls::acceptor(&tls) else { panic!("taken for a certificate") };
    assert_eq!(problem.key, "server.tls.certFile");
    assert!(problem.remedy.contains("at least one certificate"), "{problem}");
}
