//! Who lies where in the end, how even that is, and whether it is legal.
//!
//! Loads are shares of a node's capacity in percentage points. σ is the *population* standard deviation over the nodes of
//! a node's load, the mean of the loads of the resources that it has (all weights 1).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use gantry_solver::instances::Amounts;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

use crate::workload::{Group, Workload, index_of, node_name, pod_name, row_of};

/// Each pod's row, or none while it is unplaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment(pub Vec<Option<usize>>);

impl Assignment {
    /// Watches until each of the workload's pods is bound or reported unschedulable, and returns who lies where.
    ///
    /// # Errors
    /// Some pod is neither after `limit`, or a pod is bound to a node that is none of the workload's.
    pub async fn settled(client: &Client, workload: &Workload, limit: Duration) -> Result<Self> {
        Self::settled_up_to(workload.pods(), client, workload, limit).await
    }

    /// The same for the first `pods` of the workload, where the others are not there yet.
    ///
    /// # Errors
    /// As [`Assignment::settled`].
    pub async fn settled_up_to(pods: usize, client: &Client, workload: &Workload, limit: Duration) -> Result<Self> {
        let mut fate_by_pod: BTreeMap<usize, Fate> = BTreeMap::new();
        let waiting = async {
            let all = Api::<Pod>::default_namespaced(client.clone());
            let mut changes = watcher(all, watcher::Config::default()).default_backoff().applied_objects().boxed();
            while let Some(pod) = changes.try_next().await? {
                if let (Some(index), Some(fate)) = (index_of(&pod.name_any()), Fate::of(&pod)?) {
                    fate_by_pod.insert(index, fate);
                }
                if fate_by_pod.len() == pods {
                    return Ok(());
                }
            }
            anyhow::bail!("the watch ended")
        };
        let waited = tokio::time::timeout(limit, waiting).await;
        let row = |index: usize| match fate_by_pod.get(&index) {
            Some(Fate::Bound(row)) => Some(*row),
            Some(Fate::Unschedulable) | None => None,
        };
        let assignment = Self((0..workload.pods()).map(row).collect());
        waited.with_context(|| {
            let pending = (0..pods).filter(|index| !fate_by_pod.contains_key(index)).map(pod_name);
            format!("after {limit:?} neither bound nor unschedulable: {:?}", pending.collect::<Vec<_>>())
        })??;
        Ok(assignment)
    }

    /// Pods without a node.
    #[must_use]
    pub fn unplaced(&self) -> usize {
        self.0.iter().filter(|row| row.is_none()).count()
    }

    /// σ of node load, percentage points.
    #[must_use]
    pub fn sigma(&self, workload: &Workload) -> f64 {
        let loads = self.loads(workload);
        let load = |loads: &Vec<Option<f64>>| mean(loads.iter().flatten().copied());
        deviation(&loads.iter().map(load).collect::<Vec<_>>())
    }

    /// σ of each resource's load alone over the nodes that have it, percentage points.
    #[must_use]
    pub fn sigma_by_resource(&self, workload: &Workload) -> Vec<f64> {
        let loads = self.loads(workload);
        let own = |resource: usize| loads.iter().filter_map(|loads| loads[resource]).collect::<Vec<_>>();
        (0..workload.resources.len()).map(|resource| deviation(&own(resource))).collect()
    }

    /// Everything that is wrong with it, in words: a pod where its constraints forbid it, an over-full node, a pod left
    /// out although a node would have taken it. Empty is legal and complete.
    #[must_use]
    pub fn violations(&self, workload: &Workload) -> Vec<String> {
        let used = self.used(workload);
        let mut found = Vec::new();
        for (row, (used, capacity)) in used.iter().zip(&workload.instance.capacities).enumerate() {
            if !fits(used, capacity) {
                found.push(format!("{} holds {used:?} of {capacity:?}", node_name(row)));
            }
        }
        for (index, row) in self.0.iter().enumerate() {
            match row {
                Some(row) if !is_allowed(workload, index, *row) => {
                    found.push(format!("{} may not run on {}", pod_name(index), node_name(*row)));
                }
                Some(_) => {}
                None => found.extend(room_for(workload, &used, index)),
            }
        }
        found.extend(self.group_violations(workload));
        found
    }

    fn group_violations(&self, workload: &Workload) -> Vec<String> {
        let zones = workload.instance.zone_by_node.iter().collect::<BTreeSet<_>>().len();
        let mut found = Vec::new();
        for group in workload.groups() {
            let by_node = self.group_count(workload, group, |row| row);
            let by_zone = self.group_count(workload, group, |row| workload.instance.zone_by_node[row].into());
            match group {
                Group::Apart(_) => found.extend(shared(&by_node)),
                Group::Spread => found.extend(uneven("zone", &by_zone, zones)),
                Group::SpreadTwice => {
                    found.extend(uneven("zone", &by_zone, zones));
                    found.extend(uneven("node", &by_node, workload.nodes()));
                }
            }
        }
        found
    }

    /// How many of the group's pods lie in each domain.
    fn group_count(
        &self,
        workload: &Workload,
        group: Group,
        domain: impl Fn(usize) -> usize,
    ) -> BTreeMap<usize, usize> {
        let mut count = BTreeMap::new();
        for (row, own) in self.0.iter().zip(&workload.group_by_pod) {
            if let (Some(row), true) = (row, *own == Some(group)) {
                *count.entry(domain(*row)).or_insert(0) += 1;
            }
        }
        count
    }

    fn used(&self, workload: &Workload) -> Vec<Amounts> {
        let mut used = vec![[0; 4]; workload.nodes()];
        for (row, request) in self.0.iter().zip(&workload.instance.requests) {
            if let Some(row) = row {
                used[*row].iter_mut().zip(request).for_each(|(used, amount)| *used += amount);
            }
        }
        used
    }

    /// Each node's load by resource, percentage points; `None` of a resource that it has not.
    fn loads(&self, workload: &Workload) -> Vec<Vec<Option<f64>>> {
        let both = self.used(workload).into_iter().zip(&workload.instance.capacities);
        let share = |used: i64, capacity: i64| (capacity > 0).then(|| 100.0 * used as f64 / capacity as f64);
        both.map(|(used, capacity)| {
            (0..workload.resources.len()).map(|resource| share(used[resource], capacity[resource])).collect()
        })
        .collect()
    }
}

/// The nodes on which pods are together that stay apart.
fn shared(by_node: &BTreeMap<usize, usize>) -> impl Iterator<Item = String> {
    let crowded = by_node.iter().filter(|(_, pods)| **pods > 1);
    crowded.map(|(row, pods)| format!("{pods} pods that stay apart share {}", node_name(*row)))
}

/// Complains where one of so many `places` has two pods more than another; those without any are not counted.
fn uneven(what: &str, counts: &BTreeMap<usize, usize>, places: usize) -> Option<String> {
    let least = if counts.len() < places { 0 } else { counts.values().min().copied().unwrap_or(0) };
    let is_uneven = counts.values().any(|pods| pods - least > 1);
    is_uneven.then(|| format!("pods by {what} {counts:?} have a skew above 1"))
}

/// What became of a pod.
#[derive(Debug)]
enum Fate {
    Bound(usize),
    Unschedulable,
}

impl Fate {
    /// `None` while kube-scheduler has not spoken, or will try again by itself.
    fn of(pod: &Pod) -> Result<Option<Self>> {
        if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) {
            let row =
                row_of(node).with_context(|| format!("{} is bound to {node}, which is no node", pod.name_any()))?;
            return Ok(Some(Self::Bound(row)));
        }
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let refused = conditions
            .filter(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
            .any(|condition| condition.reason.as_deref() == Some("Unschedulable"));
        Ok(refused.then_some(Self::Unschedulable))
    }
}

/// Complains where some node would take the unplaced pod now; a pod in a group may be held back by its group.
fn room_for(workload: &Workload, used: &[Amounts], index: usize) -> Option<String> {
    let instance = &workload.instance;
    let takes = |row: &usize| {
        let after: Amounts = std::array::from_fn(|r| used[*row][r] + instance.requests[index][r]);
        is_allowed(workload, index, *row) && fits(&after, &instance.capacities[*row])
    };
    let row = (0..workload.nodes()).find(takes).filter(|_| workload.group_by_pod[index].is_none())?;
    Some(format!("{} is unplaced though {} has room", pod_name(index), node_name(row)))
}

fn is_allowed(workload: &Workload, index: usize, row: usize) -> bool {
    workload.instance.allowed(index).binary_search(&(row as u32)).is_ok()
}

fn fits(used: &Amounts, capacity: &Amounts) -> bool {
    used.iter().zip(capacity).all(|(used, capacity)| used <= capacity)
}

/// Population standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values.iter().copied());
    mean(values.iter().map(|value| (value - middle).powi(2))).sqrt()
}

/// 0 of nothing.
fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(workload: &Workload) -> Assignment {
        Assignment(workload.instance.hidden.iter().map(|row| Some(*row as usize)).collect())
    }

    #[test]
    fn the_hidden_assignment_of_an_instance_is_legal() {
        let workload = Workload::generated(300, 50, 1);
        assert_eq!(hidden(&workload).violations(&workload), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_node_an_over_full_node_and_a_pod_left_out_are_named() {
        let workload = Workload::generated(300, 50, 1);
        let mut assignment = hidden(&workload);
        let forbidden = |index: &usize| !is_allowed(&workload, *index, 49);
        let moved = (0..300).find(forbidden).unwrap();
        assignment.0[moved] = Some(49);
        assert!(assignment.violations(&workload).contains(&format!("{} may not run on node-0049", pod_name(moved))));

        let heap = Assignment(vec![Some(0); 300]);
        assert!(heap.violations(&workload)[0].starts_with("node-0000 holds"));

        let mut short = hidden(&workload);
        short.0[5] = None;
        assert!(short.violations(&workload)[0].starts_with("pod-00005 is unplaced though"));
        assert_eq!(short.unplaced(), 1);
    }

    #[test]
    fn pods_that_stay_apart_may_not_share_a_node() {
        let workload = Workload::generated(300, 50, 1).with_groups();
        let mut assignment = hidden(&workload);
        for (row, group) in assignment.0.iter_mut().zip(&workload.group_by_pod) {
            if *group == Some(Group::Apart(0)) {
                *row = Some(0);
            }
        }
        let violations = assignment.violations(&workload);
        assert!(violations.contains(&"10 pods that stay apart share node-0000".to_owned()), "{violations:?}");
    }

    #[test]
    fn pods_that_spread_are_even_by_zone_and_those_that_do_so_twice_by_node_as_well() {
        let workload = Workload::generated(300, 50, 1).with_large_groups();
        let mut rows = vec![None; 300];
        let twice = (0..300).filter(|index| workload.group_by_pod[*index] == Some(Group::SpreadTwice));
        let zone = |zone: u8| workload.instance.zone_by_node.iter().position(|own| *own == zone);
        for (place, index) in twice.take(6).enumerate() {
            rows[index] = zone(place as u8 % 3);
        }
        let said = Assignment(rows.clone()).group_violations(&workload);
        assert!(said.len() == 1 && said[0].starts_with("pods by node {"), "{said:?}");

        let spread = (0..300).filter(|index| workload.group_by_pod[*index] == Some(Group::Spread));
        spread.take(2).for_each(|index| rows[index] = zone(0));
        let said = Assignment(rows).group_violations(&workload);
        assert!(said.len() == 2 && said[0] == "pods by zone {0: 2} have a skew above 1", "{said:?}");
    }

    #[test]
    fn sigma_is_the_population_deviation() {
        assert_eq!(deviation(&[1.0, 3.0]), 1.0);
        let workload = Workload::generated(300, 50, 1);
        let empty = Assignment(vec![None; 300]);
        assert_eq!(empty.sigma(&workload), 0.0);
        assert_eq!(empty.sigma_by_resource(&workload), [0.0; 4]);
    }

    #[test]
    fn a_resource_that_a_node_has_not_is_no_load_of_it() {
        let mut workload = Workload::generated(2, 2, 1);
        workload.instance.capacities = vec![[100, 100, 0, 100], [100, 100, 100, 100]];
        workload.instance.requests = vec![[50, 50, 0, 50], [50, 50, 50, 50]];
        let assignment = Assignment(vec![Some(0), Some(1)]);
        assert_eq!(assignment.sigma(&workload), 0.0);
        assert_eq!(assignment.sigma_by_resource(&workload), [0.0; 4]);
    }
}
