//! What training minimises.
//!
//! Promises: a loss is a mean over the batch and all outputs, as PyTorch's reductions are. Must not know: the network.
#![allow(clippy::needless_pass_by_value, reason = "a view is passed like a slice")]

use ndarray::{Array2, ArrayView2};

use crate::models::QUANTILES;

/// A loss between outputs of (batch, outputs) and the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The pinball loss of every quantile (Koenker, Bassett 1978, doi:10.2307/1913643). The truth is of (batch,
    /// horizons); output h · 3 + q is quantile q of horizon h.
    Pinball,
    /// The mean squared error; truth and outputs are of the same shape.
    MeanSquared,
}

impl Loss {
    /// How many outputs there are for each true value.
    #[must_use]
    pub const fn outputs(self) -> usize {
        match self {
            Self::Pinball => QUANTILES.len(),
            Self::MeanSquared => 1,
        }
    }

    /// The loss and its gradient by the outputs.
    #[must_use]
    pub fn gradient(self, outputs: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> (f32, Array2<f32>) {
        let share = 1.0 / outputs.len().max(1) as f32;
        let (mut sum, mut gradient) = (0.0_f64, Array2::zeros(outputs.dim()));
        for ((batch, k), slot) in gradient.indexed_iter_mut() {
            let error = truth[[batch, k / self.outputs()]] - outputs[[batch, k]];
            let (loss, slope) = match self {
                Self::Pinball => pinball(error, QUANTILES[k % QUANTILES.len()]),
                Self::MeanSquared => (error * error, -2.0 * error),
            };
            sum += f64::from(loss);
            *slot = slope * share;
        }
        ((sum * f64::from(share)) as f32, gradient)
    }
}

/// The pinball loss of an error (truth − forecast), and its derivative by the forecast.
fn pinball(error: f32, probability: f32) -> (f32, f32) {
    if error >= 0.0 { (probability * error, -probability) } else { ((probability - 1.0) * error, 1.0 - probability) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn underestimates_of_the_p90_cost_nine_times_as_much() {
        let truth = arr2(&[[10.0]]);
        let (_, low) = Loss::Pinball.gradient(arr2(&[[10.0, 8.0, 10.0]]).view(), truth.view());
        let (high, slopes) = Loss::Pinball.gradient(arr2(&[[10.0, 12.0, 10.0]]).view(), truth.view());
        assert!((low[[0, 1]] / slopes[[0, 1]] + 9.0).abs() < 1e-4);
        assert!((high - 0.2 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn the_squared_error_is_a_mean_over_everything() {
        let (loss, gradient) = Loss::MeanSquared.gradient(arr2(&[[1.0, 3.0]]).view(), arr2(&[[0.0, 0.0]]).view());
        assert_eq!((loss, gradient), (5.0, arr2(&[[1.0, 3.0]])));
    }
}
