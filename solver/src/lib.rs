//! Searches for the best way to give every item one of its allowed values.
//!
//! Promises: no clock, no input or output, no threads, no randomness but the seed's. Same problem, budget and seed give
//! the same bytes on every machine. Must not know: where problems come from. A *problem* has items; each takes one
//! value of its *domain*; a score says by how much hard limits are broken and what the objectives are; and a small
//! change is evaluated in constant time. Every solver works on every problem through these words alone.
//!
//! # A worked example
//!
//! Three pods on two nodes, one resource. The first pod may run on the second node only.
//!
//! ```
//! use std::sync::Arc;
//!
//! use gantry_solver::budget::Budget;
//! use gantry_solver::domain::DomainClass;
//! use gantry_solver::local_search::LocalSearch;
//! use gantry_solver::observer::Unobserved;
//! use gantry_solver::problems::placement::{NodeColumns, Objective, Placement, PodColumns};
//! use gantry_solver::rng::Rng;
//! use gantry_solver::solver::Solver;
//!
//! let nodes = NodeColumns { resources: 1, allocatable: &[8.0, 16.0], requested: &[], weights: &[1.0, 1.0] };
//! let pods = PodColumns { requests: &[2.0, 2.0, 2.0], class_by_pod: &[1, 0, 0] };
//! let classes = [Arc::new(DomainClass::all(2)), Arc::new(DomainClass::from_values(2, &[1])?)];
//! let problem = Placement::new(&nodes, &pods, &classes, Objective::Sigma)?;
//!
//! let budget = Budget::evaluations(10_000);
//! let found = LocalSearch::default().solve(&problem, &[], budget, &mut Rng::new(42), &mut Unobserved)?;
//!
//! // One pod on the small node and two on the large one: both are a quarter full.
//! let assignment = problem.assignment(&found.best.genome);
//! assert_eq!(assignment.row_by_pod[0], Some(1));
//! assert_eq!(assignment.score.objectives.as_slice(), [0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layout
//!
//! ```text
//! problem   the trait, moves, genomes          domain    choices shared by class, intervals
//! score     violation first, then objectives   scalarise several objectives as one
//! solver    how searches are called            budget · rng · observer: what they are given
//!
//! greedy · local_search · annealing · memetic  searches; memetic is the default
//! sources                                      the five source algorithms, equation by equation
//!   dictionary_ga · tcga · cmma_ga · mabc · quota_ga
//! archive · individual · population · selection · crossover · mutation · repair · replacement: what they are made of
//!
//! problems                                     one of each source, and pods on nodes first of all
//!   placement · task_schedule · qos_composition · energy_assignment · quota_tuning
//! instances                                    reproducible instances (feature "instances")
//! ```
#![forbid(unsafe_code)]

pub mod annealing;
pub mod archive;
pub mod budget;
pub mod crossover;
pub mod domain;
pub mod greedy;
pub mod individual;
#[cfg(feature = "instances")]
pub mod instances;
pub mod local_search;
pub mod memetic;
pub mod mutation;
pub mod observer;
pub mod population;
pub mod problem;
pub mod problems;
pub mod repair;
pub mod replacement;
pub mod rng;
pub mod scalarise;
pub mod score;
pub mod selection;
pub mod solver;
pub mod sources;
