//! `plugin inspect`: what a component is, before anybody trusts it.

use std::io::Write;

use gantry_host::types::ExtensionPoints;
use gantry_host::{Limits, WIT_VERSION};
use serde::Serialize;
use serde_json::Value;

use super::source::PluginArgs;
use crate::CliError;
use crate::output::{Format, json, visible};

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
    digest: String,
    bytes: usize,
    host_contract: String,
    imports: Vec<String>,
    exports: Vec<String>,
    settings_schema: Value,
}

/// Runs the command.
pub(super) fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let loaded = args.plugin.load()?;
    let plugin = loaded.start(&args.plugin.settings, &Limits { workers: 1, ..Limits::default() })?;
    let info = plugin.info();
    let description = Description {
        name: info.name.clone(),
        version: info.version.clone(),
        extension_points: extension_points(info.extension_points),
        digest: loaded.component.digest().to_string(),
        bytes: loaded.size,
        host_contract: format!("gantry:scheduling/plugin@{WIT_VERSION}"),
        imports: loaded.component.imports(),
        exports: loaded.component.exports(),
        // A schema that is no JSON is shown as it is; `validate` objects to it.
        settings_schema: serde_json::from_str(&info.settings_schema)
            .unwrap_or_else(|_| Value::String(info.settings_schema.clone())),
    };
    match args.output {
        Format::Json => json(out, &description),
        Format::Table => print(&description, out),
    }
}

/// The extension points that are set, by their names in the contract.
pub(super) fn extension_points(points: ExtensionPoints) -> Vec<&'static str> {
    let all = [(ExtensionPoints::FILTER, "filter"), (ExtensionPoints::SCORE, "score"), (ExtensionPoints::PLAN, "plan")];
    all.into_iter().filter(|(point, _)| points.contains(*point)).map(|(_, name)| name).collect()
}

fn print(description: &Description, out: &mut dyn Write) -> Result<(), CliError> {
    for (key, value) in [
        ("name", description.name.clone()),
        ("version", description.version.clone()),
        ("answers", description.extension_points.join(", ")),
        ("digest", description.digest.clone()),
        ("size", format!("{} bytes", description.bytes)),
        ("this host's world", description.host_contract.clone()),
        ("imports", description.imports.join(", ")),
        ("exports", description.exports.join(", ")),
    ] {
        writeln!(out, "{key:<18} {}", visible(&value))?;
    }
    writeln!(out, "settings schema")?;
    let schema = format!("{:#}", description.settings_schema);
    schema.lines().try_for_each(|line| Ok(writeln!(out, "{}", visible(line))?))
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
            digest: "sha256:00".to_owned(),
            bytes: 1,
            host_contract: "w".to_owned(),
            imports: vec![hostile()],
            exports: vec![hostile()],
            settings_schema: Value::String(hostile()),
        };
        let mut out = Vec::new();
        print(&description, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert_eq!(text.lines().filter(|line| line.starts_with("digest")).count(), 1, "{text}");
    }
}
