//! Making two children of two parents.
//!
//! Promises: each gene of a child comes from one of the parents at the same place, and no gene is lost: what one child
//! lacks the other has. So children of legal parents are legal. Must not know: domains.

use crate::rng::Rng;

/// Two-point crossover: the genes between two points, drawn uniformly, change sides.
pub fn two_point(first: &mut [u32], second: &mut [u32], rng: &mut Rng) {
    let places = first.len().min(second.len()) as u32 + 1;
    let (a, b) = (rng.below(places) as usize, rng.below(places) as usize);
    first[a.min(b)..a.max(b)].swap_with_slice(&mut second[a.min(b)..a.max(b)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Rng;

    proptest! {
        #[test]
        fn genes_only_change_sides(
            parents in prop::collection::vec((0_u32..50, 50_u32..99), 0..40), seed: u64,
        ) {
            let (mut first, mut second): (Vec<u32>, Vec<u32>) = parents.iter().copied().unzip();
            two_point(&mut first, &mut second, &mut Rng::new(seed));
            for ((a, b), (p, q)) in first.into_iter().zip(second).zip(parents) {
                prop_assert!((a, b) == (p, q) || (a, b) == (q, p));
            }
        }
    }

    #[test]
    fn every_gene_can_be_exchanged() {
        let mut exchanged = [false; 5];
        let mut rng = Rng::new(1);
        for _ in 0..200 {
            let (mut first, mut second) = ([0; 5], [1; 5]);
            two_point(&mut first, &mut second, &mut rng);
            exchanged.iter_mut().zip(first).for_each(|(seen, gene)| *seen |= gene == 1);
        }
        assert_eq!(exchanged, [true; 5]);
    }
}
