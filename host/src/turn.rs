//! Whose turn it is on a busy machine: threads that let others go first.
//!
//! A thread that computes for long is otherwise given its turns like one that answers a request in a tenth of a
//! millisecond, and where all cores are busy the request waits a whole time slice for it. It promises that a thread which
//! has stepped back says so: priority that was given away does not come back without rights, so whoever lends threads out
//! lets such a thread end. It must not know what a thread works on.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tracing::debug;
use wasmtime::UpdateDeadline;

use crate::engine::{Engine, ticks};

/// How far a thread steps back behind the one that it was started by, as with `nice -n 5`: a third of its weight, and a
/// tenth after two steps.
pub const STEP: i32 = 5;

/// What an honest answer takes several times over, in time on a core: after that a thread steps back.
pub const GRACE: Duration = Duration::from_millis(1);

thread_local! {
    static HAS_STEPPED_BACK: Cell<bool> = const { Cell::new(false) };
}

/// Lets others go before this thread, for as long as it lives; so will the threads that it starts. A system that does not
/// allow it costs speed and nothing else.
pub fn step_back() {
    HAS_STEPPED_BACK.set(true);
    // On Linux this is a matter of each thread, not of the process.
    if let Err(error) = rustix::process::nice(STEP) {
        debug!(%error, "a thread that should go last has the priority of all others");
    }
}

/// Whether this thread has stepped back.
#[must_use]
pub fn has_stepped_back() -> bool {
    HAS_STEPPED_BACK.get()
}

/// How a component that somebody waits for gets its turns: once it has kept a core for longer than honest ones do, its
/// thread steps back, twice, behind all that answers and all that listens; at its deadline it is stopped.
#[derive(Debug)]
pub(crate) struct Turn {
    end: Instant,
    may_step_back: bool,
    /// The thread's time on a core at the first look.
    seen: Option<Duration>,
}

impl Turn {
    /// Nobody's turn yet: over at once.
    pub(crate) fn none() -> Self {
        Self { end: Instant::now(), may_step_back: false, seen: None }
    }

    /// A turn of at most `time` from now on, on a thread that may step back or must not; and the epochs to the first look.
    pub(crate) fn begin(engine: &Engine, time: Duration, may_step_back: bool) -> (Self, u64) {
        let now = Instant::now();
        // A deadline that no clock can reach is none; centuries will do.
        let end = now.checked_add(time).unwrap_or(now + Duration::from_secs(u32::MAX.into()));
        let first = if may_step_back { time.min(GRACE) } else { time };
        (Self { end, may_step_back, seen: None }, engine.epochs(first))
    }

    /// What happens to whoever has come so far.
    pub(crate) fn look(&mut self) -> UpdateDeadline {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return UpdateDeadline::Interrupt;
        }
        if self.may_step_back {
            let on_core = time_on_core();
            if on_core.saturating_sub(*self.seen.get_or_insert(on_core)) < GRACE {
                return UpdateDeadline::Continue(1);
            }
            step_back();
            step_back();
            self.may_step_back = false;
        }
        // A look that comes too early costs another look.
        UpdateDeadline::Continue(ticks(left))
    }
}

/// How long this thread has been on a core: one that was kept waiting by others has not been slow.
#[must_use]
pub fn time_on_core() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn compute_for(time: Duration) {
        let start = time_on_core();
        while time_on_core().saturating_sub(start) < time {
            std::hint::spin_loop();
        }
    }

    fn niceness() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    /// On a thread that may end behind all others.
    fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(work).join().unwrap())
    }

    #[test]
    fn who_keeps_a_core_goes_behind_all_others_and_on() {
        let engine = Engine::new().unwrap();
        apart(|| {
            let before = niceness();
            let (mut turn, _) = Turn::begin(&engine, LONG, true);
            assert!(matches!(turn.look(), UpdateDeadline::Continue(1)));
            assert!(!has_stepped_back());
            compute_for(GRACE);
            assert!(matches!(turn.look(), UpdateDeadline::Continue(ticks) if ticks > 1_000));
            assert!(has_stepped_back());
            assert_eq!(niceness(), (before + 2 * STEP).min(19));
            turn.look();
            assert_eq!(niceness(), (before + 2 * STEP).min(19), "once is enough");
        });
        assert!(!has_stepped_back(), "it is a matter of the thread");
    }

    #[test]
    fn who_must_not_step_back_keeps_its_place() {
        let engine = Engine::new().unwrap();
        apart(|| {
            let (mut turn, _) = Turn::begin(&engine, LONG, false);
            compute_for(2 * GRACE);
            assert!(matches!(turn.look(), UpdateDeadline::Continue(_)));
            assert!(!has_stepped_back());
        });
    }

    #[test]
    fn nobody_goes_on_past_the_end() {
        let engine = Engine::new().unwrap();
        for may_step_back in [false, true] {
            let (mut turn, _) = Turn::begin(&engine, Duration::ZERO, may_step_back);
            assert!(matches!(turn.look(), UpdateDeadline::Interrupt));
        }
        assert!(matches!(Turn::none().look(), UpdateDeadline::Interrupt));
        let (mut turn, first) = Turn::begin(&engine, Duration::MAX, false);
        assert!(first > 1 << 40);
        assert!(matches!(turn.look(), UpdateDeadline::Continue(_)));
    }
}
