//! Rules between pods: at most so many together, an even spread, or all in one place.
//!
//! Promises: what passes the checks is compiled to lists by item, in memory that grows with rows, pods and rules named,
//! never with their products. Must not know: selectors, labels, or what a topology is called; a value is a number.

mod tally;

use std::collections::{BTreeMap, BTreeSet};

use super::columns::check_numbers;
use super::error::PlacementError;
use super::nodes::Nodes;
pub(super) use tally::Tally;

/// The topology value of a row that has none: pods there do not count for the rules that go by that topology.
pub const NO_VALUE: u32 = u32::MAX;

/// Rules, and the topologies they go by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Groups<'a> {
    /// For each topology the value of each row: any number, equal where rows share a node, a rack, a zone; or
    /// [`NO_VALUE`]. A row that is no node has none, whatever is given here.
    pub topologies: &'a [&'a [u32]],
    /// The rules. A pod may be bound by several.
    pub rules: &'a [Rule<'a>],
}

/// One rule for one group of pods.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// The index of the topology it goes by.
    pub topology: usize,
    /// The pods of the group that are to be placed, each once, in any order.
    pub pods: &'a [u32],
    /// The pods of the group that are there already: values with counts. Values that no row has are ignored, and
    /// counts above 2^30 count as that.
    pub existing: &'a [(u32, u32)],
    /// What the rule allows.
    pub limit: Limit,
    /// What breaking it means.
    pub force: Force,
}

/// What a rule allows. Pods that are there already stay there; only placed pods can be *surplus*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// At most this many pods of the group share a value; 1 is anti-affinity. Placed pods past that are surplus.
    AtMost(u32),
    /// The counts of two values differ by at most this, at least 1: topology spread. A placed pod is surplus if, were
    /// the pods of its value stacked on those that are there already, it would have at least as many under it as the
    /// value with the fewest pods has, plus this. Every value of the topology can be the one with the fewest.
    Skew(u32),
    /// All placed pods of the group share a value. Those that are not on the value with the most placed pods are
    /// surplus. Pods that are there already do not count.
    Together,
}

/// What breaking a rule means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Force {
    /// Each surplus pod adds 1 to the violation.
    Hard,
    /// Each surplus pod adds this weight to the objective, in its unit; 0 to 2^53.
    Soft(f64),
}

/// The rules as the evaluation needs them.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Topology by topology, the value of each row and of nowhere.
    values: Vec<u32>,
    places: usize,
    bounds: Vec<Bounds>,
    /// The rules of item `i`, ascending, are `bound_by[first[i]..first[i + 1]]`; after the last item comes nobody.
    bound_by: Vec<u32>,
    first: Vec<u32>,
    /// With no pod placed.
    unplaced: Tally,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Where the topology's values begin.
    values: usize,
    limit: Limit,
    force: Force,
    /// Where the rule's marks begin in the tally, and how many pods it binds.
    marks: usize,
    pods: usize,
}

/// An item goes from one place to another, and another one (or nobody) goes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) item: usize,
    pub(super) other: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Rules {
    pub(super) fn new(
        groups: &Groups<'_>,
        nodes: &Nodes,
        pods: usize,
        pod_by_item: &[u32],
    ) -> Result<Self, PlacementError> {
        let mut rules = Self { places: nodes.rows() + 1, ..Self::default() };
        for topology in groups.topologies {
            rules.add_topology(nodes, topology)?;
        }
        let mut item_by_pod = vec![None; pods];
        pod_by_item.iter().enumerate().for_each(|(item, &pod)| item_by_pod[pod as usize] = Some(item));
        let mut rules_by_item = vec![Vec::new(); pod_by_item.len() + 1];
        for (index, rule) in groups.rules.iter().enumerate() {
            check(rule, index, groups.topologies.len(), pods)?;
            rules.add(rule);
            for &item in rule.pods.iter().filter_map(|&pod| item_by_pod[pod as usize].as_ref()) {
                rules_by_item[item].push(index as u32);
            }
        }
        rules.first = vec![0];
        for of_item in rules_by_item {
            rules.bound_by.extend(of_item);
            rules.first.push(rules.bound_by.len() as u32);
        }
        Ok(rules)
    }

    fn add_topology(&mut self, nodes: &Nodes, values: &[u32]) -> Result<(), PlacementError> {
        if values.len() != nodes.rows() {
            let (expected, found) = (nodes.rows(), values.len());
            return Err(PlacementError::Length { column: "topology", expected, found });
        }
        let live = |(row, &value): (usize, &u32)| if nodes.is_live(row as u32) { value } else { NO_VALUE };
        self.values.extend(values.iter().enumerate().map(live).chain([NO_VALUE]));
        Ok(())
    }

    fn add(&mut self, rule: &Rule<'_>) {
        let values = rule.topology * self.places;
        let bounds = Bounds {
            values,
            limit: rule.limit,
            force: rule.force,
            marks: self.unplaced.marks(),
            pods: rule.pods.len(),
        };
        let known = self.values[values..][..self.places].iter().filter(|&&value| value != NO_VALUE);
        let mut existing: BTreeMap<u32, u64> = known.map(|&value| (value, 0)).collect();
        for (value, count) in rule.existing {
            if let Some(sum) = existing.get_mut(value) {
                *sum += u64::from(*count);
            }
        }
        self.unplaced.add_rule(&bounds, &existing);
        self.bounds.push(bounds);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }

    /// The tally of a genome, in memory that is no longer needed.
    pub(super) fn tally(&self, tally: &mut Tally, genome: &[u32], place: impl Fn(u32) -> usize) {
        tally.restart(&self.unplaced);
        for (item, &gene) in genome.iter().enumerate() {
            for &rule in self.of(item) {
                tally.step(self, rule as usize, NO_VALUE, self.value(rule as usize, place(gene)));
            }
        }
    }

    /// The rules of an item, or nobody's.
    #[inline]
    fn of(&self, item: usize) -> &[u32] {
        let ends = self.first.get(item..item + 2).unwrap_or(&[0, 0]);
        &self.bound_by[ends[0] as usize..ends[1] as usize]
    }

    #[inline]
    fn value(&self, rule: usize, place: usize) -> u32 {
        self.values[self.bounds[rule].values + place]
    }

    /// What an exchange means to the rules: in which of them a pod goes from which value to which. A rule that binds
    /// both pods sees no change.
    #[inline]
    fn steps(&self, exchange: Exchange) -> impl Iterator<Item = (usize, u32, u32)> {
        let Exchange { item, other, from, to } = exchange;
        let (goes, comes) = (self.of(item), self.of(other));
        let out = goes.iter().filter(|rule| !comes.contains(rule)).map(move |&rule| (rule as usize, from, to));
        let back = comes.iter().filter(|rule| !goes.contains(rule)).map(move |&rule| (rule as usize, to, from));
        let steps = out.chain(back).map(|(rule, from, to)| (rule, self.value(rule, from), self.value(rule, to)));
        steps.filter(|(_, from, to)| from != to)
    }
}

fn check(rule: &Rule<'_>, index: usize, topologies: usize, pods: usize) -> Result<(), PlacementError> {
    if rule.topology >= topologies {
        return Err(PlacementError::UnknownTopology { rule: index, topology: rule.topology, topologies });
    }
    if rule.limit == Limit::Skew(0) {
        return Err(PlacementError::NoSkew { rule: index });
    }
    if let Force::Soft(weight) = rule.force {
        check_numbers("rule weights", &[weight])?;
    }
    if let Some(&pod) = rule.pods.iter().find(|&&pod| pod as usize >= pods) {
        return Err(PlacementError::UnknownPod { rule: index, pod, pods });
    }
    let mut seen = BTreeSet::new();
    match rule.pods.iter().find(|&&pod| !seen.insert(pod)) {
        Some(&pod) => Err(PlacementError::RepeatedPod { rule: index, pod }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
