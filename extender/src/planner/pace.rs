//! How much of its budget a search is given: less once one met its deadline.
//!
//! Promises: each search that is stopped halves what the next one gets, and one that leaves the deadline far behind doubles
//! it again, so a slow machine has plans that are worse, and not none. Must not know: what is searched.

use std::time::Duration;

/// A search that took less than one part in so many of what stopped an earlier one may take twice as long.
const SPARE: u32 = 4;

/// The pace of one planner.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    halvings: u32,
    /// What the last search took that was stopped.
    deadline: Duration,
}

impl Pace {
    /// What of a budget the next search gets.
    pub(super) const fn of(self, evaluations: u64) -> u64 {
        if self.halvings < u64::BITS { evaluations >> self.halvings } else { 0 }
    }

    /// The search was stopped.
    pub(super) const fn missed(&mut self, took: Duration) {
        (self.halvings, self.deadline) = (self.halvings.saturating_add(1), took);
    }

    /// The search ended by itself.
    pub(super) fn kept(&mut self, took: Duration) {
        if took * SPARE < self.deadline {
            self.halvings = self.halvings.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[test]
    fn every_search_that_is_stopped_halves_the_next() {
        let mut pace = Pace::default();
        assert_eq!(pace.of(1_000), 1_000);
        pace.missed(DEADLINE);
        pace.missed(DEADLINE);
        assert_eq!(pace.of(1_000), 250);
        (0..100).for_each(|_| pace.missed(DEADLINE));
        assert_eq!(pace.of(u64::MAX), 0);
    }

    #[test]
    fn a_search_with_time_to_spare_doubles_the_next_up_to_the_whole() {
        let mut pace = Pace::default();
        pace.missed(DEADLINE);
        pace.missed(DEADLINE);
        pace.kept(DEADLINE / 2);
        assert_eq!(pace.of(1_000), 250, "twice as long would be near the deadline again");
        pace.kept(DEADLINE / 5);
        assert_eq!(pace.of(1_000), 500);
        (0..9).for_each(|_| pace.kept(DEADLINE / 5));
        assert_eq!(pace.of(1_000), 1_000);
    }
}
