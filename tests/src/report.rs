//! How a benchmark tells what it measured: the machine, the command, tables.
//!
//! Absolute times on a shared machine are noise; every table of times therefore has a baseline from the same run and a
//! ratio.
//! It writes past a test's captured output: a scenario's table is shown in a run that passes, too.

use std::io::Write as _;
use std::time::Duration;

/// Prints the machine and the command, once, at the top.
pub fn headline(what: &str, command: &str) {
    say(&format!("\n# {what}\n\nmachine: {}\ncommand: {command}\n", machine()));
}

/// Prints what the next table is about.
pub fn section(title: &str) {
    say(&format!("\n## {title}\n"));
}

/// Prints one table in Markdown; every row is as long as `columns`.
pub fn table(columns: &[&str], rows: &[Vec<String>]) {
    let mut text = format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows {
        text.extend(["| ", &row.join(" | "), " |\n"]);
    }
    say(&text);
}

/// Prints a line by itself: how far something long has come.
pub fn line(text: &str) {
    say(text);
}

/// A closed stdout is no reason for a measurement to fail.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Processor, cores and load, as the kernel tells them.
fn machine() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load: Vec<_> = load.split(' ').take(1).collect();
    format!("{}, {cores} cores, load {}", model.map_or("unknown processor", |(_, name)| name), load.concat())
}

/// The value below which `share` of the sorted `samples` lie.
///
/// # Panics
/// There are no samples.
#[must_use]
pub fn quantile(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    samples[((samples.len() - 1) as f64 * share).round() as usize]
}

/// A duration in the unit that suits it, three digits.
#[must_use]
pub fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// `measured` as a multiple of `baseline`.
#[must_use]
pub fn ratio(measured: Duration, baseline: Duration) -> String {
    format!("{:.2}", measured.as_secs_f64() / baseline.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_samples() {
        let mut samples: Vec<_> = (0..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile(&mut samples, 0.99), Duration::from_millis(99));
        assert_eq!(quantile(&mut samples[..1], 0.5), Duration::ZERO);
    }

    #[test]
    fn durations_take_the_unit_that_suits_them() {
        assert_eq!(short(Duration::from_nanos(1500)), "1.5 µs");
        assert_eq!(short(Duration::from_millis(1234)), "1.23 s");
    }
}
