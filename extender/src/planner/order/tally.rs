//! What a hard rule between pods counts: as the pods come one by one, and in the end.
//!
//! Only an even spread asks at every step. Of all other rules it is enough that they
//! hold in the end, because a count only grows on the way there; a value that is closed
//! is one that has as many pods as the rule allows.

use std::collections::{BTreeMap, HashSet};

use foldhash::HashMap;
use gantry_cluster::{GroupLimit, GroupRule};

/// A row without a value takes no part in a rule.
const NO_VALUE: u32 = u32::MAX;

/// A hard rule and its counts.
pub(super) struct Tally<'a> {
    /// The pods that it binds, ascending.
    pub(super) pods: &'a [u32],
    /// Row by row.
    values: &'a [u32],
    limit: GroupLimit,
    /// With the pods that have come.
    now: Counts,
    /// With all pods where the plan has them.
    end: Counts,
}

impl<'a> Tally<'a> {
    /// With nobody come yet, and the pods at `rows`. `values` are those of the rule's topology, `distinct` of them.
    pub(super) fn new(rule: &'a GroupRule, values: &'a [u32], distinct: u32, rows: &[i32]) -> Self {
        let now = Counts::new(distinct, &rule.existing);
        let mut end = now.clone();
        let placed = rule.pods.iter().filter_map(|pod| usize::try_from(rows[*pod as usize]).ok());
        placed.for_each(|row| end.add(values[row]));
        Self { pods: &rule.pods, values, limit: rule.limit, now, end }
    }

    /// Whether kube-scheduler lets one more of the pods come to the row.
    pub(super) fn admits(&self, row: usize) -> bool {
        let GroupLimit::Skew(skew) = self.limit else { return true };
        let value = self.values[row];
        value == NO_VALUE || self.now.at(value) < self.now.least().saturating_add(skew)
    }

    /// One of the pods has come to the row.
    pub(super) fn come(&mut self, row: usize) {
        self.now.add(self.values[row]);
    }

    /// Whether the rule is kept in the end as well as before if one of the pods goes to another row.
    pub(super) fn lets_move(&self, from: usize, to: usize) -> bool {
        let (from, to) = (self.values[from], self.values[to]);
        let has_room = |most: u32| to == NO_VALUE || self.end.at(to) < most;
        from == to
            || match self.limit {
                GroupLimit::AtMost(most) => has_room(most),
                GroupLimit::Skew(skew) => {
                    let least = self.end.least();
                    (from == NO_VALUE || self.end.at(from) > least) && has_room(least.saturating_add(skew))
                }
                GroupLimit::Together => false,
            }
    }

    /// One of the pods goes to another row.
    pub(super) fn moved(&mut self, from: usize, to: usize) {
        self.end.take(self.values[from]);
        self.end.add(self.values[to]);
    }
}

/// How many values a topology has.
pub(super) fn distinct(values: &[u32]) -> u32 {
    let all: HashSet<u32> = values.iter().copied().filter(|value| *value != NO_VALUE).collect();
    all.len() as u32
}

/// Pods by value. Values without any take no memory: a cluster has many rules by node, of few pods each.
#[derive(Clone)]
struct Counts {
    count_by_value: HashMap<u32, u32>,
    /// How many values have a count: the fewest pods are the first, however many values there are.
    values_by_count: BTreeMap<u32, u32>,
}

impl Counts {
    fn new(distinct: u32, existing: &[(u32, u32)]) -> Self {
        let mut counts = Self { count_by_value: HashMap::default(), values_by_count: BTreeMap::from([(0, distinct)]) };
        for (value, count) in existing {
            counts.set(*value, *count);
        }
        counts
    }

    fn at(&self, value: u32) -> u32 {
        self.count_by_value.get(&value).copied().unwrap_or(0)
    }

    /// The fewest pods that a value has.
    fn least(&self) -> u32 {
        self.values_by_count.first_key_value().map_or(0, |(count, _)| *count)
    }

    fn add(&mut self, value: u32) {
        if value != NO_VALUE {
            self.set(value, self.at(value) + 1);
        }
    }

    fn take(&mut self, value: u32) {
        if value != NO_VALUE {
            self.set(value, self.at(value).saturating_sub(1));
        }
    }

    fn set(&mut self, value: u32, count: u32) {
        let former = self.count_by_value.insert(value, count).unwrap_or(0);
        if let Some(values) = self.values_by_count.get_mut(&former) {
            *values = values.saturating_sub(1);
            if *values == 0 {
                self.values_by_count.remove(&former);
            }
        }
        *self.values_by_count.entry(count).or_insert(0) += 1;
    }
}

#[cfg(test)]
mod tests {
    use gantry_cluster::GroupForce;

    use super::*;

    fn rule(limit: GroupLimit, existing: &[(u32, u32)]) -> GroupRule {
        let pods = vec![0, 1, 2];
        GroupRule { topology: 0, pods, existing: existing.to_vec(), limit, force: GroupForce::Hard }
    }

    #[test]
    fn the_fewest_of_all_values_are_known_while_pods_come_and_go() {
        let mut counts = Counts::new(3, &[(7, 2)]);
        assert_eq!((counts.least(), counts.at(7)), (0, 2));
        for value in [0, 1] {
            counts.add(value);
        }
        assert_eq!(counts.least(), 1);
        counts.add(NO_VALUE);
        counts.take(0);
        assert_eq!((counts.least(), counts.at(0)), (0, 0));
        assert_eq!(distinct(&[4, NO_VALUE, 4, 9]), 2);
    }

    #[test]
    fn an_even_spread_is_asked_for_at_every_step_and_in_the_end() {
        let (rule, values) = (rule(GroupLimit::Skew(1), &[]), [0, 0, 1, NO_VALUE]);
        let mut tally = Tally::new(&rule, &values, 2, &[0, 1, 2]);
        assert!(tally.admits(0) && tally.admits(2) && tally.admits(3));
        tally.come(0);
        assert!(!tally.admits(1) && tally.admits(2) && tally.admits(3));
        assert!(tally.lets_move(0, 1), "the same value");
        assert!(tally.lets_move(0, 2) && !tally.lets_move(2, 0), "two at one value, one at the other");
        tally.moved(0, 2);
        assert!(!tally.lets_move(1, 2), "the fewest would become fewer");
        assert!(tally.lets_move(2, 0));
    }

    #[test]
    fn other_rules_hold_in_the_end_or_never_and_close_values_that_are_full() {
        let values = [0, 1, 2, NO_VALUE];
        let apart = rule(GroupLimit::AtMost(1), &[(2, 1)]);
        let tally = Tally::new(&apart, &values, 3, &[0, -1, -1]);
        assert!((0..4).all(|row| tally.admits(row)));
        assert!(tally.lets_move(0, 1) && !tally.lets_move(0, 2) && tally.lets_move(0, 3));
        let together = rule(GroupLimit::Together, &[]);
        let tally = Tally::new(&together, &values, 3, &[0, 0, 0]);
        assert!(tally.lets_move(0, 0) && !tally.lets_move(0, 1));
    }
}
