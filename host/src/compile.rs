//! Compiles components, or has them compiled, or takes compiled code from the cache.
//!
//! Compiling takes 50 ms for a small component and ten seconds for an interpreter; mapping compiled code back takes
//! 0.1 ms. The key of an artefact is the component's digest and the engine's build and configuration.
//!
//! It must not know what a component imports or exports.

use std::hash::{DefaultHasher, Hash, Hasher};

use tracing::{debug, warn};
use wasmtime::component::Component;

use crate::cache::Cache;
use crate::component::Digest;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::workshop::Workshop;

/// Compiles `bytes`, here or in a child of the workshop, or takes the compiled code from the cache.
pub(crate) fn compile(
    engine: &Engine,
    bytes: &[u8],
    digest: &Digest,
    cache: Option<&Cache>,
    workshop: Option<&Workshop>,
) -> Result<Component, LoadError> {
    let key = key(engine, digest);
    if let Some(kept) = cache.and_then(|cache| kept(engine, digest, cache)) {
        return Ok(kept);
    }
    let (component, artefact) = if let Some(workshop) = workshop {
        compile_apart(engine, bytes, &key, workshop)?
    } else {
        let component = compile_here(engine, bytes)?;
        let artefact = cache.map(|_| component.serialize()).transpose();
        (component, artefact.map_err(|error| LoadError::Engine(error.into()))?.unwrap_or_default())
    };
    if let Some(Err(error)) = cache.map(|cache| cache.write(&key, &artefact)) {
        warn!(%digest, %error, "a compiled component could not be kept; it will be compiled again next time");
    }
    Ok(component)
}

/// The compiled code of the component with this digest, if the cache has it.
pub(crate) fn kept(engine: &Engine, digest: &Digest, cache: &Cache) -> Option<Component> {
    let key = key(engine, digest);
    revive(engine, &key, &cache.read(&key)?)
}

pub(crate) fn compile_here(engine: &Engine, bytes: &[u8]) -> Result<Component, LoadError> {
    Component::from_binary(engine.inner(), bytes).map_err(|error| LoadError::Invalid(error.into()))
}

fn compile_apart(
    engine: &Engine,
    bytes: &[u8],
    key: &str,
    workshop: &Workshop,
) -> Result<(Component, Vec<u8>), LoadError> {
    let artefact = workshop.compile(bytes, key)?;
    let another_build = || LoadError::Engine("the compiler is of another build than this program".into());
    let component = revive(engine, key, &artefact).ok_or_else(another_build)?;
    Ok((component, artefact))
}

/// Maps an artefact whose checksum was right.
#[expect(unsafe_code, reason = "compiled code cannot be verified, only recognised; see SAFETY")]
fn revive(engine: &Engine, key: &str, artefact: &[u8]) -> Option<Component> {
    // SAFETY: `unseal` gives out only bytes that come with their SHA-256, and it is asked in two places. `Cache::read` has
    // them from a folder that this user alone may write to, so they are what `Cache::write` was given. `Workshop::compile`
    // has them through a pipe from a child that is this program. Either way they are what `Component::serialize` made. The
    // key holds the engine's compatibility hash and the engine checks its version and configuration again.
    match unsafe { Component::deserialize(engine.inner(), artefact) } {
        Ok(component) => {
            debug!(key, "compiled component mapped back");
            Some(component)
        }
        Err(error) => {
            warn!(key, error = %format!("{error:#}"), "a compiled component was refused; compiling it anew");
            None
        }
    }
}

/// The component's digest and what the engine says of its build and configuration.
pub(crate) fn key(engine: &Engine, digest: &Digest) -> String {
    let mut compatibility = DefaultHasher::new();
    engine.inner().precompile_compatibility_hash().hash(&mut compatibility);
    format!("{}-{:016x}", digest.hex(), compatibility.finish())
}
