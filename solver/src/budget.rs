//! How much work a search may do, and why it ended.
//!
//! Promises: work is counted in evaluations, so equal input gives equal output however fast the machine is. Must not
//! know: time. Whoever has a clock can end a search early through the stop.

use std::fmt;
use std::ops::ControlFlow;

/// How many evaluations may pass between two looks at the stop. One takes 20 to 100 nanoseconds, so a stop is heard
/// within about 0.1 ms, and looking costs nothing measurable.
const STOP_INTERVAL: u64 = 1_024;

/// The work that a search may do.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    evaluations: u64,
    stop: Option<&'a dyn Fn() -> bool>,
}

impl Budget<'static> {
    /// At most this many evaluations, of whole solutions or of moves. 0 is allowed: a search then returns what it
    /// starts from.
    #[must_use]
    pub const fn evaluations(evaluations: u64) -> Self {
        Self { evaluations, stop: None }
    }
}

impl<'a> Budget<'a> {
    /// Ends the search when `stop` says so. A stop that depends on time makes the result depend on it too.
    #[must_use]
    pub const fn stop_when(self, stop: &'a dyn Fn() -> bool) -> Self {
        Self { evaluations: self.evaluations, stop: Some(stop) }
    }

    /// The same, but with no more evaluations than this.
    #[must_use]
    pub const fn at_most(self, evaluations: u64) -> Self {
        Self { evaluations: if self.evaluations < evaluations { self.evaluations } else { evaluations }, ..self }
    }

    /// What is left of it once so many evaluations are spent.
    #[must_use]
    pub const fn after(self, spent: u64) -> Self {
        Self { evaluations: self.evaluations.saturating_sub(spent), ..self }
    }

    /// How many evaluations it is.
    pub(crate) const fn most(&self) -> u64 {
        self.evaluations
    }

    /// A meter that starts at 0.
    #[must_use]
    pub const fn meter(self) -> Meter<'a> {
        Meter { budget: self, spent: 0 }
    }
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("evaluations", &self.evaluations).field("stop", &self.stop.is_some()).finish()
    }
}

/// Counts what a search spends of its budget.
#[derive(Clone, Copy, Debug)]
pub struct Meter<'a> {
    budget: Budget<'a>,
    spent: u64,
}

impl<'a> Meter<'a> {
    /// A budget for a part of the search, under the same stop.
    #[must_use]
    pub const fn part(&self, evaluations: u64) -> Budget<'a> {
        Budget { evaluations, stop: self.budget.stop }
    }

    /// Takes one evaluation, or says why there is none left.
    #[inline]
    pub fn spend(&mut self) -> ControlFlow<TerminationReason> {
        if self.spent >= self.budget.evaluations {
            return ControlFlow::Break(TerminationReason::Budget);
        }
        if self.spent.is_multiple_of(STOP_INTERVAL) {
            self.look()?;
        }
        self.spent += 1;
        ControlFlow::Continue(())
    }

    /// The same for an evaluation that is dear, such as one of a whole solution: looks at the stop every time.
    pub fn spend_dear(&mut self) -> ControlFlow<TerminationReason> {
        self.look()?;
        self.spend()
    }

    /// Looks at the stop at once.
    pub fn look(&self) -> ControlFlow<TerminationReason> {
        match self.budget.stop {
            Some(stop) if stop() => ControlFlow::Break(TerminationReason::Stopped),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Evaluations that may still be spent.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.budget.evaluations.saturating_sub(self.spent)
    }

    /// Evaluations spent so far.
    #[must_use]
    pub const fn spent(&self) -> u64 {
        self.spent
    }

    /// Counts what a part of the search has spent by a meter of its own.
    pub const fn charge(&mut self, evaluations: u64) {
        self.spent = self.spent.saturating_add(evaluations);
    }
}

/// Why a search ended. A value, never an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TerminationReason {
    /// The evaluations are used up.
    Budget,
    /// The stop said so.
    Stopped,
    /// The last generation is done.
    Generations,
    /// No move improves the solution any more.
    Converged,
    /// Nothing that matters was gained for long.
    Stalled,
    /// Going on costs more than it can save.
    NotWorthwhile,
    /// There was nothing to decide.
    Trivial,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_of_zero_has_no_evaluation() {
        assert_eq!(Budget::evaluations(0).meter().spend(), ControlFlow::Break(TerminationReason::Budget));
    }

    #[test]
    fn a_meter_gives_exactly_its_budget() {
        let mut meter = Budget::evaluations(5_000).meter();
        let given = (0..9_000).filter(|_| meter.spend().is_continue()).count();
        assert_eq!((given, meter.spent()), (5_000, 5_000));
    }

    #[test]
    fn what_is_spent_before_is_taken_off() {
        let spent = |budget: u64, before: u64| Budget::evaluations(budget).after(before).meter().left();
        assert_eq!((spent(10, 4), spent(10, 11)), (6, 0));
    }

    #[test]
    fn a_dear_evaluation_hears_the_stop_at_once() {
        let calls = std::cell::Cell::new(0);
        let stop = || {
            calls.set(calls.get() + 1);
            calls.get() > 4
        };
        let mut meter = Budget::evaluations(u64::MAX).stop_when(&stop).meter();
        let heard = (0..9).find_map(|_| meter.spend_dear().break_value());
        assert_eq!((heard, meter.spent()), (Some(TerminationReason::Stopped), 3));
    }

    #[test]
    fn a_stop_is_heard_within_its_interval() {
        let calls = std::cell::Cell::new(0);
        let stop = || {
            calls.set(calls.get() + 1);
            calls.get() > 3
        };
        let mut meter = Budget::evaluations(u64::MAX).stop_when(&stop).meter();
        let reason = loop {
            if let ControlFlow::Break(reason) = meter.spend() {
                break reason;
            }
        };
        assert_eq!((reason, meter.spent()), (TerminationReason::Stopped, 3 * STOP_INTERVAL));
    }
}
