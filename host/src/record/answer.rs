//! What a plugin answered, and where two answers part.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::numbers::Numbers;
use crate::types::{self, TerminationReason};

/// What a plugin answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Answer {
    /// One verdict a row.
    Verdicts(Vec<u8>),
    /// One score a row.
    Scores(Numbers),
    /// A joint assignment.
    Plan(RecordedPlan),
}

/// The contract's `joint-plan`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedPlan {
    rows: Vec<i32>,
    objective: Numbers,
    violation: Numbers,
    evaluations: u64,
    generations: u32,
    reason: String,
}

/// The first place where two answers part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which part of the answer: `verdicts`, `scores`, `rows` and so on.
    pub part: &'static str,
    /// The place in that part, from 0: a row, in a plan's `rows` a pod.
    pub place: usize,
    /// What was answered there.
    pub recorded: String,
    /// What is answered now.
    pub replayed: String,
}

impl Answer {
    /// Scores as the plugin gave them.
    #[must_use]
    pub fn scores(scores: &[f64]) -> Self {
        Self::Scores(scores.into())
    }

    /// A joint assignment as the plugin gave it.
    #[must_use]
    pub fn plan(plan: &types::Plan) -> Self {
        let reason = match plan.reason {
            TerminationReason::Budget => "budget",
            TerminationReason::Generations => "generations",
            TerminationReason::Converged => "converged",
            TerminationReason::Trivial => "trivial",
        };
        Self::Plan(RecordedPlan {
            rows: plan.rows.clone(),
            objective: plan.objective[..].into(),
            violation: [plan.violation][..].into(),
            evaluations: plan.evaluations,
            generations: plan.generations,
            reason: reason.to_owned(),
        })
    }

    /// How many bits, numbers or rows there are to compare: of a plan its pods.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Verdicts(verdicts) => verdicts.len(),
            Self::Scores(scores) => scores.len(),
            Self::Plan(plan) => plan.rows.len(),
        }
    }

    /// Whether there is nothing to compare.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where `replayed` is not, bit for bit, this answer; `None`: it is.
    #[must_use]
    pub fn difference(&self, replayed: &Self) -> Option<Difference> {
        match (self, replayed) {
            (Self::Verdicts(old), Self::Verdicts(new)) => parting("verdicts", old, new, PartialEq::eq),
            (Self::Scores(old), Self::Scores(new)) => parting("scores", old, new, same_bits),
            (Self::Plan(old), Self::Plan(new)) => old.difference(new),
            (old, new) => {
                let words =
                    |answer: &Self| format!("{answer:?}").split(['(', ' ']).next().unwrap_or_default().to_owned();
                Some(Difference { part: "answer", place: 0, recorded: words(old), replayed: words(new) })
            }
        }
    }
}

impl RecordedPlan {
    fn difference(&self, new: &Self) -> Option<Difference> {
        parting("rows", &self.rows, &new.rows, PartialEq::eq)
            .or_else(|| parting("objective", &self.objective, &new.objective, same_bits))
            .or_else(|| parting("violation", &self.violation, &new.violation, same_bits))
            .or_else(|| parting("evaluations", &[self.evaluations], &[new.evaluations], PartialEq::eq))
            .or_else(|| parting("generations", &[self.generations], &[new.generations], PartialEq::eq))
            .or_else(|| parting("reason", &[&self.reason], &[&new.reason], PartialEq::eq))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "compared as slices' elements are")]
fn same_bits(one: &f64, other: &f64) -> bool {
    one.to_bits() == other.to_bits()
}

fn parting<T: Display>(part: &'static str, old: &[T], new: &[T], same: fn(&T, &T) -> bool) -> Option<Difference> {
    let equal = old.iter().zip(new).take_while(|(old, new)| same(old, new)).count();
    let text = |side: &[T]| side.get(equal).map_or("nothing".to_owned(), ToString::to_string);
    let is_over = equal == old.len() && equal == new.len();
    (!is_over).then(|| Difference { part, place: equal, recorded: text(old), replayed: text(new) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_is_not_the_same_bit_for_bit_is_told() {
        let old = Answer::scores(&[1.0, 0.0, 3.0]);
        assert_eq!(old.difference(&old.clone()), None);
        let difference = old.difference(&Answer::scores(&[1.0, -0.0, 4.0])).unwrap();
        assert_eq!((difference.part, difference.place), ("scores", 1));
        assert_eq!((&*difference.recorded, &*difference.replayed), ("0", "-0"));
    }

    #[test]
    fn an_answer_that_is_cut_or_of_another_kind_is_not_the_same() {
        let (long, short) = (Answer::Verdicts(vec![0, 1]), Answer::Verdicts(vec![0]));
        assert_eq!(long.difference(&short).unwrap().replayed, "nothing");
        assert_eq!(short.difference(&long).unwrap().recorded, "nothing");
        let other = long.difference(&Answer::scores(&[0.0])).unwrap();
        assert_eq!((&*other.recorded, &*other.replayed), ("Verdicts", "Scores"));
    }
}
