//! The set-up of the source on task scheduling: 1,000 subtasks on 10 machines.
//!
//! Promises: the same arguments give the same numbers on every machine. Must not know: the solvers.
//!
//! \[P\] 1,000 subtasks, 10 machines, random prices. \[I\] The ranges, which the source does not give.

use super::draws::Draws;
use crate::problems::task_schedule::{Completion, MachineColumns, TaskSchedule, TaskScheduleError};

/// Subtasks and machines, in the units of [`MachineColumns`].
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInstance {
    /// Lengths of the subtasks, 500 to 5,000 million instructions.
    pub lengths: Vec<u64>,
    /// Speeds of the machines, 500 to 2,000.
    pub mips: Vec<f64>,
    /// Transfer rates, 5,000 to 10,000.
    pub transfer: Vec<f64>,
    /// Prices of a second of execution, 1 to 5.
    pub cost: Vec<f64>,
    /// Prices of a second of transfer, 0.1 to 1.
    pub transfer_cost: Vec<f64>,
}

/// Draws `tasks` subtasks and then `machines` machines, every number uniformly from its range.
#[must_use]
pub fn tasks(tasks: usize, machines: usize, seed: u64) -> TaskInstance {
    let mut draws = Draws::new(seed);
    let lengths = (0..tasks).map(|_| 500 + u64::from(draws.below(4_501))).collect();
    let mut column = |low: f64, high: f64| (0..machines).map(|_| low + (high - low) * draws.unit()).collect();
    TaskInstance {
        lengths,
        mips: column(500.0, 2_000.0),
        transfer: column(5_000.0, 10_000.0),
        cost: column(1.0, 5.0),
        transfer_cost: column(0.1, 1.0),
    }
}

impl TaskInstance {
    /// The instance as a problem.
    ///
    /// # Errors
    /// [`TaskScheduleError`] for an instance that was changed so that its parts no longer fit together, or one with
    /// tasks and without machines.
    pub fn problem(&self, completion: Completion) -> Result<TaskSchedule, TaskScheduleError> {
        let Self { lengths, mips, transfer, cost, transfer_cost } = self;
        TaskSchedule::new(lengths, &MachineColumns { mips, transfer, cost, transfer_cost }, completion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_lies_in_its_range_and_seeds_differ() {
        let instance = tasks(1_000, 10, 1);
        let within = |column: &[f64], low: f64, high: f64| column.iter().all(|x| (low..=high).contains(x));
        assert!(instance.lengths.iter().all(|length| (500..=5_000).contains(length)));
        assert!(within(&instance.mips, 500.0, 2_000.0) && within(&instance.transfer, 5_000.0, 10_000.0));
        assert!(within(&instance.cost, 1.0, 5.0) && within(&instance.transfer_cost, 0.1, 1.0));
        assert_eq!(instance, tasks(1_000, 10, 1));
        assert_ne!(instance, tasks(1_000, 10, 2));
        assert!(instance.problem(Completion::Joint).is_ok());
    }

    #[test]
    fn an_instance_keeps_its_numbers() {
        // Golden: a change here changes every figure ever published.
        let instance = tasks(1_000, 10, 1);
        assert_eq!((instance.lengths[0], instance.lengths.iter().sum::<u64>()), GOLDEN_LENGTHS);
        assert_eq!(instance.mips[0].to_bits(), GOLDEN_SPEED);
    }

    const GOLDEN_LENGTHS: (u64, u64) = (1126, 2_747_903);
    const GOLDEN_SPEED: u64 = 4_653_497_149_757_597_448;
}
