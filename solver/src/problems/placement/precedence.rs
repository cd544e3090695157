//! Who is left out when not all can be placed: pods of lower priorities.
//!
//! Promises: in the end no pod is without a row that would find one if pods of lower priorities were left out; without
//! priorities nothing is spent. Must not know: objectives.

use std::cmp::Reverse;

use super::requests::Request;
use super::{Placement, State};
use crate::problem::{Choice, Move, Problem, UNASSIGNED};

/// The order in which items are served.
#[derive(Clone, Debug)]
pub(super) struct Precedence {
    priority_by_item: Vec<i32>,
    /// Items, the highest priority first, among equals by number.
    order: Vec<u32>,
}

/// A row that an item could be given, and what that would cost: the highest priority among the pods that have to make
/// place, and how many there are.
type Offer = (i32, usize, u32);

impl Precedence {
    /// None if all are equal.
    pub(super) fn new(priority_by_pod: &[i32], pod_by_item: &[u32]) -> Option<Self> {
        let priority_by_item: Vec<i32> = pod_by_item.iter().map(|&pod| priority_by_pod[pod as usize]).collect();
        if priority_by_item.windows(2).all(|pair| pair[0] == pair[1]) {
            return None;
        }
        let mut order: Vec<u32> = (0..priority_by_item.len() as u32).collect();
        order.sort_by_key(|&item| Reverse(priority_by_item[item as usize]));
        Some(Self { priority_by_item, order })
    }

    fn is_lower(&self, item: u32, than: usize) -> bool {
        self.priority_by_item[item as usize] < self.priority_by_item[than]
    }
}

impl Placement {
    /// The items, those first that have precedence.
    pub(super) fn by_precedence(&self) -> impl DoubleEndedIterator<Item = usize> {
        let order = self.precedence.as_ref().map(|precedence| &precedence.order[..]);
        (0..self.items()).map(move |place| order.map_or(place, |order| order[place] as usize))
    }

    /// Gives pods without a row the place of pods of lower priorities. One pass is enough: who makes place comes later.
    pub(super) fn put_first(&self, state: &mut State) {
        let Some(precedence) = &self.precedence else { return };
        for item in self.by_precedence() {
            if state.genome()[item] != UNASSIGNED {
                continue;
            }
            if let Some(Choice { value, .. }) = self.best_room(state, item) {
                self.apply(state, Move::Set { item, value });
                continue;
            }
            let mut offers = self.offers(state, item, precedence);
            offers.sort_unstable();
            let _ = offers.iter().any(|&(_, _, row)| self.take_place(state, item, row, precedence));
        }
    }

    /// The rows that would have room for an item without pods of lower priorities.
    fn offers(&self, state: &State, item: usize, precedence: &Precedence) -> Vec<Offer> {
        let mut lower_by_row = vec![Vec::new(); self.rows()];
        for &other in precedence.order.iter().rev().filter(|&&other| precedence.is_lower(other, item)) {
            if let Some(lower) = lower_by_row.get_mut(state.genome()[other as usize] as usize) {
                lower.push(other);
            }
        }
        let rows = self.domains.class(item).values().iter();
        rows.filter_map(|&row| self.offer(state, item, row, &lower_by_row[row as usize], precedence)).collect()
    }

    /// `lower`: the pods of lower priorities on the row, the lowest first.
    fn offer(&self, state: &State, item: usize, row: u32, lower: &[u32], precedence: &Precedence) -> Option<Offer> {
        let request = self.requests.of(item).counts;
        let lacks = |room: &[i64], resource: usize| request[resource] > room[resource].max(0);
        let mut room = state.room(&self.nodes, row as usize).to_vec();
        let mut cost = (i32::MIN, 0);
        for &other in lower {
            let Request { counts, .. } = self.requests.of(other as usize);
            if (0..room.len()).any(|resource| lacks(&room, resource) && counts[resource] > 0) {
                room.iter_mut().zip(counts).for_each(|(room, count)| *room += count);
                cost = (precedence.priority_by_item[other as usize], cost.1 + 1);
            }
        }
        let has_room = (0..room.len()).all(|resource| !lacks(&room, resource));
        has_room.then_some((cost.0, cost.1, row))
    }

    /// Puts an item on a row, and takes their rows from pods of lower priorities until no hard limit is broken. If that
    /// is not enough, all is as before, and the answer false.
    fn take_place(&self, state: &mut State, item: usize, row: u32, precedence: &Precedence) -> bool {
        self.apply(state, Move::Set { item, value: row });
        let mut gone = Vec::new();
        for &other in precedence.order.iter().rev().filter(|&&other| precedence.is_lower(other, item)) {
            if self.is_feasible(state) {
                break;
            }
            let (other, value) = (other as usize, state.genome()[other as usize]);
            if value != UNASSIGNED && self.must_go(state, other) {
                self.apply(state, Move::Set { item: other, value: UNASSIGNED });
                gone.push((other, value));
            }
        }
        let keeps_limits = self.is_feasible(state);
        if !keeps_limits {
            gone.iter().rev().for_each(|&(item, value)| self.apply(state, Move::Set { item, value }));
            self.apply(state, Move::Set { item, value: UNASSIGNED });
        }
        keeps_limits
    }
}

#[cfg(test)]
mod tests;
