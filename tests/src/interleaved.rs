//! What a pod takes kube-scheduler, by its mark, read off when one extender was asked about its own.
//!
//! kube-scheduler decides about one pod after another. Where runs of pods of the observed mark alternate with runs of
//! others ([`Marks`]), the time from the last call before such a run to the first one after it is that of the others and of
//! one observed pod. So runs that lie side by side in time are compared, in the same process, on the same cluster, and
//! nobody is asked to keep a clock who does not keep one in use.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::workload::{Mark, Marks};

/// What one run of pods took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Its pods' mark.
    pub mark: Mark,
    /// Mean time a pod.
    pub time: Duration,
    /// The same of the observed pods before and behind it.
    pub baseline: Duration,
}

/// Every run between two observed ones, in its order. The observed mark is the first of `marks`, and every other one of
/// them; `arrivals` are its pods' numbers, and when the extender was asked about each, since whenever. Where a pod came
/// late, twice or never, the runs beside its own are left out.
///
/// # Errors
/// That are more than half of all runs.
pub fn runs(marks: Marks, arrivals: &[(usize, Duration)]) -> Result<Vec<Run>> {
    let observed: Vec<&[(usize, Duration)]> = arrivals.chunk_by(|a, b| a.0 / marks.run == b.0 / marks.run).collect();
    let runs: Vec<Run> = observed.windows(2).filter_map(|pair| between(marks, pair[0], pair[1])).collect();
    let wanted = arrivals.len() / marks.run;
    ensure!(runs.len() >= wanted / 2, "pods did not come in their order: {} runs of {wanted} can be used", runs.len());
    Ok(runs)
}

/// The times of all runs of a mark, as a multiple of their neighbours'. Nothing without a run.
#[must_use]
pub fn ratio(runs: &[Run], mark: Mark) -> Option<f64> {
    let own = || runs.iter().filter(|run| run.mark == mark);
    let [time, baseline]: [Duration; 2] = [own().map(|run| run.time).sum(), own().map(|run| run.baseline).sum()];
    (!baseline.is_zero()).then(|| time.as_secs_f64() / baseline.as_secs_f64())
}

/// The run between two observed ones, which are whole and follow one another.
fn between(marks: Marks, before: &[(usize, Duration)], behind: &[(usize, Duration)]) -> Option<Run> {
    let number = |run: &[(usize, Duration)]| run[0].0 / marks.run;
    let is_whole =
        |run: &[(usize, Duration)]| run.iter().map(|call| call.0).collect::<BTreeSet<_>>().len() == marks.run;
    if number(behind) != number(before) + 2 || !is_whole(before) || !is_whole(behind) {
        return None;
    }
    let baseline = (mean(before)? + mean(behind)?) / 2;
    let time = behind.first()?.1.saturating_sub(before.last()?.1).saturating_sub(baseline) / marks.run as u32;
    Some(Run { mark: marks.of((number(before) + 1) * marks.run), time, baseline })
}

/// From the first call of a run to its last, a pod; nothing of less than two.
fn mean(run: &[(usize, Duration)]) -> Option<Duration> {
    let others = u32::try_from(run.len()).ok()?.checked_sub(1).filter(|others| *others > 0)?;
    Some(run.last()?.1.saturating_sub(run.first()?.1) / others)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Mark = Mark { resource: "x/seen", scheduler: "one" };
    const A: Mark = Mark { resource: "x/a", scheduler: "one" };
    const B: Mark = Mark { resource: "x/b", scheduler: "one" };
    const MARKS: Marks = Marks { marks: &[SEEN, A, SEEN, B], run: 3 };

    /// The observed calls where a pod takes what its mark says.
    fn arrivals(pods: usize) -> Vec<(usize, Duration)> {
        let mut now = Duration::ZERO;
        let mut seen = Vec::new();
        for pod in 0..pods {
            if MARKS.of(pod) == SEEN {
                seen.push((pod, now));
            }
            now += Duration::from_millis(match MARKS.of(pod) {
                SEEN => 2,
                A => 5,
                _ => 3,
            });
        }
        seen
    }

    #[test]
    fn each_run_takes_what_its_pods_take() {
        let runs = runs(MARKS, &arrivals(18)).unwrap();
        let told: Vec<_> = runs.iter().map(|run| (run.mark, run.time.as_millis(), run.baseline.as_millis())).collect();
        assert_eq!(told, [(A, 5, 2), (B, 3, 2)]);
        assert!((ratio(&runs, A).unwrap() - 2.5).abs() < 1e-9);
        assert_eq!(ratio(&runs, SEEN), None);
    }

    #[test]
    fn inside_a_run_any_order_will_do() {
        let mut swapped = arrivals(18);
        (swapped[4].0, swapped[5].0) = (swapped[5].0, swapped[4].0);
        assert_eq!(runs(MARKS, &swapped).unwrap(), runs(MARKS, &arrivals(18)).unwrap());
    }

    #[test]
    fn a_pod_that_comes_late_spoils_the_runs_beside_its_own() {
        let mut late = arrivals(48);
        let (pod, at) = late.remove(4);
        late.push((pod, at + Duration::from_secs(1)));
        assert_eq!((runs(MARKS, &arrivals(48)).unwrap().len(), runs(MARKS, &late).unwrap().len()), (7, 5));
        let mut shuffled = arrivals(48);
        (0..shuffled.len()).step_by(4).for_each(|place| shuffled[place].0 += 6);
        assert!(runs(MARKS, &shuffled).unwrap_err().to_string().contains("order"));
    }
}
