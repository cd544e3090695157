//! Where a plugin's bytes come from, and the plugin that they become.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use gantry_host::{Component, Engine, Limits, Plugin};
use wit_component::ComponentEncoder;

use crate::CliError;
use crate::recording::read_file;

/// The plugin that comes with Gantry.
pub(crate) const BUILTIN: &str = "builtin:gantry";

/// The first eight bytes of a core module: magic number, version 1, layer 0 (WebAssembly core specification, §5.5.16).
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A plugin, compiled.
pub(super) struct Loaded {
    /// Its name in messages and in metrics.
    pub(super) name: String,
    pub(super) size: usize,
    pub(super) component: Component,
}

impl Loaded {
    /// What `builtin:gantry`, a path, or `file:` and a path name.
    pub(super) fn new(spec: &str) -> Result<Self, CliError> {
        let bytes = bytes(spec)?;
        let component = Component::load(&Engine::new()?, &bytes, None, None)?;
        Ok(Self { name: name(spec), size: bytes.len(), component })
    }

    /// The plugin with these settings.
    pub(super) fn start(&self, settings: &str, limits: &Limits) -> Result<Plugin, CliError> {
        Ok(Plugin::new(&self.name, &self.component, settings, limits.clone())?)
    }
}

/// A plugin whose deadlines are for somebody who waits, and not for kube-scheduler.
pub(crate) fn patient_plugin(spec: &str, settings: &str) -> Result<Plugin, CliError> {
    let limits = Limits {
        memory: 1 << 30,
        deadline: Duration::from_secs(30),
        plan_deadline: Duration::from_mins(10),
        workers: 1,
        ..Limits::default()
    };
    Loaded::new(spec)?.start(settings, &limits)
}

/// A component's bytes; a core module is wrapped first.
pub(super) fn bytes(spec: &str) -> Result<Cow<'static, [u8]>, CliError> {
    if spec == BUILTIN {
        return Ok(gantry_component::BYTES.into());
    }
    if let Some(other) = spec.strip_prefix("builtin:") {
        let remedy = format!("there is one plugin built in, {BUILTIN}; or name a file");
        return Err(CliError::refused("PLUGIN", format!("builtin:{other}"), remedy));
    }
    let bytes = read_file("PLUGIN", Path::new(spec.strip_prefix("file:").unwrap_or(spec)))?;
    if bytes.starts_with(MODULE) { Ok(encode(spec, &bytes)?.into()) } else { Ok(bytes.into()) }
}

/// The component of a core module. The world is in the module: the bindings' generator left it there.
fn encode(spec: &str, module: &[u8]) -> Result<Vec<u8>, CliError> {
    let encoder = ComponentEncoder::default().validate(true).module(module);
    let encoded = encoder.and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| {
        let remedy = format!("it does not fit its world ({error:#}); build it for wasm32-unknown-unknown");
        CliError::refused("PLUGIN", spec, remedy)
    })
}

fn name(spec: &str) -> String {
    let stem = Path::new(spec).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    spec.strip_prefix("builtin:").map(str::to_owned).or(stem).unwrap_or_else(|| spec.to_owned())
}
