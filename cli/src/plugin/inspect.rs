//! `plugin inspect`: what a component is, before anybody trusts it.
//!
//! Promises to show what the component says of itself also where it refuses to be configured: its schema tells how it can
//! be.

use std::io::Write;

use gantry_host::types::ExtensionPoints;
use gantry_host::{Failure, WIT_VERSION};
use serde::Serialize;
use serde_json::Value;

use super::source::{Loaded, PluginArgs, patient_limits};
use crate::CliError;
use crate::output::{Format, json, visible};

/// What is said in place of the digest of a component that only this process has.
const CORE_MODULE: &str = "a core module, not a component: `kubectl gantry plugin pack` makes one";

/// Flags of `plugin inspect`.
#[derive(Clone, Debug, clap::Args)]
pub struct InspectArgs {
    /// The plugin.
    #[command(flatten)]
    pub plugin: PluginArgs,
    /// How the result is printed.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    name: String,
    version: String,
    extension_points: Vec<&'static str>,
    /// What was named, if it is no component.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    host_contract: String,
    imports: Vec<String>,
    exports: Vec<String>,
    settings_schema: Value,
    /// Why it cannot be configured with the settings given.
    #[serde(skip_serializing_if = "Option::is_none")]
    configure: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let loaded = args.plugin.load()?;
    let info = loaded.describe()?;
    let is_component = !loaded.was_module;
    let description = Description {
        extension_points: extension_points(info.extension_points),
        instead: loaded.was_module.then_some(CORE_MODULE),
        digest: is_component.then(|| loaded.component.digest().to_string()),
        bytes: is_component.then_some(loaded.size),
        host_contract: format!("gantry:scheduling/plugin@{WIT_VERSION}"),
        imports: loaded.component.imports(),
        exports: loaded.component.exports(),
        // A schema that is no JSON is shown as it is; `validate` objects to it.
        settings_schema: serde_json::from_str(&info.settings_schema)
            .unwrap_or_else(|_| Value::String(info.settings_schema.clone())),
        configure: refusal(&loaded, &args.plugin.settings),
        name: info.name,
        version: info.version,
    };
    match args.output {
        Format::Json => json(out, &description),
        Format::Table => print(&description, out),
    }
}

/// Why the plugin cannot be configured, if it cannot.
fn refusal(loaded: &Loaded, settings: &str) -> Option<String> {
    let error = loaded.start(settings, &patient_limits()).err()?;
    Some(match &error {
        CliError::Call(call) if matches!(call.failure(), Failure::Settings { .. }) => {
            format!("refused: {}", call.failure())
        }
        _ => format!("failed: {}", error.chain()),
    })
}

/// The extension points that are set, by their names in the contract.
pub(super) fn extension_points(points: ExtensionPoints) -> Vec<&'static str> {
    let all = [(ExtensionPoints::FILTER, "filter"), (ExtensionPoints::SCORE, "score"), (ExtensionPoints::PLAN, "plan")];
    all.into_iter().filter(|(point, _)| points.contains(*point)).map(|(_, name)| name).collect()
}

fn print(description: &Description, out: &mut dyn Write) -> Result<(), CliError> {
    for (key, value) in [
        ("name", Some(description.name.clone())),
        ("version", Some(description.version.clone())),
        ("answers", Some(description.extension_points.join(", "))),
        ("this is", description.instead.map(str::to_owned)),
        ("digest", description.digest.clone()),
        ("size", description.bytes.map(|bytes| format!("{bytes} bytes"))),
        ("this host's world", Some(description.host_contract.clone())),
        ("imports", Some(description.imports.join(", "))),
        ("exports", Some(description.exports.join(", "))),
    ] {
        if let Some(value) = value {
            writeln!(out, "{key:<18} {}", visible(&value))?;
        }
    }
    writeln!(out, "settings schema")?;
    let schema = format!("{:#}", description.settings_schema);
    schema.lines().try_for_each(|line| writeln!(out, "{}", visible(line)))?;
    if let Some(why) = &description.configure {
        writeln!(out, "configure: {}", visible(why))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_plugin_says_of_itself_moves_the_cursor() {
        let hostile = || "x\u{1b}[2J\rdigest\u{9b}1A\n".to_owned();
        let description = Description {
            name: hostile(),
            version: hostile(),
            extension_points: vec!["score"],
            instead: None,
            digest: Some("sha256:00".to_owned()),
            bytes: Some(1),
            host_contract: "w".to_owned(),
            imports: vec![hostile()],
            exports: vec![hostile()],
            settings_schema: Value::String(hostile()),
            configure: Some(hostile()),
        };
        let mut out = Vec::new();
        print(&description, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert_eq!(text.lines().filter(|line| line.starts_with("digest")).count(), 1, "{text}");
    }
}
