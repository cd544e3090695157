//! Repair: pods that break a hard limit move to rows where they break none.
//!
//! Promises: pods stay in their domains, and the violation never grows. Must not know: objectives.

use super::Placement;
use super::extras::Extras;
use super::state::State;
use crate::problem::{Move, Problem};
use crate::rng::Rng;

impl Placement {
    /// Visits the pods, once if there are no rules; else until no limit is broken or a visit was in vain, because a pod
    /// that goes can make place for others of its group.
    pub(super) fn move_to_room(&self, state: &mut State, rng: &mut Rng) {
        loop {
            let before = self.eval(state).violation;
            self.visit(state, rng);
            if self.extras.is_none() || self.is_feasible(state) || self.eval(state).violation >= before {
                return;
            }
        }
    }

    fn visit(&self, state: &mut State, rng: &mut Rng) {
        let items = self.items() as u32;
        let start = rng.below(items);
        for item in (start..items).chain(0..start).map(|item| item as usize) {
            if self.is_feasible(state) {
                return;
            }
            if !self.breaks_limit(state, item) {
                continue;
            }
            let rows = self.domains.class(item).values();
            let first = rng.below(rows.len() as u32) as usize;
            let better = |row: &&u32| self.is_better_place(state, item, **row);
            let free = rows[first..].iter().chain(&rows[..first]).find(better);
            let change = match free {
                Some(&value) => Some(Move::Set { item, value }),
                None if self.extras.is_some() => self.relief(state, item, rng),
                None => None,
            };
            if let Some(change) = change {
                self.apply(state, change);
            }
        }
    }

    /// An exchange with another pod, from a random one on, that lowers the violation: rows where a group is short of
    /// pods are often full of others.
    fn relief(&self, state: &State, item: usize, rng: &mut Rng) -> Option<Move> {
        let items = self.items();
        let start = rng.below(items as u32) as usize;
        let violation = self.eval(state).violation;
        let exchanges = (start..items).chain(0..start).map(|second| Move::Swap { first: item, second });
        exchanges
            .filter(|&change| self.suits_domains(state, change))
            .find(|&change| self.promising_delta(state, change).is_some_and(|score| score.violation < violation))
    }

    fn suits_domains(&self, state: &State, change: Move) -> bool {
        let Move::Swap { first, second } = change else { return false };
        let (one, other) = (state.genome()[first], state.genome()[second]);
        one != other && self.domain(first).contains(other) && self.domain(second).contains(one)
    }

    fn breaks_limit(&self, state: &State, item: usize) -> bool {
        state.is_overfull(&self.nodes, self.nodes.place(state.genome()[item]))
            || self.extras.as_ref().is_some_and(|extras| extras.is_surplus(&self.nodes, state, item))
    }

    /// Whether a row has room for an item, and leaves fewer surplus pods, or as many if the item's own row is
    /// over-full.
    fn is_better_place(&self, state: &State, item: usize, row: u32) -> bool {
        state.has_room(&self.nodes, row as usize, self.requests.of(item).counts)
            && self.extras.as_ref().is_none_or(|extras| self.eases(state, item, row, extras))
    }

    fn eases(&self, state: &State, item: usize, row: u32, extras: &Extras) -> bool {
        let exchange = self.exchange(state, Move::Set { item, value: row });
        let (before, after) = (self.measures(state).surplus, extras.surplus_after(state, exchange));
        after < before || (after == before && state.is_overfull(&self.nodes, exchange.from))
    }
}
