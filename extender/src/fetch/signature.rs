//! Signatures of artifacts as cosign makes them with a key: ECDSA P-256 over SHA-256.
//!
//! What is signed is a small document that names the artifact's manifest by digest. Of
//! cosign 2 it lies in the registry under a tag made of that digest; cosign 3 refers to
//! the manifest from a bundle (Sigstore bundle 0.3) with a statement (in-toto 1) in an
//! envelope (DSSE 1.0). The key alone counts: logs and time stamps are not looked at.
//! Not read are keyless signatures: they need a clock and a log in somebody else's hands.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gantry_host::Digest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, alg_id};
use serde::Deserialize;

use super::FetchError;

/// The annotation that holds a layer's signature, in base64.
pub(super) const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// The kind of manifests and layers that hold a bundle, but for the version.
pub(super) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.";
/// What a statement says of its subject if it is a signature, and not a list of parts or an account of a build.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";
/// What the envelope of a statement says that it holds.
const STATEMENT: &str = "application/vnd.in-toto+json";
/// DER of a P-256 key up to its point: the algorithm's and the curve's names (RFC 5480).
const PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key that signatures are checked with.
pub(super) struct PublicKey {
    point: Vec<u8>,
}

/// The part of a signed document that counts.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: SignedImage,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SignedImage {
    docker_manifest_digest: String,
}

/// The part of a bundle that counts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Sealed>,
}

#[derive(Deserialize)]
struct Sealed {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: Sha256,
}

#[derive(Deserialize)]
struct Sha256 {
    sha256: String,
}

impl Envelope {
    /// What is signed: payload and type with their lengths ("PAE" of DSSE 1.0).
    fn message(&self, payload: &[u8]) -> Vec<u8> {
        let kind = &self.payload_type;
        let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
        [head.as_bytes(), payload].concat()
    }
}

impl Statement {
    fn is_signature_of(&self, manifest: Digest) -> bool {
        let is_it = |subject: &Subject| format!("sha256:{}", subject.digest.sha256) == manifest.to_string();
        self.predicate_type == SIGNED && self.subject.iter().any(is_it)
    }
}

impl PublicKey {
    /// Reads a PEM file, as `cosign generate-key-pair` writes `cosign.pub`.
    pub(super) fn read(path: &Path) -> Result<Self, FetchError> {
        let failed = |source: super::Source| FetchError::File { path: path.to_owned(), source };
        let key = SubjectPublicKeyInfoDer::from_pem_file(path).map_err(|error| failed(error.into()))?;
        let point = key.as_ref().strip_prefix(&PREFIX).filter(|point| point.len() == 65);
        let point = point.ok_or_else(|| failed("no ECDSA P-256 key, such as cosign makes".into()))?;
        Ok(Self { point: point.to_vec() })
    }

    /// Whether `payload` is signed by this key, and names the manifest.
    pub(super) fn signed(&self, payload: &[u8], signature: &str, manifest: Digest) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        let Ok(named) = serde_json::from_slice::<Payload>(payload) else { return false };
        named.critical.image.docker_manifest_digest == manifest.to_string() && self.verifies(payload, &signature)
    }

    /// Whether a bundle is a signature by this key, and names the manifest.
    pub(super) fn sealed(&self, bundle: &[u8], manifest: Digest) -> bool {
        let Ok(Bundle { dsse_envelope: envelope }) = serde_json::from_slice(bundle) else { return false };
        let Ok(payload) = STANDARD.decode(&envelope.payload) else { return false };
        let Ok(statement) = serde_json::from_slice::<Statement>(&payload) else { return false };
        let message = envelope.message(&payload);
        let is_ours = |sealed: &Sealed| STANDARD.decode(&sealed.sig).is_ok_and(|sig| self.verifies(&message, &sig));
        envelope.payload_type == STATEMENT
            && statement.is_signature_of(manifest)
            && envelope.signatures.iter().any(is_ours)
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let provider = rustls::crypto::ring::default_provider();
        let is_ours = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
            algorithm.public_key_alg_id() == alg_id::ECDSA_P256 && algorithm.signature_alg_id() == alg_id::ECDSA_SHA256
        };
        let algorithm = provider.signature_verification_algorithms.all.iter().find(is_ours);
        algorithm.is_some_and(|algorithm| algorithm.verify_signature(&self.point, message, signature).is_ok())
    }
}

/// The tag under which a manifest's signatures lie.
pub(super) fn tag(manifest: Digest) -> String {
    format!("{}.sig", list_tag(manifest))
}

/// The tag under which what refers to a manifest is listed where the registry keeps no lists of its own (OCI distribution
/// 1.1, "referrers tag schema").
pub(super) fn list_tag(manifest: Digest) -> String {
    manifest.to_string().replace(':', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cosign 3.1.3 made: `cosign sign --key cosign.key --use-signing-config=false --tlog-upload=false`.
    const KEY: &str = include_str!("../../tests/fixtures/cosign/cosign.pub");
    const BUNDLE: &str = include_str!("../../tests/fixtures/cosign/bundle.json");
    const MANIFEST: &str = "sha256:2ac4a43304162b7d380670d0dc60166d40beaec92e2ac4dc251bf79263a760f3";

    fn key(folder: &Path) -> PublicKey {
        let path = folder.join("cosign.pub");
        std::fs::write(&path, KEY).unwrap();
        PublicKey::read(&path).unwrap()
    }

    #[test]
    fn a_bundle_of_cosign_is_a_signature_of_its_manifest_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let key = key(folder.path());
        assert!(key.sealed(BUNDLE.as_bytes(), MANIFEST.parse().unwrap()));
        assert!(!key.sealed(BUNDLE.as_bytes(), Digest::of(b"another")));
    }

    #[test]
    fn a_bundle_that_somebody_changed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (key, manifest) = (key(folder.path()), MANIFEST.parse().unwrap());
        let payload = whole().dsse_envelope.payload;
        let said = String::from_utf8(STANDARD.decode(&payload).unwrap()).unwrap();
        let other = STANDARD.encode(said.replace("\"predicate\":{}", "\"predicate\":{ }"));
        for changed in [BUNDLE.replace(&payload, &other), BUNDLE.replace(STATEMENT, "text/plain"), "{}".to_owned()] {
            assert!(changed != BUNDLE && !key.sealed(changed.as_bytes(), manifest), "{changed}");
        }
    }

    #[test]
    fn a_statement_of_something_else_is_no_signature() {
        let payload = STANDARD.decode(whole().dsse_envelope.payload).unwrap();
        let statement: Statement = serde_json::from_slice(&payload).unwrap();
        let manifest = MANIFEST.parse().unwrap();
        assert!(statement.is_signature_of(manifest));
        let parts = Statement { predicate_type: "https://spdx.dev/Document".to_owned(), ..statement };
        assert!(!parts.is_signature_of(manifest));
    }

    fn whole() -> Bundle {
        serde_json::from_str(BUNDLE).unwrap()
    }
}
