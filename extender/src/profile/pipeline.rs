//! How the answers of several plugins become one.
//!
//! Pure: answers in, one answer out. Promises that no refusal is lost, and that scores
//! stay within 0..=100 whatever the weights.

use crate::cycle::Fallback;

/// The contract's verdicts that keep a pod off a row whatever other rows there are.
const FORBIDDEN: u8 = 1;
/// The contract's verdict that holds unless it would leave no row.
const OVERLOADED_SOON: u8 = 4;

/// What the plugins of a profile say together.
#[derive(Debug)]
pub struct Combined<T> {
    /// The one answer.
    pub answer: T,
    /// The plugins that gave none, and why.
    pub left_out: Vec<Fallback>,
}

/// What the plugins of a profile say one by one.
#[derive(Debug)]
pub(super) struct Answers<T> {
    given: Vec<T>,
    left_out: Vec<Fallback>,
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self { given: Vec::new(), left_out: Vec::new() }
    }
}

impl<T> Answers<T> {
    pub(super) fn add(&mut self, answer: Result<T, Fallback>) {
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
        Ok(Combined { answer: combine(self.given), left_out: self.left_out })
    }
}

/// One verdict a row; `None` where there are no answers.
///
/// Of a row's verdicts the one that binds most counts, and among equals the first: what a dictionary forbids must not
/// be waved through because another plugin only finds the node hot.
pub(super) fn verdicts(answers: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let mut answers = answers.into_iter();
    let mut first = answers.next()?;
    for other in answers {
        for (verdict, other) in first.iter_mut().zip(other) {
            if strength(other) > strength(*verdict) {
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
        assert_eq!(verdicts(vec![vec![0, 0, 1, 4], vec![0, 4, 0, 0]]), Some(vec![0, 4, 1, 4]));
        assert_eq!(verdicts(Vec::new()), None);
    }

    #[test]
    fn what_is_forbidden_outweighs_what_is_hot_and_both_what_only_informs() {
        assert_eq!(verdicts(vec![vec![4, 2, 3], vec![1, 4, 1]]), Some(vec![1, 4, 1]));
        assert_eq!(verdicts(vec![vec![2, 3], vec![3, 2]]), Some(vec![2, 3]), "among equals the first");
    }

    #[test]
    fn a_weight_counts_as_often_as_it_says() {
        let answers = vec![(3.0, vec![100.0, 0.0]), (1.0, vec![0.0, 100.0])];
        assert_eq!(mean(answers), Some(vec![75.0, 25.0]));
        assert_eq!(mean(vec![(7.0, vec![33.3])]), Some(vec![33.3]));
    }

    #[test]
    fn who_fails_does_not_count_and_only_where_all_fail_is_there_no_answer() {
        let mut answers = Answers::default();
        answers.add(Err(fallback()));
        answers.add(Ok((5.0, vec![40.0])));
        let combined = answers.combined(|scores| mean(scores).unwrap()).unwrap();
        assert_eq!((combined.answer, combined.left_out.len()), (vec![40.0], 1));
        let mut answers = Answers::<()>::default();
        answers.add(Err(fallback()));
        answers.add(Err(fallback()));
        assert_eq!(answers.combined(drop).unwrap_err().len(), 2);
        assert!(Answers::<()>::default().combined(drop).is_ok(), "nobody was asked, nobody failed");
    }

    proptest! {
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
