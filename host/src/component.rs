//! Bytes that were checked and compiled, and may be instantiated.
//!
//! It promises that a [`Component`] is of the world `gantry:scheduling/plugin` and can ask the host for nothing but the
//! log: whatever else a component imports is refused by name before any of it runs. It must not know where the bytes
//! come from, nor what settings or limits a plugin gets.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use wasmtime::component::types::Component as ComponentType;

use crate::bindings::PluginPre;
use crate::cache::Cache;
use crate::compile;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::imports;
use crate::state::State;
use crate::workshop::Workshop;

/// The version of the contract that this host was built with.
pub const WIT_VERSION: &str = "0.1.0";

/// The world that components must be of.
const WORLD: &str = "gantry:scheduling/plugin@0.1.0";

/// The package of the contract, up to the version.
const PACKAGE: &str = "gantry:scheduling/";

/// Interfaces of the package that a component may import: the one with a function, and the one with types only.
const IMPORTS: [&str; 2] = ["log", "types"];

/// What a plugin may import, in the words of a refusal.
const ALLOWED: &str = "gantry:scheduling/log@0.1.0";

/// The interface that a component must export.
const EXPORT: &str = "scheduler";

/// The largest component taken. A Python interpreter with its library is 18 MB, a JavaScript engine 12 MB.
pub const MAX_BYTES: usize = 64 << 20;

/// The first eight bytes of a core module: magic number, version 1, layer 0 (WebAssembly core specification, §5.5.16).
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The engine would speak of a version only; what compilers leave is a module, and there is a command for it.
const NO_COMPONENT: &str = "a core module, not a component: `kubectl-gantry plugin pack` makes one of it";

/// Whether these bytes begin like a core module, as compilers leave it before it is made a component.
#[must_use]
pub fn is_module(bytes: &[u8]) -> bool {
    bytes.starts_with(MODULE)
}

/// The SHA-256 of a component's bytes, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(crate) fn hex(&self) -> String {
        self.to_string().split_off("sha256:".len())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no digest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no digest: write `sha256:` and 64 hexadecimal digits")]
pub struct ParseDigestError(String);

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let hex = text.strip_prefix("sha256:")?;
            let is_hex = hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
            let mut bytes = [0; 32];
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2).filter(|_| is_hex)?, 16).ok()?;
            }
            Some(Self(bytes))
        };
        parse().ok_or_else(|| ParseDigestError(text.to_owned()))
    }
}

/// A compiled plugin, linked to the log and to nothing else.
#[derive(Clone)]
pub struct Component {
    engine: Engine,
    digest: Digest,
    pre: PluginPre<State>,
}

impl Component {
    /// Checks, compiles and links `bytes`, in this process: for bytes that are our own, or nobody's service.
    ///
    /// With `expected`, bytes of another digest are refused before anything looks into them. With `cache`, compiled
    /// code is taken from there or left there.
    ///
    /// # Errors
    /// The bytes are too large, not those expected, no component, import what no plugin may have, speak another
    /// version of the contract, or lack its exports.
    pub fn load(
        engine: &Engine,
        bytes: &[u8],
        expected: Option<Digest>,
        cache: Option<&Cache>,
    ) -> Result<Self, LoadError> {
        Self::load_by(engine, bytes, expected, cache, None)
    }

    /// As [`Component::load`], compiled in a child process with limits: for bytes of somebody else.
    ///
    /// # Errors
    /// As [`Component::load`]; and where compiling exceeds its limits, crashes, or cannot be started.
    pub fn load_apart(
        engine: &Engine,
        bytes: &[u8],
        expected: Option<Digest>,
        cache: Option<&Cache>,
        workshop: &Workshop,
    ) -> Result<Self, LoadError> {
        Self::load_by(engine, bytes, expected, cache, Some(workshop))
    }

    fn load_by(
        engine: &Engine,
        bytes: &[u8],
        expected: Option<Digest>,
        cache: Option<&Cache>,
        workshop: Option<&Workshop>,
    ) -> Result<Self, LoadError> {
        if bytes.len() > MAX_BYTES {
            return Err(LoadError::TooLarge { size: bytes.len(), limit: MAX_BYTES });
        }
        let digest = Digest::of(bytes);
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(LoadError::DigestMismatch { expected, found: digest });
        }
        if is_module(bytes) {
            return Err(LoadError::Invalid(NO_COMPONENT.into()));
        }
        Self::new(engine, digest, &compile::compile(engine, bytes, &digest, cache, workshop)?)
    }

    /// The component with this digest, without its bytes: `None` where the cache lacks its compiled code.
    #[must_use]
    pub fn kept(engine: &Engine, digest: Digest, cache: &Cache) -> Option<Self> {
        Self::new(engine, digest, &compile::kept(engine, &digest, cache)?).ok()
    }

    fn new(engine: &Engine, digest: Digest, compiled: &wasmtime::component::Component) -> Result<Self, LoadError> {
        check_names(engine, &compiled.component_type())?;
        let pre = link(engine, compiled)?;
        Ok(Self { engine: engine.clone(), digest, pre })
    }

    /// The digest of the bytes that it was made of.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The interfaces that it imports, by name.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        let component = self.pre.instance_pre().component().component_type();
        component.imports(self.engine.inner()).map(|(name, _)| name.to_owned()).collect()
    }

    /// The interfaces that it exports, by name.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
        let component = self.pre.instance_pre().component().component_type();
        component.exports(self.engine.inner()).map(|(name, _)| name.to_owned()).collect()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn pre(&self) -> &PluginPre<State> {
        &self.pre
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("digest", &self.digest).finish_non_exhaustive()
    }
}

fn link(engine: &Engine, compiled: &wasmtime::component::Component) -> Result<PluginPre<State>, LoadError> {
    let not_a_plugin = |error: wasmtime::Error| LoadError::NotAPlugin { world: WORLD, source: error.into() };
    let linker = imports::linker(engine).map_err(|error| LoadError::Engine(error.into()))?;
    let pre = linker.instantiate_pre(compiled).map_err(not_a_plugin)?;
    PluginPre::new(pre).map_err(not_a_plugin)
}

/// The engine would refuse unknown imports too, but would not say that another version is at fault, and a later linker
/// that offers more would let them in.
fn check_names(engine: &Engine, component: &ComponentType) -> Result<(), LoadError> {
    let imports: Vec<&str> = component.imports(engine.inner()).map(|(import, _)| import).collect();
    check_imports(&imports)?;
    let mut exports = component.exports(engine.inner()).map(|(export, _)| export);
    exports.try_for_each(check_export)
}

/// All that are foreign at once: who builds a component anew for each of them would give up.
fn check_imports(imports: &[&str]) -> Result<(), LoadError> {
    let foreign = imports.iter().filter(|import| version_of_import(import).is_none());
    let mut foreign: Vec<String> = foreign.map(|import| (*import).to_owned()).collect();
    if !foreign.is_empty() {
        foreign.sort_unstable();
        return Err(LoadError::ForeignImport { imports: foreign, allowed: ALLOWED });
    }
    imports.iter().try_for_each(|import| check_version(version_of_import(import).unwrap_or_default(), import))
}

/// The version of an interface that a plugin may import; `None`: it may not import this.
fn version_of_import(import: &str) -> Option<&str> {
    let (_, version) = of_our_package(import).filter(|(interface, _)| IMPORTS.contains(interface))?;
    Some(version)
}

fn check_export(export: &str) -> Result<(), LoadError> {
    match of_our_package(export) {
        Some((EXPORT, version)) => check_version(version, export),
        _ => Ok(()),
    }
}

/// Before 1.0.0 the second number of a version is the one that promises compatibility.
fn check_version(found: &str, name: &str) -> Result<(), LoadError> {
    if found.starts_with("0.1.") {
        return Ok(());
    }
    Err(LoadError::WorldVersion { found: name.to_owned(), spoken: WIT_VERSION })
}

/// Interface and version of a name like `gantry:scheduling/log@0.1.0`.
fn of_our_package(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_prefix(PACKAGE)?;
    Some(name.split_once('@').unwrap_or((name, "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::of(b"component");
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn a_text_that_is_no_digest_is_refused_with_the_text() {
        let signed = format!("sha256:+1{}", "0".repeat(62));
        for text in ["", "sha256:", "sha256:00", "md5:00", &signed, &format!("sha256:{}", "é".repeat(32))] {
            assert!(text.parse::<Digest>().unwrap_err().to_string().contains(text), "{text}");
        }
    }

    fn check_import(import: &str) -> Result<(), LoadError> {
        check_imports(&[import])
    }

    #[test]
    fn all_foreign_imports_are_named_in_order_and_no_other() {
        let imports = ["wasi:io/streams@0.2.0", "gantry:scheduling/log@0.1.0", "wasi:cli/stdout@0.2.0"];
        let error = check_imports(&imports).unwrap_err().to_string();
        let named = "imports `wasi:cli/stdout@0.2.0`, `wasi:io/streams@0.2.0`; a plugin may import";
        assert!(error.contains(named) && error.contains("--stub-wasi"), "{error}");
    }

    #[test]
    fn only_the_log_and_the_types_of_this_version_may_be_imported() {
        assert!(check_import("gantry:scheduling/log@0.1.0").is_ok());
        assert!(check_import("gantry:scheduling/types@0.1.3").is_ok());
        for foreign in
            ["wasi:clocks/wall-clock@0.2.0", "gantry:scheduling/files@0.1.0", "now", "gantry:schedulings/log"]
        {
            let error = check_import(foreign).unwrap_err();
            assert_eq!(error.reason(), Reason::ForeignImport);
            assert!(error.to_string().contains(foreign), "{error}");
        }
    }

    #[test]
    fn another_version_is_named_beside_the_one_spoken() {
        for (other, check) in [
            ("gantry:scheduling/log@0.2.0", check_import as fn(&str) -> Result<(), LoadError>),
            ("gantry:scheduling/scheduler@1.1.0", check_export),
            ("gantry:scheduling/scheduler", check_export),
        ] {
            let error = check(other).unwrap_err();
            assert_eq!(error.reason(), Reason::InvalidComponent);
            assert!(error.to_string().contains(other) && error.to_string().contains(WIT_VERSION), "{error}");
            assert!(error.to_string().contains("rebuild it with wit/"), "{error}");
        }
    }
}
