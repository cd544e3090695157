//! How many pods of each group stand on each value, and which are surplus.
//!
//! Promises: a pod's step from value to value costs the same however many pods, values and rules there are; everything
//! is counted in whole numbers, and only values with pods take memory. Must not know: rows, loads.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::{Bounds, Exchange, Force, Limit, NO_VALUE, Rules};

/// No count begins higher, so that counts with all placed pods on top stay in 32 bits.
const MOST_PODS: u64 = 1 << 30;

/// The counts behind the rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Pods by rule and value, none where there are none. For a skew they are counted from the value that has the
    /// fewest before any pod is placed.
    counts: HashMap<(u32, u32), u32, BuildHasherDefault<PairHasher>>,
    standings: Vec<Standing>,
    /// For each rule but those of [`Limit::AtMost`] and each count up to its number of pods: how many values have that
    /// count.
    heights: Vec<u32>,
    /// For each skew and each level, from the skew up: how many placed pods stand there.
    levels: Vec<u32>,
    /// Surplus pods of all hard rules.
    surplus: u32,
    /// Surplus pods of all soft rules, each with its rule's weight.
    penalty: f64,
}

/// How one rule stands.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// For a skew the fewest pods that a value has, for pods that stay together the most; else 0.
    extreme: u32,
    surplus: u32,
}

impl Tally {
    /// Where the next rule's marks begin.
    pub(super) fn marks(&self) -> usize {
        self.heights.len()
    }

    /// Counts the pods that are there already. Counts so high that none of the rule's pods may come are cut to that.
    pub(super) fn add_rule(&mut self, bounds: &Bounds, existing: &BTreeMap<u32, u64>) {
        let fewest = existing.values().copied().min().unwrap_or(0);
        let (taken, most) = match bounds.limit {
            Limit::AtMost(most) => (0, u64::from(most)),
            Limit::Skew(most) => (fewest, bounds.pods as u64 + u64::from(most)),
            Limit::Together => (0, 0),
        };
        if !matches!(bounds.limit, Limit::AtMost(_)) {
            self.heights.resize(bounds.marks + 2 * bounds.pods + 1, 0);
            self.levels.resize(bounds.marks + 2 * bounds.pods + 1, 0);
        }
        let rule = self.standings.len() as u32;
        for (&value, &count) in existing {
            let count = (count - taken).min(most).min(MOST_PODS) as u32;
            if count > 0 {
                self.counts.insert((rule, value), count);
            }
            if let Some(height) = bounds.heights(&mut self.heights).get_mut(count as usize) {
                *height += 1;
            }
        }
        self.standings.push(Standing::default());
    }

    /// Becomes equal to another tally, in the memory that is there.
    pub(super) fn restart(&mut self, from: &Self) {
        self.counts.clone_from(&from.counts);
        self.standings.clone_from(&from.standings);
        self.heights.clone_from(&from.heights);
        self.levels.clone_from(&from.levels);
        (self.surplus, self.penalty) = (from.surplus, from.penalty);
    }

    pub(crate) const fn surplus(&self) -> u32 {
        self.surplus
    }

    pub(crate) const fn penalty(&self) -> f64 {
        self.penalty
    }

    /// Surplus of the hard rules and penalty of the soft ones after an exchange.
    pub(crate) fn after(&self, rules: &Rules, exchange: Exchange) -> (u32, f64) {
        let (mut surplus, mut penalty) = (i64::from(self.surplus), self.penalty);
        for (rule, from, to) in rules.steps(exchange) {
            let more =
                i64::from(self.standing_after(rules, rule, from, to).surplus) - i64::from(self.standings[rule].surplus);
            match rules.bounds[rule].force {
                Force::Hard => surplus += more,
                Force::Soft(weight) => penalty += weight * more as f64,
            }
        }
        (surplus as u32, penalty)
    }

    /// Carries an exchange out.
    pub(crate) fn exchange(&mut self, rules: &Rules, exchange: Exchange) {
        for (rule, from, to) in rules.steps(exchange) {
            self.step(rules, rule, from, to);
        }
    }

    /// Whether an item is one of those that a hard rule has too many of on its value.
    pub(crate) fn is_surplus(&self, rules: &Rules, item: usize, place: usize) -> bool {
        let is_hard = |rule: usize| rules.bounds[rule].force == Force::Hard;
        let beyond = |rule: usize| self.is_beyond(&rules.bounds[rule], rule, rules.value(rule, place));
        self.surplus > 0 && rules.of(item).iter().any(|&rule| is_hard(rule as usize) && beyond(rule as usize))
    }

    /// Whether a rule has too many pods on a value.
    fn is_beyond(&self, bounds: &Bounds, rule: usize, value: u32) -> bool {
        let (count, extreme) = (self.count(rule, value), self.standings[rule].extreme);
        match bounds.limit {
            Limit::AtMost(most) => count > most,
            Limit::Skew(most) => u64::from(count) > u64::from(extreme) + u64::from(most),
            Limit::Together => count > 0 && (count < extreme || self.heights[bounds.marks + extreme as usize] > 1),
        }
    }

    /// A pod of a rule goes from one value to another; either may be none.
    pub(super) fn step(&mut self, rules: &Rules, rule: usize, from: u32, to: u32) {
        let bounds = &rules.bounds[rule];
        let after = self.standing_after(rules, rule, from, to);
        let before = std::mem::replace(&mut self.standings[rule], after).surplus;
        match bounds.force {
            Force::Hard => self.surplus = self.surplus - before + after.surplus,
            Force::Soft(weight) => self.penalty += weight * (f64::from(after.surplus) - f64::from(before)),
        }
        if from != NO_VALUE {
            let count = self.count(rule, from) - 1;
            self.set_count(rule, from, count);
            self.mark(bounds, count, count + 1, count, u32::wrapping_sub);
        }
        if to != NO_VALUE {
            let count = self.count(rule, to);
            self.set_count(rule, to, count + 1);
            self.mark(bounds, count, count, count + 1, u32::wrapping_add);
        }
    }

    /// A value's count goes from `before` to `after`, because a pod comes to stand at a level or goes.
    fn mark(&mut self, bounds: &Bounds, level: u32, before: u32, after: u32, count: fn(u32, u32) -> u32) {
        let heights = bounds.heights(&mut self.heights);
        if let Some(height) = heights.get_mut(before as usize) {
            *height -= 1;
        }
        if let Some(height) = heights.get_mut(after as usize) {
            *height += 1;
        }
        let Limit::Skew(most) = bounds.limit else { return };
        if let Some(level) = level.checked_sub(most) {
            let pods = &mut self.levels[bounds.marks + level as usize];
            *pods = count(*pods, 1);
        }
    }

    /// How a rule stands after a step.
    #[inline]
    fn standing_after(&self, rules: &Rules, rule: usize, from: u32, to: u32) -> Standing {
        let (bounds, now) = (&rules.bounds[rule], self.standings[rule]);
        let count = |value: u32| (value != NO_VALUE).then(|| self.count(rule, value));
        match bounds.limit {
            Limit::AtMost(most) => {
                let (gone, come) = (count(from).is_some_and(|n| n > most), count(to).is_some_and(|n| n >= most));
                Standing { extreme: 0, surplus: now.surplus - u32::from(gone) + u32::from(come) }
            }
            Limit::Skew(most) => {
                let marks = bounds.marks..bounds.marks + 2 * bounds.pods + 1;
                let skew = Skew { most, heights: &self.heights[marks.clone()], levels: &self.levels[marks] };
                skew.after(now, count(from), count(to))
            }
            Limit::Together => together_after(&self.heights[bounds.marks..], now, count(from), count(to)),
        }
    }

    #[inline]
    fn count(&self, rule: usize, value: u32) -> u32 {
        self.counts.get(&(rule as u32, value)).copied().unwrap_or(0)
    }

    fn set_count(&mut self, rule: usize, value: u32, count: u32) {
        let key = (rule as u32, value);
        match count {
            0 => self.counts.remove(&key),
            _ => self.counts.insert(key, count),
        };
    }
}

impl Bounds {
    /// The heights of a rule that needs them; nothing for another one.
    fn heights<'a>(&self, heights: &'a mut [u32]) -> &'a mut [u32] {
        match self.limit {
            Limit::Skew(_) | Limit::Together => &mut heights[self.marks..][..=self.pods],
            Limit::AtMost(_) => &mut [],
        }
    }
}

/// How a rule for pods that stay together stands after one left a value that has `left` pods, and came to one that has
/// `joined`: all that are not on the value with the most are surplus.
fn together_after(heights: &[u32], now: Standing, left: Option<u32>, joined: Option<u32>) -> Standing {
    let placed = now.extreme + now.surplus - u32::from(left.is_some()) + u32::from(joined.is_some());
    let was_alone = left == Some(now.extreme) && heights[now.extreme as usize] == 1;
    let others = now.extreme - u32::from(was_alone);
    let extreme = joined.map_or(others, |count| others.max(count + 1));
    Standing { extreme, surplus: placed - extreme }
}

/// The marks of a skew.
struct Skew<'a> {
    most: u32,
    heights: &'a [u32],
    levels: &'a [u32],
}

impl Skew<'_> {
    /// How the rule stands after a pod left a value that has `left` pods, and came to one that has `joined`.
    ///
    /// Pods are surplus from level `lowest + most` up. As `lowest` changes by at most 1 either way, no more than the
    /// pods of one level become surplus by that, or cease to be.
    #[inline]
    fn after(&self, now: Standing, left: Option<u32>, joined: Option<u32>) -> Standing {
        let Standing { extreme: mut lowest, mut surplus } = now;
        let level = |under: u32| under.checked_sub(self.most);
        let vacated = left.and_then(|count| level(count - 1));
        if let Some(count) = left {
            surplus -= u32::from(vacated.is_some_and(|level| level >= lowest));
            if count == lowest {
                lowest -= 1;
                surplus += self.levels[lowest as usize];
            }
        }
        if let Some(count) = joined {
            surplus += u32::from(level(count).is_some_and(|level| level >= lowest));
            if count == lowest && self.values_at(lowest, left) == 1 {
                surplus -= self.levels[lowest as usize] - u32::from(vacated == Some(lowest));
                lowest += 1;
            }
        }
        Standing { extreme: lowest, surplus }
    }

    /// How many values have a count, after a pod left one that had `left`.
    fn values_at(&self, count: u32, left: Option<u32>) -> u32 {
        let gone = u32::from(left == Some(count));
        self.heights[count as usize] - gone + u32::from(left == Some(count + 1))
    }
}

/// Spreads the bits of a pair of small numbers. Nobody chooses the keys to collide, and the order of the map is never
/// looked at, so a multiplication will do.
#[derive(Clone, Copy, Debug, Default)]
struct PairHasher(u64);

impl Hasher for PairHasher {
    fn finish(&self) -> u64 {
        let spread = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        spread ^ (spread >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = self.0.rotate_left(32) ^ u64::from(number);
    }
}
