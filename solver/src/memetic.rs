//! The default search: annealing and crossover of elites, then fewest moves.
//!
//! Promises: never worse than the greedy solution or a legal seed, at any budget; anytime; ends by itself once going on
//! gains nothing of practical value; memory linear in items and values. Must not know: the problem.
//!
//! 1. *Start*: the best of the greedy solution and the completed seeds, and a local search from it. Small budgets end
//!    here.
//! 2. *Rounds*, each twice as long as all before it together, so that about half of any budget is spent by the longest
//!    one that it has room for. A round is a portfolio of [annealing](crate::annealing) runs that differ in where they
//!    start and how hot: near the best, far from it, and, where it pays, from a child of two elites by uniform
//!    crossover (a memetic algorithm, Moscato 1989). The best results of different runs are the elites.
//! 3. *Fewest moves*: the first seed is the previous solution. Changes that are not worth
//!    [`practical`](Memetic::practical) are taken back.

mod elites;
mod fewest;

use std::ops::ControlFlow;

use crate::annealing::cooling::Cooling;
use crate::annealing::walk::{Unit, Walk};
use crate::budget::{Budget, Meter, TerminationReason};
use crate::crossover;
use crate::greedy::{best_of, starts};
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, Score};
use crate::solver::{Evolution, SolveError, Solver, check};
use elites::Elites;
use fewest::Previous;

/// Moves an item of the descent at the start: about as many as it takes to come near a local optimum.
const DESCENT: u64 = 100;

/// The most runs of a round.
const RUNS: u64 = 64;

/// The fewest moves of a run: an item gets so many for each item that there is, but not more than the second number.
/// Small problems gain from many short runs, large ones from long ones. Measured on placements of 20 to 2,000 pods;
/// half or twice as much makes no difference.
const SHORTEST: (u64, u64) = (20, 2_000);

/// A search that gained nothing for so many rounds in a row is stalled: at least seven eighths of all work was in vain.
const IDLE: u32 = 3;

/// No search calls itself stalled before so many evaluations, or so many a pair of items if that is more: first rounds
/// are so short that they may all miss by chance, and on large problems each gains little until runs are long enough to
/// cool slowly. Measured on 2,000 pods: three rounds in a row without a tenth of a point ended searches from 850 moves an
/// item on, 2.1 % above the bound; at 10,000 an item they are 1.4 % above it, and five times as many gain no more than
/// 0.4 % of it. A few hundred pods gain next to nothing, and wait for their plan.
const TRIED: (u64, u64) = (1_000_000, 10);

/// Moves an item to find out which of them can stay, or half of the search if that is more; but never more than half of
/// what the start leaves of the budget.
const KEEP: u64 = 300;

/// One move in so many of a run is left for a local search at its end, on problems that are too large to cross: there,
/// cooling alone ends too early. On small ones it gains nothing.
const POLISH: u64 = 8;

/// Temperatures of the runs, in their order: near the best, at medium range, far away.
const HEATS: [f64; 3] = [0.1, 0.3, 1.0];

/// Temperature of a run from a child of two elites.
const CHILD_HEAT: f64 = 0.3;

/// Penalty and last temperature of every run, as [`Annealing`](crate::annealing::Annealing) has them.
const PENALTY: f64 = 10.0;
const COLD: f64 = 1e-4;

/// The default search. One evaluation of the budget is one move tried, the start's among them, or work of the start that
/// takes as long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memetic {
    /// How several objectives count; by default the first alone.
    pub scalarisation: Scalarisation,
    /// Differences in value up to this have no practical value, in the value's unit; at least 0, which means that any
    /// difference counts. Default 0.1: for σ a tenth of a percentage point, which no node notices; a
    /// variance is measured in squared points.
    ///
    /// It ends the search, once several rounds in a row gained no more; and it is what the result may cost more than
    /// the best solution found if that leaves items where they were.
    pub practical: f64,
    /// How many of the best solutions are kept to cross; 2 to 100. Default 6.
    pub elites: usize,
    /// The most items with which elites are crossed; 0 means never. Default 500. Measured on placements, it makes
    /// little difference up to there, mostly for the better; beyond, one long run is better than two short ones.
    pub crossed_items: usize,
}

impl Default for Memetic {
    fn default() -> Self {
        Self { scalarisation: Scalarisation::default(), practical: 0.1, elites: 6, crossed_items: 500 }
    }
}

impl Memetic {
    fn check(&self) -> Result<(), SolveError> {
        let practical = ("practical", self.practical, "0 to 1e300", (0.0..=1e300).contains(&self.practical));
        let elites = ("elites", self.elites as f64, "2 to 100", (2..=100).contains(&self.elites));
        match [practical, elites].into_iter().find(|(.., sound)| !sound) {
            Some((name, value, allowed, _)) => Err(SolveError::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }
}

impl<P: Problem> Solver<P> for Memetic {
    fn solve(
        &self,
        problem: &P,
        seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        self.check()?;
        check(problem, seeds, Some(&self.scalarisation))?;
        let (mut starts, spent) = starts(problem, seeds, &self.scalarisation);
        let start = best_of(&starts, &self.scalarisation).clone();
        if (0..problem.items()).all(|item| problem.domain(item).len() < 2) {
            return Ok(Evolution::of_one(start, TerminationReason::Trivial, 0, spent));
        }
        let budget = budget.after(spent);
        let kept = KEEP * problem.items() as u64;
        let aside = if seeds.is_empty() { 0 } else { (budget.most() / 3).max(kept).min(budget.most() / 2) };
        let mut run = Run::new(self, problem, &start, budget.after(aside).meter(), rng);
        let ControlFlow::Break(reason) = run.search(observer);
        let best = run.best();
        let (rounds, searched) = (run.rounds, run.meter.spent());
        let Some(seed) = seeds.first() else {
            return Ok(Evolution::of_one(best, reason, rounds, spent + searched));
        };
        let mut meter = budget.after(searched).at_most((searched / 2).max(kept)).meter();
        let previous = Previous::new(problem, seed, self.scalarisation);
        let best = previous.keep(best, &start, starts.swap_remove(0), self.practical, &mut meter, rng);
        Ok(Evolution::of_one(best, reason, rounds, spent + searched + meter.spent()))
    }
}

/// A search under way.
struct Run<'a, P: Problem> {
    memetic: &'a Memetic,
    problem: &'a P,
    meter: Meter<'a>,
    rng: &'a mut Rng,
    walk: Walk<'a, P>,
    unit: Unit,
    elites: Elites,
    rounds: u64,
    /// Annealing runs done.
    runs: u64,
}

type Ended = ControlFlow<TerminationReason, std::convert::Infallible>;

impl<'a, P: Problem> Run<'a, P> {
    fn new(memetic: &'a Memetic, problem: &'a P, start: &Individual, meter: Meter<'a>, rng: &'a mut Rng) -> Self {
        let mut elites = Elites::new(memetic.elites, memetic.scalarisation);
        elites.insert(start.clone());
        let walk = Walk::new(problem, memetic.scalarisation, start);
        Self { memetic, problem, meter, rng, walk, unit: Unit::default(), elites, rounds: 0, runs: 0 }
    }

    /// The best so far, that of a run broken off included.
    fn best(&mut self) -> Individual {
        self.elites.insert(self.walk.best());
        self.elites.best().clone()
    }

    fn cost(&self) -> Cost {
        self.memetic.scalarisation.cost(&self.elites.best().score)
    }

    /// The least gain that counts; less than the last figure would be rounding.
    fn gain(&self, before: &Cost) -> f64 {
        self.memetic.practical.max(before.value.abs() * 1e-10)
    }

    fn search(&mut self, observer: &mut dyn Observer) -> Ended {
        let items = self.problem.items() as u64;
        self.report(observer, self.elites.best().score);
        // The unit is that of the start: the nearer a root such as σ is to 0, the more every move changes it.
        self.unit = self.walk.measure(&mut self.meter, self.rng)?;
        self.walk.descend(DESCENT * items, &mut self.meter, self.rng)?;
        self.elites.insert(self.walk.best());
        let mut idle = 0;
        loop {
            self.rounds += 1;
            self.report(observer, self.elites.best().score);
            let before = self.cost();
            self.round(observer)?;
            idle = if self.cost().improves_on(&before, self.gain(&before)) { 0 } else { idle + 1 };
            if idle >= IDLE && self.meter.spent() >= TRIED.0.max(TRIED.1.saturating_mul(items * items / 2)) {
                return ControlFlow::Break(TerminationReason::Stalled);
            }
        }
    }

    /// As many moves as were made before, or all that are left if they would not do for another round.
    fn round(&mut self, observer: &mut dyn Observer) -> ControlFlow<TerminationReason> {
        let (spent, left) = (self.meter.spent(), self.meter.left());
        if left == 0 {
            return ControlFlow::Break(TerminationReason::Budget);
        }
        let length = if left / 3 < spent { left } else { spent };
        let items = self.problem.items() as u64;
        let shortest = items * (SHORTEST.0 * items).min(SHORTEST.1);
        let runs = (length / shortest).clamp(1, RUNS);
        for run in 0..runs {
            let left = (spent + length).saturating_sub(self.meter.spent());
            self.anneal(run, (left / (runs - run)).max(1), observer)?;
        }
        ControlFlow::Continue(())
    }

    /// The annealing run number `run` of a round.
    fn anneal(&mut self, run: u64, moves: u64, observer: &mut dyn Observer) -> ControlFlow<TerminationReason> {
        let (genome, heat) = self.start(run);
        let polish = if self.crosses() { 0 } else { moves / POLISH };
        self.runs += 1;
        self.walk.begin(&genome);
        self.walk.set_penalty(PENALTY * self.unit.penalty());
        let cooling = Cooling::new(heat * self.unit.change, COLD * self.unit.change, moves - polish);
        let best = self.elites.best().score;
        let (number, by) = (self.rounds, self.memetic.scalarisation);
        let range = self.elites.range();
        let mut report = |found: Score, _: f64, evaluations: u64| {
            let best = if by.cost(&found) < by.cost(&best) { found } else { best };
            let lowest = by.value(&best.objectives);
            observer.generation(&Generation { number, evaluations, best, lowest, mean: range.1, highest: range.2 });
        };
        self.walk.anneal(&cooling, &mut self.meter, self.rng, &mut report)?;
        self.walk.turn_back();
        self.walk.descend(polish, &mut self.meter, self.rng)?;
        self.elites.insert(self.walk.best());
        ControlFlow::Continue(())
    }

    fn crosses(&self) -> bool {
        self.problem.items() <= self.memetic.crossed_items
    }

    /// Where a run starts, and how hot. A large problem has few runs in a round, so each round begins near the best.
    fn start(&mut self, run: u64) -> (Genome, f64) {
        let crosses = self.crosses();
        if crosses && self.elites.len() > 1 && self.runs % 2 == 1 {
            let (mut child, mut other) = self.elites.two(self.rng);
            crossover::uniform(&mut child, &mut other, self.rng);
            return (child, CHILD_HEAT);
        }
        let turn = if crosses { self.runs / 2 } else { run };
        (self.elites.best().genome.clone(), HEATS[turn as usize % HEATS.len()])
    }

    fn report(&self, observer: &mut dyn Observer, best: Score) {
        let (lowest, mean, highest) = self.elites.range();
        let evaluations = self.meter.spent();
        observer.generation(&Generation { number: self.rounds, evaluations, best, lowest, mean, highest });
    }
}
