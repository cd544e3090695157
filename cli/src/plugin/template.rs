//! The plugins in `examples/plugins/`, as templates: the files of each, and its name in them.
//!
//! They are the same files that the end-to-end tests build and run; nothing of them is written twice.

use clap::ValueEnum;

/// The name of the examples, which becomes the new plugin's.
const NAME: &str = "by-label";
/// The same as Rust writes it in a module's name.
const MODULE: &str = "by_label";

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// The fastest, in the smallest component.
    #[default]
    Rust,
    /// With its interpreter in the component, 1.6 MB.
    #[value(name = "javascript")]
    JavaScript,
    /// With its interpreter in the component, 18 MB.
    Python,
}

/// The contract, which every template needs.
const CONTRACT: [(&str, &str); 2] = [
    ("wit/plugin.wit", include_str!("../../../wit/plugin.wit")),
    ("wit/types.wit", include_str!("../../../wit/types.wit")),
];

const RUST: [(&str, &str); 5] = [
    (".gitignore", "/target\n/*.wasm\n"),
    ("Cargo.lock", include_str!("../../../examples/plugins/rust/Cargo.lock")),
    ("Cargo.toml", include_str!("../../../examples/plugins/rust/Cargo.toml")),
    ("README.md", include_str!("../../../examples/plugins/rust/README.md")),
    ("src/lib.rs", include_str!("../../../examples/plugins/rust/src/lib.rs")),
];

const JAVASCRIPT: [(&str, &str); 5] = [
    (".gitignore", "/node_modules\n/*.wasm\n"),
    ("README.md", include_str!("../../../examples/plugins/javascript/README.md")),
    ("package-lock.json", include_str!("../../../examples/plugins/javascript/package-lock.json")),
    ("package.json", include_str!("../../../examples/plugins/javascript/package.json")),
    ("plugin.js", include_str!("../../../examples/plugins/javascript/plugin.js")),
];

const PYTHON: [(&str, &str); 4] = [
    (".gitignore", "/.venv\n__pycache__\n/*.wasm\n"),
    ("README.md", include_str!("../../../examples/plugins/python/README.md")),
    ("plugin.py", include_str!("../../../examples/plugins/python/plugin.py")),
    ("requirements.txt", include_str!("../../../examples/plugins/python/requirements.txt")),
];

impl Language {
    /// The files of a plugin of this name, by their paths within its folder.
    pub(super) fn files(self, name: &str) -> Vec<(&'static str, String)> {
        let own: &[(&str, &str)] = match self {
            Self::Rust => &RUST,
            Self::JavaScript => &JAVASCRIPT,
            Self::Python => &PYTHON,
        };
        let renamed = |text: &str| text.replace(NAME, name).replace(MODULE, &name.replace('-', "_"));
        own.iter().chain(&CONTRACT).map(|(path, text)| (*path, renamed(text))).collect()
    }

    /// How it is built and checked: the first block of commands in its README.
    pub(super) fn commands(self, name: &str) -> String {
        let readme = self.files(name).into_iter().find(|(path, _)| *path == "README.md").map(|(_, text)| text);
        let block = |text: String| Some(text.split_once("```sh\n")?.1.split_once("```")?.0.to_owned());
        readme.and_then(block).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_on_a_screen() {
        for (language, file) in
            [(Language::Rust, "src/lib.rs"), (Language::JavaScript, "plugin.js"), (Language::Python, "plugin.py")]
        {
            let files = language.files("x");
            let (_, text) = files.iter().find(|(path, _)| *path == file).unwrap();
            assert!(text.lines().count() < 60, "{file}");
        }
    }

    #[test]
    fn a_plugin_has_its_own_name_everywhere() {
        for language in Language::value_variants() {
            for (path, text) in language.files("spread-cpu") {
                assert!(!text.contains(NAME) && !text.contains(MODULE), "{language:?}: {path}");
            }
            let commands = language.commands("spread-cpu");
            assert!(commands.contains("plugin validate spread-cpu.wasm"), "{language:?}: {commands}");
        }
    }
}
