//! The report: sections with a table of figures each, and plots.
//!
//! Promises: what is rendered depends on the figures alone, so that two runs can be compared by their text. Must not
//! know: the experiments.

pub mod plot;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

pub use plot::{Plot, Series};

/// One source document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Heading, without `#`.
    pub title: String,
    /// What the source claims, how it is tried here, and what to make of it; Markdown paragraphs.
    pub text: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Further tables, as Markdown.
    pub tables: String,
    /// The plots, in their order.
    pub plots: Vec<Plot>,
}

/// One line of the table: paper's figure | ours | limit | verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Such as `T003-1`.
    pub experiment: &'static str,
    /// What is measured, with its unit.
    pub measure: String,
    /// What the source reports; `–` if nothing.
    pub paper: String,
    /// What was measured here.
    pub ours: String,
    /// What nobody can beat; `–` if unknown.
    pub limit: String,
    /// What follows.
    pub verdict: Verdict,
}

/// What the comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The source's claim holds here.
    Holds,
    /// It holds under conditions that the text names.
    HoldsPartly,
    /// It does not hold here.
    Fails,
    /// The source reports no figure; this one meets what is asserted of it.
    Met,
    /// The source reports no figure; this one misses what was hoped for.
    Missed,
}

impl Verdict {
    /// `Holds` or `Fails`.
    #[must_use]
    pub const fn holds(claim: bool) -> Self {
        if claim { Self::Holds } else { Self::Fails }
    }

    /// `Met` or `Missed`.
    #[must_use]
    pub const fn met(target: bool) -> Self {
        if target { Self::Met } else { Self::Missed }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::HoldsPartly => "holds in part",
            Self::Fails => "**does not hold**",
            Self::Met => "met",
            Self::Missed => "**missed**",
        }
    }
}

impl Section {
    /// The section as Markdown; plots are linked relative to `folder`, the folder of plots seen from the report.
    #[must_use]
    pub fn markdown(&self, folder: &str) -> String {
        let mut text = format!("## {}\n\n{}\n", self.title, self.text.trim());
        if !self.figures.is_empty() {
            text.push_str("\n| | measure | paper | Gantry | limit | verdict |\n|---|---|---|---|---|---|\n");
            for figure in &self.figures {
                let Figure { experiment, measure, paper, ours, limit, verdict } = figure;
                let verdict = verdict.text();
                // Writing to a string cannot fail.
                let _ = writeln!(text, "| {experiment} | {measure} | {paper} | {ours} | {limit} | {verdict} |");
            }
        }
        if !self.tables.is_empty() {
            let _ = write!(text, "\n{}\n", self.tables.trim());
        }
        for plot in &self.plots {
            let _ = write!(text, "\n![{}]({folder}/{}.svg)\n", plot.title, plot.file);
        }
        text
    }
}

/// Writes `papers.md` and its plots, in `papers/`, into a folder.
///
/// # Errors
/// If a file cannot be written or a plot cannot be drawn; names the file.
pub fn write(folder: &Path, introduction: &str, sections: &[Section]) -> anyhow::Result<()> {
    let plots = folder.join("papers");
    std::fs::create_dir_all(&plots).with_context(|| format!("cannot make {}", plots.display()))?;
    let mut text = introduction.trim().to_owned();
    text.push('\n');
    for section in sections {
        text.push('\n');
        text.push_str(&section.markdown("papers"));
        for plot in &section.plots {
            let path = plots.join(format!("{}.svg", plot.file));
            std::fs::write(&path, plot.svg()?).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    let path = folder.join("papers.md");
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_shows_its_figures_and_links_its_plots() {
        let figure = Figure {
            experiment: "T1",
            measure: "time, s".into(),
            paper: "2".into(),
            ours: "3".into(),
            limit: "1".into(),
            verdict: Verdict::holds(false),
        };
        let plot = Plot { file: "p", title: "time".into(), ..Plot::default() };
        let section = Section {
            title: "T".into(),
            text: "Why.".into(),
            figures: vec![figure],
            tables: String::new(),
            plots: vec![plot],
        };
        let text = section.markdown("papers");
        assert!(text.contains("| T1 | time, s | 2 | 3 | 1 | **does not hold** |"), "{text}");
        assert!(text.ends_with("\n![time](papers/p.svg)\n"), "{text}");
    }
}
