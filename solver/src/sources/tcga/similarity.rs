//! How alike two genomes are: equations (9) to (11).
//!
//! Promises: 1 for equal genomes, 0 if no gene agrees. Must not know: fitness.

use crate::domain::Domain;
use crate::problem::Problem;

/// How far apart two values of each item may be and still agree: not at all for choices; one level of the grid for an
/// interval, where neighbours mean nearly the same.
pub(super) fn tolerances<P: Problem>(problem: &P) -> Vec<u32> {
    (0..problem.items()).map(|item| u32::from(matches!(problem.domain(item), Domain::Interval(_)))).collect()
}

/// `sim = 1 - H / l` with the Hamming distance `H = Σ_i [a_i ≠ b_i]` \[R\] and `l` genes; 1 if there are none.
pub(super) fn similarity(a: &[u32], b: &[u32], tolerances: &[u32]) -> f64 {
    let differs = |((&a, &b), &tolerance): ((&u32, &u32), &u32)| u32::from(a.abs_diff(b) > tolerance);
    let distance: u32 = a.iter().zip(b).zip(tolerances).map(differs).sum();
    1.0 - f64::from(distance) / a.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarity_is_the_share_of_genes_that_agree() {
        assert_eq!(similarity(&[1, 2, 3, 4], &[1, 0, 3, 9], &[0; 4]), 0.5);
        assert_eq!(similarity(&[5, 5], &[6, 7], &[1, 1]), 0.5, "neighbours on a grid agree");
        assert_eq!(similarity(&[], &[], &[]), 1.0);
    }
}
