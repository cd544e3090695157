//! The checks of the section `plan` of a profile.
//!
//! Whether there is an API server to nominate through is asked where the profiles are
//! put together with the rest.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Checker;
use crate::config::file::PlanFile;
use crate::config::valid::{Plan, PlanMode};

/// Below it a batch is cut into pieces by its own creation; above it somebody waits for nothing.
const WINDOW: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(10);
/// Above it a plan made for another hour's cluster would still hold.
const TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);
/// A day of one core.
const MOST_EVALUATIONS: u64 = 1_000_000_000_000;

impl Checker {
    pub(super) fn plan(&mut self, key: &str, file: PlanFile) -> Plan {
        let default = Plan::default();
        let evaluations = file.evaluations.unwrap_or(default.evaluations);
        if evaluations > MOST_EVALUATIONS {
            self.refuse(
                format!("{key}.evaluations"),
                evaluations,
                "use at most 1000000000000; 0 means: construct only",
            );
        }
        Plan {
            mode: self.plan_mode(&format!("{key}.mode"), file.mode.as_deref()),
            nominate: file.nominate.unwrap_or(default.nominate),
            window: self.duration(format!("{key}.window"), file.window, default.window, WINDOW),
            evaluations,
            ttl: self.duration(format!("{key}.ttl"), file.ttl, default.ttl, TTL),
        }
    }

    fn plan_mode(&mut self, key: &str, mode: Option<&str>) -> PlanMode {
        match mode {
            Some("guide") => PlanMode::Guide,
            None | Some("follow") => PlanMode::Follow,
            Some(other) => {
                let remedy = "use follow (the planned node has 10, every other 0) or guide (the best node given the plan \
                              for the others has 10, the rest go by rank)";
                self.refuse(key, other, remedy);
                PlanMode::Follow
            }
        }
    }
}
