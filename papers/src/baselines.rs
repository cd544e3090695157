//! What the source documents compare with: the methods they hope to beat.
//!
//! Promises: each is the method of its name, as good as the text that names it says, and not weaker on purpose. Must
//! not know: the searches that are compared with them.

pub mod canonical_ga;
pub mod ga_phase;
pub mod kube;
pub mod mmas;
pub mod random_search;
pub mod saiga;
pub mod threshold;
pub mod trend;
pub mod weighted_greedy;
