//! So much at once, and then so often: a bucket of tokens. Knows neither what they are for nor any clock but the `now`
//! it is given.

use std::time::{Duration, Instant};

/// Tokens that come back one by one.
#[derive(Debug)]
pub(crate) struct Tokens {
    left: u32,
    most: u32,
    every: Duration,
    refilled: Instant,
}

impl Tokens {
    /// All of them; one that is taken comes back after `every`.
    pub(crate) fn new(most: u32, every: Duration, now: Instant) -> Self {
        Self { left: most, most, every, refilled: now }
    }

    /// Puts back what has come in since the last time. True if at least one has, also where none was missing.
    pub(crate) fn refill(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.refilled).as_nanos();
        let come = u32::try_from(since / self.every.as_nanos().max(1)).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(come).min(self.most);
        // Whoever was away for longer than a clock's range starts anew.
        self.refilled = self.every.checked_mul(come).and_then(|time| self.refilled.checked_add(time)).unwrap_or(now);
        come > 0
    }

    /// Takes one, if more than `reserved` are left.
    pub(crate) fn take(&mut self, reserved: u32) -> bool {
        let is_left = self.left > reserved;
        self.left -= u32::from(is_left);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_one_comes_back_at_a_time_and_never_more_than_there_were() {
        let start = Instant::now();
        let mut tokens = Tokens::new(3, Duration::from_secs(5), start);
        let taken = |tokens: &mut Tokens, seconds| {
            tokens.refill(start + Duration::from_secs(seconds));
            (0..10).filter(|_| tokens.take(0)).count()
        };
        assert_eq!([0, 4, 5, 19, 20, 1_000_000].map(|seconds| taken(&mut tokens, seconds)), [3, 0, 1, 2, 1, 3]);
    }

    #[test]
    fn what_is_reserved_stays() {
        let mut tokens = Tokens::new(3, Duration::from_secs(5), Instant::now());
        assert_eq!([1, 1, 1, 0, 0].map(|reserved| tokens.take(reserved)), [true, true, false, true, false]);
    }
}
