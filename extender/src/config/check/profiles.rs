//! The checks of the section `profiles`.
//!
//! Knows which plugin sources this version loads; must not open a component.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use gantry_cluster::{Dictionary, DictionaryEntry, LabelSelector};
use gantry_host::{Digest, Limits};

use super::Checker;
use crate::config::file::{LimitsFile, PluginFile, ProfileFile};
use crate::config::valid::{ComponentSource, Plugin, Profile};

/// The one component that is in this program.
const BUILTIN: &str = "builtin:gantry";
/// The contract's largest weight.
const MAX_WEIGHT: f64 = 1000.0;

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
        Profile {
            scheduler_name,
            weights: self.weights(&format!("{key}.weights"), &file.weights, resources),
            plugin: self.only_plugin(&format!("{key}.plugins"), file.plugins, deadline),
            plan: file.plan.map(|plan| self.plan(&format!("{key}.plan"), plan)),
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

    fn only_plugin(&mut self, key: &str, mut files: Vec<PluginFile>, deadline: Duration) -> Plugin {
        if files.len() != 1 {
            self.refuse(
                key,
                format!("{} plugins", files.len()),
                "write exactly one plugin: this version does not combine several",
            );
        }
        let file = if files.is_empty() { default_plugin() } else { files.swap_remove(0) };
        self.plugin(&format!("{key}[0]"), file, deadline)
    }

    fn plugin(&mut self, key: &str, file: PluginFile, deadline: Duration) -> Plugin {
        let name = file.name.unwrap_or_default();
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 63 || !name.bytes().all(is_allowed) {
            self.refuse(
                format!("{key}.name"),
                &name,
                "use 1 to 63 lower-case letters, digits and dashes: the name is a metric's label",
            );
        }
        Plugin {
            key: key.to_owned(),
            name,
            component: self.component(&format!("{key}.component"), file.component.as_deref()),
            digest: self.digest(&format!("{key}.digest"), file.digest),
            settings: file.settings.map(|settings| serde_json::Value::Object(settings).to_string()).unwrap_or_default(),
            limits: self.limits(&format!("{key}.limits"), file.limits, deadline),
        }
    }

    fn component(&mut self, key: &str, value: Option<&str>) -> ComponentSource {
        let remedy = match value {
            Some(BUILTIN) => return ComponentSource::Builtin,
            Some(text) if text.starts_with("builtin:") => "use builtin:gantry, the only component in this program",
            Some(text) if text.starts_with("https:") || text.starts_with("oci:") => {
                "not supported by this version: fetch the component and name it by file:"
            }
            Some(text) => match text.strip_prefix("file:") {
                Some(path) => return ComponentSource::File(self.file(key, PathBuf::from(path))),
                None => "use builtin:gantry, or file: and the path of a component",
            },
            None => "name a component: builtin:gantry, or file: and the path of one",
        };
        self.refuse(key, value.unwrap_or_default(), remedy);
        ComponentSource::Builtin
    }

    fn digest(&mut self, key: &str, value: Option<String>) -> Option<Digest> {
        let text = value?;
        text.parse()
            .map_err(|_| self.refuse(key, text, "use sha256: and 64 hexadecimal digits, as sha256sum prints them"))
            .ok()
    }

    fn limits(&mut self, key: &str, file: LimitsFile, deadline: Duration) -> Limits {
        let default_deadline = Duration::from_millis(100).min(deadline);
        let workers = file.workers.unwrap_or(2);
        if !(1..=64).contains(&workers) {
            self.refuse(format!("{key}.workers"), workers, "use 1 to 64 warm instances");
        }
        Limits {
            memory: self.bytes(format!("{key}.memory"), file.memory, "64Mi", (1 << 20)..=(4 << 30)),
            deadline: self.duration(
                format!("{key}.deadline"),
                file.deadline,
                default_deadline,
                Duration::from_millis(1)..=deadline,
            ),
            workers: workers as usize,
            ..Limits::default()
        }
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

fn default_plugin() -> PluginFile {
    PluginFile { name: Some("gantry".to_owned()), component: Some(BUILTIN.to_owned()), ..PluginFile::default() }
}
