//! What cannot change while the process runs.
//!
//! Promises that a change which would not take effect is refused, not swallowed. Pure.

use std::collections::BTreeSet;

use super::diff;
use crate::config::{ConfigError, Problem, valid};

/// Sockets, watches, columns, planners and what loads plugins are made once.
pub(super) fn refuse_what_needs_a_restart(
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
    let differ = |of: fn(&valid::Config) -> BTreeSet<&str>| of(old) != of(new);
    let (other_planners, other_nominators) = (differ(planning), differ(nominating));
    let is_fixed = |key: &str| {
        let section = key.split(['.', '[']).next().unwrap_or_default();
        // A profile that gets another name takes its plan along.
        let is_plan = key.contains("].plan") && (other_planners || (other_nominators && key.ends_with(".nominate")));
        let is_name = key.ends_with("].schedulerName") && (other_planners || other_nominators);
        is_plan || is_name || sections.iter().any(|(name, differs)| *differs && *name == section)
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
fn planning(config: &valid::Config) -> BTreeSet<&str> {
    let plans = config.profiles.iter().filter(|profile| profile.plan.is_some());
    plans.map(|profile| profile.scheduler_name.as_str()).collect()
}

/// Those that nominate.
fn nominating(config: &valid::Config) -> BTreeSet<&str> {
    let nominate = |profile: &&valid::Profile| profile.plan.as_ref().is_some_and(|plan| plan.nominate);
    config.profiles.iter().filter(nominate).map(|profile| profile.scheduler_name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::args::ServeArgs;
    use crate::config::{Draft, Surroundings};

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

    #[test]
    fn a_profile_that_plans_keeps_its_name_and_may_change_its_place() {
        let profile = |name: &str, plan: &str| {
            format!("{{schedulerName: {name}, plugins: [{{name: gantry, component: 'builtin:gantry'}}]{plan}}}")
        };
        let both = |one: &str, other: &str| format!("profiles: [{one}, {other}]");
        let (plans, scores) = (profile("a", ", plan: {}"), profile("b", ""));
        let renamed = both(&profile("c", ", plan: {}"), &scores);
        assert_eq!(restart_keys(&both(&plans, &scores), &renamed), ["profiles[0].schedulerName"]);
        let swapped = both(&profile("b", ", plan: {}"), &profile("a", ""));
        let keys = ["profiles[0].schedulerName", "profiles[1].schedulerName"];
        assert_eq!(restart_keys(&both(&plans, &scores), &swapped), keys);
        let nominates = ", plan: {nominate: true}";
        let before = both(&profile("a", nominates), &profile("b", ", plan: {}"));
        let after = both(&profile("b", nominates), &profile("a", ", plan: {}"));
        assert_eq!(restart_keys(&before, &after), keys, "another one would nominate");
        assert_eq!(restart_keys(&both(&plans, &scores), &both(&scores, &plans)), [""; 0]);
        assert_eq!(restart_keys(&both(&plans, &scores), &both(&plans, &profile("c", ""))), [""; 0]);
    }
}
