//! Live reload: a changed configuration file takes effect, or is refused whole.
//!
//! ```text
//!  file ─ poll ─► digest differs, twice the same ─► parse ─► check ─► what needs a restart? ─► load ─► trial
//!                                                     │ any error: the one before stays               │
//!                                                     ▼                                               ▼
//!                              /profiles, metric, Event, log ◄──────────────── swap between two cycles
//! ```
//!
//! Promises that a cycle sees one configuration from its beginning to its end, that
//! requests never wait for a change, and that a change takes effect whole or not at
//! all. Polls the content, not the file system's events: a `ConfigMap`'s mount swaps
//! links, and editors write in steps.

pub mod diff;
mod status;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gantry_cluster::SharedIndex;
use gantry_host::Digest;

pub use status::Configuration;

use crate::args::ServeArgs;
use crate::config::{ConfigError, Draft, Problem, Surroundings, valid};
use crate::events::Subject;
use crate::golden;
use crate::handlers::Context;
use crate::metrics::Reload;
use crate::profile::loader::Loader;
use crate::profile::{Member, Profile, Profiles};

/// How often the file is read; a change takes effect after two looks that agree.
const POLL: Duration = Duration::from_millis(500);
/// Half a minute: what a plugin that could not be loaded waits for the next try.
const LOOKS_PER_RETRY: u32 = 60;

/// Watches the configuration file.
#[derive(Debug)]
pub struct Reloader {
    file: PathBuf,
    flags: ServeArgs,
    surroundings: Surroundings,
    loader: Loader,
    context: Arc<Context>,
    index: Arc<SharedIndex>,
    active: Draft,
    /// What the file held when it was looked at last, and what was decided on last.
    looked: Option<Digest>,
    decided: Option<Digest>,
    own_pod: Option<Subject>,
}

impl Reloader {
    /// Watches the file that `active` was read from. `None`: there is no file.
    #[must_use]
    pub fn new(
        flags: &ServeArgs,
        surroundings: Surroundings,
        active: Draft,
        loader: Loader,
        context: Arc<Context>,
        index: Arc<SharedIndex>,
    ) -> Option<Self> {
        let decided = active.digest;
        Some(Self {
            file: flags.config.clone()?,
            flags: flags.clone(),
            surroundings,
            loader,
            context,
            index,
            active,
            looked: decided,
            decided,
            own_pod: Subject::own_pod(),
        })
    }

    /// Looks at the file for ever.
    pub async fn run(mut self) {
        for looks in 1_u32.. {
            tokio::time::sleep(POLL).await;
            // Compiling takes seconds where a plugin holds an interpreter: not on a thread that serves.
            let look = tokio::task::spawn_blocking(move || {
                self.look();
                if looks.is_multiple_of(LOOKS_PER_RETRY) {
                    self.retry();
                }
                self
            });
            match look.await {
                Ok(reloader) => self = reloader,
                Err(error) => {
                    tracing::error!(%error, "reading the configuration ended unexpectedly; no change is seen any more");
                    return;
                }
            }
        }
    }

    /// Looks at the file once; says what became of a change that two looks agree on.
    pub fn look(&mut self) -> Option<Reload> {
        let text = std::fs::read(&self.file);
        let digest = text.as_ref().ok().map(|text| Digest::of(text));
        let is_settled = std::mem::replace(&mut self.looked, digest) == digest;
        if !is_settled || digest == self.decided {
            return None;
        }
        self.decided = digest;
        let unreadable = |source| ConfigError::Unreadable { path: self.file.clone(), source };
        let outcome = match text.map_err(unreadable).and_then(|text| self.apply(&text)) {
            Ok(()) => Reload::Applied,
            Err(error) => {
                self.refuse(digest, &error);
                Reload::Refused
            }
        };
        self.context.metrics.reload(outcome);
        Some(outcome)
    }

    /// Tries again what could not be loaded at the start: a registry may answer by now. True if more plugins decide.
    pub fn retry(&mut self) -> bool {
        let before = self.context.cycles.profiles();
        let failures = failures(&before).count();
        if failures == 0 {
            return false;
        }
        let Ok(profiles) = self.loader.load(&self.active.config.profiles, &before) else { return false };
        let is_better = self::failures(&profiles).count() < failures;
        if is_better {
            self.context.cycles.replace(profiles);
        }
        is_better
    }

    fn apply(&mut self, text: &[u8]) -> Result<(), ConfigError> {
        let draft = self.flags.draft_of(text, &self.file, self.surroundings)?;
        let changes = diff::changes(&self.active.document, &draft.document);
        refuse_what_needs_a_restart(&self.active.config, &draft.config, &changes)?;
        self.loader.forget_refusals();
        let profiles = self.loader.load(&draft.config.profiles, &self.context.cycles.profiles())?;
        refuse_failures(&profiles)?;
        golden::try_all(&self.loader, &draft.config)?;
        self.swap(&draft, profiles);
        for change in &changes {
            tracing::info!(%change, "configuration changed");
        }
        tracing::info!(digest = ?draft.digest, changes = changes.len(), "configuration applied");
        self.active = draft;
        Ok(())
    }

    /// The dictionary first: under the new one every answer of the old profiles is still one of the old profiles.
    fn swap(&self, draft: &Draft, profiles: Profiles) {
        let names = profiles.iter().flat_map(|profile| profile.members()).map(Member::name);
        self.context.metrics.expect(names);
        self.index.lock().set_dictionary(draft.config.dictionary.clone());
        self.context.cycles.replace(profiles);
        let now = SystemTime::now();
        self.status().apply(draft.digest, now);
        self.context.metrics.configuration(draft.digest, now);
    }

    fn refuse(&self, digest: Option<Digest>, error: &ConfigError) {
        let file = self.file.display();
        tracing::error!(%error, %file, "the changed configuration is not used; the one before it stays");
        if let Some(own_pod) = &self.own_pod {
            self.context.events.configuration_refused(own_pod, &error.to_string(), Instant::now());
        }
        self.status().refuse(digest, error, SystemTime::now());
    }

    fn status(&self) -> std::sync::MutexGuard<'_, Configuration> {
        let status: &Mutex<Configuration> = &self.context.configuration;
        status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sockets, watches, columns, planners and what loads plugins are made once.
fn refuse_what_needs_a_restart(
    old: &valid::Config,
    new: &valid::Config,
    changes: &[diff::Change],
) -> Result<(), ConfigError> {
    let sections = [
        ("server", old.server != new.server),
        ("cluster", old.cluster != new.cluster),
        ("forecasts", old.forecasts != new.forecasts),
        ("estimates", old.estimates != new.estimates),
        ("resources", old.resources != new.resources),
        ("cache", old.cache != new.cache),
        ("compile", old.compile != new.compile),
    ];
    // Who plans and who writes is decided at the start; how they do it is asked at every step.
    let differ = |of: fn(&valid::Config) -> Vec<&str>| of(old) != of(new);
    let is_fixed = |key: &str| {
        let section = key.split(['.', '[']).next().unwrap_or_default();
        let is_tied =
            key.contains("].plan") && (differ(planning) || (differ(nominating) && key.ends_with(".nominate")));
        is_tied || sections.iter().any(|(name, differs)| *differs && *name == section)
    };
    let problem = |change: &diff::Change| {
        let value = change.new.as_deref().unwrap_or("(absent)");
        let old = change.old.as_deref().unwrap_or("(absent)");
        Problem::new(&*change.key, value, format!("this cannot change live: restart to use it, or return to {old}"))
    };
    let problems: Vec<Problem> = changes.iter().filter(|change| is_fixed(&change.key)).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Refused(problems)) }
}

/// The profiles that plan, by scheduler name.
fn planning(config: &valid::Config) -> Vec<&str> {
    let plans = config.profiles.iter().filter(|profile| profile.plan.is_some());
    plans.map(|profile| profile.scheduler_name.as_str()).collect()
}

/// Those that nominate.
fn nominating(config: &valid::Config) -> Vec<&str> {
    let nominate = |profile: &&valid::Profile| profile.plan.as_ref().is_some_and(|plan| plan.nominate);
    config.profiles.iter().filter(nominate).map(|profile| profile.scheduler_name.as_str()).collect()
}

/// The plugins that could not be loaded: at a start they are left out, in a changed configuration they refuse it.
///
/// # Errors
/// One problem a plugin.
pub fn refuse_failures(profiles: &[Arc<Profile>]) -> Result<(), ConfigError> {
    let problems: Vec<Problem> = failures(profiles).collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Refused(problems)) }
}

fn failures(profiles: &[Arc<Profile>]) -> impl Iterator<Item = Problem> {
    let problem = |member: &Member| {
        let (reason, detail) = member.failure()?;
        let config = member.config();
        let key = format!("{}.component", config.key);
        Some(Problem::new(key, &config.component, format!("it cannot be loaded ({}): {detail}", reason.as_str())))
    };
    profiles.iter().flat_map(|profile| profile.members()).filter_map(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn draft(sections: &str) -> Draft {
        let head = "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: auto}\n";
        let (flags, in_a_pod) = (ServeArgs::default(), Surroundings { is_in_cluster: true });
        flags.draft_of(format!("{head}{sections}").as_bytes(), Path::new("x"), in_a_pod).unwrap()
    }

    fn restart_keys(old: &str, new: &str) -> Vec<String> {
        let (old, new) = (draft(old), draft(new));
        let changes = diff::changes(&old.document, &new.document);
        match refuse_what_needs_a_restart(&old.config, &new.config, &changes) {
            Err(ConfigError::Refused(problems)) => problems.into_iter().map(|problem| problem.key).collect(),
            other => {
                other.unwrap();
                Vec::new()
            }
        }
    }

    #[test]
    fn what_is_made_once_needs_a_restart_and_a_default_written_out_does_not() {
        assert_eq!(restart_keys("", "server: {listen: '127.0.0.1:1'}"), ["server.listen"]);
        assert_eq!(restart_keys("resources: [cpu]", "resources: [memory]"), ["resources[0]"]);
        assert_eq!(restart_keys("", "cache: {dir: /x}"), ["cache.dir"]);
        assert_eq!(restart_keys("", "compile: {memory: 1Gi}"), ["compile.memory"]);
        assert_eq!(restart_keys("", "server: {deadline: 500ms}"), [""; 0]);
        let profile = |plan: &str| {
            format!("profiles: [{{schedulerName: s, plugins: [{{name: gantry, component: 'builtin:gantry'}}]{plan}}}]")
        };
        assert_eq!(restart_keys(&profile(""), &profile(", plan: {mode: guide}")), ["profiles[0].plan.mode"]);
        let (before, after) = (profile(", plan: {ttl: 5s}"), profile(", plan: {ttl: 9s, mode: guide, evaluations: 0}"));
        assert_eq!(restart_keys(&before, &after), [""; 0]);
        let nominating = profile(", plan: {ttl: 9s, nominate: true}");
        assert_eq!(restart_keys(&before, &nominating), ["profiles[0].plan.nominate"]);
    }
}
