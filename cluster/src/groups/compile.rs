//! From ties to rules.
//!
//! A value is *closed* to some pods by a rule that allows as many of them together as there are, and says that so many
//! are there already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use super::census::{Census, Crowd};
use super::topologies::{NO_VALUE, Topologies, WITHOUT};
use super::{GroupColumns, GroupForce, GroupLimit, GroupRule};
use crate::pod::PodRow;
use crate::ports::HostPort;
use crate::snapshot::Snapshot;
use crate::ties::{Spread, Term, Ties};

/// What a broken wish of full weight costs: one squared percentage point, ten times what counts as a gain by default.
const WISH: f64 = 1.0;

/// Two groups that must keep apart cost a rule for every pair of their pods; past this many the pods are not planned.
const MOST_PAIRS: usize = 1_024;

/// Pods of equal ties that are to be placed.
struct Family<'a> {
    ties: &'a Ties,
    pods: Vec<u32>,
}

/// Counts by value.
type Counts = BTreeMap<u32, u32>;

/// The compilation of the rules of some pods.
pub(super) struct Compilation<'a> {
    pods: &'a [Arc<PodRow>],
    promised: &'a [(u32, Arc<PodRow>)],
    families: Vec<Family<'a>>,
    census: Census<'a>,
    topologies: Topologies<'a>,
    rules: Vec<GroupRule>,
    unplannable: BTreeSet<u32>,
}

impl<'a> Compilation<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, pods: &'a [Arc<PodRow>], promised: &'a [(u32, Arc<PodRow>)]) -> Self {
        let positions = || (0..).zip(pods);
        let plannable = positions().filter(|(_, pod)| !pod.ties.unplannable);
        let families = grouped(plannable.map(|(position, pod)| (&*pod.ties, position)));
        Self {
            pods,
            promised,
            families: families.into_iter().map(|(ties, pods)| Family { ties, pods }).collect(),
            census: Census::take(&snapshot.residents, promised),
            topologies: Topologies::new(&snapshot.nodes),
            rules: Vec::new(),
            unplannable: positions().filter(|(_, pod)| pod.ties.unplannable).map(|(position, _)| position).collect(),
        }
    }

    pub(super) fn compile(mut self) -> GroupColumns {
        for (term, owners) in self.owners(|ties| &ties.apart) {
            self.keep_apart(term, &owners);
        }
        self.keep_away();
        for (terms, owners) in self.owners(|ties| std::slice::from_ref(&ties.beside)) {
            if !terms.is_empty() {
                self.keep_beside(terms, &owners);
            }
        }
        for (spread, owners) in self.owners(|ties| &ties.spread) {
            self.spread(spread, &owners);
        }
        for ((weight, term), owners) in self.owners(|ties| &ties.rather_apart) {
            self.rather_apart(f64::from(*weight) / 100.0, term, &owners);
        }
        for port in self.crowded_ports() {
            self.keep_ports(port);
        }
        for rule in &mut self.rules {
            rule.pods.retain(|pod| !self.unplannable.contains(pod));
        }
        self.rules.retain(|rule| !rule.pods.is_empty());
        let unplannable = self.unplannable.into_iter().collect();
        GroupColumns { topologies: self.topologies.columns, rules: self.rules, unplannable }
    }

    /// The demands of a kind, each with the pods that have it.
    fn owners<D: Eq + Hash>(&self, demands: impl Fn(&'a Ties) -> &'a [D]) -> Vec<(&'a D, Vec<u32>)> {
        let each = |family: &Family<'a>| {
            let pods = family.pods.clone();
            demands(family.ties).iter().flat_map(move |demand| pods.clone().into_iter().map(move |pod| (demand, pod)))
        };
        let mut owners = grouped(self.families.iter().flat_map(each));
        for (_, pods) in &mut owners {
            pods.sort_unstable();
            pods.dedup();
        }
        owners
    }

    /// The pods to be placed that someone means, ascending.
    fn meant(&self, means: impl Fn(&Ties) -> bool) -> Vec<u32> {
        let families = self.families.iter().filter(|family| means(family.ties));
        let mut pods: Vec<u32> = families.flat_map(|family| family.pods.iter().copied()).collect();
        pods.sort_unstable();
        pods
    }

    /// Required anti-affinity, as far as the pods to be placed demand it.
    fn keep_apart(&mut self, term: &'a Term, owners: &[u32]) {
        let targets = self.meant(|ties| term.selects(ties));
        let topology = self.topologies.plain(&term.topology);
        let there = self.there(topology, |ties| term.selects(ties), |(_, all, _)| all);
        if targets == owners {
            self.add(topology, owners, there, GroupLimit::AtMost(1), GroupForce::Hard);
            return;
        }
        self.close(topology, owners, there.into_keys(), GroupForce::Hard);
        let (both, only): (Vec<u32>, Vec<u32>) = owners.iter().partition(|owner| targets.binary_search(owner).is_ok());
        let others: Vec<u32> = targets.iter().copied().filter(|target| both.binary_search(target).is_err()).collect();
        if both.len() > 1 {
            self.add(topology, &both, Counts::new(), GroupLimit::AtMost(1), GroupForce::Hard);
        }
        if both.len() * others.len() + only.len() * targets.len() > MOST_PAIRS {
            self.unplannable.extend(owners);
            return;
        }
        let pairs = |owners: &[u32], targets: &[u32]| -> Vec<[u32; 2]> {
            owners.iter().flat_map(|&owner| targets.iter().map(move |&target| [owner, target])).collect()
        };
        for mut pair in pairs(&both, &others).into_iter().chain(pairs(&only, &targets)) {
            pair.sort_unstable();
            self.add(topology, &pair, Counts::new(), GroupLimit::AtMost(1), GroupForce::Hard);
        }
    }

    /// Required anti-affinity of the pods that are there.
    fn keep_away(&mut self) {
        let each = |(index, crowd): (usize, &Crowd<'a>)| crowd.ties.apart.iter().map(move |term| (term, index));
        for (term, crowds) in grouped(self.census.crowds.iter().enumerate().flat_map(each)) {
            let meant = self.meant(|ties| term.selects(ties));
            let topology = self.topologies.plain(&term.topology);
            let rows = crowds.iter().flat_map(|&crowd| self.census.crowds[crowd].rows.iter());
            let column = &self.topologies.columns[topology as usize];
            let values: BTreeSet<u32> = rows.map(|(row, ..)| column[*row as usize]).collect();
            self.close(topology, &meant, values, GroupForce::Hard);
        }
    }

    /// Required affinity: where pods are that all terms mean; a group that means itself may also begin anywhere, all of
    /// it at the same place.
    fn keep_beside(&mut self, terms: &'a [Term], owners: &[u32]) {
        let means = |ties: &Ties| terms.iter().all(|term| term.selects(ties));
        let is_anybody_there = self.census.meant(means).next().is_some();
        if !is_anybody_there && self.meant(means) != owners {
            self.unplannable.extend(owners);
            return;
        }
        for term in terms {
            let topology = self.topologies.strict(&term.topology);
            let mut closed = self.topologies.zeros(topology);
            if is_anybody_there {
                let there = self.there(topology, means, |(_, all, _)| all);
                closed.retain(|value, _| *value == WITHOUT || !there.contains_key(value));
            } else {
                closed.retain(|value, _| *value == WITHOUT);
                self.add(topology, owners, Counts::new(), GroupLimit::Together, GroupForce::Hard);
            }
            self.close(topology, owners, closed.into_keys(), GroupForce::Hard);
        }
    }

    /// Topology spread. It binds all pods that count for it, those too that do not demand it themselves.
    fn spread(&mut self, spread: &'a Spread, owners: &[u32]) {
        let targets = self.meant(|ties| spread.selects(ties));
        let counts_itself = owners.iter().all(|owner| targets.binary_search(owner).is_ok());
        let topology = self.topologies.within(&spread.topology, &spread.reach);
        let mut counts = self.topologies.zeros(topology);
        counts.extend(self.there(topology, |ties| spread.selects(ties), |(.., staying)| staying));
        if !spread.hard {
            if counts_itself {
                self.add(topology, &targets, counts, GroupLimit::Skew(spread.skew), GroupForce::Soft(WISH));
            }
            return;
        }
        let strict = self.topologies.strict(&spread.topology);
        if self.topologies.zeros(strict).contains_key(&WITHOUT) {
            self.close(strict, owners, [WITHOUT], GroupForce::Hard);
        }
        let has_few_values = counts.len() < spread.min_domains as usize;
        if counts_itself {
            let limit = if has_few_values { GroupLimit::AtMost(spread.skew) } else { GroupLimit::Skew(spread.skew) };
            self.add(topology, &targets, counts, limit, GroupForce::Hard);
        } else if targets.is_empty() {
            let fewest = if has_few_values { 0 } else { counts.values().copied().min().unwrap_or(0) };
            counts.retain(|_, count| *count - fewest > spread.skew);
            self.close(topology, owners, counts.into_keys(), GroupForce::Hard);
        } else {
            self.unplannable.extend(owners);
        }
    }

    /// Preferred anti-affinity.
    fn rather_apart(&mut self, share: f64, term: &'a Term, owners: &[u32]) {
        let topology = self.topologies.plain(&term.topology);
        let there = self.there(topology, |ties| term.selects(ties), |(_, all, _)| all);
        let force = GroupForce::Soft(WISH * share);
        if self.meant(|ties| term.selects(ties)) == owners {
            self.add(topology, owners, there, GroupLimit::AtMost(1), force);
        } else {
            self.close(topology, owners, there.into_keys(), force);
        }
    }

    /// Host ports that more than one pod wants, such that whoever conflicts with one of them conflicts with all others who
    /// do: a port of one address, or, where nobody names an address, of all.
    fn crowded_ports(&self) -> BTreeSet<&'a HostPort> {
        let everybody = self.pods.iter().chain(self.promised.iter().map(|(_, pod)| pod));
        let ports: BTreeSet<&'a HostPort> = everybody.flat_map(|pod| pod.ports.iter()).collect();
        let is_widest = |port: &HostPort| port.has_any_address() && ports.iter().any(|other| port.covers(other));
        let narrow = ports.iter().copied().filter(|port| !is_widest(port));
        narrow
            .filter(|port| self.who_takes(port).nth(1).is_some() || self.rows_that_lose(port).next().is_some())
            .collect()
    }

    fn who_takes(&self, port: &HostPort) -> impl Iterator<Item = u32> {
        let takes = move |pod: &PodRow| pod.ports.iter().any(|own| own.conflicts_with(port));
        (0..).zip(self.pods).filter(move |(_, pod)| takes(pod)).map(|(position, _)| position)
    }

    /// The rows on which somebody is promised a place who takes the port.
    fn rows_that_lose(&self, port: &HostPort) -> impl Iterator<Item = u32> {
        let takes = move |pod: &PodRow| pod.ports.iter().any(|own| own.conflicts_with(port));
        self.promised.iter().filter(move |(_, pod)| takes(pod)).map(|(row, _)| *row)
    }

    /// At most one pod of a row has the port. Who has it already is seen by the pods' domain classes.
    fn keep_ports(&mut self, port: &'a HostPort) {
        let (pods, rows): (Vec<u32>, Counts) =
            (self.who_takes(port).collect(), self.rows_that_lose(port).map(|row| (row, 1)).collect());
        let topology = self.topologies.rows();
        self.add(topology, &pods, rows, GroupLimit::AtMost(1), GroupForce::Hard);
    }

    /// How many pods are there already that someone means, by value; values without any are left out.
    fn there(&self, topology: u32, means: impl Fn(&Ties) -> bool, count: impl Fn((u32, u32, u32)) -> u32) -> Counts {
        let column = &self.topologies.columns[topology as usize];
        let mut counts = Counts::new();
        for &row in self.census.meant(means).flat_map(|crowd| &crowd.rows) {
            let (value, count) = (column[row.0 as usize], count(row));
            if value != NO_VALUE && count > 0 {
                *counts.entry(value).or_insert(0) += count;
            }
        }
        counts
    }

    fn close(&mut self, topology: u32, pods: &[u32], values: impl IntoIterator<Item = u32>, force: GroupForce) {
        let all = pods.len() as u32;
        let full: Counts = values.into_iter().filter(|value| *value != NO_VALUE).map(|value| (value, all)).collect();
        let is_closed = |rule: &GroupRule| {
            let single = rule.limit == GroupLimit::AtMost(1) && rule.force == force;
            let there = |value: &u32| rule.existing.binary_search_by_key(value, |(value, _)| *value).is_ok();
            single && rule.topology == topology && rule.pods == pods && full.keys().all(there)
        };
        if !full.is_empty() && !self.rules.iter().any(is_closed) {
            self.add(topology, pods, full, GroupLimit::AtMost(all), force);
        }
    }

    fn add(&mut self, topology: u32, pods: &[u32], existing: Counts, limit: GroupLimit, force: GroupForce) {
        let existing = existing.into_iter().filter(|(_, count)| *count > 0).collect();
        self.rules.push(GroupRule { topology, pods: pods.to_vec(), existing, limit, force });
    }
}

/// Values by key, the keys in the order in which they first come.
fn grouped<K: Copy + Eq + Hash, V>(pairs: impl Iterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    let mut place_by_key: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in pairs {
        let place = *place_by_key.entry(key).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(value);
    }
    groups
}
