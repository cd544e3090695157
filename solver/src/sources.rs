//! The algorithms of the source documents, one file each.
//!
//! Promises: each file says which equations it follows, and marks every statement as printed in the source \[P\],
//! reconstructed from its text and the literature \[R\], or interpreted where the text allows more than one reading
//! \[I\]. Must not know: any particular problem.

pub mod cmma_ga;
pub mod dictionary_ga;
pub mod mabc;
pub mod quota_ga;
pub mod tcga;
