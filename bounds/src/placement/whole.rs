//! The convex bound with some pods whole: branch and bound.
//!
//! Promises: as the convex bound, which it is never below; more programmes never make it weaker. Must not know: any
//! search, so no solution that was found makes it stronger.
//!
//! A pod is either on one of the nodes of a kind or on none of them. So the assignments fall in two sets, and the lower
//! of the two convex bounds holds for all of them. Dividing the set of the lowest bound again and again closes that part
//! of the gap that comes from pods which the relaxation divides to fill up a node that few may use. The pod is divided
//! next whose part moves the variance most: parts on a kind that is as loaded as the others cost nothing.

use gantry_solver::instances::Instance;

use super::programme::Optimum;
use super::{BoundError, Kind, MEAN_LOAD, kinds, programme};

/// A part this close to none or all is whole up to the method's tolerance.
const WHOLE: f64 = 1e-5;

/// Some of the assignments.
struct Set {
    /// No assignment of these has less variance.
    least: f64,
    kinds_by_pod: Vec<Vec<usize>>,
    /// The pod and the kind to divide by; none if that would gain nothing.
    split: Option<(usize, usize)>,
}

/// The least σ of eq. (11) in percentage points, as [`sigma`](super::sigma), where pods are whole as far as so many
/// convex programmes can tell. One takes milliseconds at 50 pods on 10 nodes and grows with pods times kinds of nodes;
/// with fewer than three this is the convex bound.
///
/// # Errors
/// [`BoundError`] if the instance has no assignment even with divided pods, or the first programme fails.
pub fn sigma_of_whole_pods(instance: &Instance, programmes: usize) -> Result<f64, BoundError> {
    let (kinds, kinds_by_pod) = kinds(instance);
    let all = solve(instance, &kinds, &kinds_by_pod)?.ok_or(BoundError::Infeasible)?;
    let mut sets = vec![Set::new(instance, &kinds, kinds_by_pod, &all, 0.0)];
    let mut left = programmes.saturating_sub(1);
    loop {
        let lowest = (0..sets.len()).min_by(|&a, &b| sets[a].least.total_cmp(&sets[b].least));
        let set = sets.swap_remove(lowest.ok_or(BoundError::Infeasible)?);
        let Some((pod, kind)) = set.split.filter(|_| left >= 2) else { return Ok(set.least.sqrt()) };
        left -= 2;
        sets.extend(set.divide(pod, kind).into_iter().filter_map(|half| set.narrow(instance, &kinds, half)));
    }
}

fn solve(instance: &Instance, kinds: &[Kind], kinds_by_pod: &[Vec<usize>]) -> Result<Option<Optimum>, BoundError> {
    programme(instance, &[MEAN_LOAD], kinds, kinds_by_pod).solve()
}

impl Set {
    /// The set of which this is the optimum, as a part of one with a bound of its own.
    fn new(instance: &Instance, kinds: &[Kind], kinds_by_pod: Vec<Vec<usize>>, optimum: &Optimum, least: f64) -> Self {
        let split = split(instance, kinds, &kinds_by_pod, &optimum.variables);
        Self { least: optimum.least.max(least), kinds_by_pod, split }
    }

    /// The assignments with a pod on a kind, and those without.
    fn divide(&self, pod: usize, kind: usize) -> [Vec<Vec<usize>>; 2] {
        let (mut with, mut without) = (self.kinds_by_pod.clone(), self.kinds_by_pod.clone());
        with[pod] = vec![kind];
        without[pod].retain(|&other| other != kind);
        [with, without]
    }

    /// A part of this set; none if nothing is in it. Where the method fails, the whole set's bound holds for the part.
    fn narrow(&self, instance: &Instance, kinds: &[Kind], kinds_by_pod: Vec<Vec<usize>>) -> Option<Self> {
        match solve(instance, kinds, &kinds_by_pod) {
            Ok(optimum) => Some(Self::new(instance, kinds, kinds_by_pod, &optimum?, self.least)),
            Err(_) => Some(Self { least: self.least, kinds_by_pod, split: None }),
        }
    }
}

/// The pod and the kind where a part moves the variance most if it becomes none or all.
fn split(
    instance: &Instance,
    kinds: &[Kind],
    kinds_by_pod: &[Vec<usize>],
    variables: &[f64],
) -> Option<(usize, usize)> {
    let pairs = kinds_by_pod.iter().enumerate().flat_map(|(pod, kinds)| kinds.iter().map(move |&kind| (pod, kind)));
    let deviations = &variables[kinds_by_pod.iter().map(Vec::len).sum()..];
    let mut best = (0.0, None);
    for ((pod, kind), part) in pairs.zip(variables) {
        let broken = part.min(1.0 - part);
        let points = MEAN_LOAD.load(&instance.requests[pod], &kinds[kind].capacity);
        let moves = broken * points * deviations[kind].abs();
        if broken > WHOLE && moves > best.0 {
            best = (moves, Some((pod, kind)));
        }
    }
    best.1
}
