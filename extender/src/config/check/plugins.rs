//! The checks of a profile's plugins.
//!
//! Knows which sources of components there are; must not open or fetch one.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use gantry_host::types::ExtensionPoints;
use gantry_host::{Digest, Limits};
use hyper::Uri;

use super::Checker;
use crate::config::file::{FetchFile, LimitsFile, PluginFile, SignatureFile};
use crate::config::secrets::shown_address;
use crate::config::valid::{ComponentSource, Fetch, Image, Plugin};

/// The one component that is in this program.
const BUILTIN: &str = "builtin:gantry";
/// The contract's largest weight, of a resource and of a plugin.
pub(super) const MAX_WEIGHT: f64 = 1000.0;
/// Asked one after the other, more would not keep to any deadline.
const MAX_PLUGINS: usize = 16;
/// From what a component in a near registry takes to what an admin waits for at a start.
const FETCH_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);
/// Each waiting call holds a request's thread; more would be late all the same.
const MAX_QUEUE: u32 = 1024;
/// From one long line to what a disk takes for a day.
const LOG_BYTES: RangeInclusive<u64> = (1 << 10)..=(1 << 20);
/// Gated pods wait for as long: more than some minutes helps nobody.
const PLAN_DEADLINE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_mins(5);

impl Checker {
    pub(super) fn plugins(&mut self, key: &str, files: Vec<PluginFile>, deadline: Duration) -> Vec<Plugin> {
        if !(1..=MAX_PLUGINS).contains(&files.len()) {
            let remedy = format!("write 1 to {MAX_PLUGINS} plugins, such as {{name: gantry, component: {BUILTIN}}}");
            self.refuse(key, format!("{} plugins", files.len()), remedy);
        }
        let mut plugins: Vec<Plugin> = Vec::with_capacity(files.len());
        for (position, file) in files.into_iter().enumerate() {
            let plugin = self.plugin(&format!("{key}[{position}]"), file, deadline);
            if plugins.iter().any(|other| other.name == plugin.name) {
                self.refuse(
                    format!("{}.name", plugin.key),
                    &plugin.name,
                    "give every plugin of a profile its own name",
                );
            }
            plugins.push(plugin);
        }
        plugins
    }

    fn plugin(&mut self, key: &str, file: PluginFile, deadline: Duration) -> Plugin {
        let component = self.component(&format!("{key}.component"), file.component.as_deref());
        let public_key = file.signature.map(|file| self.public_key(&format!("{key}.signature"), file, &component));
        Plugin {
            key: key.to_owned(),
            name: self.plugin_name(key, file.name.unwrap_or_default()),
            digest: self.digest(&format!("{key}.digest"), file.digest),
            fetch: Fetch { public_key, ..self.fetch(&format!("{key}.fetch"), file.fetch, &component) },
            component,
            weight: self.plugin_weight(key, file.weight.unwrap_or(1.0)),
            normalize: file.normalize.unwrap_or(false),
            extension_points: self.extension_points(&format!("{key}.extensionPoints"), file.extension_points),
            settings: file.settings.map(|settings| serde_json::Value::Object(settings).to_string()).unwrap_or_default(),
            limits: self.limits(&format!("{key}.limits"), file.limits, deadline),
        }
    }

    fn plugin_name(&mut self, key: &str, name: String) -> String {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 63 || !name.bytes().all(is_allowed) {
            let remedy = "use 1 to 63 lower-case letters, digits and dashes: the name is a metric's label";
            self.refuse(format!("{key}.name"), &name, remedy);
        }
        name
    }

    fn plugin_weight(&mut self, key: &str, weight: f64) -> f64 {
        if !(weight > 0.0 && weight <= MAX_WEIGHT) {
            let remedy = "use a finite number above 0, to 1000; to do without its scores leave score out of its \
                          extensionPoints";
            self.refuse(format!("{key}.weight"), weight, remedy);
        }
        weight
    }

    fn extension_points(&mut self, key: &str, names: Option<Vec<String>>) -> Option<ExtensionPoints> {
        let names = names?;
        let mut points = ExtensionPoints::empty();
        if names.is_empty() {
            self.refuse(key, "[]", "name at least one of filter, score, plan, or leave it out for all that it offers");
        }
        for (position, name) in names.iter().enumerate() {
            match name.as_str() {
                "filter" => points |= ExtensionPoints::FILTER,
                "score" => points |= ExtensionPoints::SCORE,
                "plan" => points |= ExtensionPoints::PLAN,
                other => self.refuse(format!("{key}[{position}]"), other, "use filter, score or plan"),
            }
        }
        Some(points)
    }

    fn component(&mut self, key: &str, value: Option<&str>) -> ComponentSource {
        let text = value.unwrap_or_default();
        let source = match text.split_once(':') {
            _ if text == BUILTIN => Ok(ComponentSource::Builtin),
            Some(("builtin", _)) => Err("use builtin:gantry, the only component in this program"),
            Some(("file", path)) => Ok(ComponentSource::File(self.file(key, PathBuf::from(path)))),
            Some(("https", _)) => https(text).ok_or("use an address such as https://plugins.example/spread.wasm"),
            Some(("oci", image)) => oci(image.trim_start_matches("//")),
            _ => Err("name a component: builtin:gantry, file: and a path, https:// and an address, or oci:// and a \
                      registry's reference"),
        };
        source.unwrap_or_else(|remedy| {
            self.refuse(key, shown_address(text), remedy);
            ComponentSource::Builtin
        })
    }

    fn fetch(&mut self, key: &str, file: Option<FetchFile>, component: &ComponentSource) -> Fetch {
        let is_local = matches!(component, ComponentSource::Builtin | ComponentSource::File(_));
        if file.is_some() && is_local {
            self.refuse(key, component, "leave it out: only components from https:// and oci:// are fetched");
        }
        let file = file.unwrap_or_default();
        let timeout = format!("{key}.timeout");
        Fetch {
            ca_file: file.ca_file.map(|path| self.file(format!("{key}.caFile"), path)),
            auth_file: file.auth_file.map(|path| self.file(format!("{key}.authFile"), path)),
            public_key: None,
            timeout: self.duration(timeout, file.timeout, Duration::from_secs(30), FETCH_TIMEOUT),
        }
    }

    fn public_key(&mut self, key: &str, file: SignatureFile, component: &ComponentSource) -> PathBuf {
        if !matches!(component, ComponentSource::Oci(_)) {
            self.refuse(
                key,
                component,
                "leave it out: only artifacts from oci:// are signed; a digest pins all others",
            );
        }
        self.required_file(&format!("{key}.publicKey"), file.public_key, "name the PEM file of a public key")
    }

    fn digest(&mut self, key: &str, value: Option<String>) -> Option<Digest> {
        let text = value?;
        text.parse()
            .map_err(|_| self.refuse(key, text, "use sha256: and 64 hexadecimal digits, as sha256sum prints them"))
            .ok()
    }

    fn limits(&mut self, key: &str, file: LimitsFile, deadline: Duration) -> Limits {
        let calls = Duration::from_millis(1)..=deadline;
        let default = Duration::from_millis(100).min(deadline);
        let deadline = self.duration(format!("{key}.deadline"), file.deadline, default, calls.clone());
        let filter = self.duration(format!("{key}.filterDeadline"), file.filter_deadline, deadline, calls.clone());
        let score = self.duration(format!("{key}.scoreDeadline"), file.score_deadline, deadline, calls);
        let workers = file.workers.unwrap_or(Limits::default().workers as u32);
        if !(1..=64).contains(&workers) {
            self.refuse(format!("{key}.workers"), workers, "use 1 to 64 warm instances");
        }
        let queue = file.queue.unwrap_or(Limits::default().queue as u32);
        if queue > MAX_QUEUE {
            self.refuse(format!("{key}.queue"), queue, format!("use 0 to {MAX_QUEUE} waiting calls"));
        }
        Limits {
            memory: self.bytes(format!("{key}.memory"), file.memory, "64Mi", (1 << 20)..=(4 << 30)),
            deadline,
            filter_deadline: Some(filter),
            score_deadline: Some(score),
            plan_deadline: self.duration(
                format!("{key}.planDeadline"),
                file.plan_deadline,
                Duration::from_secs(10),
                PLAN_DEADLINE,
            ),
            workers: workers as usize,
            queue: queue as usize,
            log_bytes: self.bytes(format!("{key}.logBytes"), file.log_bytes, "64Ki", LOG_BYTES),
            ..Limits::default()
        }
    }
}

fn https(text: &str) -> Option<ComponentSource> {
    let address: Uri = text.parse().ok()?;
    // A user and password in an address would end up in logs.
    let has_user = address.authority().is_none_or(|authority| authority.as_str().contains('@'));
    (address.scheme_str() == Some("https") && !has_user).then_some(ComponentSource::Https(address))
}

fn oci(text: &str) -> Result<ComponentSource, &'static str> {
    let image = Image::parse(text)
        .ok_or("use oci:// with registry, repository and tag or digest, such as oci://r.example/spread:1.0")?;
    // The name in images' references is not the host that serves them.
    if image.registry == "docker.io" {
        return Err("write registry-1.docker.io in place of docker.io: that is where this registry answers");
    }
    Ok(ComponentSource::Oci(image))
}

pub(super) fn default_plugin() -> PluginFile {
    PluginFile { name: Some("gantry".to_owned()), component: Some(BUILTIN.to_owned()), ..PluginFile::default() }
}
