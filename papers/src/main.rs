//! Writes the report: `gantry-papers FOLDER` makes `papers.md` and its plots in that folder.
//!
//! Sections take seconds each; progress goes to standard error.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "progress of a command that runs for a minute")]

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use gantry_papers::report::{self, Section};
use gantry_papers::{cmma_ga, dictionary_ga, mabc, quota_ga, tcga};

const INTRODUCTION: &str = include_str!("introduction.md");

/// A source's experiments by their number.
type Experiments = (&'static str, fn() -> anyhow::Result<Section>);

/// The sections in the order of the report.
const SECTIONS: [Experiments; 5] = [
    ("T000", quota_ga::section),
    ("T001", cmma_ga::section),
    ("T002", tcga::section),
    ("T003", dictionary_ga::section),
    ("T004", mabc::section),
];

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("name the folder to write into, such as docs")?);
    let sections = SECTIONS.into_iter().map(run).collect::<anyhow::Result<Vec<_>>>()?;
    report::write(&folder, INTRODUCTION, &sections)
}

fn run((name, section): Experiments) -> anyhow::Result<Section> {
    let start = Instant::now();
    let made = section().with_context(|| format!("experiment {name}"))?;
    eprintln!("{name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(made)
}
