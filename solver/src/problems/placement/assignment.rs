//! From a genome to what can be followed: a row for each pod, no row over-full.
//!
//! Promises: whatever genome it is given, the assignment is legal and breaks no limit; pods that stand earlier keep
//! their row when not all can. Must not know: which search the genome came from.

use super::Placement;
use crate::problem::{Move, Problem, UNASSIGNED};
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
    /// Pods on rows outside their domain, and the last ones on rows that are over-full, lose their row; then each of
    /// them gets the row with room where it hurts least, if there is one.
    #[must_use]
    pub fn assignment(&self, genome: &[u32]) -> Assignment {
        let legal = |(item, &gene): (usize, &u32)| if self.domain(item).contains(gene) { gene } else { UNASSIGNED };
        let mut state = self.build(&genome.iter().enumerate().map(legal).collect::<Vec<u32>>());
        self.release_overfull(&mut state);
        for item in 0..self.items() {
            if state.genome()[item] == UNASSIGNED
                && let Some(value) = self.best_room(&state, item)
            {
                self.apply(&mut state, Move::Set { item, value });
            }
        }
        let mut row_by_pod = vec![None; self.pods()];
        for (item, &gene) in state.genome().iter().enumerate() {
            row_by_pod[self.pod(item) as usize] = Some(gene).filter(|&gene| gene != UNASSIGNED);
        }
        let unplaced = (0..self.pods() as u32).filter(|&pod| row_by_pod[pod as usize].is_none()).collect();
        Assignment { row_by_pod, unplaced, score: self.eval(&state) }
    }

    fn release_overfull(&self, state: &mut super::State) {
        for item in (0..self.items()).rev() {
            if state.is_feasible() {
                return;
            }
            let row = self.nodes.place(state.genome()[item]);
            if state.adds_to_overflow(&self.nodes, row, self.requests.of(item).counts) {
                self.apply(state, Move::Set { item, value: UNASSIGNED });
            }
        }
    }
}
