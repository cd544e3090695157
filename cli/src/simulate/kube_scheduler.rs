//! kube-scheduler's own rule: the scores of its resource plugins at their default weights.
//!
//! | plugin (`pkg/scheduler/framework/plugins/noderesources`, Kubernetes 1.36 and 1.37) | weight | score, 0 to 100 |
//! |---|---|---|
//! | `NodeResourcesFit`, strategy `LeastAllocated` | 1 | mean over the resources of the share that is left free |
//! | `NodeResourcesBalancedAllocation` | 1 | 50 + (50 + balance with the pod − balance without) / 2 |
//!
//! The balance of a node is 100 × (1 − σ) over its resources' shares. All is whole numbers, cut and not rounded, as in
//! Go. Not here: the other score plugins (they have nothing to say of pods without preferences), the sampling of large
//! clusters, and preemption.

use std::collections::HashMap;
use std::sync::Arc;

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::CallError;

use super::cluster::{Cluster, Unsaid, add};
use super::trial::{Rule, best, fits};

/// The highest score of a plugin.
const MOST: i64 = 100;

/// What the default profile scores, and what containers that are silent about it count as asking for.
pub(super) const DEFAULT: [&str; 2] = ["cpu", "memory"];

/// The rule.
pub(super) struct LeastAllocated {
    name: &'static str,
    /// The columns that are scored; with each, where [`Unsaid`] counts it, if it does.
    columns: Vec<(usize, Option<usize>)>,
    seed: u64,
    unsaid_by_row: Vec<Unsaid>,
    unsaid_by_pod: HashMap<Arc<str>, Unsaid>,
}

impl LeastAllocated {
    /// The rule, told to score `resources`.
    pub(super) fn new(name: &'static str, cluster: &mut Cluster, resources: &[Arc<str>], seed: u64) -> Self {
        let snapshot = cluster.index.snapshot();
        let column = |name: &Arc<str>| {
            let column = snapshot.resources().iter().position(|known| known == name)?;
            Some((column, DEFAULT.iter().position(|default| **default == **name)))
        };
        let columns = resources.iter().filter_map(column).collect();
        let unsaid = |node: &Option<Arc<str>>| {
            node.as_ref().and_then(|node| cluster.unsaid_by_node.get(node)).copied().unwrap_or_default()
        };
        let unsaid_by_row = snapshot.names().iter().map(unsaid).collect();
        Self { name, columns, seed, unsaid_by_row, unsaid_by_pod: cluster.unsaid_by_pod.clone() }
    }

    fn score(&self, snapshot: &Snapshot, pod: &PodRow, unsaid: Unsaid, row: u32) -> i64 {
        let share = |(column, said): &(usize, Option<usize>)| {
            let cell = row as usize * snapshot.resources().len() + column;
            let (offered, taken) = (snapshot.allocatable()[cell] as i64, snapshot.requested()[cell] as i64);
            let asked = pod.request[*column] as i64;
            // What the node lacks is not scored, nor an extended resource that the pod does not ask for.
            let counts = offered > 0 && (asked > 0 || said.is_some());
            let unsaid = said.map_or(0, |said| self.unsaid_by_row[row as usize][said] + unsaid[said]);
            counts.then_some(Share { offered, without: taken, with: taken + asked, unsaid })
        };
        let shares: Vec<Share> = self.columns.iter().filter_map(share).collect();
        let asks = shares.iter().any(|share| share.with > share.without);
        // A pod that asks for nothing is not scored for balance.
        least_allocated(&shares) + if asks { balanced_allocation(&shares) } else { 0 }
    }
}

impl Rule for LeastAllocated {
    fn name(&self) -> &'static str {
        self.name
    }

    fn choose(&mut self, snapshot: &Snapshot, pod: &PodRow) -> Result<Option<u32>, CallError> {
        let unsaid = self.unsaid_by_pod.get(&pod.uid).copied().unwrap_or_default();
        let feasible = (0..snapshot.rows() as u32).filter(|row| fits(snapshot, pod, *row));
        Ok(best(feasible.map(|row| (row, self.score(snapshot, pod, unsaid, row))), self.seed, &pod.uid))
    }

    fn placed(&mut self, pod: &PodRow, row: u32) {
        if let Some(unsaid) = self.unsaid_by_pod.get(&pod.uid) {
            add(&mut self.unsaid_by_row[row as usize], *unsaid);
        }
    }
}

/// One resource of a node.
#[derive(Clone, Copy, Debug)]
struct Share {
    offered: i64,
    /// What is asked for there without the pod, and with it.
    without: i64,
    with: i64,
    /// What `LeastAllocated` adds for containers that say nothing.
    unsaid: i64,
}

/// `leastResourceScorer` with equal weights.
fn least_allocated(shares: &[Share]) -> i64 {
    let free = |share: &Share| {
        let requested = share.with + share.unsaid;
        if requested > share.offered { 0 } else { (share.offered - requested) * MOST / share.offered }
    };
    shares.iter().map(free).sum::<i64>().checked_div(shares.len() as i64).unwrap_or(0)
}

/// `balancedResourceScorer`.
fn balanced_allocation(shares: &[Share]) -> i64 {
    let with = balance(shares.iter().map(|share| (share.with, share.offered)));
    let without = balance(shares.iter().map(|share| (share.without, share.offered)));
    MOST / 2 + (MOST / 2 + with - without) / 2
}

/// `balancedResourceScore`: population standard deviation, which for two shares is half their difference.
fn balance(shares: impl Iterator<Item = (i64, i64)>) -> i64 {
    let shares: Vec<f64> = shares.map(|(taken, offered)| (taken as f64 / offered as f64).min(1.0)).collect();
    let deviation = match shares[..] {
        [] | [_] => 0.0,
        [one, other] => ((one - other) / 2.0).abs(),
        _ => {
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            (shares.iter().map(|share| (share - mean) * (share - mean)).sum::<f64>() / shares.len() as f64).sqrt()
        }
    };
    ((1.0 - deviation) * MOST as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(offered: i64, without: i64, asked: i64) -> Share {
        Share { offered, without, with: without + asked, unsaid: 0 }
    }

    #[test]
    fn the_free_share_is_cut_and_not_rounded() {
        // 10000 of 13000 free is 76.9, of 6144 half is 50: (76 + 50) / 2.
        assert_eq!(least_allocated(&[share(13_000, 1_000, 2_000), share(6_144, 1_024, 2_048)]), 63);
        assert_eq!(least_allocated(&[share(10, 9, 2), share(10, 0, 0)]), 50);
        assert_eq!(least_allocated(&[]), 0);
    }

    #[test]
    fn what_containers_leave_unsaid_counts_as_asked_for() {
        assert_eq!(least_allocated(&[Share { unsaid: 100, ..share(1_000, 0, 0) }]), 90);
    }

    #[test]
    fn a_pod_that_evens_a_node_out_scores_above_three_quarters_and_one_that_skews_it_below() {
        // Balance without: |0.4 - 0| / 2 = 0.2, 80; with: 0, 100. 50 + (50 + 20) / 2.
        assert_eq!(balanced_allocation(&[share(10, 4, 0), share(10, 0, 4)]), 85);
        // Without: 0, 100; with: 0.2, 80.
        assert_eq!(balanced_allocation(&[share(10, 0, 4), share(10, 0, 0)]), 65);
        assert_eq!(balanced_allocation(&[share(10, 0, 4)]), 75);
    }

    #[test]
    fn three_shares_are_balanced_by_their_population_deviation() {
        // Shares 0.2, 0.4, 0.6: deviation 0.1633, balance 83.
        assert_eq!(balance([(2, 10), (4, 10), (6, 10)].into_iter()), 83);
    }
}
