//! A profile at work: whose pods, under which weights, asked of which plugin.
//!
//! A plugin that could not be loaded is data, not an outage: the profile remembers
//! why and every cycle falls back, visibly. Only settings that the plugin refuses
//! stop the start, for they are the configuration's fault. Knows no requests.

use std::error::Error;
use std::fs;
use std::time::Instant;

use gantry_host::types::{Budget, Plan as JointPlan, Pod, Pods};
use gantry_host::{CallError, Component, Engine, Failure, Plugin, Reason, SnapshotSource};

use crate::columns::{self, Columns};
use crate::config::{Problem, valid};
use crate::cycle::{Cause, Fallback};
use crate::metrics::Metrics;
use crate::view::View;

/// A profile at work.
pub struct Profile {
    scheduler_name: String,
    weights: Vec<f64>,
    plugin_name: String,
    plugin: Result<Plugin, Unloaded>,
    plan: Option<valid::Plan>,
}

/// Why there is no plugin.
#[derive(Clone, Debug)]
struct Unloaded {
    reason: Reason,
    detail: String,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.debug_struct("Profile").field("scheduler_name", &self.scheduler_name).finish_non_exhaustive()
    }
}

impl Profile {
    /// Loads the profile's plugin.
    ///
    /// # Errors
    /// Where the plugin refuses its settings.
    pub fn load(config: &valid::Profile, engine: Result<&Engine, &str>) -> Result<Self, Problem> {
        let plugin = match load(&config.plugin, engine) {
            Err(LoadFailure::Settings(problem)) => return Err(problem),
            Err(LoadFailure::Plugin(unloaded)) => Err(unloaded),
            Ok(plugin) => Ok(plugin),
        };
        let profile = Self {
            scheduler_name: config.scheduler_name.clone(),
            weights: config.weights.clone(),
            plugin_name: config.plugin.name.clone(),
            plugin,
            plan: config.plan.clone(),
        };
        profile.log();
        Ok(profile)
    }

    fn log(&self) {
        let (scheduler, plugin) = (&self.scheduler_name, &self.plugin_name);
        match &self.plugin {
            Ok(loaded) => {
                let info = loaded.info();
                tracing::info!(scheduler, plugin, name = info.name, version = info.version, digest = %loaded.digest(), "plugin loaded");
            }
            Err(Unloaded { reason, detail }) => {
                tracing::error!(
                    scheduler,
                    plugin,
                    reason = reason.as_str(),
                    detail,
                    "plugin not loaded; every answer is neutral"
                );
            }
        }
    }

    /// Whose pods: their `spec.schedulerName`.
    #[must_use]
    pub fn scheduler_name(&self) -> &str {
        &self.scheduler_name
    }

    /// The plugin's name in the configuration.
    #[must_use]
    pub fn plugin_name(&self) -> &str {
        &self.plugin_name
    }

    /// Why there is no plugin, or `None` where there is one.
    #[must_use]
    pub fn failure(&self) -> Option<(Reason, &str)> {
        self.plugin.as_ref().err().map(|unloaded| (unloaded.reason, unloaded.detail.as_str()))
    }

    /// How many of the plugin's instances were replaced after they failed.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.plugin.as_ref().map_or(0, Plugin::restarts)
    }

    /// The objective's weights, one a resource.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// How waiting pods are planned together, if they are.
    #[must_use]
    pub fn planning(&self) -> Option<&valid::Plan> {
        self.plan.as_ref()
    }

    /// A joint assignment of all the pods.
    ///
    /// # Errors
    /// Where the plugin has failed, or plans nothing.
    pub fn plan(
        &self,
        source: &dyn SnapshotSource,
        pods: &Pods,
        budget: Budget,
        seed: u64,
        metrics: &Metrics,
    ) -> Result<JointPlan, Fallback> {
        self.call("plan", metrics, |plugin| plugin.plan(source, pods, budget, seed))
    }

    /// One verdict a row.
    ///
    /// # Errors
    /// Where the plugin has failed.
    pub fn filter(&self, view: &View, metrics: &Metrics) -> Result<Vec<u8>, Fallback> {
        self.call("filter", metrics, |plugin| plugin.filter(&self.columns(view), &pod(view)))
    }

    /// One score a row.
    ///
    /// # Errors
    /// Where the plugin has failed.
    pub fn score(&self, view: &View, metrics: &Metrics) -> Result<Vec<f64>, Fallback> {
        self.call("score", metrics, |plugin| plugin.score(&self.columns(view), &pod(view)))
    }

    fn columns<'a>(&'a self, view: &'a View) -> Columns<'a> {
        Columns::new(&view.snapshot, &self.weights)
    }

    fn call<T>(
        &self,
        extension_point: &'static str,
        metrics: &Metrics,
        call: impl FnOnce(&Plugin) -> Result<T, CallError>,
    ) -> Result<T, Fallback> {
        let fallback = |reason, detail: &str| Fallback::new(&self.plugin_name, Cause::Plugin(reason), detail);
        let plugin = self.plugin.as_ref().map_err(|unloaded| fallback(unloaded.reason, &unloaded.detail))?;
        let start = Instant::now();
        let result = call(plugin);
        let failure = result.as_ref().err().map(CallError::reason);
        metrics.call(&self.plugin_name, extension_point, failure, start.elapsed());
        result.map_err(|error| fallback(error.reason(), &chain(&error)))
    }
}

/// The pod that a view is of, as its plugin is asked about it.
fn pod(view: &View) -> Pod<'_> {
    columns::pod(&view.pod, view.snapshot.planned_row(&view.pod.uid))
}

enum LoadFailure {
    Settings(Problem),
    Plugin(Unloaded),
}

fn load(config: &valid::Plugin, engine: Result<&Engine, &str>) -> Result<Plugin, LoadFailure> {
    let unloaded = |reason, detail: String| LoadFailure::Plugin(Unloaded { reason, detail });
    let engine = engine.map_err(|detail| unloaded(Reason::Unavailable, detail.to_owned()))?;
    let bytes = match &config.component {
        valid::ComponentSource::Builtin => std::borrow::Cow::Borrowed(gantry_component::BYTES),
        valid::ComponentSource::File(path) => {
            let read =
                fs::read(path).map_err(|error| unloaded(Reason::Unavailable, format!("{}: {error}", path.display())));
            std::borrow::Cow::Owned(read?)
        }
    };
    let component = Component::load(engine, &bytes, config.digest, None)
        .map_err(|error| unloaded(error.reason(), chain(&error)))?;
    let plugin = Plugin::new(&config.name, &component, &config.settings, config.limits.clone());
    plugin.map_err(|error| match error.failure() {
        Failure::Settings { key, value, message } => {
            let key = format!("{}.settings.{key}", config.key);
            LoadFailure::Settings(Problem::new(key.trim_end_matches('.'), value, message))
        }
        _ => unloaded(error.reason(), chain(&error)),
    })
}

/// An error with the errors behind it, in one line: an Event's note and a log's field hold no more.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let line = error.to_string();
        text.push_str(": ");
        text.push_str(line.lines().next().unwrap_or_default());
        source = error.source();
    }
    text
}
