//! From a checked configuration to profiles at work.
//!
//! Promises that a plugin which a change of the configuration does not concern stays as
//! it is, with its warm instances and its breaker, and that equal components are
//! compiled once. At a start a plugin that cannot be loaded is left out; settings that
//! it refuses, and extension points that it lacks, are the configuration's fault.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gantry_host::types::ExtensionPoints;
use gantry_host::{Cache, Component, Digest, Engine, Failure, LoadError, Plugin, Reason, Workshop};

use super::member::{Loaded, Member, Point, Unloaded, chain};
use super::{Profile, Profiles};
use crate::config::valid::{self, ComponentSource};
use crate::config::{ConfigError, Problem};
use crate::fetch;

/// Loads plugins. One a process: it holds the engine.
pub struct Loader {
    engine: Result<Engine, String>,
    cache: Option<Cache>,
    workshop: Option<Workshop>,
    component_by_digest: Mutex<HashMap<Digest, Component>>,
    /// What did not become a component, so that trying again the whole minutes does not mean compiling again.
    refused_by_digest: Mutex<HashMap<Digest, Unloaded>>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.debug_struct("Loader").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// Why a plugin is not there.
enum NotLoaded {
    /// The configuration asks for what the plugin does not take.
    Refused(Problem),
    /// The component is not there, or not one.
    Unloaded(Unloaded),
}

impl Loader {
    /// A loader that keeps compiled code in the folder `cache`, and has compiled in the workshop what is not our own; without
    /// a workshop it compiles in this process. A folder that cannot be used is a warning: all works without.
    #[must_use]
    pub fn new(cache: Option<&Path>, workshop: Option<Workshop>) -> Self {
        let cache = cache.and_then(|dir| {
            let warn = |error: &std::io::Error| {
                tracing::warn!(dir = %dir.display(), %error, "cache.dir cannot be used; nothing is kept");
            };
            Cache::open(dir).inspect_err(warn).ok()
        });
        let engine = Engine::new().map_err(|error| chain(&error));
        Self { engine, cache, workshop, component_by_digest: Mutex::default(), refused_by_digest: Mutex::default() }
    }

    /// Forgets which components were refused: with another configuration they get another chance.
    pub fn forget_refusals(&self) {
        lock(&self.refused_by_digest).clear();
    }

    /// The profiles of a configuration. What `before` holds and the configuration leaves as it is, is taken over.
    ///
    /// # Errors
    /// What the plugins do not take of their configuration.
    pub fn load(&self, profiles: &[valid::Profile], before: &[Arc<Profile>]) -> Result<Profiles, ConfigError> {
        let mut problems = Vec::new();
        let mut loaded = Vec::with_capacity(profiles.len());
        for (position, config) in profiles.iter().enumerate() {
            let before = before.iter().find(|profile| profile.scheduler_name == config.scheduler_name);
            let members = config.plugins.iter().filter_map(|plugin| {
                self.member(config, plugin, before).map_err(|problem| problems.push(problem)).ok()
            });
            let profile = Profile::new(config, members.collect());
            problems.extend(nobody_plans(&profile, position));
            loaded.push(Arc::new(profile));
        }
        self.forget_unused(before.iter().chain(&loaded));
        if problems.is_empty() { Ok(loaded) } else { Err(ConfigError::Refused(problems)) }
    }

    fn member(
        &self,
        profile: &valid::Profile,
        config: &valid::Plugin,
        before: Option<&Arc<Profile>>,
    ) -> Result<Member, Problem> {
        // An instance holds columns under the profile's weights: other weights need other instances.
        let before = before.filter(|before| before.weights == profile.weights);
        let before = before.and_then(|before| before.members.iter().find(|member| is_same(member.config(), config)));
        let plugin = match self.loaded(config, before.and_then(Member::loaded)) {
            Ok(loaded) => Ok(loaded),
            Err(NotLoaded::Unloaded(unloaded)) => Err(unloaded),
            Err(NotLoaded::Refused(problem)) => return Err(problem),
        };
        log(&profile.scheduler_name, config, plugin.as_ref());
        Ok(Member::new(config.clone(), plugin))
    }

    fn loaded(&self, config: &valid::Plugin, before: Option<&Arc<Loaded>>) -> Result<Arc<Loaded>, NotLoaded> {
        let component = self.component(config).map_err(NotLoaded::Unloaded)?;
        let unchanged = before.filter(|before| before.plugin.digest() == component.digest());
        let loaded = match unchanged {
            Some(unchanged) => Arc::clone(unchanged),
            None => Arc::new(Loaded::new(start(config, &component)?)),
        };
        check_offer(config, &loaded.plugin).map_err(NotLoaded::Refused)?;
        Ok(loaded)
    }

    /// The compiled component: one that is in use already, or from its bytes.
    fn component(&self, config: &valid::Plugin) -> Result<Component, Unloaded> {
        // Equal bytes need not be fetched again, but for their signature.
        let is_known = |digest: &Digest| config.fetch.public_key.is_none() && self.known(*digest).is_some();
        if let Some(known) = config.digest.filter(is_known).and_then(|digest| self.known(digest)) {
            return Ok(known);
        }
        let unavailable = |detail| Unloaded { reason: Reason::Unavailable, detail };
        let engine = self.engine.as_ref().map_err(|detail| unavailable(detail.clone()))?;
        let bytes = bytes(config)?;
        let digest = Digest::of(&bytes);
        if let Some(known) = self.known(digest).filter(|_| config.digest.is_none()) {
            return Ok(known);
        }
        if let Some(refused) =
            lock(&self.refused_by_digest).get(&digest).filter(|_| config.digest.is_none_or(|wanted| wanted == digest))
        {
            return Err(refused.clone());
        }
        let component = self.compiled(engine, &bytes, config).map_err(|error| {
            let unloaded = Unloaded { reason: error.reason(), detail: chain(&error) };
            if is_final(&error) {
                lock(&self.refused_by_digest).insert(digest, unloaded.clone());
            }
            unloaded
        })?;
        lock(&self.component_by_digest).insert(digest, component.clone());
        Ok(component)
    }

    fn compiled(&self, engine: &Engine, bytes: &[u8], config: &valid::Plugin) -> Result<Component, LoadError> {
        let cache = self.cache.as_ref();
        let is_ours = config.component == ComponentSource::Builtin;
        match self.workshop.as_ref().filter(|_| !is_ours) {
            Some(workshop) => Component::load_apart(engine, bytes, config.digest, cache, workshop),
            None => Component::load(engine, bytes, config.digest, cache),
        }
    }

    fn known(&self, digest: Digest) -> Option<Component> {
        lock(&self.component_by_digest).get(&digest).cloned()
    }

    fn forget_unused<'a>(&self, profiles: impl Iterator<Item = &'a Arc<Profile>>) {
        let used: HashSet<Digest> = profiles.flat_map(|profile| profile.members()).filter_map(Member::digest).collect();
        let mut components = lock(&self.component_by_digest);
        components.retain(|digest, _| used.contains(digest));
    }

    /// A plugin as configured, in one instance of its own: for a trial that no cycle notices.
    pub(crate) fn trial(&self, config: &valid::Plugin) -> Result<Plugin, (Reason, String)> {
        let component = self.component(config).map_err(|unloaded| (unloaded.reason, unloaded.detail))?;
        let limits = gantry_host::Limits { workers: 1, ..config.limits.clone() };
        Plugin::new(&config.name, &component, &config.settings, limits).map_err(|error| (error.reason(), chain(&error)))
    }
}

/// A panic while the lock is held cannot leave a map half changed.
fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the same bytes would be refused again, at the same cost.
fn is_final(error: &LoadError) -> bool {
    matches!(error, LoadError::Invalid(_) | LoadError::NotCompiled(_)) && error.reason() != Reason::Unavailable
}

/// Whether instances of one are instances of the other; where it stands and how much it counts is not theirs to know.
fn is_same(one: &valid::Plugin, other: &valid::Plugin) -> bool {
    let own = |plugin: &valid::Plugin| (plugin.name.clone(), plugin.settings.clone(), plugin.limits.clone());
    own(one) == own(other)
}

fn start(config: &valid::Plugin, component: &Component) -> Result<Plugin, NotLoaded> {
    let plugin = Plugin::new(&config.name, component, &config.settings, config.limits.clone());
    plugin.map_err(|error| match error.failure() {
        Failure::Settings { key, value, message } => {
            let key = format!("{}.settings.{key}", config.key);
            NotLoaded::Refused(Problem::new(key.trim_end_matches('.'), value, message))
        }
        _ => NotLoaded::Unloaded(Unloaded { reason: error.reason(), detail: chain(&error) }),
    })
}

fn check_offer(config: &valid::Plugin, plugin: &Plugin) -> Result<(), Problem> {
    let wanted = config.extension_points.unwrap_or(ExtensionPoints::empty());
    let missing = names(|point| wanted.contains(point.flag()) && !plugin.offers(point.flag()));
    if missing.is_empty() {
        return Ok(());
    }
    let remedy = format!("this plugin offers {}; ask it for no more", names(|point| plugin.offers(point.flag())));
    Err(Problem::new(format!("{}.extensionPoints", config.key), missing, remedy))
}

/// A plugin that could not be loaded may plan once it can be.
fn nobody_plans(profile: &Profile, position: usize) -> Option<Problem> {
    let plans = profile.asked(Point::Plan).next().is_some();
    let refused = profile.planning().is_some() && !plans;
    let remedy = "no plugin of this profile plans; add one that does, such as builtin:gantry, or leave plan out";
    refused.then(|| Problem::new(format!("profiles[{position}].plan"), "", remedy))
}

fn names(is_one: impl Fn(Point) -> bool) -> String {
    let named: Vec<&str> = Point::ALL.into_iter().filter(|point| is_one(*point)).map(Point::as_str).collect();
    named.join(", ")
}

fn bytes(config: &valid::Plugin) -> Result<Vec<u8>, Unloaded> {
    let unavailable = |detail| Unloaded { reason: Reason::Unavailable, detail };
    match &config.component {
        ComponentSource::Builtin => Ok(gantry_component::BYTES.to_vec()),
        ComponentSource::File(path) => {
            fs::read(path).map_err(|error| unavailable(format!("{}: {error}", path.display())))
        }
        remote @ (ComponentSource::Https(_) | ComponentSource::Oci(_)) => {
            fetch::fetch(remote, &config.fetch).map_err(|error| unavailable(chain(&error)))
        }
    }
}

fn log(scheduler: &str, config: &valid::Plugin, plugin: Result<&Arc<Loaded>, &Unloaded>) {
    let name = &config.name;
    match plugin {
        Ok(loaded) => {
            let (info, digest) = (loaded.plugin.info(), loaded.plugin.digest());
            tracing::info!(scheduler, plugin = name, name = info.name, version = info.version, %digest, "plugin loaded");
        }
        Err(Unloaded { reason, detail }) => {
            let reason = reason.as_str();
            tracing::error!(scheduler, plugin = name, reason, detail, "plugin not loaded; it is left out");
        }
    }
}
