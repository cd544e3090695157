//! Score: how good every row would be, by the change of the cluster's objective with the pod there, given the plan for
//! all other pods.

use std::{borrow::Cow, ops::Range};

use gantry_solver::problems::placement::{self, NodeColumns, RowScorer};

use crate::{
    filter::Trial,
    margins::{LANES, smaller},
    risk,
    settings::{Objective, Settings},
    state::{Cluster, LARGEST_AMOUNT},
    types::{DomainClass, Pod, Snapshot},
};

/// The best row gets this, the worst one that passes [`LEAST`].
const MOST: f64 = 100.0;
/// Above 0, so that a row which passes never looks like one that is refused.
const LEAST: f64 = 1.0;
/// Stands in place of the change of a row that does not pass.
const REFUSED: f64 = f64::INFINITY;

/// The loads of all rows, ready to score, kept up to date row by row.
pub(crate) struct Scorer(RowScorer);

impl Scorer {
    /// A scorer of a snapshot that passed its checks.
    pub(crate) fn new(snapshot: &Snapshot, objective: Objective) -> Self {
        let columns = NodeColumns {
            resources: snapshot.resources as usize,
            allocatable: &snapshot.allocatable,
            requested: &loads(snapshot, 0..snapshot.allocatable.len()),
            weights: &snapshot.weights,
        };
        Self(RowScorer::new(objective.into(), &columns).expect("invariant: the snapshot's columns were checked"))
    }

    /// Takes one row anew from a snapshot of the same shape.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, row: usize) {
        let r = snapshot.resources as usize;
        let cells = row * r..(row + 1) * r;
        let [allocatable, weights] = [&snapshot.allocatable, &snapshot.weights].map(|column| &column[cells.clone()]);
        let taken = loads(snapshot, cells);
        self.0.set_row(row, allocatable, &taken, weights).expect("invariant: the delta's columns were checked");
    }

    /// One change a row, and as many more as the last block needs.
    fn changes(&self, amounts: &[f64]) -> Vec<f64> {
        let rows = self.0.rows();
        let mut changes = vec![0.0; rows.next_multiple_of(LANES)];
        self.0.changes(amounts, &mut changes[..rows]).expect("invariant: the pod's numbers were checked");
        changes
    }
}

impl From<Objective> for placement::Objective {
    fn from(objective: Objective) -> Self {
        match objective {
            Objective::Balanced => Self::Balanced,
            Objective::Resources => Self::Resources,
            Objective::Sigma => Self::Sigma,
        }
    }
}

/// What counts as a row's load: its forecast use where there is one, else what was asked for.
fn load(snapshot: &Snapshot) -> &Vec<f64> {
    if snapshot.used_p50.is_empty() { &snapshot.requested } else { &snapshot.used_p50 }
}

/// The loads of some cells with what is planned there.
fn loads(snapshot: &Snapshot, cells: Range<usize>) -> Cow<'_, [f64]> {
    let load = &load(snapshot)[cells.clone()];
    match snapshot.planned.get(cells) {
        Some(planned) if !snapshot.planned.is_empty() => {
            let sum = |(load, planned): (&f64, &f64)| (load + planned).min(LARGEST_AMOUNT);
            load.iter().zip(planned).map(sum).collect()
        }
        _ => Cow::Borrowed(load),
    }
}

/// One score a row for `pod` of `class`.
pub(crate) fn scores(cluster: &Cluster, class: &DomainClass, pod: &Pod, settings: &Settings) -> Vec<f64> {
    let forecast = !cluster.snapshot.used_p50.is_empty() && !pod.estimate.is_empty();
    let amounts = if forecast { &pod.estimate } else { &pod.request };
    let mut scores = cluster.scorer.changes(amounts);
    if settings.risk_weight > 0.0 && !cluster.snapshot.used_p90.is_empty() {
        risk::add(&mut scores, &cluster.snapshot, amounts, settings.hot_share, settings.risk_weight);
    }
    let trial = Trial::beside_plan(cluster, class, pod);
    scale(scores.as_chunks_mut().0, |block| trial.slack(block));
    scores.truncate(cluster.rows());
    if settings.preference_share > 0.0 && !class.preference.is_empty() {
        prefer(&mut scores, &class.preference, settings.preference_share);
    }
    scores
}

/// From changes of the objective (smaller is better) to scores; refused rows get 0.
///
/// Three plain passes: each of them becomes vector instructions, all in one would not.
fn scale(blocks: &mut [[f64; LANES]], slack: impl Fn(usize) -> [f64; LANES]) {
    for (index, block) in blocks.iter_mut().enumerate() {
        *block = refuse(*block, slack(index));
    }
    let (low, high) = extent(blocks);
    let step = if high > low { (MOST - LEAST) / (high - low) } else { 0.0 };
    for block in blocks {
        *block = block.map(|change| {
            let score = (MOST - (change - low) * step).clamp(LEAST, MOST);
            if change == REFUSED { 0.0 } else { score }
        });
    }
}

/// Marks the rows that have no slack.
#[inline]
fn refuse(changes: [f64; LANES], slack: [f64; LANES]) -> [f64; LANES] {
    std::array::from_fn(|lane| if slack[lane] < 0.0 { REFUSED } else { changes[lane] })
}

/// The least and the largest change of the rows that are not refused.
fn extent(blocks: &[[f64; LANES]]) -> (f64, f64) {
    let low = least(blocks, |change| change);
    let high = -least(blocks, |change| if change == REFUSED { REFUSED } else { -change });
    (low, high)
}

fn least(blocks: &[[f64; LANES]], of: impl Fn(f64) -> f64) -> f64 {
    let least = blocks
        .iter()
        .fold([REFUSED; LANES], |least, block| std::array::from_fn(|lane| smaller(least[lane], of(block[lane]))));
    least.into_iter().fold(REFUSED, smaller)
}

fn prefer(scores: &mut [f64], preference: &[f64], share: f64) {
    for (score, preference) in scores.iter_mut().zip(preference) {
        if *score > 0.0 {
            *score = (1.0 - share) * *score + share * MOST * preference;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(changes: [f64; LANES], slack: [f64; LANES]) -> [f64; LANES] {
        let mut blocks = [changes];
        scale(&mut blocks, |_| slack);
        blocks[0]
    }

    #[test]
    fn the_smallest_change_scores_a_hundred_and_refused_rows_nothing() {
        let scores = scaled(
            [5.0, -3.0, 1.0, -9.0, 9.0, 1.0, 3.0, 0.0],
            [0.0, 2.0, 1.0, -1.0, -2.0, 9.0, 7.0, f64::NEG_INFINITY],
        );
        assert_eq!(scores, [1.0, 100.0, 50.5, 0.0, 0.0, 50.5, 25.75, 0.0]);
    }

    #[test]
    fn equal_changes_score_equally() {
        assert_eq!(scaled([2.0; LANES], [0.0; LANES]), [100.0; LANES]);
    }

    #[test]
    fn nothing_passing_scores_nothing() {
        assert_eq!(scaled([2.0; LANES], [-1.0; LANES]), [0.0; LANES]);
    }

    #[test]
    fn a_full_preference_share_leaves_the_preference_alone() {
        let mut scores = [100.0, 1.0, 0.0];
        prefer(&mut scores, &[0.0, 1.0, 1.0], 1.0);
        assert_eq!(scores, [0.0, 100.0, 0.0]);
    }
}
