//! A circuit breaker: after a run of failures nobody is asked for a while.
//!
//! ```text
//!            failures in a row            pause over
//!   Closed ───────────────────► Open ─────────────────► HalfOpen
//!     ▲  ▲                       ▲                      │   │
//!     │  └── success ────────────┼──────────────────────┘   │
//!     └ success                  └─── failure, cut short ───┘
//! ```
//!
//! It promises that an open breaker answers at once, that one caller at a time tries again after the pause, and that a
//! trial that never reports back (its thread is gone) keeps nobody out for longer than another pause. Time is an
//! argument. It must not know what is called.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// All calls do.
    Closed,
    /// None does.
    Open,
    /// One does, to see whether things are well again.
    HalfOpen,
}

impl BreakerState {
    /// Every state there is.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The label in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a call says of the callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It is well.
    Success,
    /// It is not.
    Failure,
    /// Nothing: the call never reached it. Where it was a trial, the next caller makes it.
    Nothing,
    /// Little: it was stopped before it had the time that is its own. Where that was a trial, another pause begins, as
    /// nobody has seen that things are well again.
    CutShort,
}

/// Counts failures in a row, and keeps callers away.
#[derive(Debug)]
pub struct Breaker {
    threshold: u32,
    pause: Duration,
    circuit: Mutex<Circuit>,
}

#[derive(Clone, Copy, Debug)]
enum Circuit {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// `until`: when the next trial is let through though this one has not reported.
    Trial {
        until: Instant,
    },
}

impl Breaker {
    /// A closed breaker that opens for `pause` after `threshold` failures in a row, at least 1.
    #[must_use]
    pub fn new(threshold: u32, pause: Duration) -> Self {
        Self { threshold: threshold.max(1), pause, circuit: Mutex::new(Circuit::Closed { failures: 0 }) }
    }

    /// Whether a call may be made now. Who makes it reports how it went.
    pub fn admits(&self, now: Instant) -> bool {
        let mut circuit = self.circuit();
        match *circuit {
            Circuit::Closed { .. } => true,
            Circuit::Open { until } | Circuit::Trial { until } if now < until => false,
            Circuit::Open { .. } | Circuit::Trial { .. } => {
                *circuit = Circuit::Trial { until: now + self.pause };
                true
            }
        }
    }

    /// How an admitted call went. Returns the new state where the report changed it.
    pub fn report(&self, report: Report, now: Instant) -> Option<BreakerState> {
        let mut circuit = self.circuit();
        let before = state(*circuit, now);
        *circuit = match (*circuit, report) {
            (Circuit::Closed { failures }, Report::Failure) if failures + 1 < self.threshold => {
                Circuit::Closed { failures: failures + 1 }
            }
            (_, Report::Failure) | (Circuit::Trial { .. }, Report::CutShort) => {
                Circuit::Open { until: now + self.pause }
            }
            (_, Report::Success) => Circuit::Closed { failures: 0 },
            (Circuit::Trial { .. }, Report::Nothing) => Circuit::Open { until: now },
            (unchanged, Report::Nothing | Report::CutShort) => unchanged,
        };
        let after = state(*circuit, now);
        (before != after).then_some(after)
    }

    /// The state at `now`.
    pub fn state(&self, now: Instant) -> BreakerState {
        state(*self.circuit(), now)
    }

    /// A panic while the lock is held cannot leave the circuit half changed.
    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn state(circuit: Circuit, now: Instant) -> BreakerState {
    match circuit {
        Circuit::Closed { .. } => BreakerState::Closed,
        Circuit::Open { until } if now < until => BreakerState::Open,
        Circuit::Open { .. } | Circuit::Trial { .. } => BreakerState::HalfOpen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::new(3, PAUSE);
        assert_eq!(breaker.report(Report::Failure, now), None);
        assert_eq!(breaker.report(Report::Failure, now), None);
        assert_eq!(breaker.report(Report::Failure, now), Some(BreakerState::Open));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_starts_the_count_again() {
        let now = Instant::now();
        let breaker = Breaker::new(2, PAUSE);
        for _ in 0..5 {
            breaker.report(Report::Failure, now);
            breaker.report(Report::Success, now);
        }
        assert_eq!(breaker.state(now), BreakerState::Closed);
        breaker.report(Report::Failure, now);
        breaker.report(Report::Failure, now);
        assert_eq!((breaker.state(now), breaker.admits(now)), (BreakerState::Open, false));
    }

    #[test]
    fn after_the_pause_one_caller_tries_and_the_others_wait() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + PAUSE;
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later));
        assert_eq!(breaker.report(Report::Success, later), Some(BreakerState::Closed));
        assert!(breaker.admits(later) && breaker.admits(later));
    }

    #[test]
    fn a_trial_that_fails_opens_it_for_another_pause() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.admits(now + PAUSE));
        assert_eq!(breaker.report(Report::Failure, now + PAUSE), Some(BreakerState::Open));
        assert!(!breaker.admits(now + PAUSE + PAUSE / 2));
        assert!(breaker.admits(now + 2 * PAUSE));
    }

    #[test]
    fn a_trial_that_never_reports_keeps_others_out_for_one_pause_only() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.admits(now + PAUSE));
        assert!(!breaker.admits(now + PAUSE + PAUSE / 2));
        assert!(breaker.admits(now + 2 * PAUSE));
    }

    #[test]
    fn a_call_that_never_reached_the_callee_says_nothing() {
        let now = Instant::now();
        let breaker = Breaker::new(1, PAUSE);
        assert_eq!(breaker.report(Report::Nothing, now), None);
        assert!(breaker.admits(now));
        let breaker = opened(now);
        assert!(breaker.admits(now + PAUSE));
        breaker.report(Report::Nothing, now + PAUSE);
        assert!(breaker.admits(now + PAUSE), "the trial is still to be made");
    }

    #[test]
    fn a_call_that_was_cut_short_opens_nothing_and_as_a_trial_ends_no_pause() {
        let now = Instant::now();
        let breaker = Breaker::new(1, PAUSE);
        assert_eq!(breaker.report(Report::CutShort, now), None);
        assert!(breaker.admits(now));
        let breaker = opened(now);
        assert_eq!(breaker.report(Report::CutShort, now), None, "one that was admitted before it opened");
        assert!(!breaker.admits(now + PAUSE / 2) && breaker.admits(now + PAUSE));
        assert_eq!(breaker.report(Report::CutShort, now + PAUSE), Some(BreakerState::Open));
        assert!(!breaker.admits(now + PAUSE + PAUSE / 2));
        assert!(breaker.admits(now + 2 * PAUSE));
    }
}
