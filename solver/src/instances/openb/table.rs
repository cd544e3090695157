//! Tables of comma-separated fields, named in their first line.
//!
//! Promises: a fault is told with table, line and column. Must not know: what the columns mean. Quotes have no meaning.

use super::OpenbError;

/// One line, reduced to the columns asked for.
#[derive(Clone, Debug)]
pub(super) struct Row<'a, const N: usize> {
    table: &'static str,
    columns: [&'static str; N],
    /// From 1, the line with the names.
    line: usize,
    fields: [&'a str; N],
}

/// The lines of a table, with the given columns; empty lines are skipped.
pub(super) fn rows<'a, const N: usize>(
    table: &'static str,
    text: &'a str,
    columns: [&'static str; N],
) -> Result<Vec<Row<'a, N>>, OpenbError> {
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let names: Vec<&str> = lines.next().map_or_else(Vec::new, |(line, _)| split(line));
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = names.iter().position(|name| *name == column).ok_or(OpenbError::Column { table, column })?;
    }
    lines.map(|(text, line)| Row::read(table, columns, line, text, places)).collect()
}

fn split(line: &str) -> Vec<&str> {
    line.split(',').map(str::trim).collect()
}

impl<'a, const N: usize> Row<'a, N> {
    fn read(
        table: &'static str,
        columns: [&'static str; N],
        line: usize,
        text: &'a str,
        places: [usize; N],
    ) -> Result<Self, OpenbError> {
        let all = split(text);
        let mut fields = [""; N];
        for ((field, place), column) in fields.iter_mut().zip(places).zip(columns) {
            *field = all.get(place).ok_or(OpenbError::Missing { table, line, column })?;
        }
        Ok(Self { table, columns, line, fields })
    }

    /// A field, by its place among the columns asked for.
    pub(super) fn text(&self, column: usize) -> &'a str {
        self.fields[column]
    }

    /// The same as a whole number.
    pub(super) fn number(&self, column: usize) -> Result<u64, OpenbError> {
        let fault = |_| OpenbError::Number {
            table: self.table,
            line: self.line,
            column: self.columns[column],
            text: self.fields[column].to_owned(),
        };
        self.fields[column].parse::<u32>().map(u64::from).map_err(fault)
    }
}
