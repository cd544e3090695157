//! Components from a real HTTPS server, and from a registry behind it.

mod seal;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use futures::{StreamExt as _, stream};
use gantry_extender::config::valid::{ComponentSource, Fetch, Image, Tls};
use gantry_extender::fetch::{FetchError, fetch};
use gantry_extender::server::{Server, Threads};
use gantry_extender::tls::Certificates;
use gantry_host::Digest;
use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::{Extender, HEAD};
use crate::tls::{certificates, certificates_with};
use seal::Seal;

/// What is done to a certificate before it is signed.
type Change = fn(&mut CertificateParams);

/// An HTTPS server with one component, by address and as an artifact that is signed.
struct Shop {
    folder: tempfile::TempDir,
    address: SocketAddr,
    seal: Arc<Seal>,
    _over: watch::Sender<bool>,
}

impl Shop {
    async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    /// A shop whose certificate is changed before it is signed.
    async fn open_with(change: Change) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates_with(folder.path(), change);
        let files = Tls {
            cert_file: folder.path().join("server.pem"),
            key_file: folder.path().join("server.key"),
            client_ca_file: None,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seal = Arc::new(Seal::new(artifact()));
        let router = Router::new().fallback(serve).with_state((address, Arc::clone(&seal)));
        let tls = Some(Certificates::read(&files).unwrap().handshakes());
        let (over, is_over) = watch::channel(false);
        let (keep_alive, threads) = (Duration::from_mins(2), Threads::Shared);
        tokio::spawn(Server { listener, router, tls, keep_alive, threads }.run(is_over));
        Self { folder, address, seal, _over: over }
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    fn how(&self) -> Fetch {
        // `user:word`.
        self.with_auths(&json!({self.host(): {"auth": "dXNlcjp3b3Jk"}}))
    }

    fn with_auths(&self, auths: &serde_json::Value) -> Fetch {
        let auth_file = self.folder.path().join("config.json");
        std::fs::write(&auth_file, json!({"auths": auths}).to_string()).unwrap();
        Fetch {
            ca_file: Some(self.authority()),
            auth_file: Some(auth_file),
            public_key: None,
            timeout: Duration::from_secs(20),
        }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    async fn get(&self, path: &str, how: Fetch) -> Result<Vec<u8>, FetchError> {
        let source = ComponentSource::Https(format!("https://{}{path}", self.host()).parse().unwrap());
        blocking(source, how).await
    }

    async fn pull(&self, name: &str) -> Result<Vec<u8>, FetchError> {
        self.pull_as(name, self.how()).await
    }

    async fn pull_as(&self, name: &str, how: Fetch) -> Result<Vec<u8>, FetchError> {
        let image = Image::parse(&format!("{}/{name}", self.host())).unwrap();
        blocking(ComponentSource::Oci(image), how).await
    }

    /// As [`Shop::how`], with a key that must have signed the artifact.
    fn signed_by(&self, key: &KeyPair) -> Fetch {
        let file = self.folder.path().join("cosign.pub");
        std::fs::write(&file, key.public_key_pem()).unwrap();
        Fetch { public_key: Some(file), ..self.how() }
    }
}

async fn blocking(source: ComponentSource, how: Fetch) -> Result<Vec<u8>, FetchError> {
    tokio::task::spawn_blocking(move || fetch(&source, &how)).await.unwrap()
}

fn component() -> &'static [u8] {
    gantry_guests::bytes("well_behaved")
}

fn manifest(kind: &str, digest: &str) -> Vec<u8> {
    let layer = json!({"mediaType": kind, "digest": digest, "size": component().len()});
    json!({"schemaVersion": 2, "layers": [layer]}).to_string().into_bytes()
}

/// What the shop has: files, an artifact that wants a password, one that wants a token, and some that are broken.
async fn serve(State((address, seal)): State<(SocketAddr, Arc<Seal>)>, request: Request<Body>) -> Response<Body> {
    let digest = Digest::of(component()).to_string();
    let (path, is_signed) = (request.uri().path(), request.uri().query() == Some("sig=secret"));
    let authorization = text(request.headers(), header::AUTHORIZATION);
    let host = format!("localhost:{}", address.port());
    let needs = if path.contains("/token/") { "Bearer t0ken" } else { "Basic dXNlcjp3b3Jk" };
    match path {
        "/spread.wasm" => reply(StatusCode::OK, component().to_vec()),
        "/moved" => redirect("/spread.wasm"),
        "/downgrade" => redirect(&format!("http://{host}/spread.wasm")),
        "/loop" => redirect("/loop"),
        "/signed" if is_signed => reply(StatusCode::OK, component().to_vec()),
        "/signed/moved" => redirect("/signed?sig=secret"),
        "/signed/downgrade" => redirect(&format!("http://{host}/signed?sig=secret")),
        "/signed/loop" => redirect("/signed/loop?sig=secret"),
        "/huge" => reply(StatusCode::OK, vec![0; (64 << 20) + 1]),
        "/hangs" | "/v2/hangs/p/manifests/latest" => std::future::pending().await,
        "/stalls" => Response::new(Body::from_stream(
            stream::iter([Ok::<_, Infallible>(component()[..100].to_vec())]).chain(stream::pending()),
        )),
        // Leads to the same server under another name, which would like to have the password.
        "/v2/led/p/manifests/latest" => redirect(&format!("https://127.0.0.1:{}/elsewhere", address.port())),
        "/elsewhere" => unauthorized(&format!(r#"Bearer realm="https://{host}/thief""#)),
        "/thief" if !authorization.is_empty() => reply(StatusCode::IM_A_TEAPOT, Vec::new()),
        _ if path.starts_with("/tokens/") && authorization == "Basic dXNlcjp3b3Jk" => {
            reply(StatusCode::OK, token(path).into())
        }
        _ if path.starts_with("/v2/") && authorization != needs => {
            let challenge = if needs.starts_with("Bearer") {
                let name = path.split('/').nth(3).unwrap_or_default();
                format!(r#"Bearer realm="https://{host}/tokens/{name}",service="shop",scope="repository:token/p:pull""#)
            } else {
                "Basic realm=\"shop\"".to_owned()
            };
            unauthorized(&challenge)
        }
        "/v2/basic/p/manifests/1.0"
        | "/v2/listed/p/manifests/latest"
        | "/v2/tagged/p/manifests/latest"
        | "/v2/spoilt/p/manifests/latest"
        | "/v2/lost/p/manifests/latest" => reply(StatusCode::OK, manifest("application/wasm", &digest)),
        _ if path.starts_with("/v2/token/") && path.ends_with("/manifests/latest") => {
            reply(StatusCode::OK, manifest("application/wasm", &digest))
        }
        _ if seal.at(path).is_some() => reply(StatusCode::OK, seal.at(path).unwrap_or_default()),
        "/v2/basic/lying/manifests/latest" => {
            reply(StatusCode::OK, manifest("application/wasm", &Digest::of(b"other").to_string()))
        }
        "/v2/basic/image/manifests/latest" => reply(StatusCode::OK, manifest("application/tar", &digest)),
        _ if path.contains("/manifests/sha256:") => reply(StatusCode::OK, manifest("application/wasm", &digest)),
        _ if path.contains("/blobs/sha256:") => redirect("/spread.wasm"),
        _ => reply(StatusCode::NOT_FOUND, Vec::new()),
    }
}

/// What the token service answers for a repository.
fn token(path: &str) -> &'static str {
    match path {
        "/tokens/p" => r#"{"token":"t0ken"}"#,
        "/tokens/both" => r#"{"token":"t0ken","access_token":"another","expires_in":300}"#,
        "/tokens/access" => r#"{"access_token":"t0ken"}"#,
        "/tokens/half" => r#"{"token":"","access_token":"t0ken"}"#,
        "/tokens/empty" => r#"{"token":"","access_token":null}"#,
        _ => r#"{"token":["t0ken"]}"#,
    }
}

/// The digest of the artifact's manifest.
fn artifact() -> Digest {
    Digest::of(&manifest("application/wasm", &Digest::of(component()).to_string()))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn reply(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

fn unauthorized(challenge: &str) -> Response<Body> {
    let response = Response::builder().status(StatusCode::UNAUTHORIZED).header(header::WWW_AUTHENTICATE, challenge);
    response.body(Body::empty()).unwrap()
}

fn redirect(to: &str) -> Response<Body> {
    Response::builder().status(StatusCode::TEMPORARY_REDIRECT).header(header::LOCATION, to).body(Body::empty()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_comes_over_https_also_by_a_redirect() {
    let shop = Shop::open().await;
    for path in ["/spread.wasm", "/moved"] {
        assert_eq!(shop.get(path, shop.how()).await.unwrap(), component(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_on_the_way_is_named() {
    let shop = Shop::open().await;
    for (path, message) in [
        ("/none", "404"),
        ("/downgrade", "only https is followed"),
        ("/loop", "one redirect too many"),
        ("/huge", "more than the 67108864 bytes"),
    ] {
        let error = shop.get(path, shop.how()).await.unwrap_err().to_string();
        assert!(error.contains(message) && error.contains(path), "{path}: {error}");
    }
    let stranger = tempfile::tempdir().unwrap();
    certificates(stranger.path());
    let other = Fetch { ca_file: Some(stranger.path().join("ca.pem")), ..shop.how() };
    let error = gantry_extender::profile::chain(&shop.get("/spread.wasm", other).await.unwrap_err());
    assert!(error.contains("certificate"), "{error}");
    let no_authority = Fetch { ca_file: Some(shop.folder.path().join("server.key")), ..shop.how() };
    let error = shop.get("/spread.wasm", no_authority).await.unwrap_err().to_string();
    assert!(error.contains("server.key"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_addresses_are_sent_and_never_shown() {
    let shop = Shop::open().await;
    for path in ["/signed?sig=secret", "/signed/moved"] {
        assert_eq!(shop.get(path, shop.how()).await.unwrap(), component(), "{path}");
    }
    for (path, message) in [
        ("/none?sig=secret", "404"),
        ("/signed/downgrade", "only https is followed"),
        ("/signed/loop?sig=secret", "one redirect too many"),
    ] {
        let error = gantry_extender::profile::chain(&shop.get(path, shop.how()).await.unwrap_err());
        assert!(error.contains(message) && !error.contains("secret"), "{path}: {error}");
    }
    let at = format!("https://{}/none?sig=secret", shop.host());
    let (_, page) = Extender::new(&plugin(&shop, &at, "")).admin("/profiles").await;
    assert!(page.contains(&format!("https://{}/none", shop.host())) && !page.contains("secret"), "{page}");
}

#[test]
fn where_no_authority_is_known_it_is_said_what_to_name() {
    let folder = tempfile::tempdir().unwrap();
    let (file, empty) = (folder.path().join("gantry.yaml"), folder.path().join("empty.pem"));
    let plugin = "{name: guest, component: 'https://localhost:1/spread.wasm'}";
    let profiles = format!("profiles: [{{schedulerName: default-scheduler, plugins: [{plugin}]}}]");
    std::fs::write(&file, format!("{HEAD}{profiles}\n")).unwrap();
    std::fs::write(&empty, "").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gantry-extender"));
    command.arg("check-config").arg(&file).env("SSL_CERT_FILE", &empty).env_remove("SSL_CERT_DIR");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no certificate authorities") && said.contains("fetch.caFile"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up_in_time() {
    let shop = Shop::open().await;
    let start = Instant::now();
    let hasty = || Fetch { timeout: Duration::from_millis(200), ..shop.how() };
    // Connections are taken by the system, and nobody ever says a word on them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("https://localhost:{}/x", silent.local_addr().unwrap().port());
    for error in [
        shop.get("/hangs", hasty()).await.unwrap_err(),
        shop.get("/stalls", hasty()).await.unwrap_err(),
        shop.pull_as("hangs/p", hasty()).await.unwrap_err(),
        blocking(ComponentSource::Https(silent.parse().unwrap()), hasty()).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("fetch.timeout"), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "it was waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_does_not_hold_is_not_listened_to() {
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(3000, 1, 1);
    let of_another = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::DnsName("elsewhere.example".try_into().unwrap())];
    };
    let cases: [(&str, Change); 3] =
        [("certificate expired", expired), ("not valid yet", early), ("not valid for name", of_another)];
    for (message, change) in cases {
        let shop = Shop::open_with(change).await;
        for error in
            [shop.get("/spread.wasm", shop.how()).await.unwrap_err(), shop.pull("basic/p:1.0").await.unwrap_err()]
        {
            let error = gantry_extender::profile::chain(&error);
            assert!(error.contains(message) && error.contains(&shop.host()), "{message}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_comes_from_a_registry_by_password_by_token_and_by_digest() {
    let shop = Shop::open().await;
    for name in ["basic/p:1.0", "token/p", &format!("basic/p@{}", artifact())] {
        assert_eq!(shop.pull(name).await.unwrap(), component(), "{name}");
    }
    for (name, message) in [
        ("basic/none:1.0", "404"),
        ("basic/lying", "was asked for"),
        ("basic/image", "its layers are [application/tar]"),
        (&format!("basic/p@{}", Digest::of(b"x")), "was asked for"),
    ] {
        let error = shop.pull(name).await.unwrap_err().to_string();
        assert!(error.contains(message), "{name}: {error}");
    }
    let image = Image::parse(&format!("{}/basic/p:1.0", shop.host())).unwrap();
    let anonymous = Fetch { auth_file: None, ..shop.how() };
    let error = blocking(ComponentSource::Oci(image), anonymous).await.unwrap_err().to_string();
    assert!(error.contains("401") && error.contains("fetch.authFile"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_by_either_name_and_its_lack_is_the_token_services_fault() {
    let shop = Shop::open().await;
    for name in ["token/p", "token/both", "token/access", "token/half"] {
        assert_eq!(shop.pull(name).await.unwrap(), component(), "{name}");
    }
    for name in ["empty", "odd"] {
        let error = shop.pull(&format!("token/{name}")).await.unwrap_err().to_string();
        let service = format!("https://{}/tokens/{name} gives no token: ", shop.host());
        assert!(error.starts_with(&service) && !error.contains("t0ken"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_secrets_for_parts_of_a_registry_each_goes_to_its_part() {
    let shop = Shop::open().await;
    let part = |name: &str| format!("{}/{name}", shop.host());
    let how = shop.with_auths(&json!({part("basic"): {"auth": "dXNlcjp3b3Jk"}, part("aaa"): {"auth": "bm9ib2R5Og=="}}));
    assert_eq!(shop.pull_as("basic/p:1.0", how.clone()).await.unwrap(), component());
    for (name, words) in [("aaa/p", "do not suffice"), ("other/p", "fetch.authFile has no entry for localhost")] {
        let error = shop.pull_as(name, how.clone()).await.unwrap_err().to_string();
        assert!(error.contains("401") && error.contains(words), "{name}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_registry_leads_to_gets_no_password_by_asking_for_one() {
    let both = |params: &mut CertificateParams| {
        params.subject_alt_names.push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
    };
    let shop = Shop::open_with(both).await;
    let error = shop.pull("led/p").await.unwrap_err().to_string();
    assert!(error.contains("401") && error.contains("127.0.0.1") && error.contains("/elsewhere"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_whose_signature_is_asked_for_comes_only_if_that_key_signed_it() {
    let shop = Shop::open().await;
    for name in ["basic/p:1.0", "listed/p", "tagged/p"] {
        assert_eq!(shop.pull_as(name, shop.signed_by(&shop.seal.key)).await.unwrap(), component(), "{name}");
        let stranger = shop.signed_by(&KeyPair::generate().unwrap());
        let error = shop.pull_as(name, stranger).await.unwrap_err().to_string();
        assert!(error.contains("no signature by") && error.contains("cosign.pub"), "{name}: {error}");
    }
    let error = shop.pull_as("basic/lying", shop.signed_by(&shop.seal.key)).await.unwrap_err().to_string();
    assert!(error.contains("; sign it with `cosign sign --key`"), "an artifact that nobody signed: {error}");
    let no_key = Fetch { public_key: Some(shop.authority()), ..shop.how() };
    let error = shop.pull_as("basic/p:1.0", no_key).await.unwrap_err().to_string();
    assert!(error.contains("ca.pem"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_cannot_be_read_hides_no_other() {
    let shop = Shop::open().await;
    for name in ["spoilt/p", "lost/p"] {
        assert_eq!(shop.pull_as(name, shop.signed_by(&shop.seal.key)).await.unwrap(), component(), "{name}");
        let stranger = shop.signed_by(&KeyPair::generate().unwrap());
        let error = shop.pull_as(name, stranger).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{} was asked for", Digest::of(b"lost"))), "{name}: {error}");
    }
}

fn sections(shop: &Shop, digest: &str) -> String {
    plugin(shop, &format!("https://{}/spread.wasm", shop.host()), &format!(", digest: '{digest}'"))
}

/// A profile with the component at an address of the shop.
fn plugin(shop: &Shop, address: &str, more: &str) -> String {
    let component = format!("component: '{address}'{more}");
    let fetch = format!("fetch: {{caFile: {}}}", shop.authority().display());
    format!("profiles: [{{schedulerName: default-scheduler, plugins: [{{name: guest, {component}, {fetch}}}]}}]")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_holds_for_what_was_fetched() {
    let shop = Shop::open().await;
    for (digest, reason) in [(Digest::of(component()), "null"), (Digest::of(b"other"), "digest-mismatch")] {
        let extender = Extender::new(&sections(&shop, &digest.to_string()));
        let (_, page) = extender.admin("/profiles").await;
        assert!(page.contains(reason), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_was_found_once_holds_for_the_same_bytes_and_key_and_no_other() {
    let shop = Shop::open().await;
    let how = shop.signed_by(&shop.seal.key);
    let plugin = |host: &str, key: &std::path::Path| {
        let component = format!("component: 'oci://{host}/basic/p:1.0', digest: '{}'", Digest::of(component()));
        let (ca, auth) = (shop.authority(), how.auth_file.clone().unwrap());
        let fetch = format!("fetch: {{caFile: {}, authFile: {}}}", ca.display(), auth.display());
        let signature = format!("signature: {{publicKey: {}}}", key.display());
        let profile = format!("plugins: [{{name: guest, {component}, {fetch}, {signature}}}]");
        let cache = shop.folder.path().join("cache");
        format!("cache: {{dir: {}}}\nprofiles: [{{schedulerName: default-scheduler, {profile}}}]", cache.display())
    };
    let failure = async |host: &str, key: &std::path::Path| {
        let (_, page) = Extender::new(&plugin(host, key)).admin("/profiles").await;
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        page["profiles"][0]["plugins"][0]["failure"]["reason"].clone()
    };
    let (key, nobody) = (how.public_key.clone().unwrap(), "localhost:1");
    assert_eq!(failure(nobody, &key).await, "unavailable", "not known yet");
    assert_eq!(failure(&shop.host(), &key).await, serde_json::Value::Null);
    assert_eq!(failure(nobody, &key).await, serde_json::Value::Null, "no registry is needed any more");
    let other = shop.folder.path().join("other.pub");
    std::fs::write(&other, KeyPair::generate().unwrap().public_key_pem()).unwrap();
    assert_eq!(failure(nobody, &other).await, "unavailable", "another key has to be looked for");
}
