//! What all searches have in common: how they are called and what they return.
//!
//! Promises, for every solver: a result is legal (each gene in its domain), never worse than a legal seed, and a
//! function of problem, seeds, budget and random stream. Must not know: any problem, any algorithm.

use crate::budget::{Budget, TerminationReason};
use crate::individual::Individual;
use crate::observer::Observer;
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;

/// The result of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Evolution {
    /// The best solution met.
    pub best: Individual,
    /// Solutions none of which dominates another. A search for one objective has `best` alone here.
    pub front: Vec<Individual>,
    /// Why the search ended.
    pub reason: TerminationReason,
    /// Generations or rounds done.
    pub generations: u64,
    /// Evaluations spent.
    pub evaluations: u64,
}

impl Evolution {
    /// The result of a search that follows one scalarised objective.
    #[must_use]
    pub fn of_one(best: Individual, reason: TerminationReason, generations: u64, evaluations: u64) -> Self {
        Self { front: vec![best.clone()], best, reason, generations, evaluations }
    }
}

/// A search that works on every problem of type `P`.
pub trait Solver<P: Problem> {
    /// Searches for the solution of least cost.
    ///
    /// `seeds` are solutions to start from, such as an earlier plan. A gene of a seed that is [`UNASSIGNED`] or outside
    /// its domain is filled in.
    ///
    /// # Errors
    /// [`SolveError`] if a seed has the wrong length, a domain is empty, or a parameter is out of range.
    ///
    /// [`UNASSIGNED`]: crate::problem::UNASSIGNED
    fn solve(
        &self,
        problem: &P,
        seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError>;
}

/// Why a search could not start.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// A seed belongs to another problem.
    #[error("a seed has {found} genes, the problem has {expected} items")]
    SeedLength {
        /// Items of the problem.
        expected: usize,
        /// Genes of the seed.
        found: usize,
    },
    /// An item can take no value; it must be taken out of the problem first.
    #[error("the domain of item {item} is empty")]
    EmptyDomain {
        /// The item.
        item: usize,
    },
    /// A parameter of the solver is out of range.
    #[error("{name} is {value}, allowed is {allowed}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
}

/// Checks what every solver takes for granted.
pub(crate) fn check<P: Problem>(problem: &P, seeds: &[Genome], by: Option<&Scalarisation>) -> Result<(), SolveError> {
    if let Some(value) = by.and_then(Scalarisation::fault) {
        let (name, allowed) = ("scalarisation", "weights of at least 0 and a reference, all finite");
        return Err(SolveError::Parameter { name, value, allowed });
    }
    let expected = problem.items();
    if let Some(seed) = seeds.iter().find(|seed| seed.len() != expected) {
        return Err(SolveError::SeedLength { expected, found: seed.len() });
    }
    match (0..expected).find(|&item| problem.domain(item).is_empty()) {
        Some(item) => Err(SolveError::EmptyDomain { item }),
        None => Ok(()),
    }
}
