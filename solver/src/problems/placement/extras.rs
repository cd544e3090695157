//! What counts beside spread and capacities: terms, and rules between pods.
//!
//! Promises: a problem without them does not pay for them; a standing after a move is what the moved state's standing
//! says. Must not know: how loads are summed up.

use super::groups::{Exchange, Rules, Tally};
use super::nodes::Nodes;
use super::requests::Shift;
use super::state::State;
use super::terms::Factors;
use crate::score::{Objectives, Score};

/// Terms and rules of a problem.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    pub(super) factors: Factors,
    pub(super) rules: Rules,
}

/// How a state stands to terms and rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    moved: u32,
    risk: f64,
    tally: Tally,
}

/// What terms and rules say of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// Pods that have another row than before, as [`Moves`](super::Moves) counts them; 0 if moves cost nothing.
    pub moved: u32,
    /// [`Risk`](super::Risk), in squared percentage points; 0 if risk costs nothing.
    pub risk: f64,
    /// Surplus pods of all hard rules: 0 if and only if every hard rule is kept.
    pub surplus: u32,
    /// Surplus pods of the soft rules, each times its rule's weight.
    pub penalty: f64,
}

impl Standing {
    pub(super) const fn measures(&self) -> Measures {
        Measures { moved: self.moved, risk: self.risk, surplus: self.tally.surplus(), penalty: self.tally.penalty() }
    }
}

impl Extras {
    /// Computes the standing of a state from its genome and rooms.
    pub(super) fn take_standing(&self, nodes: &Nodes, state: &mut State) {
        let mut standing = state.stand(None).unwrap_or_default();
        standing.moved = self.factors.moved(nodes, state.genome());
        standing.risk = self.factors.risk(nodes, state);
        self.rules.tally(&mut standing.tally, state.genome(), |gene| nodes.place(gene));
        state.stand(Some(standing));
    }

    /// Whether a move leaves every hard rule kept.
    pub(super) fn keeps_rules(&self, state: &State, exchange: Exchange) -> bool {
        self.surplus_after(state, exchange) == 0
    }

    /// Brings the standing up to a move that is about to be carried out.
    pub(super) fn keep_up(&self, nodes: &Nodes, state: &mut State, exchange: Exchange, shift: &Shift<'_>) {
        let Some(mut standing) = state.stand(None) else { return };
        standing.moved = self.moved_after(nodes, standing.moved, exchange);
        standing.risk = self.factors.risk_after(nodes, state, standing.risk, shift);
        standing.tally.exchange(&self.rules, exchange);
        state.stand(Some(standing));
    }

    /// What terms and rules say of a state.
    pub(super) fn measures(state: &State) -> Measures {
        state.standing().map_or_else(Measures::default, Standing::measures)
    }

    /// Surplus pods of the hard rules after a move.
    pub(super) fn surplus_after(&self, state: &State, exchange: Exchange) -> u32 {
        state.standing().map_or(0, |standing| standing.tally.after(&self.rules, exchange).0)
    }

    /// Whether an item is one of those that a hard rule has too many of.
    pub(super) fn is_surplus(&self, nodes: &Nodes, state: &State, item: usize) -> bool {
        let place = nodes.place(state.genome()[item]);
        state.standing().is_some_and(|standing| standing.tally.is_surplus(&self.rules, item, place))
    }

    /// The score of a state, from that of spread and capacities.
    pub(super) fn score(&self, nodes: &Nodes, state: &State, plain: Score) -> Score {
        self.add(plain, state.mean(nodes), &Self::measures(state))
    }

    /// The score after a move, from that of spread and capacities.
    pub(super) fn score_after(
        &self,
        nodes: &Nodes,
        state: &State,
        plain: Score,
        exchange: Exchange,
        shift: &Shift<'_>,
    ) -> Score {
        let Some(standing) = state.standing() else { return plain };
        let (surplus, penalty) = standing.tally.after(&self.rules, exchange);
        let moved = self.moved_after(nodes, standing.moved, exchange);
        let risk = self.factors.risk_after(nodes, state, standing.risk, shift);
        let mean = self.factors.mean_after(nodes, state, shift);
        self.add(plain, mean, &Measures { moved, risk, surplus, penalty })
    }

    fn add(&self, plain: Score, mean: f64, measures: &Measures) -> Score {
        let spread: f64 = plain.objectives.as_slice().iter().sum();
        let terms = self.factors.value(mean, measures.moved, measures.risk) + measures.penalty;
        Score {
            violation: plain.violation + f64::from(measures.surplus),
            objectives: Objectives::single(spread + terms),
        }
    }

    fn moved_after(&self, nodes: &Nodes, moved: u32, exchange: Exchange) -> u32 {
        let Exchange { item, other, from, to } = exchange;
        let counts = |item, place| self.factors.has_moved(nodes, item, place);
        moved + counts(item, to) + counts(other, from) - counts(item, from) - counts(other, to)
    }
}
