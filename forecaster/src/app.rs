//! The wiring: from the command line to a process that serves, or to a result.
//!
//! What is decided lies elsewhere; here is only who holds whom.

mod commands;
mod paper;
mod ticks;

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::args::{Args, Command, ConfigArgs};
use crate::config::{self, Config, Place};
use crate::error::RunError;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::publication::Publication;
use crate::server::{Context, Sockets};
use crate::store::Stores;
use crate::telemetry;
use ticks::Ticks;

/// Does what the command line says.
///
/// # Errors
/// Why nothing, or nothing more, can be done.
pub fn run(args: Args) -> Result<(), RunError> {
    match args.command {
        Command::Serve(flags) => serve(&flags),
        Command::CheckConfig { file } => commands::check_config(&file),
        Command::Fetch { config, out } => commands::fetch(&config, &out),
        Command::Train { series, out, training } => commands::train(&series, &out, &training),
        Command::Backtest { series, plots, history, training } => {
            commands::backtest(&series, plots.as_deref(), history, &training)
        }
    }
}

/// Two workers: one serves while the other reads Prometheus; forecasts and training have threads of their own.
fn runtime() -> Result<Runtime, RunError> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(RunError::Runtime)
}

fn serve(flags: &ConfigArgs) -> Result<(), RunError> {
    telemetry::start(flags.log_format);
    let config = config::load(&flags.config, Place::Here)?;
    let runtime = runtime()?;
    let (context, pipeline) = assemble(&config, &runtime)?;
    let sockets = runtime.block_on(Sockets::listen(&config.server))?;
    let (over, is_over) = watch::channel(false);
    let mut ticks = Ticks::start(pipeline, config.schedule.tick)?;
    runtime.block_on(async {
        let end = interrupted()?;
        let server = tokio::spawn(sockets.serve(context, is_over));
        let outcome = tokio::select! {
            () = end => Ok(()),
            () = ticks.ended() => Err(RunError::Ticks),
        };
        tracing::info!("shutting down: no new connections, requests finish");
        over.send_replace(true);
        if let Err(error) = server.await {
            tracing::error!(%error, "the server ended unexpectedly");
        }
        outcome
    })?;
    // A reading that waits for Prometheus must not keep the process from ending, and a runtime that is gone would make
    // it panic: the runtime ends with the process.
    std::mem::forget(runtime);
    Ok(())
}

fn assemble(config: &Config, runtime: &Runtime) -> Result<(Arc<Context>, Pipeline), RunError> {
    let (publication, metrics) = (Arc::new(Publication::default()), Arc::new(Metrics::new()));
    let stores = Stores::open(&config.store)?;
    let (shared, measured) = (Arc::clone(&publication), Arc::clone(&metrics));
    let pipeline = Pipeline::new(config, runtime.handle().clone(), stores, shared, measured)
        .map_err(|source| RunError::Source { query: String::new(), source })?;
    Ok((Arc::new(Context { publication, metrics, tick: config.schedule.tick }), pipeline))
}

/// Ends when the process is told to: SIGTERM by Kubernetes, SIGINT from a keyboard.
fn interrupted() -> Result<impl Future<Output = ()> + Send + 'static, RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Runtime)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
