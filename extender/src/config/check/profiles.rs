//! The checks of the section `profiles`, but for their plugins.
//!
//! Must not open a component.

use std::collections::BTreeMap;
use std::time::Duration;

use gantry_cluster::{Dictionary, DictionaryEntry, LabelSelector};

use super::Checker;
use super::plugins::{MAX_WEIGHT, default_plugin};
use crate::config::file::ProfileFile;
use crate::config::valid::{Mode, Profile};

impl Checker {
    pub(super) fn profiles(
        &mut self,
        files: Option<Vec<ProfileFile>>,
        resources: &[String],
        deadline: Duration,
    ) -> (Vec<Profile>, Dictionary) {
        let files = files.unwrap_or_else(|| vec![default_profile()]);
        if files.is_empty() {
            self.refuse("profiles", "[]", "write at least one profile, or leave profiles out for the default one");
        }
        let mut profiles: Vec<Profile> = Vec::with_capacity(files.len());
        let mut dictionary = Dictionary::default();
        for (position, file) in files.into_iter().enumerate() {
            let key = format!("profiles[{position}]");
            let entries = file.dictionary.clone();
            let profile = self.profile(&key, file, resources, deadline);
            if profiles.iter().any(|other| other.scheduler_name == profile.scheduler_name) {
                self.refuse(
                    format!("{key}.schedulerName"),
                    &profile.scheduler_name,
                    "give every scheduler one profile",
                );
            }
            self.dictionary(&key, &profile.scheduler_name, &entries, &mut dictionary);
            profiles.push(profile);
        }
        (profiles, dictionary)
    }

    fn profile(&mut self, key: &str, file: ProfileFile, resources: &[String], deadline: Duration) -> Profile {
        let scheduler_name = file.scheduler_name.unwrap_or_default();
        if !is_scheduler_name(&scheduler_name) {
            self.refuse(
                format!("{key}.schedulerName"),
                &scheduler_name,
                "name the scheduler as the pods do in spec.schedulerName, such as default-scheduler: 1 to 253 letters, \
                 digits and -_./, a letter or digit at either end",
            );
        }
        let plugins = self.plugins(&format!("{key}.plugins"), file.plugins, deadline);
        let plan = file.plan.map(|plan| self.plan(&format!("{key}.plan"), plan));
        // Which of the plugins plans is known only once they are loaded.
        let shortest = plugins.iter().map(|plugin| plugin.limits.plan_deadline).min();
        Profile {
            scheduler_name,
            weights: self.weights(&format!("{key}.weights"), &file.weights, resources),
            mode: self.mode(&format!("{key}.mode"), file.mode.as_deref()),
            plugins,
            plan: plan.map(|plan| plan.within(shortest.unwrap_or(Duration::MAX))),
        }
    }

    fn mode(&mut self, key: &str, value: Option<&str>) -> Mode {
        match value {
            None | Some("serve") => Mode::Serve,
            Some("shadow") => Mode::Shadow,
            Some(other) => {
                self.refuse(key, other, "use serve, or shadow (asked and measured, never answered)");
                Mode::Serve
            }
        }
    }

    fn weights(&mut self, key: &str, weight_by_resource: &BTreeMap<String, f64>, resources: &[String]) -> Vec<f64> {
        for (name, weight) in weight_by_resource {
            if !resources.contains(name) {
                self.refuse(
                    format!("{key}.{name}"),
                    weight,
                    format!("weigh resources that are listed: {}", resources.join(", ")),
                );
            }
            if !(0.0..=MAX_WEIGHT).contains(weight) {
                self.refuse(format!("{key}.{name}"), weight, "use a finite number from 0 to 1000");
            }
        }
        let weights: Vec<f64> = resources.iter().map(|name| *weight_by_resource.get(name).unwrap_or(&1.0)).collect();
        if weights.iter().all(|weight| *weight == 0.0) {
            self.refuse(key, "all 0", "give at least one resource a weight above 0");
        }
        weights
    }

    fn dictionary(&mut self, key: &str, scheduler: &str, entries: &[DictionaryEntry], dictionary: &mut Dictionary) {
        for (position, entry) in entries.iter().enumerate() {
            for (side, selector) in [("pods", &entry.pods), ("nodes", &entry.nodes)] {
                self.not_empty(&format!("{key}.dictionary[{position}].{side}"), selector);
            }
        }
        if let Err(error) = dictionary.add_profile(scheduler, entries) {
            let key = format!("{key}.dictionary[{}].{}", error.entry, error.side);
            self.refuse(key, "", format!("{}; write labels as Kubernetes allows them", error.source));
        }
    }

    /// An empty selector means everything; left empty by mistake it would forbid the whole cluster.
    fn not_empty(&mut self, key: &str, selector: &LabelSelector) {
        if *selector == LabelSelector::default() {
            self.refuse(key, "", "name at least one label under matchLabels or matchExpressions");
        }
    }
}

/// Whether a scheduler can have this name; a profile of another one would be for nobody's pods. Kubernetes itself takes
/// more, but kube-scheduler's Events carry its name, and the API server takes none with other characters.
fn is_scheduler_name(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    let bytes = name.as_bytes();
    bytes.len() <= 253 && is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(is_allowed)
}

fn default_profile() -> ProfileFile {
    ProfileFile {
        scheduler_name: Some("default-scheduler".to_owned()),
        plugins: vec![default_plugin()],
        ..ProfileFile::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedulers_name_is_one_that_kube_scheduler_could_have() {
        let (longest, too_long) = ("s".repeat(253), "s".repeat(254));
        for name in ["s", "default-scheduler", "batch.example.com", "My_queue-2", "example.com/b", longest.as_str()] {
            assert!(is_scheduler_name(name), "{name:?}");
        }
        for name in ["", "default scheduler", "gantry ", "-gantry", "gantry.", "é", "a\nb", "a:b", too_long.as_str()] {
            assert!(!is_scheduler_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_name_that_no_scheduler_can_have_is_refused_with_its_key_value_and_a_remedy() {
        let mut checker = Checker::default();
        let file = ProfileFile { scheduler_name: Some("default scheduler".to_owned()), ..default_profile() };
        checker.profile("profiles[0]", file, &["cpu".to_owned()], Duration::from_millis(500));
        let [problem] = &*checker.problems else { panic!("{:?}", checker.problems) };
        assert_eq!((&*problem.key, &*problem.value), ("profiles[0].schedulerName", "default scheduler"));
        assert!(problem.remedy.contains("spec.schedulerName"), "{problem}");
    }
}
