//! The hypervolume for any number of objectives.
//!
//! Promises: never falls when a point is added; with one objective it is the distance to the reference. Must not know:
//! genes.

use std::cmp::Ordering;

use crate::score::Objectives;

/// The volume that points dominate below a reference point, by slices along the last objective; what lies past the
/// reference counts nothing.
pub(super) fn volume(points: &[Objectives], reference: &[f64]) -> f64 {
    let below = |point: &&[f64]| point.iter().zip(reference).all(|(f, limit)| f < limit);
    let points: Vec<&[f64]> = points.iter().map(Objectives::as_slice).filter(below).collect();
    slices(points, reference)
}

fn slices(mut points: Vec<&[f64]>, reference: &[f64]) -> f64 {
    let Some((&limit, rest)) = reference.split_last() else { return f64::from(u8::from(!points.is_empty())) };
    let last = rest.len();
    points.sort_by(|a, b| a[last].partial_cmp(&b[last]).unwrap_or(Ordering::Equal));
    let mut sum = 0.0;
    for index in 0..points.len() {
        let next = points.get(index + 1).map_or(limit, |point| point[last]);
        let height = next - points[index][last];
        if height > 0.0 {
            sum += height * slices(points[..=index].to_vec(), rest);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::archive::hypervolume;

    proptest! {
        #[test]
        fn with_two_objectives_it_is_the_area_of_the_staircase(
            points in prop::collection::vec((0_u8..12, 0_u8..12), 0..30),
        ) {
            let points: Vec<Objectives> =
                points.iter().map(|&(x, y)| Objectives::new(&[f64::from(x), f64::from(y)])).collect();
            prop_assert_eq!(volume(&points, &[10.0, 10.0]), hypervolume(&points, [10.0, 10.0]));
        }

        #[test]
        fn with_three_objectives_it_is_the_number_of_cells_dominated(
            points in prop::collection::vec((0_u8..5, 0_u8..5, 0_u8..5), 0..12),
        ) {
            let real = |&(x, y, z): &(u8, u8, u8)| Objectives::new(&[f64::from(x), f64::from(y), f64::from(z)]);
            let cells = (0..64_u8).filter(|cell| {
                let (a, b, c) = (cell / 16, cell / 4 % 4, cell % 4);
                points.iter().any(|&(x, y, z)| x <= a && y <= b && z <= c)
            });
            let reals: Vec<Objectives> = points.iter().map(real).collect();
            prop_assert_eq!(volume(&reals, &[4.0; 3]), cells.count() as f64);
        }
    }

    #[test]
    fn with_one_objective_it_is_the_distance_to_the_reference() {
        let points = [3.0, 1.0, 9.0].map(Objectives::single);
        assert_eq!(volume(&points, &[4.0]), 3.0);
        assert_eq!(volume(&[], &[4.0]), 0.0);
    }
}
