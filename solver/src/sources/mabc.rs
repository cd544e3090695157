//! The master-slave artificial bee colony for several objectives.
//!
//! Promises: the archive it returns holds no solution that another one, or a legal seed, dominates; feasible beats
//! infeasible; slaves share nothing while they work, so the result is the same in turn and on threads. Must not know:
//! that items are tasks and values servers; threads; time.
//!
//! Source: a patent application on task scheduling by a master-slave artificial bee colony, marks \[P\] printed, \[R\]
//! reconstructed, \[I\] interpreted. Its objectives are the problem's
//! ([`energy_assignment`](crate::problems::energy_assignment)).
//!
//! One iteration of a colony with `SN` food sources:
//! 1. \[P\] Employed bees: `y`, a neighbour of the source `x`, has `round(δ m)` random items (at least one) moved to
//!    other values, as far as hard limits hold. If `y` dominates `x` it takes its place, count 0; if `x` dominates `y`
//!    the count of `x` goes up; if neither, *both* stay, the count of `x` goes up, that of `y` is 0.
//! 2. \[P\] Onlookers, \[I\] one for each source at that time: a source is chosen by roulette with \[R\]
//!    `F = 1 / (w_1 f_1/f_1⁰ + w_2 f_2/f_2⁰)`, \[I\] `f⁰` being the mean of generation 0. A neighbour that dominates
//!    its source takes its place.
//! 3. \[P\] Filter: non-dominated sort; from the highest rank on, in a rank by the least \[R\] crowding distance, sources
//!    are dropped until `SN` are left.
//! 4. \[P\] Scout: the dominated source with the largest count, if there is a dominated one, is drawn anew.
//!
//! Master and slaves: \[P\] each slave has its own colony; after each of its iterations the sources of rank 1 go to the
//! master, who keeps the non-dominated ones of all, cut by crowding to `θ`. \[I\] They are handed over at the end of the
//! round, in the slaves' order. After `G_s` iterations the master runs `G_m` iterations on its archive, then deals the
//! sources of all \[I\] sorted by the first objective, one to each slave in turn.
//!
//! \[P\] It ends after `G_max` iterations, after `S_max` rounds without gain of hypervolume, when time is up (the
//! budget's stop), or when one more round costs more than it can save ([`Benefit`]). The defaults of all numbers are
//! \[I\]; the source gives none.
//!
//! With one objective dominance is comparison, and the archive is the best solution.

mod chronicle;
mod colony;
mod filter;
mod forage;
mod hive;
mod pick;
mod volume;
mod yardstick;

use crate::budget::Budget;
use crate::observer::Observer;
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::solver::{Evolution, SolveError, Solver};

pub use forage::random_solution;
pub use hive::{Hive, Slave};
pub use pick::{Persistence, Pick, Stability};

/// The algorithm with its parameters. One evaluation of the budget is one food source, drawn or neighbour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mabc {
    /// Slaves `t_0`, 1 to 64. Default 4. \[P\] One a core.
    pub slaves: usize,
    /// Food sources `SN` of each slave, 2 to 10,000. Default 40.
    pub sources: usize,
    /// Iterations `G_max` of each slave over all rounds. Default 200.
    pub iterations: u64,
    /// Iterations `G_s` of a slave in one round, 1 or more. Default 10.
    pub slave_iterations: u64,
    /// Iterations `G_m` of the master in one round; with 0 it only gathers and deals. Default 5.
    pub master_iterations: u64,
    /// Members `θ` of the archive, 1 to 10,000. Default 100.
    pub archive: usize,
    /// Part `δ` of the items that a neighbour has moved, 0 to 1; at least one is. Default 0.
    pub change: f64,
    /// Onlookers a food source, 0 to 10. Default 1.
    pub onlookers: f64,
    /// Rounds `S_max` without gain after which it ends, 1 or more; `None`, the default, is any number.
    pub patience: Option<u64>,
    /// A gain is one of more than this part of the hypervolume, 0 or more. Default 1e-6.
    pub least_gain: f64,
    /// When going on costs more than it saves; `None`, the default, is never.
    pub benefit: Option<Benefit>,
    /// Which member of the archive is the headline.
    pub pick: Pick,
    /// How several objectives count for onlookers, for [`Pick::Stable`] and for observers. `None`, the default, adds the
    /// objectives in units of generation 0's mean, all with the same weight `w`.
    pub scalarisation: Option<Scalarisation>,
}

impl Default for Mabc {
    fn default() -> Self {
        Self {
            slaves: 4,
            sources: 40,
            iterations: 200,
            slave_iterations: 10,
            master_iterations: 5,
            archive: 100,
            change: 0.0,
            onlookers: 1.0,
            patience: None,
            least_gain: 1e-6,
            benefit: None,
            pick: Pick::Knee,
            scalarisation: None,
        }
    }
}

/// What a round costs and what it is worth. \[P\] The search ends when one more round costs more than it saves.
///
/// \[I\] A round is expected to gain as much hypervolume as the last one did. For objectives of energy and time, the cost
/// is the seconds of a round times the power of the scheduler, in joules, and the value the joules that one unit of
/// hypervolume (joules times seconds, below the worst of generation 0) stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Benefit {
    /// Cost of one round, in any unit, 0 or more.
    pub cost_per_round: f64,
    /// Value of one unit of hypervolume, in the same unit, 0 or more. Hypervolume is in the objectives' own units,
    /// below the worst of each objective in generation 0.
    pub value_per_volume: f64,
}

impl Benefit {
    /// Whether a round that gains this hypervolume costs more than it is worth.
    #[must_use]
    pub fn is_exceeded(&self, gain: f64) -> bool {
        self.cost_per_round > gain * self.value_per_volume
    }
}

impl Mabc {
    fn check(&self) -> Result<(), SolveError> {
        let amount = |number: f64| (0.0..=f64::MAX).contains(&number);
        let (slave_iterations, patience) = (self.slave_iterations, self.patience.unwrap_or(1));
        let (cost, value) = self.benefit.map_or((0.0, 0.0), |b| (b.cost_per_round, b.value_per_volume));
        let limits = [
            ("slaves", self.slaves as f64, "1 to 64", (1..=64).contains(&self.slaves)),
            ("sources", self.sources as f64, "2 to 10000", (2..=10_000).contains(&self.sources)),
            ("slave_iterations", slave_iterations as f64, "1 or more", slave_iterations >= 1),
            ("archive", self.archive as f64, "1 to 10000", (1..=10_000).contains(&self.archive)),
            ("change", self.change, "0 to 1", (0.0..=1.0).contains(&self.change)),
            ("onlookers", self.onlookers, "0 to 10", (0.0..=10.0).contains(&self.onlookers)),
            ("patience", patience as f64, "1 or more", patience >= 1),
            ("least_gain", self.least_gain, "0 or more", amount(self.least_gain)),
            ("cost_per_round", cost, "0 or more", amount(cost)),
            ("value_per_volume", value, "0 or more", amount(value)),
        ];
        match limits.into_iter().find(|(.., sound)| !sound) {
            Some((name, value, allowed, _)) => Err(SolveError::Parameter { name, value, allowed }),
            None => self.pick.check(),
        }
    }
}

impl<P: Problem> Solver<P> for Mabc {
    fn solve(
        &self,
        problem: &P,
        seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        let mut hive = Hive::new(*self, problem, seeds, budget, rng)?;
        hive.report(observer);
        while let Some(share) = hive.next_round() {
            let budget = hive.budget(share);
            hive.slaves().iter_mut().for_each(|slave| slave.run(budget));
            hive.gather();
            hive.report(observer);
        }
        Ok(hive.finish())
    }
}
