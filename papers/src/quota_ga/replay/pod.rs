//! One pod: a queue that is served at the speed of its cpu quota, and a memory that follows its work.
//!
//! Promises: work is neither lost nor made; a pod that is starting serves nothing. Must not know: users, scalers.

use gantry_solver::problems::quota_tuning::Amounts;

/// Seconds until a new pod serves \[I\].
pub(super) const START: f64 = 30.0;

/// Memory of an idle pod, and what one busy core adds, in GiB \[I\].
const IDLE_MEMORY: f64 = 0.3;
const MEMORY_PER_CORE: f64 = 1.2;

/// Seconds over which memory follows the work \[I\].
const MEMORY_SECONDS: f64 = 60.0;

/// The most memory that a pod with this cpu quota comes to need.
#[must_use]
pub(super) const fn peak_memory(cores: f64) -> f64 {
    IDLE_MEMORY + MEMORY_PER_CORE * cores
}

/// A pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pod {
    pub(super) service: usize,
    pub(super) node: usize,
    /// Cores, and GiB.
    pub(super) quota: Amounts,
    pub(super) ready_at: f64,
    /// Work that waits or is under way, in seconds of one core; up to date at `at`.
    backlog: f64,
    at: f64,
    /// Mean busy cores of the last minute or so.
    busy: f64,
    /// Work done since it was last asked for by the second, and by the scaler.
    done: f64,
    pub(super) done_since_look: f64,
}

impl Pod {
    pub(super) fn new(service: usize, node: usize, quota: Amounts, ready_at: f64) -> Self {
        Self { service, node, quota, ready_at, backlog: 0.0, at: 0.0, busy: 0.0, done: 0.0, done_since_look: 0.0 }
    }

    pub(super) fn is_ready(&self, now: f64) -> bool {
        self.ready_at <= now
    }

    /// Serves until now.
    pub(super) fn serve(&mut self, now: f64) {
        let from = self.at.max(self.ready_at).min(now);
        let work = self.backlog.min(self.quota[0] * (now - from));
        self.backlog -= work;
        self.done += work;
        self.done_since_look += work;
        self.at = now;
    }

    /// Takes a call; the seconds until its answer, if the quota stays: first come, first served.
    pub(super) fn take(&mut self, now: f64, work: f64) -> f64 {
        self.serve(now);
        self.backlog += work;
        (self.ready_at - now).max(0.0) + self.backlog / self.quota[0]
    }

    /// Ends a second: the work done in it, of which the memory takes note.
    pub(super) fn end_second(&mut self, now: f64) -> f64 {
        self.serve(now);
        let done = std::mem::take(&mut self.done);
        self.busy += (done - self.busy) / MEMORY_SECONDS;
        done
    }

    /// GiB in use.
    pub(super) fn memory(&self) -> f64 {
        peak_memory(self.busy)
    }

    /// Whether more memory is in use than there may be; then the pod starts anew, and what it worked on is done by
    /// nobody.
    pub(super) fn is_killed(&mut self, now: f64) -> bool {
        let killed = self.memory() > self.quota[1];
        if killed {
            (self.backlog, self.busy, self.ready_at) = (0.0, 0.0, now + START);
        }
        killed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_answered_one_after_the_other_at_the_speed_of_the_quota() {
        let mut pod = Pod::new(0, 0, [0.5, 1.0], 0.0);
        assert_eq!(pod.take(0.0, 0.125), 0.25);
        assert_eq!(pod.take(0.125, 0.125), 0.375, "half of the first is done");
        assert!((pod.end_second(1.0) - 0.25).abs() < 1e-12, "all work is done");
    }

    #[test]
    fn a_starting_pod_serves_nothing_until_it_is_ready() {
        let mut pod = Pod::new(0, 0, [1.0, 2.0], 30.0);
        assert_eq!(pod.take(10.0, 1.0), 21.0);
        assert_eq!(pod.end_second(30.0), 0.0);
        assert_eq!(pod.end_second(40.0), 1.0);
    }

    #[test]
    fn a_pod_beyond_its_memory_starts_anew() {
        let mut pod = Pod::new(0, 0, [1.0, 0.29], 0.0);
        assert!(pod.is_killed(5.0));
        assert!(!pod.is_ready(34.0) && pod.is_ready(35.0));
    }
}
