//! Everything that the README quotes, measured in one run: `make bench`.
//!
//! One program, because linking it optimised takes minutes. `make bench ONLY=component` runs one part,
//! `make bench ONLY="scheduling-time nodes=5000"` that part at another size.

mod component;
mod handler;
mod instant;
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

/// cargo itself adds it.
const BENCH: &str = "--bench";

fn main() -> Result<()> {
    let is_part = |argument: &String| argument != BENCH && !scheduling_time::is_argument(argument);
    let asked: Vec<String> = std::env::args().skip(1).filter(is_part).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|argument| argument == name);
    let parts: Vec<_> = PARTS.into_iter().filter(|(name, _)| wanted(name)).collect();
    ensure!(!parts.is_empty(), "no such part: {asked:?}; there are {:?}", PARTS.map(|(name, _)| name));
    parts.into_iter().try_for_each(|(_, measure)| measure())
}
