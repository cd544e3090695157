//! From a checked configuration to profiles at work.
//!
//! Promises that a plugin which a change of the configuration does not concern stays as
//! it is, with its warm instances and its breaker, and needs nobody's answer for it. At
//! a start a plugin that cannot be loaded, or not soon, is left out; settings that it
//! refuses, and extension points that it lacks, are the configuration's fault.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gantry_host::types::ExtensionPoints;
use gantry_host::{Cache, Component, Failure, Plugin, Reason, Workshop};

use super::member::{Loaded, Member, Point, Unloaded, chain};
use super::supply::{Met, Patience, Supply, Wish};
use super::{Profile, Profiles};
use crate::config::valid;
use crate::config::{ConfigError, Problem};

/// How long a start waits for others' answers: a registry that is well takes a second or two.
const FETCH: Duration = Duration::from_secs(5);
/// How long it waits in all. Compiling an interpreter takes some ten seconds; a pod's `startupProbe` gives 60.
const START: Duration = Duration::from_secs(30);

/// Why plugins are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The process starts, and should serve soon: after 5 s without the bytes, and after 30 s in any case, a plugin is left
    /// out.
    Start,
    /// The configuration changed, or is checked: everything is waited for, unless whoever waits gives up. Files are read
    /// again.
    Change,
    /// Plugins that were left out are tried again, as patiently as at a start. What one refuses leaves it out.
    Retry,
}

impl Occasion {
    fn patience(self) -> Patience {
        match self {
            Self::Start | Self::Retry => Patience { fetch: FETCH, whole: START },
            Self::Change => Patience { fetch: Duration::MAX, whole: Duration::MAX },
        }
    }

    /// Whether a component in use is looked at again though its entry is as it was.
    fn renews(self, wish: &Wish) -> bool {
        self == Self::Change && !wish.is_remote()
    }
}

/// Loads plugins.
#[derive(Debug)]
pub struct Loader {
    supply: Supply,
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
        Self { supply: Supply::new(cache, workshop) }
    }

    /// Forgets which components were refused: with another configuration they get another chance.
    pub fn forget_refusals(&self) {
        self.supply.forget_refusals();
    }

    /// Whether a component has come that was not waited for any longer.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.supply.has_news()
    }

    /// The profiles of a configuration. What `before` holds and the configuration leaves as it is, is taken over.
    ///
    /// # Errors
    /// What the plugins do not take of their configuration.
    pub fn load(
        &self,
        profiles: &[valid::Profile],
        before: &[Arc<Profile>],
        occasion: Occasion,
    ) -> Result<Profiles, ConfigError> {
        // There are none only for who gives up.
        let met_by_wish = self.components(profiles, before, occasion, &mut |_: &[String]| true).unwrap_or_default();
        let (loaded, problems) = self.assembled(profiles, before, occasion, &met_by_wish);
        tell(&loaded, before);
        if problems.is_empty() { Ok(loaded) } else { Err(ConfigError::Refused(problems)) }
    }

    /// The same for as long as `goes_on` says yes, which is told now and then what is waited for; `None`: it said no.
    /// Logs nothing: the profiles may not come into use.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn load_while(
        &self,
        profiles: &[valid::Profile],
        before: &[Arc<Profile>],
        occasion: Occasion,
        goes_on: &mut dyn FnMut(&[String]) -> bool,
    ) -> Result<Option<Profiles>, ConfigError> {
        let Some(met_by_wish) = self.components(profiles, before, occasion, goes_on) else { return Ok(None) };
        let (loaded, problems) = self.assembled(profiles, before, occasion, &met_by_wish);
        if problems.is_empty() { Ok(Some(loaded)) } else { Err(ConfigError::Refused(problems)) }
    }

    /// Profiles of these components, and what is wrong with them.
    fn assembled(
        &self,
        profiles: &[valid::Profile],
        before: &[Arc<Profile>],
        occasion: Occasion,
        met_by_wish: &HashMap<Wish, Met>,
    ) -> (Profiles, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut loaded = Vec::with_capacity(profiles.len());
        for (position, config) in profiles.iter().enumerate() {
            let members = config.plugins.iter().filter_map(|plugin| {
                let met = met_by_wish.get(&Wish::of(plugin)).cloned();
                member(config, plugin, met, before, occasion).map_err(|problem| problems.push(problem)).ok()
            });
            let profile = Profile::new(config, members.collect());
            problems.extend(nobody_plans(&profile, position).filter(|_| occasion != Occasion::Retry));
            loaded.push(Arc::new(profile));
        }
        let in_use = before.iter().chain(&loaded).flat_map(|profile| profile.members()).filter_map(Member::digest);
        let just_met = met_by_wish.values().flatten().map(Component::digest);
        self.supply.forget_unused(&in_use.chain(just_met).collect());
        (loaded, problems)
    }

    /// The components of all plugins but those that failed before and whose entry is left alone: they have their own time.
    fn components(
        &self,
        profiles: &[valid::Profile],
        before: &[Arc<Profile>],
        occasion: Occasion,
        goes_on: &mut dyn FnMut(&[String]) -> bool,
    ) -> Option<HashMap<Wish, Met>> {
        let mut met_by_wish = in_use(before, occasion);
        let mut open = HashSet::new();
        for profile in profiles {
            let rests = |plugin: &valid::Plugin, wish: &Wish| {
                let has_failed = failed_before(before, &profile.scheduler_name, plugin).is_some();
                has_failed && occasion == Occasion::Change && wish.is_remote()
            };
            let wishes = profile.plugins.iter().map(|plugin| (plugin, Wish::of(plugin)));
            let wishes = wishes.filter(|(plugin, wish)| !met_by_wish.contains_key(wish) && !rests(plugin, wish));
            open.extend(wishes.map(|(_, wish)| wish));
        }
        met_by_wish.extend(self.supply.meet(open, occasion.patience(), goes_on)?);
        Some(met_by_wish)
    }
}

/// The components in use that need not be looked at again.
fn in_use(before: &[Arc<Profile>], occasion: Occasion) -> HashMap<Wish, Met> {
    let members = before.iter().flat_map(|profile| profile.members());
    let loaded = members.filter_map(|member| Some((Wish::of(member.config()), member.loaded()?)));
    let taken_over = loaded.filter(|(wish, _)| !occasion.renews(wish));
    taken_over.map(|(wish, loaded)| (wish, Ok(loaded.plugin.component().clone()))).collect()
}

/// Why a plugin of this profile, configured as now, could not be loaded before.
pub(crate) fn failed_before<'a>(
    before: &'a [Arc<Profile>],
    scheduler_name: &str,
    config: &valid::Plugin,
) -> Option<&'a Unloaded> {
    let profile = before.iter().find(|profile| profile.scheduler_name == scheduler_name)?;
    let is_the_one =
        |config: &valid::Plugin, other: &valid::Plugin| is_same(config, other) && Wish::of(config) == Wish::of(other);
    profile.members.iter().find(|member| is_the_one(member.config(), config))?.unloaded()
}

fn member(
    profile: &valid::Profile,
    config: &valid::Plugin,
    met: Option<Met>,
    before: &[Arc<Profile>],
    occasion: Occasion,
) -> Result<Member, Problem> {
    let failure = failed_before(before, &profile.scheduler_name, config);
    // None was asked for where the failure before still holds.
    let met = met.or_else(|| failure.cloned().map(Err)).unwrap_or_else(|| Err(Unloaded::never_asked_for()));
    let before = before.iter().find(|before| before.scheduler_name == profile.scheduler_name);
    // An instance holds columns under the profile's weights: other weights need other instances.
    let before = before.filter(|before| before.weights == profile.weights);
    let before = before.and_then(|before| before.members.iter().find(|member| is_same(member.config(), config)));
    let before = before.and_then(Member::loaded);
    let plugin = match loaded(config, met, before) {
        Ok(loaded) => Ok(loaded),
        Err(NotLoaded::Unloaded(unloaded)) => Err(unloaded.after(failure)),
        Err(NotLoaded::Refused(problem)) if occasion == Occasion::Retry => Err(Unloaded::by(&problem).after(failure)),
        Err(NotLoaded::Refused(problem)) => return Err(problem),
    };
    Ok(Member::new(config.clone(), plugin))
}

/// Leaves out the plugins that `why` has a reason for. The profiles are not in use yet.
pub(crate) fn leave_out(profiles: &mut [Arc<Profile>], why: impl Fn(&valid::Plugin) -> Option<(Reason, String)>) {
    for profile in profiles {
        let profile = Arc::get_mut(profile).expect("invariant: a profile that is not in use yet has one owner");
        for member in &mut profile.members {
            if let Some((reason, detail)) = why(member.config()) {
                *member = member.left_out(reason, detail);
            }
        }
    }
}

fn loaded(config: &valid::Plugin, met: Met, before: Option<&Arc<Loaded>>) -> Result<Arc<Loaded>, NotLoaded> {
    let component = met.map_err(NotLoaded::Unloaded)?;
    let unchanged = before.filter(|before| before.plugin.digest() == component.digest());
    let loaded = match unchanged {
        Some(unchanged) => Arc::clone(unchanged),
        None => Arc::new(Loaded::new(start(config, &component)?)),
    };
    check_offer(config, &loaded.plugin).map_err(NotLoaded::Refused)?;
    Ok(loaded)
}

/// Whether instances of one are instances of the other; where it stands and how much it counts is not theirs to know.
fn is_same(one: &valid::Plugin, other: &valid::Plugin) -> bool {
    (&one.name, &one.settings, &one.limits) == (&other.name, &other.settings, &other.limits)
}

fn start(config: &valid::Plugin, component: &Component) -> Result<Plugin, NotLoaded> {
    let plugin = Plugin::new(&config.name, component, &config.settings, config.limits.clone());
    plugin.map_err(|error| match error.failure() {
        Failure::Settings { key, value, message } => {
            let key = format!("{}.settings.{key}", config.key);
            NotLoaded::Refused(Problem::new(key.trim_end_matches('.'), value, message))
        }
        _ => NotLoaded::Unloaded(Unloaded::new(error.reason(), chain(&error))),
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

/// Logs the plugins that are not as they were `before`.
pub(crate) fn tell(profiles: &[Arc<Profile>], before: &[Arc<Profile>]) {
    for profile in profiles {
        for member in profile.members().iter().filter(|member| is_news(profile, member, before)) {
            log(&profile.scheduler_name, member);
        }
    }
}

/// Whether the very same plugin is in use and asked for the same already: requests have tried it, and to go on with it is
/// no change.
pub(crate) fn is_in_use(member: &Member, before: &[Arc<Profile>]) -> bool {
    let points = member.config().extension_points;
    member.loaded().is_some_and(|loaded| same(loaded, before).any(|other| other.config().extension_points == points))
}

/// The plugins that are this one.
fn same<'a>(loaded: &'a Arc<Loaded>, before: &'a [Arc<Profile>]) -> impl Iterator<Item = &'a Member> {
    let members = before.iter().flat_map(|profile| profile.members());
    members.filter(move |other| other.loaded().is_some_and(|other| Arc::ptr_eq(other, loaded)))
}

fn is_news(profile: &Profile, member: &Member, before: &[Arc<Profile>]) -> bool {
    let Some(loaded) = member.loaded() else {
        let failure = failed_before(before, &profile.scheduler_name, member.config());
        return failure.map(|failure| failure.detail.as_str()) != member.failure().map(|(_, detail)| detail);
    };
    same(loaded, before).next().is_none()
}

fn log(scheduler: &str, member: &Member) {
    let name = member.name();
    if let Some(loaded) = member.loaded() {
        let (info, digest) = (loaded.plugin.info(), loaded.plugin.digest());
        tracing::info!(scheduler, plugin = name, name = info.name, version = info.version, %digest, "plugin loaded");
    } else if let Some((reason, detail)) = member.failure() {
        let reason = reason.as_str();
        tracing::error!(scheduler, plugin = name, reason, detail, "plugin not loaded; it is left out");
    }
}
