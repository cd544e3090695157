//! What a run leaves behind: resident memory over time, and the table at its end.

use std::collections::BTreeMap;
use std::time::Duration;

use gantry_tests::{metrics, report};

/// Resident memory over the run, in bytes.
#[derive(Default)]
pub(super) struct Memory {
    samples: Vec<(Duration, u64)>,
}

impl Memory {
    /// Notes what was resident at a time since the start.
    pub(super) fn note(&mut self, at: Duration, bytes: u64) {
        self.samples.push((at, bytes));
    }

    /// The median of each quarter of a run of this length, in bytes.
    pub(super) fn medians(&self, length: Duration) -> [u64; 4] {
        std::array::from_fn(|quarter| {
            let bounds = [quarter, quarter + 1].map(|count| length.mul_f64(count as f64 / 4.0));
            let inside = self.samples.iter().filter(|(at, _)| (bounds[0]..bounds[1]).contains(at));
            let mut bytes: Vec<u64> = inside.map(|(_, bytes)| *bytes).collect();
            bytes.sort_unstable();
            bytes.get(bytes.len() / 2).copied().unwrap_or(0)
        })
    }
}

/// In MiB, one digit.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

/// Prints what was done and what came of it.
pub(super) fn show(title: &str, done: &BTreeMap<&str, u32>, memory: [u64; 4], gantry: &str, scheduler: &str) {
    let mut rows: Vec<[String; 2]> = done.iter().map(|(what, times)| [(*what).to_owned(), times.to_string()]).collect();
    let attempts = |result| {
        let count = metrics::sum_of(scheduler, "scheduler_schedule_attempts_total", &[("result", result)]);
        (count as u64).to_string()
    };
    rows.push(["pods placed".to_owned(), attempts("scheduled")]);
    rows.push(["attempts without a node".to_owned(), attempts("unschedulable")]);
    for (what, name, label) in [
        ("requests", "gantry_extender_request_duration_seconds_count", "verb"),
        ("plans, by cause", "gantry_plans_total", "outcome"),
        ("planned pods landed", "gantry_plan_landings_total", "outcome"),
        ("nominations", "gantry_nominations_total", "outcome"),
        ("planned nodes not offered", "gantry_plan_not_offered_total", "profile"),
        ("disagreements with kube-scheduler", "gantry_filter_disagreement_total", "verdict"),
    ] {
        rows.push([what.to_owned(), by_label(gantry, name, label)]);
    }
    rows.push(["resident memory by quarter, MiB".to_owned(), memory.map(mebibytes).join(" ")]);
    report::section(title);
    report::table(&["what", "how often"], &rows.into_iter().map(Vec::from).collect::<Vec<_>>());
}

fn by_label(text: &str, name: &str, label: &str) -> String {
    let values = metrics::by_label(text, name, label).into_iter().filter(|(_, value)| *value > 0.0);
    let values: Vec<String> = values.map(|(label, value)| format!("{label} {value}")).collect();
    if values.is_empty() { "0".to_owned() } else { values.join(", ") }
}
