//! The thread that ticks: on whole multiples of the tick since 1970, so that a minute's cell is read as it closes.
//!
//! Promises: a tick that takes too long skips others and is never doubled; replicas tick together. The one place that
//! reads the clock for forecasts. Must not know: what a tick does.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use crate::error::RunError;
use crate::pipeline::{Pipeline, Role};

/// Between two questions to a shared store that does not answer.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one wait for another replica's news may keep the thread from seeing the end.
const NEWS: Duration = Duration::from_secs(1);

/// A thread that ticks until this is dropped. It may outlive that while it waits for Prometheus: what it would publish
/// then nobody reads.
#[derive(Debug)]
pub(super) struct Ticks {
    _stop: Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Ticks {
    pub(super) fn start(pipeline: Pipeline, every: Duration) -> Result<Self, RunError> {
        let ((stop, stopped), (alive, ended)) = (mpsc::channel(), oneshot::channel());
        let body = move || {
            let _alive: oneshot::Sender<()> = alive;
            run(pipeline, every, &stopped);
        };
        std::thread::Builder::new().name("ticks".to_owned()).spawn(body).map_err(RunError::Runtime)?;
        Ok(Self { _stop: stop, ended })
    }

    /// Waits for the thread's end, which only a fault brings before this is dropped.
    pub(super) async fn ended(&mut self) {
        // The sender sends nothing; it is dropped.
        drop((&mut self.ended).await);
    }
}

fn run(mut pipeline: Pipeline, every: Duration, stopped: &Receiver<()>) {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = Instant::now();
        let role = pipeline.tick(now.as_secs() as i64);
        tracing::debug!(?role, duration_ms = start.elapsed().as_millis() as u64, "tick");
        if is_over(&pipeline, role, until_next(every), stopped) {
            return;
        }
    }
}

/// The time to the next multiple of the tick, from now on.
fn until_next(every: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let passed = now.as_nanos() % every.as_nanos().max(1);
    every.saturating_sub(Duration::from_nanos(passed as u64))
}

/// Waits; a follower looks for news meanwhile. Says whether the end came.
fn is_over(pipeline: &Pipeline, role: Role, wait: Duration, stopped: &Receiver<()>) -> bool {
    let end = Instant::now() + wait;
    while role == Role::Follower && Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        let is_news = pipeline.wait_for_news(left.min(NEWS));
        pipeline.follow();
        let pause = if is_news { Duration::ZERO } else { left.min(PAUSE) };
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return true;
        }
    }
    stopped.recv_timeout(end.saturating_duration_since(Instant::now())) != Err(RecvTimeoutError::Timeout)
}
