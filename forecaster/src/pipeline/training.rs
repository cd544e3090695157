//! Training in a thread of its own.
//!
//! Promises: whoever starts a training never waits for it; one that is dropped ends after its epoch. Must not know: what
//! the weights are used for.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use super::replay::replay;
use super::subjects::Subject;
use crate::models::lstm::Lstm;
use crate::models::{Epoch, Model as _};
use crate::select::Scoreboard;
use crate::{History, ModelError, TimeSeries};

/// A series that is learnt from: the query's position, whose it is, and a copy of its cells.
#[derive(Clone, Debug)]
pub(super) struct Sampled {
    pub(super) query: usize,
    pub(super) subject: Subject,
    pub(super) series: TimeSeries,
}

/// What to learn.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) lstm: Lstm,
    pub(super) sample: Vec<Sampled>,
    /// Whether to score all models on the newest hours first, on which none of them was trained.
    pub(super) replay: bool,
    /// The time, Unix time in seconds.
    pub(super) at: i64,
}

/// Scores of a series from a replay.
pub(super) type Board = (usize, Subject, Scoreboard);

/// What was learnt.
#[derive(Debug)]
pub(super) struct Trained {
    pub(super) lstm: Lstm,
    pub(super) boards: Vec<Board>,
    pub(super) duration: Duration,
    pub(super) at: i64,
}

/// A thread that trains.
#[derive(Debug)]
pub(super) struct Training {
    result: Receiver<Result<Trained, TrainingError>>,
    held: Option<Result<Trained, TrainingError>>,
    is_over: Arc<AtomicBool>,
}

/// Why there are no new weights.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrainingError {
    /// Nothing could be learnt.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The thread could not be started.
    #[error("no thread for the training")]
    Thread(#[source] std::io::Error),
    /// The thread ended without a word.
    #[error("the training thread ended unexpectedly")]
    Lost,
}

impl TrainingError {
    /// A name from a closed set, for metrics.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Model(error) => error.reason(),
            Self::Thread(_) => "thread",
            Self::Lost => "lost",
        }
    }
}

impl Training {
    pub(super) fn start(job: Job) -> Self {
        let (sender, result) = mpsc::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let body = move || {
            // Nobody listens any more once the process ends.
            drop(sender.send(job.run(&stop).map_err(TrainingError::Model)));
        };
        let held = std::thread::Builder::new().name("training".to_owned()).spawn(body).err();
        Self { result, held: held.map(|error| Err(TrainingError::Thread(error))), is_over }
    }

    /// The result, once there is one.
    pub(super) fn outcome(&mut self) -> Option<Result<Trained, TrainingError>> {
        self.held.take().or_else(|| match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(TrainingError::Lost)),
        })
    }

    /// Waits until there is a result.
    pub(super) fn wait(&mut self) {
        if self.held.is_none() {
            self.held = Some(self.result.recv().unwrap_or(Err(TrainingError::Lost)));
        }
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Job {
    fn run(mut self, stop: &AtomicBool) -> Result<Trained, ModelError> {
        let start = Instant::now();
        let mut observer = |_: Epoch| {
            if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let boards = if self.replay { replay(&mut self.lstm, &self.sample, &mut observer)? } else { Vec::new() };
        let histories: Vec<History> = self.sample.iter().map(|sampled| sampled.series.history()).collect();
        self.lstm.fit(&histories, &mut observer)?;
        Ok(Trained { lstm: self.lstm, boards, duration: start.elapsed(), at: self.at })
    }
}
