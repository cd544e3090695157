//! Score: how good every row would be, by the change of the cluster's objective with the pod there.

use gantry_solver::problems::placement::{self, NodeColumns, RowScorer};

use crate::{
    filter::{self, PASS},
    settings::{Objective, Settings},
    state::Cluster,
    types::{DomainClass, Pod, Snapshot},
};

/// The best row gets this, the worst one that passes [`LEAST`].
const MOST: f64 = 100.0;
/// Above 0, so that a row which passes never looks like one that is refused.
const LEAST: f64 = 1.0;

/// The loads of all rows, ready to score, kept up to date row by row.
pub(crate) struct Scorer(RowScorer);

impl Scorer {
    /// A scorer of a snapshot that passed its checks.
    pub(crate) fn new(snapshot: &Snapshot, objective: Objective) -> Self {
        let columns = NodeColumns {
            resources: snapshot.resources as usize,
            allocatable: &snapshot.allocatable,
            requested: load(snapshot),
            weights: &snapshot.weights,
        };
        Self(RowScorer::new(objective.into(), &columns).expect("invariant: the snapshot's columns were checked"))
    }

    /// Takes one row anew from a snapshot of the same shape.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, row: usize) {
        let r = snapshot.resources as usize;
        let cells = row * r..(row + 1) * r;
        let [allocatable, taken, weights] =
            [&snapshot.allocatable, load(snapshot), &snapshot.weights].map(|column| &column[cells.clone()]);
        self.0.set_row(row, allocatable, taken, weights).expect("invariant: the delta's columns were checked");
    }

    fn changes(&self, amounts: &[f64]) -> Vec<f64> {
        let mut changes = vec![0.0; self.0.rows()];
        self.0.changes(amounts, &mut changes).expect("invariant: the pod's numbers were checked");
        changes
    }
}

impl From<Objective> for placement::Objective {
    fn from(objective: Objective) -> Self {
        match objective {
            Objective::Balanced => Self::Balanced,
            Objective::Sigma => Self::Sigma,
        }
    }
}

/// What counts as a row's load: its forecast use where there is one, else what was asked for.
pub(crate) fn load(snapshot: &Snapshot) -> &Vec<f64> {
    if snapshot.used_p50.is_empty() { &snapshot.requested } else { &snapshot.used_p50 }
}

/// One score a row for `pod` of `class`.
pub(crate) fn scores(cluster: &Cluster, class: &DomainClass, pod: &Pod, settings: &Settings) -> Vec<f64> {
    let forecast = !cluster.snapshot.used_p50.is_empty() && !pod.estimate.is_empty();
    let mut scores = cluster.scorer.changes(if forecast { &pod.estimate } else { &pod.request });
    let verdicts = filter::verdicts(cluster, class, pod, settings.hot_share);
    scale(&mut scores, &verdicts);
    if settings.preference_share > 0.0 && !class.preference.is_empty() {
        prefer(&mut scores, &verdicts, &class.preference, settings.preference_share);
    }
    scores
}

/// From changes of the objective (smaller is better) to scores; refused rows get 0.
fn scale(scores: &mut [f64], verdicts: &[u8]) {
    let passing = || verdicts.iter().map(|&verdict| verdict == PASS);
    let (low, high) =
        scores.iter().zip(passing()).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (&x, pass)| {
            (if pass { low.min(x) } else { low }, if pass { high.max(x) } else { high })
        });
    let step = if high > low { (MOST - LEAST) / (high - low) } else { 0.0 };
    for (score, pass) in scores.iter_mut().zip(passing()) {
        *score = if pass { (MOST - (*score - low) * step).clamp(LEAST, MOST) } else { 0.0 };
    }
}

fn prefer(scores: &mut [f64], verdicts: &[u8], preference: &[f64], share: f64) {
    for ((score, &verdict), preference) in scores.iter_mut().zip(verdicts).zip(preference) {
        if verdict == PASS {
            *score = (1.0 - share) * *score + share * MOST * preference;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_change_scores_a_hundred_and_refused_rows_nothing() {
        let mut scores = [5.0, -3.0, 1.0, -9.0];
        scale(&mut scores, &[PASS, PASS, PASS, 3]);
        assert_eq!(scores, [1.0, 100.0, 50.5, 0.0]);
    }

    #[test]
    fn equal_changes_score_equally() {
        let mut scores = [2.0, 2.0];
        scale(&mut scores, &[PASS, PASS]);
        assert_eq!(scores, [100.0, 100.0]);
    }

    #[test]
    fn nothing_passing_scores_nothing() {
        let mut scores = [2.0, 3.0];
        scale(&mut scores, &[1, 2]);
        assert_eq!(scores, [0.0, 0.0]);
    }

    #[test]
    fn a_full_preference_share_leaves_the_preference_alone() {
        let mut scores = [100.0, 1.0, 0.0];
        prefer(&mut scores, &[PASS, PASS, 1], &[0.0, 1.0, 1.0], 1.0);
        assert_eq!(scores, [0.0, 100.0, 0.0]);
    }
}
