//! How long a plugin is expected to take, from what its calls have taken.
//!
//! Promises that who never answered is not taken for quick, and that a plugin whose thread
//! had to wait for others is not taken for slow. Knows no plugins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gantry_host::turn::GRACE;

use super::member::Point;

/// Of a call that nobody has seen answered yet.
const UNKNOWN: u64 = u64::MAX;

/// Nanoseconds on a core that a call is expected to take, or [`UNKNOWN`], one an extension point. A plugin whose thread had to
/// wait for others has not been slow.
#[derive(Debug)]
pub(super) struct Expected([AtomicU64; Point::ALL.len()]);

impl Expected {
    pub(super) fn nothing() -> Self {
        Self(Point::ALL.map(|_| AtomicU64::new(UNKNOWN)))
    }

    pub(super) fn of(&self, point: Point) -> Option<Duration> {
        let nanoseconds = self.0[point as usize].load(Ordering::Relaxed);
        (nanoseconds != UNKNOWN).then(|| Duration::from_nanos(nanoseconds))
    }

    /// Whether a call is expected to be quick: as at the last answer there, or at the other extension point where there was
    /// none yet, as where pods follow a plan and nobody asks for scores.
    pub(super) fn is_quick(&self, point: Point) -> bool {
        let known = [point, Point::Filter, Point::Score].into_iter().find_map(|point| self.of(point));
        known.is_some_and(|expected| expected < GRACE)
    }

    /// A call that failed has not shown that the plugin is quick.
    pub(super) fn learn(&self, point: Point, took: Duration, failed: bool) {
        let expected = &self.0[point as usize];
        if failed {
            expected.fetch_max(nanoseconds(took), Ordering::Relaxed);
        } else {
            expected.store(nanoseconds(took), Ordering::Relaxed);
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_known_to_be_quick_is_expected_to_be_slow_and_one_point_speaks_for_the_other() {
        let (quick, slow) = (GRACE / 2, GRACE);
        let expected = Expected::nothing();
        expected.learn(Point::Filter, quick, true);
        assert!(!expected.is_quick(Point::Filter) && !expected.is_quick(Point::Score), "a failure shows nothing");
        expected.learn(Point::Filter, quick, false);
        assert!(expected.is_quick(Point::Filter) && expected.is_quick(Point::Score));
        expected.learn(Point::Score, slow, false);
        assert!(expected.is_quick(Point::Filter) && !expected.is_quick(Point::Score));
        expected.learn(Point::Score, quick, false);
        expected.learn(Point::Filter, slow, true);
        assert!(!expected.is_quick(Point::Filter) && expected.is_quick(Point::Score));
    }
}
