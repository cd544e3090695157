//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use gantry_extender::app;
use gantry_extender::args::Args;

fn main() -> ExitCode {
    match app::run(Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Where even stderr is gone the exit code has to do.
            drop(writeln!(std::io::stderr(), "gantry-extender: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
