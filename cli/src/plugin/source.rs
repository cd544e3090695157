//! Where a plugin's bytes come from, and the plugin that they become.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use gantry_host::component::is_module;
use gantry_host::types::PluginInfo;
use gantry_host::{Cache, CompileLimits, Component, Engine, Limits, Plugin, Workshop};
use wit_component::ComponentEncoder;

use crate::CliError;
use crate::recording::read_file;

/// The plugin that comes with Gantry.
pub(crate) const BUILTIN: &str = "builtin:gantry";

/// The argument that this program is started with to compile a plugin for its parent.
pub const COMPILE_PLUGIN: &str = "compile-plugin";

/// What somebody who waits lets one plugin use: many times what a Python interpreter takes in a debug build.
const COMPILE_LIMITS: CompileLimits = CompileLimits { time: Duration::from_mins(5), memory: 2 << 30 };

/// Where components that are not built in are compiled; unset: in this process. One a process, as its program is.
static WORKSHOP: OnceLock<Workshop> = OnceLock::new();

/// From now on has components that are not built in compiled by `program`, started with [`COMPILE_PLUGIN`], within 5 minutes
/// and 2 GiB. It must be this very build.
pub fn compile_apart(program: PathBuf) {
    WORKSHOP.get_or_init(|| Workshop::new(program, COMPILE_PLUGIN, COMPILE_LIMITS));
}

/// Which plugin a command is about.
#[derive(Clone, Debug, clap::Args)]
pub struct PluginArgs {
    /// A component's file, a core module's, or builtin:gantry.
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    /// The plugin's settings.
    #[arg(long, value_name = "JSON", default_value = "", hide_default_value = true)]
    pub settings: String,
    /// Keep compiled code in this folder, and take it from there: worth it for a component that holds an interpreter.
    /// Compiled code runs outside of the sandbox, so name a folder that nobody else wrote to, not one of the plugin's.
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
}

impl PluginArgs {
    /// The plugin, compiled.
    pub(super) fn load(&self) -> Result<Loaded, CliError> {
        let unusable = |source| CliError::File {
            key: "--cache",
            path: self.cache.clone().unwrap_or_default(),
            what: "used",
            source,
        };
        let cache = self.cache.as_deref().map(Cache::open).transpose().map_err(unusable)?;
        Loaded::new(&self.plugin, cache.as_ref())
    }

    /// The plugin with deadlines for somebody who waits.
    pub(super) fn start_patiently(&self) -> Result<Plugin, CliError> {
        self.load()?.start(&self.settings, &patient_limits())
    }
}

/// A plugin, compiled.
pub(crate) struct Loaded {
    /// Its name in messages and in metrics.
    pub(super) name: String,
    pub(super) size: usize,
    /// Whether it was a core module that was named: its component has been made here, and is nowhere else.
    pub(super) was_module: bool,
    pub(crate) component: Component,
}

impl Loaded {
    /// What `builtin:gantry`, a path, or `file:` and a path name.
    pub(crate) fn new(spec: &str, cache: Option<&Cache>) -> Result<Self, CliError> {
        let (bytes, was_module) = bytes(spec)?;
        let engine = Engine::new()?;
        let component = match WORKSHOP.get().filter(|_| spec != BUILTIN) {
            Some(workshop) => Component::load_apart(&engine, &bytes, None, cache, workshop)?,
            None => Component::load(&engine, &bytes, None, cache)?,
        };
        Ok(Self { name: name(spec), size: bytes.len(), was_module, component })
    }

    /// What the plugin says of itself, whether or not it can be configured.
    pub(super) fn describe(&self) -> Result<PluginInfo, CliError> {
        Ok(Plugin::describe(&self.name, &self.component, patient_limits())?)
    }

    /// The plugin with these settings.
    pub(crate) fn start(&self, settings: &str, limits: &Limits) -> Result<Plugin, CliError> {
        Ok(Plugin::new(&self.name, &self.component, settings, limits.clone())?)
    }
}

/// A plugin whose deadlines are for somebody who waits, and not for kube-scheduler.
pub(crate) fn patient_plugin(spec: &str, settings: &str) -> Result<Plugin, CliError> {
    Loaded::new(spec, None)?.start(settings, &patient_limits())
}

/// The limits of such a plugin.
pub(crate) fn patient_limits() -> Limits {
    Limits {
        memory: 1 << 30,
        deadline: Duration::from_secs(30),
        plan_deadline: Duration::from_mins(10),
        workers: 1,
        ..Limits::default()
    }
}

/// A component's bytes, and whether it was a core module, which is wrapped first.
pub(super) fn bytes(spec: &str) -> Result<(Cow<'static, [u8]>, bool), CliError> {
    if spec == BUILTIN {
        return Ok((gantry_component::BYTES.into(), false));
    }
    if let Some(other) = spec.strip_prefix("builtin:") {
        let remedy = format!("there is one plugin built in, {BUILTIN}; or name a file");
        return Err(CliError::refused("PLUGIN", format!("builtin:{other}"), remedy));
    }
    let bytes = read_file("PLUGIN", Path::new(spec.strip_prefix("file:").unwrap_or(spec)))?;
    if is_module(&bytes) { Ok((encode(spec, &bytes)?.into(), true)) } else { Ok((bytes.into(), false)) }
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
