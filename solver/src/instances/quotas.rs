//! Instances of quota tuning: pods with a forecast use of cpu and memory.
//!
//! Promises: the same arguments give the same numbers on every machine. Must not know: the solvers.

use super::draws::Draws;
use crate::problems::quota_tuning::{Amounts, QuotaError, QuotaObjective, QuotaRange, QuotaTuning};

/// Least and largest forecast use, in cores and in GiB.
const USED: (f64, f64) = (0.2, 2.0);

/// Pods with their forecast use.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaInstance {
    /// Cpu and memory of each pod, uniform in 0.2 to 2.
    pub used: Vec<Amounts>,
}

impl QuotaInstance {
    /// Draws the use of some pods. Experiment T000-1 has 8 of them, and seeds 1 to 20.
    #[must_use]
    pub fn generate(pods: usize, seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        let mut use_of_one = || USED.0 + (USED.1 - USED.0) * draws.unit();
        Self { used: (0..pods).map(|_| [use_of_one(), use_of_one()]).collect() }
    }

    /// The instance as a problem, with the default range and weights and without nodes.
    ///
    /// # Errors
    /// [`QuotaError::Used`] for an instance whose use was changed to something that is not above 0.
    pub fn tuning(&self) -> Result<QuotaTuning, QuotaError> {
        QuotaTuning::new(&self.used, QuotaRange::default(), QuotaObjective::default())
    }
}
