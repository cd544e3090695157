//! Limits of placing pods: the convex bound.
//!
//! Promises: no assignment of whole pods is more even than the bound says, up to 1e-4 percentage points for σ; it is
//! found by an interior point method and read off the dual, which approaches the optimum from below. Must not know:
//! any search.
//!
//! A pod may be divided: `x_it`, the part of pod `i` on nodes of type `t`, is between 0 and 1, with `Σ_t x_it = 1` and
//! all capacities kept. Then the variance of the loads around a free centre `c` is a convex quadratic programme,
//!
//! ```text
//! min (1/n) Σ_t k_t (L_t - c)²    L_t = (1/k_t) Σ_i s_it x_it
//! ```
//!
//! with `s_it` the percentage points that pod `i` adds to a node of type `t` and `k_t` the number of such nodes. Nodes of
//! equal capacities that the same pods may use are one type: by convexity their loads can be averaged, which makes the
//! programme smaller and its optimum no other. The minimum over `c` is at the mean, so this is σ² of eq. (11).
//!
//! Where balance is possible with divided pods the bound is 0 and says nothing: what is left then is that pods are
//! whole. On small instances [`sigma_of_whole_pods`] takes that into account where it weighs most.

mod programme;
mod whole;

use std::collections::BTreeMap;

use gantry_solver::instances::{Amounts, Instance, RESOURCES};

use programme::Programme;
pub use whole::sigma_of_whole_pods;

/// Why there is no bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundError {
    /// The interior point method was given something that it cannot take.
    #[error("the convex programme could not be set up: {0}")]
    Setup(String),
    /// It ended without an optimum.
    #[error("the convex programme was not solved: {0}")]
    Unsolved(String),
    /// No assignment fits, even with divided pods.
    #[error("no assignment fits, even with divided pods")]
    Infeasible,
}

/// The least σ of eq. (11) in percentage points, all weights being 1.
///
/// # Errors
/// [`BoundError`] if the instance has no assignment even with divided pods, or the method fails.
pub fn sigma(instance: &Instance) -> Result<f64, BoundError> {
    Ok(convex(instance, &[MEAN_LOAD])?.sqrt())
}

/// The least value of the *balanced* objective in squared percentage points, all weights being 1: the mean over the
/// resources of the variances of their loads, plus the variance of the mean load.
///
/// # Errors
/// As [`sigma`].
pub fn balanced(instance: &Instance) -> Result<f64, BoundError> {
    let single = |resource: usize| Measure {
        weight: 1.0 / RESOURCES as f64,
        shares: std::array::from_fn(|r| if r == resource { 1.0 } else { 0.0 }),
    };
    let measures: Vec<Measure> = (0..RESOURCES).map(single).chain([MEAN_LOAD]).collect();
    convex(instance, &measures)
}

/// A load whose variance counts: `Σ_r share_r L_r`, and how much it counts.
struct Measure {
    weight: f64,
    shares: [f64; RESOURCES],
}

/// The load whose standard deviation is σ.
const MEAN_LOAD: Measure = Measure { weight: 1.0, shares: [1.0 / RESOURCES as f64; RESOURCES] };

impl Measure {
    /// The percentage points that a request adds to a node.
    fn load(&self, request: &Amounts, capacity: &Amounts) -> f64 {
        (0..RESOURCES).map(|r| self.shares[r] * 100.0 * request[r] as f64 / capacity[r] as f64).sum()
    }
}

/// Nodes that are alike.
struct Kind {
    capacity: Amounts,
    nodes: f64,
}

/// The kinds of nodes, and which of them each pod may use.
fn kinds(instance: &Instance) -> (Vec<Kind>, Vec<Vec<usize>>) {
    let mut classes_by_node = vec![Vec::new(); instance.capacities.len()];
    for (class, rows) in instance.allowed_by_class.iter().enumerate() {
        for &row in rows {
            classes_by_node[row as usize].push(class);
        }
    }
    let mut nodes_by_kind: BTreeMap<(Amounts, Vec<usize>), u32> = BTreeMap::new();
    for (&capacity, classes) in instance.capacities.iter().zip(classes_by_node) {
        *nodes_by_kind.entry((capacity, classes)).or_default() += 1;
    }
    let mut kinds_by_class = vec![Vec::new(); instance.allowed_by_class.len()];
    let mut kinds = Vec::new();
    for ((capacity, classes), nodes) in nodes_by_kind {
        for class in classes {
            kinds_by_class[class].push(kinds.len());
        }
        kinds.push(Kind { capacity, nodes: f64::from(nodes) });
    }
    let kinds_by_pod = instance.class_by_pod.iter().map(|&class| kinds_by_class[class as usize].clone());
    (kinds, kinds_by_pod.collect())
}

/// The least weighted sum of variances.
fn convex(instance: &Instance, measures: &[Measure]) -> Result<f64, BoundError> {
    let (kinds, kinds_by_pod) = kinds(instance);
    let optimum = programme(instance, measures, &kinds, &kinds_by_pod).solve()?;
    optimum.map(|optimum| optimum.least.max(0.0)).ok_or(BoundError::Infeasible)
}

/// The programme whose optimum that is. Its variables are the parts, pod by pod and kind by kind of the pod's; then for
/// each measure by how much each kind's load is above the centre; then the centres.
fn programme(instance: &Instance, measures: &[Measure], kinds: &[Kind], kinds_by_pod: &[Vec<usize>]) -> Programme {
    let pods = instance.requests.len();
    let spread = |measure: usize, kind: usize| pods + measure * kinds.len() + kind;
    let room = |kind: usize, resource: usize| kind * RESOURCES + resource;
    let mut programme = Programme::new(pods + measures.len() * kinds.len(), kinds.len() * RESOURCES);
    programme.equal(0..pods, 1.0);
    programme.at_most(1.0);
    for (pod, request) in instance.requests.iter().enumerate() {
        for &kind in &kinds_by_pod[pod] {
            let Kind { capacity, nodes } = &kinds[kind];
            let loads = measures.iter().enumerate();
            let loads = loads.map(|(index, measure)| (spread(index, kind), measure.load(request, capacity) / nodes));
            let fills = (0..RESOURCES).map(|r| (room(kind, r), request[r] as f64 / (nodes * capacity[r] as f64)));
            programme.part(std::iter::once((pod, 1.0)).chain(loads).collect(), fills.collect());
        }
    }
    let all: f64 = kinds.iter().map(|kind| kind.nodes).sum();
    for (index, measure) in measures.iter().enumerate() {
        for (kind, Kind { nodes, .. }) in kinds.iter().enumerate() {
            programme.squared(spread(index, kind), measure.weight * nodes / all);
        }
    }
    for index in 0..measures.len() {
        programme.free((0..kinds.len()).map(|kind| (spread(index, kind), -1.0)).collect());
    }
    programme
}

#[cfg(test)]
mod tests;
