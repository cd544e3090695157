//! The process: command line in, exit code out.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use gantry_cli::{Args, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = Args::parse();
    // What a plugin logs is worth reading; the rest of the program speaks through its output.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).without_time().init();
    let mut out = io::stdout().lock();
    match run(args, &mut out).and_then(|()| out.flush().map_err(Into::into)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.exit_code();
            if code != 0 {
                // Where even stderr is gone the exit code has to do.
                drop(writeln!(io::stderr(), "kubectl-gantry: {}", error.chain()));
            }
            ExitCode::from(code)
        }
    }
}
