//! Everything that the README quotes, measured in one run: `make bench`.
//!
//! One program, because linking it optimised takes minutes. `make bench ONLY=component` runs one part.

mod component;
mod handler;
mod isolation;
mod memory;
mod plan;
mod platform;
mod scheduling_time;

use anyhow::{Result, ensure};

/// What can be measured alone, by name.
type Part = (&'static str, fn() -> Result<()>);

const PARTS: [Part; 7] = [
    ("component", component::measure),
    ("handler", handler::measure),
    ("isolation", isolation::measure),
    ("memory", memory::measure),
    ("plan", plan::measure),
    ("platform", platform::measure),
    ("scheduling-time", scheduling_time::measure),
];

fn main() -> Result<()> {
    // cargo itself adds `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|argument| argument == name);
    let parts: Vec<_> = PARTS.into_iter().filter(|(name, _)| wanted(name)).collect();
    ensure!(!parts.is_empty(), "no such part: {asked:?}; there are {:?}", PARTS.map(|(name, _)| name));
    parts.into_iter().try_for_each(|(_, measure)| measure())
}
