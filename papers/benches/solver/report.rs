//! How this benchmark tells what it measured: machine, command, baseline, limit, tables.
//!
//! Absolute times on a shared machine are noise, so everything stands beside a baseline of the same run.

use std::io::Write as _;
use std::time::Duration;

/// What a part is about.
pub(crate) struct Headline {
    pub(crate) what: &'static str,
    /// The part's name.
    pub(crate) part: &'static str,
    /// What figures are compared with.
    pub(crate) baseline: &'static str,
    /// What cannot be beaten, or what is aimed at.
    pub(crate) limit: &'static str,
}

/// Prints the machine, the command, the baseline and the limit.
pub(crate) fn headline(headline: &Headline) {
    let Headline { what, part, baseline, limit } = headline;
    let machine = machine();
    say(&format!(
        "\n# {what}\n\nmachine: {machine}\ncommand: make bench ONLY=\"solver {part}\"\nbaseline: {baseline}\nlimit: {limit}\n"
    ));
}

/// Prints what the next table is about.
pub(crate) fn section(title: &str) {
    say(&format!("## {title}\n"));
}

/// Prints one table in Markdown; every row is as long as `columns`.
pub(crate) fn table(columns: &[&str], rows: &[Vec<String>]) {
    let mut text = format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows {
        text.extend(["| ", &row.join(" | "), " |\n"]);
    }
    say(&text);
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
    let load = load.split(' ').next().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores, one used, load {load}", model.map_or("unknown processor", |(_, name)| name))
}

/// A duration in the unit that suits it.
pub(crate) fn short(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s => format!("{s:.1} s"),
    }
}

/// A quantity with four significant digits, five decimals at most.
pub(crate) fn significant(value: f64) -> String {
    let magnitude = if value > 0.0 { value.log10().floor() } else { 0.0 };
    format!("{value:.*}", (3.0 - magnitude).clamp(0.0, 5.0) as usize)
}
