//! Filter: one verdict a row.

use crate::{
    state::{Cluster, has},
    types::{DomainClass, Pod},
};

/// The verdicts of the contract, in the order in which they are tried.
pub(crate) const PASS: u8 = 0;
const FORBIDDEN: u8 = 1;
const MISMATCH: u8 = 2;
const INSUFFICIENT: u8 = 3;
const OVERLOADED_SOON: u8 = 4;

/// One verdict a row for `pod` of `class`.
pub(crate) fn verdicts(cluster: &Cluster, class: &DomainClass, pod: &Pod, hot_share: f64) -> Vec<u8> {
    let snapshot = &cluster.snapshot;
    let r = cluster.resources();
    let estimate = if pod.estimate.is_empty() { &pod.request } else { &pod.estimate };
    let offered = snapshot.allocatable.chunks_exact(r);
    let taken = snapshot.requested.chunks_exact(r);
    let mut forecast = snapshot.used_p90.chunks_exact(r);
    offered
        .zip(taken)
        .enumerate()
        .map(|(row, (offered, taken))| {
            let used = forecast.next();
            if !has(&class.permitted, row) {
                FORBIDDEN
            } else if !has(&class.possible, row) {
                MISMATCH
            } else if !has_room(offered, taken, &pod.request) {
                INSUFFICIENT
            } else if used.is_some_and(|used| runs_hot(offered, used, estimate, hot_share)) {
                OVERLOADED_SOON
            } else {
                PASS
            }
        })
        .collect()
}

/// A resource that the pod does not ask for is no obstacle, however overcommitted.
fn has_room(offered: &[f64], taken: &[f64], request: &[f64]) -> bool {
    offered
        .iter()
        .zip(taken)
        .zip(request)
        .fold(true, |room, ((offered, taken), request)| room & (*request == 0.0 || taken + request <= *offered))
}

fn runs_hot(offered: &[f64], used: &[f64], estimate: &[f64], hot_share: f64) -> bool {
    offered
        .iter()
        .zip(used)
        .zip(estimate)
        .any(|((offered, used), estimate)| *offered > 0.0 && used + estimate > hot_share * offered)
}
