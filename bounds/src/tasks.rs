//! Limits of scheduling tasks: least time and the cost front.
//!
//! Promises: no schedule is done before [`least_time`] and none that is done by some time costs less than
//! [`CostFront::cost_within`]; both in closed form, exact if tasks could be split at will. [`rounded`] is the schedule
//! of whole tasks next to a point of that front. All of it is for [`Completion::Joint`]. Must not know: any search.
//!
//! A unit of length takes machine `j` the time `τ_j` and costs `κ_j` there, whatever the task: the machines are
//! uniform. With `W` the sum of the lengths and split tasks, all machines are done at once at `T* = W / Σ 1/τ_j`. For a
//! given `T` the least cost is a fractional knapsack: machines are filled by rising `κ_j`, each up to `T / τ_j`. So the
//! front is a chain of straight lines between the times at which the cheapest `k` machines do everything.
//!
//! [`Completion::Joint`]: gantry_solver::problems::task_schedule::Completion::Joint

use gantry_solver::problem::{Genome, Problem};
use gantry_solver::problems::task_schedule::{Rates, TaskSchedule};

/// The least completion time `T*` in seconds; 0 without tasks.
#[must_use]
pub fn least_time(problem: &TaskSchedule) -> f64 {
    total_length(problem) / problem.rates().iter().map(|rates| 1.0 / rates.time).sum::<f64>().max(f64::MIN_POSITIVE)
}

fn total_length(problem: &TaskSchedule) -> f64 {
    problem.lengths().iter().sum::<u64>() as f64
}

/// The machines by rising cost, the faster one first among equals; with their numbers.
fn cheapest_first(problem: &TaskSchedule) -> Vec<(usize, Rates)> {
    let mut order: Vec<(usize, Rates)> = problem.rates().iter().copied().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.cost.total_cmp(&b.cost).then(a.time.total_cmp(&b.time)));
    order
}

/// The least cost for each time, if tasks could be split.
#[derive(Clone, Debug, PartialEq)]
pub struct CostFront {
    /// Time and cost where the cheapest `n`, `n - 1`, … 1 machines do everything: times rise, costs never do.
    corners: Vec<[f64; 2]>,
}

impl CostFront {
    /// The front of a problem; without machines it is empty.
    #[must_use]
    pub fn of(problem: &TaskSchedule) -> Self {
        let (total, mut speed, mut spending) = (total_length(problem), 0.0, 0.0);
        let mut corner = |(_, rates): (usize, Rates)| {
            speed += 1.0 / rates.time;
            spending += rates.cost / rates.time;
            [total / speed, spending * total / speed]
        };
        let mut corners: Vec<[f64; 2]> = cheapest_first(problem).into_iter().map(&mut corner).collect();
        corners.reverse();
        Self { corners }
    }

    /// Its corners `[time, cost]`, from the least time to the least cost.
    #[must_use]
    pub fn corners(&self) -> &[[f64; 2]] {
        &self.corners
    }

    /// The least cost of what is done by a time; `None` if nothing can be.
    #[must_use]
    pub fn cost_within(&self, time: f64) -> Option<f64> {
        let [first, .., last] = &self.corners[..] else {
            return self.corners.first().filter(|corner| time >= corner[0]).map(|corner| corner[1]);
        };
        if time >= last[0] {
            return Some(last[1]);
        }
        let line = self.corners.windows(2).find(|line| time < line[1][0]).filter(|_| time >= first[0])?;
        Some(at(line[0], line[1], time))
    }

    /// The area between the front and a reference point `[time, cost]`: no set of schedules dominates more.
    #[must_use]
    pub fn hypervolume(&self, reference: [f64; 2]) -> f64 {
        let Some(&last) = self.corners.last() else { return 0.0 };
        let end = [reference[0].max(last[0]), last[1]];
        let lines = self.corners.windows(2).map(|line| (line[0], line[1])).chain([(last, end)]);
        lines.map(|(from, to)| area(from, to, reference)).sum()
    }
}

/// The cost at a time on the line between two points of different times.
fn at(from: [f64; 2], to: [f64; 2], time: f64) -> f64 {
    from[1] + (to[1] - from[1]) * (time - from[0]) / (to[0] - from[0])
}

/// The area between a falling line and the reference point, as far as it lies below and left of it.
fn area(from: [f64; 2], to: [f64; 2], reference: [f64; 2]) -> f64 {
    let end = to[0].min(reference[0]);
    let falls = from[1] > to[1];
    let below =
        if falls { from[0] + (to[0] - from[0]) * (from[1] - reference[1]) / (from[1] - to[1]) } else { from[0] };
    let start = from[0].max(below);
    if start >= end || (!falls && from[1] >= reference[1]) {
        return 0.0;
    }
    let height = |time: f64| reference[1] - at(from, to, time);
    (end - start) * 0.5 * (height(start) + height(end))
}

/// The schedule of whole tasks that keeps to a time as far as it can, at little cost: the longest task first, each on
/// the cheapest machine that is still done by then; if there is none, on the one that is done first with it.
///
/// With time 0 that is the longest-processing-time rule (Graham 1969, doi:10.1137/0117039), with endless time the
/// cheapest schedule there is.
#[must_use]
pub fn rounded(problem: &TaskSchedule, time: f64) -> Genome {
    let machines = cheapest_first(problem);
    let mut tasks: Vec<usize> = (0..problem.items()).collect();
    tasks.sort_by_key(|&task| std::cmp::Reverse(problem.lengths()[task]));
    let mut taken = vec![0_u64; machines.len()];
    let mut genome = vec![0; problem.items()];
    for task in tasks {
        let length = problem.lengths()[task];
        let done = |place: usize| (taken[place] + length) as f64 * machines[place].1.time;
        let soonest = || (1..machines.len()).fold(0, |best, place| if done(place) < done(best) { place } else { best });
        let place = (0..machines.len()).find(|&place| done(place) <= time).unwrap_or_else(soonest);
        taken[place] += length;
        genome[task] = machines[place].0 as u32;
    }
    genome
}

#[cfg(test)]
mod tests {
    use gantry_solver::archive::hypervolume;
    use gantry_solver::instances::tasks::tasks;
    use gantry_solver::problems::task_schedule::{COST, Completion, TIME};
    use gantry_solver::score::Objectives;

    use super::*;

    /// Above the relative error of a few sums.
    const ROUNDING: f64 = 1.0 + 1e-12;

    fn objectives(problem: &TaskSchedule, genome: &[u32]) -> Objectives {
        problem.eval(&problem.build(genome)).objectives
    }

    fn everything(items: usize, machines: u32) -> impl Iterator<Item = Genome> {
        let digit = move |number: u32, item: usize| number / machines.pow(item as u32) % machines;
        (0..machines.pow(items as u32)).map(move |number| (0..items).map(|item| digit(number, item)).collect())
    }

    #[test]
    fn no_schedule_of_tiny_instances_is_below_the_limits() {
        for seed in 1..=5 {
            let problem = tasks(6, 3, seed).problem(Completion::Joint).unwrap();
            let (front, least) = (CostFront::of(&problem), least_time(&problem));
            let all: Vec<Objectives> = everything(6, 3).map(|genome| objectives(&problem, &genome)).collect();
            for found in &all {
                let &[time, cost] = found.as_slice() else { panic!("two objectives") };
                assert!(time * ROUNDING >= least);
                assert!(cost * ROUNDING >= front.cost_within(time * ROUNDING).unwrap(), "seed {seed}: {found:?}");
            }
            let reference = [2.0 * front.corners()[2][0], 1.1 * front.corners()[0][1]];
            assert!(hypervolume(&all, reference) <= front.hypervolume(reference));
        }
    }

    #[test]
    fn the_ends_of_the_front_are_the_least_time_and_the_least_cost() {
        let problem = tasks(6, 3, 1).problem(Completion::Joint).unwrap();
        let front = CostFront::of(&problem);
        assert!((front.corners()[0][0] / least_time(&problem) - 1.0).abs() < 1e-12);
        let cheapest = everything(6, 3).map(|genome| objectives(&problem, &genome).as_slice()[COST]);
        let cheapest = cheapest.fold(f64::INFINITY, f64::min);
        assert!((front.cost_within(f64::INFINITY).unwrap() / cheapest - 1.0).abs() < 1e-12);
        let all_cheap = objectives(&problem, &rounded(&problem, f64::INFINITY));
        assert!((all_cheap.as_slice()[COST] / cheapest - 1.0).abs() < 1e-12);
        assert_eq!(front.cost_within(0.999 * least_time(&problem)), None);
    }

    #[test]
    fn the_longest_processing_time_rule_is_near_the_best_of_all() {
        for seed in 1..=5 {
            let problem = tasks(6, 3, seed).problem(Completion::Joint).unwrap();
            let best = everything(6, 3).map(|genome| objectives(&problem, &genome).as_slice()[TIME]);
            let best = best.fold(f64::INFINITY, f64::min);
            let found = objectives(&problem, &rounded(&problem, 0.0)).as_slice()[TIME];
            // Twice the optimum is proven for uniform machines (Gonzalez, Ibarra, Sahni 1977, doi:10.1137/0206013).
            assert!(best <= found && found < 2.0 * best, "seed {seed}: {found} after {best}");
        }
    }

    #[test]
    fn with_many_tasks_rounding_costs_next_to_nothing() {
        let problem = tasks(1_000, 10, 3).problem(Completion::Joint).unwrap();
        let front = CostFront::of(&problem);
        for part in 0..=20 {
            let time = front.corners()[0][0] * (1.001 + 0.2 * f64::from(part));
            let found = objectives(&problem, &rounded(&problem, time));
            let &[done, cost] = found.as_slice() else { panic!("two objectives") };
            assert!(done <= 1.002 * time, "{done} for {time}");
            assert!(cost <= 1.005 * front.cost_within(time).unwrap(), "{cost} at {time}");
        }
    }

    #[test]
    fn the_area_is_that_of_the_lines() {
        let front = CostFront { corners: vec![[1.0, 5.0], [3.0, 1.0]] };
        assert_eq!(front.hypervolume([4.0, 5.0]), 0.5 * 2.0 * 4.0 + 4.0);
        assert_eq!(front.hypervolume([2.0, 5.0]), 0.5 * 2.0);
        assert_eq!(front.hypervolume([4.0, 3.0]), 0.5 * 2.0 + 2.0);
        assert_eq!(front.hypervolume([0.5, 9.0]) + front.hypervolume([9.0, 0.5]), 0.0);
        assert_eq!(front.cost_within(2.0), Some(3.0));
        let one = CostFront { corners: vec![[1.0, 5.0]] };
        assert_eq!((one.cost_within(0.9), one.cost_within(1.0)), (None, Some(5.0)));
        assert_eq!(one.hypervolume([2.0, 7.0]), 2.0);
    }
}
