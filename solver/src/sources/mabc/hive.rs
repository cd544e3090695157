//! Master and slaves.
//!
//! Promises: slaves share nothing during a round and are merged in their order after it, so a caller may run them on
//! threads, in any order, with the same result. Must not know: threads.

use std::ops::ControlFlow;

use super::Mabc;
use super::chronicle::Chronicle;
use super::colony::Colony;
use super::filter::{Source, filter};
use super::pick::Pick;
use super::yardstick::Yardstick;
use crate::archive::Archive;
use crate::budget::{Budget, Meter, TerminationReason};
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::score::{Objectives, Score};
use crate::solver::{Evolution, SolveError, check};

/// A colony that works for a master.
pub struct Slave<'a, P: Problem> {
    colony: Colony<'a, P>,
    /// What it has for the master.
    offers: Archive,
    iterations: u64,
    spent: u64,
    ended: ControlFlow<TerminationReason>,
}

impl<P: Problem> Slave<'_, P> {
    /// Its part of a round.
    pub fn run(&mut self, budget: Budget<'_>) {
        let mut meter = budget.meter();
        self.ended = (0..self.iterations).try_for_each(|_| self.colony.iterate(&mut meter, &mut self.offers));
        self.spent = meter.spent();
    }

    /// Evaluations that it has spent on a round that is not gathered yet.
    #[must_use]
    pub const fn spent(&self) -> u64 {
        self.spent
    }
}

/// The master with its slaves, round by round, for callers that run slaves on threads or look at the archive between
/// rounds; [`Mabc`] as a [`Solver`](crate::solver::Solver) runs them in turn.
///
/// ```
/// # use gantry_solver::budget::Budget;
/// # use gantry_solver::problems::energy_assignment::{EnergyAssignment, EnergyColumns, TimeObjective};
/// # use gantry_solver::rng::Rng;
/// # use gantry_solver::sources::mabc::{Hive, Mabc};
/// # let columns = EnergyColumns { energy: &[1.0, 2.0, 2.0, 3.0], time: &[2.0, 1.0, 4.0, 2.0], caps: &[4.0, 4.0] };
/// # let problem = EnergyAssignment::new(&columns, TimeObjective::Sum)?;
/// let budget = Budget::evaluations(5_000);
/// let mut hive = Hive::new(Mabc::default(), &problem, &[], budget, &mut Rng::new(1))?;
/// while let Some(share) = hive.next_round() {
///     std::thread::scope(|scope| {
///         for slave in hive.slaves() {
///             scope.spawn(move || slave.run(Budget::evaluations(share)));
///         }
///     });
///     hive.gather();
/// }
/// assert!(!hive.finish().front.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Hive<'a, P: Problem> {
    mabc: Mabc,
    problem: &'a P,
    meter: Meter<'a>,
    seed: u64,
    slaves: Vec<Slave<'a, P>>,
    archive: Archive,
    /// The seeds, completed.
    seeds: Vec<Individual>,
    yardstick: Yardstick,
    chronicle: Chronicle,
    round: u64,
    iterations: u64,
    /// The largest hypervolume met, and the rounds since it grew.
    volume: f64,
    vain_rounds: u64,
    ended: ControlFlow<TerminationReason>,
}

impl<'a, P: Problem> Hive<'a, P> {
    /// Deals the seeds to the slaves and draws the rest of generation 0.
    ///
    /// # Errors
    /// [`SolveError`] if a seed has the wrong length, a domain is empty, or a parameter is out of range.
    pub fn new(
        mabc: Mabc,
        problem: &'a P,
        seeds: &[Genome],
        budget: Budget<'a>,
        rng: &mut Rng,
    ) -> Result<Self, SolveError> {
        mabc.check()?;
        check(problem, seeds, mabc.scalarisation.as_ref())?;
        let seed = rng.bits();
        let mut drawer = Colony::new(mabc, problem, 0, Rng::stream(seed, mabc.slaves as u64));
        let mut archive = Archive::new(mabc.archive);
        let seeds: Vec<Individual> = seeds.iter().map(|genome| drawer.completed(genome)).collect();
        for seed in &seeds {
            archive.insert(seed.clone());
        }
        if archive.is_empty() {
            // There is an answer at any budget.
            archive.insert(drawer.random());
        }
        let slaves = (0..mabc.slaves as u64).map(|k| Slave {
            colony: Colony::new(mabc, problem, mabc.sources, Rng::stream(seed, k)),
            offers: Archive::new(mabc.archive),
            iterations: 0,
            spent: 0,
            ended: ControlFlow::Continue(()),
        });
        let mut hive = Self {
            mabc,
            problem,
            meter: budget.meter(),
            seed,
            slaves: slaves.collect(),
            archive,
            yardstick: Yardstick::of(&[], mabc.scalarisation),
            seeds,
            chronicle: Chronicle::default(),
            round: 0,
            iterations: 0,
            volume: 0.0,
            vain_rounds: 0,
            ended: ControlFlow::Continue(()),
        };
        hive.ended = hive.settle();
        Ok(hive)
    }

    /// Generation 0, and the measure of all later ones.
    fn settle(&mut self) -> ControlFlow<TerminationReason> {
        if self.problem.items() == 0 {
            return ControlFlow::Break(TerminationReason::Trivial);
        }
        self.deal(self.seeds.iter().cloned().map(Source::fresh).collect());
        let settled = self.slaves.iter_mut().try_for_each(|slave| slave.colony.settle(&mut self.meter));
        let sources = self.slaves.iter().flat_map(|slave| &slave.colony.sources);
        for source in sources.clone() {
            self.archive.insert(source.individual.clone());
        }
        let scores: Vec<Score> = sources.map(|source| *source.score()).collect();
        self.yardstick = Yardstick::of(&scores, self.mabc.scalarisation);
        self.slaves.iter_mut().for_each(|slave| slave.colony.yardstick = self.yardstick);
        self.volume = self.archive_volume();
        settled
    }

    /// Begins a round: the evaluations that each slave may spend on it; `None` if the search has ended.
    pub fn next_round(&mut self) -> Option<u64> {
        let left = self.mabc.iterations.saturating_sub(self.iterations);
        if self.ended.is_continue() && left == 0 {
            self.ended = ControlFlow::Break(TerminationReason::Generations);
        }
        if self.ended.is_break() {
            return None;
        }
        let iterations = self.mabc.slave_iterations.min(left);
        self.slaves.iter_mut().for_each(|slave| slave.iterations = iterations);
        Some(self.meter.left() / self.slaves.len() as u64)
    }

    /// The slaves. Each is to [`run`](Slave::run) once a round, with the share that [`next_round`](Self::next_round) said.
    pub fn slaves(&mut self) -> &mut [Slave<'a, P>] {
        &mut self.slaves
    }

    /// A share of the budget, under its stop.
    #[must_use]
    pub const fn budget(&self, share: u64) -> Budget<'a> {
        self.meter.part(share)
    }

    /// The non-dominated solutions so far.
    #[must_use]
    pub const fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Evaluations spent so far, those of rounds that are not gathered left out.
    #[must_use]
    pub const fn evaluations(&self) -> u64 {
        self.meter.spent()
    }

    /// Ends a round: takes what the slaves found, lets the master search, and deals all sources anew.
    pub fn gather(&mut self) {
        self.iterations += self.slaves.first().map_or(0, |slave| slave.iterations);
        self.round += 1;
        self.ended = self.close_round();
    }

    fn close_round(&mut self) -> ControlFlow<TerminationReason> {
        let merged = self.merge();
        let led = merged.is_continue().then(|| self.lead());
        if matches!(self.mabc.pick, Pick::Stable(_)) {
            self.chronicle.record(self.archive.members(), &self.yardstick);
        }
        merged?;
        led.unwrap_or(ControlFlow::Continue(()))?;
        let sources = self.pool();
        self.deal(sources);
        self.judge()
    }

    /// Takes the slaves' offers, in their order.
    fn merge(&mut self) -> ControlFlow<TerminationReason> {
        let mut ended = ControlFlow::Continue(());
        for slave in &mut self.slaves {
            self.meter.charge(std::mem::take(&mut slave.spent));
            let offers = std::mem::replace(&mut slave.offers, Archive::new(self.mabc.archive));
            for member in offers.into_members() {
                self.archive.insert(member);
            }
            let slave_ended = std::mem::replace(&mut slave.ended, ControlFlow::Continue(()));
            ended = if ended.is_break() { ended } else { slave_ended };
        }
        ended
    }

    /// The master's own iterations, on the archive.
    fn lead(&mut self) -> ControlFlow<TerminationReason> {
        let mut colony = Colony::new(self.mabc, self.problem, self.mabc.archive, self.stream(self.slaves.len()));
        colony.yardstick = self.yardstick;
        colony.sources = self.archive.members().iter().cloned().map(Source::fresh).collect();
        (0..self.mabc.master_iterations).try_for_each(|_| colony.iterate(&mut self.meter, &mut self.archive))
    }

    /// The random stream of a slave in this round; the master's comes after theirs.
    fn stream(&self, slave: usize) -> Rng {
        Rng::stream(self.seed, self.round * (self.slaves.len() as u64 + 1) + slave as u64)
    }

    /// The sources of all slaves, and the members of the archive that none of them has.
    fn pool(&mut self) -> Vec<Source> {
        let mut pool: Vec<Source> =
            self.slaves.iter_mut().flat_map(|slave| std::mem::take(&mut slave.colony.sources)).collect();
        let held = pool.len();
        for member in self.archive.members() {
            if !pool[..held].iter().any(|source| *source.score() == member.score) {
                pool.push(Source::fresh(member.clone()));
            }
        }
        pool
    }

    /// Deals sources so that each slave gets some from every part of the front.
    fn deal(&mut self, mut pool: Vec<Source>) {
        filter(&mut pool, self.slaves.len() * self.mabc.sources);
        let first = |source: &Source| source.score().objectives.as_slice().first().copied().unwrap_or(0.0);
        pool.sort_by(|a, b| first(a).total_cmp(&first(b)));
        let slaves = self.slaves.len();
        for (index, source) in pool.into_iter().enumerate() {
            self.slaves[index % slaves].colony.sources.push(source);
        }
        for slave in 0..slaves {
            self.slaves[slave].colony.rng = self.stream(slave);
        }
    }

    /// Whether another round may follow, for what this one has gained.
    fn judge(&mut self) -> ControlFlow<TerminationReason> {
        let volume = self.archive_volume();
        let gain = (volume - self.volume).max(0.0);
        self.vain_rounds = if gain > self.mabc.least_gain * self.volume { 0 } else { self.vain_rounds + 1 };
        self.volume += gain;
        if self.mabc.patience.is_some_and(|patience| self.vain_rounds >= patience) {
            return ControlFlow::Break(TerminationReason::Stalled);
        }
        if self.mabc.benefit.is_some_and(|benefit| benefit.is_exceeded(gain)) {
            return ControlFlow::Break(TerminationReason::NotWorthwhile);
        }
        ControlFlow::Continue(())
    }

    /// The hypervolume of the feasible members, if it is needed.
    fn archive_volume(&self) -> f64 {
        if self.mabc.patience.is_none() && self.mabc.benefit.is_none() {
            return 0.0;
        }
        let feasible = self.archive.members().iter().filter(|member| member.score.is_feasible());
        let points: Vec<Objectives> = feasible.map(|member| member.score.objectives).collect();
        self.yardstick.volume(&points)
    }

    /// Tells an observer where the search stands; the costs are those of all slaves' sources.
    pub fn report(&self, observer: &mut dyn Observer) {
        let by = &self.yardstick.scalarisation;
        let sources = self.slaves.iter().flat_map(|slave| &slave.colony.sources);
        let values: Vec<f64> = sources.map(|source| by.value(&source.score().objectives)).collect();
        let scores = self.archive.members().iter().map(|member| member.score);
        let Some(best) = scores.min_by_key(|score| by.cost(score)) else { return };
        observer.generation(&Generation {
            number: self.iterations,
            evaluations: self.meter.spent(),
            best,
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            mean: values.iter().sum::<f64>() / values.len() as f64,
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        });
    }

    /// The result: the archive and its headline.
    #[must_use]
    pub fn finish(self) -> Evolution {
        let Self { mut archive, seeds, chronicle, yardstick, mabc, meter, iterations, ended, .. } = self;
        // An archive that cuts can lose a seed and then take what the seed dominates.
        for seed in seeds {
            if archive.members().iter().any(|member| seed.score.dominates(&member.score)) {
                archive.insert(seed);
            }
        }
        let front = archive.into_members();
        let best = front[mabc.pick.of(&front, &chronicle, &yardstick)].clone();
        let reason = ended.break_value().unwrap_or(TerminationReason::Generations);
        Evolution { best, front, reason, generations: iterations, evaluations: meter.spent() }
    }
}
