//! Tasks on servers: energy and time of all, under a cap on each server.
//!
//! Promises: a move costs constant time (a makespan that shrinks: one look at every server); sums are exact, so the
//! score of a state does not depend on the moves that led to it, and whether a cap holds is never a matter of rounding.
//! Must not know: the solvers.
//!
//! Source: a patent application on task scheduling by a master-slave artificial bee colony, marks \[P\] printed, \[R\]
//! reconstructed, \[I\] interpreted.
//!
//! - \[P\] Task `i` on server `j` takes the energy `e_ij` and the time `c_ij`; server `j` may spend `E_j`. The printed
//!   solution is a bit matrix; here one gene a task holds its server, so each task is somewhere exactly once.
//! - \[R\] `f_1 = Σ_i e_{i,x_i}` and `f_2 = Σ_i c_{i,x_i}`, "the sum of the time of every task", both minimised, subject
//!   to `Σ_{i on j} e_ij <= E_j`: the generalised assignment problem with two objectives.
//! - \[I\] A sum of times hides servers that work long; [`TimeObjective::Makespan`] counts the longest server instead.
//!
//! A task that is nowhere takes nothing.

mod error;
mod grid;
mod state;

use crate::domain::{Domain, DomainClass};
use crate::problem::{Move, Problem, UNASSIGNED};
use crate::rng::Rng;
use crate::score::{Objectives, Score};

pub use error::EnergyError;
use grid::Grid;
use state::Shift;
pub use state::{Demand, State};

/// What the second objective counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeObjective {
    /// The time of all tasks together, as printed.
    #[default]
    Sum,
    /// The time of the server that works longest, its tasks one after the other.
    Makespan,
}

impl TimeObjective {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sum, Self::Makespan];
}

/// The numbers of a problem. Energies share one unit, such as joules, and times one, such as seconds.
#[derive(Clone, Copy, Debug)]
pub struct EnergyColumns<'a> {
    /// `e_ij`, task-major: one number a task and server, 0 to 2^53.
    pub energy: &'a [f64],
    /// `c_ij`, in the same order, 0 to 2^53.
    pub time: &'a [f64],
    /// `E_j`: one number a server, 0 to 2^53, or infinite for a server without a cap.
    pub caps: &'a [f64],
}

/// The problem.
#[derive(Clone, Debug)]
pub struct EnergyAssignment {
    tasks: usize,
    demands: Box<[Demand]>,
    caps: Box<[f64]>,
    servers: DomainClass,
    objective: TimeObjective,
    mean: Demand,
}

impl EnergyAssignment {
    /// A problem of its numbers.
    ///
    /// Numbers are rounded to multiples of a power of two, about one part in 2^52 of the most that all tasks together
    /// can take: sums of them are exact in any order. A cap is lifted by as much as that rounding can add, so that one
    /// that the given numbers just meet is met.
    ///
    /// # Errors
    /// [`EnergyError`] if lengths do not fit together or a number is out of range.
    pub fn new(columns: &EnergyColumns<'_>, objective: TimeObjective) -> Result<Self, EnergyError> {
        error::check(columns)?;
        let servers = columns.caps.len();
        let tasks = columns.energy.len().checked_div(servers).unwrap_or(0);
        let energy = Grid::of(columns.energy, servers);
        let time = Grid::of(columns.time, servers);
        let demand = |(&e, &c): (&f64, &f64)| Demand { energy: energy.round(e), time: time.round(c) };
        let demands: Box<[Demand]> = columns.energy.iter().zip(columns.time).map(demand).collect();
        let mean = |of: fn(&Demand) -> f64| demands.iter().map(of).sum::<f64>() / demands.len().max(1) as f64;
        Ok(Self {
            tasks,
            caps: columns.caps.iter().map(|&cap| energy.limit(cap, tasks)).collect(),
            servers: DomainClass::all(servers as u32),
            objective,
            mean: Demand { energy: mean(|d| d.energy), time: mean(|d| d.time) },
            demands,
        })
    }

    /// How many servers there are.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.caps.len()
    }

    /// What a task takes on a server, as rounded; nothing on one that does not exist.
    #[must_use]
    #[inline]
    pub fn demand(&self, task: usize, server: u32) -> Demand {
        if (server as usize) < self.servers() {
            self.demands[task * self.servers() + server as usize]
        } else {
            Demand::default()
        }
    }

    /// The caps as rounded; one that cannot be reached is at most what all tasks together can take, rounding included.
    #[must_use]
    pub fn caps(&self) -> &[f64] {
        &self.caps
    }

    /// What the second objective counts.
    #[must_use]
    pub const fn objective(&self) -> TimeObjective {
        self.objective
    }

    /// What a move shifts between servers.
    #[inline]
    fn shift(&self, state: &State, change: Move) -> Shift {
        let genome = state.genome();
        match change {
            Move::Set { item, value } => {
                let (from, to) = (genome[item], value);
                Shift { from, to, out: self.demand(item, from), into: self.demand(item, to), ..Shift::default() }
            }
            Move::Swap { first, second } => {
                let (from, to) = (genome[first], genome[second]);
                Shift {
                    from,
                    to,
                    out: self.demand(first, from),
                    into: self.demand(first, to),
                    taken: self.demand(second, to),
                    back: self.demand(second, from),
                }
            }
        }
    }

    /// Energy above the caps counts in energies of a mean task, so 1 is about one task too many.
    #[inline]
    fn score(&self, totals: &state::Totals) -> Score {
        let time = match self.objective {
            TimeObjective::Sum => totals.sum.time,
            TimeObjective::Makespan => totals.longest,
        };
        let violation = if totals.excess > 0.0 { totals.excess / self.mean.energy } else { 0.0 };
        Score { violation, objectives: Objectives::new(&[totals.sum.energy, time]) }
    }
}

impl Problem for EnergyAssignment {
    type State = State;

    fn items(&self) -> usize {
        self.tasks
    }

    fn domain(&self, _item: usize) -> Domain<'_> {
        Domain::Choices(&self.servers)
    }

    fn objectives(&self) -> usize {
        2
    }

    fn build(&self, genome: &[u32]) -> State {
        let mut state = State::default();
        self.rebuild(&mut state, genome);
        state
    }

    fn rebuild(&self, state: &mut State, genome: &[u32]) {
        state.load(genome, &self.caps, |item, server| self.demand(item, server));
    }

    fn genome<'a>(&self, state: &'a State) -> &'a [u32] {
        state.genome()
    }

    fn eval(&self, state: &State) -> Score {
        self.score(state.totals())
    }

    fn delta(&self, state: &State, change: Move) -> Option<Score> {
        Some(self.score(&state.totals_after(&self.caps, &self.shift(state, change))))
    }

    fn apply(&self, state: &mut State, change: Move) {
        let shift = self.shift(state, change);
        state.shift(&self.caps, &shift);
        match change {
            Move::Set { item, value } => state.set_gene(item, value),
            Move::Swap { first, second } => state.swap_genes(first, second),
        }
    }

    /// The less energy and time the task takes there, in units of the mean, the better.
    fn heuristic(&self, _state: &State, item: usize, value: u32) -> f64 {
        let part = |amount: f64, mean: f64| if mean > 0.0 { amount / mean } else { 0.0 };
        let demand = self.demand(item, value);
        1.0 / (1e-9 + part(demand.energy, self.mean.energy) + part(demand.time, self.mean.time))
    }

    /// The energy that the task takes, summed over the servers.
    fn size(&self, item: usize) -> f64 {
        (0..self.servers() as u32).map(|server| self.demand(item, server).energy).sum()
    }

    /// Visits the tasks in cyclic order from a random start; one whose server is above its cap moves to the first
    /// server, from a random start, that has room.
    fn repair(&self, state: &mut State, rng: &mut Rng) {
        let (tasks, servers) = (self.tasks as u32, self.servers() as u32);
        let start = rng.below(tasks);
        for item in (start..tasks).chain(0..start).map(|item| item as usize) {
            let excess = state.totals().excess;
            if excess <= 0.0 {
                return;
            }
            let server = state.genome()[item];
            if server == UNASSIGNED || state.room(&self.caps, server) >= 0.0 {
                continue;
            }
            let first = rng.below(servers);
            let room = |to: &u32| *to != server && state.room(&self.caps, *to) >= self.demand(item, *to).energy;
            if let Some(value) = (first..servers).chain(0..first).find(room) {
                self.apply(state, Move::Set { item, value });
            }
        }
    }
}

#[cfg(test)]
mod tests;
