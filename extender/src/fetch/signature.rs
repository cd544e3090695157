//! Signatures of artifacts as cosign makes them with a key: ECDSA P-256 over SHA-256.
//!
//! What is signed is a small document that names the artifact's manifest by digest; it
//! lies in the registry under a tag made of that digest. Not read are bundles, which
//! cosign 3 attaches instead unless told otherwise, and keyless signatures: they need a
//! clock and a log in somebody else's hands.

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
/// What to do where the tag is missing: the newest cosign writes another kind, elsewhere, unless it is told not to.
pub(super) const NO_TAG: &str = "; sign it with `cosign sign --key`, from cosign 3 on with --new-bundle-format=false --use-signing-config=false too";
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
    format!("{}.sig", manifest.to_string().replace(':', "-"))
}
