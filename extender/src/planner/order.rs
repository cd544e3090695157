//! Makes a plan one that can be reached pod by pod.
//!
//! kube-scheduler binds one pod after the other and asks for an even spread after each.
//! A plan whose end is even may still begin with two pods in one zone, and the second
//! of them would be refused where the plan has it. Pods of one spread group change
//! places, or move to another node, until their order holds at every step.
//!
//! Promises to leave every pod that had a row with a row where it may be and fits, and
//! every hard rule as well kept in the end as it was. An order that cannot be mended, or
//! not within a bound of work, is left as it is.

mod tally;

use std::collections::HashSet;
use std::sync::Arc;

use gantry_cluster::{GroupColumns, GroupForce, GroupLimit, GroupRule, PodRow, Snapshot};

use super::plan::Basis;
use tally::{Tally, distinct};

/// Of so many pods that a pod could change places with, the one most like it is taken: among more there is hardly a
/// better one.
const PARTNERS: usize = 32;

/// How many pods and rows are looked at in all, some tens of nanoseconds each: a tenth of a second or two at the most.
/// 5,000 pods spread over 1,000 nodes and three zones take half of that.
const LOOKS: usize = 4_000_000;

/// Changes places in `rows`, one a pod of the basis; both are in the order in which kube-scheduler takes the pods.
pub(super) fn mend(basis: &Basis, rows: &mut [i32]) {
    let ordered = ordered(&basis.groups);
    if ordered.is_empty() {
        return;
    }
    let mut placed: Vec<u32> = ordered.iter().copied().filter(|pod| rows[*pod as usize] >= 0).collect();
    placed.sort_unstable();
    let mut table = Table::new(basis, rows, &ordered);
    for pod in placed {
        table.take_turn(pod);
    }
}

/// Positions of pods that spread evenly, whatever else they do: their order matters.
pub(super) fn ordered(groups: &GroupColumns) -> HashSet<u32> {
    groups.rules.iter().filter(|rule| is_spread(rule)).flat_map(|rule| rule.pods.iter().copied()).collect()
}

fn is_spread(rule: &GroupRule) -> bool {
    matches!(rule.limit, GroupLimit::Skew(_)) && rule.force == GroupForce::Hard
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
    /// The hard rules that bind pods whose order matters.
    tallies: Vec<Tally<'a>>,
    /// Which of them bind a pod, ascending.
    rules_by_pod: Vec<Vec<u32>>,
    /// How many looks are left.
    looks: usize,
}

impl<'a> Table<'a> {
    fn new(basis: &'a Basis, rows: &'a mut [i32], ordered: &HashSet<u32>) -> Self {
        let Basis { snapshot, pods, groups, .. } = basis;
        let hard = groups.rules.iter().filter(|rule| rule.force == GroupForce::Hard);
        let rules: Vec<&GroupRule> = hard.filter(|rule| rule.pods.iter().any(|pod| ordered.contains(pod))).collect();
        let mut rules_by_pod = vec![Vec::new(); pods.len()];
        for (number, rule) in (0..).zip(&rules) {
            for pod in &rule.pods {
                rules_by_pod[*pod as usize].push(number);
            }
        }
        let distinct: Vec<u32> = groups.topologies.iter().map(|values| distinct(values)).collect();
        let tally = |&rule: &&'a GroupRule| {
            let topology = rule.topology as usize;
            Tally::new(rule, &groups.topologies[topology], distinct[topology], rows)
        };
        let tallies = rules.iter().map(tally).collect();
        Self { snapshot, pods, free: free(basis, rows), rows, tallies, rules_by_pod, looks: LOOKS }
    }

    /// kube-scheduler takes the pod: where one of its rules would refuse it, it goes elsewhere if it can.
    fn take_turn(&mut self, pod: u32) {
        if let Some(rule) = self.refusing(pod, self.row(pod)) {
            if let Some(other) = self.partner(pod, rule) {
                self.swap(pod, other);
            } else if let Some(row) = self.roomiest(pod) {
                self.relocate(pod, row);
            }
        }
        let row = self.row(pod);
        for rule in &self.rules_by_pod[pod as usize] {
            self.tallies[*rule as usize].come(row);
        }
    }

    /// The row of a pod that has one.
    fn row(&self, pod: u32) -> usize {
        self.rows[pod as usize] as usize
    }

    /// A rule that refuses the pod on the row if it comes now.
    fn refusing(&self, pod: u32, row: usize) -> Option<u32> {
        self.rules_by_pod[pod as usize].iter().copied().find(|rule| !self.tallies[*rule as usize].admits(row))
    }

    /// Who comes later under the rule and can change places with the pod; of the first few the one most like it.
    fn partner(&mut self, pod: u32, rule: u32) -> Option<u32> {
        let pods = self.tallies[rule as usize].pods;
        let later = &pods[pods.partition_point(|other| *other <= pod)..];
        let mut looks = 0;
        let seen = later.iter().copied().take(self.looks).inspect(|_| looks += 1);
        let able = seen.filter(|other| self.rows[*other as usize] >= 0 && self.can_swap(pod, *other)).take(PARTNERS);
        let alike = |one: &u32, other: &u32| self.unlike(pod, *one).total_cmp(&self.unlike(pod, *other));
        let partner = able.min_by(alike);
        self.looks -= looks;
        partner
    }

    /// How different two pods are, as a share of what they ask for together.
    fn unlike(&self, one: u32, other: u32) -> f64 {
        let both = self.pods[one as usize].request.iter().zip(&self.pods[other as usize].request);
        both.filter(|(a, b)| **a + **b > 0.0).map(|(a, b)| (a - b).abs() / (a + b)).sum()
    }

    fn can_swap(&self, pod: u32, other: u32) -> bool {
        let (here, there) = (self.row(pod), self.row(other));
        here != there
            && self.refusing(pod, there).is_none()
            && self.may_be(pod, there)
            && self.may_be(other, here)
            && self.fits(pod, other, there)
            && self.fits(other, pod, here)
            && self.steps(pod, other).all(|(rule, from, to)| self.tallies[rule].lets_move(from, to))
    }

    /// What it means to the rules that two pods change places: in which of them one goes from which row to which. In a
    /// rule that binds both nothing changes in the end.
    fn steps(&self, one: u32, other: u32) -> impl Iterator<Item = (usize, usize, usize)> {
        let (here, there) = (self.row(one), self.row(other));
        let goes = self.rules_without(one, other).map(move |rule| (rule, here, there));
        goes.chain(self.rules_without(other, one).map(move |rule| (rule, there, here)))
    }

    /// The rules that bind the one pod without the other.
    fn rules_without(&self, one: u32, other: u32) -> impl Iterator<Item = usize> {
        let (own, others) = (&self.rules_by_pod[one as usize], &self.rules_by_pod[other as usize]);
        own.iter().filter(move |rule| others.binary_search(rule).is_err()).map(|rule| *rule as usize)
    }

    fn may_be(&self, pod: u32, row: usize) -> bool {
        let class = self.snapshot.class(self.pods[pod as usize].class);
        class.is_some_and(|class| class.is_possible(row as u32) && class.is_permitted(row as u32))
    }

    /// Whether `pod` fits on `row` in the place of `former`.
    fn fits(&self, pod: u32, former: u32, row: usize) -> bool {
        let (pod, former) = (&self.pods[pod as usize].request, &self.pods[former as usize].request);
        let cells = &self.free[row * pod.len()..][..pod.len()];
        pod.iter().zip(former).zip(cells).all(|((new, old), free)| *new == 0.0 || free + old >= *new)
    }

    /// The row with the largest share left beside the pod, among those that it may have.
    fn roomiest(&mut self, pod: u32) -> Option<usize> {
        let rows = self.snapshot.rows().min(self.looks);
        self.looks -= rows;
        let able = (0..rows).filter(|row| self.can_move(pod, *row));
        able.max_by(|one, other| self.left(pod, *one).total_cmp(&self.left(pod, *other)))
    }

    fn can_move(&self, pod: u32, row: usize) -> bool {
        let here = self.row(pod);
        let mut rules = self.rules_by_pod[pod as usize].iter().map(|rule| &self.tallies[*rule as usize]);
        self.may_be(pod, row)
            && self.left(pod, row) >= 0.0
            && rules.all(|rule| rule.admits(row) && rule.lets_move(here, row))
    }

    /// The smallest share of what the row offers that is left beside the pod; negative where it does not fit.
    fn left(&self, pod: u32, row: usize) -> f64 {
        let request = &self.pods[pod as usize].request;
        let cells = row * request.len()..(row + 1) * request.len();
        let (free, offered) = (&self.free[cells.clone()], &self.snapshot.allocatable()[cells]);
        let asked = request.iter().zip(free).zip(offered).filter(|((asked, _), _)| **asked > 0.0);
        asked.map(|((asked, free), offered)| (free - asked) / offered.max(1.0)).fold(f64::INFINITY, f64::min)
    }

    fn relocate(&mut self, pod: u32, row: usize) {
        let (here, request) = (self.row(pod), &self.pods[pod as usize].request);
        for (row, sign) in [(here, 1.0), (row, -1.0)] {
            let cells = &mut self.free[row * request.len()..][..request.len()];
            cells.iter_mut().zip(request).for_each(|(cell, amount)| *cell += sign * amount);
        }
        for rule in &self.rules_by_pod[pod as usize] {
            self.tallies[*rule as usize].moved(here, row);
        }
        self.rows[pod as usize] = row as i32;
    }

    fn swap(&mut self, one: u32, other: u32) {
        let steps: Vec<_> = self.steps(one, other).collect();
        for (rule, from, to) in steps {
            self.tallies[rule].moved(from, to);
        }
        let (here, there) = (self.row(one), self.row(other));
        for (row, comes, goes) in [(here, other, one), (there, one, other)] {
            let (comes, goes) = (&self.pods[comes as usize].request, &self.pods[goes as usize].request);
            let cells = &mut self.free[row * comes.len()..][..comes.len()];
            cells.iter_mut().zip(comes.iter().zip(goes)).for_each(|(cell, (new, old))| *cell += old - new);
        }
        self.rows.swap(one as usize, other as usize);
    }
}

#[cfg(test)]
mod tests;
