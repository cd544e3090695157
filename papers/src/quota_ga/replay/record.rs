//! What a replay measures.
//!
//! Promises: nothing of the warm-up counts. Must not know: why things happen.

use gantry_solver::problems::quota_tuning::{Amounts, RESOURCES};

use super::load::WARM_UP;

/// Seconds of one point of the curves.
const MOMENT: usize = 15;

/// The figures of a replay, or their means over several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Mean response time, ms.
    pub response: f64,
    /// What 95 of 100 responses stay below, ms.
    pub slow: f64,
    /// Used over given, over all pods and seconds, %: cpu, memory.
    pub utilisation: Amounts,
    /// Answers a second.
    pub throughput: f64,
    /// Mean cpu quota of all pods together, cores.
    pub cores: f64,
    /// Mean number of pods.
    pub pods: f64,
    /// Pods killed for their memory.
    pub kills: f64,
    /// The course of it.
    pub moments: Vec<Moment>,
}

/// A quarter of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Mean response time of the calls made in it, ms.
    pub response: f64,
    /// Used over given cpu, %.
    pub utilisation: f64,
    /// Cpu quota of all pods together, cores.
    pub cores: f64,
}

impl Measured {
    /// The mean of cpu and memory utilisation, %.
    #[must_use]
    pub fn mean_utilisation(&self) -> f64 {
        f64::midpoint(self.utilisation[0], self.utilisation[1])
    }

    /// The means of several replays of one load.
    #[must_use]
    pub fn mean(runs: &[Self]) -> Self {
        let of = |value: &dyn Fn(&Self) -> f64| runs.iter().map(value).sum::<f64>() / runs.len() as f64;
        let moments = runs.first().map_or(0, |run| run.moments.len());
        let moment = |index: usize| Moment {
            response: of(&|run| run.moments[index].response),
            utilisation: of(&|run| run.moments[index].utilisation),
            cores: of(&|run| run.moments[index].cores),
        };
        Self {
            response: of(&|run| run.response),
            slow: of(&|run| run.slow),
            utilisation: std::array::from_fn(|r| of(&|run| run.utilisation[r])),
            throughput: of(&|run| run.throughput),
            cores: of(&|run| run.cores),
            pods: of(&|run| run.pods),
            kills: of(&|run| run.kills),
            moments: (0..moments).map(moment).collect(),
        }
    }
}

/// One second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    used: Amounts,
    quota: Amounts,
    pods: usize,
    killed: usize,
    calls: usize,
    response: f64,
    answers: usize,
}

/// Takes notes.
#[derive(Clone, Debug)]
pub(super) struct Record {
    seconds: Vec<Second>,
    responses: Vec<f64>,
}

impl Record {
    pub(super) fn new(seconds: u32) -> Self {
        Self { seconds: vec![Second::default(); seconds as usize], responses: Vec::new() }
    }

    /// A call, and the seconds that it takes.
    pub(super) fn call(&mut self, time: f64, response: f64) {
        let second = &mut self.seconds[time as usize];
        second.calls += 1;
        second.response += response;
        if let Some(second) = self.seconds.get_mut((time + response) as usize) {
            second.answers += 1;
        }
        if time >= f64::from(WARM_UP) {
            self.responses.push(response);
        }
    }

    pub(super) fn second(&mut self, second: u32, used: Amounts, quota: Amounts, pods: usize, killed: usize) {
        let at = &mut self.seconds[second as usize];
        (at.used, at.quota, at.pods, at.killed) = (used, quota, pods, killed);
    }

    pub(super) fn measured(mut self) -> Measured {
        let seconds = &self.seconds[WARM_UP as usize..];
        let mean = |value: &dyn Fn(&Second) -> f64| seconds.iter().map(value).sum::<f64>() / seconds.len() as f64;
        self.responses.sort_by(f64::total_cmp);
        let slow = self.responses.get(self.responses.len() * 95 / 100).copied().unwrap_or(0.0);
        Measured {
            response: 1e3 * self.responses.iter().sum::<f64>() / self.responses.len().max(1) as f64,
            slow: 1e3 * slow,
            utilisation: [0, 1].map(|r| utilisation(seconds, r)),
            throughput: mean(&|second| second.answers as f64),
            cores: mean(&|second| second.quota[0]),
            pods: mean(&|second| second.pods as f64),
            kills: seconds.iter().map(|second| second.killed).sum::<usize>() as f64,
            moments: seconds.chunks(MOMENT).map(moment).collect(),
        }
    }
}

fn utilisation(seconds: &[Second], resource: usize) -> f64 {
    debug_assert!(resource < RESOURCES, "resources are cpu and memory");
    let sum = |of: fn(&Second) -> Amounts| seconds.iter().map(|second| of(second)[resource]).sum::<f64>();
    100.0 * sum(|second| second.used) / sum(|second| second.quota)
}

fn moment(seconds: &[Second]) -> Moment {
    let calls: usize = seconds.iter().map(|second| second.calls).sum();
    Moment {
        response: 1e3 * seconds.iter().map(|second| second.response).sum::<f64>() / calls.max(1) as f64,
        utilisation: utilisation(seconds, 0),
        cores: seconds.iter().map(|second| second.quota[0]).sum::<f64>() / seconds.len() as f64,
    }
}
