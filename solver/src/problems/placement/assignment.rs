//! From a genome to what can be followed: a row for each pod, no row over-full.
//!
//! Promises: whatever genome it is given, the assignment is legal and breaks no hard limit; pods of higher priority, and
//! among equals those that stand earlier, keep their row when not all can. Must not know: which search the genome came
//! from.

use super::{Placement, State};
use crate::problem::{Choice, Move, Problem, UNASSIGNED};
use crate::score::Score;

/// Pod to row.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The row of each pod, or none.
    pub row_by_pod: Vec<Option<u32>>,
    /// Pods without a row, ascending.
    pub unplaced: Vec<u32>,
    /// What the assignment is worth; its violation is 0.
    pub score: Score,
}

impl Placement {
    /// The assignment that a genome stands for.
    ///
    /// Pods on rows outside their domain, the last ones on rows that are over-full, and the last ones of groups that
    /// break a hard rule lose their row, low priorities first; then each of them gets the row with room where it breaks
    /// no rule and hurts least, if there is one; if not, a row on which it takes the place of pods of lower priorities.
    /// Pods that the objective does not weigh, which searches leave wherever chance had them, then go where more room is.
    #[must_use]
    pub fn assignment(&self, genome: &[u32]) -> Assignment {
        let legal = |(item, &gene): (usize, &u32)| if self.domain(item).contains(gene) { gene } else { UNASSIGNED };
        let mut state = self.build(&genome.iter().enumerate().map(legal).collect::<Vec<u32>>());
        self.release(&mut state);
        self.fill_in(&mut state);
        self.put_first(&mut state);
        self.level(&mut state);
        let mut row_by_pod = vec![None; self.pods()];
        for (item, &gene) in state.genome().iter().enumerate() {
            row_by_pod[self.pod(item) as usize] = Some(gene).filter(|&gene| gene != UNASSIGNED);
        }
        let unplaced = (0..self.pods() as u32).filter(|&pod| row_by_pod[pod as usize].is_none()).collect();
        Assignment { row_by_pod, unplaced, score: self.eval(&state) }
    }

    /// Takes the row from pods that break a hard limit, the last ones first. Every surplus goes when its pods do, but
    /// when one goes others may become surplus that were not, hence the outer loop.
    fn release(&self, state: &mut State) {
        while !self.is_feasible(state) {
            for item in self.by_precedence().rev() {
                if self.is_feasible(state) {
                    return;
                }
                if self.must_go(state, item) {
                    self.apply(state, Move::Set { item, value: UNASSIGNED });
                }
            }
        }
    }

    /// Whether an item adds to the breach of a hard limit where it is.
    pub(super) fn must_go(&self, state: &State, item: usize) -> bool {
        let row = self.nodes.place(state.genome()[item]);
        state.adds_to_overflow(&self.nodes, row, self.requests.of(item).counts)
            || self.extras.as_ref().is_some_and(|extras| extras.is_surplus(&self.nodes, state, item))
    }

    /// Moves weightless items to rows that keep more room, where that costs nothing. One pass is enough: none leaves its
    /// row for one that would have as little.
    fn level(&self, state: &mut State) {
        for item in (0..self.items()).filter(|&item| self.is_weightless(item)) {
            let row = state.genome()[item];
            if row == UNASSIGNED {
                continue;
            }
            self.apply(state, Move::Set { item, value: UNASSIGNED });
            let left = |row: u32| state.least_left(&self.nodes, row as usize, self.requests.of(item).counts);
            let best = self.best_room(state, item).map(|choice| choice.value);
            let value = best.filter(|&best| left(best) > left(row)).unwrap_or(row);
            self.apply(state, Move::Set { item, value });
        }
    }

    /// Gives pods without a row the best one; with rules, again and again, because a pod may make place for another by
    /// evening out their group.
    fn fill_in(&self, state: &mut State) {
        loop {
            let mut placed = false;
            for item in self.by_precedence() {
                if state.genome()[item] == UNASSIGNED
                    && let Some(Choice { value, .. }) = self.best_room(state, item)
                {
                    self.apply(state, Move::Set { item, value });
                    placed = true;
                }
            }
            if !placed || self.extras.is_none() {
                return;
            }
        }
    }
}
