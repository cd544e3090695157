//! What a quota is worth: utilisation against response.
//!
//! Promises: the worth of one gene depends on its own utilisation alone, and where it peaks is known in closed form.
//! Must not know: pods.

use super::QuotaError;

/// The weights of `F = α·U_cpu + β·U_mem - γ·R`, eq. (6), and the response model behind `R`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaObjective {
    /// `α`, at least 0. Default 0.5 \[P\].
    pub alpha: f64,
    /// `β`, at least 0. Default 0.5 \[P\].
    pub beta: f64,
    /// `γ`, at least 0. Default 0.2 \[I\]; with `r_0` it fixes the head-room, see [`peak`](Self::peak).
    pub gamma: f64,
    /// `r_0`, the response of an idle pod as a part of the worst, 0 to 1. Default 0.05 \[I\].
    pub rest: f64,
}

impl Default for QuotaObjective {
    fn default() -> Self {
        Self { alpha: 0.5, beta: 0.5, gamma: 0.2, rest: 0.05 }
    }
}

impl QuotaObjective {
    pub(super) fn check(&self) -> Result<(), QuotaError> {
        let weights = [("alpha", self.alpha), ("beta", self.beta), ("gamma", self.gamma)];
        if let Some((name, value)) = weights.into_iter().find(|(_, weight)| !(0.0..=1e12).contains(weight)) {
            return Err(QuotaError::Objective { name, value, allowed: "0 to 1e12" });
        }
        if (0.0..=1.0).contains(&self.rest) {
            Ok(())
        } else {
            Err(QuotaError::Objective { name: "rest", value: self.rest, allowed: "0 to 1" })
        }
    }

    /// The weight of a resource's utilisation: `α` for 0, `β` for 1.
    #[must_use]
    pub const fn weight(&self, resource: usize) -> f64 {
        if resource == 0 { self.alpha } else { self.beta }
    }

    /// `r(u) = min(1, r_0 / (1 - u))` \[I\]: the stretch of a processor-sharing queue at utilisation `u`, cut at the worst.
    #[must_use]
    pub fn response(&self, utilisation: f64) -> f64 {
        if utilisation < 1.0 { (self.rest / (1.0 - utilisation)).min(1.0) } else { 1.0 }
    }

    /// A pod's part of `F` that comes from one resource: `w·u - γ/2·r(u)`, the mean `R` being over both resources.
    #[must_use]
    pub fn worth(&self, resource: usize, utilisation: f64) -> f64 {
        self.weight(resource) * utilisation - 0.5 * self.gamma * self.response(utilisation)
    }

    /// Where the worth peaks below the cut of `r`: `u* = 1 - √(γ r_0 / 2w)`, with `α = β = 1/2` that is `1 - √(γ r_0)`.
    ///
    /// May lie below 0 (then less utilisation is always better) or past `1 - r_0`, where `r` is cut (then more is).
    #[must_use]
    pub fn peak(&self, resource: usize) -> f64 {
        let (cost, weight) = (0.5 * self.gamma * self.rest, self.weight(resource));
        if cost == 0.0 { 1.0 } else { 1.0 - (cost / weight).sqrt() }
    }
}
