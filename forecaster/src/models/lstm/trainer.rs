//! The training loop.
//!
//! Promises: the seed decides the order of batches, so equal input gives equal weights. A training that diverges
//! changes nothing. Must not know: what windows are cut from.

use super::activation::Activation;
use super::adam::{Adam, clip};
use super::features::Windows;
use super::loss::Loss;
use super::network::gradient;
use super::parameters::Parameters;
use crate::models::{Epoch, ModelError, Observer};
use crate::rng::Rng;

/// How a network is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Passes over the windows.
    pub epochs: usize,
    /// Windows of a step.
    pub batch: usize,
    /// Learning rate of the first step.
    pub rate: f32,
    /// Whether the rate falls to 0 along half a cosine.
    pub decay: bool,
    /// Bound on the gradient's norm; infinite for none.
    pub clip: f32,
    /// What is minimised.
    pub loss: Loss,
    /// The cell's non-linearity.
    pub activation: Activation,
    /// Decides the order of the windows.
    pub seed: u64,
}

impl Training {
    /// The rate when a share of all steps is done.
    fn rate_at(&self, done: f32) -> f32 {
        if self.decay { self.rate * 0.5 * (1.0 + (std::f32::consts::PI * done).cos()) } else { self.rate }
    }

    /// Trains the weights on the windows.
    ///
    /// # Errors
    /// If the loss becomes no number; the weights are then as before.
    pub fn run(
        &self,
        parameters: &mut Parameters,
        windows: &Windows,
        observer: &mut Observer<'_>,
    ) -> Result<(), ModelError> {
        let mut rows: Vec<usize> = (0..windows.truth.nrows()).collect();
        let (mut rng, mut adam) = (Rng::new(self.seed), Adam::new(parameters.flat.len()));
        let mut learnt = parameters.clone();
        for number in 1..=self.epochs {
            let count = rows.len();
            rng.shuffle(&mut rows, count);
            let mut sum = 0.0;
            for (k, batch) in rows.chunks(self.batch.max(1)).enumerate() {
                let done = (number - 1) as f32 + (k * self.batch) as f32 / count as f32;
                let rate = self.rate_at(done / self.epochs as f32);
                sum += self.step(&mut learnt, &mut adam, windows, batch, rate) * batch.len() as f32;
            }
            let loss = sum / count.max(1) as f32;
            if !loss.is_finite() {
                return Err(ModelError::Diverged { epoch: number, loss });
            }
            if observer(Epoch { number, of: self.epochs, loss }).is_break() {
                break;
            }
        }
        *parameters = learnt;
        Ok(())
    }

    /// One step on some windows; gives their loss before it.
    pub fn step(
        &self,
        parameters: &mut Parameters,
        adam: &mut Adam,
        windows: &Windows,
        rows: &[usize],
        rate: f32,
    ) -> f32 {
        let (input, truth) = windows.batch(rows);
        let (loss, mut by_weight) = gradient(parameters, self.activation, self.loss, input.view(), truth.view());
        clip(by_weight.flat_mut(), self.clip);
        adam.step(parameters.flat_mut(), by_weight.flat(), rate);
        loss
    }
}
