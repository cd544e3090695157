//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use gantry_forecaster::args::Args;
use gantry_forecaster::{app, error};

fn main() -> ExitCode {
    match app::run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where even stderr is gone the exit code has to do.
            drop(writeln!(std::io::stderr(), "gantry-forecaster: {}", error::chain(&failure)));
            ExitCode::from(failure.exit_code())
        }
    }
}
