//! Checks of every answer before anybody sees it.
//!
//! A sandbox keeps a plugin from doing harm in the host's process; these checks keep its numbers from doing harm
//! afterwards. They promise that an answer that passes has the right length and only finite numbers in range. They must
//! not know what the numbers are used for.

use std::ops::RangeInclusive;

use crate::error::Failure;
use crate::types::Plan;

/// The verdicts of the contract, 0 (pass) to 4 (overloaded soon).
const VERDICTS: RangeInclusive<u8> = 0..=4;

/// The scores of the contract.
const SCORES: RangeInclusive<f64> = 0.0..=100.0;

/// The answer of `filter`: one verdict a row.
pub(crate) fn verdicts(answer: Vec<u8>, rows: usize) -> Result<Vec<u8>, Failure> {
    length(answer.len(), rows)?;
    match first_outside(&answer, &VERDICTS) {
        None => Ok(answer),
        Some(row) => Err(out_of_range("verdicts", row, answer[row].into(), "0..=4".into())),
    }
}

/// The answer of `score`: one score a row.
pub(crate) fn scores(answer: Vec<f64>, rows: usize) -> Result<Vec<f64>, Failure> {
    length(answer.len(), rows)?;
    match first_outside(&answer, &SCORES) {
        None => Ok(answer),
        Some(row) => {
            finite("scores", &answer)?;
            Err(out_of_range("scores", row, answer[row], "0..=100".into()))
        }
    }
}

/// The answer of `plan`: a row or -1 for each pod, an objective, and figures about the search.
pub(crate) fn plan(answer: Plan, pods: usize, rows: usize) -> Result<Plan, Failure> {
    length(answer.rows.len(), pods)?;
    let is_row = |row: i32| row == -1 || usize::try_from(row).is_ok_and(|row| row < rows);
    if let Some(pod) = answer.rows.iter().position(|row| !is_row(*row)) {
        return Err(out_of_range("rows", pod, answer.rows[pod].into(), format!("-1..{rows}")));
    }
    finite("objective", &answer.objective)?;
    finite("violation", &[answer.violation])?;
    if answer.violation < 0.0 {
        return Err(out_of_range("violation", 0, answer.violation, "0..".into()));
    }
    Ok(answer)
}

/// Nearly every answer is good: all of it is looked at without a branch before one number is looked for.
fn first_outside<T: PartialOrd>(numbers: &[T], range: &RangeInclusive<T>) -> Option<usize> {
    let is_inside = |number: &T| (range.start() <= number) & (number <= range.end());
    if numbers.iter().fold(true, |all, number| all & is_inside(number)) {
        return None;
    }
    numbers.iter().position(|number| !is_inside(number))
}

fn length(found: usize, expected: usize) -> Result<(), Failure> {
    if found == expected { Ok(()) } else { Err(Failure::BadLength { found, expected }) }
}

fn finite(field: &'static str, numbers: &[f64]) -> Result<(), Failure> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Failure::NotFinite { field, index, value: numbers[index] }),
    }
}

fn out_of_range(field: &'static str, index: usize, value: f64, allowed: String) -> Failure {
    Failure::OutOfRange { field, index, value, allowed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;
    use crate::types::TerminationReason;

    fn reason<T>(answer: Result<T, Failure>) -> Reason {
        answer.err().expect("the answer should have been refused").reason()
    }

    fn answer(rows: &[i32], objective: f64, violation: f64) -> Plan {
        Plan {
            rows: rows.to_vec(),
            objective: vec![objective],
            violation,
            evaluations: 0,
            generations: 0,
            reason: TerminationReason::Trivial,
        }
    }

    #[test]
    fn verdicts_from_pass_to_overloaded_soon_are_taken_and_the_next_is_not() {
        assert_eq!(verdicts(vec![0, 1, 2, 3, 4], 5).unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(reason(verdicts(vec![0, 5], 2)), Reason::OutOfRange);
        assert_eq!(reason(verdicts(vec![0], 2)), Reason::BadLength);
    }

    #[test]
    fn scores_are_taken_with_both_ends_of_their_range() {
        assert_eq!(scores(vec![0.0, -0.0, 100.0], 3).unwrap(), [0.0, -0.0, 100.0]);
        for score in [-f64::MIN_POSITIVE, 100.000_001] {
            assert_eq!(reason(scores(vec![score], 1)), Reason::OutOfRange);
        }
        for score in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(reason(scores(vec![score], 1)), Reason::NotFinite);
        }
        assert_eq!(reason(scores(vec![], 1)), Reason::BadLength);
    }

    #[test]
    fn a_refused_number_is_named_with_its_row() {
        let error = scores(vec![1.0, f64::NAN], 2).unwrap_err();
        assert_eq!(error.to_string(), "scores[1] is NaN");
        let error = verdicts(vec![9], 1).unwrap_err();
        assert_eq!(error.to_string(), "verdicts[0] is 9, allowed are 0..=4");
    }

    #[test]
    fn a_plan_names_rows_that_exist_or_none() {
        assert!(plan(answer(&[-1, 0, 2], 1.0, 0.0), 3, 3).is_ok());
        for row in [-2, 3, i32::MIN, i32::MAX] {
            assert_eq!(reason(plan(answer(&[row], 1.0, 0.0), 1, 3)), Reason::OutOfRange);
        }
        assert_eq!(reason(plan(answer(&[0], 1.0, 0.0), 2, 3)), Reason::BadLength);
    }

    #[test]
    fn a_plan_has_finite_figures() {
        assert_eq!(reason(plan(answer(&[], f64::NAN, 0.0), 0, 3)), Reason::NotFinite);
        assert_eq!(reason(plan(answer(&[], 0.0, f64::INFINITY), 0, 3)), Reason::NotFinite);
        assert_eq!(reason(plan(answer(&[], 0.0, -1.0), 0, 3)), Reason::OutOfRange);
    }
}
