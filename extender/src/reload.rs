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
mod restart;
mod status;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gantry_cluster::SharedIndex;
use gantry_host::{Digest, Reason};

pub use status::Configuration;

use crate::args::ServeArgs;
use crate::config::{ConfigError, Draft, Problem, Surroundings, valid};
use crate::events::Subject;
use crate::golden;
use crate::handlers::Context;
use crate::metrics::Reload;
use crate::profile::loader::{Loader, Occasion, failed_before};
use crate::profile::{Member, Profile, Profiles};
use restart::refuse_what_needs_a_restart;

/// How often the file is read; a change takes effect after two looks that agree.
const POLL: Duration = Duration::from_millis(500);
/// Half a minute: what a plugin that could not be loaded waits for the next try.
const LOOKS_PER_RETRY: u32 = 60;
/// What a change waits that was refused because somebody did not answer; then twice as long, and so on.
const PAUSE: Duration = Duration::from_secs(30);
/// Nobody should wait much longer for a registry that is back.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

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
    again: Option<Again>,
    own_pod: Option<Subject>,
}

/// A change that was refused for what may pass.
#[derive(Debug)]
struct Again {
    at: Instant,
    pause: Duration,
    message: String,
}

impl Again {
    fn after(last: Option<&Self>, message: String, now: Instant) -> Self {
        let pause = last.map_or(PAUSE, |last| (2 * last.pause).min(LONGEST_PAUSE));
        Self { at: now + pause, pause, message }
    }
}

/// Why a change is not used.
struct Refusal {
    error: ConfigError,
    may_pass: bool,
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        Self { error, may_pass: false }
    }
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
            again: None,
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
                if looks.is_multiple_of(LOOKS_PER_RETRY) || self.loader.has_news() {
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
        self.look_at(Instant::now())
    }

    /// The same at a time: a change that was refused for what may pass is tried again, ever less often, and says something
    /// only when that is something else.
    pub fn look_at(&mut self, now: Instant) -> Option<Reload> {
        let text = std::fs::read(&self.file);
        let digest = text.as_ref().ok().map(|text| Digest::of(text));
        let is_settled = std::mem::replace(&mut self.looked, digest) == digest;
        let is_new = digest != self.decided;
        let is_due = self.again.as_ref().is_some_and(|again| again.at <= now);
        if !is_settled || !(is_new || is_due) {
            return None;
        }
        self.decided = digest;
        let last = self.again.take().filter(|_| !is_new);
        if is_new {
            self.loader.forget_refusals();
        }
        let unreadable = |source| ConfigError::Unreadable { path: self.file.clone(), source }.into();
        let outcome = match text.map_err(unreadable).and_then(|text| self.apply(&text)) {
            Ok(()) => Reload::Applied,
            Err(Refusal { error, may_pass }) => {
                let message = error.to_string();
                let is_told = last.as_ref().is_some_and(|last| last.message == message);
                self.again = may_pass.then(|| Again::after(last.as_ref(), message, now));
                if is_told {
                    return None;
                }
                self.refuse(digest, &error);
                Reload::Refused
            }
        };
        self.context.metrics.reload(outcome);
        Some(outcome)
    }

    /// Tries again what could not be loaded: a registry may answer by now. True if more plugins decide.
    pub fn retry(&mut self) -> bool {
        let before = self.context.cycles.profiles();
        let was_left_out = failures(&before, &[]);
        if was_left_out.is_empty() {
            return false;
        }
        let profiles = match self.loader.load(&self.active.config.profiles, &before, Occasion::Retry) {
            Ok(profiles) => profiles,
            Err(error) => {
                tracing::error!(%error, "plugins that were left out cannot be tried again");
                return false;
            }
        };
        let is_left_out = failures(&profiles, &[]);
        if is_left_out == was_left_out {
            return false;
        }
        let has = |problems: &[Problem], plugin: &valid::Plugin| {
            problems.iter().any(|problem| problem.key == component_key(plugin))
        };
        let is_new = |plugin: &valid::Plugin| has(&was_left_out, plugin) && !has(&is_left_out, plugin);
        if let Err(error) = golden::try_those(&profiles, &self.active.config, is_new) {
            tracing::warn!(%error, "a plugin that could be loaded at last is still left out");
            return false;
        }
        self.context.cycles.replace(profiles, || ());
        is_left_out.len() < was_left_out.len()
    }

    fn apply(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let draft = self.flags.draft_of(text, &self.file, self.surroundings)?;
        let changes = diff::changes(&self.active.document, &draft.document);
        refuse_what_needs_a_restart(&self.active.config, &draft.config, &changes)?;
        let before = self.context.cycles.profiles();
        let profiles = self.loader.load(&draft.config.profiles, &before, Occasion::Change)?;
        let may_pass = may_pass(&profiles);
        refuse_failures(&profiles, &before).map_err(|error| Refusal { error, may_pass })?;
        golden::try_all(&profiles, &draft.config)?;
        self.swap(&draft, profiles);
        for change in &changes {
            tracing::info!(%change, "configuration changed");
        }
        tracing::info!(digest = ?draft.digest, changes = changes.len(), "configuration applied");
        self.active = draft;
        Ok(())
    }

    /// Plugins and dictionary in one step: no cycle has the old of the one and the new of the other.
    fn swap(&self, draft: &Draft, profiles: Profiles) {
        let names = profiles.iter().flat_map(|profile| profile.members()).map(Member::name);
        self.context.metrics.expect(names);
        let dictionary = draft.config.dictionary.clone();
        self.context.cycles.replace(profiles, || {
            self.index.lock().set_dictionary(dictionary);
        });
        let now = SystemTime::now();
        self.status().apply(draft.digest, now);
        self.context.metrics.configuration(draft.digest, now);
    }

    fn refuse(&self, digest: Option<Digest>, error: &ConfigError) {
        let file = self.file.display();
        tracing::error!(%error, %file, "the changed configuration is not used; the one before it stays");
        if let Some(own_pod) = &self.own_pod {
            self.context.events.configuration_refused(own_pod, digest, &error.to_string(), Instant::now());
        }
        self.status().refuse(digest, error, SystemTime::now());
    }

    fn status(&self) -> std::sync::MutexGuard<'_, Configuration> {
        let status: &Mutex<Configuration> = &self.context.configuration;
        status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The plugins that cannot be loaded: at a start they are left out, in a changed configuration they refuse it, unless they
/// failed before in the same words of the configuration.
///
/// # Errors
/// One problem a plugin.
pub fn refuse_failures(profiles: &[Arc<Profile>], before: &[Arc<Profile>]) -> Result<(), ConfigError> {
    let problems = failures(profiles, before);
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Refused(problems)) }
}

fn component_key(plugin: &valid::Plugin) -> String {
    format!("{}.component", plugin.key)
}

fn failures(profiles: &[Arc<Profile>], before: &[Arc<Profile>]) -> Vec<Problem> {
    let problem = |profile: &Profile, member: &Member| {
        let (reason, detail) = member.failure()?;
        let config = member.config();
        if failed_before(before, profile.scheduler_name(), config).is_some() {
            return None;
        }
        let key = component_key(config);
        Some(Problem::new(key, &config.component, format!("it cannot be loaded ({}): {detail}", reason.as_str())))
    };
    let of_one = |profile: &Arc<Profile>| -> Vec<Problem> {
        profile.members().iter().filter_map(|member| problem(profile, member)).collect()
    };
    profiles.iter().flat_map(of_one).collect()
}

/// Whether some plugin is missing for what is no fault of its bytes: nobody answered, or the machine was busy.
fn may_pass(profiles: &[Arc<Profile>]) -> bool {
    let mut failures = profiles.iter().flat_map(|profile| profile.members()).filter_map(Member::failure);
    failures.any(|(reason, _)| matches!(reason, Reason::Unavailable | Reason::Deadline | Reason::Memory))
}
