//! What a plugin's verdicts mean for kube-scheduler's candidates.
//!
//! Pure: rows and verdicts in, refusals out. Only the dictionary and the forecast
//! refuse; on Kubernetes' own rules and on capacity kube-scheduler's view is fresher.

use gantry_cluster::Snapshot;

use super::Disagreement;
use crate::wire::filter::Refusal;

/// The verdicts of the contract, `scheduler.filter`.
pub(super) const PASS: u8 = 0;
const FORBIDDEN: u8 = 1;
const MISMATCH: u8 = 2;
const INSUFFICIENT: u8 = 3;
const OVERLOADED_SOON: u8 = 4;

/// What becomes of the candidates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// One entry a candidate; `None`: it stays.
    pub(super) refusals: Vec<Option<Refusal>>,
    /// How many stay though our view would refuse them.
    pub(super) disagreements: [(Disagreement, u64); 3],
}

/// Judges candidates by the verdicts on their rows; `None` is a node that we do not know.
///
/// Where nobody would stay, those refused only for running hot stay: a hot cluster still schedules.
pub(super) fn judge(rows: &[Option<u32>], verdicts: &[u8]) -> Judgement {
    let verdicts: Vec<Option<u8>> =
        rows.iter().map(|row| row.and_then(|row| verdicts.get(row as usize).copied())).collect();
    let mut refusals: Vec<Option<Refusal>> = verdicts.iter().map(|verdict| verdict.and_then(refusal)).collect();
    if refusals.iter().all(Option::is_some) {
        for refusal in &mut refusals {
            refusal.take_if(|refusal| *refusal == Refusal::OverloadedSoon);
        }
    }
    let count = |verdict: Option<u8>| verdicts.iter().filter(|other| **other == verdict).count() as u64;
    let disagreements = [
        (Disagreement::Mismatch, count(Some(MISMATCH))),
        (Disagreement::Insufficient, count(Some(INSUFFICIENT))),
        (Disagreement::UnknownNode, count(None)),
    ];
    Judgement { refusals, disagreements }
}

fn refusal(verdict: u8) -> Option<Refusal> {
    match verdict {
        FORBIDDEN => Some(Refusal::Forbidden),
        OVERLOADED_SOON => Some(Refusal::OverloadedSoon),
        _ => None,
    }
}

/// Whether the filter would refuse a row even after evictions: eviction changes neither the dictionary nor, soon
/// enough, the forecast.
pub(super) fn refuses_after_eviction(verdict: u8) -> bool {
    refusal(verdict).is_some()
}

/// Whether a request fits beside what is `left` on a row after `victims` pods are gone.
///
/// Every pod asks for one of `pods`: that column tells whether all the victims were counted on the row. Where not all
/// were, nothing can be said and the answer is yes.
pub(super) fn fits(snapshot: &Snapshot, row: u32, request: &[f64], left: &[f64], victims: usize) -> bool {
    let names = snapshot.resources();
    let start = row as usize * names.len();
    let requested = &snapshot.requested()[start..][..names.len()];
    let allocatable = &snapshot.allocatable()[start..][..names.len()];
    let counted = names.iter().position(|name| &**name == "pods").map(|pods| requested[pods] - left[pods]);
    if counted != Some(victims as f64) {
        return true;
    }
    let columns = request.iter().zip(left).zip(allocatable);
    columns.into_iter().all(|((request, left), allocatable)| *request == 0.0 || left + request <= *allocatable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stays(verdicts: &[u8]) -> Vec<bool> {
        let rows: Vec<Option<u32>> = (0..verdicts.len() as u32).map(Some).collect();
        judge(&rows, verdicts).refusals.iter().map(Option::is_none).collect()
    }

    #[test]
    fn only_the_dictionary_and_the_forecast_refuse() {
        assert_eq!(
            stays(&[PASS, FORBIDDEN, MISMATCH, INSUFFICIENT, OVERLOADED_SOON]),
            [true, false, true, true, false]
        );
    }

    #[test]
    fn where_every_node_runs_hot_all_pass() {
        assert_eq!(stays(&[OVERLOADED_SOON, OVERLOADED_SOON]), [true, true]);
    }

    #[test]
    fn a_hot_node_passes_where_the_dictionary_forbids_all_others() {
        assert_eq!(stays(&[OVERLOADED_SOON, FORBIDDEN]), [true, false]);
    }

    #[test]
    fn what_the_dictionary_forbids_stays_forbidden() {
        assert_eq!(stays(&[FORBIDDEN, FORBIDDEN]), [false, false]);
    }

    #[test]
    fn unknown_nodes_and_stale_verdicts_pass_and_are_counted() {
        let judgement = judge(&[None, Some(0), Some(1), Some(9)], &[MISMATCH, INSUFFICIENT]);
        assert_eq!(judgement.refusals, [None; 4]);
        let expected = [(Disagreement::Mismatch, 1), (Disagreement::Insufficient, 1), (Disagreement::UnknownNode, 2)];
        assert_eq!(judgement.disagreements, expected);
    }

    #[test]
    fn no_candidates_stay_no_candidates() {
        assert_eq!(judge(&[], &[FORBIDDEN]).refusals, []);
    }
}
