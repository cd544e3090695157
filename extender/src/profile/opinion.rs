//! What plugins say when somebody wants to know, beside the requests.
//!
//! Promises that a request is answered, measured and recorded as if nobody had asked: no
//! failure here is counted by a breaker, and a plugin that is left alone for its
//! failures is left alone here too. Must not know who asks.

use std::sync::Arc;
use std::time::Instant;

use gantry_host::types::Pod;
use gantry_host::{BreakerState, CallError, Decision, SnapshotSource};

use super::member::{Member, Point, chain};
use super::pipeline::{self, Verdict};

/// What one plugin says of every row.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// Its place in the profile.
    pub position: u8,
    /// Its name in the configuration.
    pub plugin: Arc<str>,
    /// How much its scores count.
    pub weight: f64,
    /// One verdict a row; `None` where it is not asked for any, or failed.
    pub verdicts: Option<Vec<u8>>,
    /// One score a row, 0 to 100; `None` where it is not asked for any, or failed.
    pub scores: Option<Vec<f64>>,
    /// Why it does not say all that it is asked for.
    pub failure: Option<String>,
}

/// What plugins say together, as for a request.
#[derive(Clone, Debug)]
pub struct Combination {
    /// One verdict a row.
    pub verdicts: Vec<Verdict>,
    /// One score a row; `None`: no plugin gave any.
    pub scores: Option<Vec<f64>>,
}

impl Combination {
    /// Puts opinions of so many rows together.
    #[must_use]
    pub fn of(opinions: &[Opinion], rows: usize) -> Self {
        let verdicts = opinions.iter().filter_map(|opinion| Some((opinion.position, opinion.verdicts.clone()?)));
        let scores = opinions.iter().filter_map(|opinion| Some((opinion.weight, opinion.scores.clone()?))).collect();
        let verdicts = pipeline::verdicts(verdicts.collect()).unwrap_or_else(|| vec![Verdict::default(); rows]);
        Self { verdicts, scores: pipeline::mean(scores) }
    }
}

impl Member {
    /// `None`: it neither filters nor scores.
    pub(super) fn opinion(
        &self,
        position: u8,
        source: &dyn SnapshotSource,
        pod: &Pod<'_>,
        now: Instant,
    ) -> Option<Opinion> {
        let [filters, scores] = [Point::Filter, Point::Score].map(|point| self.is_asked(point));
        if !filters && !scores {
            return None;
        }
        let (plugin, weight) = (Arc::clone(self.shared_name()), self.weight());
        let mut opinion = Opinion { position, plugin, weight, verdicts: None, scores: None, failure: None };
        match self.decide(source, pod, now) {
            Ok(decision) => {
                // The host answers in the place of a point that the component does not have.
                opinion.verdicts = taken(filters, decision.verdicts, &mut opinion.failure);
                opinion.scores = taken(scores, decision.scores, &mut opinion.failure);
            }
            Err(failure) => opinion.failure = Some(failure),
        }
        Some(opinion)
    }

    fn decide(&self, source: &dyn SnapshotSource, pod: &Pod<'_>, now: Instant) -> Result<Decision, String> {
        if let Some((reason, detail)) = self.failure() {
            return Err(format!("{}: {detail}", reason.as_str()));
        }
        let is_open = |point: &Point| self.breaker(*point, now) == Some(BreakerState::Open);
        if let Some(point) = [Point::Filter, Point::Score].iter().find(|point| is_open(point)) {
            return Err(format!("breaker-open: {} failed too often of late", point.as_str()));
        }
        let loaded = self.loaded().ok_or("unavailable")?;
        loaded.plugin.decide(source, pod).map_err(|error| said(&error))
    }
}

/// An answer, if it is wanted; of a failure to give it, the first is kept.
fn taken<T>(is_wanted: bool, answer: Result<T, CallError>, failure: &mut Option<String>) -> Option<T> {
    if !is_wanted {
        return None;
    }
    answer.map_err(|error| failure.get_or_insert_with(|| said(&error)).clone()).ok()
}

fn said(error: &CallError) -> String {
    format!("{}: {}", error.reason().as_str(), chain(error))
}
