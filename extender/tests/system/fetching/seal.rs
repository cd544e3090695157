//! The signatures of the shop's artifact, attached as cosign 2 and as cosign 3 attach theirs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gantry_host::Digest;
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};

/// The kind of what cosign 3 attaches.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A key, and what it signed.
pub(super) struct Seal {
    pub(super) key: KeyPair,
    artifact: Digest,
    /// What cosign 2 signs, under a tag of its own.
    payload: Vec<u8>,
    /// What cosign 3 attaches: the second is the shop's, the first a list of parts.
    bundles: [Vec<u8>; 2],
}

impl Seal {
    pub(super) fn new(artifact: Digest) -> Self {
        let key = KeyPair::generate().unwrap();
        let image = json!({"docker-manifest-digest": artifact.to_string()});
        let kind = "cosign container image signature";
        let critical = json!({"identity": {"docker-reference": ""}, "image": image, "type": kind});
        let payload = json!({"critical": critical, "optional": null}).to_string().into_bytes();
        let said = ["https://spdx.dev/Document", "https://sigstore.dev/cosign/sign/v1"];
        let bundles = said.map(|said| bundle(&key, artifact, said));
        Self { key, artifact, payload, bundles }
    }

    /// What lies at a path of the registry, where it has to do with signatures. `basic` has those of cosign 2, `listed` is
    /// in a registry that lists what refers to a manifest, and `tagged` in one that does not. Before the signatures of
    /// `spoilt` is one whose payload is lost; of `lost` all of cosign 2 are, and the first of cosign 3.
    pub(super) fn at(&self, path: &str) -> Option<Vec<u8>> {
        let tag = self.artifact.to_string().replace(':', "-");
        match path.strip_suffix(&format!("/manifests/{tag}.sig")) {
            Some("/v2/basic/p") => return Some(signatures(&self.layers())),
            Some("/v2/spoilt/p") => return Some(signatures(&[vec![self.lost_layer()], self.layers()].concat())),
            Some("/v2/lost/p") => return Some(signatures(&[self.lost_layer()])),
            _ => {}
        }
        let listed = path.strip_suffix(&format!("/referrers/{}", self.artifact));
        if listed == Some("/v2/lost/p") {
            return Some(self.referrers(&[json!({"digest": lost(), "artifactType": BUNDLE})]));
        }
        if listed == Some("/v2/listed/p") || path == format!("/v2/tagged/p/manifests/{tag}") {
            return Some(self.referrers(&[]));
        }
        let attached = self.bundles.iter().map(|bundle| attached(bundle));
        let mut blobs = attached.chain(self.bundles.iter().cloned()).chain([self.payload.clone()]);
        blobs.find(|blob| path.ends_with(&Digest::of(blob).to_string()))
    }

    /// Two signatures: one that is none, and one of the shop.
    fn layers(&self) -> Vec<Value> {
        let payload = Digest::of(&self.payload).to_string();
        vec![layer(&payload, b"nonsense"), layer(&payload, &self.key.sign(&self.payload).unwrap())]
    }

    /// A signature of the shop whose payload is something else by now.
    fn lost_layer(&self) -> Value {
        layer(&lost(), &self.key.sign(&self.payload).unwrap())
    }

    /// What refers to the artifact: `first`, something else, and the bundles.
    fn referrers(&self, first: &[Value]) -> Vec<u8> {
        let other = json!({"digest": "sha256:nonsense", "artifactType": "application/spdx+json"});
        let bundle =
            |bundle: &Vec<u8>| json!({"digest": Digest::of(&attached(bundle)).to_string(), "artifactType": BUNDLE});
        let others = [other].into_iter().chain(self.bundles.iter().map(bundle));
        let manifests: Vec<Value> = first.iter().cloned().chain(others).collect();
        json!({"schemaVersion": 2, "manifests": manifests}).to_string().into_bytes()
    }
}

/// The digest of what the registry does not have any more.
fn lost() -> String {
    Digest::of(b"lost").to_string()
}

/// A signature as cosign 2 attaches it.
fn layer(payload: &str, signature: &[u8]) -> Value {
    json!({
        "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
        "digest": payload,
        "annotations": {"dev.cosignproject.cosign/signature": STANDARD.encode(signature)},
    })
}

fn signatures(layers: &[Value]) -> Vec<u8> {
    json!({"schemaVersion": 2, "layers": layers}).to_string().into_bytes()
}

/// The manifest that holds a bundle.
fn attached(bundle: &[u8]) -> Vec<u8> {
    let layer = json!({"mediaType": BUNDLE, "digest": Digest::of(bundle).to_string(), "size": bundle.len()});
    json!({"schemaVersion": 2, "layers": [layer], "artifactType": BUNDLE}).to_string().into_bytes()
}

fn bundle(key: &KeyPair, artifact: Digest, said: &str) -> Vec<u8> {
    let sha256 = artifact.to_string().replace("sha256:", "");
    let subject = json!({"digest": {"sha256": sha256}, "annotations": {}});
    let statement = json!({"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": said});
    let (statement, kind) = (statement.to_string(), "application/vnd.in-toto+json");
    let message = format!("DSSEv1 {} {kind} {} {statement}", kind.len(), statement.len());
    let signature = STANDARD.encode(key.sign(message.as_bytes()).unwrap());
    let signatures = [json!({"sig": signature})];
    let envelope = json!({"payload": STANDARD.encode(statement), "payloadType": kind, "signatures": signatures});
    json!({"mediaType": BUNDLE, "dsseEnvelope": envelope}).to_string().into_bytes()
}
