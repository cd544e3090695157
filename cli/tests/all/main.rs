//! The commands as they are typed, from the arguments to the text and the exit code.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod admin;
mod api_server;
mod example;
mod plugin;
mod replay;
mod simulate;
mod ungate;

use std::path::{Path, PathBuf};

use clap::Parser as _;
use gantry_cli::{Args, CliError};

/// What a command wrote, and how it ended.
struct Ran {
    text: String,
    result: Result<(), CliError>,
}

impl Ran {
    /// The text of a command that must succeed.
    fn ok(self) -> String {
        if let Err(error) = &self.result {
            panic!("{}\n{}", error.chain(), self.text);
        }
        self.text
    }

    /// Exit code and message of a command that must fail.
    fn failed(&self) -> (u8, String) {
        let error = self.result.as_ref().unwrap_err();
        (error.exit_code(), error.chain())
    }
}

/// Runs a command line, without the program's name.
fn run<S: AsRef<str>>(arguments: &[S]) -> Ran {
    let arguments = arguments.iter().map(AsRef::as_ref);
    let args = Args::try_parse_from(["kubectl-gantry"].into_iter().chain(arguments)).unwrap();
    let mut text = Vec::new();
    let result = gantry_cli::run(args, &mut text);
    Ran { text: String::from_utf8(text).unwrap(), result }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares with a file that is checked in; `GANTRY_BLESS=1` writes it instead.
fn assert_is_file(text: &str, path: &Path) {
    if std::env::var_os("GANTRY_BLESS").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        text == expected,
        "{} is not what it was. If that is meant: GANTRY_BLESS=1 cargo test --workspace --test all\n{text}",
        path.display()
    );
}
