//! Peak memory at the largest size, a process for each search.
//!
//! The kernel's high-water mark of resident memory, program and generator of the instance included.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gantry_papers::searches;
use gantry_solver::problems::placement::Objective;

use crate::report::{self, Headline};
use crate::scope::{LARGEST, Scope};

/// The argument that makes this program one of those processes; the search's name follows.
pub(crate) const CHILD: &str = "peak-of";

const HEADLINE: Headline = Headline {
    what: "Peak memory at 10000 × 1000",
    part: "memory",
    baseline: "the process before the search: program, instance, problem",
    limit: "the target is at most 100 MB; a table of pods × nodes alone would be 80 MB",
};

/// Enough for every search to have all of its memory.
const TIME: Duration = Duration::from_millis(500);

pub(crate) fn measure(_: &Scope) -> Result<()> {
    report::headline(&HEADLINE);
    let mut rows = Vec::new();
    for search in searches::all() {
        let child = Command::new(std::env::current_exe()?).args([CHILD, search.name]).output()?;
        ensure!(child.status.success(), "{}: {}", search.name, String::from_utf8_lossy(&child.stderr));
        let peaks = String::from_utf8(child.stdout)?;
        let (before, after) = peaks.trim().split_once(' ').context("a process for one search wrote two numbers")?;
        rows.push(vec![search.name.to_owned(), before.to_owned(), after.to_owned()]);
    }
    report::table(&["search", "before, MB", "peak, MB"], &rows);
    Ok(())
}

/// Runs one search and writes the peaks before and after it.
#[allow(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) fn run_child(search: &str) -> Result<()> {
    let problem = LARGEST.instance(1, true)?.placement(Objective::Sigma)?;
    let before = peak()?;
    let search = searches::named(search).context("the parent knows the searches")?;
    search.run(&problem, TIME, 1)?;
    println!("{before:.0} {:.0}", peak()?);
    Ok(())
}

/// Most memory that this process has had, in MB.
fn peak() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("peak memory is read from Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in the status")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
