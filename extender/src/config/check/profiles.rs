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
        if scheduler_name.is_empty() {
            self.refuse(
                format!("{key}.schedulerName"),
                "",
                "name the scheduler as the pods do in spec.schedulerName, such as default-scheduler",
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

fn default_profile() -> ProfileFile {
    ProfileFile {
        scheduler_name: Some("default-scheduler".to_owned()),
        plugins: vec![default_plugin()],
        ..ProfileFile::default()
    }
}
