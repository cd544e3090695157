//! The trait every problem meets every solver through.
//!
//! Promises: laws below, each of them a property test for every problem of this crate. Must not know: what an item or
//! a value stands for; solvers never see more than this.

use crate::domain::Domain;
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, Score};

/// A solution: one gene an item, the gene being the item's value or [`UNASSIGNED`].
pub type Genome = Vec<u32>;

/// The gene of an item that has no value (yet): it takes part in nothing.
pub const UNASSIGNED: u32 = u32::MAX;

/// A small change to a solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Gives an item another value, or none with [`UNASSIGNED`].
    Set {
        /// The item.
        item: usize,
        /// Its new value.
        value: u32,
    },
    /// Exchanges the values of two items.
    Swap {
        /// One item.
        first: usize,
        /// The other.
        second: usize,
    },
}

/// A value for an item, and what finding it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The value.
    pub value: u32,
    /// Evaluations of moves that took as long; at least 1.
    pub evaluations: u64,
}

/// Items that each take one value of their domain; what that is worth; and how it changes.
///
/// Laws, for every genome whose genes are below their domain's [`universe`](Domain::universe) or [`UNASSIGNED`], in the
/// domain or not (a solver that allows strays counts them itself):
/// - `delta(s, m)` equals `eval` of the state after `apply(s, m)` to 1e-9 relative, and changes nothing.
/// - `apply(s, m)` leaves the state that `build` makes of the changed genome, up to rounding.
/// - `violation` is exactly 0 if and only if no hard limit is broken.
/// - `best_value` costs no more than any other value, up to rounding.
/// - where `exchanges` says no, `delta` has no score for any [`Move::Swap`].
pub trait Problem {
    /// A solution with whatever makes `delta` cheap.
    type State: Clone;

    /// How many items there are. May be 0.
    fn items(&self) -> usize;

    /// The values that an item may take; never empty.
    fn domain(&self, item: usize) -> Domain<'_>;

    /// How many objectives there are, 1 to [`MAX_OBJECTIVES`](crate::score::MAX_OBJECTIVES).
    fn objectives(&self) -> usize;

    /// The item that this one's value depends on most, if items form a chain: what an ant stands on when it chooses.
    fn context(&self, item: usize) -> Option<usize> {
        let _ = item;
        None
    }

    /// The state of a genome; `genome.len()` is [`items`](Self::items).
    fn build(&self, genome: &[u32]) -> Self::State;

    /// The same, into a state that is no longer needed, to save its memory.
    fn rebuild(&self, state: &mut Self::State, genome: &[u32]) {
        *state = self.build(genome);
    }

    /// The genome of a state.
    fn genome<'a>(&self, state: &'a Self::State) -> &'a [u32];

    /// The score of a state.
    fn eval(&self, state: &Self::State) -> Score;

    /// The score after a move, or `None` if the move makes no sense in this problem.
    fn delta(&self, state: &Self::State, change: Move) -> Option<Score>;

    /// As `delta`, but only the cost, for a walk that goes nowhere where the value is above `most`: walks ask tens of
    /// millions of times a second and need no more. A problem that knows it without making a whole score may do so, and
    /// may say `None` too for a move after which the value alone is above `most`.
    #[inline]
    fn delta_cost(&self, state: &Self::State, change: Move, by: &Scalarisation, most: f64) -> Option<Cost> {
        let _ = most;
        self.delta(state, change).map(|score| by.cost(&score))
    }

    /// Whether items can exchange their values. A search draws no exchange where they cannot: each would be an
    /// evaluation for nothing.
    fn exchanges(&self) -> bool {
        true
    }

    /// As `delta`, for a search that takes improvements only: may be `None` too for a move that makes the violation
    /// larger, if the problem can tell that faster than the score.
    fn promising_delta(&self, state: &Self::State, change: Move) -> Option<Score> {
        self.delta(state, change)
    }

    /// Carries out a move that `delta` has a score for.
    fn apply(&self, state: &mut Self::State, change: Move);

    /// How attractive a value is for an item, above 0; larger is better.
    fn heuristic(&self, state: &Self::State, item: usize, value: u32) -> f64;

    /// How large an item is beside the others: a construction places large ones first.
    fn size(&self, item: usize) -> f64 {
        let _ = item;
        0.0
    }

    /// The value of least cost for an item that is [`UNASSIGNED`], the smallest among equals unless the problem can
    /// tell them apart; `None` if no value makes sense. A problem that can tell faster than by trying all may do so.
    fn best_value(&self, state: &Self::State, item: usize, by: &Scalarisation) -> Option<Choice> {
        least_cost(self, state, item, by)
    }

    /// What a search by fitness should value in a solution beside an objective itself: a factor above 0 on the fitness
    /// of that objective, 1 unless the problem knows better. Dominance and costs ignore it.
    fn favour(&self, state: &Self::State, objective: usize) -> f64 {
        let _ = (state, objective);
        1.0
    }

    /// Moves items, inside their domains, until no hard limit is broken or it knows no further way.
    fn repair(&self, state: &mut Self::State, rng: &mut Rng) {
        let _ = (state, rng);
    }
}

/// Tries all values of an item: the one of least cost, the smallest among equals.
pub(crate) fn least_cost<P: Problem + ?Sized>(
    problem: &P,
    state: &P::State,
    item: usize,
    by: &Scalarisation,
) -> Option<Choice> {
    let domain = problem.domain(item);
    let mut best: Option<(Cost, u32)> = None;
    for value in (0..domain.len()).map(|index| domain.value(index)) {
        let Some(cost) = problem.delta_cost(state, Move::Set { item, value }, by, f64::INFINITY) else { continue };
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, value));
        }
    }
    best.map(|(_, value)| Choice { value, evaluations: u64::from(domain.len()) })
}
