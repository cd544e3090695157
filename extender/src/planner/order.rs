//! Makes a plan one that can be reached pod by pod.
//!
//! kube-scheduler binds one pod after the other and asks for an even spread after each.
//! A plan whose end is even may still begin with two pods in one zone, and the second
//! of them would be refused where the plan has it. Pods of one spread group change
//! places, or move to another node, until their order holds at every step.
//!
//! Promises to leave every pod that had a row with a row where it may be and fits.
//! Pods with further rules stay where they are; an order that cannot be mended is left
//! as it is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use gantry_cluster::{GroupColumns, GroupForce, GroupLimit, GroupRule, PodRow, Snapshot};

use super::plan::Basis;

/// A row without a value takes no part in a rule.
const NO_VALUE: u32 = u32::MAX;

/// Changes places in `rows`, one a pod of the basis; both are in the order in which kube-scheduler takes the pods.
pub(super) fn mend(basis: &Basis, rows: &mut [i32]) {
    let Basis { snapshot, pods, groups, .. } = basis;
    let spreads: Vec<&GroupRule> = groups.rules.iter().filter(|rule| is_spread(rule)).collect();
    if spreads.is_empty() {
        return;
    }
    let mut table = Table { snapshot, pods, free: free(basis, rows), rows };
    let bound_twice = bound_twice(groups);
    for rule in spreads {
        let values = &groups.topologies[rule.topology as usize];
        table.mend_one(rule, values, &bound_twice);
    }
}

/// Positions of pods that spread evenly, whatever else they do: their order matters.
pub(super) fn ordered(groups: &GroupColumns) -> HashSet<u32> {
    groups.rules.iter().filter(|rule| is_spread(rule)).flat_map(|rule| rule.pods.iter().copied()).collect()
}

fn is_spread(rule: &GroupRule) -> bool {
    matches!(rule.limit, GroupLimit::Skew(_)) && rule.force == GroupForce::Hard
}

/// Pods with more than one hard rule.
fn bound_twice(groups: &GroupColumns) -> HashSet<u32> {
    let mut seen = HashSet::new();
    let hard = groups.rules.iter().filter(|rule| rule.force == GroupForce::Hard);
    hard.flat_map(|rule| rule.pods.iter().copied()).filter(|pod| !seen.insert(*pod)).collect()
}

/// What is left of every row beside all pods of the plan and what others are promised, row-major.
fn free(basis: &Basis, rows: &[i32]) -> Vec<f64> {
    let both = basis.snapshot.allocatable().iter().zip(basis.snapshot.requested());
    let mut free: Vec<f64> = both.map(|(offered, taken)| offered - taken).collect();
    let placed = basis.pods.iter().zip(rows).filter_map(|(pod, row)| Some((pod, usize::try_from(*row).ok()?)));
    let promised = basis.reserved.iter().map(|claim| (&claim.pod, claim.row as usize));
    for (pod, row) in placed.chain(promised) {
        let cells = &mut free[row * pod.request.len()..][..pod.request.len()];
        cells.iter_mut().zip(&pod.request).for_each(|(cell, amount)| *cell -= amount);
    }
    free
}

struct Table<'a> {
    snapshot: &'a Snapshot,
    pods: &'a [Arc<PodRow>],
    free: Vec<f64>,
    rows: &'a mut [i32],
}

impl Table<'_> {
    fn mend_one(&mut self, rule: &GroupRule, values: &[u32], bound_twice: &HashSet<u32>) {
        let mut counts = Counts::new(rule, values);
        let placed: Vec<u32> = rule.pods.iter().copied().filter(|pod| self.rows[*pod as usize] >= 0).collect();
        for (turn, &pod) in placed.iter().enumerate() {
            let value = |table: &Self, pod: u32| values[table.rows[pod as usize] as usize];
            if !counts.admits(value(self, pod)) && !bound_twice.contains(&pod) {
                let later = placed[turn + 1..].iter().copied().filter(|other| !bound_twice.contains(other));
                let able = later.filter(|other| counts.admits(value(self, *other)) && self.can_swap(pod, *other));
                let alike = |one: &u32, other: &u32| self.unlike(pod, *one).total_cmp(&self.unlike(pod, *other));
                if let Some(other) = able.min_by(alike) {
                    self.swap(pod, other);
                } else if let Some(row) = self.roomiest(pod, |row| counts.admits(values[row])) {
                    self.relocate(pod, row);
                }
            }
            counts.add(value(self, pod));
        }
    }

    /// How different two pods are, as a share of what they ask for together.
    fn unlike(&self, one: u32, other: u32) -> f64 {
        let both = self.pods[one as usize].request.iter().zip(&self.pods[other as usize].request);
        both.filter(|(a, b)| **a + **b > 0.0).map(|(a, b)| (a - b).abs() / (a + b)).sum()
    }

    fn can_swap(&self, one: u32, other: u32) -> bool {
        let (a, b) = (self.rows[one as usize], self.rows[other as usize]);
        a != b && self.may_be(one, b) && self.may_be(other, a) && self.fits(one, other, b) && self.fits(other, one, a)
    }

    fn may_be(&self, pod: u32, row: i32) -> bool {
        let class = self.snapshot.class(self.pods[pod as usize].class);
        class.is_some_and(|class| class.is_possible(row as u32) && class.is_permitted(row as u32))
    }

    /// Whether `pod` fits on `row` in the place of `former`.
    fn fits(&self, pod: u32, former: u32, row: i32) -> bool {
        let (pod, former) = (&self.pods[pod as usize].request, &self.pods[former as usize].request);
        let cells = &self.free[row as usize * pod.len()..][..pod.len()];
        pod.iter().zip(former).zip(cells).all(|((new, old), free)| *new == 0.0 || free + old >= *new)
    }

    /// The row with the largest share left beside the pod, among those that it may have.
    fn roomiest(&self, pod: u32, admits: impl Fn(usize) -> bool) -> Option<usize> {
        let request = &self.pods[pod as usize].request;
        let width = request.len();
        let left = |row: usize| {
            let cells = row * width..(row + 1) * width;
            let (free, offered) = (&self.free[cells.clone()], &self.snapshot.allocatable()[cells]);
            let asked = request.iter().zip(free).zip(offered).filter(|((asked, _), _)| **asked > 0.0);
            asked.map(|((asked, free), offered)| (free - asked) / offered.max(1.0)).fold(f64::INFINITY, f64::min)
        };
        let able =
            (0..self.snapshot.rows()).filter(|row| admits(*row) && self.may_be(pod, *row as i32) && left(*row) >= 0.0);
        able.max_by(|one, other| left(*one).total_cmp(&left(*other)))
    }

    fn relocate(&mut self, pod: u32, row: usize) {
        let request = &self.pods[pod as usize].request;
        for (row, sign) in [(self.rows[pod as usize] as usize, 1.0), (row, -1.0)] {
            let cells = &mut self.free[row * request.len()..][..request.len()];
            cells.iter_mut().zip(request).for_each(|(cell, amount)| *cell += sign * amount);
        }
        self.rows[pod as usize] = row as i32;
    }

    fn swap(&mut self, one: u32, other: u32) {
        let (a, b) = (self.rows[one as usize], self.rows[other as usize]);
        for (row, comes, goes) in [(a, other, one), (b, one, other)] {
            let (comes, goes) = (&self.pods[comes as usize].request, &self.pods[goes as usize].request);
            let cells = &mut self.free[row as usize * comes.len()..][..comes.len()];
            cells.iter_mut().zip(comes.iter().zip(goes)).for_each(|(cell, (new, old))| *cell += old - new);
        }
        self.rows.swap(one as usize, other as usize);
    }
}

/// Pods of a group by value of its topology, while they come one by one.
struct Counts {
    by_value: HashMap<u32, u32>,
    skew: u32,
}

impl Counts {
    fn new(rule: &GroupRule, values: &[u32]) -> Self {
        let all: BTreeSet<u32> = values.iter().copied().filter(|value| *value != NO_VALUE).collect();
        let mut by_value: HashMap<u32, u32> = all.into_iter().map(|value| (value, 0)).collect();
        for (value, count) in &rule.existing {
            by_value.entry(*value).and_modify(|sum| *sum += count);
        }
        let skew = if let GroupLimit::Skew(skew) = rule.limit { skew } else { u32::MAX };
        Self { by_value, skew }
    }

    fn admits(&self, value: u32) -> bool {
        let least = self.by_value.values().min().copied().unwrap_or(0);
        self.by_value.get(&value).is_none_or(|count| *count < least.saturating_add(self.skew))
    }

    fn add(&mut self, value: u32) {
        self.by_value.entry(value).and_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use gantry_cluster::{Index, IndexSettings};
    use serde_json::json;

    use super::super::reserved::Reservation;
    use super::*;

    /// Four nodes, two a zone, and pods of one cpu with the spread group's rule.
    fn cluster(pods: usize) -> Basis {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        for (number, zone) in [(0, "a"), (1, "a"), (2, "b"), (3, "b")] {
            let node = json!({
                "metadata": {"name": format!("n{number}"), "labels": {"zone": zone}},
                "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "10"}},
            });
            index.apply_node(&serde_json::from_value(node).unwrap()).unwrap();
        }
        let pod = |number: usize| {
            let container = json!({"name": "c", "resources": {"requests": {"cpu": "1"}}});
            let pod = json!({"metadata": {"name": format!("p{number}"), "uid": format!("u{number}")}, "spec": {"containers": [container]}});
            serde_json::from_value(pod).unwrap()
        };
        let pods = (0..pods).map(|number| index.row_of(&pod(number)).unwrap()).collect::<Vec<Arc<PodRow>>>();
        let groups = spread(pods.len() as u32);
        Basis { snapshot: index.snapshot(), pods, left: Vec::new(), groups, reserved: Vec::new() }
    }

    fn spread(pods: u32) -> GroupColumns {
        let rule = GroupRule {
            topology: 0,
            pods: (0..pods).collect(),
            existing: Vec::new(),
            limit: GroupLimit::Skew(1),
            force: GroupForce::Hard,
        };
        GroupColumns { topologies: vec![vec![0, 0, 1, 1]], rules: vec![rule], unplannable: Vec::new() }
    }

    fn holds_at_every_step(rows: &[i32]) -> bool {
        let mut counts = [0_i32; 2];
        rows.iter().all(|row| {
            counts[usize::from(*row >= 2)] += 1;
            (counts[0] - counts[1]).abs() <= 1
        })
    }

    #[test]
    fn pods_of_a_spread_group_change_places_until_every_step_is_even() {
        let basis = cluster(6);
        let mut rows = [0, 0, 1, 2, 3, 3];
        assert!(!holds_at_every_step(&rows));
        mend(&basis, &mut rows);
        assert!(holds_at_every_step(&rows), "{rows:?}");
        let mut sorted = rows;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 0, 1, 2, 3, 3], "rows are exchanged, never given up");
    }

    #[test]
    fn an_order_that_holds_is_left_alone() {
        let basis = cluster(4);
        let mut rows = [0, 2, 3, 1];
        mend(&basis, &mut rows);
        assert_eq!(rows, [0, 2, 3, 1]);
    }

    #[test]
    fn a_pod_that_can_change_places_with_nobody_moves_to_the_roomiest_node() {
        let basis = cluster(2);
        let mut rows = [0, 0];
        mend(&basis, &mut rows);
        assert!(holds_at_every_step(&rows), "{rows:?}");
    }

    #[test]
    fn room_that_others_are_promised_is_not_given_away() {
        let mut basis = cluster(4);
        let promised = basis.pods.split_off(2);
        basis.groups = spread(2);
        basis.reserved = promised.into_iter().map(|pod| Reservation { row: 2, pod }).collect();
        let mut rows = [0, 0];
        mend(&basis, &mut rows);
        assert_eq!(rows, [0, 3]);
    }

    #[test]
    fn pods_without_a_row_take_no_turn() {
        let basis = cluster(4);
        let mut rows = [0, -1, 1, 2];
        mend(&basis, &mut rows);
        assert_eq!(rows, [0, -1, 2, 1]);
    }
}
