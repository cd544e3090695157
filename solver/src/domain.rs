//! The values an item may take: choices shared by many items, or an interval.
//!
//! Promises: a *domain class* is held once however many items share it, as bits (to ask) and as a sorted list (to
//! draw), so memory grows with items plus classes times values, never with items times values. Must not know: why a
//! value is allowed.

use std::sync::Arc;

use crate::rng::Rng;

/// How much more often a fully preferred value is drawn than one that nobody asked for, less 1. With 3 a preference
/// shows (four times as often) and the search still reaches everything.
const PREFERENCE_BIAS: f64 = 3.0;

/// A set of values below a universe, shared by all items with the same constraints.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainClass {
    universe: u32,
    words: Box<[u64]>,
    values: Box<[u32]>,
    /// Running sums of the values' weights; empty without preferences.
    cumulative: Box<[f64]>,
}

impl DomainClass {
    /// The set of the values whose bit is set: value `v` is bit `v % 64` of word `v / 64`.
    ///
    /// # Errors
    /// [`DomainError::Words`] unless there are `ceil(universe / 64)` words; [`DomainError::OutOfRange`] if a bit at or
    /// past `universe` is set.
    pub fn from_words(universe: u32, words: &[u64]) -> Result<Self, DomainError> {
        let expected = universe.div_ceil(64) as usize;
        if words.len() != expected {
            return Err(DomainError::Words { expected, found: words.len() });
        }
        let values: Box<[u32]> = set_bits(words).collect();
        match values.last() {
            Some(&value) if value >= universe => Err(DomainError::OutOfRange { value, universe }),
            _ => Ok(Self { universe, words: words.into(), values, cumulative: Box::default() }),
        }
    }

    /// The set of the given values, in any order, repeated or not.
    ///
    /// # Errors
    /// [`DomainError::OutOfRange`] if a value is not below `universe`.
    pub fn from_values(universe: u32, values: &[u32]) -> Result<Self, DomainError> {
        let mut words = vec![0_u64; universe.div_ceil(64) as usize];
        for &value in values {
            if value >= universe {
                return Err(DomainError::OutOfRange { value, universe });
            }
            words[value as usize / 64] |= 1 << (value % 64);
        }
        Self::from_words(universe, &words)
    }

    /// The set of all values below `universe`.
    #[must_use]
    pub fn all(universe: u32) -> Self {
        let mut words = vec![u64::MAX; universe.div_ceil(64) as usize];
        if let (Some(last), spare @ 1..) = (words.last_mut(), universe % 64) {
            *last = (1 << spare) - 1;
        }
        Self { universe, values: (0..universe).collect(), words: words.into(), cumulative: Box::default() }
    }

    /// Makes mutation draw some values more often: `preference` has one number in 0..=1 for each value of the universe.
    /// A value with preference 1 is drawn four times as often as one with 0. Nothing is ever excluded.
    ///
    /// # Errors
    /// [`DomainError::Preferences`] for a wrong length, [`DomainError::Preference`] for a number out of range.
    pub fn with_preferences(mut self, preference: &[f64]) -> Result<Self, DomainError> {
        if preference.len() != self.universe as usize {
            return Err(DomainError::Preferences { expected: self.universe as usize, found: preference.len() });
        }
        if let Some((value, &preference)) = preference.iter().enumerate().find(|(_, p)| !(0.0..=1.0).contains(*p)) {
            return Err(DomainError::Preference { value: value as u32, preference });
        }
        let mut sum = 0.0;
        let weight = |&value: &u32| {
            sum += 1.0 + PREFERENCE_BIAS * preference[value as usize];
            sum
        };
        self.cumulative = self.values.iter().map(weight).collect();
        Ok(self)
    }

    /// The same set without the values for which `keep` is false.
    #[must_use]
    pub fn retain(&self, keep: impl Fn(u32) -> bool) -> Self {
        let weights = |index: usize| self.cumulative[index] - if index == 0 { 0.0 } else { self.cumulative[index - 1] };
        let kept: Vec<usize> = (0..self.values.len()).filter(|&index| keep(self.values[index])).collect();
        let values: Box<[u32]> = kept.iter().map(|&index| self.values[index]).collect();
        let mut words = vec![0_u64; self.words.len()];
        values.iter().for_each(|&value| words[value as usize / 64] |= 1 << (value % 64));
        let mut sum = 0.0;
        let running = |index: &usize| {
            sum += weights(*index);
            sum
        };
        let cumulative = if self.cumulative.is_empty() { Box::default() } else { kept.iter().map(running).collect() };
        Self { universe: self.universe, words: words.into(), values, cumulative }
    }

    /// All values lie below this.
    #[must_use]
    pub const fn universe(&self) -> u32 {
        self.universe
    }

    /// The values, ascending.
    #[must_use]
    pub fn values(&self) -> &[u32] {
        &self.values
    }

    /// Whether a value belongs to the set. False for values past the universe.
    #[must_use]
    #[inline]
    pub fn contains(&self, value: u32) -> bool {
        self.words.get(value as usize / 64).is_some_and(|word| word >> (value % 64) & 1 == 1)
    }

    fn draw_preferred(&self, rng: &mut Rng) -> u32 {
        let Some(&total) = self.cumulative.last() else { return draw_uniform(&self.values, rng) };
        let point = rng.unit() * total;
        let index = self.cumulative.partition_point(|&sum| sum <= point);
        self.values[index.min(self.values.len() - 1)]
    }
}

fn set_bits(words: &[u64]) -> impl Iterator<Item = u32> {
    words.iter().enumerate().flat_map(|(index, &word)| {
        let next = |word: &u64| Some(word & (word - 1)).filter(|&rest| rest != 0);
        std::iter::successors(Some(word).filter(|&word| word != 0), next)
            .map(move |rest| index as u32 * 64 + rest.trailing_zeros())
    })
}

fn draw_uniform(values: &[u32], rng: &mut Rng) -> u32 {
    values[rng.below(values.len() as u32) as usize]
}

/// Real numbers from `low` to `high`. Solvers with discrete genes see its grid: gene `k` is `low + k * step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    low: f64,
    high: f64,
    step: f64,
}

impl Interval {
    /// An interval with its grid.
    ///
    /// # Errors
    /// [`DomainError::Interval`] unless `low <= high`, `step > 0`, all are finite and the grid has fewer than 2^31 levels.
    pub fn new(low: f64, high: f64, step: f64) -> Result<Self, DomainError> {
        let sound = low.is_finite() && high.is_finite() && low <= high && step > 0.0;
        if sound && (high - low) / step < f64::from(i32::MAX) {
            Ok(Self { low, high, step })
        } else {
            Err(DomainError::Interval { low, high, step })
        }
    }

    /// The number at a level of the grid, never above `high`.
    #[must_use]
    pub fn real(&self, level: u32) -> f64 {
        (self.low + f64::from(level) * self.step).min(self.high)
    }

    /// The lower end.
    #[must_use]
    pub const fn low(&self) -> f64 {
        self.low
    }

    /// The upper end.
    #[must_use]
    pub const fn high(&self) -> f64 {
        self.high
    }

    /// The level whose number is nearest; level 0 for what is not a number.
    #[must_use]
    pub fn level(&self, real: f64) -> u32 {
        // A cast of a float saturates, so numbers below the interval become level 0.
        (((real - self.low) / self.step).round() as u32).min(self.levels() - 1)
    }

    /// How many levels the grid has, at least 1.
    #[must_use]
    pub fn levels(&self) -> u32 {
        ((self.high - self.low) / self.step) as u32 + 1
    }
}

/// The values of one item, as a solver sees them: genes to ask for, to list and to draw.
#[derive(Clone, Copy, Debug)]
pub enum Domain<'a> {
    /// The values of a class.
    Choices(&'a DomainClass),
    /// The levels of an interval's grid.
    Interval(Interval),
}

impl Domain<'_> {
    /// How many values there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> u32 {
        match self {
            Self::Choices(class) => class.values.len() as u32,
            Self::Interval(interval) => interval.levels(),
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values lie below this; the genes of a search that does not know the domain come from here.
    #[must_use]
    pub fn universe(&self) -> u32 {
        match self {
            Self::Choices(class) => class.universe,
            Self::Interval(interval) => interval.levels(),
        }
    }

    /// Whether a value is allowed.
    #[must_use]
    #[inline]
    pub fn contains(&self, value: u32) -> bool {
        match self {
            Self::Choices(class) => class.contains(value),
            Self::Interval(interval) => value < interval.levels(),
        }
    }

    /// The value of rank `index`, ascending; `index` is below [`len`](Self::len).
    #[must_use]
    #[inline]
    pub fn value(&self, index: u32) -> u32 {
        match self {
            Self::Choices(class) => class.values[index as usize],
            Self::Interval(_) => index,
        }
    }

    /// A value, every one equally likely. The domain is not empty.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        self.value(rng.below(self.len()))
    }

    /// A value, preferred ones more often. The domain is not empty.
    pub fn draw_preferred(&self, rng: &mut Rng) -> u32 {
        match self {
            Self::Choices(class) => class.draw_preferred(rng),
            Self::Interval(_) => self.draw(rng),
        }
    }
}

/// The domains of many items: classes, and which of them each item has.
#[derive(Clone, Debug)]
pub struct Domains {
    classes: Vec<Arc<DomainClass>>,
    class_by_item: Vec<u32>,
}

impl Domains {
    /// Items by the index of their class.
    ///
    /// # Errors
    /// [`DomainError::UnknownClass`] if an index is not below the number of classes.
    pub fn new(classes: Vec<Arc<DomainClass>>, class_by_item: Vec<u32>) -> Result<Self, DomainError> {
        match class_by_item.iter().position(|&class| class as usize >= classes.len()) {
            Some(item) => Err(DomainError::UnknownClass { item, class: class_by_item[item] }),
            None => Ok(Self { classes, class_by_item }),
        }
    }

    /// The class of an item.
    #[must_use]
    #[inline]
    pub fn class(&self, item: usize) -> &DomainClass {
        &self.classes[self.class_by_item[item] as usize]
    }

    /// How many items there are.
    #[must_use]
    pub fn items(&self) -> usize {
        self.class_by_item.len()
    }
}

/// Why a domain could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// The bitmap's length does not follow from the universe.
    #[error("a domain class needs {expected} words, got {found}")]
    Words {
        /// Words needed.
        expected: usize,
        /// Words given.
        found: usize,
    },
    /// A value lies outside the universe.
    #[error("value {value} of a domain class is not below {universe}")]
    OutOfRange {
        /// The value.
        value: u32,
        /// The universe.
        universe: u32,
    },
    /// The number of preferences is not the universe.
    #[error("a domain class needs {expected} preferences, got {found}")]
    Preferences {
        /// Preferences needed.
        expected: usize,
        /// Preferences given.
        found: usize,
    },
    /// A preference is not a number from 0 to 1.
    #[error("the preference for value {value} is {preference}, allowed is 0 to 1")]
    Preference {
        /// The value preferred.
        value: u32,
        /// The preference.
        preference: f64,
    },
    /// The interval is upside down, endless, or too fine.
    #[error("the interval from {low} to {high} by {step} is not one")]
    Interval {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
        /// Width of the grid.
        step: f64,
    },
    /// An item names a class that does not exist.
    #[error("item {item} has the unknown domain class {class}")]
    UnknownClass {
        /// The item.
        item: usize,
        /// The class it names.
        class: u32,
    },
}

#[cfg(test)]
mod tests;
