//! What plugins were asked last, to be asked again: the answers to `/record` and `/plan/record`.

use std::time::SystemTime;

use gantry_host::record::Record;
use k8s_openapi::jiff::Timestamp;

use crate::handlers::Context;
use crate::profile::Recorded;

/// The last questions about a pod; `None`: there was none, or too many came after it.
pub(super) fn of_pod(context: &Context, namespace: &str, pod: &str) -> Option<Record> {
    let profiles = context.cycles.profiles();
    record(profiles.iter().flat_map(|profile| profile.recorded(namespace, pod)).collect())
}

/// Each profile's last plan; `None`: nothing was planned yet.
pub(super) fn of_plans(context: &Context) -> Option<Record> {
    let profiles = context.cycles.profiles();
    record(profiles.iter().filter_map(|profile| profile.recorded_plan()).collect())
}

fn record(mut recorded: Vec<Recorded>) -> Option<Record> {
    recorded.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let newest = recorded.first()?.0.duration_since(SystemTime::UNIX_EPOCH).ok();
    let time = newest.and_then(|newest| Timestamp::from_millisecond(newest.as_millis() as i64).ok());
    let time = time.map(|time| time.to_string());
    Some(Record { time, questions: recorded.into_iter().map(|(_, asked)| asked).collect() })
}
