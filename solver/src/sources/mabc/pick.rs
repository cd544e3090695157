//! Which member of a front is the headline: the knee, or a stable one.
//!
//! Promises: picks a member of every front that has one; the first among equals. Must not know: genes.

use super::chronicle::Chronicle;
use super::yardstick::Yardstick;
use crate::archive::crowding;
use crate::individual::Individual;
use crate::score::Score;
use crate::solver::SolveError;

/// How the headline is picked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pick {
    /// The knee: the member farthest below the line through the extremes of the front, each objective in units of its
    /// range over the front. \[I\] With more than two objectives it is the plane on which these units sum up to 1.
    #[default]
    Knee,
    /// The source's rule; the knee, if no member meets it.
    Stable(Stability),
}

/// \[P\] Among members of rank 1 with a large crowding distance one is taken whose performance neither rises nor falls and
/// is good enough; the trend is `D = (perf(t) - perf(t - w)) / w`.
///
/// \[I\] A large distance is at least the front's median. A solution's objectives do not change with time, so its
/// performance is taken to be its fitness over the mean fitness of the archive of that round: 1 is average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stability {
    /// Window `w` in rounds, 1 or more; members that are younger have no trend. Default 3.
    pub window: u64,
    /// Trends below this fall, 0 or less. Default -0.01.
    pub falling: f64,
    /// Trends above this rise, 0 or more. Default 0.01.
    pub rising: f64,
    /// Least performance, 0 or more. Default 1.
    pub least_performance: f64,
    /// Which of the members left is the most stable.
    pub persistence: Persistence,
}

/// What makes a member stable.
///
/// The source contradicts itself: it calls a *low* retention count more stable, and the count is the generations
/// survived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// The most rounds in the archive. \[I\]
    #[default]
    Longest,
    /// The fewest rounds in the archive, the window at least. \[P\]
    Shortest,
}

impl Default for Stability {
    fn default() -> Self {
        Self { window: 3, falling: -0.01, rising: 0.01, least_performance: 1.0, persistence: Persistence::Longest }
    }
}

impl Pick {
    pub(super) fn check(&self) -> Result<(), SolveError> {
        let Self::Stable(rule) = self else { return Ok(()) };
        let limits = [
            ("window", rule.window as f64, "1 or more", rule.window >= 1),
            ("falling", rule.falling, "0 or less", rule.falling <= 0.0),
            ("rising", rule.rising, "0 or more", rule.rising >= 0.0),
            ("least_performance", rule.least_performance, "0 or more", rule.least_performance >= 0.0),
        ];
        match limits.into_iter().find(|(.., sound)| !sound) {
            Some((name, value, allowed, _)) => Err(SolveError::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }

    /// The index of the headline; 0 for an empty front.
    pub(super) fn of(&self, front: &[Individual], chronicle: &Chronicle, yardstick: &Yardstick) -> usize {
        let scores: Vec<Score> = front.iter().map(|member| member.score).collect();
        match self {
            Self::Knee => knee(&scores),
            Self::Stable(rule) => rule.of(&scores, chronicle, yardstick).unwrap_or_else(|| knee(&scores)),
        }
    }
}

/// In units of the ranges the extremes of two objectives are (0, 1) and (1, 0), and the distance of (x, y) to the line
/// between them is (1 - x - y) / √2: the largest belongs to the least sum.
fn knee(scores: &[Score]) -> usize {
    let mut sums = vec![0.0; scores.len()];
    let objectives = scores.first().map_or(0, |score| score.objectives.as_slice().len());
    for k in 0..objectives {
        let values = || scores.iter().map(|score| score.objectives.as_slice()[k]);
        let least = values().fold(f64::INFINITY, f64::min);
        let range = values().fold(f64::NEG_INFINITY, f64::max) - least;
        if range > 0.0 {
            sums.iter_mut().zip(values()).for_each(|(sum, value)| *sum += (value - least) / range);
        }
    }
    (0..sums.len()).min_by(|&a, &b| sums[a].total_cmp(&sums[b])).unwrap_or(0)
}

impl Stability {
    fn of(&self, scores: &[Score], chronicle: &Chronicle, yardstick: &Yardstick) -> Option<usize> {
        let distances = crowding(scores);
        let mut sorted = distances.clone();
        sorted.sort_by(f64::total_cmp);
        let median = *sorted.get(sorted.len() / 2)?;
        let stable = (0..scores.len()).filter(|&index| distances[index] >= median).filter_map(|index| {
            let fitness = yardstick.fitness(&scores[index].objectives);
            self.age_if_stable(&scores[index], fitness, chronicle).map(|age| (index, age, fitness))
        });
        let order = |age: u64| match self.persistence {
            Persistence::Longest => age,
            Persistence::Shortest => u64::MAX - age,
        };
        // The first among equals.
        let better = |best: (usize, u64, f64), next: (usize, u64, f64)| {
            let (a, b) = (order(best.1), order(next.1));
            if b > a || (b == a && next.2 > best.2) { next } else { best }
        };
        stable.reduce(better).map(|(index, ..)| index)
    }

    /// How many rounds a member is old, if it has a trend and that is stable, and it performs well enough.
    fn age_if_stable(&self, score: &Score, fitness: f64, chronicle: &Chronicle) -> Option<u64> {
        let age = chronicle.age(score).filter(|&age| age >= self.window)?;
        let performance = fitness / chronicle.mean_fitness(0)?;
        let earlier = fitness / chronicle.mean_fitness(self.window)?;
        let trend = (performance - earlier) / self.window as f64;
        let stable = (self.falling..=self.rising).contains(&trend) && performance >= self.least_performance;
        stable.then_some(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;
    use crate::score::Objectives;

    fn front(points: &[[f64; 2]]) -> Vec<Individual> {
        let score = |f| Score { violation: 0.0, objectives: Objectives::new(f) };
        points.iter().map(|f| Individual { genome: Vec::new(), score: score(f) }).collect()
    }

    fn chronicle(rounds: &[&[[f64; 2]]]) -> Chronicle {
        let mut chronicle = Chronicle::default();
        for points in rounds {
            let mut archive = Archive::new(9);
            for member in front(points) {
                assert!(archive.insert(member));
            }
            chronicle.record(archive.members(), &yardstick());
        }
        chronicle
    }

    fn yardstick() -> Yardstick {
        Yardstick::of(&front(&[[50.0, 50.0]]).iter().map(|member| member.score).collect::<Vec<_>>(), None)
    }

    const LAST: [[f64; 2]; 4] = [[0.0, 100.0], [10.0, 30.0], [40.0, 20.0], [100.0, 0.0]];

    #[test]
    fn the_knee_is_farthest_from_the_line_through_the_extremes() {
        let pick = |points: &[[f64; 2]]| Pick::Knee.of(&front(points), &Chronicle::default(), &yardstick());
        assert_eq!(pick(&LAST), 1);
        assert_eq!(pick(&[[0.0, 1e9], [1.0, 4e8], [4.0, 1e8], [5.0, 0.0]]), 1, "units do not matter");
        assert_eq!((pick(&LAST[..2]), pick(&LAST[..1]), pick(&[])), (0, 0, 0));
    }

    #[test]
    fn the_stable_member_of_the_longest_retention_is_taken() {
        let rule = |persistence| {
            Pick::Stable(Stability { falling: -1.0, rising: 1.0, persistence, window: 1, ..Stability::default() })
        };
        let chronicle = chronicle(&[&[[40.0, 20.0]], &LAST[1..], &LAST, &LAST]);
        let pick = |rule: Pick| rule.of(&front(&LAST), &chronicle, &yardstick());
        assert_eq!(pick(rule(Persistence::Longest)), 1, "[40, 20] is older, but too crowded");
        assert_eq!(pick(rule(Persistence::Shortest)), 1, "[0, 100] is younger, but performs below average");
        let young = Stability {
            least_performance: 0.0,
            ..Stability {
                falling: -1.0,
                rising: 1.0,
                window: 1,
                persistence: Persistence::Shortest,
                ..Stability::default()
            }
        };
        assert_eq!(pick(Pick::Stable(young)), 0);
    }

    #[test]
    fn a_front_without_a_stable_member_has_its_knee() {
        let rules = [
            Stability { window: 9, ..Stability::default() },
            Stability { least_performance: 99.0, ..Stability::default() },
        ];
        for rule in rules {
            assert_eq!(Pick::Stable(rule).of(&front(&LAST), &chronicle(&[&LAST[..]; 5]), &yardstick()), 1);
        }
    }
}
