//! How fast and how good the searches are: `make bench ONLY=solver`.
//!
//! Parts, sizes, searches and a number of seeds can be named: `make bench ONLY="solver sigma 500x50 memetic seeds=20"`. By
//! default all parts run, at most sizes and one seed, in less than four minutes; with `FULL=1` at every size and three
//! seeds.

mod memory;
mod moves;
mod openb;
mod report;
mod scope;
mod sigma;

use anyhow::Result;
use scope::Scope;

/// What can be measured alone, by name.
type Part = (&'static str, fn(&Scope) -> Result<()>);

const PARTS: [Part; 4] =
    [("moves", moves::measure), ("sigma", sigma::measure), ("memory", memory::measure), ("openb", openb::measure)];

fn main() -> Result<()> {
    // cargo itself adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [command, search] = &arguments[..]
        && command == memory::CHILD
    {
        return memory::run_child(search);
    }
    let scope = Scope::read(&arguments, &PARTS.map(|(name, _)| name), std::env::var_os("FULL").is_some())?;
    PARTS.iter().filter(|(name, _)| scope.wants(name)).try_for_each(|(_, measure)| measure(&scope))
}
