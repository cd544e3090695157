//! A component in a real registry on loopback (Debian's docker-registry), pulled by the real binary.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use gantry_host::Digest;
use gantry_tests::binaries;
use gantry_tests::poll::until;
use gantry_tests::process::{Process, free_ports};
use serde_json::json;

/// A program of the system.
fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed: scripts/setup.sh test installs it"))
}

/// A registry that keeps what it is given in `folder`.
async fn registry(folder: &Path) -> (Process, u16) {
    let [port] = free_ports().unwrap();
    let config = folder.join("registry.yml");
    let storage = json!({"filesystem": {"rootdirectory": folder.join("storage")}});
    let http = json!({"addr": format!("127.0.0.1:{port}")});
    let text = json!({"version": 0.1, "log": {"level": "error"}, "storage": storage, "http": http});
    std::fs::write(&config, text.to_string()).unwrap();
    let program = installed("docker-registry");
    let arguments = ["serve".as_ref(), config.as_os_str()];
    let process = Process::start("docker-registry", &program, arguments, &[], folder).unwrap();
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

/// Pushes a component as `plugins/gantry:1.0`; the digest of the manifest.
fn push(port: u16, component: &[u8]) -> Digest {
    let blob = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": upload(port, bytes).to_string(), "size": bytes.len()});
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": blob("application/vnd.wasm.config.v0+json", b"{}"),
        "layers": [blob("application/wasm", component)],
    });
    let manifest = manifest.to_string();
    assert_eq!(send(port, "PUT", "/v2/plugins/gantry/manifests/1.0", kind, manifest.as_bytes()).0, 201);
    Digest::of(manifest.as_bytes())
}

fn check_config(folder: &Path, component: &str, digest: Digest) -> Output {
    let plugin = json!({"name": "gantry", "component": component, "digest": digest.to_string()});
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
    let manifest = push(port, gantry_component::BYTES);
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
