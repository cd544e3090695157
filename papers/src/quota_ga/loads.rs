//! T000-2: the source's load tests, replayed with each scaler.
//!
//! Promises: means over fixed seeds; every scaler gets the same users. Must not know: what comes out.

use std::ops::RangeInclusive;

use gantry_solver::problems::quota_tuning::QuotaObjective;

use super::replay::{Foresight, Load, Measured, Predictive, Reactive, Scaler, Tuner, replay};

/// Seeds of the comparison.
pub const SEEDS: RangeInclusive<u64> = 1..=5;

/// Seeds of the curves that show what thresholds and head-rooms trade, and of the method that fails by far.
pub const TRADE_SEEDS: RangeInclusive<u64> = 1..=2;

/// The horizontal pod autoscaler's default target.
pub const TARGET: f64 = 0.8;

/// Thresholds of the reactive scaler, and utilisations `u*` of the predictive one, for the curves.
pub const TARGETS: [f64; 5] = [0.5, 0.6, 0.7, 0.8, 0.9];

/// A way to scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Replicas by threshold, at this target utilisation.
    Reactive(f64),
    /// Forecast and genetic algorithm, the source's method.
    Genetic,
    /// Forecast and quotas in closed form, at this utilisation `u*`; without the genetic algorithm.
    Division(f64),
    /// The genetic algorithm on what was last seen; without the forecast and its head-room.
    LastSeen,
}

impl Method {
    /// What the report calls it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Reactive(target) => format!("reactive, target {:.0} %", 100.0 * target),
            Self::Genetic => "forecast + GA".into(),
            Self::Division(peak) => format!("forecast + division by u* = {peak}"),
            Self::LastSeen => "last seen + GA (two seeds)".into(),
        }
    }

    fn scaler(self, seed: u64) -> Box<dyn Scaler> {
        let predictive = |foresight, tuner, objective| Box::new(Predictive::new(foresight, tuner, objective, seed));
        match self {
            Self::Reactive(target) => Box::new(Reactive::new(target)),
            Self::Genetic => predictive(Foresight::Forecast, Tuner::Genetic, QuotaObjective::default()),
            Self::Division(peak) => predictive(Foresight::Forecast, Tuner::Division, with_peak(peak)),
            Self::LastSeen => predictive(Foresight::LastSeen, Tuner::Genetic, QuotaObjective::default()),
        }
    }
}

/// The weights whose best utilisation is `peak`: `γ = (1 - u*)² / r_0`.
fn with_peak(peak: f64) -> QuotaObjective {
    let objective = QuotaObjective::default();
    QuotaObjective { gamma: (1.0 - peak) * (1.0 - peak) / objective.rest, ..objective }
}

/// A load replayed with some seeds.
#[must_use]
pub fn runs(load: Load, method: Method, seeds: RangeInclusive<u64>) -> Vec<Measured> {
    seeds.map(|seed| replay(load, method.scaler(seed).as_mut(), seed)).collect()
}

/// The means of a load over some seeds.
#[must_use]
pub fn measure(load: Load, method: Method, seeds: RangeInclusive<u64>) -> Measured {
    Measured::mean(&runs(load, method, seeds))
}

/// A load by every method of the comparison; one entry a seed, or the means.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The load.
    pub load: Load,
    /// The default reactive scaler.
    pub reactive: Vec<Measured>,
    /// The source's method.
    pub genetic: Vec<Measured>,
    /// The same without the genetic algorithm.
    pub division: Measured,
    /// That with more head-room: `u*` of 0.7.
    pub roomy: Measured,
    /// The source's method without the forecast.
    pub last_seen: Measured,
}

/// Compares the methods under a load.
#[must_use]
pub fn compare(load: Load) -> Comparison {
    Comparison {
        load,
        reactive: runs(load, Method::Reactive(TARGET), SEEDS),
        genetic: runs(load, Method::Genetic, SEEDS),
        division: measure(load, Method::Division(0.9), SEEDS),
        roomy: measure(load, Method::Division(0.7), SEEDS),
        last_seen: measure(load, Method::LastSeen, TRADE_SEEDS),
    }
}

/// What each target of a kind of method gives: cpu utilisation in %, response in ms.
#[must_use]
pub fn trade(load: Load, method: impl Fn(f64) -> Method) -> Vec<(f64, f64)> {
    let point = |&target: &f64| {
        let measured = measure(load, method(target), TRADE_SEEDS);
        (measured.utilisation[0], measured.response)
    };
    TARGETS.iter().map(point).collect()
}

/// What the source reports of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reported {
    /// Response time with its method and by default, ms.
    pub response: (f64, f64),
    /// Utilisation of cpu, %.
    pub cpu: (f64, f64),
    /// Utilisation of memory, %.
    pub memory: (f64, f64),
    /// Calls answered a second.
    pub throughput: (f64, f64),
}

/// The source's table of load tests \[P\].
#[must_use]
pub const fn reported(load: Load) -> Reported {
    let (response, cpu, memory, throughput) = match load {
        Load::High => ((121.52, 180.76), (82.47, 73.81), (75.32, 66.45), (580.43, 526.38)),
        Load::Burst => ((183.21, 279.43), (85.23, 73.34), (80.34, 70.16), (635.12, 578.24)),
        Load::Low => ((90.17, 134.78), (76.89, 68.32), (73.27, 62.57), (185.43, 172.54)),
    };
    Reported { response, cpu, memory, throughput }
}
