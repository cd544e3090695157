//! Compiles components, or has them compiled, and keeps what was compiled on disk.
//!
//! Compiling takes 50 ms for a small component and ten seconds for an interpreter; mapping compiled code back takes
//! 0.1 ms. But compiled code is machine code that the engine runs as it finds it: one flipped bit and the sandbox is
//! none. So an artefact is used only if its own SHA-256, which binds it to the component's digest and to the engine's
//! build and configuration, is right, and only from a folder that nobody else may write to. Anything else is compiled
//! anew and replaced.
//!
//! It must not know what a component imports or exports.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tracing::{debug, warn};
use wasmtime::component::Component;

use crate::component::Digest;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::workshop::Workshop;

/// The artefact's checksum stands before it.
const CHECKSUM_BYTES: usize = 32;

/// A folder of compiled components, of this user alone.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Opens the cache in `dir`, which is made if it is missing, with mode 0700.
    ///
    /// # Errors
    /// When the folder cannot be made, or others may write to it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mode = fs::metadata(dir)?.mode();
        if mode & 0o022 != 0 {
            let message = format!("others may write to {} (mode {:o}): chmod 700 it", dir.display(), mode & 0o777);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        Ok(Self { dir: dir.to_owned() })
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(key).with_extension("cwasm")
    }

    /// The artefact under `key`, if there is one and it is whole.
    fn read(&self, key: &str) -> Option<Vec<u8>> {
        let path = self.path(key);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(path = %path.display(), %error, "a compiled component cannot be read; compiling it anew");
                return None;
            }
        };
        let artefact = unseal(key, file);
        if artefact.is_none() {
            warn!(path = %path.display(), "a compiled component is damaged; compiling it anew");
        }
        artefact
    }

    /// Written beside its place and renamed, so that a reader never sees half of it.
    fn write(&self, key: &str, artefact: &[u8]) -> io::Result<()> {
        let path = self.path(key);
        let unfinished = self.dir.join(format!("{key}.{}", std::process::id()));
        let mut file: File = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        let written = file.write_all(&checksum(key, artefact)).and_then(|()| file.write_all(artefact));
        // What is cut short would be found damaged; on a full disk it would also be in the way.
        written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }
}

/// Compiles `bytes`, here or in a child of the workshop, or takes the compiled code from the cache.
pub(crate) fn compile(
    engine: &Engine,
    bytes: &[u8],
    digest: &Digest,
    cache: Option<&Cache>,
    workshop: Option<&Workshop>,
) -> Result<Component, LoadError> {
    let key = key(engine, digest);
    let kept = cache.and_then(|cache| cache.read(&key));
    if let Some(component) = kept.and_then(|artefact| revive(engine, &key, &artefact)) {
        return Ok(component);
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

/// An artefact with its checksum before it.
pub(crate) fn seal(key: &str, artefact: &[u8]) -> Vec<u8> {
    [&checksum(key, artefact), artefact].concat()
}

/// The artefact that was sealed under `key`, if it is whole.
pub(crate) fn unseal(key: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let artefact = sealed.split_off(CHECKSUM_BYTES.min(sealed.len()));
    (sealed == checksum(key, &artefact)).then_some(artefact)
}

/// With the key in it, so that an artefact under another's name is not taken.
fn checksum(key: &str, artefact: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(key).chain_update(artefact).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_artefact_comes_back_only_whole_and_only_under_its_own_key() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        cache.write("one", b"code").unwrap();
        assert_eq!(cache.read("one").as_deref(), Some(&b"code"[..]));
        assert_eq!(cache.read("two"), None);

        fs::rename(cache.path("one"), cache.path("two")).unwrap();
        assert_eq!(cache.read("two"), None);
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        cache.write("one", b"code").unwrap();
        let whole = fs::read(cache.path("one")).unwrap();
        for index in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[index] ^= 1;
            fs::write(cache.path("one"), &flipped).unwrap();
            assert_eq!(cache.read("one"), None, "byte {index}");
        }
        fs::write(cache.path("one"), &whole[..7]).unwrap();
        assert_eq!(cache.read("one"), None);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_no_cache() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(Cache::open(dir.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
