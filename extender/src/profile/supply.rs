//! Components on their way: from wherever they are to what can be started.
//!
//! ```text
//!  Wish ─► on disk or in use, by digest? ─► fetch, side by side ─► compile, one after the other ─► Component
//! ```
//!
//! Promises that equal wishes are met once, that nobody waits for longer than they have
//! patience or a use for it, that what comes late is there for whoever asks next, and that
//! nobody gets of a file what it held before they asked. Each wish has a thread, which ends
//! within the times that the configuration gives. Knows no profiles.

mod refusals;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gantry_host::{Cache, Component, Digest, Engine, LoadError, Reason, Workshop};

use super::member::{Unloaded, chain};
use crate::config::valid::{self, ComponentSource, Fetch};
use crate::fetch;
use refusals::Refusals;

/// How often whoever waits is asked whether they still do.
const QUESTION: Duration = Duration::from_millis(100);
/// How many times more a file is compiled that holds something else once it is: somebody writes it in steps.
const REREADS: usize = 3;

/// What a component is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wish {
    source: ComponentSource,
    digest: Option<Digest>,
    fetch: Fetch,
}

impl Wish {
    pub(super) fn of(config: &valid::Plugin) -> Self {
        Self { source: config.component.clone(), digest: config.digest, fetch: config.fetch.clone() }
    }

    /// Whether it depends on somebody else's answer.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self.source, ComponentSource::Https(_) | ComponentSource::Oci(_))
    }

    /// Whether it may stay the same while its bytes become others.
    fn is_of_file(&self) -> bool {
        matches!(self.source, ComponentSource::File(_))
    }

    /// What its file holds by now, if that is something else.
    fn reread(&self, held: &[u8]) -> Option<Vec<u8>> {
        let ComponentSource::File(path) = &self.source else { return None };
        fs::read(path).ok().filter(|now| now.as_slice() != held)
    }
}

/// What became of a wish.
pub(super) type Met = Result<Component, Unloaded>;

/// How long is waited, from the beginning on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For bytes.
    pub(super) fetch: Duration,
    /// For a component.
    pub(super) whole: Duration,
}

/// How far a wish is.
enum Stage {
    Fetching,
    /// Or waiting for its turn.
    Compiling,
    Met(Met),
}

/// Meets wishes. One a process: it holds the engine.
#[derive(Clone)]
pub(super) struct Supply(Arc<Works>);

struct Works {
    engine: Result<Engine, String>,
    cache: Option<Cache>,
    workshop: Option<Workshop>,
    /// Held while somebody else's component compiles: each may take as much memory as the configuration gives.
    turn: Mutex<()>,
    component_by_digest: Mutex<HashMap<Digest, Component>>,
    refusals: Mutex<Refusals>,
    stage_by_wish: Mutex<HashMap<Wish, Stage>>,
    moved: Condvar,
}

impl std::fmt::Debug for Supply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.debug_struct("Supply").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

impl Supply {
    pub(super) fn new(cache: Option<Cache>, workshop: Option<Workshop>) -> Self {
        Self(Arc::new(Works {
            engine: Engine::new().map_err(|error| chain(&error)),
            cache,
            workshop,
            turn: Mutex::default(),
            component_by_digest: Mutex::default(),
            refusals: Mutex::default(),
            stage_by_wish: Mutex::default(),
            moved: Condvar::new(),
        }))
    }

    /// Forgets which components were refused.
    pub(super) fn forget_refusals(&self) {
        *lock(&self.0.refusals) = Refusals::default();
    }

    /// Forgets all components but these.
    pub(super) fn forget_unused(&self, used: &HashSet<Digest>) {
        lock(&self.0.component_by_digest).retain(|digest, _| used.contains(digest));
    }

    /// Whether a component has come that somebody lost patience with.
    pub(super) fn has_news(&self) -> bool {
        lock(&self.0.stage_by_wish).values().any(|stage| matches!(stage, Stage::Met(Ok(_))))
    }

    /// What became of wishes. Those that take too long go on: asked for again, they are not begun anew.
    ///
    /// `goes_on` is told now and then what is waited for. Once it says no, there is nothing: all goes on, and what has
    /// come is kept for whoever asks next. It must not come back here, as it is called with the stages locked.
    pub(super) fn meet(
        &self,
        wishes: HashSet<Wish>,
        patience: Patience,
        goes_on: &mut dyn FnMut(&[String]) -> bool,
    ) -> Option<HashMap<Wish, Met>> {
        self.begin(&wishes);
        let start = Instant::now();
        let mut stages = lock(&self.0.stage_by_wish);
        loop {
            let left = wishes.iter().filter_map(|wish| stages.get(wish)?.left(patience, start.elapsed())).max();
            let Some(left) = left else { break };
            if !goes_on(&awaited(&stages, &wishes)) {
                return None;
            }
            let woken = self.0.moved.wait_timeout(stages, left.min(QUESTION));
            stages = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(wishes.into_iter().map(|wish| (wish.clone(), take(&mut stages, &wish))).collect())
    }

    fn begin(&self, wishes: &HashSet<Wish>) {
        let mut stages = lock(&self.0.stage_by_wish);
        // What failed while nobody waited may succeed now, and a file may hold something else by now; what nobody wishes
        // for any more is dropped.
        stages.retain(|wish, stage| match stage {
            Stage::Met(met) => met.is_ok() && wishes.contains(wish) && !wish.is_of_file(),
            Stage::Fetching | Stage::Compiling => true,
        });
        for wish in wishes {
            if !stages.contains_key(wish) {
                stages.insert(wish.clone(), self.spawn(wish.clone()));
            }
        }
    }

    fn spawn(&self, wish: Wish) -> Stage {
        let works = Arc::clone(&self.0);
        let meet = move || {
            let met = catch_unwind(AssertUnwindSafe(|| works.meet(&wish)));
            let met = met.unwrap_or_else(|_| Err(unavailable("the thread that loads it ended unexpectedly".into())));
            works.stand(wish, Stage::Met(met));
        };
        match std::thread::Builder::new().name("gantry-load".into()).spawn(meet) {
            Ok(_detached) => Stage::Fetching,
            Err(error) => Stage::Met(Err(unavailable(format!("no thread to load it: {error}")))),
        }
    }
}

impl Stage {
    /// What is being done, if anything still is.
    fn doing(&self) -> Option<&'static str> {
        match self {
            Self::Fetching => Some("fetched"),
            Self::Compiling => Some("compiled"),
            Self::Met(_) => None,
        }
    }

    /// How much longer to wait, if at all.
    fn left(&self, patience: Patience, elapsed: Duration) -> Option<Duration> {
        let patience = match self {
            Self::Fetching => patience.fetch,
            Self::Compiling => patience.whole,
            Self::Met(_) => return None,
        };
        patience.checked_sub(elapsed).filter(|left| !left.is_zero())
    }
}

/// The wishes that are not met yet, as an admin reads them.
fn awaited(stages: &HashMap<Wish, Stage>, wishes: &HashSet<Wish>) -> Vec<String> {
    let line = |wish: &Wish| Some(format!("{} is being {}", wish.source, stages.get(wish)?.doing()?));
    let mut lines: Vec<String> = wishes.iter().filter_map(line).collect();
    lines.sort_unstable();
    lines
}

/// What became of a wish, told once.
fn take(stages: &mut HashMap<Wish, Stage>, wish: &Wish) -> Met {
    let doing = match stages.get(wish).and_then(Stage::doing) {
        Some(doing) => doing,
        None => match stages.remove(wish) {
            Some(Stage::Met(met)) => return met,
            _ => "loaded",
        },
    };
    Err(unavailable(format!("it is still being {doing}; it takes part as soon as it is there")))
}

impl Works {
    fn stand(&self, wish: Wish, stage: Stage) {
        lock(&self.stage_by_wish).insert(wish, stage);
        self.moved.notify_all();
    }

    fn meet(&self, wish: &Wish) -> Met {
        let engine = self.engine.as_ref().map_err(|detail| unavailable(detail.clone()))?;
        if let Some(kept) = self.kept(engine, wish) {
            return Ok(kept);
        }
        let mut held = bytes(wish)?;
        self.stand(wish.clone(), Stage::Compiling);
        let mut met = self.in_turn(engine, wish, &held);
        for _ in 0..REREADS {
            // Whoever joined meanwhile asked for what the file holds by now. One that is gone leaves what there is.
            let Some(now) = wish.reread(&held) else { break };
            held = now;
            met = self.in_turn(engine, wish, &held);
        }
        met
    }

    /// The component of these bytes, once nobody else's compiles.
    fn in_turn(&self, engine: &Engine, wish: &Wish, bytes: &[u8]) -> Met {
        let digest = Digest::of(bytes);
        // Our own is compiled in this process, by whoever comes.
        let is_ours = wish.source == ComponentSource::Builtin;
        let _turn = (!is_ours).then(|| lock(&self.turn));
        let component = self.component(engine, wish, bytes, digest)?;
        self.note(wish, digest);
        lock(&self.component_by_digest).insert(digest, component.clone());
        Ok(component)
    }

    /// By its digest, without its bytes; where a signature is asked for, only if that was found once.
    fn kept(&self, engine: &Engine, wish: &Wish) -> Option<Component> {
        let digest = wish.digest.filter(|_| wish.is_remote())?;
        if let Some(key) = &wish.fetch.public_key {
            self.cache.as_ref().filter(|cache| signed_by(key).is_some_and(|by| cache.is_noted(digest, &by)))?;
        }
        let kept = self.known(digest).or_else(|| Component::kept(engine, digest, self.cache.as_ref()?))?;
        lock(&self.component_by_digest).insert(digest, kept.clone());
        Some(kept)
    }

    fn component(&self, engine: &Engine, wish: &Wish, bytes: &[u8], digest: Digest) -> Met {
        if wish.digest.is_none_or(|wanted| wanted == digest) {
            if let Some(known) = self.known(digest) {
                return Ok(known);
            }
            if let Some(refused) = lock(&self.refusals).of(digest, Instant::now()) {
                return Err(refused);
            }
        }
        self.compiled(engine, bytes, wish).map_err(|error| {
            let unloaded = Unloaded::new(error.reason(), chain(&error));
            lock(&self.refusals).add(digest, &error, &unloaded, Instant::now());
            unloaded
        })
    }

    fn compiled(&self, engine: &Engine, bytes: &[u8], wish: &Wish) -> Result<Component, LoadError> {
        let cache = self.cache.as_ref();
        let is_ours = wish.source == ComponentSource::Builtin;
        match self.workshop.as_ref().filter(|_| !is_ours) {
            Some(workshop) => Component::load_apart(engine, bytes, wish.digest, cache, workshop),
            None => Component::load(engine, bytes, wish.digest, cache),
        }
    }

    fn known(&self, digest: Digest) -> Option<Component> {
        lock(&self.component_by_digest).get(&digest).cloned()
    }

    /// That a component was signed is worth as much as its compiled code, and lies beside it.
    fn note(&self, wish: &Wish, digest: Digest) {
        let Some((cache, key)) = self.cache.as_ref().zip(wish.fetch.public_key.as_ref()) else { return };
        let Some(by) = signed_by(key).filter(|_| wish.is_remote()) else { return };
        if let Err(error) = cache.note(digest, &by) {
            tracing::warn!(%digest, %error, "that a component is signed could not be kept; it will be looked up again");
        }
    }
}

/// The statement that whoever holds a key signed a component.
fn signed_by(public_key: &Path) -> Option<Vec<u8>> {
    Some([b"signed by ", &*fs::read(public_key).ok()?].concat())
}

fn unavailable(detail: String) -> Unloaded {
    Unloaded::new(Reason::Unavailable, detail)
}

fn bytes(wish: &Wish) -> Result<Vec<u8>, Unloaded> {
    match &wish.source {
        ComponentSource::Builtin => Ok(gantry_component::BYTES.to_vec()),
        ComponentSource::File(path) => {
            fs::read(path).map_err(|error| unavailable(format!("{}: {error}", path.display())))
        }
        remote @ (ComponentSource::Https(_) | ComponentSource::Oci(_)) => {
            fetch::fetch(remote, &wish.fetch).map_err(|error| unavailable(chain(&error)))
        }
    }
}

/// A panic while the lock is held cannot leave a map half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
