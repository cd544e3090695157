//! Score: how good every row would be, by the change of the cluster's objective with the pod there, given the plan for
//! all other pods.

use std::{borrow::Cow, ops::Range};

use gantry_solver::problems::placement::{self, NodeColumns, RowScorer};

use crate::{
    filter::{Slack, Trial},
    margins::{LANES, smaller},
    risk,
    settings::{Objective, Settings},
    state::{Cluster, LARGEST_AMOUNT},
    types::{DomainClass, Pod, Snapshot},
};

/// The scores of rows that pass, for pods that weigh anything. Above 0, so that a row which passes never looks like one
/// that is refused.
const PASSING: Band = Band { least: 1.0, most: 100.0 };
/// The scores of rows that are refused for running hot alone: below all that pass, and above 0, as Filter lets them
/// pass where no other row is left.
const HOT: Band = Band { least: 0.25, most: 0.75 };
/// Stands in place of the change of a row that does not pass.
const REFUSED: f64 = f64::INFINITY;

/// The scores of some rows, from the worst to the best of them.
#[derive(Clone, Copy)]
struct Band {
    least: f64,
    most: f64,
}

impl Band {
    /// From changes of the objective between `low` and `high` (smaller is better) to scores.
    #[inline]
    fn scores(self, low: f64, high: f64) -> impl Fn(f64) -> f64 {
        let Self { least, most } = self;
        let step = if high > low { (most - least) / (high - low) } else { 0.0 };
        move |change| (most - (change - low) * step).clamp(least, most)
    }

    /// A score with this share of it given by a preference from 0 to 1.
    #[inline]
    fn with_preference(self, score: f64, preference: f64, share: f64) -> f64 {
        let Self { least, most } = self;
        let preferred = least + (most - least) * preference;
        ((1.0 - share) * score + share * preferred).clamp(least, most)
    }
}

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
    if !cluster.scorer.0.weighs(amounts) {
        return preferences(cluster, class, pod, settings.preference_share);
    }
    let mut scores = cluster.scorer.changes(amounts);
    if settings.risk_weight > 0.0 && !cluster.snapshot.used_p90.is_empty() {
        risk::add(&mut scores, &cluster.snapshot, amounts, settings.hot_share, settings.risk_weight);
    }
    let trial = Trial::beside_plan(cluster, class, pod);
    let blocks = scores.as_chunks_mut().0;
    let hot = if trial.is_by_forecast() {
        refuse_by_forecast(blocks, |block| trial.slack(block))
    } else {
        refuse(blocks, |block| trial.room(block));
        Vec::new()
    };
    scale(blocks, &hot);
    scores.truncate(cluster.rows());
    if settings.preference_share > 0.0 && !class.preference.is_empty() {
        prefer(&mut scores, &class.preference, settings.preference_share);
    }
    scores
}

/// One score a row for a pod to which all rows are the same, as it uses nothing that the objective weighs: its own
/// preference, where that has a share. Else none is preferred to any other, and whoever asked may go by something else.
fn preferences(cluster: &Cluster, class: &DomainClass, pod: &Pod, share: f64) -> Vec<f64> {
    let mut scores = vec![0.0; cluster.rows()];
    if share == 0.0 || class.preference.is_empty() {
        return scores;
    }
    let trial = Trial::beside_plan(cluster, class, pod);
    let blocks = scores.chunks_mut(LANES).zip(class.preference.chunks(LANES)).enumerate();
    for (block, (scores, preferences)) in blocks {
        let slack = trial.slack(block);
        for (lane, (score, preference)) in scores.iter_mut().zip(preferences).enumerate() {
            let most = if slack.all[lane] >= 0.0 { PASSING.most } else { 0.0 };
            let most = if slack.is_hot(lane) { HOT.most } else { most };
            *score = most * share * preference;
        }
    }
    scores
}

/// From changes of the objective (smaller is better) to scores. Rows that are marked as refused get 0, unless they only
/// run `hot`.
///
/// With the marking three plain passes: each of them becomes vector instructions, all in one would not.
fn scale(blocks: &mut [[f64; LANES]], hot: &[(usize, f64)]) {
    let (low, high) = extent(blocks);
    let score = PASSING.scores(low, high);
    for block in blocks.iter_mut() {
        *block = block.map(|change| {
            let score = score(change);
            if change == REFUSED { 0.0 } else { score }
        });
    }
    score_hot(blocks, hot);
}

/// Marks the rows that do not pass, where nothing is forecast.
fn refuse(blocks: &mut [[f64; LANES]], room: impl Fn(usize) -> [f64; LANES]) {
    for (index, block) in blocks.iter_mut().enumerate() {
        *block = marked(*block, room(index));
    }
}

/// Marks the rows that do not pass. Those that only run hot are given back with their changes: a cluster that has none
/// takes no further pass.
fn refuse_by_forecast(blocks: &mut [[f64; LANES]], slack: impl Fn(usize) -> Slack) -> Vec<(usize, f64)> {
    let mut hot = Vec::new();
    for (index, block) in blocks.iter_mut().enumerate() {
        let slack = slack(index);
        if slack.is_any_hot() {
            set_aside(&mut hot, index, block, &slack);
        }
        *block = marked(*block, slack.all);
    }
    hot
}

/// Keeps the rows of a block that are refused for running hot alone, with their changes.
#[cold]
fn set_aside(hot: &mut Vec<(usize, f64)>, index: usize, changes: &[f64; LANES], slack: &Slack) {
    let lanes = (0..LANES).filter(|&lane| slack.is_hot(lane));
    hot.extend(lanes.map(|lane| (index * LANES + lane, changes[lane])));
}

/// Scores the rows that were set aside.
fn score_hot(blocks: &mut [[f64; LANES]], hot: &[(usize, f64)]) {
    let low = hot.iter().map(|(_, change)| *change).fold(REFUSED, smaller);
    let high = -hot.iter().map(|(_, change)| -change).fold(REFUSED, smaller);
    let score = HOT.scores(low, high);
    for &(row, change) in hot {
        blocks[row / LANES][row % LANES] = score(change);
    }
}

/// Changes with a mark in place of those of rows that have no slack.
#[inline]
fn marked(changes: [f64; LANES], slack: [f64; LANES]) -> [f64; LANES] {
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

/// Each row stays within its scale: no preference lifts a row that runs hot above one that passes.
fn prefer(scores: &mut [f64], preference: &[f64], share: f64) {
    for (score, preference) in scores.iter_mut().zip(preference) {
        let band = if *score < PASSING.least { HOT } else { PASSING };
        if *score > 0.0 {
            *score = band.with_preference(*score, *preference, share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Plugin;

    /// Where nothing is forecast.
    fn scaled(changes: [f64; LANES], slack: [f64; LANES]) -> [f64; LANES] {
        scaled_by_forecast(changes, slack, slack)
    }

    fn scaled_by_forecast(changes: [f64; LANES], room: [f64; LANES], all: [f64; LANES]) -> [f64; LANES] {
        let mut blocks = [changes];
        let hot = refuse_by_forecast(&mut blocks, |_| Slack { room, all });
        scale(&mut blocks, &hot);
        blocks[0]
    }

    /// Verdicts and scores for a pod that asks for 10, on rows of 100 that use so much at their 0.9 quantile, half of
    /// it at the median, and are asked for so much.
    fn answers(p90: &[f64], requested: &[f64]) -> (Vec<u8>, Vec<f64>) {
        let rows = p90.len();
        let class = DomainClass { id: 0, possible: vec![!0], permitted: vec![!0], preference: Vec::new() };
        let snapshot = Snapshot {
            generation: 1,
            rows: rows as u32,
            resources: 1,
            allocatable: vec![100.0; rows],
            requested: requested.to_vec(),
            used_p50: p90.iter().map(|used| used / 2.0).collect(),
            used_p90: p90.to_vec(),
            planned: Vec::new(),
            weights: vec![1.0; rows],
            classes: vec![class],
        };
        let mut plugin = Plugin::default();
        plugin.push_snapshot(snapshot).unwrap();
        let pod = Pod { class: 0, request: vec![10.0], estimate: Vec::new(), planned_row: -1 };
        (plugin.filter(&pod).unwrap(), plugin.score(&pod).unwrap())
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
    fn rows_that_only_run_hot_score_by_their_changes_below_all_that_pass() {
        let scores = scaled_by_forecast(
            [5.0, -3.0, 1.0, -8.0, 8.0, 1.0, 0.0, -9.0],
            [0.0, 2.0, 1.0, 1.0, 2.0, 9.0, 0.0, -1.0],
            [0.0, 2.0, 1.0, -1.0, -2.0, 9.0, -7.0, -1.0],
        );
        assert_eq!(scores, [1.0, 100.0, 50.5, 0.75, 0.25, 50.5, 0.5, 0.0]);
    }

    #[test]
    fn hot_rows_of_every_block_are_found() {
        let mut blocks = [[2.0; LANES]; 3];
        let hot = refuse_by_forecast(&mut blocks, |block| {
            let mut all = [1.0; LANES];
            all[[0, 5, 7][block]] = -1.0;
            Slack { room: [1.0; LANES], all }
        });
        scale(&mut blocks, &hot);
        assert_eq!([blocks[0][0], blocks[1][5], blocks[2][7]], [0.75; 3]);
        assert_eq!(blocks.as_flattened().iter().filter(|score| **score == 100.0).count(), 3 * LANES - 3);
    }

    #[test]
    fn where_every_row_runs_hot_the_one_that_stays_coolest_scores_best() {
        let (verdicts, scores) = answers(&[95.0, 85.0, 99.0, 88.0], &[0.0, 0.0, 0.0, 95.0]);
        assert_eq!(verdicts, [4, 4, 4, 3]);
        assert_eq!((scores[1], scores[3]), (0.75, 0.0), "the last has no room");
        assert!(scores[1] > scores[0] && scores[0] > scores[2] && scores[2] > 0.0, "{scores:?}");
    }

    #[test]
    fn a_hot_row_scores_less_than_the_worst_that_passes() {
        let (verdicts, scores) = answers(&[95.0, 10.0, 60.0], &[0.0; 3]);
        assert_eq!(verdicts, [4, 0, 0]);
        assert_eq!(scores[..2], [0.75, 100.0]);
        assert!((1.0..2.0).contains(&scores[2]), "{scores:?}");
    }

    /// Three rows that are alike but for what is taken of their two resources: 60 and 20 % of row 0, 20 and 60 % of row 1,
    /// all of the first of row 2. Pods like row 2 most, then row 0.
    fn mirrored(settings: &str, weights: [f64; 2]) -> Plugin {
        let class = DomainClass { id: 0, possible: vec![!0], permitted: vec![!0], preference: vec![0.5, 0.25, 1.0] };
        let mut plugin = Plugin::default();
        plugin.configure(settings).unwrap();
        let snapshot = Snapshot {
            generation: 1,
            rows: 3,
            resources: 2,
            allocatable: vec![100.0; 6],
            requested: vec![60.0, 20.0, 20.0, 60.0, 100.0, 40.0],
            used_p50: Vec::new(),
            used_p90: Vec::new(),
            planned: Vec::new(),
            weights: weights.repeat(3),
            classes: vec![class],
        };
        plugin.push_snapshot(snapshot).unwrap();
        plugin
    }

    fn pod(request: [f64; 2]) -> Pod {
        Pod { class: 0, request: request.to_vec(), estimate: Vec::new(), planned_row: -1 }
    }

    #[test]
    fn under_every_objective_weights_decide_by_how_they_compare() {
        for objective in ["balanced", "resources", "sigma"] {
            let settings = format!(r#"{{"objective":"{objective}"}}"#);
            let scores = |weights| mirrored(&settings, weights).score(&pod([10.0, 10.0])).unwrap();
            let (first, second) = (scores([10.0, 1.0]), scores([1.0, 10.0]));
            assert!(first[0] < first[1] && second[0] > second[1], "{objective}: {first:?} {second:?}");
            for equal in [0.1, 5.0] {
                assert_eq!(scores([equal; 2]), scores([1.0; 2]), "{objective}");
            }
        }
    }

    #[test]
    fn a_pod_that_asks_for_nothing_with_a_weight_prefers_no_row() {
        assert_eq!(mirrored("", [1.0; 2]).score(&pod([0.0; 2])).unwrap(), [0.0; 3]);
        assert_eq!(mirrored("", [0.0, 1.0]).score(&pod([10.0, 0.0])).unwrap(), [0.0; 3]);
        assert_eq!(mirrored("", [1.0; 2]).filter(&pod([0.0; 2])).unwrap(), [0; 3]);
    }

    #[test]
    fn a_pod_that_asks_for_nothing_with_a_weight_goes_by_its_preference_where_that_has_a_share() {
        let settings = r#"{"preferenceShare":0.5}"#;
        assert_eq!(mirrored(settings, [1.0; 2]).score(&pod([0.0; 2])).unwrap(), [25.0, 12.5, 50.0]);
        // It does not fit on row 2.
        assert_eq!(mirrored(settings, [0.0, 1.0]).score(&pod([10.0, 0.0])).unwrap(), [25.0, 12.5, 0.0]);
    }

    #[test]
    fn a_full_preference_share_leaves_the_preference_alone() {
        let mut scores = [100.0, 1.0, 0.0];
        prefer(&mut scores, &[0.0, 1.0, 1.0], 1.0);
        assert_eq!(scores, [1.0, 100.0, 0.0]);
    }

    #[test]
    fn no_preference_lifts_a_hot_row_above_one_that_passes() {
        let mut scores = [1.0, 0.25, 0.75];
        prefer(&mut scores, &[0.0, 1.0, 0.0], 0.5);
        assert_eq!(scores, [1.0, 0.5, 0.5]);
        let mut scores = [1.0, 0.25, 0.75];
        prefer(&mut scores, &[0.0, 1.0, 0.0], 1.0);
        assert_eq!(scores, [1.0, 0.75, 0.25]);
    }
}
