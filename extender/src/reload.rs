//! Live reload: a changed configuration file takes effect, or is refused whole.
//!
//! ```text
//!  file ─ poll ─► digest differs, twice the same ─► parse ─► check ─► what needs a restart? ─► load ─► trial
//!                                                     │ any error, or panic: the one before stays     │
//!                                                     ▼                                               ▼
//!                              /profiles, metric, Event, log ◄──────────────── swap between two cycles
//! ```
//!
//! Promises that a cycle sees one configuration from its beginning to its end, that
//! requests never wait for a change, that a change takes effect whole or not at all, and
//! that none waits for an older one's registry. Polls the content, not the file system's
//! events: a `ConfigMap`'s mount swaps links, and editors write in steps.

mod admission;
pub mod diff;
mod restart;
mod status;
mod vigil;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gantry_cluster::SharedIndex;
use gantry_host::Digest;

pub use admission::{refuse_failures, start};
pub use status::Configuration;

use crate::args::ServeArgs;
use crate::background;
use crate::config::valid;
use crate::config::{self, ConfigError, Draft, Problem, Surroundings};
use crate::events::Subject;
use crate::handlers::Context;
use crate::metrics::Reload;
use crate::profile::loader::{self, Loader, Occasion};
use crate::profile::{Profile, Profiles};
use admission::{admit, may_come, missing, problems, refuse_incapable, rest_after};
use restart::refuse_what_needs_a_restart;
use vigil::Vigil;

/// How often the file is read; a change takes effect after two looks that agree.
const POLL: Duration = Duration::from_millis(500);
/// What a plugin that was left out waits for the next try, from the end of the last one on; then ever longer, where
/// everything is left out for what does not pass.
const RETRY: Duration = Duration::from_secs(30);
/// What a change waits that was refused for what may pass; then twice as long, and so on.
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
    /// When what was left out is due, and how long it rests by then.
    next_retry: Instant,
    rest: Duration,
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
enum Setback {
    Refused {
        error: ConfigError,
        may_pass: bool,
    },
    /// The file holds another one by now.
    Superseded,
}

impl Setback {
    /// `words`: what the panic said.
    fn of_panic(words: &str) -> Self {
        let what = format!("Gantry panicked while it tried this change: {words}; the log says where: please report it");
        ConfigError::from(Problem::new("", "", what)).into()
    }
}

impl From<ConfigError> for Setback {
    fn from(error: ConfigError) -> Self {
        Self::Refused { error, may_pass: false }
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
            next_retry: Instant::now() + RETRY,
            rest: RETRY,
            own_pod: Subject::own_pod(),
        })
    }

    /// Looks at the file for ever.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(POLL).await;
            // Compiling takes seconds where a plugin holds an interpreter: not on a thread that serves.
            let turn = tokio::task::spawn_blocking(move || {
                self.turn();
                self
            });
            // A panic is caught there: only the end of the process is left to end this.
            let Ok(reloader) = turn.await else { return };
            self = reloader;
        }
    }

    /// A look at the file, and at what was left out where that is due. The next turn comes even if this one panics.
    fn turn(&mut self) {
        goes_on_after(|| self.look());
        let has_news = self.loader.has_news();
        if has_news || self.next_retry <= Instant::now() {
            goes_on_after(|| self.retry());
            self.rest = if has_news { RETRY } else { rest_after(self.rest, &self.context.cycles.profiles()) };
            self.next_retry = Instant::now() + self.rest;
        }
    }

    /// Looks at the file once; says what became of a change that two looks agree on.
    pub fn look(&mut self) -> Option<Reload> {
        self.look_at(Instant::now())
    }

    /// The same at a time: a change that was refused for what may pass is tried again, ever less often, and says something
    /// only when that is something else.
    pub fn look_at(&mut self, now: Instant) -> Option<Reload> {
        self.look_with(now, Self::apply)
    }

    /// `apply` is what is done with a change.
    fn look_with(
        &mut self,
        now: Instant,
        apply: impl FnOnce(&mut Self, &[u8]) -> Result<(), Setback>,
    ) -> Option<Reload> {
        let text = std::fs::read(&self.file);
        let digest = text.as_ref().ok().map(|text| Digest::of(text));
        let is_settled = std::mem::replace(&mut self.looked, digest) == digest;
        let is_new = digest != self.decided;
        let is_due = self.again.as_ref().is_some_and(|again| again.at <= now);
        if !is_settled || !(is_new || is_due) {
            return None;
        }
        if is_new {
            let file = self.file.display();
            tracing::info!(?digest, %file, "the configuration file has changed; the change is tried");
            self.loader.forget_refusals();
            self.rest = RETRY;
            self.next_retry = self.next_retry.min(Instant::now() + RETRY);
        }
        let (decided, again) = (std::mem::replace(&mut self.decided, digest), self.again.take());
        self.status().tries(digest, SystemTime::now());
        let unreadable = |source| Setback::from(ConfigError::Unreadable { path: self.file.clone(), source });
        let result = text.map_err(unreadable).and_then(|text| self.guarded(|this| apply(this, &text)));
        let outcome = match result {
            Ok(()) => Some(Reload::Applied),
            Err(Setback::Refused { error, may_pass }) => {
                let last = again.filter(|_| !is_new);
                let message = error.to_string();
                let is_told = last.as_ref().is_some_and(|last| last.message == message);
                // The pause begins with the end of the try, which may have taken minutes.
                let end = now.max(Instant::now());
                self.again = may_pass.then(|| Again::after(last.as_ref(), message, end));
                (!is_told).then(|| self.refuse(digest, &error))
            }
            Err(Setback::Superseded) => {
                tracing::info!(?digest, "the configuration file has changed again; this change is tried no longer");
                // As if it had never been seen: the file may come back to it.
                (self.decided, self.again) = (decided, again);
                None
            }
        };
        self.status().tries_no_more();
        outcome.inspect(|outcome| self.context.metrics.reload(*outcome))
    }

    /// A panic is the change's fault, as far as anybody knows, and no reason to see no other one.
    fn guarded(&mut self, apply: impl FnOnce(&mut Self) -> Result<(), Setback>) -> Result<(), Setback> {
        background::caught(|| apply(self)).unwrap_or_else(|panic| Err(Setback::of_panic(&panic)))
    }

    /// Tries again what was left out: a registry may answer by now. What fails keeps out only itself. True if more plugins
    /// decide.
    pub fn retry(&mut self) -> bool {
        let before = self.context.cycles.profiles();
        let was_left_out = problems(&before, &[]);
        if was_left_out.is_empty() {
            return false;
        }
        let profiles = match self.load_left_out(&before) {
            Ok(Some(profiles)) => profiles,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!(%error, "plugins that were left out cannot be tried again");
                return false;
            }
        };
        let is_left_out = problems(&profiles, &[]);
        if is_left_out.len() == was_left_out.len() && is_left_out.iter().all(|problem| was_left_out.contains(problem)) {
            return false;
        }
        loader::tell(&profiles, &before);
        self.context.cycles.replace(profiles, || ());
        is_left_out.len() < was_left_out.len()
    }

    /// The profiles in use with what can be loaded by now and does well. `None`: the file has changed meanwhile.
    fn load_left_out(&mut self, before: &[Arc<Profile>]) -> Result<Option<Profiles>, ConfigError> {
        let config = self.active.config.clone();
        let loaded = self.load(&config.profiles, before, Occasion::Retry, self.decided)?;
        let Some(mut profiles) = loaded else { return Ok(None) };
        admit(&mut profiles, before, &config)?;
        Ok(Some(profiles))
    }

    /// Loads plugins for as long as the file holds `tried`; `None`: it holds something else by now.
    fn load(
        &mut self,
        profiles: &[valid::Profile],
        before: &[Arc<Profile>],
        occasion: Occasion,
        tried: Option<Digest>,
    ) -> Result<Option<Profiles>, ConfigError> {
        let mut vigil = Vigil::new(&self.file, tried, self.looked, Instant::now());
        let mut goes_on = |awaited: &[String]| {
            self.status().awaits(awaited);
            vigil.holds(Instant::now())
        };
        let loaded = self.loader.load_while(profiles, before, occasion, &mut goes_on);
        self.looked = vigil.looked();
        loaded
    }

    fn apply(&mut self, text: &[u8]) -> Result<(), Setback> {
        let draft = self.flags.draft_of(text, &self.file, self.surroundings).map_err(|error| {
            let may_pass = lacks_only_files(text, &self.file, &error);
            Setback::Refused { error, may_pass }
        })?;
        let changes = diff::changes(&self.active.document, &draft.document);
        refuse_what_needs_a_restart(&self.active.config, &draft.config, &changes)?;
        let before = self.context.cycles.profiles();
        let loaded = self.load(&draft.config.profiles, &before, Occasion::Change, draft.digest)?;
        let mut profiles = loaded.ok_or(Setback::Superseded)?;
        refuse_failures(&profiles, &before).map_err(|error| {
            let may_pass = missing(&profiles, &before).into_iter().all(may_come);
            Setback::Refused { error, may_pass }
        })?;
        refuse_incapable(&mut profiles, &before, &draft.config)?;
        loader::tell(&profiles, &before);
        self.swap(&draft, profiles);
        self.active = draft;
        for change in &changes {
            tracing::info!(%change, "configuration changed");
        }
        tracing::info!(digest = ?self.active.digest, changes = changes.len(), "configuration applied");
        Ok(())
    }

    /// Plugins and dictionary in one step: no cycle has the old of the one and the new of the other.
    fn swap(&self, draft: &Draft, profiles: Profiles) {
        self.context.metrics.expect(profiles.iter().flat_map(|profile| profile.names()));
        let dictionary = draft.config.dictionary.clone();
        self.context.cycles.replace(profiles, || {
            self.index.lock().set_dictionary(dictionary);
        });
        let now = SystemTime::now();
        self.status().apply(draft.digest, now);
        self.context.metrics.configuration(draft.digest, now);
    }

    fn refuse(&self, digest: Option<Digest>, error: &ConfigError) -> Reload {
        let file = self.file.display();
        tracing::error!(%error, %file, "the changed configuration is not used; the one before it stays");
        if let Some(own_pod) = &self.own_pod {
            self.context.events.configuration_refused(own_pod, digest, &error.to_string(), Instant::now());
        }
        self.status().refuse(digest, error, SystemTime::now());
        Reload::Refused
    }

    fn status(&self) -> std::sync::MutexGuard<'_, Configuration> {
        let status: &Mutex<Configuration> = &self.context.configuration;
        status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work`, of which a panic is logged.
fn goes_on_after<T>(work: impl FnOnce() -> T) {
    if let Err(panic) = background::caught(work) {
        tracing::error!(%panic, "following the configuration panicked; it goes on with the next look");
    }
}

/// Whether nothing is wrong with a configuration, read from `text`, but that files of plugins are not there: they are
/// mounted apart from it, and may come after it.
fn lacks_only_files(text: &[u8], path: &Path, error: &ConfigError) -> bool {
    let ConfigError::Refused(problems) = error else { return false };
    let Ok((_, typed)) = config::read_bytes(text, path) else { return false };
    let mut keys = HashSet::new();
    for (position, profile) in typed.profiles.iter().flatten().enumerate() {
        for (place, plugin) in profile.plugins.iter().enumerate() {
            // Of those it is the only thing that can be wrong.
            if plugin.component.as_deref().is_some_and(|component| component.starts_with("file:")) {
                keys.insert(format!("profiles[{position}].plugins[{place}].component"));
            }
        }
    }
    problems.iter().all(|problem| keys.contains(&problem.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    fn text(mode: &str) -> String {
        let profile = "schedulerName: default-scheduler, plugins: [{name: gantry, component: 'builtin:gantry'}]";
        let head = "apiVersion: gantry.dev/v1alpha1\nkind: GantryConfiguration\ncluster: {mode: none}\n";
        format!("{head}profiles: [{{{profile}, mode: {mode}}}]\n")
    }

    #[test]
    fn what_is_left_out_for_good_rests_ever_longer_until_the_file_changes_and_what_may_come_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, component) = (folder.path().join("gantry.yaml"), folder.path().join("p.wasm"));
        std::fs::write(&component, b"no component").unwrap();
        let with_broken = |more: &str| {
            let broken = format!("{{name: broken, component: 'file:{}'{more}}}", component.display());
            std::fs::write(&file, text("serve").replace("plugins: [", &format!("plugins: [{broken}, "))).unwrap();
        };
        let rest_after_a_try = |reloader: &mut Reloader| {
            reloader.next_retry = Instant::now();
            reloader.turn();
            reloader.rest
        };
        let flags = ServeArgs { config: Some(file.clone()), ..ServeArgs::default() };
        with_broken("");
        let mut reloader = App::reloading(&flags).unwrap().1.unwrap();
        for tries in [2_u32, 4, 8, 16, 20, 20] {
            assert_eq!(rest_after_a_try(&mut reloader), tries * RETRY);
        }
        with_broken(", weight: 2");
        assert_eq!((reloader.look(), reloader.look()), (None, Some(Reload::Applied)));
        assert_eq!(reloader.rest, RETRY);
        assert!(reloader.next_retry <= Instant::now() + RETRY);
        assert_eq!(rest_after_a_try(&mut reloader), 2 * RETRY);

        // The file with this digest may be mounted yet.
        with_broken(&format!(", digest: '{}'", Digest::of(b"another one")));
        let mut reloader = App::reloading(&flags).unwrap().1.unwrap();
        for _ in 0..2 {
            assert_eq!(rest_after_a_try(&mut reloader), RETRY);
        }
    }

    fn panicking(_: &mut Reloader, _: &[u8]) -> Result<(), Setback> {
        panic!("on purpose")
    }

    #[test]
    fn a_panic_while_a_change_is_tried_refuses_it_and_the_next_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gantry.yaml");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write(&text("serve"));
        let flags = ServeArgs { config: Some(file.clone()), ..ServeArgs::default() };
        let mut reloader = App::reloading(&flags).unwrap().1.unwrap();
        let now = Instant::now();
        write(&text("shadow"));
        assert_eq!(reloader.look_with(now, panicking), None, "the first look only notes the change");
        assert_eq!(reloader.look_with(now, panicking), Some(Reload::Refused));
        assert_eq!(reloader.look_with(now, panicking), None, "refused once");
        let page = reloader.status().to_json();
        let message = page["lastError"]["message"].as_str().unwrap();
        assert!(message.contains("panicked") && message.contains("on purpose"), "{message}");
        assert!(page["trying"].is_null(), "{page:#}");
        assert_eq!(reloader.active.document["profiles"][0]["mode"], "serve");

        write(&(text("shadow") + "# corrected\n"));
        assert_eq!((reloader.look(), reloader.look()), (None, Some(Reload::Applied)));
        assert_eq!(reloader.active.document["profiles"][0]["mode"], "shadow");
    }
}
