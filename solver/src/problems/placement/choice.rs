//! The row for one more pod: with room, legal, and where it hurts least.
//!
//! Promises: without terms and rules, a handful of multiplications a row. Must not know: the searches that ask.

use super::Placement;
use super::extras::Extras;
use super::requests::Request;
use super::state::State;
use crate::problem::{Move, Problem};

impl Placement {
    /// Of the rows of an unassigned item's domain that have room for it and break no hard rule, the one of least cost.
    pub(super) fn best_room(&self, state: &State, item: usize) -> Option<u32> {
        match &self.extras {
            None => self.best_room_by_spread(state, item),
            Some(extras) => self.best_room_by_score(state, item, extras),
        }
    }

    fn best_room_by_spread(&self, state: &State, item: usize) -> Option<u32> {
        let Request { counts, amounts } = self.requests.of(item);
        let mut best: Option<(f64, u32)> = None;
        for &row in self.domains.class(item).values() {
            let variance = state.variance_with(&self.nodes, self.objective, row as usize, amounts);
            let least = best.is_none_or(|(least, _)| variance < least);
            if least && state.has_room(&self.nodes, row as usize, counts) {
                best = Some((variance, row));
            }
        }
        best.map(|(_, row)| row)
    }

    fn best_room_by_score(&self, state: &State, item: usize, extras: &Extras) -> Option<u32> {
        let counts = self.requests.of(item).counts;
        let mut best: Option<(f64, u32)> = None;
        for &row in self.domains.class(item).values() {
            let change = Move::Set { item, value: row };
            if !state.has_room(&self.nodes, row as usize, counts)
                || !extras.keeps_rules(state, self.exchange(state, change))
            {
                continue;
            }
            let Some(score) = self.delta(state, change) else { continue };
            let value: f64 = score.objectives.as_slice().iter().sum();
            if best.is_none_or(|(least, _)| value < least) {
                best = Some((value, row));
            }
        }
        best.map(|(_, row)| row)
    }
}
