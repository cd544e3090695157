//! Which plugins take part, and which refuse a change: those that cannot be loaded, or fail on the recorded request.
//!
//! Promises that a start takes place with whatever does well, and a change with everything
//! that is new in it doing well; what failed before in the same words of the configuration
//! refuses nothing, and is tried again as at a start.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gantry_host::Reason;

use super::{LONGEST_PAUSE, RETRY, Setback};
use crate::config::valid::{self, ComponentSource};
use crate::config::{Config, ConfigError, Problem};
use crate::golden::{self, Failed};
use crate::profile::loader::{self, Loader, Occasion, failed_before};
use crate::profile::{Member, Point, Profile, Profiles};

/// The plugins that cannot be loaded: at a start they are left out, in a changed configuration they refuse it, unless they
/// failed before in the same words of the configuration.
///
/// # Errors
/// One problem a plugin.
pub fn refuse_failures(profiles: &[Arc<Profile>], before: &[Arc<Profile>]) -> Result<(), ConfigError> {
    let problems = problems(profiles, before);
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Refused(problems)) }
}

/// The plugins of a start: those that do well.
///
/// # Errors
/// What the plugins do not take of their configuration.
pub fn start(loader: &Loader, config: &Config) -> Result<Profiles, ConfigError> {
    let loaded = loader.load_while(&config.profiles, &[], Occasion::Start, &mut |_: &[String]| true)?;
    // There are none only for who gives up.
    let mut profiles = loaded.unwrap_or_default();
    leave_out_incapable(&mut profiles, config, |_| true)?;
    loader::tell(&profiles, &[]);
    Ok(profiles)
}

/// What was left out `before` takes part if it was loaded by now and does well.
pub(super) fn admit(
    profiles: &mut [Arc<Profile>],
    before: &[Arc<Profile>],
    config: &Config,
) -> Result<(), ConfigError> {
    let were_left_out = left_out_before(profiles, before);
    leave_out_incapable(profiles, config, |member| were_left_out.contains(&component_key(member.config())))
}

/// Leaves out those of the plugins that fail on the recorded request, as if they could not be loaded, unless they may do
/// better in a minute: then it is requests that find out. Nobody waits for a search, which may take long and costs no
/// request its answer.
fn leave_out_incapable(
    profiles: &mut [Arc<Profile>],
    config: &Config,
    is_tried: impl Fn(&Member) -> bool,
) -> Result<(), ConfigError> {
    let mut failed = golden::failures(profiles, config, &[Point::Filter, Point::Score], is_tried)?;
    failed.retain(|failed| !is_passing(failed.reason));
    leave_out(profiles, &failed);
    Ok(())
}

/// How long what is left out rests after a try, which came `last` after the one before: ever longer where it is left out
/// for nothing that may pass.
pub(super) fn rest_after(last: Duration, profiles: &[Arc<Profile>]) -> Duration {
    let left_out = missing(profiles, &[]);
    let is_in_vain = !left_out.is_empty() && !left_out.into_iter().any(may_come);
    if is_in_vain { (2 * last).min(LONGEST_PAUSE) } else { RETRY }
}

/// Tries plugins with the recorded request, but for those in use. One that fails and was left out before stays so, as if it
/// could not be loaded; any other that fails refuses the change.
pub(super) fn refuse_incapable(
    profiles: &mut [Arc<Profile>],
    before: &[Arc<Profile>],
    config: &Config,
) -> Result<(), Setback> {
    let were_left_out = left_out_before(profiles, before);
    let failed = golden::failures(profiles, config, &Point::ALL, |member| !loader::is_in_use(member, before))?;
    let (old, new): (Vec<Failed>, Vec<Failed>) =
        failed.into_iter().partition(|failed| were_left_out.contains(&failed.problem.key));
    if new.is_empty() {
        leave_out(profiles, &old);
        return Ok(());
    }
    let may_pass = new.iter().all(|failed| is_passing(failed.reason));
    let error = ConfigError::Refused(new.into_iter().map(|failed| failed.problem).collect());
    Err(Setback::Refused { error, may_pass })
}

fn leave_out(profiles: &mut [Arc<Profile>], failed: &[Failed]) {
    loader::leave_out(profiles, |plugin| {
        let failed = failed.iter().find(|failed| failed.problem.key == component_key(plugin))?;
        Some((failed.reason, failed.problem.remedy.clone()))
    });
}

/// The plugins that were left out before, in the same words of the configuration, by the keys that they have now.
fn left_out_before(profiles: &[Arc<Profile>], before: &[Arc<Profile>]) -> HashSet<String> {
    let of_one = |profile: &Arc<Profile>| -> Vec<String> {
        let was_left_out = |config: &&valid::Plugin| failed_before(before, profile.scheduler_name(), config).is_some();
        profile.members().iter().map(Member::config).filter(was_left_out).map(component_key).collect()
    };
    profiles.iter().flat_map(of_one).collect()
}

fn component_key(plugin: &valid::Plugin) -> String {
    format!("{}.component", plugin.key)
}

/// The plugins that cannot be loaded, but for those that could not be before, in the same words of the configuration.
pub(super) fn missing<'a>(profiles: &'a [Arc<Profile>], before: &[Arc<Profile>]) -> Vec<&'a Member> {
    let mut missing: Vec<&Member> = Vec::new();
    for profile in profiles {
        let is_new = |member: &&Member| failed_before(before, profile.scheduler_name(), member.config()).is_none();
        missing.extend(profile.members().iter().filter(|member| member.failure().is_some()).filter(is_new));
    }
    missing
}

/// The same, one problem a plugin.
pub(super) fn problems(profiles: &[Arc<Profile>], before: &[Arc<Profile>]) -> Vec<Problem> {
    let problem = |member: &Member| {
        let (reason, detail) = member.failure()?;
        let config = member.config();
        let remedy = format!("it cannot be loaded ({}): {detail}", reason.as_str());
        Some(Problem::new(component_key(config), &config.component, remedy))
    };
    missing(profiles, before).into_iter().filter_map(problem).collect()
}

/// Whether a plugin is missing for what is no fault of its bytes: nobody answered, the machine was busy, or its file is
/// still to come.
pub(super) fn may_come(member: &Member) -> bool {
    member.failure().is_some_and(|(reason, _)| match reason {
        // Of a plugin that is not there yet it is compiling that took the memory.
        Reason::Memory => true,
        // The digest is of a file that is mounted apart from the configuration.
        Reason::DigestMismatch => matches!(member.config().component, ComponentSource::File(_)),
        other => is_passing(other),
    })
}

/// Whether the same plugin may do on another day what it failed in: it was not there, or not given the time.
fn is_passing(reason: Reason) -> bool {
    matches!(reason, Reason::Unavailable | Reason::Deadline | Reason::Overloaded)
}
