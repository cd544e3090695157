//! Machines as the rates that an evaluation needs.
//!
//! Promises: every rate is finite and not negative, times are above 0. Must not know: tasks.

use super::error::TaskScheduleError;

/// Numbers beyond this are measured in the wrong unit; within it no product below overflows.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// The least speed, for the same reason.
const SLOWEST: f64 = 1e-9;

/// The machines as columns, one number a machine each.
#[derive(Clone, Copy, Debug)]
pub struct MachineColumns<'a> {
    /// Speed `mips_j`, in millions of instructions a second, 1e-9 to 2^53.
    pub mips: &'a [f64],
    /// Transfer rate `trans_j`, in units of length a second, 1e-9 to 2^53.
    pub transfer: &'a [f64],
    /// Price `cost_j` of a second of execution, 0 to 2^53.
    pub cost: &'a [f64],
    /// Price `costt_j` of a second of transfer, 0 to 2^53.
    pub transfer_cost: &'a [f64],
}

/// One machine, in what a unit of task length takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Seconds of execution, `1 / mips_j`.
    pub execution: f64,
    /// Seconds of execution and transfer, `τ_j = 1 / mips_j + 1 / trans_j`.
    pub time: f64,
    /// Cost, `κ_j = cost_j / mips_j + costt_j / trans_j`.
    pub cost: f64,
}

/// Checks the columns and turns them into rates.
pub(super) fn rates(columns: &MachineColumns<'_>) -> Result<Box<[Rates]>, TaskScheduleError> {
    let MachineColumns { mips, transfer, cost, transfer_cost } = *columns;
    check("mips", mips, mips.len(), SLOWEST, "1e-9 to 2^53")?;
    check("transfer", transfer, mips.len(), SLOWEST, "1e-9 to 2^53")?;
    check("cost", cost, mips.len(), 0.0, "0 to 2^53")?;
    check("transfer_cost", transfer_cost, mips.len(), 0.0, "0 to 2^53")?;
    let rates = |j: usize| Rates {
        execution: 1.0 / mips[j],
        time: 1.0 / mips[j] + 1.0 / transfer[j],
        cost: cost[j] / mips[j] + transfer_cost[j] / transfer[j],
    };
    Ok((0..mips.len()).map(rates).collect())
}

fn check(
    column: &'static str,
    numbers: &[f64],
    expected: usize,
    least: f64,
    allowed: &'static str,
) -> Result<(), TaskScheduleError> {
    if numbers.len() != expected {
        return Err(TaskScheduleError::Length { column, expected, found: numbers.len() });
    }
    match numbers.iter().position(|number| !(least..=LARGEST).contains(number)) {
        Some(index) => Err(TaskScheduleError::Number { column, index, value: numbers[index], allowed }),
        None => Ok(()),
    }
}
