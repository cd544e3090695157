//! `plugin scaffold` and `plugin pack`: from nothing to a component.
//!
//! A template is a whole plugin that builds, passes `validate` and fits on a screen. Promises to overwrite nothing.

use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::source;
use super::template::Language;
use crate::CliError;
use crate::recording::write_file;

/// What a plugin's name may have at most (wit/types.wit).
const NAME: usize = 63;

/// Flags of `plugin scaffold`.
#[derive(Clone, Debug, clap::Args)]
pub struct ScaffoldArgs {
    /// The plugin's name: a-z, 0-9 and -.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What to write it in.
    #[arg(long, value_enum, default_value_t)]
    pub language: Language,
    /// The folder to make; without it one of the plugin's name.
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

/// Flags of `plugin pack`.
#[derive(Clone, Debug, clap::Args)]
pub struct PackArgs {
    /// The core module that the compiler left.
    #[arg(value_name = "MODULE")]
    pub module: PathBuf,
    /// Where the component goes; without it beside the module, as .component.wasm.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// Writes the template.
pub(super) fn run(args: &ScaffoldArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_name(&args.name)?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let is_taken = fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || dir.is_file() {
        let remedy = "there is something already: name a new or an empty folder";
        return Err(CliError::refused("--dir", dir.display().to_string(), remedy));
    }
    for (file, text) in args.language.files(&args.name) {
        let path = dir.join(file);
        let folder = path.parent().unwrap_or(&dir);
        let unwritable = |source| CliError::File { key: "--dir", path: folder.to_owned(), what: "made", source };
        fs::create_dir_all(folder).map_err(unwritable)?;
        write_file("--dir", &path, text)?;
    }
    let folder = dir.display();
    writeln!(out, "{folder} is a plugin that prefers the nodes whose label says most. Next:\n\n  cd {folder}")?;
    for command in args.language.commands(&args.name).lines() {
        writeln!(out, "  {command}")?;
    }
    Ok(())
}

/// It is a crate's name as well, so it begins with a letter.
fn check_name(name: &str) -> Result<(), CliError> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= NAME && name.bytes().all(is_allowed)
    {
        return Ok(());
    }
    Err(CliError::refused("NAME", name, "use 1 to 63 of a-z, 0-9 and -, a letter first"))
}

/// Writes the component of a core module.
pub(super) fn pack(args: &PackArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let (component, _) = source::bytes(&args.module.to_string_lossy())?;
    let to = args.to.as_deref().map_or_else(|| Cow::Owned(beside(&args.module)), Cow::Borrowed);
    write_file("--to", &to, &component)?;
    Ok(writeln!(out, "{}: {} bytes, {}", to.display(), component.len(), gantry_host::Digest::of(&component))?)
}

fn beside(module: &Path) -> PathBuf {
    module.with_extension("component.wasm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plugin_s_and_a_crate_s() {
        for name in ["a", "least-cpu", "a1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "1a", "-a", "A", "a_b", "é", &"a".repeat(64)] {
            assert!(check_name(name).is_err_and(|error| error.exit_code() == 2), "{name}");
        }
    }
}
