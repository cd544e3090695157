//! Instances of tasks on servers whose speed costs energy.
//!
//! Promises: the same arguments give the same numbers on every machine: draws come from an own generator, and nothing
//! but sums, products and quotients follows. Must not know: the solvers.
//!
//! A fast server takes less time and more energy, so the two objectives pull apart. Sizes of tasks `s_i ~ U[1, 10]`,
//! speeds of servers `v_j ~ U[0.5, 2]`, power `P_j = v_j^2.2 U[0.8, 1.2]`, time `c_ij = s_i / v_j U[0.8, 1.25]`, energy
//! `e_ij = c_ij P_j + 0.2`, and every cap is 1.28 times the mean of `e_ij` for each of `tasks / servers` tasks.

use super::draws::Draws;
use crate::problems::energy_assignment::{EnergyAssignment, EnergyColumns, EnergyError, TimeObjective};

/// Energy that a task takes however short it is.
const BASE_ENERGY: f64 = 0.2;

/// Caps over what the servers spend if tasks are spread evenly: tight enough to matter, loose enough to be met.
const SLACK: f64 = 1.28;

/// Tasks to be put on servers.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyInstance {
    /// `e_ij`, task-major.
    pub energy: Vec<f64>,
    /// `c_ij`, task-major.
    pub time: Vec<f64>,
    /// `E_j`.
    pub caps: Vec<f64>,
}

impl EnergyInstance {
    /// Draws an instance; one without tasks or servers is empty.
    #[must_use]
    pub fn generate(tasks: usize, servers: usize, seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        let mut uniform = |low: f64, high: f64| low + (high - low) * draws.unit();
        let sizes: Vec<f64> = (0..tasks).map(|_| uniform(1.0, 10.0)).collect();
        let speeds: Vec<f64> = (0..servers).map(|_| uniform(0.5, 2.0)).collect();
        let powers: Vec<f64> = speeds.iter().map(|&v| v * v * fifth_root(v) * uniform(0.8, 1.2)).collect();
        let mut time = Vec::with_capacity(tasks * servers);
        for size in sizes {
            time.extend(speeds.iter().map(|speed| size / speed * uniform(0.8, 1.25)));
        }
        let energy: Vec<f64> = time.iter().zip(powers.iter().cycle()).map(|(c, p)| c * p + BASE_ENERGY).collect();
        let mean = energy.iter().sum::<f64>() / energy.len().max(1) as f64;
        let cap = SLACK * mean * tasks as f64 / servers.max(1) as f64;
        Self { energy, time, caps: vec![cap; servers] }
    }

    /// The instance as a problem.
    ///
    /// # Errors
    /// [`EnergyError`] for an instance that was changed so that its parts no longer fit together.
    pub fn problem(&self, objective: TimeObjective) -> Result<EnergyAssignment, EnergyError> {
        let columns = EnergyColumns { energy: &self.energy, time: &self.time, caps: &self.caps };
        EnergyAssignment::new(&columns, objective)
    }
}

/// `x^0.2` for `x` in [0.5, 2] by Newton's iteration: the library's power differs between machines in its last bit.
fn fifth_root(x: f64) -> f64 {
    (0..8).fold(1.0, |root: f64, _| {
        let square = root * root;
        (4.0 * root + x / (square * square)) / 5.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_root_is_one() {
        for x in [0.5, 0.77, 1.0, 1.5, 2.0] {
            assert!((fifth_root(x) - f64::powf(x, 0.2)).abs() < 1e-14, "{x}");
        }
    }

    #[test]
    fn an_instance_is_always_the_same() {
        let instance = EnergyInstance::generate(50, 8, 1);
        assert_eq!((instance.energy.len(), instance.time.len(), instance.caps.len()), (400, 400, 8));
        // Golden values: a change here changes every figure ever published.
        assert_eq!((instance.time[0].to_bits(), instance.energy[399].to_bits()), GOLDEN);
        assert_ne!(instance, EnergyInstance::generate(50, 8, 2));
    }

    const GOLDEN: (u64, u64) = (4_614_933_170_192_985_694, 4_620_049_985_896_228_906);

    #[test]
    fn an_instance_without_tasks_or_servers_is_empty() {
        for (tasks, servers) in [(0, 3), (3, 0), (0, 0)] {
            let problem = EnergyInstance::generate(tasks, servers, 1).problem(TimeObjective::Sum).unwrap();
            assert_eq!((crate::problem::Problem::items(&problem), problem.servers()), (0, servers));
        }
    }
}
