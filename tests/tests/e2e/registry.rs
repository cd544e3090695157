//! A component in a real registry on loopback (Debian's docker-registry), pulled by the real binary.
//!
//! Pushed in plain text, to one process; pulled from it, and from another one over the same storage that wants TLS and a
//! password. The signature is made as cosign makes it, and lies where cosign 2 puts it.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use gantry_host::Digest;
use gantry_tests::binaries;
use gantry_tests::certificates::Authority;
use gantry_tests::poll::until;
use gantry_tests::process::{Process, free_ports};
use k8s_openapi::ByteString;
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};

/// The password `word` of `user`, as `htpasswd -B` writes it.
const PASSWORD: &str = "user:$2b$04$abcdefghijklmnopqrstuuB/GrfUOm5dtrEiT8lcouu5XB5ftbWLi\n";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A program of the system.
fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed: scripts/setup.sh test installs it"))
}

/// A registry that keeps what it is given in `folder`.
async fn registry(folder: &Path) -> (Process, u16) {
    start(folder, "plain", &json!({}), &json!({})).await
}

/// A registry over the same storage that speaks TLS and wants a password.
async fn guarded(folder: &Path, authority: &Authority) -> (Process, u16) {
    let identity = authority.server("registry").unwrap();
    let users = folder.join("htpasswd");
    std::fs::write(&users, PASSWORD).unwrap();
    let tls = json!({"certificate": identity.certificate, "key": identity.key});
    start(folder, "guarded", &json!({"tls": tls}), &json!({"htpasswd": {"realm": "tests", "path": users}})).await
}

async fn start(folder: &Path, name: &str, http: &Value, auth: &Value) -> (Process, u16) {
    let [port] = free_ports().unwrap();
    let config = folder.join(format!("{name}.yml"));
    let storage = json!({"filesystem": {"rootdirectory": folder.join("storage")}});
    let mut http = http.clone();
    http["addr"] = json!(format!("127.0.0.1:{port}"));
    let text = json!({"version": 0.1, "log": {"level": "error"}, "storage": storage, "http": http, "auth": auth});
    std::fs::write(&config, text.to_string()).unwrap();
    let program = installed("docker-registry");
    let arguments = ["serve".as_ref(), config.as_os_str()];
    let process = Process::start(name, &program, arguments, &[], folder).unwrap();
    until("the registry to answer", Duration::from_secs(30), || async {
        Ok(TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
    })
    .await
    .unwrap();
    (process, port)
}

/// One request; the status, and where the answer leads.
fn send(port: u16, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    write!(head, "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let location = answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default();
    (status, location.trim().to_owned())
}

fn upload(port: u16, bytes: &[u8]) -> Digest {
    let (status, location) = send(port, "POST", "/v2/plugins/gantry/blobs/uploads/", "", b"");
    assert_eq!(status, 202);
    let host = format!("http://127.0.0.1:{port}");
    let digest = Digest::of(bytes);
    let path = format!("{}&digest={digest}", location.trim_start_matches(&host));
    assert_eq!(send(port, "PUT", &path, "application/octet-stream", bytes).0, 201);
    digest
}

/// Pushes an artifact of one layer as `plugins/gantry:TAG`; the digest of its manifest.
fn push(port: u16, tag: &str, kind: &str, layer: &[u8], annotations: &Value) -> Digest {
    let blob = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": upload(port, bytes).to_string(), "size": bytes.len()});
    let mut layer = blob(kind, layer);
    layer["annotations"] = annotations.clone();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob("application/vnd.wasm.config.v0+json", b"{}"),
        "layers": [layer],
    });
    let manifest = manifest.to_string();
    let path = format!("/v2/plugins/gantry/manifests/{tag}");
    assert_eq!(send(port, "PUT", &path, MANIFEST, manifest.as_bytes()).0, 201);
    Digest::of(manifest.as_bytes())
}

fn push_component(port: u16) -> Digest {
    push(port, "1.0", "application/wasm", gantry_component::BYTES, &json!({}))
}

/// Signs an artifact as `cosign sign --key` does, into the tag that is made of its digest.
fn sign(port: u16, manifest: Digest, key: &KeyPair) {
    let image = json!({"docker-manifest-digest": manifest.to_string()});
    let critical = json!({"identity": {}, "image": image, "type": "cosign container image signature"});
    let payload = json!({"critical": critical, "optional": null}).to_string().into_bytes();
    let signature = ByteString(key.sign(&payload).unwrap());
    let annotations = json!({"dev.cosignproject.cosign/signature": signature});
    let tag = format!("{}.sig", manifest.to_string().replace(':', "-"));
    push(port, &tag, "application/vnd.dev.cosign.simplesigning.v1+json", &payload, &annotations);
}

fn check_config(folder: &Path, component: &str, digest: Digest) -> Output {
    check(folder, &json!({"name": "gantry", "component": component, "digest": digest.to_string()}))
}

fn check(folder: &Path, plugin: &Value) -> Output {
    let config = json!({
        "apiVersion": "gantry.dev/v1alpha1",
        "kind": "GantryConfiguration",
        "profiles": [{"schedulerName": "default-scheduler", "plugins": [plugin]}],
    });
    let file = folder.join("gantry.yaml");
    std::fs::write(&file, config.to_string()).unwrap();
    Command::new(binaries::extender().unwrap()).arg("check-config").arg(&file).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_in_a_registry_is_pulled_by_tag_and_by_digest_and_its_own_digest_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (_registry, port) = registry(folder.path()).await;
    let manifest = push_component(port);
    let ours = Digest::of(gantry_component::BYTES);
    for reference in [":1.0".to_owned(), format!("@{manifest}")] {
        let component = format!("oci://127.0.0.1:{port}/plugins/gantry{reference}");
        let output = check_config(folder.path(), &component, ours);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = check_config(folder.path(), &component, Digest::of(b"another"));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains("digest-mismatch"), "{error}");
    }
    let output = check_config(folder.path(), &format!("oci://127.0.0.1:{port}/plugins/none:1.0"), ours);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("404") && error.contains("profiles[0].plugins[0].component"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_component_is_pulled_over_tls_with_a_password_and_only_by_whoever_has_all_three() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let authority = Authority::new(folder.path()).unwrap();
    let (_plain, open) = registry(folder.path()).await;
    let (_guarded, port) = guarded(folder.path(), &authority).await;
    let key = KeyPair::generate().unwrap();
    sign(open, push_component(open), &key);
    std::fs::write(at("cosign.pub"), key.public_key_pem()).unwrap();
    std::fs::write(at("stranger.pub"), KeyPair::generate().unwrap().public_key_pem()).unwrap();
    let users = json!({"auths": {format!("127.0.0.1:{port}"): {"username": "user", "password": "word"}}});
    std::fs::write(at("config.json"), users.to_string()).unwrap();

    let pull = |fetch: Value, key: &str| {
        let component = format!("oci://127.0.0.1:{port}/plugins/gantry:1.0");
        let signature = json!({"publicKey": at(key)});
        let output =
            check(folder.path(), &json!({"name": "g", "component": component, "fetch": fetch, "signature": signature}));
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (ca, users) = (authority.certificate(), at("config.json"));
    let (is_good, error) = pull(json!({"caFile": ca, "authFile": users}), "cosign.pub");
    assert!(is_good, "{error}");
    for (fetch, key, message) in [
        (json!({"caFile": ca, "authFile": users}), "stranger.pub", "no signature by"),
        (json!({"caFile": ca}), "cosign.pub", "401"),
        (json!({"authFile": users}), "cosign.pub", "answer"),
    ] {
        let (is_good, error) = pull(fetch, key);
        assert!(!is_good && error.contains(message), "{message}: {error}");
    }
}
