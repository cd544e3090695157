//! https, with and without client certificates, against the real binary; and certificates that are replaced.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use gantry_extender::config::valid::Tls;
use gantry_extender::server::{Server, Threads};
use gantry_extender::tls::Certificates;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{ChildStderr, Command};
use tokio::sync::watch;
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

/// The path of a configuration that names the folder's files.
fn configured(folder: &Path, more: &str) -> String {
    let at = |file: &str| folder.join(file).display().to_string();
    let tls = format!("tls: {{certFile: {}, keyFile: {}{}}}", at("server.pem"), at("server.key"), more);
    let text = format!(
        "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {{mode: none}}\nserver: {{{tls}}}\n"
    );
    std::fs::write(folder.join("gantry.yaml"), text).unwrap();
    at("gantry.yaml")
}

fn start(folder: &Path, more: &str) -> Running {
    Running::start(&["--config", &configured(folder, more)])
}

/// Offers h2 like kube-scheduler, and sends one request.
async fn get(at: SocketAddr, folder: &Path, with_certificate: bool) -> std::io::Result<(Option<Vec<u8>>, String)> {
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
    let stream = TcpStream::connect(at).await?;
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
    let (protocol, answer) = get(running.extender, folder.path(), false).await.unwrap();
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn where_client_certificates_are_asked_for_nobody_gets_in_without_one() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let running = start(folder.path(), &format!(", clientCaFile: {}", folder.path().join("ca.pem").display()));
    assert!(get(running.extender, folder.path(), false).await.is_err());
    assert!(get(running.extender, folder.path(), true).await.unwrap().1.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_certificate_file_without_a_certificate_is_refused_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let tls = Tls {
        cert_file: folder.path().join("server.key"),
        key_file: folder.path().join("server.key"),
        client_ca_file: None,
    };
    let Err(problem) = Certificates::read(&tls) else { panic!("taken for a certificate") };
    assert_eq!(problem.key, "server.tls.certFile");
    assert!(problem.remedy.contains("at least one certificate"), "{problem}");
}

/// A folder with certificates of an authority of its own.
fn authority() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    folder
}

fn copy(from: &tempfile::TempDir, to: &tempfile::TempDir, files: &[&str]) {
    for file in files {
        std::fs::copy(from.path().join(file), to.path().join(file)).unwrap();
    }
}

/// A server in this process. Its files lie in a folder, and it looks at them when it is told to.
struct Live {
    folder: tempfile::TempDir,
    certificates: Certificates,
    address: SocketAddr,
    _over: watch::Sender<bool>,
}

impl Live {
    /// With the certificates of `first`; where `asks`, clients need one of its authority.
    async fn start(first: &tempfile::TempDir, asks: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(first, &folder, &["server.pem", "server.key", "ca.pem"]);
        let at = |file: &str| folder.path().join(file);
        let (cert_file, key_file) = (at("server.pem"), at("server.key"));
        let files = Tls { cert_file, key_file, client_ca_file: asks.then(|| at("ca.pem")) };
        let certificates = Certificates::read(&files).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, tls) = (Router::new().fallback(|_body: String| async { "here" }), Some(certificates.handshakes()));
        let (over, is_over) = watch::channel(false);
        let (keep_alive, threads) = (Duration::from_mins(2), Threads::Shared);
        tokio::spawn(Server { listener, router, tls, keep_alive, threads }.run(is_over));
        Self { folder, certificates, address, _over: over }
    }

    /// Whether it serves who trusts the authority of a folder and shows the certificate that lies there.
    async fn serves(&self, client: &tempfile::TempDir) -> bool {
        let answer = get(self.address, client.path(), true).await;
        answer.is_ok_and(|(_, answer)| answer.starts_with("HTTP/1.1 200"))
    }

    /// Two looks: the first only notes a change. The key of the file at fault, if the change is not used.
    fn look(&mut self) -> Result<(), String> {
        assert!(self.certificates.look().is_none(), "one look is not enough");
        self.certificates.look().unwrap().map_err(|problem| problem.key)
    }
}

#[tokio::test]
async fn certificates_that_are_replaced_serve_the_next_handshake_and_the_last_good_ones_stay_where_they_cannot() {
    let (first, second) = (authority(), authority());
    let mut live = Live::start(&first, false).await;
    assert!(live.serves(&first).await && !live.serves(&second).await);
    for _ in 0..2 {
        assert!(live.certificates.look().is_none(), "nothing has changed");
    }

    let chain = live.folder.path().join("server.pem");
    std::fs::write(&chain, "half a certificate").unwrap();
    assert_eq!(live.look(), Err("server.tls.certFile".to_owned()));
    assert!(live.certificates.look().is_none(), "told once");
    assert!(live.serves(&first).await, "no certificate in the file");
    std::fs::remove_file(&chain).unwrap();
    assert_eq!(live.look(), Err("server.tls.certFile".to_owned()));
    assert!(live.serves(&first).await, "no file");
    copy(&second, &live.folder, &["server.pem"]);
    assert_eq!(live.look(), Err("server.tls.keyFile".to_owned()));
    assert!(live.serves(&first).await, "another certificate's key");

    copy(&second, &live.folder, &["server.key"]);
    assert_eq!(live.look(), Ok(()));
    assert!(live.serves(&second).await && !live.serves(&first).await);
}

#[tokio::test]
async fn an_authority_of_clients_that_is_replaced_counts_from_the_next_handshake_on() {
    let (first, second) = (authority(), authority());
    let newcomer = tempfile::tempdir().unwrap();
    copy(&first, &newcomer, &["ca.pem"]);
    copy(&second, &newcomer, &["client.pem", "client.key"]);
    let mut live = Live::start(&first, true).await;
    assert!(live.serves(&first).await && !live.serves(&newcomer).await);
    copy(&second, &live.folder, &["ca.pem"]);
    assert_eq!(live.look(), Ok(()));
    assert!(live.serves(&newcomer).await && !live.serves(&first).await);
}

/// Reads on until a line has these words.
async fn read_until(log: &mut Lines<BufReader<ChildStderr>>, words: &str) {
    let is_said = async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains(words) {
                return true;
            }
        }
        false
    };
    let is_said = tokio::time::timeout(Duration::from_mins(1), is_said).await;
    assert_eq!(is_said, Ok(true), "`{words}` is not in the log");
}

#[tokio::test]
async fn the_process_looks_at_its_certificates_by_itself() {
    let (folder, second) = (authority(), authority());
    let file = configured(folder.path(), "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gantry-extender"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--config", &file]);
    let mut process = command.env_remove("RUST_LOG").stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    read_until(&mut log, "listening").await;
    copy(&second, &folder, &["server.pem", "server.key"]);
    read_until(&mut log, "new connections use them").await;
}
