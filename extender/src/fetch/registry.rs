//! The GETs of an OCI registry: a manifest, the one layer that is a component, and its signatures.
//!
//! OCI distribution 1.1; tokens as docker's registries give them out. Promises that a
//! manifest asked for by digest, and every layer, is what its digest says, and that an
//! artifact whose signature is asked for is used only with one.

use std::collections::BTreeMap;
use std::path::Path;

use gantry_host::Digest;
use gantry_host::component::MAX_BYTES;
use hyper::header::WWW_AUTHENTICATE;
use hyper::{StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::FetchError;
use super::client::{Answer, Client};
use super::signature::{self, PublicKey};
use crate::config::valid::{Image, is_loopback};

/// The kinds of manifests that are understood.
const MANIFESTS: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// A list of manifests.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The specification's limit of a manifest.
const MANIFEST_BYTES: usize = 4 << 20;

/// More signatures of one artifact are not looked through.
const SIGNATURES: usize = 16;

/// A registry, asked for one artifact.
pub(super) struct Registry<'a> {
    client: Client,
    image: &'a Image,
    /// What `Authorization` holds: a password's, until the registry asks for a token.
    basic: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What refers to a manifest.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Referrer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    digest: String,
    #[serde(default)]
    artifact_type: String,
}

/// What a token service answers: some name the token in one way, some in the other, and some in both.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Token {
    /// The first that is not empty.
    fn filled(self) -> Option<String> {
        [self.token, self.access_token].into_iter().flatten().find(|token| !token.is_empty())
    }
}

impl<'a> Registry<'a> {
    /// `basic`: what `Authorization` holds, if anything.
    pub(super) fn new(client: Client, image: &'a Image, basic: Option<String>) -> Self {
        Self { client, image, basic }
    }

    /// The component's bytes; with `public_key`, only if the artifact is signed by it.
    pub(super) async fn pull(&self, public_key: Option<&Path>) -> Result<Vec<u8>, FetchError> {
        let path = format!("manifests/{}", self.image.reference);
        let (manifest, authorization) = self.first(&path).await?;
        if let Ok(expected) = self.image.reference.parse() {
            check(&manifest, expected)?;
        }
        if let Some(path) = public_key {
            self.check_signature(Digest::of(&manifest.body), path, authorization.as_deref()).await?;
        }
        let layer = self.layer(&manifest.body)?;
        Ok(self.blob(layer, MAX_BYTES, authorization.as_deref()).await?.body.to_vec())
    }

    async fn blob(&self, digest: Digest, limit: usize, authorization: Option<&str>) -> Result<Answer, FetchError> {
        let address = self.address(&format!("blobs/{digest}"))?;
        let blob = self.client.get(&address, "*/*", authorization, limit).await?.ok()?;
        check(&blob, digest)?;
        Ok(blob)
    }

    async fn check_signature(
        &self,
        manifest: Digest,
        path: &Path,
        authorization: Option<&str>,
    ) -> Result<(), FetchError> {
        let key = PublicKey::read(path)?;
        let mut is_signed = self.has_signature(&key, manifest, authorization).await;
        if !matches!(is_signed, Ok(true)) {
            is_signed = either(is_signed, self.has_bundle(&key, manifest, authorization).await);
        }
        let unsigned = || FetchError::Unsigned { image: self.image.to_string(), key: path.to_owned() };
        is_signed?.then_some(()).ok_or_else(unsigned)
    }

    /// As cosign 2 leaves it: the layers under a tag made of the manifest's digest.
    async fn has_signature(
        &self,
        key: &PublicKey,
        manifest: Digest,
        authorization: Option<&str>,
    ) -> Result<bool, FetchError> {
        let path = format!("manifests/{}", signature::tag(manifest));
        let Some(answer) = self.find(&path, MANIFESTS, authorization).await? else { return Ok(false) };
        let signatures: Manifest = self.parse(&answer.body)?;
        let mut found = Ok(false);
        for layer in signatures.layers.iter().take(SIGNATURES) {
            found = either(found, self.is_signature(key, layer, manifest, authorization).await);
            if matches!(found, Ok(true)) {
                break;
            }
        }
        found
    }

    async fn is_signature(
        &self,
        key: &PublicKey,
        layer: &Layer,
        manifest: Digest,
        authorization: Option<&str>,
    ) -> Result<bool, FetchError> {
        let Some(signature) = layer.annotations.get(signature::ANNOTATION) else { return Ok(false) };
        let Ok(digest) = layer.digest.parse() else { return Ok(false) };
        let payload = self.blob(digest, MANIFEST_BYTES, authorization).await?;
        Ok(key.signed(&payload.body, signature, manifest))
    }

    /// As cosign 3 leaves it: an artifact of its own that refers to the manifest.
    async fn has_bundle(
        &self,
        key: &PublicKey,
        manifest: Digest,
        authorization: Option<&str>,
    ) -> Result<bool, FetchError> {
        let Some(list) = self.referrers(manifest, authorization).await? else { return Ok(false) };
        let holds_one = |referrer: &&Referrer| referrer.artifact_type.starts_with(signature::BUNDLE);
        let mut found = Ok(false);
        for referrer in list.manifests.iter().filter(holds_one).take(SIGNATURES) {
            found = either(found, self.is_bundle(key, referrer, manifest, authorization).await);
            if matches!(found, Ok(true)) {
                break;
            }
        }
        found
    }

    async fn is_bundle(
        &self,
        key: &PublicKey,
        referrer: &Referrer,
        manifest: Digest,
        authorization: Option<&str>,
    ) -> Result<bool, FetchError> {
        let Ok(digest) = referrer.digest.parse() else { return Ok(false) };
        let Some(answer) = self.find(&format!("manifests/{digest}"), MANIFESTS, authorization).await? else {
            return Ok(false);
        };
        check(&answer, digest)?;
        let attached: Manifest = self.parse(&answer.body)?;
        let Some(Ok(bundle)) = attached.layers.first().map(|layer| layer.digest.parse()) else { return Ok(false) };
        Ok(key.sealed(&self.blob(bundle, MANIFEST_BYTES, authorization).await?.body, manifest))
    }

    /// What refers to a manifest: the registry's own list, or where it keeps none, the one that clients keep under a tag.
    async fn referrers(&self, manifest: Digest, authorization: Option<&str>) -> Result<Option<Index>, FetchError> {
        let own = self.find(&format!("referrers/{manifest}"), INDEX, authorization).await;
        // Before OCI distribution 1.1 the address meant nothing, and answers differ. A registry that fails is asked again.
        let is_unknown =
            |error: &FetchError| matches!(error, FetchError::Status { status, .. } if !status.is_server_error());
        let list = match own {
            Ok(Some(list)) => Some(list),
            Err(error) if !is_unknown(&error) => return Err(error),
            Ok(None) | Err(_) => {
                let path = format!("manifests/{}", signature::list_tag(manifest));
                self.find(&path, INDEX, authorization).await?
            }
        };
        list.map(|list| self.parse(&list.body)).transpose()
    }

    /// The answer, or none where there is nothing at the address.
    async fn find(&self, path: &str, accept: &str, authorization: Option<&str>) -> Result<Option<Answer>, FetchError> {
        let answer = self.client.get(&self.address(path)?, accept, authorization, MANIFEST_BYTES).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { answer.ok().map(Some) }
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, FetchError> {
        serde_json::from_slice(body).map_err(|error| self.refused(error.to_string()))
    }

    /// The first answer, and the authorization that it took.
    async fn first(&self, path: &str) -> Result<(Answer, Option<String>), FetchError> {
        let address = self.address(path)?;
        let answer = self.client.get(&address, MANIFESTS, self.basic.as_deref(), MANIFEST_BYTES).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok((answer.ok()?, self.basic.clone()));
        }
        let own = format!("{}://{}/", self.scheme(), self.image.registry);
        // Whom the registry leads to may not ask for what is the registry's.
        let realm = Some(&answer).filter(|answer| answer.address.starts_with(&own)).and_then(realm);
        let Some(realm) = realm else { return Err(answer.refused()) };
        let bearer = format!("Bearer {}", self.token(&realm).await?);
        let answer = self.client.get(&address, MANIFESTS, Some(&bearer), MANIFEST_BYTES).await?;
        Ok((answer.ok()?, Some(bearer)))
    }

    async fn token(&self, realm: &Uri) -> Result<String, FetchError> {
        let answer = self.client.get(realm, "application/json", self.basic.as_deref(), MANIFEST_BYTES).await?.ok()?;
        // What is wrong with the answer is not told in its own words: it may hold a token all the same.
        let token = serde_json::from_slice::<Token>(&answer.body).ok().and_then(Token::filled);
        token.ok_or(FetchError::Token { address: answer.address })
    }

    fn address(&self, path: &str) -> Result<Uri, FetchError> {
        let Image { registry, repository, .. } = self.image;
        let text = format!("{}://{registry}/v2/{repository}/{path}", self.scheme());
        text.parse().map_err(|error: hyper::http::uri::InvalidUri| self.refused(error.to_string()))
    }

    fn scheme(&self) -> &'static str {
        if self.client.is_plain { "http" } else { "https" }
    }

    fn layer(&self, manifest: &[u8]) -> Result<Digest, FetchError> {
        let manifest: Manifest = self.parse(manifest)?;
        let is_component =
            |layer: &&Layer| layer.media_type == "application/wasm" || layer.media_type.ends_with("+wasm");
        let components: Vec<&Layer> = manifest.layers.iter().filter(is_component).collect();
        let [component] = components[..] else {
            let kinds: Vec<&str> = manifest.layers.iter().map(|layer| &*layer.media_type).collect();
            return Err(
                self.refused(format!("one layer has to be application/wasm, its layers are [{}]", kinds.join(", ")))
            );
        };
        component
            .digest
            .parse()
            .map_err(|error: gantry_host::component::ParseDigestError| self.refused(error.to_string()))
    }

    fn refused(&self, why: String) -> FetchError {
        FetchError::Artifact { image: self.image.to_string(), why }
    }
}

/// Whether one of two candidates is a signature. One that cannot be read is not it, and is told of where no other is.
fn either(one: Result<bool, FetchError>, other: Result<bool, FetchError>) -> Result<bool, FetchError> {
    match (one, other) {
        (Ok(true), _) | (_, Ok(true)) => Ok(true),
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(false), Ok(false)) => Ok(false),
    }
}

fn check(answer: &Answer, expected: Digest) -> Result<(), FetchError> {
    let found = Digest::of(&answer.body);
    let address = answer.address.clone();
    if found == expected { Ok(()) } else { Err(FetchError::Digest { address, expected, found }) }
}

/// Where a token is to be had: `Bearer realm="https://…",service="…",scope="…"`. Only over https, or on this machine where
/// the registry is.
fn realm(answer: &Answer) -> Option<Uri> {
    let challenge = answer.headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    let parameters = challenge.strip_prefix("Bearer ").or_else(|| challenge.strip_prefix("bearer "))?;
    let value = |name: &str| {
        let start = parameters.find(&format!("{name}=\""))? + name.len() + 2;
        parameters[start..].split('"').next()
    };
    let realm = value("realm")?;
    let is_here = |realm: Uri| realm.host().is_some_and(is_loopback);
    let is_beside = || answer.address.starts_with("http://") && realm.parse().is_ok_and(is_here);
    if !realm.starts_with("https://") && !is_beside() {
        return None;
    }
    let mut query = Vec::new();
    for name in ["service", "scope"] {
        query.extend(value(name).map(|value| format!("{name}={}", escaped(value))));
    }
    let separator = if realm.contains('?') { '&' } else { '?' };
    format!("{realm}{separator}{}", query.join("&")).parse().ok()
}

/// RFC 3986, unreserved characters as they are.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm_of(address: &str, realm: &str) -> Option<String> {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"").parse().unwrap();
        let headers = [(WWW_AUTHENTICATE, challenge)].into_iter().collect();
        let status = StatusCode::UNAUTHORIZED;
        let (address, body, login) = (address.to_owned(), bytes::Bytes::new(), String::new());
        let answer = Answer { address, status, headers, body, login };
        super::realm(&answer).map(|realm| realm.to_string())
    }

    #[test]
    fn a_secret_goes_out_over_https_or_stays_on_this_machine() {
        let (https, here) = ("https://r.example/v2/p", "http://localhost:5000/v2/p");
        let tokens = "https://tokens.example/t";
        for address in [https, here] {
            assert_eq!(realm_of(address, tokens).as_deref(), Some("https://tokens.example/t?service=s"));
        }
        for realm in ["http://localhost:7/t", "http://127.0.0.1:7/t", "http://[::1]/t"] {
            assert_eq!(realm_of(here, realm), Some(format!("{realm}?service=s")));
            assert_eq!(realm_of(https, realm), None);
        }
        for realm in ["http://tokens.example/t", "http://localhost:5000@tokens.example/t", "localhost", "/t"] {
            assert_eq!(realm_of(here, realm), None, "{realm}");
        }
    }
}
