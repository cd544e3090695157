//! The verbs of the protocol, and when kube-scheduler last used each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A wrong path comes with every pod: for so long one line in the log stands for those after it.
const STRAY_AGAIN: Duration = Duration::from_secs(30);

/// What kube-scheduler asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Which candidates may stay.
    Filter,
    /// How good each is.
    Prioritize,
    /// Which victims may be evicted.
    Preempt,
    /// Bind the pod to the node chosen.
    Bind,
}

impl Verb {
    /// Every verb there is.
    pub const ALL: [Self; 4] = [Self::Filter, Self::Prioritize, Self::Preempt, Self::Bind];

    /// The word in paths, metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Prioritize => "prioritize",
            Self::Preempt => "preempt",
            Self::Bind => "bind",
        }
    }
}

/// When each verb was last used.
#[derive(Debug)]
pub struct LastCalls {
    start: Instant,
    /// Milliseconds after `start`, plus 1; 0 stands for never.
    marks: [AtomicU64; Verb::ALL.len()],
    /// When the log last told of a call that is of no verb.
    stray_told: Mutex<Option<Instant>>,
}

impl LastCalls {
    /// No call yet.
    #[must_use]
    pub fn new(start: Instant) -> Self {
        Self { start, marks: Default::default(), stray_told: Mutex::default() }
    }

    /// A call came in.
    pub fn mark(&self, verb: Verb, now: Instant) {
        let elapsed = now.saturating_duration_since(self.start).as_millis() as u64;
        self.marks[verb as usize].store(elapsed + 1, Ordering::Relaxed);
    }

    /// Whether the log is to tell of a call that is of no verb: of the first, and then of one every 30 s.
    pub fn is_news(&self, now: Instant) -> bool {
        let mut told = self.stray_told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.is_none_or(|last| now.saturating_duration_since(last) >= STRAY_AGAIN);
        if is_news {
            *told = Some(now);
        }
        is_news
    }

    /// How long ago the last call was; `None`: there was none.
    #[must_use]
    pub fn age(&self, verb: Verb, now: Instant) -> Option<Duration> {
        let mark = self.marks[verb as usize].load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.saturating_duration_since(self.start + Duration::from_millis(mark)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_is_never_used_until_it_is() {
        let start = Instant::now();
        let calls = LastCalls::new(start);
        assert_eq!(calls.age(Verb::Filter, start), None);
        calls.mark(Verb::Filter, start);
        assert_eq!(calls.age(Verb::Filter, start + Duration::from_secs(3)), Some(Duration::from_secs(3)));
        assert_eq!(calls.age(Verb::Bind, start), None);
    }

    #[test]
    fn of_calls_that_are_of_no_verb_one_is_news_every_thirty_seconds() {
        let start = Instant::now();
        let calls = LastCalls::new(start);
        let news = [0, 1, 29, 30, 31, 59, 61].map(|second| calls.is_news(start + Duration::from_secs(second)));
        assert_eq!(news, [true, false, false, true, false, false, true]);
    }
}
