//! How the answers of several plugins become one.
//!
//! Pure: answers in, one answer out. Promises that no refusal is lost, and that scores
//! stay within 0..=100 whatever the weights.

use std::sync::Arc;
use std::time::Duration;

use crate::cycle::Fallback;
use crate::decision::PluginCall;

/// The contract's verdicts that keep a pod off a row whatever other rows there are.
const FORBIDDEN: u8 = 1;
/// The contract's verdict that holds unless it would leave no row.
const OVERLOADED_SOON: u8 = 4;

/// What is said of a row, and by whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The contract's verdict, 0 (pass) to 4.
    pub code: u8,
    /// The plugin's place in the profile.
    pub by: u8,
}

/// What the plugins of a profile say together.
#[derive(Debug)]
pub struct Combined<T> {
    /// The one answer.
    pub answer: T,
    /// The plugins that gave none, and why.
    pub left_out: Vec<Fallback>,
    /// All that were asked, in the order of asking.
    pub asked: Vec<PluginCall>,
}

/// What the plugins of a profile say one by one.
#[derive(Debug)]
pub(super) struct Answers<T> {
    given: Vec<T>,
    left_out: Vec<Fallback>,
    asked: Vec<PluginCall>,
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self { given: Vec::new(), left_out: Vec::new(), asked: Vec::new() }
    }
}

impl<T> Answers<T> {
    /// Takes in what a plugin said, and how long that took.
    pub(super) fn add(&mut self, plugin: &Arc<str>, took: Duration, answer: Result<T, Fallback>) {
        let (name, seconds, answered) = (Arc::clone(plugin), took.as_secs_f64(), answer.is_ok());
        self.asked.push(PluginCall { name, seconds, answered });
        match answer {
            Ok(answer) => self.given.push(answer),
            Err(fallback) => self.left_out.push(fallback),
        }
    }

    /// One answer of them all. Where nobody was asked that is no failure.
    pub(super) fn combined<U>(self, combine: impl FnOnce(Vec<T>) -> U) -> Result<Combined<U>, Vec<Fallback>> {
        if self.given.is_empty() && !self.left_out.is_empty() {
            return Err(self.left_out);
        }
        Ok(Combined { answer: combine(self.given), left_out: self.left_out, asked: self.asked })
    }
}

/// One verdict a row, of the plugins at these places; `None` where there are no answers.
///
/// Of a row's verdicts the one that binds most counts, and among equals the first: what a dictionary forbids must not
/// be waved through because another plugin only finds the node hot.
pub(super) fn verdicts(answers: Vec<(u8, Vec<u8>)>) -> Option<Vec<Verdict>> {
    let of = |(by, codes): (u8, Vec<u8>)| codes.into_iter().map(move |code| Verdict { code, by });
    let mut answers = answers.into_iter().map(of);
    let mut first: Vec<Verdict> = answers.next()?.collect();
    for other in answers {
        for (verdict, other) in first.iter_mut().zip(other) {
            if strength(other.code) > strength(verdict.code) {
                *verdict = other;
            }
        }
    }
    Some(first)
}

/// How much a verdict binds: mismatch and insufficient only inform.
fn strength(verdict: u8) -> u8 {
    match verdict {
        0 => 0,
        FORBIDDEN => 3,
        OVERLOADED_SOON => 2,
        _ => 1,
    }
}

/// Stretches scores so that the worst of the candidates has 0 and the best 100. Where the plugin finds all equally good
/// each has 0: it prefers none. Other rows keep to the scale.
pub(super) fn stretch(scores: &mut [f64], candidates: &[u32]) {
    let own = |row: &u32| scores.get(*row as usize).copied();
    let (low, high) = candidates
        .iter()
        .filter_map(own)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), score| (low.min(score), high.max(score)));
    let width = high - low;
    for score in scores {
        *score = if width > 0.0 { (100.0 * ((*score - low) / width)).clamp(0.0, 100.0) } else { 0.0 };
    }
}

/// The weighted mean, row by row; `None` where there are no answers. A single answer is itself, bit for bit.
pub(super) fn mean(mut answers: Vec<(f64, Vec<f64>)>) -> Option<Vec<f64>> {
    if answers.len() == 1 {
        return answers.pop().map(|(_, scores)| scores);
    }
    let total: f64 = answers.iter().map(|(weight, _)| weight).sum();
    let mut answers = answers.into_iter();
    let (weight, mut mean) = answers.next()?;
    for score in &mut mean {
        *score *= weight / total;
    }
    for (weight, scores) in answers {
        for (mean, score) in mean.iter_mut().zip(scores) {
            *mean += score * (weight / total);
        }
    }
    for score in &mut mean {
        *score = score.clamp(0.0, 100.0);
    }
    Some(mean)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cycle::Cause;

    fn fallback() -> Fallback {
        Fallback::new("p", Cause::BadPod, "")
    }

    #[test]
    fn a_row_passes_only_where_every_plugin_lets_it() {
        let said = verdicts(vec![(0, vec![0, 0, 1, 4]), (2, vec![0, 4, 0, 0])]).unwrap();
        assert_eq!(
            said.iter().map(|verdict| (verdict.code, verdict.by)).collect::<Vec<_>>(),
            [(0, 0), (4, 2), (1, 0), (4, 0)]
        );
        assert_eq!(verdicts(Vec::new()), None);
    }

    #[test]
    fn what_is_forbidden_outweighs_what_is_hot_and_both_what_only_informs() {
        let codes = |one: &[u8], other: &[u8]| -> Vec<u8> {
            let said = verdicts(vec![(0, one.to_vec()), (1, other.to_vec())]).unwrap();
            said.iter().map(|verdict| verdict.code).collect()
        };
        assert_eq!(codes(&[4, 2, 3], &[1, 4, 1]), [1, 4, 1]);
        assert_eq!(codes(&[2, 3], &[3, 2]), [2, 3], "among equals the first");
    }

    #[test]
    fn a_weight_counts_as_often_as_it_says() {
        let answers = vec![(3.0, vec![100.0, 0.0]), (1.0, vec![0.0, 100.0])];
        assert_eq!(mean(answers), Some(vec![75.0, 25.0]));
        assert_eq!(mean(vec![(7.0, vec![33.3])]), Some(vec![33.3]));
    }

    #[test]
    fn who_fails_does_not_count_and_only_where_all_fail_is_there_no_answer() {
        let (name, took) = ("p".into(), Duration::from_millis(2));
        let mut answers = Answers::default();
        answers.add(&name, took, Err(fallback()));
        answers.add(&name, took, Ok((5.0, vec![40.0])));
        let combined = answers.combined(|scores| mean(scores).unwrap()).unwrap();
        assert_eq!((combined.answer, combined.left_out.len()), (vec![40.0], 1));
        let asked: Vec<(f64, bool)> = combined.asked.iter().map(|call| (call.seconds, call.answered)).collect();
        assert_eq!(asked, [(0.002, false), (0.002, true)]);
        let mut answers = Answers::<()>::default();
        answers.add(&name, took, Err(fallback()));
        answers.add(&name, took, Err(fallback()));
        assert_eq!(answers.combined(drop).unwrap_err().len(), 2);
        assert!(Answers::<()>::default().combined(drop).is_ok(), "nobody was asked, nobody failed");
    }

    #[test]
    fn a_plugin_that_scores_to_1_counts_as_one_that_scores_to_100_where_it_is_stretched() {
        let mut small = vec![0.9, 0.1, 0.5, 0.0, 1.0];
        stretch(&mut small, &[0, 1, 2]);
        assert_eq!(small, [100.0, 0.0, 50.0, 0.0, 100.0], "other rows keep to the scale");
        let mut equal = vec![7.0, 7.0, 90.0];
        stretch(&mut equal, &[0, 1]);
        assert_eq!(equal[..2], [0.0, 0.0], "who finds all equally good prefers none");
        stretch(&mut equal, &[]);
        stretch(&mut equal, &[9]);
    }

    proptest! {
        #[test]
        fn stretching_keeps_the_order_of_the_candidates(scores in prop::collection::vec(0.0..=100.0f64, 1..9)) {
            let rows: Vec<u32> = (0..scores.len() as u32).collect();
            let mut stretched = scores.clone();
            stretch(&mut stretched, &rows);
            for (one, other) in rows.iter().zip(&rows[1..]) {
                let (one, other) = (*one as usize, *other as usize);
                prop_assert!(scores[one] > scores[other] || stretched[one] <= stretched[other]);
                prop_assert!(scores[one] < scores[other] || stretched[one] >= stretched[other]);
            }
            prop_assert!(stretched.iter().all(|score| (0.0..=100.0).contains(score)));
        }

        #[test]
        fn a_mean_stays_between_its_lowest_and_highest_score(
            answers in prop::collection::vec((1e-6..=1000.0f64, 0.0..=100.0f64), 1..8),
        ) {
            let lowest = answers.iter().map(|(_, score)| *score).fold(100.0, f64::min);
            let highest = answers.iter().map(|(_, score)| *score).fold(0.0, f64::max);
            let rows = answers.iter().map(|(weight, score)| (*weight, vec![*score])).collect();
            let mean = mean(rows).unwrap()[0];
            prop_assert!(lowest - 1e-9 <= mean && mean <= highest + 1e-9);
        }
    }
}
