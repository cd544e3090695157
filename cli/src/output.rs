//! Tables and JSON.
//!
//! Promises that equal input gives equal bytes, without colours and without looking at the terminal.

use std::fmt::Write as _;
use std::io::Write;

use clap::ValueEnum;
use serde::Serialize;

use crate::CliError;

/// How what was found is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Text in columns: the first to the left, the others to the right unless they were said to be words.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    words: Vec<usize>,
}

impl Table {
    /// A table with a head. `words` are the columns, beside the first, that hold words and not numbers.
    pub(crate) fn new<T: Into<String>>(head: impl IntoIterator<Item = T>, words: &[usize]) -> Self {
        Self { rows: vec![head.into_iter().map(Into::into).collect()], words: words.to_vec() }
    }

    /// Adds a line.
    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The lines, columns two spaces apart, nothing after the last word of a line.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            text.push_str(self.line(row, &widths).trim_end());
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let written = if column == 0 || self.words.contains(&column) {
                write!(line, "{gap}{cell:<width$}")
            } else {
                write!(line, "{gap}{cell:>width$}")
            };
            written.expect("invariant: a String takes all that is written to it");
        }
        line
    }
}

/// Text of somebody else, in one line, with every character that a terminal would obey or hide written out.
pub(crate) fn visible(text: &str) -> String {
    let one = |c: char| if matches!(c, '"' | '\'' | '\\') { c.to_string() } else { c.escape_debug().to_string() };
    text.chars().map(one).collect()
}

/// Writes a value as indented JSON.
pub(crate) fn json<T: Serialize>(out: &mut dyn Write, value: &T) -> Result<(), CliError> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out_and_words_are_not() {
        assert_eq!(visible("red\u{1b}[31m, \u{9b}2J\n\u{202e}"), "red\\u{1b}[31m, \\u{9b}2J\\n\\u{202e}");
        let words = r#"gantry:scheduling/log@0.1.0 "größer" C:\x 'é'"#;
        assert_eq!(visible(words), words);
    }

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let mut table = Table::new(["rule", "placed", "node"], &[2]);
        table.row(["a", "7", "n"]);
        table.row(["longer", "1234567", "node"]);
        assert_eq!(table.render(), "rule     placed  node\na             7  n\nlonger  1234567  node\n");
    }
}
