//! What generation 0 was worth: the measure of all later ones.
//!
//! Promises: smaller scalarised objectives never have a smaller fitness, and fitness is above 0 and finite as long as
//! the objectives are. Must not know: genes.

use crate::scalarise::Scalarisation;
use crate::score::{MAX_OBJECTIVES, Objectives, Score};

use super::volume::volume;

/// Below this part of generation 0's value the reciprocal is continued by its tangent: objectives may become 0 or
/// negative, and one source that is near it must not take every onlooker. \[I\]
const TANGENT: f64 = 0.1;

/// Means and worsts of generation 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Yardstick {
    pub(super) scalarisation: Scalarisation,
    /// What the mean scalarised value of generation 0 was, never 0.
    unit: f64,
    /// The worst of each objective.
    reference: Objectives,
}

impl Yardstick {
    /// The measure of these scores, the feasible ones if there are any.
    pub(super) fn of(scores: &[Score], scalarisation: Option<Scalarisation>) -> Self {
        let any_feasible = scores.iter().any(Score::is_feasible);
        let counted: Vec<Objectives> =
            scores.iter().filter(|score| score.is_feasible() || !any_feasible).map(|score| score.objectives).collect();
        let objectives = counted.first().map_or(1, |first| first.as_slice().len());
        let (mut weights, mut worst) = ([0.0; MAX_OBJECTIVES], [0.0; MAX_OBJECTIVES]);
        for k in 0..objectives {
            let values = || counted.iter().map(|f| f.as_slice()[k]);
            weights[k] = 1.0 / (objectives as f64 * unit(values()));
            worst[k] = values().fold(f64::NEG_INFINITY, f64::max);
        }
        let weighted = || Scalarisation::Weighted(Objectives::new(&weights[..objectives]));
        let scalarisation = scalarisation.unwrap_or_else(weighted);
        let unit = unit(counted.iter().map(|f| scalarisation.value(f)));
        Self { scalarisation, unit, reference: Objectives::new(&worst[..objectives]) }
    }

    /// `F`: the higher the better.
    pub(super) fn fitness(&self, objectives: &Objectives) -> f64 {
        let value = self.scalarisation.value(objectives) / self.unit;
        if value >= TANGENT { 1.0 / value } else { (2.0 - value / TANGENT) / TANGENT }
    }

    /// The hypervolume of these points below the worst of generation 0.
    pub(super) fn volume(&self, points: &[Objectives]) -> f64 {
        volume(points, self.reference.as_slice())
    }
}

/// The mean size of some numbers, or 1 if that is no measure.
fn unit(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    let mean = f64::abs(sum / count);
    if mean.is_normal() { mean } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(violation: f64, f: &[f64]) -> Score {
        Score { violation, objectives: Objectives::new(f) }
    }

    #[test]
    fn fitness_is_one_at_the_mean_of_generation_0_and_two_at_its_half() {
        let yardstick = Yardstick::of(&[score(0.0, &[1.0, 30.0]), score(0.0, &[3.0, 10.0])], None);
        assert_eq!(yardstick.fitness(&Objectives::new(&[2.0, 20.0])), 1.0);
        assert_eq!(yardstick.fitness(&Objectives::new(&[1.0, 10.0])), 2.0);
        assert_eq!(yardstick.volume(&[Objectives::new(&[2.0, 20.0])]), 10.0);
    }

    #[test]
    fn fitness_rises_without_bound_or_break_as_objectives_fall() {
        let yardstick = Yardstick::of(&[score(0.0, &[1.0])], None);
        let fitness: Vec<f64> =
            (-300..300).map(|k| yardstick.fitness(&Objectives::single(-0.01 * f64::from(k)))).collect();
        assert!(fitness.iter().all(|fitness| *fitness > 0.0 && fitness.is_finite()));
        assert!(fitness.is_sorted());
    }

    #[test]
    fn infeasible_scores_are_a_measure_only_if_all_are() {
        let feasible = Yardstick::of(&[score(1.0, &[50.0]), score(0.0, &[2.0])], None);
        assert_eq!(feasible.fitness(&Objectives::single(2.0)), 1.0);
        let none = Yardstick::of(&[score(1.0, &[50.0])], None);
        assert_eq!(none.fitness(&Objectives::single(50.0)), 1.0);
        assert_eq!(Yardstick::of(&[], None).fitness(&Objectives::single(1.0)), 1.0);
    }
}
