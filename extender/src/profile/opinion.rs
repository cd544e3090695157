//! What plugins say when somebody wants to know, beside the requests.
//!
//! Promises that a request is answered, measured and recorded as if nobody had asked: no
//! failure here is counted by a breaker, and a plugin that is left alone for its
//! failures is left alone here too. Every answer has an end. Must not know who asks.

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
    /// Whether its scores are stretched over the candidates.
    pub normalize: bool,
    /// One verdict a row; `None` where it is not asked for any, or failed.
    pub verdicts: Option<Vec<u8>>,
    /// One score a row, 0 to 100; `None` where it is not asked for any, or failed.
    pub scores: Option<Vec<f64>>,
    /// Why it does not say all that it is asked for.
    pub failure: Option<String>,
}

/// What plugins say together, as for a request.
impl Opinion {
    /// One verdict a row, of so many rows.
    #[must_use]
    pub fn joint_verdicts(opinions: &[Self], rows: usize) -> Vec<Verdict> {
        let verdicts = opinions.iter().filter_map(|opinion| Some((opinion.position, opinion.verdicts.clone()?)));
        pipeline::verdicts(verdicts.collect()).unwrap_or_else(|| vec![Verdict::default(); rows])
    }

    /// One score a row; `None`: no plugin gave any. `candidates` are the rows that kube-scheduler would have scored:
    /// the opinions' own scores are stretched over them where the configuration says so, and stay so.
    pub fn joint_scores(opinions: &mut [Self], candidates: &[u32]) -> Option<Vec<f64>> {
        for opinion in &mut *opinions {
            opinion.stretch(candidates);
        }
        let scores = opinions.iter().filter_map(|opinion| Some((opinion.weight, opinion.scores.clone()?)));
        pipeline::mean(scores.collect())
    }

    fn stretch(&mut self, candidates: &[u32]) {
        if self.normalize
            && let Some(scores) = &mut self.scores
        {
            pipeline::stretch(scores, candidates);
        }
    }
}

impl Member {
    /// `None`: it neither filters nor scores.
    pub(super) fn opinion(
        &self,
        position: u8,
        source: &dyn SnapshotSource,
        pod: &Pod<'_>,
        end: Instant,
    ) -> Option<Opinion> {
        let [filters, scores] = [Point::Filter, Point::Score].map(|point| self.is_asked(point));
        if !filters && !scores {
            return None;
        }
        let (plugin, weight, normalize) = (Arc::clone(self.shared_name()), self.weight(), self.config().normalize);
        let mut opinion = Opinion { position, plugin, weight, normalize, verdicts: None, scores: None, failure: None };
        match self.decide(source, pod, end) {
            Ok(decision) => {
                // The host answers in the place of a point that the component does not have.
                opinion.verdicts = taken(filters, decision.verdicts, &mut opinion.failure);
                opinion.scores = taken(scores, decision.scores, &mut opinion.failure);
            }
            Err(failure) => opinion.failure = Some(failure),
        }
        Some(opinion)
    }

    fn decide(&self, source: &dyn SnapshotSource, pod: &Pod<'_>, end: Instant) -> Result<Decision, String> {
        let now = Instant::now();
        if let Some((reason, detail)) = self.failure() {
            return Err(format!("{}: {detail}", reason.as_str()));
        }
        let is_open = |point: &Point| self.breaker(*point, now) == Some(BreakerState::Open);
        if let Some(point) = [Point::Filter, Point::Score].iter().find(|point| is_open(point)) {
            return Err(format!("breaker-open: {} failed too often of late", point.as_str()));
        }
        let loaded = self.loaded().ok_or("unavailable")?;
        loaded.plugin.decide_until(source, pod, end).map_err(|error| said(&error))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn opinion(normalize: bool, weight: f64, scores: &[f64]) -> Opinion {
        let (plugin, scores) = ("p".into(), Some(scores.to_vec()));
        Opinion { position: 0, plugin, weight, normalize, verdicts: None, scores, failure: None }
    }

    #[test]
    fn scores_are_stretched_over_the_candidates_where_the_configuration_says_so() {
        let mut opinions = [opinion(true, 1.0, &[0.2, 0.6, 0.4, 0.9]), opinion(false, 3.0, &[40.0, 0.0, 20.0, 0.0])];
        let joint = Opinion::joint_scores(&mut opinions, &[0, 1]);
        let [stretched, as_it_is] = opinions.map(|opinion| opinion.scores.unwrap());
        assert_eq!((stretched[0], stretched[1], stretched[3]), (0.0, 100.0, 100.0));
        assert_eq!(as_it_is, [40.0, 0.0, 20.0, 0.0]);
        let joint = joint.unwrap();
        assert_eq!((joint[0], joint[1]), (30.0, 25.0));
    }

    #[test]
    fn without_scores_there_are_no_joint_ones() {
        let mut silent = [Opinion { scores: None, ..opinion(true, 1.0, &[]) }];
        assert_eq!(Opinion::joint_scores(&mut silent, &[0]), None);
        assert_eq!(Opinion::joint_verdicts(&silent, 2), [Verdict::default(); 2]);
    }
}
