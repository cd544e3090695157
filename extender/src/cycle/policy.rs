//! What a plugin's verdicts mean for kube-scheduler's candidates.
//!
//! Pure: rows and verdicts in, refusals out. Promises that what the dictionary forbids
//! is refused whatever plugins say. Beside it only their own rules and the forecast
//! refuse, whichever plugin says so; on Kubernetes' own rules and on capacity
//! kube-scheduler's view is fresher.

use gantry_cluster::Snapshot;

use super::Disagreement;
use crate::profile::Verdict;
use crate::wire::filter::{Ground, Refusal};

/// The verdicts of the contract, `scheduler.filter`, that are not 0 (pass).
const FORBIDDEN: u8 = 1;
const MISMATCH: u8 = 2;
const INSUFFICIENT: u8 = 3;
const OVERLOADED_SOON: u8 = 4;

/// What the dictionary says, in the words of our own plugin, which reads it too.
const BY_DICTIONARY: Refusal<'static> = Refusal { ground: Ground::Forbidden, by: None };

/// What becomes of the candidates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement<'a> {
    /// One entry a candidate; `None`: it stays.
    pub(crate) refusals: Vec<Option<Refusal<'a>>>,
    /// How many stay though our view would refuse them.
    pub(crate) disagreements: [(Disagreement, u64); 3],
}

/// Judges candidates by the verdicts on their rows; `None` is a node that we do not know.
///
/// Where nobody would stay, those refused only for running hot stay: a hot cluster still schedules. `permits` is what the
/// dictionary says of a row; a plugin that forbids it as well names the reason. `stranger` names the plugin of a verdict
/// that is not our own plugin's.
pub(crate) fn judge<'a>(
    rows: &[Option<u32>],
    verdicts: &[Verdict],
    permits: impl Fn(u32) -> bool,
    stranger: impl Fn(Verdict) -> Option<&'a str>,
) -> Judgement<'a> {
    let verdicts: Vec<Option<Verdict>> =
        rows.iter().map(|row| row.and_then(|row| verdicts.get(row as usize).copied())).collect();
    let said = |verdict: Verdict| Some(Refusal { ground: ground(verdict.code)?, by: stranger(verdict) });
    let refused = |(row, verdict): (&Option<u32>, &Option<Verdict>)| match verdict.and_then(said) {
        Some(refusal) if refusal.ground == Ground::Forbidden => Some(refusal),
        _ if row.is_some_and(|row| !permits(row)) => Some(BY_DICTIONARY),
        other => other,
    };
    let mut refusals: Vec<Option<Refusal>> = rows.iter().zip(&verdicts).map(refused).collect();
    if refusals.iter().all(Option::is_some) {
        for refusal in &mut refusals {
            refusal.take_if(|refusal| refusal.ground == Ground::OverloadedSoon);
        }
    }
    let kept = || verdicts.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none());
    let codes = || kept().map(|(verdict, _)| verdict.map(|verdict| verdict.code));
    let count = |code: Option<u8>| codes().filter(|said| *said == code).count() as u64;
    let disagreements = [
        (Disagreement::Mismatch, count(Some(MISMATCH))),
        (Disagreement::Insufficient, count(Some(INSUFFICIENT))),
        (Disagreement::UnknownNode, count(None)),
    ];
    Judgement { refusals, disagreements }
}

fn ground(verdict: u8) -> Option<Ground> {
    match verdict {
        FORBIDDEN => Some(Ground::Forbidden),
        OVERLOADED_SOON => Some(Ground::OverloadedSoon),
        _ => None,
    }
}

/// A candidate for eviction, as we see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Eviction {
    /// Whether the dictionary lets the pod go there, as far as the node is known.
    pub(super) is_permitted: bool,
    /// The verdict on its row; `None` where we do not know the node, or nobody gave any.
    pub(super) verdict: Option<u8>,
    /// Whether the pod has room there once the victims are gone; says nothing where it is not permitted.
    pub(super) has_room: bool,
}

/// Which candidates for eviction stay: eviction changes neither the dictionary nor, soon enough, the forecast.
///
/// As in [`judge`]: where nobody would stay, all stay but those that the dictionary forbids. A hot cluster still makes
/// room for who is more urgent, and a view that leaves kube-scheduler no node to make room on is likely older than its.
pub(super) fn sensible(evictions: &[Eviction]) -> Vec<bool> {
    let refusals = |eviction: &Eviction| match eviction.verdict.and_then(ground) {
        _ if !eviction.is_permitted => Some(Ground::Forbidden),
        other => other,
    };
    let stay = evictions.iter().map(|eviction| eviction.has_room && refusals(eviction).is_none());
    let stay: Vec<bool> = stay.collect();
    if stay.contains(&true) {
        return stay;
    }
    evictions.iter().map(|eviction| refusals(eviction) != Some(Ground::Forbidden)).collect()
}

/// Whether a request fits on a row beside what is `left` there.
pub(super) fn fits(snapshot: &Snapshot, row: u32, request: &[f64], left: &[f64]) -> bool {
    let resources = snapshot.resources().len();
    let allocatable = &snapshot.allocatable()[row as usize * resources..][..resources];
    let columns = request.iter().zip(left).zip(allocatable);
    columns.into_iter().all(|((request, left), allocatable)| *request == 0.0 || left + request <= *allocatable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: u8 = 0;

    fn verdicts(codes: &[u8]) -> Vec<Verdict> {
        codes.iter().map(|code| Verdict { code: *code, by: 0 }).collect()
    }

    fn ours(_: Verdict) -> Option<&'static str> {
        None
    }

    /// A profile without a dictionary.
    fn all(_: u32) -> bool {
        true
    }

    fn stays(codes: &[u8]) -> Vec<bool> {
        let rows: Vec<Option<u32>> = (0..codes.len() as u32).map(Some).collect();
        judge(&rows, &verdicts(codes), all, ours).refusals.iter().map(Option::is_none).collect()
    }

    #[test]
    fn what_the_dictionary_forbids_is_refused_whatever_plugins_say() {
        let rows = [Some(0), Some(1), Some(2), None];
        let only_last = |row: u32| row == 2;
        for said in [&[PASS; 3][..], &[MISMATCH, INSUFFICIENT, PASS], &[OVERLOADED_SOON, FORBIDDEN, PASS], &[]] {
            let refusals = judge(&rows, &verdicts(said), only_last, ours).refusals;
            assert_eq!(refusals, [Some(BY_DICTIONARY), Some(BY_DICTIONARY), None, None], "{said:?}");
        }
        let nowhere = |_: u32| false;
        assert_eq!(judge(&rows[..2], &verdicts(&[PASS; 2]), nowhere, ours).refusals, [Some(BY_DICTIONARY); 2]);
    }

    #[test]
    fn the_last_node_that_the_dictionary_leaves_passes_though_it_runs_hot() {
        let only_last = |row: u32| row == 1;
        let refusals = judge(&[Some(0), Some(1)], &verdicts(&[OVERLOADED_SOON; 2]), only_last, ours).refusals;
        assert_eq!(refusals, [Some(BY_DICTIONARY), None]);
    }

    #[test]
    fn a_plugin_that_forbids_what_the_dictionary_forbids_names_the_reason_and_one_that_finds_it_hot_does_not() {
        let said = [FORBIDDEN, OVERLOADED_SOON].map(|code| Verdict { code, by: 1 });
        let refusals = judge(&[Some(0), Some(1)], &said, |_| false, |_| Some("other")).refusals;
        assert_eq!(refusals, [Some(Refusal { by: Some("other"), ..BY_DICTIONARY }), Some(BY_DICTIONARY)]);
    }

    #[test]
    fn who_is_refused_disagrees_with_nobody() {
        let judgement = judge(&[Some(0), Some(1)], &verdicts(&[MISMATCH; 2]), |row| row == 1, ours);
        assert_eq!(judgement.disagreements[0], (Disagreement::Mismatch, 1));
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
        let judgement = judge(&[None, Some(0), Some(1), Some(9)], &verdicts(&[MISMATCH, INSUFFICIENT]), all, ours);
        assert_eq!(judgement.refusals, [None; 4]);
        let expected = [(Disagreement::Mismatch, 1), (Disagreement::Insufficient, 1), (Disagreement::UnknownNode, 2)];
        assert_eq!(judgement.disagreements, expected);
    }

    fn eviction(verdict: u8, has_room: bool) -> Eviction {
        Eviction { is_permitted: true, verdict: Some(verdict), has_room }
    }

    #[test]
    fn nobody_is_evicted_where_the_dictionary_forbids_the_pod_whatever_plugins_say() {
        let good = eviction(PASS, true);
        let forbidden = Eviction { is_permitted: false, ..good };
        let unasked = Eviction { verdict: None, ..forbidden };
        assert_eq!(sensible(&[good, forbidden, unasked]), [true, false, false]);
        assert_eq!(sensible(&[Eviction { is_permitted: false, ..eviction(OVERLOADED_SOON, true) }]), [false]);
        assert_eq!(sensible(&[Eviction { verdict: None, ..good }, unasked]), [true, false]);
    }

    #[test]
    fn nobody_is_evicted_where_the_pod_would_be_refused_or_not_fit() {
        let [good, forbidden] = [PASS, FORBIDDEN].map(|verdict| eviction(verdict, true));
        let (hot, full) = (eviction(OVERLOADED_SOON, true), eviction(PASS, false));
        let unknown = Eviction { is_permitted: true, verdict: None, has_room: true };
        let stale = [MISMATCH, INSUFFICIENT].map(|verdict| eviction(verdict, true));
        assert_eq!(sensible(&[good, forbidden, hot, full, unknown]), [true, false, false, false, true]);
        assert_eq!(sensible(&stale), [true, true]);
    }

    #[test]
    fn where_every_candidate_for_eviction_is_hot_or_full_to_our_eyes_they_stay() {
        let (hot, full) = (eviction(OVERLOADED_SOON, true), eviction(PASS, false));
        assert_eq!(sensible(&[hot, full]), [true, true]);
        assert_eq!(sensible(&[hot, eviction(FORBIDDEN, true)]), [true, false]);
        assert_eq!(sensible(&[eviction(FORBIDDEN, false)]), [false]);
        assert_eq!(sensible(&[]), [false; 0]);
    }

    #[test]
    fn no_candidates_stay_no_candidates() {
        assert_eq!(judge(&[], &verdicts(&[FORBIDDEN]), all, ours).refusals, []);
    }

    #[test]
    fn a_refusal_of_another_plugin_carries_its_name() {
        let said = [Verdict { code: FORBIDDEN, by: 0 }, Verdict { code: FORBIDDEN, by: 1 }];
        let stranger = |verdict: Verdict| (verdict.by == 1).then_some("other");
        let refusals = judge(&[Some(0), Some(1)], &said, all, stranger).refusals;
        assert_eq!(refusals.into_iter().map(|refusal| refusal.unwrap().by).collect::<Vec<_>>(), [None, Some("other")]);
    }
}
