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

/// One-point crossover between groups of `width` genes, at least 1: the tails behind a border between two groups, drawn
/// uniformly, change sides. With a single group nothing does. The last group may be shorter than the others.
pub fn one_point(first: &mut [u32], second: &mut [u32], width: usize, rng: &mut Rng) {
    let genes = first.len().min(second.len());
    let groups = genes.div_ceil(width.max(1)) as u32;
    if groups > 1 {
        let border = (1 + rng.below(groups - 1)) as usize * width.max(1);
        first[border..genes].swap_with_slice(&mut second[border..genes]);
    }
}

/// Uniform crossover (Syswerda 1989): each gene changes sides with probability one half.
pub fn uniform(first: &mut [u32], second: &mut [u32], rng: &mut Rng) {
    for (genes, others) in first.chunks_mut(64).zip(second.chunks_mut(64)) {
        let sides = rng.bits();
        for (index, (gene, other)) in genes.iter_mut().zip(others).enumerate() {
            if sides >> index & 1 == 1 {
                std::mem::swap(gene, other);
            }
        }
    }
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
            for cross in [two_point, uniform] {
                let (mut first, mut second): (Vec<u32>, Vec<u32>) = parents.iter().copied().unzip();
                cross(&mut first, &mut second, &mut Rng::new(seed));
                for ((a, b), &(p, q)) in first.into_iter().zip(second).zip(&parents) {
                    prop_assert!((a, b) == (p, q) || (a, b) == (q, p));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_group_of_genes_stays_together(items in 0_usize..40, width in 1_usize..6, seed: u64) {
            let (mut first, mut second) = (vec![0; items], vec![1; items]);
            one_point(&mut first, &mut second, width, &mut Rng::new(seed));
            prop_assert!(first.chunks(width).all(|group| group.iter().all(|gene| *gene == group[0])));
            prop_assert!(first.is_sorted() && first.iter().zip(&second).all(|(a, b)| a + b == 1));
            prop_assert_eq!(first.last() == Some(&1), items > width, "the tail changes sides if there are two groups");
        }
    }

    #[test]
    fn every_gene_can_be_exchanged() {
        for cross in [two_point, uniform] {
            let mut exchanged = [false; 70];
            let mut rng = Rng::new(1);
            for _ in 0..200 {
                let (mut first, mut second) = ([0; 70], [1; 70]);
                cross(&mut first, &mut second, &mut rng);
                exchanged.iter_mut().zip(first).for_each(|(seen, gene)| *seen |= gene == 1);
            }
            assert_eq!(exchanged, [true; 70]);
        }
    }
}
