//! Why a problem of tasks on servers could not be put together.
//!
//! Promises: names the column, the place and the value. Must not know: who filled the columns.

use super::EnergyColumns;

/// 2^53, the largest number up to which floating point counts without gaps.
const MOST: f64 = 9_007_199_254_740_992.0;

/// A fault in the numbers given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnergyError {
    /// A column's length does not follow from servers and tasks.
    #[error("column {column} has {found} numbers, expected {expected}")]
    Length {
        /// The column.
        column: &'static str,
        /// Numbers needed.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// A number is not one, negative, or too large.
    #[error("column {column} holds {value} at {index}, allowed is 0 to 2^53")]
    Number {
        /// The column.
        column: &'static str,
        /// Its place in the column.
        index: usize,
        /// The number.
        value: f64,
    },
}

/// Checks lengths, then numbers.
pub(super) fn check(columns: &EnergyColumns<'_>) -> Result<(), EnergyError> {
    let (servers, pairs) = (columns.caps.len(), columns.energy.len());
    let whole = pairs.checked_div(servers).unwrap_or(0) * servers;
    if pairs != whole {
        return Err(EnergyError::Length { column: "energy", expected: whole, found: pairs });
    }
    if columns.time.len() != pairs {
        return Err(EnergyError::Length { column: "time", expected: pairs, found: columns.time.len() });
    }
    numbers("energy", columns.energy, MOST)?;
    numbers("time", columns.time, MOST)?;
    numbers("caps", columns.caps, f64::INFINITY)
}

fn numbers(column: &'static str, numbers: &[f64], most: f64) -> Result<(), EnergyError> {
    match numbers.iter().position(|number| !(0.0..=most).contains(number)) {
        Some(index) => Err(EnergyError::Number { column, index, value: numbers[index] }),
        None => Ok(()),
    }
}
