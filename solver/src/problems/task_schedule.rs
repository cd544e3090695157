//! Tasks on machines: who runs what, so that all is done early and cheaply.
//!
//! Promises: lengths are summed in whole numbers, so a state never drifts; a move is evaluated in constant time, and in
//! the number of machines only if the machine that is done last gives something away. Must not know: the searches.
//!
//! Source: a patent application on cloud task scheduling by a genetic algorithm with two fitnesses, marks \[P\] printed,
//! \[R\] reconstructed, \[I\] interpreted. Subtask `i` has length `len_i`; machine `j` has `mips_j`, `trans_j`, `cost_j`
//! and `costt_j`; `x_i` is the machine of subtask `i`.
//!
//! 1. eq. (1) \[R\]: `etc_ij = len_i / mips_j`. \[P\] Its price is `cost_j etc_ij`.
//! 2. eq. (2) \[R\]: `Exec_j = Σ_{i on j} etc_ij`.
//! 3. eq. (3) \[R\]: `tt_j = Σ_{i on j} len_i / trans_j`. \[I\] The volume to transfer is the length: no other size is
//!    defined.
//! 4. eq. (4) \[I\]: the first objective, with the two readings of [`Completion`].
//! 5. eq. (5) \[R\]: the second objective, `CompleteCost = Σ_j (cost_j Exec_j + costt_j tt_j)`.
//! 6. eq. (7) \[R\]: `ulb = Σ_j (Exec_j + tt_j) / (n max_j (Exec_j + tt_j))`, in (0, 1]: how well the machines are used.
//!    It is the [favour](Problem::favour) of the first objective.

mod error;
mod machines;

use crate::domain::{Domain, DomainClass};
use crate::problem::{Choice, Genome, Move, Problem, least_cost};
use crate::scalarise::Scalarisation;
use crate::score::{Objectives, Score};

pub use error::TaskScheduleError;
pub use machines::{MachineColumns, Rates};

/// The objective that is time; the other one is cost.
pub const TIME: usize = 0;

/// The objective that is cost.
pub const COST: usize = 1;

/// When a task is complete, eq. (4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Completion {
    /// `max_j (Exec_j + tt_j)`: when the last machine has executed and transferred.
    #[default]
    Joint,
    /// `max_j Exec_j + tt_a`, with `a` the machine that executes longest, the first among equals: the printed
    /// `ExecuteTime_k + tt_kj` taken by the letter.
    Literal,
}

/// A task of many subtasks, and the machines to run them.
#[derive(Clone, Debug)]
pub struct TaskSchedule {
    lengths: Box<[u64]>,
    rates: Box<[Rates]>,
    machines: DomainClass,
    completion: Completion,
}

/// A schedule with the length on each machine.
#[derive(Clone, Debug)]
pub struct State {
    genome: Genome,
    length_by_machine: Vec<u64>,
    /// The machine that is done last, the first among equals.
    last: usize,
    cost: f64,
}

impl TaskSchedule {
    /// The problem of subtasks with these lengths, in millions of instructions, each at least 1 and all together at
    /// most 2^53.
    ///
    /// # Errors
    /// [`TaskScheduleError`] that names the column and the place of what is out of range.
    pub fn new(
        lengths: &[u64],
        machines: &MachineColumns<'_>,
        completion: Completion,
    ) -> Result<Self, TaskScheduleError> {
        let rates = machines::rates(machines)?;
        if rates.is_empty() && !lengths.is_empty() {
            return Err(TaskScheduleError::NoMachines);
        }
        if let Some(task) = lengths.iter().position(|&length| length == 0) {
            return Err(TaskScheduleError::EmptyTask { task });
        }
        let sum = lengths.iter().try_fold(0_u64, |sum, &length| sum.checked_add(length));
        if sum.is_none_or(|sum| sum > 1 << 53) {
            return Err(TaskScheduleError::Sum);
        }
        let machines = DomainClass::all(rates.len() as u32);
        Ok(Self { lengths: lengths.into(), rates, machines, completion })
    }

    /// The lengths of the subtasks.
    #[must_use]
    pub const fn lengths(&self) -> &[u64] {
        &self.lengths
    }

    /// The machines.
    #[must_use]
    pub const fn rates(&self) -> &[Rates] {
        &self.rates
    }

    /// Utilisation `ulb` of eq. (7), above 0 and at most 1; 1 if nothing runs.
    #[must_use]
    pub fn utilisation(&self, state: &State) -> f64 {
        let times = self.rates.iter().zip(&state.length_by_machine).map(|(rates, &length)| length as f64 * rates.time);
        let (sum, longest) = times.fold((0.0, 0.0_f64), |(sum, longest), time| (sum + time, longest.max(time)));
        if longest > 0.0 { sum / (self.rates.len() as f64 * longest) } else { 1.0 }
    }

    /// What decides which machine is done last.
    #[inline]
    fn key(&self, machine: usize, length: u64) -> f64 {
        let rates = &self.rates[machine];
        let rate = if self.completion == Completion::Joint { rates.time } else { rates.execution };
        length as f64 * rate
    }

    /// The machine done last, the first among equals, of some machines with their lengths in ascending order.
    fn last_of(&self, lengths: impl Iterator<Item = (usize, u64)>) -> (usize, u64) {
        let mut last = (0, 0);
        let mut largest = 0.0;
        for (machine, length) in lengths {
            let key = self.key(machine, length);
            if key > largest {
                (last, largest) = ((machine, length), key);
            }
        }
        last
    }

    /// Computes what follows from the lengths.
    fn settle(&self, state: &mut State) {
        state.last = self.last_of(state.length_by_machine.iter().copied().enumerate()).0;
        let cost = |(rates, &length): (&Rates, &u64)| length as f64 * rates.cost;
        state.cost = self.rates.iter().zip(&state.length_by_machine).map(cost).sum();
    }

    fn score(&self, (last, length): (usize, u64), cost: f64) -> Score {
        let time = self.rates.get(last).map_or(0.0, |rates| length as f64 * rates.time);
        Score { violation: 0.0, objectives: Objectives::new(&[time, cost]) }
    }

    /// What a move takes from one machine and gives to another, if it moves anything.
    fn shift(&self, state: &State, change: Move) -> Option<Shift> {
        let (from, to, out, back) = match change {
            Move::Set { item, value } => (state.genome[item], value, self.lengths[item], 0),
            Move::Swap { first, second } => {
                (state.genome[first], state.genome[second], self.lengths[first], self.lengths[second])
            }
        };
        let machine = |gene: u32| Some(gene as usize).filter(|&machine| machine < self.rates.len());
        (from != to && out != back).then(|| Shift { from: machine(from), to: machine(to), out, back })
    }
}

/// Length that leaves one machine for another, and length that comes back; either machine may be none.
#[derive(Clone, Copy, Debug)]
struct Shift {
    from: Option<usize>,
    to: Option<usize>,
    out: u64,
    back: u64,
}

impl Shift {
    /// The length of a machine after the shift.
    #[inline]
    fn length_after(&self, machine: usize, length: u64) -> u64 {
        if self.from == Some(machine) {
            length - self.out + self.back
        } else if self.to == Some(machine) {
            length - self.back + self.out
        } else {
            length
        }
    }

    /// The machines that change, ascending, and possibly a third one.
    fn candidates(&self, third: usize) -> impl Iterator<Item = usize> {
        let mut all = [self.from.unwrap_or(third), self.to.unwrap_or(third), third];
        all.sort_unstable();
        all.into_iter()
    }
}

impl Problem for TaskSchedule {
    type State = State;

    fn items(&self) -> usize {
        self.lengths.len()
    }

    fn domain(&self, _item: usize) -> Domain<'_> {
        Domain::Choices(&self.machines)
    }

    fn objectives(&self) -> usize {
        2
    }

    fn build(&self, genome: &[u32]) -> State {
        let empty = State { genome: Vec::new(), length_by_machine: Vec::new(), last: 0, cost: 0.0 };
        let mut state = empty;
        self.rebuild(&mut state, genome);
        state
    }

    fn rebuild(&self, state: &mut State, genome: &[u32]) {
        state.genome.clear();
        state.genome.extend_from_slice(genome);
        state.length_by_machine.clear();
        state.length_by_machine.resize(self.rates.len(), 0);
        for (&gene, &length) in genome.iter().zip(&self.lengths) {
            if let Some(sum) = state.length_by_machine.get_mut(gene as usize) {
                *sum += length;
            }
        }
        self.settle(state);
    }

    fn genome<'a>(&self, state: &'a State) -> &'a [u32] {
        &state.genome
    }

    fn eval(&self, state: &State) -> Score {
        let length = state.length_by_machine.get(state.last).copied().unwrap_or(0);
        self.score((state.last, length), state.cost)
    }

    fn delta(&self, state: &State, change: Move) -> Option<Score> {
        let Some(shift) = self.shift(state, change) else { return Some(self.eval(state)) };
        let after = |machine: usize| (machine, shift.length_after(machine, state.length_by_machine[machine]));
        let shrinks = after(state.last).1 < state.length_by_machine[state.last];
        let last = if shrinks {
            self.last_of((0..self.rates.len()).map(after))
        } else {
            self.last_of(shift.candidates(state.last).map(after))
        };
        let rate = |machine: Option<usize>| machine.map_or(0.0, |machine| self.rates[machine].cost);
        let moved = shift.out as f64 - shift.back as f64;
        Some(self.score(last, state.cost + moved * (rate(shift.to) - rate(shift.from))))
    }

    fn apply(&self, state: &mut State, change: Move) {
        if let Some(shift) = self.shift(state, change) {
            for machine in [shift.from, shift.to].into_iter().flatten() {
                let length = &mut state.length_by_machine[machine];
                *length = shift.length_after(machine, *length);
            }
            self.settle(state);
        }
        match change {
            Move::Set { item, value } => state.genome[item] = value,
            Move::Swap { first, second } => state.genome.swap(first, second),
        }
    }

    /// The earlier the machine would be done, the better.
    fn heuristic(&self, state: &State, item: usize, value: u32) -> f64 {
        let (lengths, rates) = (&state.length_by_machine, &self.rates[value as usize]);
        1.0 / ((lengths[value as usize] + self.lengths[item]) as f64 * rates.time)
    }

    /// The length.
    fn size(&self, item: usize) -> f64 {
        self.lengths[item] as f64
    }

    /// By time alone, the machine that is done first with this task: that is of least cost, and among the many machines
    /// that do not delay the last one it is the right one. With [`size`](Problem::size) this makes the greedy the
    /// longest-processing-time rule (Graham 1969, doi:10.1137/0117039).
    fn best_value(&self, state: &State, item: usize, by: &Scalarisation) -> Option<Choice> {
        if *by != Scalarisation::Single(TIME) || self.completion != Completion::Joint {
            return least_cost(self, state, item, by);
        }
        let done = |machine: u32| {
            let machine = machine as usize;
            self.key(machine, state.length_by_machine[machine] + self.lengths[item])
        };
        let machines = self.machines.values();
        let first = machines.iter().copied().min_by(|&a, &b| done(a).total_cmp(&done(b)));
        first.map(|value| Choice { value, evaluations: machines.len() as u64 })
    }

    /// Eq. (7) for time, nothing for cost.
    fn favour(&self, state: &State, objective: usize) -> f64 {
        if objective == TIME { self.utilisation(state) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests;
