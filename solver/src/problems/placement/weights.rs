//! The weights in units of their own mean: what counts is how they compare with each other.
//!
//! Promises: equal weights are exactly 1, however large they are; the same numbers in whatever order rows came and went.
//! Must not know: loads.

use std::collections::BTreeMap;

/// A resource that weighs next to nothing beside the others weighs this, so that no factor drowns in rounding.
const LEAST: f64 = 1e-18;

/// The weights of the pairs of row and resource that take part.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// For each resource how many rows have which weight, by its bits: they sort as numbers above 0 do.
    rows_by_bits: Vec<BTreeMap<u64, usize>>,
}

/// What weights come to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    /// The mean over the resources that take part of the mean of their weights; 1 if none does.
    pub(super) unit: f64,
    /// `w_r`: the mean of each resource's weights in this unit; 1 if it does not take part.
    pub(super) of_resource: Vec<f64>,
}

impl Weights {
    /// From a row-major matrix of what [`taking_part`] says.
    pub(super) fn new(resources: usize, weights: &[f64]) -> Self {
        let mut all = Self { rows_by_bits: vec![BTreeMap::new(); resources] };
        weights.chunks_exact(resources).for_each(|row| all.insert(row));
        all
    }

    /// Counts a row.
    pub(super) fn insert(&mut self, row: &[f64]) {
        for (rows_by_bits, weight) in self.rows_by_bits.iter_mut().zip(row).filter(|(_, weight)| **weight > 0.0) {
            *rows_by_bits.entry(weight.to_bits()).or_insert(0) += 1;
        }
    }

    /// Leaves out a row that counts.
    pub(super) fn remove(&mut self, row: &[f64]) {
        for (rows_by_bits, weight) in self.rows_by_bits.iter_mut().zip(row).filter(|(_, weight)| **weight > 0.0) {
            let rows = rows_by_bits.get(&weight.to_bits()).map_or(0, |rows| rows - 1);
            if rows == 0 {
                rows_by_bits.remove(&weight.to_bits());
            } else {
                rows_by_bits.insert(weight.to_bits(), rows);
            }
        }
    }

    pub(super) fn scale(&self) -> Scale {
        let of_one = |rows_by_bits: &BTreeMap<u64, usize>| {
            mean(rows_by_bits.iter().map(|(bits, rows)| (f64::from_bits(*bits), *rows)))
        };
        let means: Vec<Option<f64>> = self.rows_by_bits.iter().map(of_one).collect();
        let unit = mean(means.iter().flatten().map(|mean| (*mean, 1))).unwrap_or(1.0);
        let of_resource = means.iter().map(|mean| mean.map_or(1.0, |mean| (mean / unit).max(LEAST))).collect();
        Scale { unit, of_resource }
    }
}

/// The weights of the pairs that take part, 0 for all others.
pub(super) fn taking_part(allocatable: &[f64], weights: &[f64]) -> Vec<f64> {
    let weight = |(&capacity, &weight): (&f64, &f64)| if capacity >= 1.0 { weight } else { 0.0 };
    allocatable.iter().zip(weights).map(weight).collect()
}

/// The mean of numbers that occur so often. What is summed up is how far they are from the first, so that the mean of
/// equal numbers is exactly theirs.
fn mean(numbers: impl Iterator<Item = (f64, usize)>) -> Option<f64> {
    let mut numbers = numbers.peekable();
    let (first, _) = *numbers.peek()?;
    let (mut sum, mut count) = (0.0, 0);
    for (number, times) in numbers {
        sum += (number - first) * times as f64;
        count += times;
    }
    Some(first + sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(resources: usize, weights: &[f64]) -> Scale {
        Weights::new(resources, weights).scale()
    }

    #[test]
    fn equal_weights_are_exactly_1_however_large_they_are() {
        for weight in [0.1, 1.0, 5.0, 1e-300, 1.0 / 3.0, 1000.0] {
            assert_eq!(scale(3, &[weight; 21]), Scale { unit: weight, of_resource: vec![1.0; 3] });
        }
    }

    #[test]
    fn a_resource_counts_by_the_mean_of_its_weights_above_0() {
        assert_eq!(scale(2, &[10.0, 1.0, 10.0, 1.0]).of_resource, [20.0 / 11.0, 2.0 / 11.0]);
        // 3 and 1 on average; the third takes part nowhere.
        let scale = scale(3, &[2.0, 1.0, 0.0, 4.0, 0.0, 0.0]);
        assert_eq!((scale.unit, scale.of_resource), (2.0, vec![1.5, 0.5, 1.0]));
        assert_eq!(Weights::new(2, &[0.0; 4]).scale(), Scale { unit: 1.0, of_resource: vec![1.0; 2] });
    }

    #[test]
    fn rows_that_came_and_went_leave_no_trace() {
        let rows = [[0.1, 7.0], [0.3, 0.0], [0.7, 2.0]];
        let mut weights = Weights::new(2, &[]);
        for row in [rows[2], rows[0], [5.0, 5.0], rows[1]] {
            weights.insert(&row);
        }
        weights.remove(&[5.0, 5.0]);
        assert_eq!(weights.scale(), scale(2, rows.as_flattened()));
    }

    #[test]
    fn what_a_row_does_not_offer_takes_no_part() {
        assert_eq!(taking_part(&[8.0, 0.0, 0.5, 1.0], &[2.0, 2.0, 2.0, 0.0]), [2.0, 0.0, 0.0, 0.0]);
    }
}
