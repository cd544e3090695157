//! The process: command line in, exit code out.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use gantry_cli::{Args, COMPILE_PLUGIN, compile_apart, run};
use gantry_host::workshop::compile_for_parent;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // Not among the commands: it is said by this program, to itself.
    if std::env::args_os().nth(1).is_some_and(|first| first == COMPILE_PLUGIN) {
        return compile_for_parent();
    }
    let args = Args::parse();
    if let Ok(own) = std::env::current_exe() {
        compile_apart(own);
    }
    // What a plugin logs is worth reading, and the host writes it; the rest of the program speaks through its output.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,gantry_host=info"));
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
