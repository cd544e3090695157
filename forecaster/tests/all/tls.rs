//! TLS to Prometheus: authorities, client certificates, and certificates that are replaced while the sidecar runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::bench::{Bench, NOW, SMALL, config};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for the loopback address, and its key.
fn signed(by: &Authority) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (params.signed_by(&key, by).unwrap(), key)
}

/// A server that wants a certificate of an authority and answers every request with an empty result.
fn server(trusts: &Authority, own: &Authority) -> SocketAddr {
    let (certificate, key) = signed(own);
    let mut roots = RootCertStore::empty();
    roots.add(trusts.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_client_cert_verifier(verifier);
    let config = Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            std::thread::spawn(move || drop(answer(StreamOwned::new(connection, stream))));
        }
    });
    address
}

fn answer(mut stream: StreamOwned<ServerConnection, std::net::TcpStream>) -> std::io::Result<()> {
    let body = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    let mut buffer = [0; 4_096];
    while stream.read(&mut buffer)? > 0 {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
        stream.flush()?;
    }
    Ok(())
}

fn write_client(folder: &Path, by: &Authority) {
    let (certificate, key) = signed(by);
    fs::write(folder.join("client.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("client.key"), key.serialize_pem()).unwrap();
}

#[test]
fn a_client_certificate_opens_the_door_and_a_new_one_is_taken_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let (good, other) = (authority(), authority());
    let address = server(&good, &good);
    fs::write(folder.path().join("ca.pem"), good.pem()).unwrap();
    write_client(folder.path(), &other);
    let mut config = config(&format!("https://{address}"), SMALL);
    config.prometheus.ca_file = Some(folder.path().join("ca.pem"));
    config.prometheus.client_cert = Some((folder.path().join("client.pem"), folder.path().join("client.key")));
    let mut bench = Bench::new(&config);
    bench.tick(NOW);
    assert_eq!((bench.fetches("node_cpu", "connect"), bench.fetches("node_cpu", "empty")), (1.0, 0.0));
    write_client(folder.path(), &good);
    bench.tick(NOW + 30);
    assert_eq!(bench.fetches("node_cpu", "empty"), 1.0);
}

#[test]
fn a_server_of_an_unknown_authority_is_not_talked_to() {
    let folder = tempfile::tempdir().unwrap();
    let (good, other) = (authority(), authority());
    fs::write(folder.path().join("ca.pem"), good.pem()).unwrap();
    write_client(folder.path(), &good);
    let mut config = config(&format!("https://{}", server(&good, &other)), SMALL);
    config.prometheus.ca_file = Some(folder.path().join("ca.pem"));
    config.prometheus.client_cert = Some((folder.path().join("client.pem"), folder.path().join("client.key")));
    let mut bench = Bench::new(&config);
    bench.tick(NOW);
    assert_eq!(bench.fetches("node_cpu", "connect"), 1.0);
}
