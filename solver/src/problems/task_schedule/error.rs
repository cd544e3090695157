//! Why a task schedule could not be put together.
//!
//! Promises: names the column, the place and the value. Must not know: who filled the columns.

/// A fault in the numbers given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskScheduleError {
    /// There are tasks and no machine to run them.
    #[error("there is no machine to run tasks on")]
    NoMachines,
    /// A column does not have one number a machine.
    #[error("column {column} has {found} numbers, there are {expected} machines")]
    Length {
        /// The column.
        column: &'static str,
        /// Machines.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// A number is out of range.
    #[error("column {column} holds {value} at {index}, allowed is {allowed}")]
    Number {
        /// The column.
        column: &'static str,
        /// Its place in the column.
        index: usize,
        /// The number.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// A task has no length.
    #[error("task {task} has length 0")]
    EmptyTask {
        /// The task.
        task: usize,
    },
    /// The tasks together are longer than can be counted exactly.
    #[error("the lengths of the tasks sum up to more than 2^53")]
    Sum,
}
