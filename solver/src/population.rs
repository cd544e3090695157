//! A population: many genomes of one length, and what each of them costs.
//!
//! Promises: genes lie in one block of memory, so a generation is copied and not allocated. Must not know: operators.

/// Genomes of equal length with one cost each; smaller costs are better.
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    items: usize,
    genes: Vec<u32>,
    costs: Vec<f64>,
}

impl Population {
    /// An empty population of genomes with `items` genes, with room for `size` of them.
    #[must_use]
    pub fn with_capacity(items: usize, size: usize) -> Self {
        Self { items, genes: Vec::with_capacity(items * size), costs: Vec::with_capacity(size) }
    }

    /// Adds an individual.
    pub fn push(&mut self, genome: &[u32], cost: f64) {
        debug_assert_eq!(genome.len(), self.items, "genomes of a population have one length");
        self.genes.extend_from_slice(genome);
        self.costs.push(cost);
    }

    /// Removes all individuals and keeps the memory.
    pub fn clear(&mut self) {
        self.genes.clear();
        self.costs.clear();
    }

    /// The number of individuals.
    #[must_use]
    pub fn len(&self) -> usize {
        self.costs.len()
    }

    /// Whether there is no individual.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.costs.is_empty()
    }

    /// The genome of an individual.
    #[must_use]
    pub fn genome(&self, index: usize) -> &[u32] {
        &self.genes[index * self.items..][..self.items]
    }

    /// The costs, in the order of the individuals.
    #[must_use]
    pub fn costs(&self) -> &[f64] {
        &self.costs
    }

    /// The least, the mean and the largest cost; infinite without individuals.
    #[must_use]
    pub fn range(&self) -> (f64, f64, f64) {
        let least = self.costs.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = self.costs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (least, self.costs.iter().sum::<f64>() / self.costs.len() as f64, largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_genome_comes_back_as_it_was_pushed() {
        let mut population = Population::with_capacity(2, 2);
        population.push(&[1, 2], 5.0);
        population.push(&[3, 4], 1.0);
        assert_eq!((population.genome(0), population.genome(1)), (&[1, 2][..], &[3, 4][..]));
        assert_eq!(population.range(), (1.0, 3.0, 5.0));
    }
}
